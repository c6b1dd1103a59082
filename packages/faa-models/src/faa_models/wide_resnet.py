"""Wide-ResNet (Zagoruyko & Komodakis, arXiv:1605.07146) for small images, registered with timm.

Shapes: B = batch, C = channels, H and W = height and width, K = classes.
"""

from functools import partial
from typing import Any

from timm.models import register_model
from torch import Tensor, nn
from torch.nn.functional import relu

from faa_models.arguments import check_rates, check_whole
from faa_models.registration import cifar_cfgs, create_network
from faa_models.staged import ResidualBlock, StagedNetwork, equal_blocks

__all__ = ["WideBlock", "WideResNet"]


class WideBlock(ResidualBlock):
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

    expansion = 1

    def __init__(
        self, in_chs: int, out_chs: int, stride: int = 1, *, drop_rate: float = 0.0, bn_momentum: float = 0.1
    ) -> None:
        super().__init__()
        self.out_chs = out_chs
        self.bn1 = nn.BatchNorm2d(in_chs, momentum=bn_momentum)
        self.conv1 = nn.Conv2d(in_chs, out_chs, 3, padding=1)
        self.drop = nn.Dropout(drop_rate)
        self.bn2 = nn.BatchNorm2d(out_chs, momentum=bn_momentum)
        self.conv2 = nn.Conv2d(out_chs, out_chs, 3, stride=stride, padding=1)
        same_shape = stride == 1 and in_chs == out_chs
        self.shortcut = nn.Identity() if same_shape else nn.Conv2d(in_chs, out_chs, 1, stride=stride)

    def forward(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        """Return (B, out_chs, ⌈H/stride⌉, ⌈W/stride⌉) for `x` (B, in_chs, H, W); `shortcut` as in `ResidualBlock`."""
        residual: Tensor = self.drop(self.conv1(relu(self.bn1(x))))
        residual = self.drop_path(self.conv2(relu(self.bn2(residual))))
        return residual + (self.skip(x) if shortcut is None else shortcut)

    def skip(self, x: Tensor) -> Tensor:
        """Return the shortcut alone (B, out_chs, ⌈H/stride⌉, ⌈W/stride⌉)."""
        out: Tensor = self.shortcut(x)
        return out


class WideResNet(StagedNetwork):
    """Wide-ResNet WRN-`depth`-`width`: a 3×3 stem, then three stages at 1, 1/2 and 1/4 of the input size.

    Weights keep PyTorch's default initialisation.

    Args:
        depth: Weighted layers, 6n + 4 for n blocks a stage.
        width: Widening factor k; the stages have 16k, 32k and 64k channels.
        num_classes: Classes K; 0 leaves the classifier out.
        in_chans: Channels of the input image.
        global_pool: timm's name of the pooling before the classifier; "" leaves it out.
        drop_rate: Dropout probability before the classifier, in [0, 1].
        drop_path_rate: Stochastic depth's in the last block, in [0, 1]; see `StagedNetwork`.
        block_drop_rate: Dropout probability inside each block, in [0, 1].
        bn_momentum: Weight of the newest batch in batch norm's running statistics, in [0, 1].

    Raises:
        ValueError: If `depth` is not 6n + 4 with n ≥ 1, or another argument is not one of these.
    """

    def __init__(  # noqa: PLR0913 timm's own arguments are five of them
        self,
        depth: int,
        width: int,
        num_classes: int = 10,
        in_chans: int = 3,
        global_pool: str = "avg",
        *,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        block_drop_rate: float = 0.0,
        # reference code: 0.9, a slip between conventions. Elsewhere momentum weighs the past; in PyTorch
        # it weighs the newest batch, and 0.9 all but forgets the rest. Only the buffers differ.
        bn_momentum: float = 0.1,
    ) -> None:
        check_whole(depth=depth, width=width, in_chans=in_chans)
        check_rates(block_drop_rate=block_drop_rate, bn_momentum=bn_momentum)
        blocks, remainder = divmod(depth - 4, 6)
        if blocks < 1 or remainder:
            raise ValueError(f"depth must be 6n + 4 with n >= 1 (10, 16, 22, ...), not {depth}")
        if width < 1:
            raise ValueError(f"width must be at least 1, not {width}")
        chs = (16, 16 * width, 32 * width, 64 * width)
        block = partial(WideBlock, drop_rate=block_drop_rate, bn_momentum=bn_momentum)
        super().__init__(
            nn.Conv2d(in_chans, chs[0], 3, padding=1),
            equal_blocks(block, chs, blocks),
            nn.Sequential(nn.BatchNorm2d(chs[-1], momentum=bn_momentum), nn.ReLU()),
            chs,
            num_classes=num_classes,
            in_chans=in_chans,
            global_pool=global_pool,
            drop_rate=drop_rate,
            drop_path_rate=drop_path_rate,
        )


default_cfgs = cifar_cfgs(
    ("wrn", "wrn10_1", "wrn16_1", "wrn16_8", "wrn28_2", "wrn28_10", "wrn40_2"), "arXiv:1605.07146"
)


@register_model
def wrn(pretrained: bool = False, depth: int = 16, width: int = 8, **kwargs: Any) -> WideResNet:
    """Return a Wide-ResNet of any depth and width, such as ``timm.create_model("wrn", depth=22, width=4)``."""
    return create_network(WideResNet, "wrn", pretrained, depth=depth, width=width, **kwargs)


@register_model
def wrn10_1(pretrained: bool = False, **kwargs: Any) -> WideResNet:
    """Return WRN-10-1, the smallest there is."""
    return create_network(WideResNet, "wrn10_1", pretrained, depth=10, width=1, **kwargs)


@register_model
def wrn16_1(pretrained: bool = False, **kwargs: Any) -> WideResNet:
    """Return WRN-16-1, small enough for tests and demonstrations on a CPU."""
    return create_network(WideResNet, "wrn16_1", pretrained, depth=16, width=1, **kwargs)


@register_model
def wrn16_8(pretrained: bool = False, **kwargs: Any) -> WideResNet:
    """Return WRN-16-8, the paper's network for SVHN."""
    return create_network(WideResNet, "wrn16_8", pretrained, depth=16, width=8, **kwargs)


@register_model
def wrn28_2(pretrained: bool = False, **kwargs: Any) -> WideResNet:
    """Return WRN-28-2, the network of RandAugment's ablations and of semi-supervised learning."""
    return create_network(WideResNet, "wrn28_2", pretrained, depth=28, width=2, **kwargs)


@register_model
def wrn28_10(pretrained: bool = False, **kwargs: Any) -> WideResNet:
    """Return WRN-28-10, the larger network of the Fast AutoAugment paper's CIFAR and SVHN tables."""
    return create_network(WideResNet, "wrn28_10", pretrained, depth=28, width=10, **kwargs)


@register_model
def wrn40_2(pretrained: bool = False, **kwargs: Any) -> WideResNet:
    """Return WRN-40-2, the network that the Fast AutoAugment paper searches policies with."""
    return create_network(WideResNet, "wrn40_2", pretrained, depth=40, width=2, **kwargs)
