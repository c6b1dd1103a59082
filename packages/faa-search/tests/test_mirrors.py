"""Whether a mirror changes the class: what networks without flips lose on mirrored images, and what is said of it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faa_search import SearchConfig, search_stage
from faa_search.searching.mirrors import MIRRORED, in_words

SIDE = 8
SMALL = {"img_size": SIDE, "model": "wrn10_1", "epochs": 12, "folds": 2, "warmup_epochs": 0, "lr": 0.1, "device": "cpu"}


class Told:
    """Keeps what is noted."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def track(self, what: str, total: int, *, done: int = 0):
        from faa_search.progress import Silent  # noqa: PLC0415

        return Silent().track(what, total, done=done)


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


def told(folder: Path, dataset: str, **settings: object) -> list[str]:
    """Return what the folds' stage notes of mirrors."""
    reporter = Told()
    config = SearchConfig(dataset=dataset, stage="folds", **SMALL | settings)
    search_stage(config, folder / "run", reporter=reporter)
    return [note for note in reporter.notes if note.startswith("Mirrored left to right, held-out images lose")]


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
    """They would lose nothing, whatever a mirror means."""
    assert told(tmp_path, archive(tmp_path, sided=True), hflip=0.5, epochs=1) == []


@pytest.mark.parametrize(
    ("accuracy", "lost", "low", "high", "said"),
    [
        (80.0, 23.12, 18.0, 28.0, "lose 23.1 of 80.0 points of accuracy (95% interval 18.0 … 28.0), by networks that"),
        (80.0, 23.12, 18.0, 28.0, "keep --hflip 0."),
        (90.0, -0.04, -1.0, 0.92, "lose 0.0 of 90.0 points of accuracy (95% interval -1.0 … 0.9)"),
        (90.0, 4.0, 1.0, 8.9, "--hflip 0.5 may help."),
        (90.0, 4.0, 1.0, 9.1, "too uncertain to tell"),
        (60.0, 7.0, -4.0, 16.0, "too uncertain to tell"),
        (12.0, 0.2, -0.9, 1.1, "know the images too little to tell; more --epochs may."),
        (30.0, 9.0, 5.0, 13.0, "keep --hflip 0."),
    ],
)
def test_what_is_said(accuracy: float, lost: float, low: float, high: float, said: str) -> None:
    """A large and certain loss is a warning; a small one an encouragement, if there was much to lose."""
    assert said in in_words(accuracy=accuracy, lost=lost, low=low, high=high)
