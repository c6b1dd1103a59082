"""The operations of other libraries, each at one argument of ours, and drawing from them as a policy says."""

import math
import random  # noqa: TID251 the cheapest generator for peers: theirs are slower
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from faa_core import FaaError, Operation, Parametric, Policy, SubPolicies

Applied = Callable[[Any], Any]  # an image, in the library's own type
Bind = Callable[[str, float], Applied | None]  # base and argument to a function of an image; None if there is none
Bound = tuple[Applied, ...]  # one function, or two of opposite sign

GREY = (125, 123, 114)
NEAREST = InterpolationMode.NEAREST


def sampled(policy: Policy, bind: Bind) -> Applied | None:
    """Return a policy as a function of one image (or a batch that shares a draw), everything but the draws prepared.

    Args:
        policy: Of sub-policies, or parametric.
        bind: Returns an operation of the library at an argument.

    Returns:
        The function; None if the library lacks an operation.
    """
    if isinstance(policy, SubPolicies):
        table = policy.table
        subs = [[(use.p, both(bind, table[use.op], use.magnitude)) for use in sub] for sub in policy.sub_policies]
        if any(bound is None for sub in subs for _p, bound in sub):
            return None
        return lambda image: _one_of(subs, image)
    levels = levels_of(policy)
    grid = [[both(bind, row, level) for level in levels] for row in rows_of(policy)]
    if any(bound is None for row in grid for bound in row):
        return None
    return lambda image: _drawn_afresh(grid, policy.num_ops, image)  # type: ignore[attr-defined] # it is parametric


def levels_of(policy: Policy) -> list[float]:
    """Return the λ that a parametric policy draws from.

    Raises:
        FaaError: If they are not a few, or its operations are not always applied.
    """
    if not isinstance(policy, Parametric) or policy.p != (1.0, 1.0):
        raise FaaError(f"'{policy.name}' is neither of sub-policies nor of operations that always apply.")
    low, high = policy.magnitude
    if policy.bins is None and low == high:
        return [low]
    if policy.bins is None:
        raise FaaError(f"'{policy.name}' draws λ from a whole interval, which cannot be prepared.")
    return [low + at / (policy.bins - 1) * (high - low) for at in range(policy.bins)]


def rows_of(policy: Policy) -> list[Operation]:
    """Return the operations that a parametric policy draws from, as often as it names them."""
    return [policy.table[name] for name in policy.ops]  # type: ignore[attr-defined] # it is parametric


def both(bind: Bind, row: Operation, magnitude: float) -> Bound | None:
    """Return an operation at λ: one function, or two where it is mirrored; None if the library lacks it."""
    arguments = [row.argument(magnitude)]
    if row.mirrored:
        arguments.append(row.argument(magnitude, reflected=True))
    bound = tuple(bind(row.base, argument) for argument in arguments)
    return None if None in bound else bound  # type: ignore[return-value] # none is None


def _one_of(subs: Sequence[Sequence[tuple[float, Any]]], image: Any) -> Any:
    for p, bound in random.choice(subs):  # noqa: S311
        if random.random() < p:  # noqa: S311
            image = random.choice(bound)(image)  # noqa: S311
    return image


def _drawn_afresh(grid: Sequence[Sequence[Any]], number: int, image: Any) -> Any:
    for _operation in range(number):
        image = random.choice(random.choice(random.choice(grid)))(image)  # noqa: S311
    return image


def torchvision_operation(base: str, argument: float) -> Applied | None:
    """Return an operation of torchvision v2, for PIL images, tensors and batches."""
    plain: dict[str, Applied] = {
        "Identity": lambda image: image,
        "AutoContrast": tv.autocontrast,
        "Invert": tv.invert,
        "Equalize": tv.equalize,
    }
    with_argument: dict[str, Callable[[Any, float], Any]] = {
        "ShearX": lambda image, value: _sheared(image, value, 0.0),
        "ShearY": lambda image, value: _sheared(image, 0.0, value),
        "TranslateX": lambda image, value: _moved(image, -value * tv.get_size(image)[1], 0.0),
        "TranslateY": lambda image, value: _moved(image, 0.0, -value * tv.get_size(image)[0]),
        "TranslateXWhole": lambda image, value: _moved(image, int(-value * tv.get_size(image)[1]), 0),
        "TranslateYWhole": lambda image, value: _moved(image, 0, int(-value * tv.get_size(image)[0])),
        "TranslateXPixels": lambda image, value: _moved(image, int(-value), 0),
        "TranslateYPixels": lambda image, value: _moved(image, 0, int(-value)),
        "Rotate": lambda image, value: tv.rotate(image, value, interpolation=NEAREST),
        "Solarize": lambda image, value: tv.solarize(image, value) if value <= 255 else image,
        "Posterize": lambda image, value: tv.posterize(image, int(value)),
        "Contrast": tv.adjust_contrast,
        "Color": tv.adjust_saturation,
        "Brightness": tv.adjust_brightness,
        "Sharpness": tv.adjust_sharpness,
        "Cutout": _erased,
    }
    if base in plain:
        return plain[base]
    found = with_argument.get(base)
    return None if found is None else lambda image: found(image, argument)


def _sheared(image: Any, along_x: float, along_y: float) -> Any:
    shear = [math.degrees(math.atan(along_x)), math.degrees(math.atan(along_y))]
    still: dict[str, Any] = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "interpolation": NEAREST}
    return tv.affine(image, shear=shear, center=[0, 0], **still)


def _moved(image: Any, right: float, down: float) -> Any:
    translate = [right, down]
    return tv.affine(image, angle=0.0, translate=translate, scale=1.0, shear=[0.0, 0.0], interpolation=NEAREST)


def _erased(image: Any, fraction: float) -> Any:
    """Return an image, PIL or tensor, with a grey square of a fraction of the width about a random centre."""
    height, width = tv.get_size(image)
    half = fraction * width / 2
    x, y = random.random() * width, random.random() * height  # noqa: S311
    left, top, right, bottom = (max(0, round(end)) for end in (x - half, y - half, x + half, y + half))
    if right <= left or bottom <= top:
        return image
    if hasattr(image, "paste"):
        painted = image.copy()
        painted.paste(GREY, (left, top, right, bottom))
        return painted
    value = image.new_tensor(GREY).view(3, 1, 1)
    return tv.erase(image, top, left, min(bottom, height) - top, min(right, width) - left, value)


def timm_operation(base: str, argument: float) -> Applied | None:
    """Return an operation of timm, for PIL images, with the sampling that our policies have by default."""
    from timm.data.auto_augment import NAME_TO_OP  # noqa: PLC0415 each peer is imported when it is prepared

    if base == "Identity":
        return lambda image: image
    if base == "Cutout":
        return lambda image: _erased(image, argument)  # timm erases tensors only
    moving: dict[str, Any] = {"resample": Image.Resampling.NEAREST, "fillcolor": (0, 0, 0)}
    if base.startswith("Translate") and base.endswith(("Whole", "Pixels")):
        move: Any = NAME_TO_OP[base[:10]]
        side, relative = 0 if base[9] == "X" else 1, base.endswith("Whole")
        return lambda image: move(image, int(argument * image.size[side] if relative else argument), **moving)
    operation: Any = NAME_TO_OP.get(f"{base}Rel" if base.startswith("Translate") else base)
    if operation is None:
        return None
    if base in ("AutoContrast", "Invert", "Equalize"):
        plain: Applied = operation
        return plain
    value = int(argument) if base == "Posterize" else argument
    settings = moving if base.startswith(("Shear", "Translate", "Rotate")) else {}
    return lambda image: operation(image, value, **settings)


def kornia_entry(row: Operation, magnitude: float, p: float) -> tuple[str, float, int | None] | None:
    """Return an entry of kornia's AutoAugment near to an operation of ours at λ; None if kornia has none."""
    names = {"AutoContrast": "auto_contrast", "ShearX": "shear_x", "ShearY": "shear_y", "Translate": "translate"}
    base = row.base
    for ending in ("Whole", "Pixels"):
        base = base.removesuffix(ending)
    name = names.get(base, base.lower().replace("translatex", "translate_x").replace("translatey", "translate_y"))
    if base in ("Cutout", "Identity"):
        return None
    edges = [at / 10 for at in range(11)]
    bins = [at for at, (low, high) in enumerate(pairwise(edges)) if low <= magnitude <= high]
    return name, p, None if row.unit == "none" else bins[0]
