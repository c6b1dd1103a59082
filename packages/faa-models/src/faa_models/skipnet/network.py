"""A network that decides for each image which of its blocks run.

Shapes: B = batch, C = channels, H and W = height and width, K = classes, G = gates.
"""

from functools import partial
from itertools import chain, pairwise
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from faa_models.skipnet.gates import GatedFeatures, GateKind, make_gates
from faa_models.staged import ResidualBlock, StagedNetwork

__all__ = ["Execution", "GateRecord", "Gating", "SkipNet", "SkipOutput"]

Execution = Literal["masked", "gather"]
Gating = Literal["straight-through", "sampled"]


class GateRecord(NamedTuple):
    """What the gates said.

    Attributes:
        scores: [B, G], float32; divided by the temperature, their sigmoid is the probability that the block runs.
        decisions: [B, G], float32, 1 where the block ran and 0 where it was skipped. With straight-through gates
            their gradient is that of the probability.
    """

    scores: Tensor
    decisions: Tensor


class SkipOutput(NamedTuple):
    """Logits [B, K] and what the gates said."""

    logits: Tensor
    gates: GateRecord


class SkipNet(StagedNetwork):
    """A network whose later blocks are skipped where their gates say so (SkipNet, arXiv:1711.09485).

    The gate before a block sees the features that would enter it. A skipped block leaves its shortcut. Names in the
    state dict are the backbone's, and `gates`; so a backbone's weights can be the start.

    Args:
        backbone: Network to gate; its modules become this network's.
        gate: "rnn" (one LSTM for all), "ff1" or "ff2" (convolutions, one gate for each block).
        from_stage: First stage with gates, from 0; its first block, and all stages before, always run.
        gate_bias: Score of the gates at the start of training, where it is not 0; at 2 every block runs at first.
        temperature: Divides the scores, above 0. Sampling at 0.05 is close to what the scores decide by their sign.
        gating: How training decides: "straight-through" by the score's sign, with the probability's gradient; or
            "sampled" by chance, for reinforcement. Evaluation decides by the sign.
        execution: How evaluation skips: "masked" computes every block for every image and drops what is not wanted;
            "gather" computes a block for the images that want it, and so saves time. Training is always masked.
        freeze_statistics: Keep batch norm's running statistics, and use them, in training; by default while `gating`
            is "sampled", when chance would disturb them.

    Raises:
        ValueError: If an argument is not one of these, or the backbone has no block to gate.
    """

    def __init__(
        self,
        backbone: StagedNetwork,
        gate: GateKind = "rnn",
        *,
        from_stage: int = 1,
        gate_bias: float = 0.0,
        temperature: float = 1.0,
        gating: Gating = "straight-through",
        execution: Execution = "masked",
        freeze_statistics: bool | None = None,
    ) -> None:
        _check(backbone, from_stage, temperature, gating, execution)
        super().__init__(
            backbone.stem,
            backbone.blocks(),
            backbone.norm,
            [level["num_chs"] for level in backbone.feature_info],
            num_classes=backbone.num_classes,
            in_chans=backbone.in_chans,
            global_pool=backbone.head.global_pool.pool_type,
            drop_rate=backbone.drop_rate,
        )
        blocks = list(chain.from_iterable(self.blocks()))
        self.first_gated = sum(len(stage) for stage in self.blocks()[:from_stage]) + 1
        features = [
            GatedFeatures(before.out_chs, block.expansion) for before, block in pairwise(blocks[self.first_gated - 1 :])
        ]
        if not features:
            raise ValueError(f"from_stage {from_stage} leaves no block to gate among {len(blocks)}")
        del self.head  # the backbone's own head comes last, behind the gates
        self.gates = make_gates(gate, features, gate_bias)
        self.head = backbone.head
        self.temperature = temperature
        self.gating = gating
        self.execution = execution
        self.freeze_statistics = gating == "sampled" if freeze_statistics is None else freeze_statistics
        self.set_grad_checkpointing(backbone.grad_checkpointing)
        self.train(backbone.training)  # freezes the statistics, if that is asked for

    def train(self, mode: bool = True) -> "SkipNet":
        """Set training or evaluation; frozen batch norms stay in evaluation."""
        super().train(mode)
        if mode and self.freeze_statistics:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    def forward(  # type: ignore[override]
        self, x: Tensor, decisions: Tensor | None = None, return_gates: bool = False
    ) -> Tensor | SkipOutput:
        """Return logits (B, K) for images `x` (B, in_chans, H, W).

        Args:
            x: Images.
            decisions: Which blocks run, [B, G] of 0 and 1, in place of what the gates decide.
            return_gates: Return a `SkipOutput`, with what the gates said.

        Raises:
            ValueError: If `decisions` has another shape.
        """
        last, _, gates = self.forward_gated(self.stem(x), len(self.stages), decisions)
        logits = self.forward_head(self.norm(last))
        return SkipOutput(logits, gates) if return_gates else logits

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the normalised features (B, C, ⌈H/4⌉, ⌈W/4⌉) of the images `x` (B, in_chans, H, W)."""
        out: Tensor = self.norm(self.forward_gated(self.stem(x), len(self.stages))[0])
        return out

    def forward_stages(self, x: Tensor, count: int) -> list[Tensor]:
        """Return the outputs of the first `count` stages for the stem's output `x`."""
        return self.forward_gated(x, count)[1]

    def forward_gated(
        self, x: Tensor, count: int, decisions: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor], GateRecord]:
        """Return the last output, those of the first `count` stages for the stem's output `x`, and what gates said.

        Args:
            x: [B, C, H, W].
            count: Stages to run.
            decisions: Which blocks run, [B, G], in place of what the gates decide.

        Raises:
            ValueError: If `decisions` has another shape.
        """
        if decisions is not None and decisions.shape != (len(x), self._gate_count()):
            expected = f"[{len(x)} images, {self._gate_count()} gates]"
            raise ValueError(f"decisions must be {expected}, not {list(decisions.shape)}")
        mix = _gathered if self.execution == "gather" and not self.training else _masked
        state = self.gates.start(x.shape[0], x.device)
        outputs: list[Tensor] = []
        scores: list[Tensor] = []
        taken: list[Tensor] = []
        index = -self.first_gated
        for blocks in self.blocks()[:count]:
            for block in blocks:
                decision = None
                if index >= 0:
                    score, state = self.gates(index, x, state)
                    scores.append(score.float())
                    decision = self._decide(scores[-1]) if decisions is None else decisions[:, index].float()
                    taken.append(decision)
                index += 1
                recompute = partial(checkpoint, mix, use_reentrant=False) if self.grad_checkpointing else mix
                x = recompute(block, x, decision)
            outputs.append(x)
        return x, outputs, GateRecord(_columns(scores, x), _columns(taken, x))

    def prune_intermediate_layers(
        self, indices: int | list[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Drop what lies behind the last of the levels `indices`, gates too; see `StagedNetwork`."""
        levels = super().prune_intermediate_layers(indices, prune_norm, prune_head)
        self.gates.keep(self._gate_count())
        return levels

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Return timm's patterns that group parameters by depth; the gates go with the last block."""
        matcher = super().group_matcher(coarse)
        matcher["blocks"].append((r"^gates", (99999,)))
        return matcher

    def _gate_count(self) -> int:
        return max(0, sum(len(stage) for stage in self.blocks()) - self.first_gated)

    def _decide(self, scores_B: Tensor) -> Tensor:
        probabilities_B = (scores_B / self.temperature).sigmoid()
        if self.training and self.gating == "sampled":
            return torch.bernoulli(probabilities_B.detach())
        decided_B = (scores_B > 0).float()
        return decided_B + (probabilities_B - probabilities_B.detach())


def _masked(block: ResidualBlock, x: Tensor, decision_B: Tensor | None) -> Tensor:
    """Return the block's output where the decision is 1 and its shortcut where it is 0, having computed both."""
    shortcut = block.skip(x)
    out: Tensor = block(x, shortcut)
    if decision_B is None:
        return out
    return torch.lerp(shortcut.to(out.dtype), out, decision_B.to(out.dtype)[:, None, None, None])


def _gathered(block: ResidualBlock, x: Tensor, decision_B: Tensor | None) -> Tensor:
    """Return the same, computing the block for the images that want it; has to wait for the decisions."""
    shortcut = block.skip(x)
    rows = None if decision_B is None else decision_B.nonzero().squeeze(1)
    if rows is None or len(rows) == len(x):
        everywhere: Tensor = block(x, shortcut)
        return everywhere
    return shortcut.index_put((rows,), block(x[rows], shortcut[rows]).to(shortcut.dtype)) if len(rows) else shortcut


def _columns(columns: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(columns, dim=1) if columns else torch.empty(like.shape[0], 0, device=like.device)


def _check(backbone: StagedNetwork, from_stage: int, temperature: float, gating: str, execution: str) -> None:
    levels = len(backbone.feature_info)
    if isinstance(backbone, SkipNet) or len(backbone.stages) < levels - 1:
        raise ValueError("the backbone must be a whole network without gates, not a gated or pruned one")
    if not 0 <= from_stage < levels - 1:
        raise ValueError(f"from_stage must be 0 to {levels - 2}, not {from_stage}")
    if not temperature > 0:  # nor NaN
        raise ValueError(f"temperature must be above 0, not {temperature}")
    for name, given, allowed in (("gating", gating, get_args(Gating)), ("execution", execution, get_args(Execution))):
        if given not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {given!r}")
