"""Exploring: proposing, scoring and writing down the trials of all rounds, which advance together.

While one round's trial is scored, the others' next ones are proposed; so nothing waits for the sampler. Which trials
there are follows from the settings alone: executor, order of completion, and being stopped change nothing.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field

from faa_core import SubPolicies
from faa_search.runs.journal import Journal
from faa_search.runs.records.trials import Trial
from faa_search.searching.fast.proposing import Proposer
from faa_search.searching.fast.rounds import Round, Slot, draws_seed, proposal_seed
from faa_search.searching.samplers import Params, PolicySpace
from faa_search.searching.tasks import PolicyScores, ScorePolicy, origin_of
from faa_search.settings import SearchConfig
from faa_search.workers.executors.gathering import LOOK_UP, failed
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


@dataclass(slots=True)
class _UnderWay:
    """Trials that are being proposed, and those being scored."""

    proposed: dict[Slot, "Future[Params]"] = field(default_factory=dict)
    scored: dict["Future[PolicyScores]", tuple[Slot, Params]] = field(default_factory=dict)


def explore(exploration: Exploration, rounds: Sequence[Round]) -> bool:
    """Bring all rounds to their depth; return whether there was time for that.

    Args:
        exploration: Settings and means.
        rounds: Under way; they take in the new trials.

    Raises:
        Stopped: If a signal asked for it; what was being scored is finished and written down.
    """
    under_way = _UnderWay()
    by_place = {(one.fold, one.number): one for one in rounds}
    for one in rounds:
        _propose(exploration, one, under_way)
    while under_way.proposed or under_way.scored:
        ending = exploration.request.number is not None or exploration.out_of_time()
        if not ending:
            _score_next(exploration, under_way)
        elif not under_way.scored:
            break
        for slot, params, scored in _completed(under_way, ending=ending):
            trial = _trial(exploration, slot, params, scored.result())
            exploration.journal.append(trial)
            one = by_place[slot.fold, slot.round]
            one.add(trial)
            exploration.finished(trial)
            _propose(exploration, one, under_way)
    if exploration.request.number is not None:
        exploration.request.stop()
    return not under_way.proposed


def _propose(exploration: Exploration, one: Round, under_way: _UnderWay) -> None:
    """Have the trials of a round proposed that can be."""
    for slot in one.due():
        if slot.number < len(one.first):
            given: Future[Params] = Future()
            given.set_result(one.first[slot.number])
            under_way.proposed[slot] = given
        else:
            seed = proposal_seed(exploration.config.seed, slot)
            under_way.proposed[slot] = exploration.proposer.submit(one.known(slot), seed)


def _score_next(exploration: Exploration, under_way: _UnderWay) -> None:
    """Give the executor trials, the least advanced rounds first, as many as keep its workers busy."""
    executor, config = exploration.executor, exploration.config
    most = 1 if executor.in_process else 2 * executor.workers
    while under_way.proposed and len(under_way.scored) < most:
        slot = min(under_way.proposed)
        if not under_way.proposed[slot].done():
            return
        params = dict(under_way.proposed.pop(slot).result())
        task = ScorePolicy(
            policy=SubPolicies(sub_policies=exploration.space.decode(params)),
            fold=slot.fold,
            views=config.views,
            seed=draws_seed(config.seed, slot, common=config.common_draws),
        )
        under_way.scored[executor.submit(task)] = (slot, params)


def _completed(under_way: _UnderWay, *, ending: bool) -> list[tuple[Slot, Params, "Future[PolicyScores]"]]:
    """Return what has been scored, failures last; waits for something to happen, though not long."""
    if not any(future.done() for future in under_way.scored):
        awaited: list[Future[object]] = [*under_way.scored]  # type: ignore[list-item]
        if under_way.proposed and not ending:
            awaited += [one for one in under_way.proposed.values() if not one.done()]  # type: ignore[misc]
        wait(awaited, timeout=LOOK_UP, return_when=FIRST_COMPLETED)
    done = [future for future in under_way.scored if future.done()]
    done.sort(key=lambda future: (failed(future), under_way.scored[future][0]))
    return [(*under_way.scored.pop(future), future) for future in done]


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
