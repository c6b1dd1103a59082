"""The transforms of albumentations that come nearest to operations which it has not."""

import math
from typing import Any, NamedTuple

from faa_core.formats.albumentations_ops import transform
from faa_core.operations import Operation
from faa_core.operations.table import NATURAL_GREY
from faa_core.policies.policy import Policy

BICUBIC = 2  # OpenCV's number


class Near(NamedTuple):
    """A transform without its p, and what it is in words."""

    transform: dict[str, Any]
    instead: str


def nearest_transform(row: Operation, argument: float, policy: Policy) -> Near:
    """Return the transform that comes nearest to an operation at an argument; nothing is done where none is like it.

    Args:
        row: The operation, which no transform says at this argument.
        argument: In its unit.
        policy: Whose fill and filter it has.
    """
    base = row.base
    if base in ("AutoContrast", "Equalize"):
        return Near(_leaf(base), f"{base} by OpenCV's tables")
    if base in ("ShearX", "ShearY"):
        degrees = -math.degrees(math.atan(argument))
        turned = {base[-1].lower(): [degrees, degrees], ("y" if base == "ShearX" else "x"): [0.0, 0.0]}
        return Near(_leaf("Affine", shear=turned, **_canvas(policy)), "sheared about the centre")
    if base in ("Cutout", "CutoutAbs"):
        side = argument if base == "Cutout" else max(1, int(argument))
        sides = {f"hole_{name}_range": [side, side] for name in ("height", "width")}
        fill = list(row.fill or NATURAL_GREY)
        return Near(_leaf("CoarseDropout", num_holes_range=[1, 1], fill=fill, **sides), "a square inside the image")
    whole = {"TranslateX": "TranslateXWhole", "TranslateY": "TranslateYWhole"}.get(base, base)
    whole = {"TranslateXAbs": "TranslateXPixels", "TranslateYAbs": "TranslateYPixels"}.get(whole, whole)
    limited = {"Solarize": max(0.0, argument), "Posterize": max(1.0, argument)}.get(base, argument)
    found = transform(
        whole, limited, "bilinear" if policy.interpolation == "bicubic" else policy.interpolation, policy.fill
    )
    if found is None:
        return Near(_leaf("NoOp"), "left out")
    if policy.interpolation == "bicubic" and "interpolation" in found:
        return Near(found | {"interpolation": BICUBIC}, "OpenCV's bicubic, of whole pixels where it moves")
    return Near(found, "moved by whole pixels" if whole != base else "the nearest that it takes")


def _leaf(kind: str, **fields: Any) -> dict[str, Any]:
    return {"__class_fullname__": kind, **fields}


def _canvas(policy: Policy) -> dict[str, Any]:
    number = {"nearest": 0, "bilinear": 1}.get(policy.interpolation, BICUBIC)
    return {"interpolation": number, "border_mode": 0, "fill": list(policy.fill)}
