"""How much of a network ran: by blocks, as the papers count, and by multiply-adds.

Shapes: N = images, G = gates.
"""

from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn

from faa_models.macs import blank_input, trace_macs
from faa_models.skipnet.network import SkipNet
from faa_models.staged import ResidualBlock

__all__ = ["Computation", "MacTable", "computation", "mac_table"]


@dataclass(frozen=True, slots=True)
class MacTable:
    """Multiply-adds of one image's pass.

    Attributes:
        total: Of the network without gates, every block running.
        saved: For each gate, what is saved where its block is skipped: the block less its shortcut.
        gate_macs: Of all gates together.
    """

    total: int
    saved: tuple[int, ...]
    gate_macs: int

    def weights(self) -> Tensor:
        """Return what each gate saves over their mean, float32 [G] on the CPU: costs for the objectives."""
        saved_G = torch.tensor(self.saved, dtype=torch.float32)
        return saved_G / saved_G.mean()


@dataclass(frozen=True, slots=True)
class Computation:
    """How much of a network ran on some images.

    Attributes:
        gate_rates: For each gate, the share of images whose block ran.
        block_rate: (1 + Σ gate rates)/(1 + G), the papers' "computation". It leaves out the blocks without a gate,
            and counts cheap blocks as dear ones; so it may promise far more than is saved.
        mac_rate: Multiply-adds over those of the network without gates, the gates' own included.
    """

    gate_rates: tuple[float, ...]
    block_rate: float
    mac_rate: float


def mac_table(network: SkipNet, size: tuple[int, int] = (32, 32)) -> MacTable:
    """Return where a network's multiply-adds are.

    Args:
        network: On any device; it is not run there.
        size: Height and width of an image.
    """
    batch = 2  # batch norms in training refuse a lone image of one pixel
    total, x = trace_macs(network.stem, blank_input(network.stem, (batch, network.in_chans, *size)))
    state = network.gates.start(batch, x.device)
    saved, gate_macs = [], 0
    for block, gate in chain.from_iterable(network.gated_blocks()):
        if gate is not None:
            cost, (_, state) = trace_macs(network.gates, gate, x, state)
            gate_macs += cost
            saved.append((trace_macs(block, x)[0] - trace_macs(_Shortcut(block), x)[0]) // batch)
        cost, x = trace_macs(block, x)
        total += cost
    total += trace_macs(network.norm, x)[0] + trace_macs(network.head, x)[0]
    return MacTable(total=total // batch, saved=tuple(saved), gate_macs=gate_macs // batch)


def computation(decisions_NG: Tensor, table: MacTable) -> Computation:
    """Return how much of a network ran.

    Args:
        decisions_NG: 1 where a block ran and 0 where it was skipped, such as `GateRecord.decisions`.
        table: The network's `mac_table`.

    Raises:
        ValueError: If there are no images, or another number of gates than in the table.
    """
    if decisions_NG.ndim != 2 or not len(decisions_NG) or decisions_NG.shape[1] != len(table.saved):
        raise ValueError(f"decisions must be [images, {len(table.saved)}], not {list(decisions_NG.shape)}")
    rates = decisions_NG.detach().double().mean(dim=0).tolist()
    skipped = sum((1.0 - rate) * saved for rate, saved in zip(rates, table.saved, strict=True))
    return Computation(
        gate_rates=tuple(rates),
        block_rate=(1.0 + sum(rates)) / (1.0 + len(rates)),
        mac_rate=(table.total + table.gate_macs - skipped) / table.total,
    )


class _Shortcut(nn.Module):
    """A block's shortcut as a module."""

    def __init__(self, block: ResidualBlock) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        return self.block.skip(x)
