"""Which images: stratified subsets, and a test part where a data set has none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faa_core import FaaError
from faa_search.data import ArraySource, ImageSource, OpenedData, decode_into_array, draw_stratified, open_data
from faa_search.data.parts import held_out, subset
from faa_search.data.sizing import fitted
from faa_search.searching.folds import make_folds
from faa_search.settings import TrainConfig

Pixels = Callable[[ImageSource], np.ndarray]


def opened(**settings: Any) -> OpenedData:
    """Return data as the settings have it."""
    return open_data(TrainConfig(**settings), model_size=32, note=lambda _message: None)


@pytest.fixture
def numbered(tmp_path: Path) -> str:
    """Return a file of 100 images, each of its own colour, without a test split: 70 of class 0, 30 of class 1."""
    images = np.zeros((100, 4, 4, 3), dtype=np.uint8)
    images[..., 0] = np.arange(100)[:, None, None]
    np.savez(tmp_path / "numbered.npz", images=images, labels=np.repeat([0, 1], [70, 30]))
    return str(tmp_path / "numbered.npz")


def numbers(source: ImageSource) -> list[int]:
    """Return which images a part of `numbered` holds."""
    return [int(np.asarray(source.image(index))[0, 0, 0]) for index in range(len(source))]


@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_stratified_keeps_the_shares(data: st.DataObject) -> None:
    """So many positions, sorted, none twice, each class within one of its share."""
    counts = data.draw(st.lists(st.integers(5, 40), min_size=2, max_size=5))
    labels = np.repeat(np.arange(len(counts)), counts)
    size = data.draw(st.integers(len(counts), len(labels) - len(counts)))
    kept = draw_stratified(labels, size, seed=data.draw(st.integers(0, 1000)))
    assert size == len(kept)
    assert np.all(np.diff(kept) > 0)
    shares = np.array(counts) * size / len(labels)
    assert np.abs(np.bincount(labels[kept], minlength=len(counts)) - shares).max() <= 1


def test_stratified_is_keyed() -> None:
    """The same seed keeps the same images; all of them means all of them."""
    labels = np.arange(60) % 3
    assert draw_stratified(labels, 30, seed=1).tolist() == draw_stratified(labels, 30, seed=1).tolist()
    assert draw_stratified(labels, 30, seed=1).tolist() != draw_stratified(labels, 30, seed=2).tolist()
    assert list(range(60)) == draw_stratified(labels, 60, seed=1).tolist()


def test_stratified_says_why_not() -> None:
    """Fewer images than classes cannot keep the shares."""
    with pytest.raises(FaaError, match="A stratified subset of 2 of 9 images is not possible"):
        draw_stratified(np.arange(9) % 3, 2, seed=0)


def test_train_subset(pixels: Pixels) -> None:
    """--train-subset keeps so many training images, the same under every seed, and all test images."""
    part, other = opened(train_subset=100), opened(train_subset=100, seed=5)
    assert 100 == len(part.train)
    assert {9, 10, 11} >= set(np.bincount(part.train.labels).tolist())
    assert np.array_equal(pixels(part.train), pixels(other.train))
    assert part.open_test is not None
    assert 1000 == len(part.open_test())


def test_train_subset_too_large() -> None:
    """More than there are is an error, not all of them."""
    with pytest.raises(FaaError, match="--train-subset 798 is more than the 797 training images"):
        opened(train_subset=798)
    assert 797 == len(opened(train_subset=797).train)


def test_test_fraction_splits_the_training_images(numbered: str) -> None:
    """Disjoint parts that together are all, each class by its share."""
    data = opened(dataset=numbered, test_fraction=0.2)
    assert data.open_test is not None
    test = data.open_test()
    assert list(range(100)) == sorted(numbers(data.train) + numbers(test))
    assert ([56, 24], [14, 6]) == (np.bincount(data.train.labels).tolist(), np.bincount(test.labels).tolist())


def test_test_fraction_does_not_follow_the_seed(numbered: str) -> None:
    """A search and trainings of many seeds must never see each other's test images."""
    first, second = (opened(dataset=numbered, test_fraction=0.2, seed=seed) for seed in (0, 1))
    assert numbers(first.train) == numbers(second.train)


def test_test_fraction_comes_before_the_subset(numbered: str) -> None:
    """A subset is drawn from what is left, so it leaves the test images as they are."""
    whole, part = (opened(dataset=numbered, test_fraction=0.2, train_subset=size) for size in (None, 40))
    assert whole.open_test is not None
    assert part.open_test is not None
    assert numbers(whole.open_test()) == numbers(part.open_test())
    assert 40 == len(part.train)
    assert set() == set(numbers(part.train)) & set(numbers(part.open_test()))


def test_test_fraction_where_there_is_a_test_split() -> None:
    """Two test splits would be one too many."""
    with pytest.raises(FaaError, match="--test-fraction is for data sets without a test split"):
        opened(test_fraction=0.2)


def test_no_images_and_one_class(tmp_path: Path) -> None:
    """Nothing to learn from is said before anything is trained."""
    empty = np.zeros((0, 4, 4, 3), dtype=np.uint8)
    np.savez(tmp_path / "none.npz", images=empty, labels=np.zeros(0, dtype=int))
    with pytest.raises(FaaError, match=r"'images' of '.*none\.npz' holds no image\."):
        opened(dataset=str(tmp_path / "none.npz"))
    np.savez(tmp_path / "one.npz", images=np.zeros((3, 4, 4, 3), dtype=np.uint8), labels=np.ones(3, dtype=int))
    with pytest.raises(FaaError, match=r"All 3 training images of .* are of one class"):
        opened(dataset=str(tmp_path / "one.npz"))


@pytest.mark.parametrize("option", ["--test-fraction", "--val-fraction", "--held-out", "--train-subset"])
def test_parts_that_classes_do_not_allow(option: str, tmp_path: Path, noise: Callable[..., ArraySource]) -> None:
    """The option, the numbers, what is allowed, classes by name and few of them; and the limits are allowed."""
    source = noise(40, classes=4)  # one of each class is a part of 0.1

    def parted(fraction: float, source: ArraySource = source) -> tuple[int, int]:
        if option == "--train-subset":
            part = len(subset(source, round(fraction * len(source))))
            return len(source) - part, part
        if option == "--held-out":
            names = source.class_names
            fold = make_folds(source.labels, class_names=names, folds=2, held_out=fraction, seed=0)[1]
            return len(fold.train), len(fold.held_out)
        rest, part = held_out(source, fraction, option=option)
        return len(rest), len(part)

    assert ((36, 4), (4, 36)) == (parted(0.1), parted(0.9))
    for fraction in (0.05, 0.95, 0.99) if option != "--train-subset" else (0.05, 0.95):
        with pytest.raises(FaaError) as raised:
            parted(fraction)
        message = str(raised.value)
        assert message.startswith(option)
        assert "the 40 training images would be split into" in message
        assert "one image of each of the 4 classes. Give " in message
        assert ("4 to 36 images" if option == "--train-subset" else "a fraction of 0.1 to 0.9") in message
    many = noise(3000, classes=2000)
    with pytest.raises(FaaError) as raised:
        parted(0.5, many)
    message = str(raised.value)
    assert "1,000 classes have a single training image (class 1000, class 1001, " in message
    assert len(message) < 400


def test_img_size(pixels: Pixels) -> None:
    """--img-size resizes (bicubic) training and test images; without it they come at their own size."""
    data = opened(train_subset=20, img_size=12)
    own = opened(train_subset=20)
    assert (12, 8) == (data.size, own.size)
    assert data.open_test is not None
    assert (12, 12) == data.open_test().image(0).size
    assert np.array_equal(np.asarray(fitted(own.train.image(3), 12)), pixels(data.train)[3])


def test_fitted_cuts_the_centre() -> None:
    """The shorter side is resized, and what is too long is cut off alike at both ends."""
    wide = np.zeros((4, 10, 3), dtype=np.uint8)
    wide[:, :, 0] = np.arange(10)
    source = ArraySource(wide[None], np.zeros(1, dtype=np.int64), ("a",))
    assert [[3, 4, 5, 6]] * 4 == decode_into_array(source, 4).images[0, :, :, 0].tolist()
    assert (8, 8) == fitted(source.image(0), 8).size
