"""Gates: from the features before a block to a score that says whether the block should run.

Shapes: B = batch, C = channels, H and W = height and width.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from faa_models.arguments import is_finite

__all__ = ["FeedForwardGates", "GateKind", "GateState", "Gates", "RecurrentGates", "make_gates"]

GateKind = Literal["rnn", "ff1", "ff2"]


class GateState(NamedTuple):
    """What gates remember from one block to the next: an LSTM's hidden and cell state, each [B, hidden]."""

    hidden: Tensor
    cell: Tensor


class GatedFeatures(NamedTuple):
    """The features before a gated block.

    Attributes:
        channels: How many there are.
        expansion: Of the block that follows: its output channels over those of its 3×3 convolutions.
    """

    channels: int
    expansion: int


class Gates(Protocol):
    """All gates of a network, asked in order."""

    def start(self, batch: int, device: torch.device) -> GateState:
        """Return the state before the first gate for `batch` images."""

    def __call__(self, index: int, x: Tensor, state: GateState) -> tuple[Tensor, GateState]:
        """Return gate `index`'s scores [B] for the features `x` [B, C, H, W], and the state for the next gate.

        The sigmoid of a score is the probability that the block should run.
        """

    def keep(self, count: int) -> None:
        """Drop all but the first `count` gates."""


class RecurrentGates(nn.Module):
    """One LSTM for all gates, each with its own projection (SkipNet, arXiv:1711.09485, §3.1, "RNN gate").

    Args:
        features: The channels before each gated block.
        hidden: Size of the projections and of the LSTM's state.
        bias: About what the scores are at the start of training, where it is not 0.
    """

    def __init__(self, features: Sequence[GatedFeatures], *, hidden: int = 10, bias: float = 0.0) -> None:
        super().__init__()
        self.hidden = hidden
        projections = [nn.Linear(before.channels, hidden) for before in features]
        for projection in projections:
            nn.init.kaiming_normal_(projection.weight, mode="fan_out", nonlinearity="relu")
        self.projections = nn.ModuleList(projections)
        self.cell = nn.LSTMCell(hidden, hidden)
        self.decide = nn.Linear(hidden, 1)
        if bias:
            nn.init.constant_(self.decide.bias, bias)

    def start(self, batch: int, device: torch.device) -> GateState:
        """Return zeros for `batch` images."""
        zeros = torch.zeros(batch, self.hidden, device=device, dtype=self.decide.weight.dtype)
        return GateState(zeros, zeros)

    def forward(self, index: int, x: Tensor, state: GateState) -> tuple[Tensor, GateState]:
        """Return the scores [B] of gate `index` for `x` [B, C, H, W], and the next state."""
        projected = self.projections[index](x.mean(dim=(2, 3)))
        hidden, cell = self.cell(projected, state)
        return self.decide(hidden)[:, 0], GateState(hidden, cell)

    def keep(self, count: int) -> None:
        """Drop all but the first `count` gates."""
        self.projections = self.projections[:count]


class FeedForwardGates(nn.Module):
    """Gates of convolutions, one by itself for each block (SkipNet, §3.1, "FFGate-I" and "FFGate-II").

    Args:
        features: The channels before each gated block. Where bottlenecks multiply them by e, a gate's convolutions
            give e² times fewer: a gate then costs about 13 % of a block, as in the paper's basic blocks, where e = 1.
        pooled: FFGate-I, two convolutions behind a pooling; else FFGate-II, one convolution.
        bias: About what the scores are at the start of training, where it is not 0.
    """

    def __init__(self, features: Sequence[GatedFeatures], *, pooled: bool, bias: float = 0.0) -> None:
        super().__init__()
        self.gates = nn.ModuleList(
            _feed_forward_gate(
                before.channels, max(1, before.channels // before.expansion**2), pooled=pooled, bias=bias
            )
            for before in features
        )

    def start(self, batch: int, device: torch.device) -> GateState:
        """Return nothing to remember for `batch` images."""
        nothing = torch.empty(batch, 0, device=device)
        return GateState(nothing, nothing)

    def forward(self, index: int, x: Tensor, state: GateState) -> tuple[Tensor, GateState]:
        """Return the scores [B] of gate `index` for `x` [B, C, H, W], and the state as it was."""
        stay, run = self.gates[index](x).unbind(dim=1)  # their softmax is the sigmoid of the difference
        return run - stay, state

    def keep(self, count: int) -> None:
        """Drop all but the first `count` gates."""
        self.gates = self.gates[:count]


def make_gates(kind: GateKind, features: Sequence[GatedFeatures], bias: float) -> RecurrentGates | FeedForwardGates:
    """Return the gates of a kind.

    Args:
        kind: "rnn", "ff1" or "ff2".
        features: The channels before each gated block.
        bias: About what the scores are at the start of training, where it is not 0.

    Raises:
        ValueError: If there is no such kind, or the bias is not finite.
    """
    if not is_finite(bias):
        raise ValueError(f"gate_bias must be finite, not {bias!r}")
    if kind == "rnn":
        return RecurrentGates(features, bias=bias)
    if kind in ("ff1", "ff2"):
        return FeedForwardGates(features, pooled=kind == "ff1", bias=bias)
    raise ValueError(f"gate must be one of rnn, ff1, ff2, not {kind!r}")


def _feed_forward_gate(channels: int, hidden: int, *, pooled: bool, bias: float) -> nn.Sequential:
    layers: list[nn.Module] = [nn.MaxPool2d(2, ceil_mode=True), *_conv(channels, hidden, stride=1)] if pooled else []
    layers += _conv(hidden if pooled else channels, hidden, stride=2)
    decide = nn.Linear(hidden, 2)
    if bias:
        nn.init.zeros_(decide.weight)  # so that the score starts at the bias, whatever the features
        decide.bias.data = torch.tensor([-bias / 2, bias / 2])
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), decide)


def _conv(in_chs: int, out_chs: int, *, stride: int) -> list[nn.Module]:
    conv = nn.Conv2d(in_chs, out_chs, 3, stride=stride, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return [conv, nn.BatchNorm2d(out_chs), nn.ReLU()]
