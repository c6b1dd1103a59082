"""Which trial comes next, what it may know, and what keys it: plain rules, checked number by number."""

from typing import Any

import pytest

from faa_search.runs.records.trials import Trial
from faa_search.searching.fast.rounds import Round, Slot, draws_seed, proposal_seed


def trial(number: int, *, fold: int = 0, at: int = 0) -> Trial:
    """Return a trial whose reward tells it from all others."""
    return Trial(
        fold=fold,
        round=at,
        number=number,
        seed=0,
        params={"op_0_0": f"{fold}-{at}-{number}"},
        reward=fold + 0.1 * at + 0.01 * number,
        standard_error=0.0,
        metrics={},
        errors={},
        views=1,
        draws=0,
        seconds=0.0,
    )


def taken_up(**given: Any) -> Round:
    """Return round 1 of fold 2."""
    return Round(2, 1, **{"depth": 7, "batch": 3, "first": (), "done": ()} | given)


def due(one: Round) -> list[int]:
    """Return the numbers that are due, which are of this very round."""
    slots = one.due()
    assert all((slot.fold, slot.round) == (2, 1) for slot in slots)
    return [slot.number for slot in slots]


def test_a_batch_is_due_at_once_and_each_trial_once() -> None:
    """The next batch waits for the whole one before it; the last is cut to the depth."""
    one = taken_up()
    assert [0, 1, 2] == due(one)
    for number in (2, 0):
        one.add(trial(number, fold=2, at=1))
        assert [] == due(one)
    one.add(trial(1, fold=2, at=1))
    assert [3, 4, 5] == due(one)
    for number in (5, 4, 3):
        one.add(trial(number, fold=2, at=1))
    assert [6] == due(one)
    one.add(trial(6, fold=2, at=1))
    assert [] == due(one)
    assert list(range(7)) == [each.number for each in one.trials()]


def test_batches_of_one_are_the_paper() -> None:
    """One trial at a time, which knows all before it."""
    one = taken_up(batch=1, depth=3)
    for number in range(3):
        assert [number] == due(one)
        assert number == len(one.known(Slot(number, 2, 1)))
        one.add(trial(number, fold=2, at=1))
    assert [] == due(one)


def test_a_trial_knows_exactly_the_batches_before_its_own() -> None:
    """In order, whatever the order they were done in; nothing of its own batch that is done already."""
    done = [trial(number, fold=2, at=1) for number in (4, 2, 0, 1, 3, 5)]
    one = taken_up(done=done)
    for number, knows in [(0, 0), (2, 0), (3, 3), (5, 3), (6, 6)]:
        known = one.known(Slot(number, 2, 1))
        assert [f"2-1-{each}" for each in range(knows)] == [scored.params["op_0_0"] for scored in known]
        assert [2.1 + 0.01 * each for each in range(knows)] == pytest.approx([scored.reward for scored in known])


def test_a_round_taken_up_again_lacks_only_what_is_missing() -> None:
    """Holes in a batch are filled before the next batch; trials of other rounds are passed over."""
    others = [trial(number, fold=fold, at=at) for fold, at in [(2, 0), (1, 1)] for number in range(7)]
    one = taken_up(done=[*others, trial(0, fold=2, at=1), trial(2, fold=2, at=1)])
    assert [0, 2] == [each.number for each in one.trials()]
    assert [1] == due(one)
    one.add(trial(1, fold=2, at=1))
    assert [3, 4, 5] == due(one)


def test_given_trials_are_cut_to_the_depth() -> None:
    """A warm start longer than the round."""
    assert 2 == len(taken_up(depth=2, first=[{"op_0_0": "Invert"}] * 5).first)


def test_slots_are_ordered_so_that_rounds_advance_together() -> None:
    """Number first, then fold, then round."""
    slots = [Slot(number, fold, at) for fold in range(2) for at in range(2) for number in range(3)]
    assert [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0)] == [
        (slot.number, slot.fold, slot.round) for slot in sorted(slots)[:5]
    ]


def test_proposals_are_keyed_by_everything() -> None:
    """Seed, fold, round and number all matter."""
    keys = {
        proposal_seed(seed, Slot(number, fold, at))
        for seed in range(3)
        for number in range(3)
        for fold in range(3)
        for at in range(3)
    }
    assert 81 == len(keys)


def test_common_draws_are_keyed_by_the_fold_alone() -> None:
    """Without them, by the trial; neither is what keys a proposal."""
    slots = [Slot(number, fold, at) for number in range(3) for fold in range(2) for at in range(2)]
    common = {slot: draws_seed(5, slot, common=True) for slot in slots}
    assert all(common[slot] == common[Slot(0, slot.fold, 0)] for slot in slots)
    assert 2 == len(set(common.values()))
    own = {draws_seed(5, slot, common=False) for slot in slots}
    assert 12 == len(own)
    assert not own & set(common.values())
    assert not own & {proposal_seed(5, slot) for slot in slots}
    assert draws_seed(5, slots[0], common=True) != draws_seed(6, slots[0], common=True)
