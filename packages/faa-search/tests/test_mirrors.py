"""Whether a mirror changes the class: what networks without flips lose on mirrored images, and what is said of it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faa_core import FaaError
from faa_search import SearchConfig, search_stage
from faa_search.runs.opening import SearchRun, open_run
from faa_search.runs.records.mirrors import MirrorTest
from faa_search.runs.results import read_mirrors
from faa_search.searching.estimate import Estimate
from faa_search.searching.fast import stages
from faa_search.searching.mirrors import MIRRORED, fitted_seconds, in_words
from faa_search.workers.stopping import Stopped

SIDE = 8
SMALL = {"img_size": SIDE, "model": "wrn10_1", "epochs": 12, "folds": 2, "warmup_epochs": 0, "lr": 0.1, "device": "cpu"}


FLIPPED = {"hflip": 0.5, "folds": 1}


class Told:
    """Keeps what is noted, and what is tracked; stops, if asked to, after so many epochs of the mirror test."""

    def __init__(self, *, stop_after: int = 0) -> None:
        self.notes: list[str] = []
        self.tracks: list[tuple[str, int, int]] = []
        self.left = stop_after

    def note(self, message: str) -> None:
        self.notes.append(message)

    @contextmanager
    def track(self, what: str, total: int, *, done: int = 0) -> Iterator[Callable[..., None]]:
        self.tracks.append((what, total, done))

        def advance(detail: str = "") -> None:
            self.left -= what == "Mirror test"
            if what == "Mirror test" and self.left == 0:
                raise Stopped(2)

        yield advance


def archive(folder: Path, *, sided: bool) -> str:
    """Write images of two classes: stripes that rise or fall; or that are upright or level, which a mirror keeps."""
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 2
    images = rng.integers(0, 60, (120, SIDE, SIDE, 3), dtype=np.uint8)
    down, across = np.mgrid[:SIDE, :SIDE]
    kinds = (down + across, down - across) if sided else (down, across)
    for image, label in zip(images, labels, strict=True):
        image[kinds[label] % 4 < 2] += 150
    np.savez(folder / "images.npz", images=images, labels=labels)
    return str(folder / "images.npz")


def searched(folder: Path, dataset: str, **settings: object) -> Told:
    """Return what the folds' stage tells."""
    reporter = Told()
    config = SearchConfig(dataset=dataset, stage="folds", **SMALL | settings)
    search_stage(config, folder / "run", reporter=reporter)
    return reporter


def told(folder: Path, dataset: str, **settings: object) -> list[str]:
    """Return what the folds' stage notes of mirrors."""
    notes = searched(folder, dataset, **settings).notes
    return [note for note in notes if note.startswith("Mirrored left to right, held-out images lose")]


def known(run: Path) -> MirrorTest:
    """Return a run's record."""
    test = read_mirrors(run)
    assert test is not None
    return test


def test_the_mirror_is_one() -> None:
    """Every image, left to right."""
    image = Image.fromarray(np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3))
    for index in range(20):
        mirrored = MIRRORED.apply(image, seed=0, epoch=0, index=index)
        assert np.array_equal(np.asarray(mirrored), np.asarray(image)[:, ::-1])


def test_classes_that_a_mirror_changes_are_found(tmp_path: Path) -> None:
    """Left and right change places, and the networks lose nearly all."""
    (note,) = told(tmp_path, archive(tmp_path, sided=True), hflip=0.0)
    assert float(note.split("lose ")[1].split()[0]) > 60
    assert note.endswith("A mirrored image can mean another class here: keep --hflip 0.")


def test_classes_that_a_mirror_keeps(tmp_path: Path) -> None:
    """Above and below stay; a finished stage is not tested again."""
    dataset = archive(tmp_path, sided=False)
    (note,) = told(tmp_path, dataset, hflip=0.0)
    assert abs(float(note.split("lose ")[1].split()[0])) < 5
    assert note.endswith("A mirror hardly changes the class: --hflip 0.5 may help.")


def test_networks_that_learnt_mirrors_are_not_asked(tmp_path: Path) -> None:
    """They would lose nothing, whatever a mirror means; so one network is fitted without, once, and its folder goes."""
    dataset, run = archive(tmp_path, sided=True), tmp_path / "run"
    first = searched(tmp_path, dataset, **FLIPPED)
    assert first.tracks == [("Network", 12, 0), ("Mirror test", 12, 0)]
    note = first.notes[-1]
    assert float(note.split("lose ")[1].split()[0]) > 60
    assert note.endswith("mean another class here: give --hflip 0 in place of --hflip 0.5, to trainings too.")
    assert not (run / "mirrors").exists()
    test, record = known(run), (run / "mirrors.json").read_bytes()
    assert (test.networks, test.epochs) == (1, SMALL["epochs"])
    assert fitted_seconds(run) == test.seconds > 0
    again = searched(tmp_path, dataset, **FLIPPED)
    assert again.tracks == []
    assert again.notes[-1] == note
    assert record == (run / "mirrors.json").read_bytes()
    opened = open_run(run)
    assert isinstance(opened, SearchRun)
    assert opened.mirrors == test


def test_flips_that_change_nothing(tmp_path: Path) -> None:
    """The folds' networks are those of a search that makes no test."""
    dataset = archive(tmp_path, sided=False)
    (note,) = told(tmp_path, dataset, **FLIPPED)
    assert note.endswith("A mirror hardly changes the class: --hflip 0.5 may stay.")
    assert told(tmp_path / "without", dataset, **FLIPPED, mirror_test=False) == []
    assert not (tmp_path / "without" / "run" / "mirrors.json").exists()
    weights = [(folder / "run/fold0/model.safetensors").read_bytes() for folder in (tmp_path, tmp_path / "without")]
    assert weights[0] == weights[1]


def test_a_test_that_is_stopped_goes_on(tmp_path: Path) -> None:
    """From the epoch that it had reached, to the same figures; what it took until then is counted."""
    dataset = archive(tmp_path, sided=True)
    searched(tmp_path / "straight", dataset, **FLIPPED)
    config, run = SearchConfig(dataset=dataset, stage="folds", **SMALL | FLIPPED), tmp_path / "stopped" / "run"
    with pytest.raises(Stopped):
        search_stage(config, run, reporter=Told(stop_after=5))
    assert read_mirrors(run) is None
    assert fitted_seconds(run) > 0
    assert searched(tmp_path / "stopped", dataset, **FLIPPED).tracks == [("Mirror test", 12, 5)]
    assert replace(known(run), seconds=0.0) == replace(known(tmp_path / "straight" / "run"), seconds=0.0)


def test_processes_test_the_same(tmp_path: Path) -> None:
    """The network is fitted in one of them."""
    dataset, shorter = archive(tmp_path, sided=True), FLIPPED | {"folds": 2, "epochs": 3}
    searched(tmp_path / "one", dataset, **shorter)
    assert searched(tmp_path / "two", dataset, **shorter, num_processes=2).tracks == [("Folds", 2, 0)]
    one, two = (replace(known(tmp_path / name / "run"), seconds=0.0) for name in ("one", "two"))
    assert one == two


@pytest.mark.parametrize(("budget", "said"), [("100h", False), ("30m", True)])
def test_a_small_budget_leaves_the_test_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: str, said: bool
) -> None:
    """Where it would take more than a tenth of what the folds leave; that is noted, and it costs no time."""
    monkeypatch.setattr(stages.EstimateCost, "__call__", lambda task, bench: Estimate(fold=170.0, trial=0.1))
    notes = searched(tmp_path, archive(tmp_path, sided=True), hflip=0.5, folds=1, epochs=1, budget=budget).notes
    left_out = [note for note in notes if note.startswith("The mirror test is left out: it would take 3 min,")]
    (cost,) = [note for note in notes if note.startswith("Estimated time")]
    assert len(left_out) == said
    assert ("3 min for the mirror test (--no-mirror-test)" in cost) != said
    assert (tmp_path / "run" / "mirrors.json").exists() != said


def test_networks_of_another_search(tmp_path: Path) -> None:
    """Nothing is fitted: what that search knows is taken over, and its networks are asked if they saw no flips."""
    dataset = archive(tmp_path, sided=True)
    for name, hflip in (("flipped", 0.5), ("plain", 0.0)):
        searched(tmp_path / name, dataset, folds=2, epochs=3, hflip=hflip)
    flipped, plain = (tmp_path / name / "run" for name in ("flipped", "plain"))
    assert told(tmp_path / "a", dataset, epochs=3, hflip=0.5, init_models=str(flipped))
    assert known(tmp_path / "a" / "run") == replace(known(flipped), seconds=0.0)
    for run in (flipped, plain):
        (run / "mirrors.json").unlink()
    assert told(tmp_path / "b", dataset, epochs=3, hflip=0.0, init_models=str(flipped)) == []
    assert told(tmp_path / "c", dataset, epochs=3, hflip=0.5, init_models=str(plain)) == []
    assert told(tmp_path / "d", dataset, epochs=3, hflip=0.0, init_models=str(plain))
    assert known(tmp_path / "d" / "run").networks == 2


def test_a_damaged_record(tmp_path: Path) -> None:
    """It is said which file, and what to do."""
    dataset = archive(tmp_path, sided=True)
    searched(tmp_path, dataset, hflip=0.0, epochs=1)
    record = tmp_path / "run" / "mirrors.json"
    text = record.read_text()
    for damaged in ("{}", text.replace('"high": ', '"high": -'), text.replace('"networks": 2', '"networks": 0')):
        record.write_text(damaged)
        with pytest.raises(FaaError, match=r"mirrors.json' holds no mirror test .* Delete it, and the same command"):
            searched(tmp_path, dataset, hflip=0.0, epochs=1)
    shutil.copy(record, tmp_path / "kept.json")
    record.unlink()
    searched(tmp_path, dataset, hflip=0.0, epochs=1)
    assert record.read_text() == text


@pytest.mark.parametrize(
    ("accuracy", "lost", "low", "high", "hflip", "said"),
    [
        (80.0, 23.12, 18.0, 28.0, 0.0, "lose 23.1 of 80.0 points of accuracy (95% interval 18.0 … 28.0), by networks"),
        (80.0, 23.12, 18.0, 28.0, 0.0, "keep --hflip 0."),
        (80.0, 23.12, 18.0, 28.0, 0.3, "give --hflip 0 in place of --hflip 0.3, to trainings too."),
        (90.0, -0.04, -1.0, 0.92, 0.0, "lose 0.0 of 90.0 points of accuracy (95% interval -1.0 … 0.9)"),
        (90.0, 4.0, 1.0, 8.9, 0.0, "--hflip 0.5 may help."),
        (90.0, 4.0, 1.0, 8.9, 0.3, "--hflip 0.3 may stay."),
        (90.0, 4.0, 1.0, 9.1, 0.5, "too uncertain to tell"),
        (60.0, 7.0, -4.0, 16.0, 0.0, "too uncertain to tell"),
        (12.0, 0.2, -0.9, 1.1, 0.5, "too little accuracy to tell; more --epochs may."),
        (30.0, 9.0, 5.0, 13.0, 0.0, "keep --hflip 0."),
    ],
)
def test_what_is_said(accuracy: float, lost: float, low: float, high: float, hflip: float, said: str) -> None:
    """A large and certain loss is a warning; a small one an encouragement, if there was much to lose."""
    parts = {"accuracy": accuracy / 100, "lost": lost / 100, "low": low / 100, "high": high / 100}
    assert said in in_words(MirrorTest(**parts, networks=2, epochs=9, seconds=0.0), hflip=hflip)


def test_how_many_networks() -> None:
    """One is not several."""
    test = MirrorTest(accuracy=0.9, lost=0.0, low=-0.01, high=0.01, networks=1, epochs=9, seconds=4.0)
    assert "by a network that saw no mirrored image." in in_words(test, hflip=0.5)
