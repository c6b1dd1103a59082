"""One round: B trials, each proposed from those before it, scored, and written down."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from faa_core import SubPolicies
from faa_core.randomness import seed_of
from faa_search.config import SearchConfig
from faa_search.fast.journal import Journal, Trial
from faa_search.fast.objective import REWARDS, HeldOut, mean_and_error, score
from faa_search.samplers import PolicySpace, Sampler, Scored


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """An independent run of the sampler on one fold."""

    fold: int
    number: int

    def of(self, trials: list[Trial]) -> list[Trial]:
        """Return this round's trials, in order."""
        own = [trial for trial in trials if (trial.fold, trial.round) == (self.fold, self.number)]
        return sorted(own, key=lambda trial: trial.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """What every round needs.

    Attributes:
        config: The search's settings.
        space: Of policies.
        sampler: Proposes.
        journal: Where trials go.
        finished: Called with each new trial.
    """

    config: SearchConfig
    space: PolicySpace
    sampler: Sampler
    journal: Journal
    finished: Callable[[Trial], None]


def explore(exploration: Exploration, this: Round, held_out: HeldOut, done: list[Trial]) -> list[Trial]:
    """Return all trials of a round, those of `done` and the new ones.

    Args:
        exploration: Settings, space, sampler, journal.
        this: Which round.
        held_out: The fold's network and images.
        done: The round's trials of an earlier process, in order.
    """
    trials = list(done)
    while len(trials) < exploration.config.depth:
        trial = _trial(exploration, this, held_out, trials)
        exploration.journal.append(trial)
        exploration.finished(trial)
        trials.append(trial)
    return trials


def _trial(exploration: Exploration, this: Round, held_out: HeldOut, before: list[Trial]) -> Trial:
    started = time.perf_counter()
    number = len(before)
    seed = seed_of("trial", exploration.config.seed, this.fold, this.number, number)
    history = [Scored(trial.params, trial.reward) for trial in before]
    params = dict(exploration.sampler(exploration.space, history, seed))
    policy = SubPolicies(sub_policies=exploration.space.decode(params))
    scores = score(held_out, policy, seed=seed)
    metrics = {name: mean_and_error(scores.per_image(name)) for name in REWARDS}
    reward, standard_error = metrics[exploration.config.reward]
    return Trial(
        fold=this.fold,
        round=this.number,
        number=number,
        seed=seed,
        params=params,
        reward=reward,
        standard_error=standard_error,
        metrics={name: mean for name, (mean, _error) in metrics.items()},
        seconds=round(time.perf_counter() - started, 4),
    )
