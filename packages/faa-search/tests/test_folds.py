"""Folds: sizes, shares, and what cannot be split."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faa_core import FaaError
from faa_search.searching.folds import Fold, folds_text, make_folds

LABELS = np.arange(200) % 4
NAMES = tuple("abcdefghij")


def made(labels: np.ndarray = LABELS, *, folds: int = 5, held_out: float = 0.4, seed: int = 0) -> tuple[Fold, ...]:
    """Return the folds."""
    option = f"--held-out {held_out:g}"
    return make_folds(labels, class_names=NAMES, folds=folds, held_out=held_out, seed=seed, option=option)


@given(held_out=st.sampled_from([0.1, 0.2, 0.4, 0.8]), folds=st.integers(1, 6), seed=st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_each_fold_splits_all_images(held_out: float, folds: int, seed: int) -> None:
    """Two sorted, disjoint parts that together are everything, stratified to the image."""
    splits = made(folds=folds, held_out=held_out, seed=seed)
    assert list(range(folds)) == [fold.index for fold in splits]
    for fold in splits:
        assert list(range(200)) == sorted([*fold.train, *fold.held_out])
        assert np.all(np.diff(fold.train) > 0)
        assert np.all(np.diff(fold.held_out) > 0)
        assert [round(50 * held_out)] * 4 == np.bincount(LABELS[fold.held_out]).tolist()


def test_sizes_of_the_original() -> None:
    """4,000 images of 10 classes at 0.4: 2,400 to fit on, 1,600 to score on; two folds share about 40 % of those."""
    folds = made(np.arange(4000) % 10)
    assert {(2400, 1600)} == {(len(fold.train), len(fold.held_out)) for fold in folds}
    assert {160} == {count for fold in folds for count in np.bincount(fold.held_out % 10).tolist()}
    shared = len(np.intersect1d(folds[0].held_out, folds[1].held_out)) / 1600
    assert 0.35 < shared < 0.45


def test_folds_are_keyed() -> None:
    """The same seed, the same folds; another seed and another fold, another split."""
    first, same, other = made(seed=1), made(seed=1), made(seed=2)
    for fold, twin in zip(first, same, strict=True):
        assert fold.held_out.tolist() == twin.held_out.tolist()
    assert first[0].held_out.tolist() != other[0].held_out.tolist()
    assert first[0].held_out.tolist() != first[1].held_out.tolist()


def test_a_single_fold() -> None:
    """One split is allowed."""
    assert 1 == len(made(folds=1))


def test_fewer_images_than_folds() -> None:
    """Said with both numbers."""
    with pytest.raises(FaaError, match="4 training images are fewer than --folds 5"):
        made(np.array([0, 0, 1, 1]))


def test_a_class_with_one_image() -> None:
    """It cannot be on both sides; the class is named."""
    with pytest.raises(FaaError, match=r"1 class has a single training image \(h\)"):
        made(np.array([3, 3, 3, 7, 5, 5]))


def test_too_little_held_out_for_the_classes() -> None:
    """Every class must be on both sides."""
    with pytest.raises(FaaError, match=r"--held-out 0.01: the 200 training images would be split into 2 and 198"):
        made(held_out=0.01)


def test_the_text_lists_positions() -> None:
    """folds.json can be read by anyone, and two searches' can be compared."""
    folds = made(np.arange(8) % 2, folds=2, held_out=0.5)
    rows = json.loads(folds_text(folds))
    assert [{"train": fold.train.tolist(), "held_out": fold.held_out.tolist()} for fold in folds] == rows
    assert folds_text(folds) == folds_text(made(np.arange(8) % 2, folds=2, held_out=0.5))
    assert folds_text(folds) != folds_text(made(np.arange(8) % 2, folds=2, held_out=0.5, seed=1))
