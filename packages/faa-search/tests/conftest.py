"""Small settings, images on disk and a reporter that listens, for all test files."""

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from PIL import Image

from faa_search import SearchConfig
from faa_search.data import ArraySource
from faa_search.training import make_accelerator
from faa_search.training.models import ModelInput, model_input

WriteImages = Callable[..., Path]
Install = Callable[..., None]


class Interruption(Exception):  # noqa: N818 it stands for a killed process
    """What a listener raises to stop a run in the middle."""


class Listener:
    """A reporter that keeps what it is told, and can stop the run after a number of finished units."""

    def __init__(self, *, stop_after: int | None = None) -> None:
        self.notes: list[str] = []
        self.tracks: list[tuple[str, int, int]] = []
        self.units = 0
        self.stop_after = stop_after

    def note(self, message: str) -> None:
        self.notes.append(message)

    @contextmanager
    def track(self, what: str, total: int, *, done: int = 0) -> Iterator[Callable[..., None]]:
        self.tracks.append((what, total, done))
        yield self._advance

    def _advance(self, detail: str = "") -> None:
        self.units += 1
        if self.units == self.stop_after:
            raise Interruption(detail)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute with one thread: faster for tiny networks, and the same on every machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def listener() -> type[Listener]:
    """Return the class of reporters that listen."""
    return Listener


@pytest.fixture(scope="session")
def interruption() -> type[Exception]:
    """Return what a listener stops a run with."""
    return Interruption


@pytest.fixture(scope="session")
def accelerator() -> Accelerator:
    """Return this process on the CPU."""
    return make_accelerator("cpu")


@pytest.fixture(scope="session")
def expected() -> ModelInput:
    """Return what wrn16_1 takes."""
    return model_input("wrn16_1")


@pytest.fixture(scope="session")
def small_search() -> SearchConfig:
    """Return a search of about a second: 2 folds of 2 epochs, 2 rounds of 3 trials each."""
    return SearchConfig(
        dataset="digits",
        train_subset=60,
        img_size=8,
        model="wrn16_1",
        epochs=2,
        batch_size=16,
        folds=2,
        width=2,
        depth=3,
        top=2,
        sub_policies=2,
        views=2,
        hflip=0.0,
        device="cpu",
    )


@pytest.fixture(scope="session")
def noise() -> Callable[..., ArraySource]:
    """Return a function that makes random labelled images in memory."""

    def make(count: int, *, size: int = 8, classes: int = 3, seed: int = 0) -> ArraySource:
        rng = np.random.default_rng(seed)
        images = rng.integers(1, 256, (count, size, size, 3), dtype=np.uint8)  # no zeros: those are padding
        names = tuple(f"class {number}" for number in range(classes))
        return ArraySource(images, np.arange(count, dtype=np.int64) % classes, names)

    return make


@pytest.fixture
def write_images(tmp_path: Path) -> WriteImages:
    """Return a function that writes an image folder: how many images of each class, with their mode and size."""
    rng = np.random.default_rng(3)

    def write(
        counts: Mapping[str, int], *, root: str = "images", size: int = 8, mode: str = "RGB", suffix: str = "png"
    ) -> Path:
        for name, count in counts.items():
            folder = tmp_path / root / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
                Image.fromarray(pixels).convert(mode).save(folder / f"{number}.{suffix}")
        return tmp_path / root

    return write


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return a function that installs a throw-away distribution with one module for one test."""
    before = set(sys.modules)

    def install_distribution(*, group: str, entry: str, source: str) -> None:
        root = tmp_path / "site"
        info = root / "throwaway-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: throwaway\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")
        (root / "throwaway_module.py").write_text(source)
        monkeypatch.syspath_prepend(str(root))
        importlib.invalidate_caches()

    yield install_distribution
    for module in set(sys.modules) - before:
        if module.startswith("throwaway_"):
            del sys.modules[module]


@pytest.fixture(scope="session")
def pixels() -> Callable[[Any], np.ndarray]:
    """Return a function that stacks all images of a source."""
    return lambda source: np.stack([np.asarray(source.image(index)) for index in range(len(source))])
