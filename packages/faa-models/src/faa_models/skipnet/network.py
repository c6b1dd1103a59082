"""A network that decides for each image which of its blocks run.

Shapes: B = batch, C = channels, H and W = height and width, K = classes, G = gates.
"""

from functools import partial
from itertools import chain, pairwise
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from faa_models.arguments import is_finite
from faa_models.skipnet.execution import gathered, is_traced, masked
from faa_models.skipnet.gates import GatedFeatures, GateKind, make_gates
from faa_models.staged import ResidualBlock, StagedNetwork

__all__ = ["Execution", "GateRecord", "Gating", "SkipNet", "SkipOutput"]

Execution = Literal["masked", "gather"]
Gating = Literal["straight-through", "sampled"]


class GateRecord(NamedTuple):
    """What the gates decided.

    Attributes:
        scores: [B, G], float32, divided by the temperature; their sigmoid is the probability that the block runs.
        decisions: [B, G], float32, 1 where the block ran and 0 where it was skipped. With straight-through gates
            their gradient is that of the probability.
    """

    scores: Tensor
    decisions: Tensor


class SkipOutput(NamedTuple):
    """Logits [B, K] and what the gates decided."""

    logits: Tensor
    gates: GateRecord


class SkipNet(StagedNetwork):
    """A network whose later blocks are skipped where their gates decide so (SkipNet, arXiv:1711.09485).

    The gate before a block sees the features that would enter it. A skipped block leaves its shortcut. Names in the
    state dict are the backbone's, and `gates`; so a backbone's weights can be the start.

    Args:
        backbone: Network of this package to gate, a `StagedNetwork`; its modules become this network's.
        gate: "rnn" (one LSTM for all), "ff1" or "ff2" (convolutions, one gate for each block).
        from_stage: First stage with gates, from 0; its first block, and all stages before, always run.
        gate_bias: About what the gates' scores are at the start of training, where it is not 0; at 2 every block runs.
        temperature: Divides the scores, above 0. Sampling at 0.05 is close to what the scores decide by their sign.
        gating: How training decides: "straight-through" by the score's sign, with the probability's gradient; or
            "sampled" by chance, for reinforcement. Evaluation decides by the sign.
        execution: How evaluation skips: "masked" computes every block for every image and drops what is not wanted;
            "gather" computes a block for the images that want it, and so saves time, but gives the gates no gradient.
            Training is always masked, and so is what ``torch.jit.trace`` records.
        freeze_statistics: Keep batch norm's running statistics, and use them, in training. None does where `gating` is
            "sampled" when training begins: chance would disturb them.

    `temperature`, `gating`, `execution` and `freeze_statistics` are attributes too, to be changed between stages;
    `train()` then takes them up.

    Raises:
        TypeError: If the backbone is not a network of this kind.
        ValueError: If an argument is not one of these, or the backbone has no block to gate.
    """

    def __init__(
        self,
        backbone: nn.Module,
        gate: GateKind = "rnn",
        *,
        from_stage: int = 1,
        gate_bias: float = 0.0,
        temperature: float = 1.0,
        gating: Gating = "straight-through",
        execution: Execution = "masked",
        freeze_statistics: bool | None = None,
    ) -> None:
        backbone = _whole(backbone, from_stage)
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
        reference = next(backbone.stem.parameters())
        self.gates = make_gates(gate, features, gate_bias).to(device=reference.device, dtype=reference.dtype)
        self.head = backbone.head
        self.temperature = temperature
        self.gating = gating
        self.execution = execution
        self.freeze_statistics = freeze_statistics
        made_by_timm: dict[str, Any] = getattr(backbone, "pretrained_cfg", {})
        if made_by_timm:  # images are normalised as the backbone's
            self.pretrained_cfg = self.default_cfg = {**made_by_timm, "architecture": "skipnet"}
        self.set_grad_checkpointing(backbone.grad_checkpointing)
        self.train(backbone.training)  # freezes the statistics, if that is asked for

    @property
    def gating(self) -> Gating:
        """How training decides: "straight-through" or "sampled"."""
        return self._gating

    @gating.setter
    def gating(self, value: Gating) -> None:
        self._gating: Gating = _one_of("gating", value, get_args(Gating))

    @property
    def execution(self) -> Execution:
        """How evaluation skips: "masked" or "gather"."""
        return self._execution

    @execution.setter
    def execution(self, value: Execution) -> None:
        self._execution: Execution = _one_of("execution", value, get_args(Execution))

    @property
    def temperature(self) -> float:
        """What the scores are divided by."""
        return self._temperature

    @temperature.setter
    def temperature(self, value: float) -> None:
        if not is_finite(value) or value <= 0:
            raise ValueError(f"temperature must be finite and above 0, not {value!r}")
        self._temperature = value

    def train(self, mode: bool = True) -> "SkipNet":
        """Set training or evaluation; frozen batch norms stay in evaluation."""
        super().train(mode)
        frozen = self.gating == "sampled" if self.freeze_statistics is None else self.freeze_statistics
        if mode and frozen:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def gated_blocks(self) -> list[list[tuple[ResidualBlock, int | None]]]:
        """Return each stage's blocks in order, each with the number of its gate, or None where it always runs."""
        stages: list[list[tuple[ResidualBlock, int | None]]] = []
        number = -self.first_gated
        for blocks in self.blocks():
            stages.append([(block, gate if gate >= 0 else None) for gate, block in enumerate(blocks, start=number)])
            number += len(blocks)
        return stages

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

    def forward_stages(self, x: Tensor, stages: int) -> list[Tensor]:
        """Return the outputs of the first `stages` stages for the stem's output `x`."""
        return self.forward_gated(x, stages)[1]

    def forward_gated(
        self, x: Tensor, stages: int, decisions: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor], GateRecord]:
        """Return the last output, those of the first `stages` stages for the stem's output `x`, and what gates said.

        Args:
            x: [B, C, H, W].
            stages: How many run.
            decisions: Which blocks run, [B, G], in place of what the gates decide.

        Raises:
            ValueError: If `decisions` has another shape.
        """
        if decisions is not None and decisions.shape != (x.shape[0], self._gate_count()):
            expected = f"[{x.shape[0]} images, {self._gate_count()} gates]"
            raise ValueError(f"decisions must be {expected}, not {list(decisions.shape)}")
        saves = self.execution == "gather" and not self.training
        run = gathered if saves and not is_traced() else masked  # a trace would repeat its example's decisions
        if self.grad_checkpointing:
            run = partial(checkpoint, run, use_reentrant=False)
        state = self.gates.start(x.shape[0], x.device)
        outputs: list[Tensor] = []
        scores: list[Tensor] = []
        taken: list[Tensor] = []
        for blocks in self.gated_blocks()[:stages]:
            for block, gate in blocks:
                decision_B = None
                if gate is not None:
                    score_B, state = self.gates(gate, x, state)
                    scores.append(score_B.float() / self.temperature)
                    decision_B = self._decide(scores[-1]) if decisions is None else decisions[:, gate].float()
                    taken.append(decision_B)
                x = run(block, x, decision_B)
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
        probabilities_B = scores_B.sigmoid()
        if self.training and self.gating == "sampled":
            return torch.bernoulli(probabilities_B.detach())
        decided_B = (scores_B > 0).float()
        return decided_B + (probabilities_B - probabilities_B.detach())


def _columns(columns: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(columns, dim=1) if columns else torch.empty(like.shape[0], 0, device=like.device)


def _one_of(name: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
    return value


def _whole(backbone: nn.Module, from_stage: object) -> StagedNetwork:
    """Return the backbone, if it can be gated from that stage on."""
    if not isinstance(backbone, StagedNetwork):
        needed = "a StagedNetwork, such as Wide-ResNet, Shake-Shake or PyramidNet of this package"
        raise TypeError(f"the backbone must be {needed}, not {type(backbone).__name__}")
    stages = len(backbone.feature_info) - 1
    if isinstance(backbone, SkipNet) or len(backbone.stages) < stages:
        raise ValueError("the backbone must be a whole network without gates, not a gated or pruned one")
    if type(from_stage) is not int or not 0 <= from_stage < stages:
        raise ValueError(f"from_stage must be a whole number from 0 to {stages - 1}, not {from_stage!r}")
    return backbone
