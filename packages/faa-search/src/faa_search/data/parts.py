"""Parts of a data set in which every class keeps its share: subsets, and what is held out; what does not allow one."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faa_core import FaaError
from faa_core.text import counted
from faa_search.data.classes import some
from faa_search.data.source import ImageSource

DATA_SEED = 0  # the run's seed must not move it: a search and a training of other seeds share the test images


def subset(source: ImageSource, size: int) -> ImageSource:
    """Return a stratified subset for --train-subset; the same one whatever the run's seed is.

    Args:
        source: All images.
        size: How many to keep.

    Raises:
        FaaError: If there are fewer images, or the classes do not allow it.
    """
    option = f"--train-subset {size}"
    if size > len(source):
        raise FaaError(f"{option} is more than the {len(source):,} training images.")
    if size < len(source):
        least = len(np.unique(source.labels))
        allowed = f"{least:,} to {len(source) - least:,} images, or leave it out for all"
        check_parts(source.labels, source.class_names, size, option=option, allowed=allowed)
    return source.subset(draw_stratified(source.labels, size, seed=DATA_SEED))


def held_out(source: ImageSource, fraction: float, *, option: str) -> tuple[ImageSource, ImageSource]:
    """Return the images that are left and the stratified part that is held out; the same whatever the run's seed is.

    Args:
        source: All images.
        fraction: Of them, to hold out, in (0, 1); at least one image is.
        option: That asks for it, such as "--test-fraction".

    Raises:
        FaaError: If the classes do not allow it.
    """
    size = max(1, round(fraction * len(source)))
    allowed = fractions(source.labels)
    check_parts(source.labels, source.class_names, size, option=f"{option} {fraction:g}", allowed=allowed)
    part = draw_stratified(source.labels, size, seed=DATA_SEED)
    return source.subset(np.setdiff1d(np.arange(len(source)), part)), source.subset(part)


def check_parts(labels: NDArray[np.int64], class_names: Sequence[str], size: int, *, option: str, allowed: str) -> None:
    """Refuse two parts that would not both have an image of each class.

    Args:
        labels: Shape ``[N]``, of the training images.
        class_names: Of all classes.
        size: Of one part; the other has the rest.
        option: That asks for it, with its value.
        allowed: What to give instead, as words after "Give".

    Raises:
        FaaError: If a class has a single image, or a part has fewer images than there are classes.
    """
    there, counts = np.unique(labels, return_counts=True)
    single = [class_names[int(label)] for label in there[counts < 2]]
    if single:
        raise FaaError(
            f"{option}: {counted(len(single), 'class has', 'classes have')} a single training image ({some(single)}), "
            "but each of the two parts needs one of each class. Add images, or leave such classes out."
        )
    rest = len(labels) - size
    if min(size, rest) < len(there):
        raise FaaError(
            f"{option}: the {len(labels):,} training images would be split into {size:,} and {rest:,}, but each part "
            f"needs at least one image of each of the {len(there):,} classes. Give {allowed}."
        )


def fractions(labels: NDArray[np.int64]) -> str:
    """Return which fractions of the images can be held out, in words."""
    least = math.ceil(1000 * len(np.unique(labels)) / max(1, len(labels))) / 1000
    return f"a fraction of {least:g} to {1 - least:g}"


def draw_stratified(labels: NDArray[np.int64], size: int, *, seed: int) -> NDArray[np.int64]:
    """Return the sorted positions of a random subset with the classes' shares kept, as scikit-learn splits.

    Args:
        labels: Shape ``[N]``.
        size: How many to keep, 1…N; N keeps all.
        seed: Keys the choice.

    Raises:
        FaaError: If the labels do not allow it.
    """
    from sklearn.model_selection import StratifiedShuffleSplit  # noqa: PLC0415 a third of a command's imports

    if size == len(labels):
        return np.arange(len(labels))
    try:
        splitter = StratifiedShuffleSplit(n_splits=1, train_size=size, test_size=len(labels) - size, random_state=seed)
        kept, _rest = next(splitter.split(np.zeros(len(labels)), labels))
    except ValueError as error:
        raise FaaError(
            f"A stratified subset of {size:,} of {len(labels):,} images is not possible: it and the rest need an image "
            "of each class."
        ) from error
    return np.sort(kept)
