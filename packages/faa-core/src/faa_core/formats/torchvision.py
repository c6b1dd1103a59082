"""torchvision's AutoAugment, RandAugment and TrivialAugmentWide as policies, and policies that equal one as those.

torchvision writes an entry of AutoAugment as (operation, probability, index into 10 magnitudes) and keeps the
magnitudes apart; here each becomes (operation, p, λ) on an axis that the policy carries.
"""

from collections.abc import Iterator
from typing import Any

from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms import autoaugment as v1
from torchvision.transforms.v2 import AutoAugmentPolicy

from faa_core.errors import FaaError
from faa_core.operations import table as ops
from faa_core.policies.document import OperationRow
from faa_core.policies.kinds import Parametric, SubPolicies
from faa_core.policies.policy import Op, Policy
from faa_core.policies.search_free import randaugment, trivialaugment

BINS = 10
SIDE = 331  # torchvision's translations are a fraction of the side, with AutoAugment's 331 pixels in the formula
MOST_BINS = 256  # tried when looking for the RandAugment that has a λ
FILTERS = {
    "nearest": InterpolationMode.NEAREST,
    "bilinear": InterpolationMode.BILINEAR,
    "bicubic": InterpolationMode.BICUBIC,
}


def from_torchvision(transform: Any) -> Policy:
    """Return the policy that does what a transform of torchvision (v1 or v2) does.

    Args:
        transform: An AutoAugment, RandAugment or TrivialAugmentWide; no subclass, which may do anything.

    Raises:
        FaaError: If it is none of them, or a setting has no counterpart; it is named.
    """
    kind = type(transform)
    if kind in (v2.AutoAugment, v1.AutoAugment):
        policy = _autoaugment(f"autoaugment-{transform.policy.value}", transform.policy)
    elif kind in (v2.RandAugment, v1.RandAugment):
        policy = _randaugment(transform.num_ops, transform.magnitude, transform.num_magnitude_bins)
    elif kind in (v2.TrivialAugmentWide, v1.TrivialAugmentWide):
        policy = _trivialaugment(transform.num_magnitude_bins)
    else:
        raise FaaError(
            f"{kind.__module__}.{kind.__qualname__} has no counterpart; AutoAugment, RandAugment and "
            "TrivialAugmentWide of torchvision have one, subclasses of them have not."
        )
    interpolation = getattr(transform.interpolation, "value", transform.interpolation)  # v2 keeps what it was given
    if interpolation not in FILTERS:
        raise FaaError(f"interpolation {interpolation!r} has no counterpart; {', '.join(FILTERS)} have one.")
    return policy.model_copy(update={"fill": _fill(transform.fill), "interpolation": interpolation})


def to_torchvision(policy: Policy) -> v2.Transform:
    """Return the transform of torchvision (v2) that a policy equals.

    Raises:
        FaaError: If it equals none; `Policy.transform` is the transform of any policy.
    """
    settings = {"interpolation": FILTERS[policy.interpolation], "fill": list(policy.fill) if any(policy.fill) else None}
    for transform in _candidates(policy, settings):
        if _is(transform, policy):
            return transform
    raise FaaError(
        f"'{policy.name}' is none of torchvision's AutoAugment, RandAugment and TrivialAugmentWide, which are all that "
        "torchvision can express. Use policy.transform(): it is a torchvision v2 transform that applies any policy."
    )


def autoaugment_cifar10() -> Policy:
    """Return AutoAugment's CIFAR-10 policy."""
    return _autoaugment("autoaugment-cifar10", AutoAugmentPolicy.CIFAR10)


def autoaugment_svhn() -> Policy:
    """Return AutoAugment's SVHN policy."""
    return _autoaugment("autoaugment-svhn", AutoAugmentPolicy.SVHN)


def autoaugment_imagenet() -> Policy:
    """Return AutoAugment's ImageNet policy."""
    return _autoaugment("autoaugment-imagenet", AutoAugmentPolicy.IMAGENET)


def _candidates(policy: Policy, settings: dict[str, Any]) -> Iterator[v2.Transform]:
    """Yield the transforms that a policy may equal."""
    if isinstance(policy, SubPolicies):
        yield from (v2.AutoAugment(which, **settings) for which in AutoAugmentPolicy)
    elif isinstance(policy, Parametric) and policy.bins is not None:
        yield v2.TrivialAugmentWide(policy.bins, **settings)
    elif isinstance(policy, Parametric):
        for bins in (31, *range(2, MOST_BINS + 1)):
            magnitude = round(policy.magnitude[0] * (bins - 1))
            if magnitude / (bins - 1) == policy.magnitude[0]:
                yield v2.RandAugment(policy.num_ops, magnitude, bins, **settings)


def _is(transform: v2.Transform, policy: Policy) -> bool:
    try:
        return _meaning(from_torchvision(transform)) == _meaning(policy)
    except FaaError:  # torchvision rounds some bits otherwise
        return False


def _meaning(policy: Policy) -> str:
    """Return the document but for what is for people."""
    return policy.model_copy(update={"name": "", "provenance": {}}).to_json()


def _fill(fill: Any) -> tuple[int, int, int]:
    """Return a fill of torchvision's as ours."""
    channels = [0] * 3 if fill is None else [fill] * 3 if isinstance(fill, int | float) else fill
    if isinstance(channels, list | tuple) and len(channels) == 1:
        channels = [*channels] * 3
    if not isinstance(channels, list | tuple) or len(channels) != 3 or not all(_is_channel(part) for part in channels):
        raise FaaError(f"fill {fill!r} has no counterpart; one or three whole numbers in 0 … 255 have one.")
    red, green, blue = (int(part) for part in channels)
    return red, green, blue


def _is_channel(part: Any) -> bool:
    return isinstance(part, int | float) and 0 <= part <= 255 and part == int(part)


def _randaugment(num_ops: int, magnitude: int, bins: int) -> Policy:
    if num_ops < 1 or not 0 <= magnitude < bins or bins < 2:
        raise FaaError(
            f"RandAugment(num_ops={num_ops}, magnitude={magnitude}, num_magnitude_bins={bins}) has no counterpart: "
            "num_ops must be at least 1, num_magnitude_bins 2, and magnitude one of the bins."
        )
    _check_bits("RandAugment", 4, bins, [magnitude])
    position = magnitude / (bins - 1)
    return randaugment().model_copy(update={"num_ops": num_ops, "magnitude": (position, position)})


def _trivialaugment(bins: int) -> Policy:
    if bins < 2:
        raise FaaError(f"TrivialAugmentWide(num_magnitude_bins={bins}) has no counterpart; at least 2 have one.")
    _check_bits("TrivialAugmentWide", 6, bins, list(range(bins)))
    return trivialaugment().model_copy(update={"bins": bins})


def _check_bits(name: str, span: int, bins: int, used: list[int]) -> None:
    """Refuse numbers of bins where torchvision rounds Posterize's half bits down to even and we round up."""
    for magnitude in used:
        removed = magnitude / ((bins - 1) / span)
        if 8 - round(removed) != int(8.5 - removed):
            raise FaaError(f"{name} with {bins} bins posterizes by {removed:g} bits, which torchvision rounds to even.")


def _autoaugment(name: str, which: AutoAugmentPolicy) -> Policy:
    source = v2.AutoAugment(which)
    magnitudes = {op: values(BINS, SIDE, SIDE) for op, (values, _signed) in source._AUGMENTATION_SPACE.items()}
    operations = {_name(op): row for op, values in magnitudes.items() if (row := _row(op, values)) is not None}
    sub_policies = tuple(
        tuple(
            Op(op=_name(op), p=p, magnitude=_position(operations.get(_name(op)), magnitudes[op], index))
            for op, p, index in entry
        )
        for entry in source._policies
    )
    used = {use.op for sub_policy in sub_policies for use in sub_policy}
    return SubPolicies(
        name=name,
        operations={op: row for op, row in operations.items() if op in used},
        sub_policies=sub_policies,
        provenance={"algorithm": "autoaugment", "source": "torchvision.transforms.v2.AutoAugment"},
    )


def _name(op: str) -> str:
    return op if op in ("AutoContrast", "Equalize", "Invert") else f"AA.{op}"


def _row(op: str, values: Any) -> OperationRow | None:
    """Return the axis of one of torchvision's operations; None for those without a magnitude."""
    if values is None:
        return None
    low, high = float(values[0]), float(values[-1])
    match op:
        case "Solarize":
            return OperationRow(kernel=op, low=255 * low, high=255 * high, unit="threshold")
        case "Posterize":
            return OperationRow(kernel=op, low=low, high=high, unit="bits")
        case "Brightness" | "Color" | "Contrast" | "Sharpness":
            return OperationRow(kernel=op, low=1 + low, high=1 + high, unit="factor", mirrored=True)
        case "TranslateX" | "TranslateY":
            return OperationRow(kernel=f"{op}Whole", low=low / SIDE, high=high / SIDE, unit="fraction", mirrored=True)
    return OperationRow(kernel=op, low=low, high=high, unit=ops.operation(op).unit, mirrored=True)


def _position(row: OperationRow | None, values: Any, index: int | None) -> float:
    """Return λ of the index-th magnitude."""
    if row is None or index is None:
        return 0.0
    low, high = float(values[0]), float(values[-1])
    return min(1.0, max(0.0, (float(values[index]) - low) / (high - low)))
