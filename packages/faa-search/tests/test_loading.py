"""In which order images are loaded, over epochs, views and processes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faa_search.training.loading import OrderedBatches, Rank, ShuffledBatches, steps_per_epoch
from faa_search.training.views import Key

ALONE = Rank()


def shuffled(images: int, batch_size: int, *, epochs: range = range(1), rank: Rank = ALONE) -> list[list[Key]]:
    """Return all batches."""
    return list(ShuffledBatches(images, batch_size, epochs=epochs, seed=3, rank=rank))


@given(images=st.integers(1, 60), batch_size=st.integers(1, 20), epochs=st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_shuffled_batches(images: int, batch_size: int, epochs: int) -> None:
    """Whole batches only, each image at most once an epoch, as many as announced."""
    order = ShuffledBatches(images, batch_size, epochs=range(epochs), seed=1, rank=Rank())
    batches = list(order)
    assert len(order) == len(batches) == epochs * steps_per_epoch(images, batch_size, Rank())
    assert {min(images, batch_size)} >= {len(batch) for batch in batches}
    for epoch in range(epochs):
        seen = [index for batch in batches for number, index in batch if number == epoch]
        assert len(seen) == len(set(seen)) == max(1, images // batch_size) * min(images, batch_size)
        assert set(range(images)) >= set(seen)


def test_the_incomplete_batch_is_another_one_each_epoch() -> None:
    """An image left out of one epoch comes in another."""
    batches = shuffled(10, 4, epochs=range(20))
    assert 40 == len(batches)
    assert set(range(10)) == {index for batch in batches for _epoch, index in batch}


def test_epochs_are_shuffled_and_can_be_entered_anywhere() -> None:
    """Each epoch has its own order; beginning with epoch 2 gives what epoch 2 had."""
    whole = shuffled(12, 4, epochs=range(4))
    assert [index for _epoch, index in whole[0]] != [index for _epoch, index in whole[3]]
    assert whole[6:] == shuffled(12, 4, epochs=range(2, 4))


def test_the_seed_keys_the_order() -> None:
    """Another seed, another order."""
    orders = [list(ShuffledBatches(30, 30, epochs=range(1), seed=seed, rank=Rank())) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize(("images", "batch_size"), [(40, 4), (41, 4), (7, 3), (5, 8)])
@pytest.mark.parametrize("count", [2, 3])
def test_processes_share_what_one_would_see(images: int, batch_size: int, count: int) -> None:
    """The batches of n processes are, together, those of one with n times the batch."""
    parts = [shuffled(images, batch_size, epochs=range(2), rank=Rank(index=n, count=count)) for n in range(count)]
    together = min(batch_size, images // count) * count
    one = shuffled(images, together, epochs=range(2))
    assert [sorted(batch) for batch in one] == [
        sorted(key for batch in batches for key in batch) for batches in zip(*parts, strict=True)
    ]
    steps = steps_per_epoch(images, batch_size, Rank(count=count))
    assert {2 * steps} == {len(part) for part in parts}


@given(images=st.integers(1, 30), batch_size=st.integers(1, 50), views=st.integers(1, 4), count=st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_ordered_batches(images: int, batch_size: int, views: int, count: int) -> None:
    """Every image once per view, over all processes together, in order."""
    orders = [OrderedBatches(images, batch_size, views=views, rank=Rank(index=n, count=count)) for n in range(count)]
    keys = [[key for batch in order for key in batch] for order in orders]
    everything = [(view, index) for view in range(views) for index in range(images)]
    assert everything == sorted(key for part in keys for key in part)
    assert all(part == sorted(part) for part in keys)
    assert [len(list(order)) for order in orders] == [len(order) for order in orders]


def test_steps_per_epoch() -> None:
    """Whole batches of all processes; at least one."""
    assert [7, 3, 1, 1] == [
        steps_per_epoch(images, 128, Rank(count=count)) for images, count in ((1000, 1), (1000, 2), (100, 1), (1, 3))
    ]
