"""Pictures of policies of layers as data: which operations, which magnitudes, and how they were learnt."""

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest

from faa_core import Choice, Layers
from faa_core.formats import deepaa
from faa_search.runs.records.pictures import GREY, Picture, Trace
from faa_search.searching.deep.pictures import curve_pictures, policy_pictures


def layer(*choices: tuple[str, float, float]) -> tuple[Choice, ...]:
    """Return a layer of operations, each at a λ and with a probability."""
    return tuple(Choice(op=op, magnitude=magnitude, probability=p) for op, magnitude, p in choices)


SMALL = Layers(
    name="small",
    layers=(
        layer(
            ("Rotate", 0.0, 0.1), ("Rotate", 0.5, 0.2), ("Rotate", 1.0, 0.1), ("Flip", 0.0, 0.4), ("Invert", 0.0, 0.2),
        ),
        layer(("Flip", 0.0, 0.25), ("Solarize", 0.2, 0.45), ("Solarize", 0.7, 0.05), ("Flip", 0.0, 0.25)),
        layer(("Invert", 0.0, 0.3), ("Rotate", 0.25, 0.7)),
    ),
)  # fmt: skip


def pictures_of(policy: Layers) -> dict[str, Picture]:
    """Return a policy's pictures by name."""
    return {picture.name: picture for picture in policy_pictures(policy)}


def parts_of(picture: Picture) -> dict[str, Trace]:
    """Return the traces of a picture's only panel, by label."""
    (panel,) = picture.panels
    return {trace.label: trace for trace in panel.traces}


def test_each_layers_operations_are_parts_of_its_bar() -> None:
    """In per cent, over all magnitudes; the parts of a bar add up to 100, and an operation has one colour."""
    picture = pictures_of(SMALL)["operations"]
    parts = parts_of(picture)
    heights = {name: pytest.approx(list(trace.y)) for name, trace in parts.items()}
    assert {"Rotate": [40, 0, 70], "Flip": [40, 50, 0], "Invert": [20, 0, 30], "Solarize": [0, 50, 0]} == heights
    assert {"bars"} == {trace.kind for trace in parts.values()}
    assert [0, 1, 2, 3] == [trace.colour for trace in parts.values()]
    assert [1, 2, 3] == list(parts["Flip"].x)
    assert [(1, "1"), (2, "2"), (3, "3")] == list(picture.panels[0].x_ticks)


def test_magnitudes_are_told_within_their_operation() -> None:
    """A panel for each layer and operation of several; steps from no change, or places where there is none between."""
    picture = pictures_of(SMALL)["magnitudes"]
    assert 2 == picture.columns
    titles = ["1: Rotate, 40.0 %", "1: Solarize, 0.0 %", "2: Rotate, 0.0 %", "2: Solarize, 50.0 %"]
    assert [*titles, "3: Rotate, 70.0 %", "3: Solarize, 0.0 %"] == [panel.title for panel in picture.panels]
    shares = [list(panel.traces[0].y) for panel in picture.panels]
    wanted = [[0.25, 0, 0.5, 0.25], [0, 0], [0, 0, 0, 0], [0.9, 0.1], [0, 1, 0, 0], [0, 0]]
    assert [pytest.approx(values) for values in wanted] == shares
    rotate, solarize = ([text for _place, text in panel.x_ticks] for panel in picture.panels[:2])
    assert (["-2", "-1", "0", "1"], ["1", "2"]) == (rotate, solarize)
    assert [0, 3] == [panel.traces[0].colour for panel in picture.panels[:2]]


def test_all_layers_are_taken_together_by_magnitude() -> None:
    """In steps from −5 to 5; what has one magnitude only is grey."""
    picture = pictures_of(SMALL)["together"]
    parts = parts_of(picture)
    assert ["Rotate", "Flip", "Invert", "Solarize"] == [name for _place, name in picture.panels[0].x_ticks]
    heights = {name: pytest.approx(list(trace.y)) for name, trace in parts.items()}
    assert {
        "one only": [0, 0.9, 0.5, 0], "-5": [0.1, 0, 0, 0], "-3": [0, 0, 0, 0.45], "-2": [0.7, 0, 0, 0],
        "0": [0.2, 0, 0, 0], "2": [0, 0, 0, 0.05], "5": [0.1, 0, 0, 0],
    } == heights  # fmt: skip
    assert [0.0, 0.2, 0.3, 0.5, 0.7, 1.0] == [trace.shade for name, trace in parts.items() if name != "one only"]
    assert (GREY, None) == (parts["one only"].colour, parts["one only"].shade)


def test_without_several_magnitudes_there_are_none_to_tell() -> None:
    """The other two pictures are there."""
    policy = Layers(layers=(layer(("Flip", 0.0, 0.4), ("Invert", 0.0, 0.6)), layer(("Invert", 0.0, 1.0))))
    assert ["operations", "together"] == list(pictures_of(policy))


def test_curves_of_each_layer_follow_those_of_the_one_before() -> None:
    """Lines are not joined over the end of a layer; a border parts them; layers may be of any length."""
    rows = [(1, 2, 0.5, 0.05, 3.0), (1, 4, 0.6, 0.06, 2.0)]
    rows = [(0, 1, 0.1, 0.01, 4.0), (0, 2, 0.2, 0.02, 3.5), (0, 3, 0.4, 0.03, 3.2), *rows, (2, 1, 0.7, 0.07, 4.4)]
    (picture,) = curve_pictures(rows)
    similarity, entropy = picture.panels
    assert [[1, 2, 3], [5, 7], [8]] == [trace.x for trace in entropy.traces]
    assert [[4.0, 3.5, 3.2], [3.0, 2.0], [4.4]] == [trace.y for trace in entropy.traces]
    bands, lines = ([trace for trace in similarity.traces if trace.kind == kind] for kind in ("band", "line"))
    assert [[0.1, 0.2, 0.4], [0.5, 0.6], [0.7]] == [trace.y for trace in lines] == [trace.y for trace in bands]
    assert [[0.01, 0.02, 0.03], [0.05, 0.06], [0.07]] == [trace.spread for trace in bands]
    assert [3.5, 7.5] == similarity.borders == entropy.borders
    assert not picture.shared_y
    assert ["± a standard deviation", "mean"] == [trace.label for trace in similarity.traces if trace.label]
    assert () == curve_pictures([])


@pytest.fixture
def published() -> dict[str, Layers]:
    """Return published policies that are not part of the repository, as nobody may hand them on."""
    folder = Path(os.environ.get("FAA_TEST_DATA", "nowhere")).parent / "policies"
    if not folder.is_dir():
        pytest.skip("there is no folder of policies beside FAA_TEST_DATA")
    found = {}
    for name in ("cifar_2", "imagenet_1"):
        said = json.loads((folder / f"deepaa_{name}.json").read_text())
        names = [row["seed_name"] for row in said["ops"]]
        ours = [row["op"] for row in said["ops"]]
        first, stream = said["layers"][0], io.BytesIO()
        np.savez(
            stream,
            policy_probs=np.array([[use["prob"] for use in layer] for layer in said["layers"]], np.float32),
            l_mags=13,
            ops=np.array([[ours.index(use["op"])] for use in first]),
            mags=np.array([[6 if use["level"] is None else use["level"]] for use in first]),
            op_names=np.array(names),
        )
        found[name] = deepaa.parse(stream.getvalue())
    return found


@pytest.mark.shared_data
def test_the_published_policies_look_as_their_authors_show_them(published: dict[str, Layers]) -> None:
    """The strongest operation of each layer, and its height."""
    wanted = {
        "cifar_2": [("Solarize", 15.4), ("DeepAA.Cutout", 99.1), ("Crop", 67.9), ("Crop", 72.5), ("Flip", 78.0),
            ("Identity", 99.1)],
        "imagenet_1": [("RandomResizedCrop", 19.9), ("RandomResizedCrop", 74.3), ("Flip", 30.0),
            ("Sharpness", 25.6), ("Flip", 26.9)],
    }  # fmt: skip
    for name, strongest in wanted.items():
        pictures = pictures_of(published[name])
        parts = parts_of(pictures["operations"])
        found = []
        for at in range(len(strongest)):
            op = max(parts, key=lambda one: parts[one].y[at])
            found.append((op, round(parts[op].y[at], 1)))
        assert strongest == found
        assert 18 == len(parts)
        assert 11 * len(strongest) == len(pictures["magnitudes"].panels)
        for panel in pictures["magnitudes"].panels:
            labels = [text for _place, text in panel.x_ticks]
            steps = [str(step) for step in range(-6, 7) if step]
            places = [str(place) for place in range(1, 13)]
            assert (places if "Solarize" in panel.title or "Posterize" in panel.title else steps) == labels
            assert 1 == pytest.approx(sum(panel.traces[0].y))
