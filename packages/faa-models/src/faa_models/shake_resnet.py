"""Shake-Shake networks (Gastaldi, arXiv:1705.07485) for small images, registered with timm.

Shapes: B = batch, C = channels, H and W = height and width, K = classes.
"""

from typing import Any

import torch
from timm.models import register_model
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from faa_models.arguments import check_whole
from faa_models.registration import cifar_cfgs, create_network
from faa_models.shake import Level, ShakeShake
from faa_models.staged import ResidualBlock, StagedNetwork, equal_blocks

__all__ = ["ShakeBlock", "ShakeResNeXt", "ShakeResNet", "ShiftedShortcut"]


class ShiftedShortcut(nn.Module):
    """Shortcut between shapes: two 1×1 convolutions, of the pixels and of those one to the lower right, then BN.

    Args:
        in_chs: Input channels.
        out_chs: Output channels, even.
        stride: Factor by which height and width shrink.
    """

    def __init__(self, in_chs: int, out_chs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_chs, out_chs // 2, 1, stride=stride, bias=False)
        self.conv2 = nn.Conv2d(in_chs, out_chs // 2, 1, stride=stride, bias=False)
        self.bn = nn.BatchNorm2d(out_chs)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out_chs, ⌈H/stride⌉, ⌈W/stride⌉) for `x` (B, in_chs, H, W)."""
        x = relu(x)
        shifted = pad(x, (-1, 1, -1, 1))
        out: Tensor = self.bn(torch.cat((self.conv1(x), self.conv2(shifted)), dim=1))
        return out


class ShakeBlock(ResidualBlock):
    """Residual block whose residual is a random mix of two branches.

    Args:
        in_chs: Input channels.
        out_chs: Output channels.
        branches: The two branches, from (B, in_chs, H, W) to (B, out_chs, ⌈H/stride⌉, ⌈W/stride⌉).
        stride: Factor by which height and width shrink.
        expansion: Output channels over those of the branches' 3×3 convolutions.
        level: What shares a coefficient: "batch", "image", "channel" or "pixel".
    """

    def __init__(
        self,
        in_chs: int,
        out_chs: int,
        branches: tuple[nn.Module, nn.Module],
        *,
        stride: int = 1,
        expansion: int = 1,
        level: Level = "image",
    ) -> None:
        super().__init__()
        self.out_chs = out_chs
        self.expansion = expansion
        self.branch1, self.branch2 = branches
        self.shake = ShakeShake(level)
        same_shape = stride == 1 and in_chs == out_chs
        self.shortcut = nn.Identity() if same_shape else ShiftedShortcut(in_chs, out_chs, stride)

    def forward(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        """Return (B, out_chs, ⌈H/stride⌉, ⌈W/stride⌉) for `x` (B, in_chs, H, W); `shortcut` as in `ResidualBlock`."""
        residual: Tensor = self.drop_path(self.shake(self.branch1(x), self.branch2(x)))
        return (self.skip(x) if shortcut is None else shortcut) + residual

    def skip(self, x: Tensor) -> Tensor:
        """Return the shortcut alone (B, out_chs, ⌈H/stride⌉, ⌈W/stride⌉)."""
        out: Tensor = self.shortcut(x)
        return out


class ShakeResNet(StagedNetwork):
    """Shake-Shake `depth` 2×`width`d: branches of ReLU-conv3×3-BN-ReLU-conv3×3-BN.

    The released code also makes, and never uses, a shortcut in each block that keeps its shape; there are none here.

    Args:
        depth: Weighted layers, 6n + 2 for n blocks a stage.
        width: Channels of the first stage, even; the others have two and four times as many.
        num_classes: Classes K; 0 leaves the classifier out.
        in_chans: Channels of the input image.
        global_pool: timm's name of the pooling before the classifier; "" leaves it out.
        drop_rate: Dropout probability before the classifier, in [0, 1].
        drop_path_rate: Stochastic depth's in the last block, in [0, 1]; see `StagedNetwork`.
        level: What shares a coefficient of the branches: "image" in the papers' tables.

    Raises:
        ValueError: If an argument is not one of these.
    """

    def __init__(
        self,
        depth: int,
        width: int,
        num_classes: int = 10,
        in_chans: int = 3,
        global_pool: str = "avg",
        *,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        level: Level = "image",
    ) -> None:
        check_whole(depth=depth, width=width, in_chans=in_chans)
        blocks, remainder = divmod(depth - 2, 6)
        if blocks < 1 or remainder:
            raise ValueError(f"depth must be 6n + 2 with n >= 1 (8, 14, 20, 26, ...), not {depth}")
        if width < 2 or width % 2:
            raise ValueError(f"width must be even and at least 2, not {width}")

        def block(in_chs: int, out_chs: int, stride: int) -> ShakeBlock:
            branches = _basic_branch(in_chs, out_chs, stride), _basic_branch(in_chs, out_chs, stride)
            return ShakeBlock(in_chs, out_chs, branches, stride=stride, level=level)

        chs = (16, width, 2 * width, 4 * width)
        super().__init__(
            nn.Conv2d(in_chans, chs[0], 3, padding=1),
            equal_blocks(block, chs, blocks),
            nn.ReLU(),
            chs,
            num_classes=num_classes,
            in_chans=in_chans,
            global_pool=global_pool,
            drop_rate=drop_rate,
            drop_path_rate=drop_path_rate,
        )
        self.apply(_initialise)


class ShakeResNeXt(StagedNetwork):
    """Shake-Shake ResNeXt-`depth` 2×`groups`×`width`d: branches of 1×1, grouped 3×3 and 1×1 convolutions.

    Args:
        depth: Weighted layers; a stage has ⌊(depth − 2)/9⌋ blocks.
        width: Width of a group in the first stage, a multiple of 64.
        groups: Cardinality.
        num_classes: Classes K; 0 leaves the classifier out.
        in_chans: Channels of the input image.
        global_pool: timm's name of the pooling before the classifier; "" leaves it out.
        drop_rate: Dropout probability before the classifier, in [0, 1].
        drop_path_rate: Stochastic depth's in the last block, in [0, 1]; see `StagedNetwork`.
        level: What shares a coefficient of the branches: "image" in the papers' tables.

    Raises:
        ValueError: If an argument is not one of these.
    """

    def __init__(  # noqa: PLR0913 timm's own arguments are five of them
        self,
        depth: int,
        width: int,
        groups: int = 4,
        num_classes: int = 10,
        in_chans: int = 3,
        global_pool: str = "avg",
        *,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        level: Level = "image",
    ) -> None:
        check_whole(depth=depth, width=width, groups=groups, in_chans=in_chans)
        blocks = (depth - 2) // 9
        if blocks < 1:
            raise ValueError(f"depth must be at least 11, not {depth}")
        if width < 64 or width % 64:
            raise ValueError(f"width must be a multiple of 64, not {width}")
        if groups < 1:
            raise ValueError(f"groups must be at least 1, not {groups}")

        def block(in_chs: int, out_chs: int, stride: int) -> ShakeBlock:
            mid_chs = out_chs // 4 * groups * width // 64
            branches = (
                _bottleneck_branch(in_chs, mid_chs, out_chs, groups, stride),
                _bottleneck_branch(in_chs, mid_chs, out_chs, groups, stride),
            )
            expansion = max(1, out_chs // mid_chs)
            return ShakeBlock(in_chs, out_chs, branches, stride=stride, expansion=expansion, level=level)

        chs = (64, 256, 512, 1024)
        super().__init__(
            nn.Conv2d(in_chans, chs[0], 3, padding=1),
            equal_blocks(block, chs, blocks),
            nn.ReLU(),
            chs,
            num_classes=num_classes,
            in_chans=in_chans,
            global_pool=global_pool,
            drop_rate=drop_rate,
            drop_path_rate=drop_path_rate,
        )
        self.apply(_initialise)


def _basic_branch(in_chs: int, out_chs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(in_chs, out_chs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(out_chs),
        nn.ReLU(),
        nn.Conv2d(out_chs, out_chs, 3, padding=1, bias=False),
        nn.BatchNorm2d(out_chs),
    )


def _bottleneck_branch(in_chs: int, mid_chs: int, out_chs: int, groups: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_chs, mid_chs, 1, bias=False),
        nn.BatchNorm2d(mid_chs),
        nn.ReLU(),
        nn.Conv2d(mid_chs, mid_chs, 3, stride=stride, padding=1, groups=groups, bias=False),
        nn.BatchNorm2d(mid_chs),
        nn.ReLU(),
        nn.Conv2d(mid_chs, out_chs, 1, bias=False),
        nn.BatchNorm2d(out_chs),
    )


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)


default_cfgs = cifar_cfgs(
    (
        "shakeshake",
        "shakeshake26_2x32d",
        "shakeshake26_2x64d",
        "shakeshake26_2x96d",
        "shakeshake26_2x112d",
        "shakeshake26_2x96d_next",
    ),
    "arXiv:1705.07485",
)


@register_model
def shakeshake(pretrained: bool = False, depth: int = 26, width: int = 32, **kwargs: Any) -> ShakeResNet:
    """Return Shake-Shake of any depth and width, such as ``timm.create_model("shakeshake", depth=14, width=16)``."""
    return create_network(ShakeResNet, "shakeshake", pretrained, depth=depth, width=width, **kwargs)


@register_model
def shakeshake26_2x32d(pretrained: bool = False, **kwargs: Any) -> ShakeResNet:
    """Return Shake-Shake 26 2×32d."""
    return create_network(ShakeResNet, "shakeshake26_2x32d", pretrained, depth=26, width=32, **kwargs)


@register_model
def shakeshake26_2x64d(pretrained: bool = False, **kwargs: Any) -> ShakeResNet:
    """Return Shake-Shake 26 2×64d."""
    return create_network(ShakeResNet, "shakeshake26_2x64d", pretrained, depth=26, width=64, **kwargs)


@register_model
def shakeshake26_2x96d(pretrained: bool = False, **kwargs: Any) -> ShakeResNet:
    """Return Shake-Shake 26 2×96d."""
    return create_network(ShakeResNet, "shakeshake26_2x96d", pretrained, depth=26, width=96, **kwargs)


@register_model
def shakeshake26_2x112d(pretrained: bool = False, **kwargs: Any) -> ShakeResNet:
    """Return Shake-Shake 26 2×112d."""
    return create_network(ShakeResNet, "shakeshake26_2x112d", pretrained, depth=26, width=112, **kwargs)


@register_model
def shakeshake26_2x96d_next(pretrained: bool = False, **kwargs: Any) -> ShakeResNeXt:
    """Return the Shake-Shake ResNeXt that the Fast AutoAugment release calls so: in truth 2×4×64d, 20 layers deep."""
    return create_network(ShakeResNeXt, "shakeshake26_2x96d_next", pretrained, depth=26, width=64, **kwargs)
