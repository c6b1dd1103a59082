"""Exploring: proposing, scoring and writing down the trials of all rounds, which advance together.

While one round's trial is scored, the others' next ones are proposed; so nothing waits for the sampler. Which trials
there are follows from the settings alone: executor, order of completion, and being stopped change nothing.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from faa_core import SubPolicies
from faa_search.runs.journal import Journal
from faa_search.runs.records.trials import Trial
from faa_search.searching.fast.proposing import Proposer
from faa_search.searching.fast.rounds import Round, Slot, draws_seed, proposal_seed
from faa_search.searching.samplers import Params, PolicySpace
from faa_search.searching.tasks import PolicyScores, ScorePolicy, origin_of
from faa_search.settings import SearchConfig
from faa_search.workers.executors.gathering import gather_from
from faa_search.workers.executors.protocol import Executor
from faa_search.workers.stopping import StopRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """What exploring needs.

    Attributes:
        config: The search's settings.
        space: Of policies.
        executor: Scores.
        proposer: Proposes.
        journal: Where trials go.
        finished: Called with each new trial.
        out_of_time: Whether no further trial may begin.
        request: Whether a signal asked to stop.
    """

    config: SearchConfig
    space: PolicySpace
    executor: Executor
    proposer: Proposer
    journal: Journal[Trial]
    finished: Callable[[Trial], None]
    out_of_time: Callable[[], bool]
    request: StopRequest


def explore(exploration: Exploration, rounds: Sequence[Round]) -> bool:
    """Bring all rounds to their depth; return whether there was time for that.

    Args:
        exploration: Settings and means.
        rounds: Under way; they take in the new trials.

    Raises:
        Stopped: If a signal asked for it; what was being scored is finished and written down.
    """
    proposed = _Proposed(exploration, rounds)
    by_place = {(one.fold, one.number): one for one in rounds}

    def finished(key: tuple[Slot, Params], scores: PolicyScores) -> None:
        slot, params = key
        trial = _trial(exploration, slot, params, scores)
        exploration.journal.append(trial)
        one = by_place[slot.fold, slot.round]
        one.add(trial)
        exploration.finished(trial)
        proposed.ask(one)

    gather_from(proposed, exploration.executor, finished, exploration.request)
    return not proposed.waiting


class _Proposed:
    """The trials to score: those that are proposed, the least advanced rounds first, while there is time."""

    def __init__(self, exploration: Exploration, rounds: Sequence[Round]) -> None:
        self.exploration = exploration
        self.waiting: dict[Slot, Future[Params]] = {}
        for one in rounds:
            self.ask(one)

    def ask(self, one: Round) -> None:
        """Have the trials of a round proposed that can be."""
        for slot in one.due():
            if slot.number < len(one.first):
                given: Future[Params] = Future()
                given.set_result(one.first[slot.number])
                self.waiting[slot] = given
            else:
                seed = proposal_seed(self.exploration.config.seed, slot)
                self.waiting[slot] = self.exploration.proposer.submit(one.known(slot), seed)

    def take(self) -> tuple[tuple[Slot, Params], ScorePolicy] | None:
        """Return the next trial, if it is proposed and there is time for it."""
        slot = min(self.waiting, default=None)
        if slot is None or not self.waiting[slot].done() or self.exploration.out_of_time():
            return None
        config = self.exploration.config
        params = dict(self.waiting.pop(slot).result())
        task = ScorePolicy(
            policy=SubPolicies(sub_policies=self.exploration.space.decode(params)),
            fold=slot.fold,
            views=config.views,
            seed=draws_seed(config.seed, slot, common=config.common_draws),
        )
        return (slot, params), task

    def awaited(self) -> "Sequence[Future[Params]]":
        """Return the proposal of the next trial, if there is time for it."""
        return [self.waiting[min(self.waiting)]] if self.waiting and not self.exploration.out_of_time() else ()


def _trial(exploration: Exploration, slot: Slot, params: Params, scores: PolicyScores) -> Trial:
    """Return a trial as it is written down."""
    config = exploration.config
    return Trial(
        fold=slot.fold,
        round=slot.round,
        number=slot.number,
        seed=proposal_seed(config.seed, slot),
        params=params,
        reward=scores.means[config.reward],
        standard_error=scores.errors[config.reward],
        metrics=scores.means,
        errors=scores.errors,
        views=config.views,
        draws=draws_seed(config.seed, slot, common=config.common_draws),
        seconds=round(scores.seconds, 4),
        origin=origin_of(scores),
    )
