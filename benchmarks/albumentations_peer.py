"""albumentations' nearest to a policy, and to the original's training transform."""

import math
from typing import Any

import numpy as np
from operations import Applied, both, levels_of, rows_of
from original import GREY, MEAN, STD

from faa_core import Policy, SubPolicies


def albumentations_compose(policy: Policy) -> Applied | None:
    """Return a policy as albumentations' Compose: a OneOf of Sequentials, or one OneOf for each operation drawn."""
    import albumentations as A  # noqa: N812, PLC0415

    if isinstance(policy, SubPolicies):
        subs = [
            A.Sequential([_either(A, policy.table[use.op], use.magnitude, use.p) for use in sub], p=1)
            for sub in policy.sub_policies
        ]
        parts = [A.OneOf(subs, p=1)]
    else:
        levels, rows = levels_of(policy), rows_of(policy)
        leaves = [_either(A, row, level, 1.0) for row in rows for level in levels]
        parts = [A.OneOf(leaves, p=1) for _ in range(policy.num_ops)]  # type: ignore[attr-defined] # parametric
    compose = A.Compose(parts)

    def run(image: np.ndarray[Any, Any]) -> Any:
        return compose(image=image)["image"]

    return run


def _either(A: Any, row: Any, magnitude: float, p: float) -> Any:
    nearest = {"interpolation": 0, "border_mode": 0, "fill": 0}
    made = both(lambda base, argument: albumentation(A, base, argument, **nearest), row, magnitude)
    assert made is not None  # noqa: S101 albumentations has a relative of each
    leaf: Any = made[0] if len(made) == 1 else A.OneOf(list(made), p=1)
    leaf.p = p
    return leaf


def albumentation(A: Any, base: str, argument: float, **sampling: Any) -> Any:
    """Return albumentations' relative of an operation of ours.

    Args:
        A: The library.
        base: Of the operation.
        argument: In its unit.
        sampling: How an Affine samples and fills; what is left out is as in albumentations.
    """
    if base.startswith(("Shear", "Translate", "Rotate")):
        return A.Affine(**_move(base, argument), **sampling, p=1)
    still = {"brightness": (1, 1), "contrast": (1, 1), "saturation": (1, 1), "hue": (0, 0)}
    both_ends, strength = (argument, argument), min(1.0, abs(argument - 1))
    hole = {"num_holes_range": (1, 1), "hole_height_range": both_ends, "hole_width_range": both_ends}
    made = {
        "AutoContrast": lambda: A.AutoContrast(p=1),
        "Invert": lambda: A.InvertImg(p=1),
        "Equalize": lambda: A.Equalize(p=1),
        "Solarize": lambda: A.Solarize(threshold_range=(min(1, argument / 255),) * 2, p=1),
        "Posterize": lambda: A.Posterize(num_bits=(max(1, min(7, int(argument))),) * 2, p=1),
        "Sharpness": lambda: A.Sharpen(alpha=(strength, strength), lightness=(1, 1), p=1),
        "Cutout": lambda: A.CoarseDropout(**hole, fill=GREY, p=1) if argument > 0 else A.NoOp(p=1),
        "Brightness": lambda: A.ColorJitter(**{**still, "brightness": both_ends}, p=1),
        "Contrast": lambda: A.ColorJitter(**{**still, "contrast": both_ends}, p=1),
        "Color": lambda: A.ColorJitter(**{**still, "saturation": both_ends}, p=1),
        "Identity": lambda: A.NoOp(p=1),
    }
    return made[base]()


def _move(base: str, argument: float) -> dict[str, Any]:
    """Return the settings of an Affine that moves as an operation does."""
    axis, other = ("x", "y") if "X" in base else ("y", "x")
    if base == "Rotate":
        return {"rotate": (argument, argument)}
    if base.startswith("Shear"):
        degrees = math.degrees(math.atan(argument))
        return {"shear": {axis: (degrees, degrees), other: (0, 0)}}
    unit = "translate_px" if base.endswith("Pixels") else "translate_percent"
    amount = -int(argument) if base.endswith("Pixels") else -argument
    return {unit: {axis: (amount, amount), other: (0, 0)}}


def albumentations_train(augment: Applied) -> Applied:
    """Return albumentations' transforms for what the original does after the policy."""
    import albumentations as A  # noqa: N812, PLC0415
    from albumentations.pytorch import ToTensorV2  # noqa: PLC0415

    rest = A.Compose(
        [
            A.PadIfNeeded(40, 40, border_mode=0, fill=0),
            A.RandomCrop(32, 32),
            A.HorizontalFlip(p=0.5),
            A.Normalize(MEAN, STD),
            A.CoarseDropout(num_holes_range=(1, 1), hole_height_range=(16, 16), hole_width_range=(16, 16), fill=0, p=1),
            ToTensorV2(),
        ]
    )
    return lambda image: rest(image=augment(image))["image"]
