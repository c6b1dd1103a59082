"""In which order images are loaded, over epochs, views and processes."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faa_core import FaaError
from faa_search.data import ImageSource
from faa_search.settings import TrainConfig
from faa_search.training.loading import OrderedBatches, TrainingBatches, load
from faa_search.training.plan import Plan, make_plan
from faa_search.training.views import Batch, Key, Views
from faa_search.workers.ranks import Rank

ALONE = Rank()
Noise = Callable[..., ImageSource]


def batches_of(plan: Plan, *, epochs: range = range(1), seed: int = 3, skip: int = 0, **others: Any) -> list[list[Key]]:
    """Return all batches of a process."""
    labels_N = np.arange(plan.images) % 2
    settings = {"sampling": "shuffle"} | others
    return list(TrainingBatches(plan, labels_N, epochs=epochs, seed=seed, skip=skip, **settings))


def planned(images: int, batch_size: int, *, rank: Rank = ALONE, **settings: Any) -> Plan:
    """Return the plan of settings."""
    return make_plan(TrainConfig(batch_size=batch_size, **settings), images, rank)


@given(images=st.integers(1, 60), batch_size=st.integers(1, 20), epochs=st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_training_batches(images: int, batch_size: int, epochs: int) -> None:
    """Whole batches only, each image at most once an epoch, as many as announced."""
    plan = planned(images, batch_size)
    order = TrainingBatches(plan, np.zeros(images, dtype=np.int64), sampling="shuffle", epochs=range(epochs), seed=1)
    batches = list(order)
    assert len(order) == len(batches) == epochs * plan.updates
    assert {min(images, batch_size)} >= {len(batch) for batch in batches}
    for epoch in range(epochs):
        seen = [index for batch in batches for number, _copy, index in batch if number == epoch]
        assert len(seen) == len(set(seen)) == max(1, images // batch_size) * min(images, batch_size)
        assert set(range(images)) >= set(seen)


def test_the_incomplete_batch_is_another_one_each_epoch() -> None:
    """An image left out of one epoch comes in another."""
    batches = batches_of(planned(10, 4), epochs=range(20))
    assert 40 == len(batches)
    assert set(range(10)) == {index for batch in batches for _epoch, _copy, index in batch}


def test_epochs_are_shuffled_and_can_be_entered_anywhere() -> None:
    """Each epoch has its own order; beginning within epoch 2 gives what was left of epoch 2."""
    plan = planned(12, 2, grad_accum_steps=2)
    whole = batches_of(plan, epochs=range(4))
    assert [index for _epoch, _copy, index in whole[0]] != [index for _epoch, _copy, index in whole[6]]
    assert whole[12:] == batches_of(plan, epochs=range(2, 4))
    assert whole[16:] == batches_of(plan, epochs=range(2, 4), skip=2)


def test_the_seed_keys_the_order() -> None:
    """Another seed, another order."""
    orders = [batches_of(planned(30, 30), seed=seed) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize(("images", "batch_size"), [(40, 4), (41, 4), (7, 3), (5, 8)])
@pytest.mark.parametrize("count", [2, 3])
def test_processes_share_what_one_would_see(images: int, batch_size: int, count: int) -> None:
    """The batches of n processes are, together, those of one with n times the batch."""
    plans = [planned(images, batch_size, rank=Rank(index=n, count=count)) for n in range(count)]
    parts = [batches_of(plan, epochs=range(2)) for plan in plans]
    one = batches_of(planned(images, min(batch_size, images // count) * count), epochs=range(2))
    assert [sorted(batch) for batch in one] == [
        sorted(key for batch in batches for key in batch) for batches in zip(*parts, strict=True)
    ]
    assert {2 * plans[0].updates} == {len(part) for part in parts}


@pytest.mark.parametrize(("processes", "accumulation"), [(1, 4), (2, 2), (4, 1)])
def test_accumulation_stands_for_processes(processes: int, accumulation: int) -> None:
    """An update sees the same images whether they come from several processes or one after another."""
    plans = [
        planned(41, 3, rank=Rank(index=n, count=processes), grad_accum_steps=accumulation) for n in range(processes)
    ]
    assert {(12, 3, accumulation)} == {(plan.images_per_update, plan.updates, plan.passes) for plan in plans}
    update = [key for plan in plans for batch in batches_of(plan)[: plan.passes] for key in batch]
    assert sorted(update) == sorted(key for batch in batches_of(planned(41, 12))[:1] for key in batch)


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 8, 16])
def test_copies_of_a_batch(processes: int) -> None:
    """Eight copies of every image, no two alike, each forward pass of different images; spread where that divides."""
    plans = [planned(90, 5, rank=Rank(index=n, count=processes), batch_aug=8) for n in range(processes)]
    sharing = {1: 1, 2: 2, 3: 1, 4: 4, 8: 8, 16: 8}[processes]
    assert {(sharing, 8 // sharing)} == {(plan.sharing, plan.passes) for plan in plans}
    passes = [batch for plan in plans for batch in batches_of(plan, epochs=range(3, 4))[: plan.passes]]
    assert all(len({index for _epoch, _copy, index in batch}) == 5 for batch in passes)
    keys = [key for batch in passes for key in batch]
    assert len(keys) == len(set(keys)) == 8 * plans[0].images_per_update
    indices = {index for _epoch, _copy, index in keys}
    assert {(3, copy, index) for copy in range(8) for index in indices} == set(keys)
    assert all(len({copy for _epoch, copy, _index in batch}) == 1 for batch in passes)
    for plan in plans:
        copies = [batch[0][1] for batch in batches_of(plan)]
        own = [plan.own_copies[number % len(plan.own_copies)] for number in range(len(copies))]
        assert [range(copy, copy + 1) for copy in copies] == own


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 8])
def test_copies_at_once(processes: int) -> None:
    """A pass has every image in four of its eight copies, row after row; the processes part images before copies."""
    plans = [
        planned(90, 5, rank=Rank(index=n, count=processes), batch_aug=8, copies_per_pass=4) for n in range(processes)
    ]
    sharing = {1: 1, 2: 2, 3: 1, 4: 2, 8: 2}[processes]
    assert {(sharing, 2 // sharing)} == {(plan.sharing, plan.passes) for plan in plans}
    passes = [batch for plan in plans for batch in batches_of(plan, epochs=range(3, 4))[: plan.passes]]
    keys = [key for batch in passes for key in batch]
    assert len(keys) == len(set(keys)) == 8 * plans[0].images_per_update
    for batch in passes:
        first = batch[0][1]
        assert first in (0, 4)
        images = [index for _epoch, _copy, index in batch[::4]]
        assert len(set(images)) == 5
        assert batch == [(3, copy, index) for index in images for copy in range(first, first + 4)]


def test_a_stream_may_end_within_an_epoch() -> None:
    """Updates from `skip` until `until` are those of the whole stream, in its order."""
    plan = planned(90, 5, batch_aug=2)
    whole, part = batches_of(plan, epochs=range(4, 6)), []
    for skip, until in ((0, 7), (7, 8), (8, 18)):
        order = TrainingBatches(plan, np.zeros(90), sampling="shuffle", epochs=range(4, 5), seed=3, skip=skip,
                                until=until)  # fmt: skip
        assert len(order) == 2 * (until - skip) == len(list(order))
        part += list(order)
    assert part == whole[:36]


def test_images_that_come_again_are_drawn_anew() -> None:
    """A rare class is repeated in a balanced epoch, and never with the same draw."""
    labels_N = np.array([0] * 38 + [1] * 2)
    order = TrainingBatches(planned(40, 10), labels_N, sampling="balanced", epochs=range(2), seed=0)
    keys = [key for batch in order for key in batch]
    assert 80 == len(keys) == len(set(keys))
    assert {0, 1} == {epoch for epoch, _copy, _number in keys}
    assert {20} == {sum(number % 40 >= 38 for _epoch, _copy, number in keys[at : at + 40]) for at in (0, 40)}


def test_too_few_images() -> None:
    """Less than an image for each forward pass is refused; a small set makes the batch smaller."""
    with pytest.raises(FaaError, match=r"5 training images are too few for 3 processes .*-steps 2: .* 6"):
        planned(5, 8, rank=Rank(count=3), grad_accum_steps=2)
    assert (2, 1) == (planned(13, 8, rank=Rank(count=3), grad_accum_steps=2).batch, 12 // 12)


@given(images=st.integers(1, 30), batch_size=st.integers(1, 50), views=st.integers(1, 4), count=st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_ordered_batches(images: int, batch_size: int, views: int, count: int) -> None:
    """Every image once per view, over all processes together, in order."""
    orders = [OrderedBatches(images, batch_size, views=views, rank=Rank(index=n, count=count)) for n in range(count)]
    keys = [[key for batch in order for key in batch] for order in orders]
    everything = [(view, 0, index) for view in range(views) for index in range(images)]
    assert everything == sorted(key for part in keys for key in part)
    assert all(part == sorted(part) for part in keys)
    assert [len(list(order)) for order in orders] == [len(order) for order in orders]


class Deadly(Views):
    """A view whose loader processes die."""

    def __getitems__(self, keys: list[Key]) -> Batch:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


@pytest.mark.parametrize("ends", ["normally", "early", "by an error"])
def test_loader_processes_end_with_the_block(noise: Noise, ends: str) -> None:
    """However it ends, and while its trace is still held."""
    view, order = Views(source=noise(40), size=8), OrderedBatches(40, 2, rank=Rank())
    held = None
    try:
        with load(view, order, workers=2) as batches:
            next(batches)
            running = multiprocessing.active_children()
            assert 2 <= len(running)
            if ends == "by an error":
                raise ArithmeticError
            if ends == "normally":
                assert 19 == len(list(batches))
    except ArithmeticError as error:
        held = error
    assert (held is None) is (ends != "by an error")
    assert not [each for each in running if each.is_alive()]


def test_a_lost_loader_process_is_told_in_words(noise: Noise) -> None:
    """And everything else as it is."""
    view, order = Deadly(source=noise(40), size=8), OrderedBatches(40, 2, rank=Rank())
    with pytest.raises(FaaError, match=r"A loader process is gone \(.*use fewer --workers"):  # noqa: SIM117
        with load(view, order, workers=1) as batches:
            next(batches)
    with pytest.raises(RuntimeError, match="shapes"), load(view, order, workers=0):
        raise RuntimeError("shapes")


def test_passes_of_an_update_are_counted_before_processes() -> None:
    """With 3 processes and 2 passes, pass n of process p takes the (3n + p)-th part of the order."""
    order = [key for batch in batches_of(planned(24, 24)) for key in batch]
    for process in range(3):
        plan = planned(24, 2, rank=Rank(index=process, count=3), grad_accum_steps=2)
        parts = [order[2 * part : 2 * part + 2] for part in (process, 3 + process, 6 + process, 9 + process)]
        assert parts == batches_of(plan)
