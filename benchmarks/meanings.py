"""What other libraries make of one entry of a policy: the arguments they draw and the pictures they return.

Everything is found by running a library on the entry alone, with probability 1, as often as `DRAWS`; where one keeps
what it drew in private attributes, they are read.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from albumentations_peer import albumentation
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Image as PILImage
from torchvision.transforms import v2

from faa_core import FaaError, Op, Policy, Step, SubPolicies
from faa_core.formats import parse
from faa_core.formats.torchvision import from_torchvision

DRAWS = 24
BINS = 10  # of torchvision's AutoAugment
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a library makes of an entry.

    Attributes:
        library: And which of its tables.
        arguments: Drawn, in the unit of our operation of that name.
        pictures: One per draw, uint8 ``[H, W, 3]``.
        sampling: Filter and fill, where pixels move.
        policy: What the entry is as a policy of ours; None if our formats refuse it.
    """

    library: str
    arguments: Sequence[float]
    pictures: Sequence[Pixels]
    sampling: str
    policy: Policy | None


class Recording(v2.AutoAugment):
    """torchvision's AutoAugment with one entry, which keeps the magnitudes that it applies."""

    def __init__(self, op: str, level: int) -> None:
        super().__init__()
        self._policies = [((op, 1.0, level),)]
        self.magnitudes: list[float] = []

    def _apply_image_or_video_transform(self, image: Any, transform_id: str, magnitude: float, **settings: Any) -> Any:
        self.magnitudes.append(magnitude)
        return super()._apply_image_or_video_transform(image, transform_id, magnitude, **settings)


def torchvision_autoaugment(op: str, level: int, image: PILImage) -> Meaning:
    """Run an entry of torchvision's AutoAugment."""
    transform = Recording(op, level)
    pictures = [np.asarray(transform(image)) for _draw in range(DRAWS)]
    to_ours: Callable[[float], float] = {
        "TranslateX": lambda pixels: -pixels / image.width,  # theirs moves right
        "Solarize": lambda part: 255 * part,
        **dict.fromkeys(("Color", "Brightness", "Contrast", "Sharpness"), lambda change: 1 + change),
    }.get(op, lambda value: value)
    arguments = [to_ours(magnitude) for magnitude in transform.magnitudes]
    return Meaning(
        library="torchvision AutoAugment",
        arguments=arguments,
        pictures=pictures,
        sampling=f"{getattr(transform.interpolation, 'value', transform.interpolation)}, {transform.fill or 'black'}",
        policy=converted_torchvision(op, arguments[0]),
    )


def converted_torchvision(op: str, argument: float) -> Policy:
    """Return an entry on the axis that our documents of torchvision's AutoAugment carry.

    Raises:
        FaaError: If none of the three policies uses the operation.
    """
    for which in v2.AutoAugmentPolicy:
        document = from_torchvision(v2.AutoAugment(which))
        row = document.table.get(f"AA.{op}")
        if row is None:
            continue
        places = [
            (at - row.low) / (row.high - row.low)
            for at in ((argument, 2 * row.neutral - argument) if row.mirrored else (argument,))
        ]
        magnitude = next(place for place in places if -1e-6 <= place <= 1 + 1e-6)
        use = Op(op=row.name, p=1.0, magnitude=min(1.0, max(0.0, magnitude)))
        return document.model_copy(
            update={"sub_policies": ((use,),), "operations": {row.name: document.operations[row.name]}}
        )
    raise FaaError(f"No policy of torchvision's uses {op}.")


def timm_string(text: str, name: Callable[[str], str]) -> Callable[[str, int, PILImage], Meaning]:
    """Return a function that runs an entry as one of timm's strings means it.

    Args:
        text: The string, as for `timm.data.create_transform`, whose other settings are left alone.
        name: Returns timm's name of an operation there.
    """
    from timm.data import create_transform  # noqa: PLC0415 each library is imported when it is asked
    from timm.data.auto_augment import AugmentOp  # noqa: PLC0415

    def run(op: str, level: int, image: PILImage) -> Meaning:
        _first, second, _last = create_transform(image.width, is_training=True, auto_augment=text, separate=True)
        own = second.transforms[0]
        settings = (own.policy[0] if hasattr(own, "policy") else own.ops)[0]
        made: Any = AugmentOp
        entry = made(name(op), 1.0, level, settings.hparams)
        entry.kwargs = settings.kwargs
        arguments, inner = [], entry.level_fn

        def recorded(*given: Any) -> Any:
            found = inner(*given)
            arguments.append(float(found[0]))
            return found

        entry.level_fn = recorded
        pictures = [np.asarray(entry(image)) for _draw in range(DRAWS)]
        filters = settings.kwargs["resample"]
        listed = filters if isinstance(filters, tuple) else (filters,)
        names = " or ".join(Image.Resampling(found).name.lower() for found in listed)
        return Meaning(
            library=f"timm {text}",
            arguments=arguments,
            pictures=pictures,
            sampling=f"{names}, {settings.kwargs['fillcolor']}",
            policy=converted_timm(text, name(op), level),
        )

    return run


def converted_timm(text: str, name: str, level: int) -> Policy:
    """Return an entry on the axis that our document of a timm string carries, or would if it used the operation."""
    from faa_core.formats.timm_tables import our_name, rows_of  # noqa: PLC0415

    document = parse(text, "timm")
    use = Op(op=our_name(name), p=1.0, magnitude=level / 10)
    rows = rows_of([name])
    fill, interpolation = document.fill, document.interpolation
    return SubPolicies(fill=fill, interpolation=interpolation, operations=rows, sub_policies=((use,),))


def kornia_autoaugment(op: str, level: int, image: PILImage) -> Meaning:
    """Run an entry of kornia's AutoAugment."""
    from kornia.augmentation import auto  # noqa: PLC0415

    name = {"ShearX": "shear_x", "TranslateX": "translate_x"}.get(op, op.lower())
    transform = auto.AutoAugment([[(name, 1.0, level)]])
    pixels_1CHW = v2.functional.pil_to_tensor(image)[None].to(torch.float32) / 255
    to_ours: Callable[[float], float] = {
        "ShearX": lambda degrees: math.tan(math.radians(degrees)),
        "TranslateX": lambda pixels: -pixels / image.width,  # theirs moves right
        "Solarize": lambda part: 255 * part,
    }.get(op, lambda value: value)
    wrapped = next(iter(next(iter(transform.children())).children()))
    arguments, pictures = [], []
    for _draw in range(DRAWS):
        made_CHW = transform(pixels_1CHW)[0].detach()
        drawn = transform._params[0].data[0].data[wrapped._factor_name]
        arguments.append(to_ours(float(drawn[0])))
        pictures.append((made_CHW.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy())
    flags = wrapped.op.flags
    padding = getattr(flags.get("padding_mode"), "name", "ZEROS").lower().replace("zeros", "black")
    sampling = f"{flags['resample'].name.lower()}, {padding}" if "resample" in flags else ""
    return Meaning(
        library="kornia AutoAugment",
        arguments=arguments,
        pictures=pictures,
        sampling=sampling,
        policy=accepted(repr([[(name, 1.0, level)]]), "kornia"),
    )


def albumentations_operation(op: str, arguments: Sequence[float], image: PILImage) -> Meaning:
    """Run albumentations' operation of that name, which has no levels, at given arguments of ours."""
    import albumentations as A  # noqa: N812, PLC0415

    base = "TranslateXWhole" if op == "TranslateX" else op
    transforms = [albumentation(A, base, argument) for argument in sorted(set(arguments))]
    pictures = [transform(image=np.asarray(image))["image"] for transform in transforms]
    interpolation = getattr(transforms[0], "interpolation", None)
    names = {0: "nearest", 1: "bilinear", 2: "bicubic"}
    sampling = "" if interpolation is None else f"{names[interpolation]}, {transforms[0].fill or 'black'}"
    signs = transforms[0] if len(transforms) == 1 else A.OneOf(transforms, p=1)
    return Meaning(
        library=f"albumentations {type(transforms[0]).__name__}",
        arguments=sorted(set(arguments)),
        pictures=pictures,
        sampling=sampling,
        policy=accepted(json.dumps(A.to_dict(A.Compose([signs]))), "albumentations"),
    )


def accepted(text: str, format_name: str) -> Policy | None:
    """Return what a file of another tool is as a policy; None if our format refuses it."""
    try:
        return parse(text, format_name)
    except FaaError:
        return None


def ours(policy: Policy, image: PILImage) -> list[Pixels]:
    """Return what a policy of single operations can make of an image: a picture for each of them and each sign."""
    pictures = []
    for (use,) in policy.sub_policies:  # type: ignore[attr-defined] # it is of sub-policies
        row = policy.table[use.op]
        arguments = {row.argument(use.magnitude), row.argument(use.magnitude, reflected=row.mirrored)}
        steps = [Step(row, argument, (0.5, 0.5)) for argument in sorted(arguments)]
        pictures += [np.asarray(policy.apply_steps(image, (step,))) for step in steps]
    return pictures


def difference(picture: Pixels, others: Sequence[Pixels]) -> float:
    """Return the mean absolute difference of grey levels to the nearest of several pictures."""
    return min(float(np.abs(picture.astype(np.int16) - other).mean()) for other in others)
