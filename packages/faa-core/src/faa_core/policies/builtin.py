"""The policies that come with the package: search-free ones by rule, published tables as data."""

from importlib.resources import files

import numpy as np

from faa_core.errors import FaaError
from faa_core.operations import SEARCH_LIST, Operation
from faa_core.operations import table as ops
from faa_core.policies.document import OperationRow
from faa_core.policies.kinds import Parametric, SubPolicies
from faa_core.policies.loading import parse_policy
from faa_core.policies.policy import Op, Policy
from faa_core.randomness import check_keys, key_of, uniforms


def none() -> Policy:
    """Return the policy that changes nothing."""
    return SubPolicies(name="none", sub_policies=((),), provenance={"algorithm": "none"})


def uniform_random() -> Policy:
    """Return the search space itself: two operations, p and λ fresh and uniform for every image."""
    return Parametric(
        name="uniform-random",
        num_ops=2,
        ops=tuple(operation.name for operation in SEARCH_LIST),
        p=(0.0, 1.0),
        provenance={"algorithm": "uniform-random"},
    )


def random_policy(sub_policies: int, *, seed: int, num_ops: int = 2, ops: tuple[str, ...] | None = None) -> SubPolicies:
    """Return a policy of given size drawn uniformly from the search space: the control of a search.

    Args:
        sub_policies: How many, at least 1.
        seed: Keys the draw.
        num_ops: Operations per sub-policy.
        ops: Names to choose from; the search list when None.

    Raises:
        FaaError: If a number is none of these.
    """
    check_keys(seed, 0)
    if not all(isinstance(number, int | np.integer) and number >= 1 for number in (sub_policies, num_ops)):
        raise FaaError(f"sub_policies and num_ops must be whole numbers from 1 on, not {sub_policies!r}, {num_ops!r}.")
    names = ops or tuple(operation.name for operation in SEARCH_LIST)
    rows = uniforms(key_of("random-policy", seed), np.arange(sub_policies), 3 * num_ops).tolist()
    return SubPolicies(
        name=f"uniform-random-{sub_policies}",
        sub_policies=tuple(
            tuple(
                Op(op=names[int(row[at] * len(names))], p=row[at + 1], magnitude=row[at + 2])
                for at in range(0, 3 * num_ops, 3)
            )
            for row in rows
        ),
        provenance={"algorithm": "uniform-random", "seed": seed},
    )


def trivialaugment() -> Policy:
    """Return TrivialAugment Wide (Müller and Hutter 2021) with the ranges and 31 bins of torchvision."""
    rows = {
        "ShearX": _reach(ops.SHEAR_X, 0.99),
        "ShearY": _reach(ops.SHEAR_Y, 0.99),
        "TranslateX": _reach(ops.TRANSLATE_X_PIXELS, 32.0),
        "TranslateY": _reach(ops.TRANSLATE_Y_PIXELS, 32.0),
        "Rotate": _reach(ops.ROTATE, 135.0),
        **{row.name: _reach(row, 0.99) for row in (ops.BRIGHTNESS, ops.COLOR, ops.CONTRAST, ops.SHARPNESS)},
        # Bits are floored by the kernel, rounded by torchvision: hence the half bit.
        "Posterize": OperationRow(kernel="Posterize", low=8.5, high=2.5, unit="bits"),
        "Solarize": OperationRow(kernel="Solarize", low=255.0, high=0.0, unit="threshold"),
    }
    return _ruled("trivialaugment", "TA", rows, num_ops=1, magnitude=(0.0, 1.0), bins=31)


def randaugment() -> Policy:
    """Return RandAugment (Cubuk et al. 2020) as torchvision has it: two operations at magnitude 9 of 30."""
    rows = {
        "ShearX": _reach(ops.SHEAR_X, 0.3),
        "ShearY": _reach(ops.SHEAR_Y, 0.3),
        "TranslateX": _reach(ops.TRANSLATE_X_WHOLE, 150 / 331),
        "TranslateY": _reach(ops.TRANSLATE_Y_WHOLE, 150 / 331),
        "Rotate": _reach(ops.ROTATE, 30.0),
        **{row.name: _reach(row, 0.9) for row in (ops.BRIGHTNESS, ops.COLOR, ops.CONTRAST, ops.SHARPNESS)},
        "Posterize": OperationRow(kernel="Posterize", low=8.5, high=4.5, unit="bits"),
        "Solarize": OperationRow(kernel="Solarize", low=255.0, high=0.0, unit="threshold"),
    }
    return _ruled("randaugment", "RA", rows, num_ops=2, magnitude=(0.3, 0.3), bins=None)


def fa_reduced_cifar10() -> Policy:
    """Return the published Fast AutoAugment policy for CIFAR-10 (493 sub-policies)."""
    return _published("fa-reduced-cifar10")


def fa_reduced_imagenet() -> Policy:
    """Return the published Fast AutoAugment policy for ImageNet (498 sub-policies)."""
    return _published("fa-reduced-imagenet")


def fa_reduced_svhn() -> Policy:
    """Return the published Fast AutoAugment policy for SVHN (497 sub-policies)."""
    return _published("fa-reduced-svhn")


def _reach(row: Operation, reach: float) -> OperationRow:
    """Return a one-sided axis that starts at the neutral argument and is mirrored about it."""
    neutral = row.argument(0.5)
    return OperationRow(kernel=row.base, low=neutral, high=neutral + reach, unit=row.unit, mirrored=True)


def _ruled(
    name: str,
    prefix: str,
    rows: dict[str, OperationRow],
    *,
    num_ops: int,
    magnitude: tuple[float, float],
    bins: int | None,
) -> Policy:
    operations = {f"{prefix}.{row_name}": row for row_name, row in rows.items()}
    return Parametric(
        name=name,
        operations=operations,
        num_ops=num_ops,
        ops=("Identity", *operations, "AutoContrast", "Equalize"),
        magnitude=magnitude,
        bins=bins,
        provenance={"algorithm": name},
    )


def _published(name: str) -> Policy:
    resource = files("faa_core.policies").joinpath("data", f"{name}.json")
    return parse_policy(resource.read_text(encoding="utf-8"), source=name)
