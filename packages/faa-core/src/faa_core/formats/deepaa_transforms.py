"""The transforms that Deep AutoAugment's layers pick from: 18 operations, 11 of them at twelve levels; 139 in all."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from faa_core.errors import FaaError
from faa_core.operations import Operation, operation
from faa_core.policies.document import OperationRow, operation_of, row_of

LEVELS = 13  # of a magnitude, 0…12; the one that changes nothing is left out
MIDDLE = LEVELS // 2  # stored for operations without a magnitude
FILL = (125, 123, 114)
SIGNED = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
LEVELLED = (*SIGNED, "Solarize", "Posterize", "Contrast", "Color", "Brightness", "Sharpness")
ORDER = (  # the names that the authors' files have
    "Identity",
    *SIGNED,
    "AutoContrast",
    "Invert",
    "Equalize",
    *LEVELLED[len(SIGNED) :],
    "RandFlip",
    "RandCutout",
    "RandCrop",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What differs between the transforms for one kind of image and for another.

    Attributes:
        mirror: Whether shears, translations and rotations take either sign, as in the authors' evaluation; their
            search applied the sign of the level.
        resized: Whether Crop is a random resized crop, as for ImageNet; else it pads and crops.
        cutout: Side of Cutout's square, in pixels.
        crop: λ of a Crop that pads: its padding over 4 pixels.
    """

    mirror: bool
    resized: bool = False
    cutout: float = 16.0
    crop: float = 1.0


class Transform(NamedTuple):
    """An operation at a magnitude.

    Attributes:
        kind: Place of its operation in `ORDER`.
        level: 0…12.
        op: Name of the operation in our documents.
        magnitude: λ.
    """

    kind: int
    level: int
    op: str
    magnitude: float


def for_cifar(*, mirror: bool) -> Variant:
    """Return the transforms for images of 32 pixels."""
    return Variant(mirror=mirror)


def for_imagenet(*, mirror: bool) -> Variant:
    """Return the transforms for images of 224 pixels."""
    return Variant(mirror=mirror, resized=True, cutout=60.0)


def known(name: str, variant: Variant) -> tuple[str, OperationRow | None, float | None]:
    """Return our name, the row it needs and its λ (None: the level decides it) for a name of theirs.

    Raises:
        FaaError: If they have no such operation.
    """
    if name in LEVELLED:
        if variant.mirror or name not in SIGNED:
            return name, None, None
        signed = row_of(operation(name)).model_copy(update={"mirrored": False})
        return f"DeepAA.{name}", signed, None
    if name in ("RandFlip", "Flip"):
        return "Flip", None, 0.0
    if name in ("RandCutout", "RandCutout60", "Cutout"):
        side = for_imagenet(mirror=True).cutout if name == "RandCutout60" else variant.cutout
        row = OperationRow(kernel="CutoutAbs", low=side, high=side, unit="pixels", fill=FILL)
        return "DeepAA.Cutout", row, 0.0
    if name in ("RandCrop", "RandResizeCrop_imagenet", "Crop"):
        return ("RandomResizedCrop", None, 1.0) if variant.resized else ("Crop", None, variant.crop)
    if name in ORDER:
        return name, None, 0.0
    raise FaaError(f"'{name}' is not an operation of Deep AutoAugment; it has {', '.join(ORDER)}.")


def targets(variant: Variant) -> Iterator[tuple[str, str, Operation]]:
    """Yield their name, ours and our operation of each of the eighteen."""
    for name in ORDER:
        own, row, _magnitude = known(name, variant)
        yield name, own, operation_of(own, row)


def transforms(variant: Variant, *, levels: int = LEVELS) -> Iterator[Transform]:
    """Yield the transforms in the authors' order: every level but the one that changes nothing.

    Args:
        variant: For which images.
        levels: Of a magnitude; an odd number, so that the middle one changes nothing.
    """
    for index, name in enumerate(ORDER):
        own, _row, magnitude = known(name, variant)
        if magnitude is not None:
            yield Transform(index, levels // 2, own, magnitude)
            continue
        neutral = operation(name).identity
        for level in range(levels):
            if level / (levels - 1) != neutral:
                yield Transform(index, level, own, level / (levels - 1))
