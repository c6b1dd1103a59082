"""From trials to a policy."""

from typing import Any

from faa_search.runs.records.trials import Trial
from faa_search.searching.fast.merge import best, merge
from faa_search.searching.samplers import PolicySpace

SPACE = PolicySpace(ops=("Rotate", "Invert"), sub_policies=2, num_ops=1)


def trial(number: int, reward: float, *ps: float) -> Trial:
    """Return a trial of two sub-policies that rotate with the given probabilities."""
    params: dict[str, Any] = {}
    for index, p in enumerate(ps):
        params |= {f"op_{index}_0": "Rotate", f"p_{index}_0": p, f"magnitude_{index}_0": 0.5}
    return Trial(
        fold=0,
        round=0,
        number=number,
        seed=0,
        params=params,
        reward=reward,
        standard_error=0.0,
        metrics={},
        errors={},
        views=1,
        draws=0,
        seconds=0.0,
    )


def merged(rounds: list[list[Trial]], top: int) -> list[float]:
    """Return the probabilities of the merged sub-policies."""
    return [sub_policy[0].p for sub_policy in merge(rounds, SPACE, top=top)]


def test_the_best_have_the_highest_reward() -> None:
    """The best first; of equals the earlier."""
    trials = [trial(0, -3.0), trial(1, -1.0), trial(2, -2.0), trial(3, -1.0)]
    assert [1, 3, 2] == [one.number for one in best(trials, 3)]
    assert [1, 3, 2, 0] == [one.number for one in best(trials[::-1], 10)]


def test_rounds_are_merged_in_order() -> None:
    """The best of each round, not of all; within a round the best first."""
    rounds = [
        [trial(0, 0.1, 0.1, 0.2), trial(1, 0.9, 0.3, 0.4), trial(2, 0.5, 0.5, 0.6)],
        [trial(0, 0.0, 0.7, 0.8), trial(1, -1.0, 0.9, 1.0)],
    ]
    assert [0.3, 0.4, 0.7, 0.8] == merged(rounds, 1)
    assert [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0] == merged(rounds, 2)


def test_only_exact_repetitions_go() -> None:
    """The same operations with another p stay; the first of equal sub-policies keeps its place."""
    rounds = [[trial(0, 1.0, 0.5, 0.5)], [trial(0, 1.0, 0.25, 0.5)], [trial(0, 1.0, 0.5 + 1e-12, 0.25)]]
    assert [0.5, 0.25, 0.5 + 1e-12] == merged(rounds, 1)


def test_no_trials_no_sub_policies() -> None:
    """Rounds that a budget left empty give nothing, and take nothing from the others."""
    assert [] == merged([], 3)
    assert [0.3, 0.4] == merged([[], [trial(0, -5.0, 0.3, 0.4)], []], 3)
