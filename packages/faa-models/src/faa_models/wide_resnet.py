"""Wide-ResNet (Zagoruyko & Komodakis, arXiv:1605.07146) for small images, registered with timm.

Shapes: B = batch, C = channels, H and W = height and width, K = classes.
"""

from functools import partial
from itertools import pairwise
from typing import Any

from timm.layers.classifier import ClassifierHead
from timm.models import build_model_with_cfg, checkpoint_seq, generate_default_cfgs, register_model
from timm.models._features import feature_take_indices
from torch import Tensor, nn
from torch.nn.functional import relu

__all__ = ["WideBlock", "WideResNet"]


class WideBlock(nn.Module):
    """Pre-activation residual block: BN-ReLU-conv-dropout-BN-ReLU-conv, plus a shortcut.

    The second convolution carries the stride. Where the shape changes, the shortcut is a 1×1
    convolution of the raw input, not of the pre-activated one.

    Args:
        in_chs: Input channels.
        out_chs: Output channels.
        stride: Factor by which height and width shrink.
        drop_rate: Dropout probability between the two convolutions, in [0, 1].
        bn_momentum: Weight of the newest batch in the running statistics, in [0, 1].
    """

    def __init__(
        self, in_chs: int, out_chs: int, *, stride: int = 1, drop_rate: float = 0.0, bn_momentum: float = 0.1
    ) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_chs, momentum=bn_momentum)
        self.conv1 = nn.Conv2d(in_chs, out_chs, 3, padding=1)
        self.drop = nn.Dropout(drop_rate)
        self.bn2 = nn.BatchNorm2d(out_chs, momentum=bn_momentum)
        self.conv2 = nn.Conv2d(out_chs, out_chs, 3, stride=stride, padding=1)
        same_shape = stride == 1 and in_chs == out_chs
        self.shortcut = nn.Identity() if same_shape else nn.Conv2d(in_chs, out_chs, 1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output (B, out_chs, ⌈H/stride⌉, ⌈W/stride⌉) for the input `x` (B, in_chs, H, W)."""
        residual = self.drop(self.conv1(relu(self.bn1(x))))
        residual = self.conv2(relu(self.bn2(residual)))
        out: Tensor = residual + self.shortcut(x)
        return out


class WideResNet(nn.Module):
    """Wide-ResNet WRN-`depth`-`width`: a 3×3 stem, then three stages at 1, 1/2 and 1/4 of the input size.

    Inputs may have any size from 4×4 pixels on. Weights keep PyTorch's default initialisation. Under
    gradient checkpointing each block runs twice a step, so its batch norms count each batch twice.

    Args:
        depth: Weighted layers, 6n + 4 for n blocks a stage.
        width: Widening factor k; the stages have 16k, 32k and 64k channels.
        num_classes: Classes K; 0 leaves the classifier out.
        in_chans: Channels of the input image.
        global_pool: timm's name of the pooling before the classifier; "" leaves it out.
        drop_rate: Dropout probability before the classifier, in [0, 1].
        block_drop_rate: Dropout probability inside each block, in [0, 1].
        bn_momentum: Weight of the newest batch in batch norm's running statistics, in [0, 1].

    Raises:
        ValueError: If `depth` is not 6n + 4 with n ≥ 1.
    """

    __constants__ = ("grad_checkpointing",)  # so that TorchScript drops the branch it cannot compile

    def __init__(
        self,
        depth: int,
        width: int,
        num_classes: int = 10,
        in_chans: int = 3,
        global_pool: str = "avg",
        *,
        drop_rate: float = 0.0,
        block_drop_rate: float = 0.0,
        # reference code: 0.9, a slip between conventions. Elsewhere momentum weighs the past; in PyTorch
        # it weighs the newest batch, and 0.9 all but forgets the rest. Only the buffers differ.
        bn_momentum: float = 0.1,
    ) -> None:
        super().__init__()
        blocks, remainder = divmod(depth - 4, 6)
        if blocks < 1 or remainder:
            raise ValueError(f"depth must be 6n + 4 with n >= 1 (10, 16, 22, ...), not {depth}")
        self.num_classes = num_classes
        self.in_chans = in_chans
        self.drop_rate = drop_rate
        self.grad_checkpointing = False

        chs = (16, 16 * width, 32 * width, 64 * width)
        levels = zip(chs, (1, 1, 2, 4), ("stem", "stages.0", "stages.1", "stages.2"), strict=True)
        info: list[dict[str, Any]] = [{"num_chs": c, "reduction": r, "module": m} for c, r, m in levels]
        self.feature_info = info  # annotating the attribute itself would upset TorchScript
        self.num_features = chs[-1]

        block = partial(WideBlock, drop_rate=block_drop_rate, bn_momentum=bn_momentum)
        self.stem = nn.Conv2d(in_chans, chs[0], 3, padding=1)
        self.stages = nn.Sequential()
        for (in_chs, out_chs), stride in zip(pairwise(chs), (1, 2, 2), strict=True):
            rest = (block(out_chs, out_chs) for _ in range(blocks - 1))
            self.stages.append(nn.Sequential(block(in_chs, out_chs, stride=stride), *rest))
        self.norm = nn.Sequential(nn.BatchNorm2d(chs[-1], momentum=bn_momentum), nn.ReLU())
        self.head = ClassifierHead(chs[-1], num_classes, pool_type=global_pool, drop_rate=drop_rate)
        self.head_hidden_size = chs[-1] * self.head.global_pool.feat_mult()

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
        taken = {0: x}
        for level, stage in enumerate(self.stages[:last] if stop_early else self.stages, start=1):
            x = taken[level] = checkpoint_seq(stage, x) if self.grad_checkpointing else stage(x)
        end = len(self.feature_info) - 1
        if end in taken and (norm or not intermediates_only):
            x = self.norm(x)
            taken[end] = x if norm else taken[end]
        intermediates = [feature for level, feature in taken.items() if level in levels]
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
        self.head_hidden_size = self.num_features * self.head.global_pool.feat_mult()

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute each block's activations in the backward pass, or if not `enable` store them."""
        self.grad_checkpointing = enable

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Return timm's patterns that group parameters by depth: per stage if `coarse`, else per block."""
        blocks = r"^stages\.(\d+)" if coarse else r"^stages\.(\d+)\.(\d+)"
        join_previous = (99999,)  # timm's mark: the final norm belongs to the last block
        return {"stem": r"^stem", "blocks": [(blocks, None), (r"^norm", join_previous)]}


_CIFAR = {
    "num_classes": 10,
    "input_size": (3, 32, 32),
    "pool_size": (8, 8),
    "interpolation": "bicubic",
    "crop_pct": 1.0,
    "mean": (0.4914, 0.4822, 0.4465),
    "std": (0.2023, 0.1994, 0.2010),
    "first_conv": "stem",
    "classifier": "head.fc",
    "paper_ids": "arXiv:1605.07146",
}
default_cfgs = generate_default_cfgs(dict.fromkeys(("wrn16_1", "wrn28_10", "wrn40_2"), _CIFAR))


def _create(variant: str, pretrained: bool, **kwargs: Any) -> WideResNet:
    features = {"out_indices": (0, 1, 2, 3), "flatten_sequential": True}
    return build_model_with_cfg(WideResNet, variant, pretrained, feature_cfg=features, **kwargs)


@register_model
def wrn16_1(pretrained: bool = False, **kwargs: Any) -> WideResNet:
    """Return WRN-16-1, small enough for tests and demonstrations on a CPU."""
    return _create("wrn16_1", pretrained, depth=16, width=1, **kwargs)


@register_model
def wrn28_10(pretrained: bool = False, **kwargs: Any) -> WideResNet:
    """Return WRN-28-10, the larger network of the Fast AutoAugment paper's CIFAR and SVHN tables."""
    return _create("wrn28_10", pretrained, depth=28, width=10, **kwargs)


@register_model
def wrn40_2(pretrained: bool = False, **kwargs: Any) -> WideResNet:
    """Return WRN-40-2, the network that the Fast AutoAugment paper searches policies with."""
    return _create("wrn40_2", pretrained, depth=40, width=2, **kwargs)
