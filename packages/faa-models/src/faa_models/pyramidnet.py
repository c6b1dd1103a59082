"""PyramidNet (Han et al., arXiv:1610.02915) for small images, with or without ShakeDrop, registered with timm.

Shapes: B = batch, C = channels, H and W = height and width, K = classes.
"""

from typing import Any

from timm.layers.conv_bn_act import ConvNormAct
from timm.models import register_model
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad

from faa_models.arguments import check_rates, check_whole, is_finite
from faa_models.registration import cifar_cfgs, create_network
from faa_models.shake import Level, ShakeDrop
from faa_models.staged import ResidualBlock, StagedNetwork

__all__ = ["PyramidBlock", "PyramidNet"]

BOTTLENECK = 4  # output channels over inner ones


class PyramidBlock(ResidualBlock):
    """Residual block that widens: its shortcut is pooled where it has a stride, and gets channels of zeros.

    Basic: BN-conv3×3-BN-ReLU-conv3×3-BN. Bottleneck: BN-conv1×1-BN-ReLU-conv3×3-BN-ReLU-conv1×1-BN. No activation
    before the first convolution and none after the sum.

    Args:
        in_chs: Input channels.
        width: Channels of the 3×3 convolutions.
        stride: Factor by which height and width shrink, 1 or 2.
        bottleneck: Four times as many output channels as `width`, by a 1×1 convolution.
        drop_prob: ShakeDrop's probability of disturbing the residual, in [0, 1].
        level: What shares ShakeDrop's coefficients.
    """

    def __init__(
        self,
        in_chs: int,
        width: int,
        *,
        stride: int = 1,
        bottleneck: bool = True,
        drop_prob: float = 0.0,
        level: Level = "image",
    ) -> None:
        super().__init__()
        self.expansion = BOTTLENECK if bottleneck else 1
        self.out_chs = width * self.expansion
        self.stride = stride
        convs = (
            [(in_chs, width, 1, 1), (width, width, 3, stride), (width, self.out_chs, 1, 1)]
            if bottleneck
            else [(in_chs, width, 3, stride), (width, width, 3, 1)]
        )
        layers: list[nn.Module] = []
        for number, (fan_in, fan_out, kernel, step) in enumerate(convs):
            layers += [nn.BatchNorm2d(fan_in), *([nn.ReLU()] if number else [])]
            layers.append(nn.Conv2d(fan_in, fan_out, kernel, stride=step, padding=kernel // 2, bias=False))
        self.residual = nn.Sequential(*layers, nn.BatchNorm2d(self.out_chs))
        self.join = ShakeDrop(drop_prob, level=level)

    def forward(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        """Return (B, out_chs, ⌈H/stride⌉, ⌈W/stride⌉) for `x` (B, in_chs, H, W); `shortcut` as in `ResidualBlock`."""
        residual = self.drop_path(self.residual(x))
        out: Tensor = self.join(self.skip(x) if shortcut is None else shortcut, residual)
        return out

    def skip(self, x: Tensor) -> Tensor:
        """Return the shortcut alone (B, out_chs, ⌈H/stride⌉, ⌈W/stride⌉)."""
        if self.stride > 1:
            x = avg_pool2d(x, self.stride, ceil_mode=True)
        return pad(x, (0, 0, 0, 0, 0, self.out_chs - x.shape[1]))


class PyramidNet(StagedNetwork):
    """PyramidNet-`depth` of widening `alpha`: each of its blocks is wider than the one before.

    Args:
        depth: Weighted layers: 9n + 2 with bottlenecks, else 6n + 2, for n blocks a stage.
        alpha: Channels gained from the first block to the last; block i of L has round(16 + i·alpha/L).
        bottleneck: Blocks with 1×1 convolutions around the 3×3 one, and four times the output channels.
        shake_drop: ShakeDrop's probability in the last block, in [0, 1], growing linearly from the first; 0 for none.
        num_classes: Classes K; 0 leaves the classifier out.
        in_chans: Channels of the input image.
        global_pool: timm's name of the pooling before the classifier; "" leaves it out.
        drop_rate: Dropout probability before the classifier, in [0, 1].
        drop_path_rate: Stochastic depth's in the last block, in [0, 1]; see `StagedNetwork`.
        level: What shares ShakeDrop's coefficients: "image" in the papers' tables.

    Raises:
        ValueError: If an argument is not one of these, or `drop_path_rate` is given with `shake_drop`.
    """

    def __init__(  # noqa: PLR0913 timm's own arguments are six of them
        self,
        depth: int,
        alpha: float,
        bottleneck: bool = True,
        shake_drop: float = 0.0,
        num_classes: int = 10,
        in_chans: int = 3,
        global_pool: str = "avg",
        *,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        level: Level = "image",
    ) -> None:
        check_whole(depth=depth, in_chans=in_chans)
        check_rates(shake_drop=shake_drop, drop_path_rate=drop_path_rate)
        layers = 9 if bottleneck else 6
        count, remainder = divmod(depth - 2, layers)
        if count < 1 or remainder:
            raise ValueError(f"depth must be {layers}n + 2 with n >= 1, not {depth}")
        if not is_finite(alpha) or alpha < 0:
            raise ValueError(f"alpha must be finite and not negative, not {alpha!r}")
        if shake_drop and drop_path_rate:
            raise ValueError(
                f"drop_path_rate={drop_path_rate} and shake_drop={shake_drop} would both leave residuals out; give one "
                "of them. The networks whose names end in _shakedrop have shake_drop=0.5."
            )
        total = 3 * count
        # Rounded, as in the Fast AutoAugment release; the authors' own code truncates.
        widths = [round(16 + alpha * block / total) for block in range(1, total + 1)]
        blocks: list[PyramidBlock] = []
        for index, width in enumerate(widths):
            blocks.append(
                PyramidBlock(
                    blocks[-1].out_chs if blocks else 16,
                    width,
                    stride=2 if index in (count, 2 * count) else 1,
                    bottleneck=bottleneck,
                    drop_prob=shake_drop * (index + 1) / total,
                    level=level,
                )
            )
        stages = [blocks[start : start + count] for start in (0, count, 2 * count)]
        chs = (16, *(stage[-1].out_chs for stage in stages))
        super().__init__(
            ConvNormAct(in_chans, chs[0], 3, apply_act=False),
            stages,
            nn.Sequential(nn.BatchNorm2d(chs[-1]), nn.ReLU()),
            chs,
            num_classes=num_classes,
            in_chans=in_chans,
            global_pool=global_pool,
            drop_rate=drop_rate,
            drop_path_rate=drop_path_rate,
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


default_cfgs = cifar_cfgs(
    ("pyramidnet", "pyramidnet110_a270", "pyramidnet272_a200"), "arXiv:1610.02915", first_conv="stem.conv"
)
default_cfgs |= cifar_cfgs(
    ("pyramidnet110_a270_shakedrop", "pyramidnet272_a200_shakedrop"),
    "arXiv:1610.02915",
    "arXiv:1802.02375",
    first_conv="stem.conv",
)


@register_model
def pyramidnet(
    pretrained: bool = False, depth: int = 110, alpha: float = 48, bottleneck: bool = False, **kwargs: Any
) -> PyramidNet:
    """Return a PyramidNet of any depth and widening; `shake_drop`, 0 by default, is ShakeDrop's last probability."""
    return create_network(
        PyramidNet, "pyramidnet", pretrained, depth=depth, alpha=alpha, bottleneck=bottleneck, **kwargs
    )


@register_model
def pyramidnet110_a270(pretrained: bool = False, **kwargs: Any) -> PyramidNet:
    """Return PyramidNet-110 of widening 270, of basic blocks."""
    return create_network(
        PyramidNet, "pyramidnet110_a270", pretrained, depth=110, alpha=270, bottleneck=False, **kwargs
    )


@register_model
def pyramidnet110_a270_shakedrop(pretrained: bool = False, **kwargs: Any) -> PyramidNet:
    """Return PyramidNet-110 of widening 270, of basic blocks, with ShakeDrop."""
    return create_network(
        PyramidNet,
        "pyramidnet110_a270_shakedrop",
        pretrained,
        depth=110,
        alpha=270,
        bottleneck=False,
        shake_drop=0.5,
        **kwargs,
    )


@register_model
def pyramidnet272_a200(pretrained: bool = False, **kwargs: Any) -> PyramidNet:
    """Return PyramidNet-272 of widening 200, of bottlenecks."""
    return create_network(PyramidNet, "pyramidnet272_a200", pretrained, depth=272, alpha=200, **kwargs)


@register_model
def pyramidnet272_a200_shakedrop(pretrained: bool = False, **kwargs: Any) -> PyramidNet:
    """Return PyramidNet-272 of widening 200 with ShakeDrop, the largest network of the papers' CIFAR tables."""
    return create_network(
        PyramidNet, "pyramidnet272_a200_shakedrop", pretrained, depth=272, alpha=200, shake_drop=0.5, **kwargs
    )
