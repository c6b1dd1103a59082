"""The kind `Layers`: what each layer picks, how often, and what the document must say."""

import json
import math
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from faa_core import Choice, FaaError, Layers, Policy, operation
from faa_core.policies import parse_policy

MANY = 20_000


def choice(op: str, probability: float, magnitude: float = 0.9) -> Choice:
    """Return one choice of a layer."""
    return Choice(op=op, magnitude=magnitude, probability=probability)


TWO = Layers(
    layers=(
        (choice("Invert", 0.5), choice("Rotate", 0.3), choice("Rotate", 0.2, 0.7)),
        (choice("Equalize", 0.9), choice("RandomResizedCrop", 0.1, 1.0)),
    )
)


def test_each_layer_picks_one_by_its_probability() -> None:
    """Layers are independent; every draw has one step per layer, in their order."""
    drawn = TWO.draw(seed=3, epoch=1, indices=np.arange(MANY))
    assert {2} == {len(steps) for steps in drawn}
    counts = Counter((first.operation.name, abs(first.argument), second.operation.name) for first, second in drawn)
    strong, weak = operation("Rotate").argument(0.9), operation("Rotate").argument(0.7)
    firsts = {("Invert", operation("Invert").argument(0.9)): 0.5, ("Rotate", strong): 0.3, ("Rotate", weak): 0.2}
    for (name, argument), probability in firsts.items():
        for second, share in (("Equalize", 0.9), ("RandomResizedCrop", 0.1)):
            expected = probability * share
            hits = sum(
                count
                for (first, own, then), count in counts.items()
                if (first, then) == (name, second) and own == pytest.approx(argument)
            )
            assert abs(hits - expected * MANY) <= 4 * math.sqrt(MANY * expected * (1 - expected))


def test_what_each_slot_means() -> None:
    """Choice, an unused gate, reflection and centre for each layer in turn; last the shapes, in turn."""
    row = [0.6, 0.99, 0.4, 0.11, 0.12, 0.95, 0.99, 0.7, 0.21, 0.22, 0.31, 0.32, 0.41, 0.42]
    assert TWO.slots == len(row)
    first, second = TWO.steps(row)
    assert ("Rotate", pytest.approx(-24.0), (0.11, 0.12), (0.31, 0.32)) == (first.operation.name, *first[1:])
    assert ("RandomResizedCrop", pytest.approx(0.08), (0.21, 0.22), (0.41, 0.42)) == (
        second.operation.name,
        *second[1:],
    )


@pytest.mark.parametrize(
    ("number", "expected"), [(0.0, "Invert"), (0.4999, "Invert"), (0.5, "Rotate"), (0.9999999999999999, "Rotate")]
)
def test_a_number_on_the_border_belongs_to_the_next_choice(number: float, expected: str) -> None:
    """Parts are half-open, so that a probability is exactly a share of the numbers in [0, 1)."""
    assert expected == TWO.steps([number, *[0.6] * 13])[0].operation.name


def test_a_choice_of_probability_zero_is_never_picked() -> None:
    """Neither first, in the middle nor last."""
    policy = Layers(layers=((choice("Color", 0), choice("Invert", 1), choice("Equalize", 0), choice("Cutout", 0)),))
    for number in (0.0, 0.5, 0.9999999999999999):
        assert "Invert" == policy.steps([number, *[0.0] * 6])[0].operation.name


def test_published_probabilities_are_float32() -> None:
    """A sum that is off by a rounding is scaled to 1, so that the last part ends there."""
    shares = (np.random.default_rng(0).dirichlet(np.ones(139)).astype(np.float32)).tolist()
    policy = Layers(layers=(tuple(choice("Solarize", share) for share in shares),))
    assert 1.0 == policy.cumulative[0][-1]
    assert policy.steps([1 - 2**-53, *[0.0] * 6])


@pytest.mark.parametrize(
    ("layers", "fault"),
    [
        ([[{"op": "Invert", "magnitude": 0, "probability": 0.9}]], r"layer 0 must add up to 1, not 0\.9"),
        ([[{"op": "Invert", "magnitude": 0, "probability": 0.6}] * 2], r"layer 0 must add up to 1, not 1\.2"),
        ([[{"op": "Invert", "magnitude": 0, "probability": 1.5}]], r"layers\.0\.0\.probability.*less than or equal"),
        ([[{"op": "Invert", "magnitude": 2, "probability": 1}]], r"layers\.0\.0\.magnitude"),
        ([[]], r"layers\.0.*at least 1 item"),
        ([], r"layers.*at least 1 item"),
    ],
)
def test_faulty_documents(layers: list, fault: str) -> None:
    """The error says where and what."""
    with pytest.raises(FaaError, match=fault):
        parse_policy(json.dumps({"kind": "layers", "layers": layers}), source="mine.json")


def test_an_unknown_operation_is_named() -> None:
    """As in the other kinds."""
    with pytest.raises(FaaError, match="Invertt"):
        Layers(layers=((choice("Invertt", 1),),))


def test_it_is_written_and_read(tmp_path) -> None:
    """The document says the same policy, with the axes of what it uses, a layer's choices one a line."""
    path = tmp_path / "layers.json"
    TWO.save(path)
    again = Policy.load(path)
    assert isinstance(again, Layers)
    assert TWO.layers == again.layers
    assert set(again.operations) == {"Invert", "Rotate", "Equalize", "RandomResizedCrop"}
    assert TWO.draw(seed=0, epoch=0, indices=np.arange(99)) == again.draw(seed=0, epoch=0, indices=np.arange(99))
    assert again.to_json() == TWO.to_json()


def test_it_is_applied() -> None:
    """On an image, through the same calls as the other kinds."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8))
    policy = Layers(layers=((choice("Invert", 1),), (choice("Flip", 1),)))
    seen = {policy.apply(image, seed=0, epoch=0, index=index).tobytes() for index in range(20)}
    pixels = 255 - np.asarray(image)
    assert {pixels.tobytes(), pixels[:, ::-1].tobytes()} == seen


def test_choices_are_frozen() -> None:
    """A field cannot be set."""
    with pytest.raises(ValidationError, match="frozen"):
        TWO.layers[0][0].probability = 1.0
