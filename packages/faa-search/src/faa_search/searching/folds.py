"""Folds: stratified shuffle splits of the training images into D_M, to fit on, and D_A, to score policies on.

As in the original these are independent shuffles, not a partition: the held-out parts of two folds overlap.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faa_core import FaaError
from faa_core.randomness import seed_of
from faa_search.data.parts import check_parts, fractions


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One split: sorted positions in the training images.

    Attributes:
        index: 0…K−1.
        train: Shape ``[M]``: D_M.
        held_out: Shape ``[A]``: D_A.
    """

    index: int
    train: NDArray[np.int64]
    held_out: NDArray[np.int64]


def make_folds(
    labels: NDArray[np.int64],
    *,
    class_names: Sequence[str],
    folds: int,
    held_out: float,
    seed: int,
    option: str = "--held-out",
) -> tuple[Fold, ...]:
    """Return the folds.

    Args:
        labels: Shape ``[N]``, of the training images.
        class_names: Of the classes, for messages.
        folds: How many.
        held_out: Images in D_A: a float is their fraction, between 0 and 1; an int counts them.
        seed: Keys the shuffles.
        option: The flag that sets this, with its value, for messages.

    Raises:
        FaaError: If there are too few images, of some class or in all.
    """
    from sklearn.model_selection import StratifiedShuffleSplit  # noqa: PLC0415 a third of a command's imports

    if len(labels) < folds:
        raise FaaError(f"{len(labels)} training images are fewer than --folds {folds}.")
    if isinstance(held_out, int):
        scored, allowed = held_out, _counts(labels)
    else:
        scored, allowed = math.ceil(held_out * len(labels)), fractions(labels)  # as scikit-learn counts
    check_parts(labels, class_names, scored, option=option, allowed=allowed)
    splitter = StratifiedShuffleSplit(n_splits=folds, test_size=held_out, random_state=seed_of("folds", seed))
    splits = splitter.split(np.zeros(len(labels)), labels)
    return tuple(Fold(index, np.sort(train), np.sort(test)) for index, (train, test) in enumerate(splits))


def _counts(labels: NDArray[np.int64]) -> str:
    """Return how many images either part can have, in words."""
    least = len(np.unique(labels))
    return f"{least:,} to {len(labels) - least:,}"


def folds_text(folds: tuple[Fold, ...]) -> str:
    """Return the folds as JSON: a list of {"train": […], "held_out": […]}, positions in the images."""
    return json.dumps([{"train": fold.train.tolist(), "held_out": fold.held_out.tolist()} for fold in folds]) + "\n"
