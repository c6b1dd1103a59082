"""Pictures of what a controller drew, and of how it learnt, as data."""

from collections.abc import Sequence
from math import isclose
from pathlib import Path

import pytest

from faa_core import FaaError
from faa_search.adversarial import ControllerStep, pictures
from faa_search.adversarial.controller import Controller
from faa_search.adversarial.pictures import run_pictures, step_pictures
from faa_search.adversarial.space import LEVELS, allowed_choices, make_space
from faa_search.runs.directory import run_directory
from faa_search.runs.files import POLICIES
from faa_search.runs.journal import Journal
from faa_search.runs.records.pictures import GREY, Panel, Picture, Trace
from faa_search.settings import TrainConfig

Drawn = tuple[str, int]  # an operation at a level

TWICE = 2  # steps in an epoch


def step(
    number: int, *drawn: Drawn, losses: Sequence[float] = (), per_epoch: int = TWICE, **figures: float | None
) -> ControllerStep:
    """Return a step whose policies have one operation at one level each."""
    known = {"loss": -1.0, "entropy": 50.0, "entropy_weight": 0.2, "strength": 0.5, **figures}
    return ControllerStep(
        epoch=(number - 1) // per_epoch + 1, number=number, per_epoch=per_epoch, space="advaa",
        policies=tuple((((op, level), (op, level)),) * 5 for op, level in drawn),
        losses=tuple(losses) or (1.0,) * len(drawn), score_loss=0.0, largest_share=0.5, learned=True, **known,
    )  # fmt: skip


def journal(epochs: int, *, per_epoch: int = TWICE) -> list[ControllerStep]:
    """Return steps of two policies: Rotate at levels that rise, and ShearX at 9 or Invert at 0 in turn."""
    return [
        step(
            number, ("Rotate", number % LEVELS), ("ShearX", 9) if number % 2 else ("Invert", 0),
            losses=(number, number + 4.0), loss=-number, entropy=50.0 - number, entropy_weight=number / 100,
            strength=number / 1000, per_epoch=per_epoch,
        )
        for number in range(1, per_epoch * epochs + 1)
    ]  # fmt: skip


def pictures_of(steps: Sequence[ControllerStep], **given: float) -> dict[str, Picture]:
    """Return the pictures of steps by name."""
    return {picture.name: picture for picture in step_pictures(steps, **given)}


def parts_of(picture: Picture) -> dict[str, Trace]:
    """Return the traces of a picture's only panel, by label."""
    (panel,) = picture.panels
    return {trace.label: trace for trace in panel.traces}


def curves_of(steps: Sequence[ControllerStep], **given: float) -> dict[str, Panel]:
    """Return the panels of the curves, by the first word of their titles, and the last by its last word."""
    panels = pictures_of(steps, **given)["curves"].panels
    return {panel.title.replace("loss of the ", "").split(",")[0].split()[0]: panel for panel in panels}


def test_shares_of_an_epoch_are_means_over_its_steps() -> None:
    """By level and by operation, of 12 epochs of two steps: an epoch lies where its steps do in the mean."""
    found = pictures_of(journal(12))
    levels, operations = parts_of(found["levels"]), parts_of(found["operations"])
    places = [epoch + 0.75 for epoch in range(12)]
    assert all(list(trace.x) == places for trace in (*levels.values(), *operations.values()))
    first, second = ({name: trace.y[epoch] for name, trace in levels.items() if trace.y[epoch]} for epoch in (0, 4))
    assert {"0": 0.25, "1": 0.25, "2": 0.25, "9": 0.25} == first
    assert {"0": 0.5, "9": 0.5} == second  # of steps 9 and 10: Rotate at 9 and 0, ShearX at 9, Invert at 0
    shares = {name: set(trace.y) for name, trace in operations.items()}
    assert {"ShearX": {0.25}, "Rotate": {0.5}, "Invert": {0.25}} == shares
    assert found["levels"].title.endswith("\n24 steps in 12 epochs; means of an epoch each")


@pytest.mark.parametrize(("epochs", "per_epoch"), [(1, 1), (3, 2), (12, 2), (250, 3)])
def test_shares_add_up_to_1(epochs: int, per_epoch: int) -> None:
    """At each place, of the levels and of the operations."""
    found = pictures_of(journal(epochs, per_epoch=per_epoch))
    for name in ("levels", "operations"):
        columns = list(zip(*(trace.y for trace in found[name].panels[0].traces), strict=True))
        assert 2 <= len(columns) <= pictures.MOST
        assert all(isclose(sum(column), 1.0) for column in columns)


def test_levels_lie_on_each_other_from_blue_to_red() -> None:
    """Level 0 at the bottom; all ten are there, drawn or not."""
    traces = pictures_of(journal(3))["levels"].panels[0].traces
    assert [str(level) for level in range(LEVELS)] == [trace.label for trace in traces]
    assert [level / 9 for level in range(LEVELS)] == [trace.shade for trace in traces]
    assert {"area"} == {trace.kind for trace in traces}


def test_an_operation_has_its_colour_in_every_run() -> None:
    """By its number in the space; what was never drawn has no part."""
    names = make_space("advaa", sample_pairing=True).names
    picture = pictures_of([*journal(2), step(5, ("SamplePairing", 3), ("Cutout", 1))])["operations"]
    traces = picture.panels[0].traces
    assert ["ShearX", "Rotate", "Invert", "Cutout", "SamplePairing"] == [trace.label for trace in traces]
    assert [names.index(trace.label) for trace in traces] == [trace.colour for trace in traces]
    assert ({"area"}, "operation") == ({trace.kind for trace in traces}, picture.legend_title)


def test_of_few_epochs_each_step_is_shown() -> None:
    """A step lies at its end, in epochs."""
    found = pictures_of(journal(3))
    assert [0.5, 1.0, 1.5, 2.0, 2.5, 3.0] == list(parts_of(found["levels"])["0"].x)
    assert [0.0, 0.5, 0.0, 0.5, 0.0, 0.5] == list(parts_of(found["levels"])["0"].y)
    assert found["levels"].title.endswith("\n6 steps in 3 epochs")


def test_of_very_many_steps_a_place_is_a_mean() -> None:
    """Of whole epochs; or of parts of them where epochs are few."""
    x = list(parts_of(pictures_of(journal(250))["levels"])["0"].x)
    assert (84, 1.75, 4.75, 250.0 - 0.25) == (len(x), x[0], x[1], x[-1])  # three epochs each, and a last one alone
    x = list(parts_of(pictures_of(journal(2, per_epoch=150))["levels"])["0"].x)
    assert (100, pytest.approx(2 / 150), pytest.approx(299 / 150)) == (len(x), x[0], x[-1])
    assert "means of 3 epochs each" in pictures_of(journal(250))["curves"].title
    assert "means of 3 steps each" in pictures_of(journal(2, per_epoch=150))["curves"].title


def test_a_single_step_can_be_seen() -> None:
    """From its beginning to its end."""
    found = pictures_of(journal(1, per_epoch=1))
    traces = [trace for picture in found.values() for panel in picture.panels for trace in panel.traces]
    assert {(0.0, 1.0)} == {tuple(trace.x) for trace in traces}
    assert all(trace.y[0] == trace.y[1] for trace in traces)
    assert () == step_pictures([])


def test_steps_that_are_lost_leave_the_others_in_place() -> None:
    """The file may have been put back without its first lines."""
    steps = journal(30)[25:]
    x = list(parts_of(pictures_of(steps)["operations"])["Rotate"].x)
    assert (13.0, 13.75, 29.75) == (x[0], x[1], x[-1])


def test_curves_are_means_over_an_epoch() -> None:
    """Steps 1 and 2 are the first epoch: their losses 1 and 5, 2 and 6, their entropies 49 and 48."""
    panels = curves_of(journal(12), most_entropy=60.0)
    assert ["controller", "entropy", "weight", "strength", "network"] == list(panels)
    firsts = {name: panel.traces[-1].y[0] for name, panel in panels.items()}
    wanted = {"controller": -1.5, "entropy": 48.5, "weight": 0.015, "strength": 0.0015, "network": 3.5}
    assert {name: pytest.approx(value) for name, value in wanted.items()} == firsts
    band, mean = panels["network"].traces
    assert ("band", "line", [3.5, 5.5], [2.0, 2.0]) == (band.kind, mean.kind, list(band.y[:2]), list(band.spread[:2]))
    assert band.colour == mean.colour
    assert not pictures_of(journal(12))["curves"].shared_y


def test_the_copies_losses_reach_from_the_least_to_the_largest() -> None:
    """The mean need not be in the middle."""
    steps = [step(number, *[("Rotate", 1)] * 3, losses=(1.0, 2.0, 6.0)) for number in (1, 2)]
    band, mean = curves_of(steps)["network"].traces
    assert ([3.0, 3.0], [3.5, 3.5], [2.5, 2.5]) == (list(mean.y), list(band.y), list(band.spread))


def test_a_collapse_is_told_by_half_of_the_entropy() -> None:
    """Where it is known."""
    limit, entropy = curves_of(journal(12), most_entropy=60.0)["entropy"].traces
    assert (GREY, [30.0] * 12, list(entropy.x)) == (limit.colour, list(limit.y), list(limit.x))
    assert "grey: 50 % of the largest entropy" in pictures_of(journal(12), most_entropy=60.0)["curves"].title
    assert 1 == len(curves_of(journal(12))["entropy"].traces)
    assert "grey" not in pictures_of(journal(12))["curves"].title


def test_what_has_no_level_has_no_strength() -> None:
    """Means are of the others; where nothing has one, the panel is left out."""
    strengths = [None, 0.4, None, None, 0.2, 0.6]
    steps = [step(number, ("Invert", 0), strength=value) for number, value in enumerate(strengths, start=1)]
    (trace,) = curves_of(steps)["strength"].traces
    assert ([1.0, 2.5, 3.0], [0.4, 0.2, 0.6]) == (list(trace.x), list(trace.y))
    steps = [step(number, ("Invert", 0), strength=None) for number in range(1, 7)]
    assert "strength" not in curves_of(steps)


def test_pictures_of_a_run(tmp_path: Path) -> None:
    """The entropy's half is that of what its settings let it choose; names are not those of a run's own files."""
    config = TrainConfig(
        dataset="digits", adversarial=True, batch_aug=2, controller_max_strength=0.5, controller_sample_pairing=True
    )
    with run_directory(tmp_path / "run", "train", config, main_process=True) as run:
        for each in journal(3):
            Journal(run / POLICIES, ControllerStep).append(each)
    found = {picture.name: picture for picture in run_pictures(tmp_path / "run")}
    assert ["levels", "operations", "curves"] == list(found)
    assert found["levels"] == pictures_of(journal(3))["levels"]
    most = Controller(allowed_choices(make_space("advaa", sample_pairing=True), 0.5)).most_entropy
    assert pytest.approx(most / 2) == found["curves"].panels[1].traces[0].y[0]


def test_a_run_without_a_controller_has_no_pictures(tmp_path: Path) -> None:
    """And the message names the file."""
    with pytest.raises(FaaError, match=r"has no file policies\.jsonl"):
        run_pictures(tmp_path)
