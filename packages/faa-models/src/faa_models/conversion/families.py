"""The families of networks that checkpoints are of: how they are told, what their weights are called, how large."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from torch import Tensor, nn

from faa_models.conversion import originals
from faa_models.conversion.originals import StateDict
from faa_models.pyramidnet import PyramidNet
from faa_models.shake_resnet import ShakeResNet, ShakeResNeXt
from faa_models.wide_resnet import WideResNet

__all__ = ["Family", "Size", "find_family", "is_unused", "original_key", "shape_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Which member of its family a network is.

    Attributes:
        name: timm's for this very size, if it has one.
        says: The size, for people.
        general: timm's name for networks of any size; "" if it has none.
        arguments: What timm needs beside the general name.
        assumed: The same, which the weights do not show and the released code always has.
    """

    name: str
    says: str
    general: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    assumed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One kind of network.

    Attributes:
        network: Its class here.
        layers: Our names of what lies outside the blocks, and the original ones.
        inside: The same inside a block; other names are equal.
        first_conv: Our name of the weight that sees the image.
        size: Tells a state dict's size.
        forward: The original network's logits for a state dict and images.
    """

    network: type[nn.Module]
    layers: Mapping[str, str]
    inside: Mapping[str, str]
    first_conv: str = "stem.weight"
    size: Callable[[StateDict], Size]
    forward: Callable[..., Tensor]


def find_family(state: StateDict) -> Family:
    """Return the family that the names of the weights are of.

    Raises:
        ValueError: If they are of none.
    """
    found = None
    if _has(state, r"bn_final\."):
        found = _pyramidnet(bottleneck=_has(state, r"layer[1-3]\.[0-9]+\.(conv3|bn4)\."))
    elif _has(state, r"(c_in|fc_out)\."):
        found = _shake_resnext() if _has(state, r"layer[1-3]\.[0-9]+\.branch[12]\.[0367]\.") else _shake_resnet()
    elif _has(state, r"linear\.") and _has(state, r"layer1\.0\.bn1\."):
        found = _wide_resnet()
    if found is None:
        raise ValueError(
            f"The weights are of no network that can be converted; their names start with {next(iter(state), '')!r}. "
            "Known are Wide-ResNet, Shake-Shake, Shake-Shake ResNeXt and PyramidNet of the original repositories."
        )
    return found


def original_key(family: Family, key: str) -> str:
    """Return the original name of a weight that is called `key` here."""
    block = re.fullmatch(r"stages\.([0-2])\.([0-9]+)\.(.+)", key)
    if block:
        return f"layer{int(block[1]) + 1}.{block[2]}.{_renamed(block[3], family.inside)}"
    return _renamed(key, family.layers)


def is_unused(family: Family, state: StateDict, key: str) -> bool:
    """Return whether a weight is one that the released code makes and never uses.

    A slip there gives every Shake-Shake block a shortcut, also where input and output have one shape.
    """
    parts = r"(conv[12]\.weight|bn\.(weight|bias|running_mean|running_var|num_batches_tracked))"
    block = re.fullmatch(rf"layer([1-3])\.([0-9]+)\.shortcut\.{parts}", key)
    if family.network is not ShakeResNet or block is None:
        return False
    if f"layer{block[1]}.{block[2]}.branch1.1.weight" not in state:
        return False  # there is no such block
    stem, first = "c_in.weight", "layer1.0.branch1.1.weight"
    keeps_shape = block[1] == "1" and shape_of(state, stem)[0] == shape_of(state, first)[0]
    return block[2] != "0" or keeps_shape


def shape_of(state: StateDict, key: str, axes: int = 4) -> tuple[int, ...]:
    """Return the shape of a weight that tells a size.

    Raises:
        ValueError: If it is missing, has other than `axes` axes, or is empty.
    """
    if key not in state:
        raise ValueError(f"The weight {key!r} is missing in the checkpoint.")
    shape = tuple(state[key].shape)
    if len(shape) != axes or 0 in shape:
        raise ValueError(f"The weight {key!r} has shape {shape}; it must have {axes} axes, none of them empty.")
    return shape


def _wide_resnet() -> Family:
    def size(state: StateDict) -> Size:
        depth, channels = 6 * _block_count(state) + 4, shape_of(state, "layer1.0.conv1.weight")[0]
        width, rest = divmod(channels, 16)
        if rest:
            raise ValueError(f"'layer1.0.conv1.weight' makes {channels} channels, where Wide-ResNets have 16 · width.")
        arguments = {"depth": depth, "width": width}
        return Size(name=f"wrn{depth}_{width}", says=f"WRN-{depth}-{width}", general="wrn", arguments=arguments)

    return Family(
        network=WideResNet,
        layers={"stem": "conv1", "norm.0": "bn1", "head.fc": "linear"},
        inside={"shortcut": "shortcut.0"},
        size=size,
        forward=originals.wide_resnet,
    )


def _shake_resnet() -> Family:
    def size(state: StateDict) -> Size:
        depth, width = 6 * _block_count(state) + 2, shape_of(state, "layer1.0.branch1.1.weight")[0]
        name, says = f"shakeshake{depth}_2x{width}d", f"Shake-Shake {depth} 2×{width}d"
        return Size(name=name, says=says, general="shakeshake", arguments={"depth": depth, "width": width})

    layers = {"stem": "c_in", "head.fc": "fc_out"}
    return Family(network=ShakeResNet, layers=layers, inside={}, size=size, forward=originals.shake_resnet)


def _shake_resnext() -> Family:
    def size(state: StateDict) -> Size:
        blocks, mid_chs = _block_count(state), shape_of(state, "layer1.0.branch1.0.weight")[0]
        released = (blocks, mid_chs) == (2, 256)  # its name has 26 layers and 96; the code makes 20 and 64
        says = f"Shake-Shake ResNeXt of {blocks} blocks a stage, {mid_chs} channels in the first (2 and 256 are known)"
        return Size(name="shakeshake26_2x96d_next" if released else "", says=says)

    layers = {"stem": "c_in", "head.fc": "fc_out"}
    return Family(network=ShakeResNeXt, layers=layers, inside={}, size=size, forward=originals.shake_resnext)


def _pyramidnet(*, bottleneck: bool) -> Family:
    parts = ["bn1", "conv1", "bn2", "", "conv2", "bn3", *(["", "conv3", "bn4"] if bottleneck else [])]
    layers = {"stem.conv": "conv1", "stem.bn": "bn1", "norm.0": "bn_final", "head.fc": "fc"}

    def size(state: StateDict) -> Size:
        blocks = max(1, _block_count(state))
        depth = (9 if bottleneck else 6) * blocks + 2
        alpha = shape_of(state, f"layer3.{blocks - 1}.conv2.weight")[0] - 16
        says = f"PyramidNet-{depth} of widening {alpha} and {'bottlenecks' if bottleneck else 'basic blocks'}"
        # The names do not show the kind of block, and some depths allow both.
        released = (depth, alpha, bottleneck) in ((110, 270, False), (272, 200, True))
        return Size(
            name=f"pyramidnet{depth}_a{alpha}_shakedrop" if released else "",
            says=says,
            general="pyramidnet",
            arguments={"depth": depth, "alpha": alpha, "bottleneck": bottleneck},
            assumed={"shake_drop": 0.5},
        )

    return Family(
        network=PyramidNet,
        layers=layers,
        inside={f"residual.{number}": part for number, part in enumerate(parts) if part},
        first_conv="stem.conv.weight",
        size=size,
        forward=originals.pyramidnet,
    )


def _has(keys: Iterable[str], pattern: str) -> bool:
    return any(re.match(pattern, key) for key in keys)


def _renamed(key: str, names: Mapping[str, str]) -> str:
    for ours, original in names.items():
        if key.startswith(f"{ours}."):
            return original + key.removeprefix(ours)
    return key


def _block_count(state: StateDict) -> int:
    """Return how many blocks a stage has: the middle one of the stages, so that one stage may lack or add some."""
    found = {(block[1], int(block[2])) for key in state if (block := re.match(r"layer([1-3])\.([0-9]{1,9})\.", key))}
    counts = (next(number for number in count() if (stage, number) not in found) for stage in "123")
    return sorted(counts)[1]
