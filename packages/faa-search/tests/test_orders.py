"""Orders of an epoch: what each shows how often and where, and that seed and epoch decide it alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faa_core import UnknownNameError
from faa_core.randomness import key_of, permutation
from faa_search.training.orders import epoch_order

UNEVEN = np.repeat([0, 1, 2], [60, 30, 10]).astype(np.int64)[permutation(1, 100)]  # in no order
labels_lists = st.lists(st.sampled_from([0, 1, 5]), min_size=1, max_size=60)


def counts(order: np.ndarray, labels: np.ndarray) -> dict[int, int]:
    """Return how often each class is shown."""
    return {int(label): int((labels[order] == label).sum()) for label in np.unique(labels)}


def test_shuffle_is_the_order_it_always_was() -> None:
    for epoch in (0, 4):
        assert np.array_equal(
            permutation(key_of("order", 7, epoch), 100), epoch_order("shuffle", UNEVEN, seed=7, epoch=epoch)
        )


@pytest.mark.parametrize("sampling", ["shuffle", "spread", "balanced"])
def test_seed_and_epoch_decide(sampling: str) -> None:
    """The same again for the same two; another order for others; numpy's generator is not asked."""
    np.random.seed(0)  # noqa: NPY002 the state that must not matter
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = epoch_order(sampling, UNEVEN, seed=3, epoch=5)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert (np.int64, (100,)) == (first.dtype, first.shape)
    assert np.array_equal(first, epoch_order(sampling, UNEVEN, seed=3, epoch=5))
    assert not np.array_equal(first, epoch_order(sampling, UNEVEN, seed=3, epoch=6))
    assert not np.array_equal(first, epoch_order(sampling, UNEVEN, seed=4, epoch=5))


@given(labels_lists, st.sampled_from(["shuffle", "spread"]))
def test_each_image_once(labels: list[int], sampling: str) -> None:
    order = epoch_order(sampling, np.array(labels), seed=0, epoch=0)
    assert list(range(len(labels))) == sorted(order.tolist())


def test_spread_shows_every_class_all_along() -> None:
    """Every tenth of an epoch has its share of every class, give or take one; a shuffle does not."""
    share = {0: 6, 1: 3, 2: 1}

    def worst(sampling: str, epoch: int) -> int:
        order = epoch_order(sampling, UNEVEN, seed=0, epoch=epoch)
        return max(abs(counts(part, UNEVEN)[label] - share[label]) for part in np.split(order, 10) for label in share)

    assert max(worst("spread", epoch) for epoch in range(20)) <= 1
    assert max(worst("shuffle", epoch) for epoch in range(20)) > 2


def test_spread_places() -> None:
    """The j-th image of a class lies between (j + 0.8) / M and (j + 1.2) / M, at random there, as MicroNet has it."""
    labels = np.repeat([0, 1], [4, 1000]).astype(np.int64)
    places = []
    for epoch in range(200):
        order = epoch_order("spread", labels, seed=0, epoch=epoch)
        found = np.flatnonzero(labels[order] == 0)
        # the many of class 1 before an image tell its place to a thousandth
        places.append((found - np.arange(4)) / 1000 * 4 - np.arange(4))
    early = np.array(places)[:, :3]  # the last can be beyond the end, where no others tell
    assert 0.79 <= early.min() < 0.82
    assert 1.18 < early.max() <= 1.21
    assert 1.0 == pytest.approx(early.mean(), abs=0.02)


def test_spread_shuffles_within_each_class() -> None:
    """Each image of a class is its first equally often."""
    labels = np.repeat([0, 1], [4, 8]).astype(np.int64)
    firsts = [epoch_order("spread", labels, seed=0, epoch=epoch) for epoch in range(400)]
    found = np.bincount([order[order < 4][0] for order in firsts])
    assert all(70 < count < 130 for count in found)


def test_balanced_shows_every_class_equally_often() -> None:
    """100 draws of three classes: 33 or 34 of each; which one gets 34 changes."""
    richest = set()
    for epoch in range(20):
        shown = counts(epoch_order("balanced", UNEVEN, seed=0, epoch=epoch), UNEVEN)
        assert [33, 33, 34] == sorted(shown.values())
        richest.add(max(shown, key=shown.__getitem__))
    assert {0, 1, 2} == richest


@given(labels_lists, st.integers(0, 3))
def test_balanced_repeats_evenly(labels: list[int], epoch: int) -> None:
    """Of one class no image comes twice more than another; classes differ by one draw at most."""
    given_labels = np.array(labels)
    order = epoch_order("balanced", given_labels, seed=1, epoch=epoch)
    times = np.bincount(order, minlength=len(labels))
    assert len(labels) == times.sum()
    for label in set(labels):
        assert np.ptp(times[given_labels == label]) <= 1
    assert np.ptp(list(counts(order, given_labels).values())) <= 1


def test_balanced_takes_all_of_a_frequent_class_in_time() -> None:
    """Of a class with more images than draws each is shown once at most, and others in other epochs."""
    orders = [epoch_order("balanced", UNEVEN, seed=0, epoch=epoch) for epoch in range(12)]
    frequent = [order[UNEVEN[order] == 0] for order in orders]
    assert all(len(set(part.tolist())) == len(part) for part in frequent)
    assert 60 == len(set(np.concatenate(frequent).tolist()))


def test_balanced_mixes_the_classes() -> None:
    """Classes follow each other at random, not in blocks: about a third of neighbours are alike."""
    alike = [np.mean(np.diff(UNEVEN[epoch_order("balanced", UNEVEN, seed=0, epoch=epoch)]) == 0) for epoch in range(30)]
    assert 0.33 == pytest.approx(np.mean(alike), abs=0.03)


def test_balanced_classes_are_left_alone() -> None:
    """Where classes are even already, each image comes once."""
    order = epoch_order("balanced", np.arange(30) % 3, seed=0, epoch=0)
    assert list(range(30)) == sorted(order.tolist())


def test_unknown_orders_are_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean spread"):
        epoch_order("spred", UNEVEN, seed=0, epoch=0)
