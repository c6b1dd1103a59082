"""Facts about timm's auto-augment strings: what its levels 0…10 mean, its lists of operations and its fixed tables.

λ of a row is timm's level / 10. timm cuts many arguments to whole numbers where a row is linear; a hair of 1e-9 puts
the row's end on the side from which our kernel, which floors bits and compares thresholds, gives timm's whole number.
"""

from collections.abc import Iterable
from types import MappingProxyType
from typing import NamedTuple

from faa_core.operations import Operation, operation
from faa_core.policies.document import OperationRow

TimmEntry = tuple[str, float, int]  # operation, probability, level
TimmTable = tuple[tuple[TimmEntry, ...], ...]


class Axis(NamedTuple):
    """What one of timm's operations does: whose pixels, from level 0 to level 10, and whether a sign is drawn."""

    kernel: str
    low: float = 0.0
    high: float = 1.0
    mirrored: bool = False


HAIR = 1e-9

AXES = MappingProxyType(
    {
        "AutoContrast": Axis("AutoContrast"),
        "Equalize": Axis("Equalize"),
        "Invert": Axis("Invert"),
        "Rotate": Axis("Rotate", 0.0, 30.0, mirrored=True),
        "ShearX": Axis("ShearX", 0.0, 0.3, mirrored=True),
        "ShearY": Axis("ShearY", 0.0, 0.3, mirrored=True),
        "TranslateXRel": Axis("TranslateX", 0.0, 0.45, mirrored=True),
        "TranslateYRel": Axis("TranslateY", 0.0, 0.45, mirrored=True),
        "Posterize": Axis("Posterize", 0.0, 4.0),
        "PosterizeIncreasing": Axis("Posterize", 5.0 - HAIR, 1.0 - HAIR),  # 4 − ⌊bits lost⌋
        "PosterizeOriginal": Axis("Posterize", 4.0, 8.0),
        "Solarize": Axis("Solarize", HAIR - 1.0, 255.0 + HAIR),  # ⌊threshold⌋
        "SolarizeIncreasing": Axis("Solarize", 256.0, 0.0),
        "SolarizeAdd": Axis("SolarizeAdd", 0.0, 110.0),
        **{name: Axis(name, 0.1, 1.9) for name in ("Color", "Contrast", "Brightness", "Sharpness")},
        **{
            f"{name}Increasing": Axis(name, 1.0, 1.9, mirrored=True)
            for name in ("Color", "Contrast", "Brightness", "Sharpness")
        },
    }
)

PLAIN = (
    "AutoContrast",
    "Equalize",
    "Invert",
    "Rotate",
    "Posterize",
    "Solarize",
    "SolarizeAdd",
    "Color",
    "Contrast",
    "Brightness",
    "Sharpness",
    "ShearX",
    "ShearY",
    "TranslateXRel",
    "TranslateYRel",
)
INCREASING = tuple(f"{name}Increasing" if f"{name}Increasing" in AXES else name for name in PLAIN)

WEIGHTS = MappingProxyType(  # of "tweights", in units of 0.05
    {
        "Rotate": 60,
        "ShearX": 40,
        "ShearY": 40,
        "TranslateXRel": 20,
        "TranslateYRel": 20,
        "ColorIncreasing": 5,
        "SharpnessIncreasing": 5,
        "AutoContrast": 5,
        "SolarizeIncreasing": 1,
        "SolarizeAdd": 1,
        "ContrastIncreasing": 1,
        "BrightnessIncreasing": 1,
        "Equalize": 1,
        "PosterizeIncreasing": 1,
        "Invert": 1,
    }
)
WEIGHTED = tuple(name for name, weight in WEIGHTS.items() for _ in range(weight))

ORIGINAL: TimmTable = (  # AutoAugment's policy for ImageNet (Cubuk et al. 2019)
    (("PosterizeOriginal", 0.4, 8), ("Rotate", 0.6, 9)),
    (("Solarize", 0.6, 5), ("AutoContrast", 0.6, 5)),
    (("Equalize", 0.8, 8), ("Equalize", 0.6, 3)),
    (("PosterizeOriginal", 0.6, 7), ("PosterizeOriginal", 0.6, 6)),
    (("Equalize", 0.4, 7), ("Solarize", 0.2, 4)),
    (("Equalize", 0.4, 4), ("Rotate", 0.8, 8)),
    (("Solarize", 0.6, 3), ("Equalize", 0.6, 7)),
    (("PosterizeOriginal", 0.8, 5), ("Equalize", 1.0, 2)),
    (("Rotate", 0.2, 3), ("Solarize", 0.6, 8)),
    (("Equalize", 0.6, 8), ("PosterizeOriginal", 0.4, 6)),
    (("Rotate", 0.8, 8), ("Color", 0.4, 0)),
    (("Rotate", 0.4, 9), ("Equalize", 0.6, 2)),
    (("Equalize", 0.0, 7), ("Equalize", 0.8, 8)),
    (("Invert", 0.6, 4), ("Equalize", 1.0, 8)),
    (("Color", 0.6, 4), ("Contrast", 1.0, 8)),
    (("Rotate", 0.8, 8), ("Color", 1.0, 2)),
    (("Color", 0.8, 8), ("Solarize", 0.8, 7)),
    (("Sharpness", 0.4, 7), ("Invert", 0.6, 8)),
    (("ShearX", 0.6, 5), ("Equalize", 1.0, 9)),
    (("Color", 0.4, 0), ("Equalize", 0.6, 3)),
    (("Equalize", 0.4, 7), ("Solarize", 0.2, 4)),
    (("Solarize", 0.6, 5), ("AutoContrast", 0.6, 5)),
    (("Invert", 0.6, 4), ("Equalize", 1.0, 8)),
    (("Color", 0.6, 4), ("Contrast", 1.0, 8)),
    (("Equalize", 0.8, 8), ("Equalize", 0.6, 3)),
)
V0: TimmTable = (  # the policy in the released code of EfficientNet
    (("Equalize", 0.8, 1), ("ShearY", 0.8, 4)),
    (("Color", 0.4, 9), ("Equalize", 0.6, 3)),
    (("Color", 0.4, 1), ("Rotate", 0.6, 8)),
    (("Solarize", 0.8, 3), ("Equalize", 0.4, 7)),
    (("Solarize", 0.4, 2), ("Solarize", 0.6, 2)),
    (("Color", 0.2, 0), ("Equalize", 0.8, 8)),
    (("Equalize", 0.4, 8), ("SolarizeAdd", 0.8, 3)),
    (("ShearX", 0.2, 9), ("Rotate", 0.6, 8)),
    (("Color", 0.6, 1), ("Equalize", 1.0, 2)),
    (("Invert", 0.4, 9), ("Rotate", 0.6, 0)),
    (("Equalize", 1.0, 9), ("ShearY", 0.6, 3)),
    (("Color", 0.4, 7), ("Equalize", 0.6, 0)),
    (("Posterize", 0.4, 6), ("AutoContrast", 0.4, 7)),
    (("Solarize", 0.6, 8), ("Color", 0.6, 9)),
    (("Solarize", 0.2, 4), ("Rotate", 0.8, 9)),
    (("Rotate", 1.0, 7), ("TranslateYRel", 0.8, 9)),
    (("ShearX", 0.0, 0), ("Solarize", 0.8, 4)),
    (("ShearY", 0.8, 0), ("Color", 0.6, 4)),
    (("Color", 1.0, 0), ("Rotate", 0.6, 2)),
    (("Equalize", 0.8, 4), ("Equalize", 0.0, 8)),
    (("Equalize", 1.0, 4), ("AutoContrast", 0.6, 2)),
    (("ShearY", 0.4, 7), ("SolarizeAdd", 0.6, 7)),
    (("Posterize", 0.8, 2), ("Solarize", 0.6, 10)),
    (("Solarize", 0.6, 8), ("Equalize", 0.6, 1)),
    (("Color", 0.8, 6), ("Rotate", 0.4, 5)),
)


def table(name: str) -> TimmTable:
    """Return the fixed table of a name of `TABLES`; those on "r" lose more bits at higher levels of Posterize."""
    rows = V0 if name.startswith("v0") else ORIGINAL
    if not name.endswith("r"):
        return rows
    posterizes = ("Posterize", "PosterizeOriginal")
    return tuple(
        tuple(("PosterizeIncreasing" if op in posterizes else op, p, level) for op, p, level in entries)
        for entries in rows
    )


TABLES = ("original", "originalr", "v0", "v0r")


def has_axis(name: str) -> bool:
    """Return whether timm's operation of a name has a magnitude."""
    return operation(AXES[name].kernel).unit != "none"


def our_name(name: str) -> str:
    """Return what timm's operation is called in a policy: a standard name only if it has no magnitude."""
    return f"timm.{name}" if has_axis(name) else name


def rows_of(names: Iterable[str]) -> dict[str, OperationRow]:
    """Return the axes of timm's operations by our names, without those that have no magnitude."""
    return {
        our_name(name): OperationRow(kernel=kernel, low=low, high=high, unit=operation(kernel).unit, mirrored=mirrored)
        for name in dict.fromkeys(names)
        if has_axis(name)
        for kernel, low, high, mirrored in (AXES[name],)
    }


def their_name(row: Operation) -> str | None:
    """Return timm's name of an operation with these pixels on this axis, or None."""
    for name, axis in AXES.items():
        alike = (row.low, row.high, row.mirrored) == axis[1:] or not has_axis(name)
        if row.kernel is operation(axis.kernel).kernel and row.fill is None and alike:
            return name
    return None
