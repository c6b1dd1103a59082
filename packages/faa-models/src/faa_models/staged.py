"""What the networks have in common: a stem, stages of residual blocks, a norm and a head, with timm's whole contract.

Shapes: B = batch, C = channels, H and W = height and width, K = classes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import Any, cast

from timm.layers import DropPath, calculate_drop_path_rates
from timm.layers.classifier import ClassifierHead
from timm.models import checkpoint_seq
from timm.models._features import feature_take_indices
from torch import Tensor, nn

from faa_models.arguments import check_rates, check_whole

__all__ = ["ResidualBlock", "StagedNetwork", "equal_blocks"]


class ResidualBlock(nn.Module, ABC):
    """A module that adds something to its shortcut; what networks here are made of.

    Attributes:
        out_chs: Output channels.
        expansion: Output channels over those of the block's 3×3 convolutions.
        drop_path: What the residual goes through before it is added: nothing, or stochastic depth.
    """

    out_chs: int
    expansion: int

    def __init__(self) -> None:
        super().__init__()
        self.drop_path: nn.Module = nn.Identity()

    @abstractmethod
    def forward(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        """Return the output (B, out_chs, ⌈H/stride⌉, ⌈W/stride⌉) for the input `x` (B, C, H, W).

        Args:
            x: Input.
            shortcut: What `skip` returns for `x`, if it is at hand.
        """

    @abstractmethod
    def skip(self, x: Tensor) -> Tensor:
        """Return the shortcut alone, shaped as the output: what is left of the block if it does not run."""


class StagedNetwork(nn.Module):
    """Stem, three stages at 1, 1/2 and 1/4 of the input size, norm, head.

    Inputs may have any size from 4×4 pixels on. Under gradient checkpointing each block runs twice a step, so its
    batch norms count each batch twice.

    Args:
        stem: From the image to the first stage.
        stages: The blocks of each stage in order.
        norm: What lies between the last block and the pooling.
        channels: Channels behind the stem and each stage.
        num_classes: Classes K; 0 leaves the classifier out.
        in_chans: Channels of the input image.
        global_pool: timm's name of the pooling before the classifier; "" leaves it out.
        drop_rate: Dropout probability before the classifier, in [0, 1].
        drop_path_rate: Probability of leaving a residual out of an image in training, in [0, 1]: that of the last
            block, growing linearly from 0 in the first (stochastic depth, as in timm).

    Raises:
        ValueError: If an argument is not one of these.
    """

    __constants__ = ("grad_checkpointing",)  # so that TorchScript drops the branch it cannot compile

    def __init__(  # noqa: PLR0913 timm's own arguments are five of them
        self,
        stem: nn.Module,
        stages: Iterable[Iterable[ResidualBlock]],
        norm: nn.Module,
        channels: Sequence[int],
        *,
        num_classes: int,
        in_chans: int,
        global_pool: str,
        drop_rate: float,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__()
        check_whole(num_classes=num_classes)
        check_rates(drop_rate=drop_rate, drop_path_rate=drop_path_rate)
        if num_classes < 0:
            raise ValueError(f"num_classes must not be negative, not {num_classes}")
        self.num_classes = num_classes
        self.in_chans = in_chans
        self.drop_rate = drop_rate
        self.grad_checkpointing = False
        levels = zip(channels, (1, 1, 2, 4), ("stem", "stages.0", "stages.1", "stages.2"), strict=True)
        info: list[dict[str, Any]] = [{"num_chs": c, "reduction": r, "module": m} for c, r, m in levels]
        self.feature_info = info  # annotating the attribute itself would upset TorchScript
        self.num_features = channels[-1]

        self.stem = stem
        self.stages = nn.Sequential(*(nn.Sequential(*blocks) for blocks in stages))
        _drop_paths(list(chain.from_iterable(self.blocks())), drop_path_rate)
        self.norm = norm
        self.head = ClassifierHead(channels[-1], num_classes, pool_type=global_pool, drop_rate=drop_rate)
        self.head_hidden_size = channels[-1] * self.head.global_pool.feat_mult()

    def blocks(self) -> list[list[ResidualBlock]]:
        """Return the blocks of each stage, in the order in which they run."""
        return [[cast("ResidualBlock", block) for block in stage.children()] for stage in self.stages]

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the normalised features (B, C, ⌈H/4⌉, ⌈W/4⌉) of the images `x` (B, in_chans, H, W)."""
        x = self.stem(x)
        x = checkpoint_seq(self.stages, x, flatten=True) if self.grad_checkpointing else self.stages(x)
        out: Tensor = self.norm(x)
        return out

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Return logits (B, K) for features `x` (B, C, H, W); with `pre_logits`, the classifier's input."""
        out: Tensor = self.head(x, pre_logits=pre_logits)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, K) for images `x` (B, in_chans, H, W)."""
        return self.forward_head(self.forward_features(x))

    def forward_stages(self, x: Tensor, stages: int) -> list[Tensor]:
        """Return the outputs of the first `stages` stages for the stem's output `x`."""
        outputs = []
        for stage in self.stages[:stages]:
            x = checkpoint_seq(stage, x) if self.grad_checkpointing else stage(x)
            outputs.append(x)
        return outputs

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | list[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """Return the final features and the intermediate ones, those listed in `feature_info`.

        Args:
            x: Images (B, in_chans, H, W).
            indices: Levels to return, 0 (stem) to 3 (last stage): all if None, the last n if an integer.
            norm: Apply the final norm and activation to level 3, if it is returned.
            stop_early: Skip the stages after the last level asked for.
            output_fmt: Layout of the features; only "NCHW".
            intermediates_only: Return the list of intermediates alone.

        Raises:
            ValueError: If `output_fmt` is not "NCHW".
        """
        if output_fmt != "NCHW":
            raise ValueError(f"output_fmt must be 'NCHW', not {output_fmt!r}")
        levels, last = feature_take_indices(len(self.feature_info), indices)
        x = self.stem(x)
        taken = [x, *self.forward_stages(x, last if stop_early else len(self.stages))]
        x = taken[-1]
        end = len(self.feature_info) - 1
        if len(taken) > end and (norm or not intermediates_only):
            x = self.norm(x)
            taken[end] = x if norm else taken[end]
        intermediates = [feature for level, feature in enumerate(taken) if level in levels]
        return intermediates if intermediates_only else (x, intermediates)

    def prune_intermediate_layers(
        self, indices: int | list[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Drop the layers behind the last of the levels `indices` and return those levels, counted from 0.

        Args:
            indices: Levels to keep, as in `forward_intermediates`.
            prune_norm: Drop the final norm and activation even if level 3 is kept.
            prune_head: Drop the pooling and the classifier even if level 3 is kept.
        """
        levels: list[int]
        levels, last = feature_take_indices(len(self.feature_info), indices)
        cut = last < len(self.feature_info) - 1
        self.stages = self.stages[:last]
        if prune_norm or cut:
            self.norm = nn.Sequential()
        if cut:
            self.num_features = self.head.in_features = self.feature_info[last]["num_chs"]
        if prune_head or cut:
            self.reset_classifier(0, "")
        return levels

    def get_classifier(self) -> nn.Module:
        """Return the classifier: a linear layer, or the identity if there are no classes."""
        classifier: nn.Module = self.head.fc
        return classifier

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Start a new classifier.

        Args:
            num_classes: Classes K; 0 leaves the classifier out.
            global_pool: timm's name of the pooling; None keeps the present one, "" leaves it out.
        """
        self.num_classes = num_classes
        self.head.reset(num_classes, global_pool)
        reference = next(self.stem.parameters())
        self.head.to(device=reference.device, dtype=reference.dtype)
        self.head_hidden_size = self.num_features * self.head.global_pool.feat_mult()

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute each block's activations in the backward pass, or if not `enable` store them."""
        self.grad_checkpointing = enable

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Return timm's patterns that group parameters by depth: per stage if `coarse`, else per block."""
        blocks = r"^stages\.(\d+)" if coarse else r"^stages\.(\d+)\.(\d+)"
        join_previous = (99999,)  # timm's mark: the final norm belongs to the last block
        return {"stem": r"^stem", "blocks": [(blocks, None), (r"^norm", join_previous)]}


def equal_blocks(
    block: Callable[[int, int, int], ResidualBlock], channels: Sequence[int], count: int
) -> Iterator[list[ResidualBlock]]:
    """Yield stages of `count` blocks each, equal but for the first one, which brings the stage's channels and stride.

    Args:
        block: Makes a block from its input channels, output channels and stride.
        channels: Behind the stem and each stage.
        count: Blocks in a stage.
    """
    for (in_chs, out_chs), stride in zip(pairwise(channels), (1, 2, 2), strict=True):
        yield [block(in_chs, out_chs, stride), *(block(out_chs, out_chs, 1) for _ in range(count - 1))]


def _drop_paths(blocks: Sequence[ResidualBlock], rate: float) -> None:
    """Give blocks stochastic depth at rates from 0 to `rate`; at 0 they keep what they have."""
    if rate:
        rates: Any = calculate_drop_path_rates(rate, len(blocks))
        for block, own in zip(blocks, rates, strict=True):
            block.drop_path = DropPath(own)
