"""Policies that need no search: both spaces of TrivialAugment, and RandAugment with its strength in its name."""

import math
from collections import Counter

import numpy as np
import pytest

from faa_core import FaaError, Policy
from faa_core.formats import read_policy

BINS = range(31)
WIDE = {"shear": 0.99, "translate": 32, "rotate": 135, "bits": (2, 8), "factors": (0.01, 2.0)}
STANDARD = {"shear": 0.3, "translate": 10, "rotate": 30, "bits": (0, 4), "factors": (0.1, 1.9)}
ENHANCEMENTS = {"Color", "Contrast", "Brightness", "Sharpness"}


def strengths(op: str, level: int, ranges: dict) -> set[float]:
    """Return what an operation gets at a level of 0 … 30 in the authors' code: one argument, or two of either sign."""
    fraction = level / 30
    if op in ENHANCEMENTS:
        low, high = ranges["factors"]
        return {low + fraction * (high - low)}
    if op == "Posterize":
        low, high = ranges["bits"]
        return {high - int(level * (high - low) / 30)}
    if op == "Solarize":
        return {256 - int(level * 256 / 30)}
    if op in {"Identity", "AutoContrast", "Equalize"}:
        return {0.0}
    reach = {"Shear": ranges["shear"], "Trans": int(level * ranges["translate"] / 30)}.get(op[:5])
    reach = level * ranges["rotate"] / 30 if op == "Rotate" else reach
    strength = reach * fraction if op.startswith("Shear") else reach
    return {strength, -strength}


def meant(op: str, argument: float) -> float:
    """Return what a kernel makes of its argument."""
    whole = {"Posterize": int, "Solarize": math.ceil, "TranslateX": int, "TranslateY": int}
    return 0.0 if op in {"Identity", "AutoContrast", "Equalize"} else whole.get(op, float)(argument)


@pytest.mark.parametrize(
    ("name", "ranges"), [("trivialaugment-standard", STANDARD), ("trivialaugment-wide", WIDE)], ids=["standard", "wide"]
)
def test_trivialaugment_is_its_authors(name: str, ranges: dict) -> None:
    """One of fourteen operations, each as often; each of 31 strengths; and each strength is that of their code."""
    policy = Policy.load(name)
    drawn = policy.draw(seed=1, epoch=0, indices=np.arange(60_000))
    assert {len(steps) for steps in drawn} == {1}
    seen: dict[str, Counter[float]] = {}
    for ((operation, argument, *_rest),) in drawn:
        op = operation.name.partition(".")[2] or operation.name
        seen.setdefault(op, Counter())[round(meant(op, argument), 9)] += 1
    assert len(seen) == 14
    for op, found in seen.items():
        assert abs(sum(found.values()) - 60_000 / 14) < 5 * math.sqrt(60_000 / 14)
        expected = Counter()
        for level in BINS:
            both = strengths(op, level, ranges)
            for value in both:
                expected[round(value, 9) + 0.0] += 1 / len(both) / 31
        assert found.keys() == expected.keys(), op
        for value, share in expected.items():
            count = sum(found.values())
            assert abs(found[value] - share * count) < 5 * math.sqrt(share * count) + 1, (op, value)


def test_randaugment_says_its_strength() -> None:
    """In its name, from nothing to the end of every axis; 9 is what torchvision takes."""
    plain = Policy.load("randaugment")
    nine = Policy.load("randaugment-m9")
    assert (nine.name, plain.name) == ("randaugment-m9", "randaugment")
    assert nine.model_copy(update={"name": "randaugment", "provenance": plain.provenance}) == plain
    ends = [Policy.load(f"randaugment-m{strength}").magnitude for strength in (0, 5, 30)]
    assert ends == [(0.0, 0.0), (5 / 30, 5 / 30), (1.0, 1.0)]
    assert read_policy("randaugment-m5", name="mild").name == "mild"


def test_a_strength_that_there_is_not() -> None:
    """It is refused with the range; what only looks like it is an unknown name."""
    with pytest.raises(FaaError, match="The strength of randaugment-m31 must be 0 to 30, such as randaugment-m5"):
        Policy.load("randaugment-m31")
    with pytest.raises(FaaError, match="No policy is called 'randaugment-m'"):
        Policy.load("randaugment-m")
    with pytest.raises(FaaError, match="No policy is called 'randaugment-m-5'"):
        Policy.load("randaugment-m-5")
