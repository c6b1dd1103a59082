"""The kind `LayeredSubPolicies`: layers of one sub-policy go together, and what the document must say."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from faa_core import Choice, FaaError, LayeredSubPolicies, Policy


def choice(op: str, probability: float, magnitude: float = 0.0) -> Choice:
    """Return one choice of a layer."""
    return Choice(op=op, magnitude=magnitude, probability=probability)


TWO = LayeredSubPolicies(
    sub_policies=(
        ((choice("Invert", 0.25), choice("Solarize", 0.75, 0.3)), (choice("Equalize", 1.0),)),
        (
            (choice("Posterize", 0.5, 0.5), choice("Color", 0.5, 0.9)),
            (choice("Brightness", 0.9, 1.0), choice("Flip", 0.1)),
        ),
        ((choice("AutoContrast", 1.0),),),
    )
)


def test_layers_of_one_sub_policy_go_together() -> None:
    """Sub-policies are drawn alike, their choices by their probabilities, and layers of two are never mixed."""
    draws = TWO.draw(seed=1, epoch=0, indices=np.arange(6000))
    found = Counter(tuple(step.operation.name for step in steps) for steps in draws)
    expected = {
        ("Invert", "Equalize"): 500, ("Solarize", "Equalize"): 1500, ("AutoContrast",): 2000,
        ("Posterize", "Brightness"): 900, ("Color", "Brightness"): 900, ("Posterize", "Flip"): 100,
        ("Color", "Flip"): 100,
    }  # fmt: skip
    assert expected.keys() == found.keys()
    for names, number in expected.items():
        assert number == pytest.approx(found[names], abs=5 * number**0.5)
    magnitudes = {step.operation.name: step.argument for steps in draws for step in steps}
    assert (magnitudes["Solarize"], magnitudes["Brightness"]) == pytest.approx((0.3 * 256, 1.9))


def test_the_document_comes_back(tmp_path: Path) -> None:
    """With one line for each sub-policy."""
    TWO.save(tmp_path / "mine.json")
    again = Policy.load(tmp_path / "mine.json")
    assert TWO.to_json() == again.to_json()
    document = json.loads(TWO.to_json())
    assert ("layered-sub-policies", 3) == (document["kind"], len(document["sub_policies"]))
    assert [1, 2] == [TWO.slots - 14, TWO.depth]


@pytest.mark.parametrize(
    ("sub_policies", "words"),
    [
        (
            [[[{"op": "Invert", "magnitude": 0, "probability": 0.5}]]],
            "layer 0 of sub-policy 0 must add up to 1, not 0.5",
        ),
        ([[], [[]]], "sub_policies.1.0"),
        ([], "at least 1"),
    ],
)
def test_what_is_wrong_is_named(sub_policies: object, words: str, tmp_path: Path) -> None:
    """Sums, and empty layers."""
    (tmp_path / "bad.json").write_text(json.dumps({"kind": "layered-sub-policies", "sub_policies": sub_policies}))
    with pytest.raises(FaaError, match=words):
        Policy.load(tmp_path / "bad.json")
