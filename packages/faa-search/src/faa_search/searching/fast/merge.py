"""From trials to the policy: the best of every round, together, each sub-policy once."""

from collections.abc import Sequence

from faa_search.runs.records.trials import Trial
from faa_search.searching.samplers import PolicySpace
from faa_search.searching.samplers.space import SubPolicy


def best(trials: Sequence[Trial], top: int) -> list[Trial]:
    """Return a round's `top` trials, the best first; of equals the earlier."""
    return sorted(trials, key=lambda trial: (-trial.reward, trial.number))[:top]


def merge(rounds: Sequence[Sequence[Trial]], space: PolicySpace, *, top: int) -> tuple[SubPolicy, ...]:
    """Return the sub-policies of the best trials of every round, in order, without repetitions.

    Only exact repetitions go; the original drops those with the same operations inside a trial, whatever their p and λ.
    """
    kept = [space.decode(trial.params) for trials in rounds for trial in best(trials, top)]
    return tuple(dict.fromkeys(sub_policy for sub_policies in kept for sub_policy in sub_policies))
