"""Corrupted images as published: the layout of CIFAR-10-C and CIFAR-100-C."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faa_core import FaaError
from faa_core.reading import size_of
from faa_search.measuring.corruptions.table import CORRUPTIONS, SEVERITIES

LABELS = "labels.npy"
LAYOUT = (
    f"A folder such as CIFAR-10-C holds NAME.npy of each corruption, uint8 [5·N, S, S, 3], with the N images of "
    f"severity 1 first, and {LABELS}, integers [5·N]."
)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Published:
    """A folder of corrupted images, all of the same test images.

    Attributes:
        folder: Where they are.
        names: The corruptions that are there.
        missing: Those that are not.
        labels: Classes, int64 ``[5 * N]``.
    """

    folder: Path
    names: tuple[str, ...]
    missing: tuple[str, ...]
    labels: NDArray[np.int64]

    def read(self, name: str, severity: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return the images ``[N, S, S, 3]`` and labels ``[N]`` of one severity.

        Raises:
            FaaError: If the file cannot be read any more.
        """
        count = len(self.labels) // len(SEVERITIES)
        part = slice((severity - 1) * count, severity * count)
        return np.array(_images(self.folder / f"{name}.npy", self.labels)[part]), self.labels[part]


def open_published(folder: Path, *, classes: int) -> Published:
    """Return the published images of a folder, after a look at the shape of every file.

    Args:
        folder: With the files.
        classes: How many the network tells apart.

    Raises:
        FaaError: If a file is damaged or of another shape, or there are no labels or no corruptions.
    """
    if not folder.is_dir():
        raise FaaError(f"There is no folder '{folder}' of corrupted images; 'make' makes them. {LAYOUT}")
    labels = _labels(folder / LABELS, classes)
    names = [row.name for row in CORRUPTIONS]
    there = tuple(name for name in names if (folder / f"{name}.npy").is_file())
    if not there:
        raise FaaError(f"'{folder}' holds none of the corruptions {', '.join(names)}. {LAYOUT}")
    for name in there:
        _images(folder / f"{name}.npy", labels)
    missing = tuple(name for name in names if name not in there)
    return Published(folder=folder, names=there, missing=missing, labels=labels)


def _labels(path: Path, classes: int) -> NDArray[np.int64]:
    labels = _mapped(path)
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) == 0 or len(labels) % len(SEVERITIES):
        raise FaaError(f"'{path}' holds {labels.dtype} {list(labels.shape)}. {LAYOUT}")
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest >= classes:
        raise FaaError(f"The labels of '{path}' are {lowest} … {highest}; the network has {classes} classes.")
    return np.asarray(labels, dtype=np.int64)


def _images(path: Path, labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    images = _mapped(path)
    square = images.ndim == 4 and images.shape[1] == images.shape[2] > 0 and images.shape[3] == 3
    if images.dtype != np.uint8 or not square:
        raise FaaError(f"'{path}' holds {images.dtype} {list(images.shape)}. {LAYOUT}")
    if len(images) != len(labels):
        raise FaaError(f"'{path}' holds {len(images)} images, and {LABELS} beside it {len(labels)} labels. {LAYOUT}")
    return images


def _mapped(path: Path) -> NDArray[Any]:
    """Return an array on disk, not read yet; one that would have to be unpickled is refused."""
    try:
        if path.exists() and not size_of(path):
            raise ValueError("it is empty")
        return np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError as error:
        raise FaaError(f"There is no file '{path}'. {LAYOUT}") from error
    except (OSError, ValueError, EOFError, TypeError, SyntaxError, MemoryError, OverflowError) as error:
        raise FaaError(f"'{path}' cannot be read as .npy: {error}. {LAYOUT}") from error
