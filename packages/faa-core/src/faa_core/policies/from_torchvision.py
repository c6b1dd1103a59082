"""AutoAugment's policies, converted from the tables of the installed torchvision when asked for.

torchvision writes an entry as (operation, probability, index into 10 magnitudes) and keeps the magnitudes apart;
here each entry becomes (operation, p, λ) on an axis that the policy carries.
"""

from typing import Any

from torchvision.transforms.v2 import AutoAugment, AutoAugmentPolicy

from faa_core.ops import table as ops
from faa_core.policies.document import OperationRow
from faa_core.policies.kinds import SubPolicies
from faa_core.policies.policy import Op, Policy

BINS = 10
SIDE = 331  # torchvision's translations are a fraction of the side, with AutoAugment's 331 pixels in the formula


def autoaugment_cifar10() -> Policy:
    """Return AutoAugment's CIFAR-10 policy."""
    return _convert("autoaugment-cifar10", AutoAugmentPolicy.CIFAR10)


def autoaugment_svhn() -> Policy:
    """Return AutoAugment's SVHN policy."""
    return _convert("autoaugment-svhn", AutoAugmentPolicy.SVHN)


def autoaugment_imagenet() -> Policy:
    """Return AutoAugment's ImageNet policy."""
    return _convert("autoaugment-imagenet", AutoAugmentPolicy.IMAGENET)


def _convert(name: str, which: AutoAugmentPolicy) -> Policy:
    source = AutoAugment(which)
    magnitudes = {op: values(BINS, SIDE, SIDE) for op, (values, _signed) in source._AUGMENTATION_SPACE.items()}
    operations = {_name(op): row for op, values in magnitudes.items() if (row := _row(op, values)) is not None}
    sub_policies = tuple(
        tuple(
            Op(op=_name(op), p=p, magnitude=_position(operations.get(_name(op)), op, magnitudes[op], index))
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


def _position(row: OperationRow | None, op: str, values: Any, index: int | None) -> float:
    """Return λ of the index-th magnitude."""
    if row is None or index is None:
        return 0.0
    low, high = float(values[0]), float(values[-1])
    return min(1.0, max(0.0, (float(values[index]) - low) / (high - low)))
