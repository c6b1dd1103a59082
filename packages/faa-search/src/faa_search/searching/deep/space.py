"""What a layer picks from: every operation at every level, as transforms in a fixed order.

Shapes: K layers, T transforms.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from faa_core import Choice, FaaError, Layers
from faa_core.formats.deepaa_transforms import ORDER, Transform, Variant, for_imagenet, known, transforms
from faa_core.policies.document import OperationRow
from faa_search.searching.spaces import operations_of
from faa_search.settings import DeepSearchConfig

IDENTITY_LOGIT = 8.0  # of the transform that changes nothing, where a layer starts; the others have 0
SMALL, LARGE = 32, 224  # pixels: the sides of CIFAR's and ImageNet's images, for which the authors give sizes
LARGEST_PADDED = 64  # pixels: larger images are cropped by a random resized crop

Probabilities = tuple[float, ...]  # of a layer, length T; they add up to 1


@dataclass(frozen=True, slots=True)
class Space:
    """The transforms of a layer.

    Attributes:
        transforms: T of them; the first changes nothing.
        variant: How they are carried out while searching: by the sign of their level.
    """

    transforms: tuple[Transform, ...]
    variant: Variant

    def __len__(self) -> int:
        return len(self.transforms)

    def start(self) -> Probabilities:
        """Return the probabilities that a layer starts from: nearly always nothing is changed."""
        others = 1 / (math.exp(IDENTITY_LOGIT) + len(self) - 1)
        return (math.exp(IDENTITY_LOGIT) * others, *[others] * (len(self) - 1))

    def uniform(self) -> Probabilities:
        """Return equal probabilities."""
        return (1 / len(self),) * len(self)

    def policy(self, layers: Sequence[Probabilities], *, mirror: bool) -> Layers:
        """Return layers as a policy.

        Args:
            layers: K of them.
            mirror: Whether shears, translations and rotations take either sign, as when training with the policy;
                False while searching.
        """
        names, rows = self._named(mirror=mirror)
        chosen = [
            tuple(
                Choice(op=name, magnitude=one.magnitude, probability=probability)
                for name, one, probability in zip(names, self.transforms, layer, strict=True)
            )
            for layer in layers
        ]
        return Layers(operations=rows, layers=tuple(chosen))

    def each(self) -> Layers:
        """Return a policy whose layer t is transform t, always: a draw of it settles every transform once."""
        names, rows = self._named(mirror=False)
        layers = [
            (Choice(op=name, magnitude=one.magnitude, probability=1.0),)
            for name, one in zip(names, self.transforms, strict=True)
        ]
        return Layers(operations=rows, layers=tuple(layers))

    def _named(self, *, mirror: bool) -> tuple[list[str], dict[str, OperationRow]]:
        """Return each transform's operation, and the rows of those that are not the standard table's."""
        variant = replace(self.variant, mirror=mirror)
        found = [known(ORDER[one.kind], variant) for one in self.transforms]
        return [name for name, _row, _magnitude in found], {name: row for name, row, _ in found if row is not None}


def space_of(config: DeepSearchConfig, size: int) -> Space:
    """Return the transforms for images of a size.

    Crop and Cutout have the authors' sizes at 32 and 224 pixels, and between and beyond them in proportion. Without
    flips in the baseline a mirrored image may mean another class, so Flip is left out, too.

    Args:
        config: The search's settings.
        size: Side of the images in pixels.

    Raises:
        FaaError: If a name of an operation is unknown, or the images are flipped that must not be.
    """
    titles = [title(name) for name in ORDER]
    if titles[0] in config.exclude_ops:
        raise FaaError(f"--exclude-ops {titles[0]}: a layer starts as the {titles[0]}, so it cannot be left out.")
    kept = {"Identity", *operations_of(config, titles[1:], hflip=config.hflip)} - (set() if config.hflip else {"Flip"})
    variant = _variant(size)
    found = transforms(variant, levels=config.levels)
    return Space(tuple(one for one in found if title(ORDER[one.kind]) in kept), variant)


def title(name: str) -> str:
    """Return what an operation of the authors is called in flags and pictures."""
    return name.removeprefix("Rand")


def _variant(size: int) -> Variant:
    if size <= LARGEST_PADDED:
        return Variant(mirror=False, cutout=float(max(1, size // 2)), crop=min(1.0, size / SMALL))
    large = for_imagenet(mirror=False)
    return replace(large, cutout=float(round(large.cutout * size / LARGE)))
