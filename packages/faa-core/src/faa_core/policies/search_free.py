"""Policies that need no search: each is a rule over the standard operations."""

import re

import numpy as np

from faa_core.errors import FaaError
from faa_core.operations import SEARCH_LIST, Operation
from faa_core.operations import table as ops
from faa_core.policies.document import OperationRow
from faa_core.policies.kinds import Parametric, SubPolicies
from faa_core.policies.policy import Op, Policy
from faa_core.randomness import check_keys, key_of, uniforms

STRONGEST = 30  # magnitude of RandAugment
PLAIN = 9  # the magnitude of what is called randaugment, as in torchvision
ENHANCEMENTS = (ops.BRIGHTNESS, ops.COLOR, ops.CONTRAST, ops.SHARPNESS)


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
    """Return TrivialAugment (Müller and Hutter 2021) as torchvision has it, on the wide ranges, with 31 bins."""
    rows = {
        **_moves(shear=0.99, translate=_reach(ops.TRANSLATE_X_PIXELS, 32.0), rotate=135.0),
        **_mirrored_enhancements(0.99),
        # Bits are floored by the kernel, rounded by torchvision: hence the half bit.
        "Posterize": OperationRow(kernel="Posterize", low=8.5, high=2.5, unit="bits"),
        "Solarize": OperationRow(kernel="Solarize", low=255.0, high=0.0, unit="threshold"),
    }
    return _ruled("trivialaugment", "TA", rows, num_ops=1, magnitude=(0.0, 1.0), bins=31)


def trivialaugment_standard() -> Policy:
    """Return TrivialAugment on its authors' standard ranges, which they advise for cheap networks."""
    moves = _moves(shear=0.3, translate=_reach(ops.TRANSLATE_X_PIXELS, 10.0), rotate=30.0)
    return _authors("trivialaugment-standard", "TAS", moves, factors=(0.1, 1.9), bits=(4, 0))


def trivialaugment_wide() -> Policy:
    """Return TrivialAugment on its authors' wide ranges; `trivialaugment` is torchvision's version of these."""
    moves = _moves(shear=0.99, translate=_reach(ops.TRANSLATE_X_PIXELS, 32.0), rotate=135.0)
    return _authors("trivialaugment-wide", "TAW", moves, factors=(0.01, 2.0), bits=(8, 2))


def randaugment(magnitude: int = 9) -> Policy:
    """Return RandAugment (Cubuk et al. 2020) as torchvision has it: two operations at a magnitude of 30.

    Args:
        magnitude: 0 … 30: the strength.

    Raises:
        FaaError: If it is none of these.
    """
    if not 0 <= magnitude <= STRONGEST:
        raise FaaError(f"The strength of randaugment-m{magnitude} must be 0 to {STRONGEST}, such as randaugment-m5.")
    rows = {
        **_moves(shear=0.3, translate=_reach(ops.TRANSLATE_X_WHOLE, 150 / 331), rotate=30.0),
        **_mirrored_enhancements(0.9),
        "Posterize": OperationRow(kernel="Posterize", low=8.5, high=4.5, unit="bits"),
        "Solarize": OperationRow(kernel="Solarize", low=255.0, high=0.0, unit="threshold"),
    }
    at, name = magnitude / STRONGEST, "randaugment" if magnitude == PLAIN else f"randaugment-m{magnitude}"
    return _ruled(name, "RA", rows, num_ops=2, magnitude=(at, at), bins=None)


def with_strength(name: str) -> Policy | None:
    """Return the policy whose name contains its strength, as randaugment-m5 does; None for any other name.

    Raises:
        FaaError: If the strength is out of its range.
    """
    found = re.fullmatch(r"randaugment-m(\d{1,3})", name)
    return None if found is None else randaugment(int(found[1])).model_copy(update={"name": name})


def _reach(row: Operation, reach: float) -> OperationRow:
    """Return a one-sided axis that starts at the neutral argument and is mirrored about it."""
    neutral = row.argument(0.5)
    return OperationRow(kernel=row.base, low=neutral, high=neutral + reach, unit=row.unit, mirrored=True)


def _moves(*, shear: float, translate: OperationRow, rotate: float) -> dict[str, OperationRow]:
    """Return the axes of the geometric operations; those of y are those of x."""
    down = translate.model_copy(update={"kernel": str(translate.kernel).replace("X", "Y")})
    return {
        "ShearX": _reach(ops.SHEAR_X, shear),
        "ShearY": _reach(ops.SHEAR_Y, shear),
        "TranslateX": translate,
        "TranslateY": down,
        "Rotate": _reach(ops.ROTATE, rotate),
    }


def _mirrored_enhancements(reach: float) -> dict[str, OperationRow]:
    return {row.name: _reach(row, reach) for row in ENHANCEMENTS}


def _authors(
    name: str, prefix: str, moves: dict[str, OperationRow], *, factors: tuple[float, float], bits: tuple[int, int]
) -> Policy:
    """Return TrivialAugment as in its authors' code: factors go from weak to strong, and are not mirrored.

    They take the whole part of what an axis takes away; its 31 bins come to the same with bits a little higher.
    """
    low, high = factors
    rows = {
        **moves,
        **{row.name: OperationRow(kernel=row.base, low=low, high=high, unit="factor") for row in ENHANCEMENTS},
        "Posterize": OperationRow(kernel="Posterize", low=bits[0] + 0.99, high=bits[1] + 0.99, unit="bits"),
        "Solarize": OperationRow(kernel="Solarize", low=256.0, high=0.0, unit="threshold"),
    }
    return _ruled(name, prefix, rows, num_ops=1, magnitude=(0.0, 1.0), bins=31)


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
