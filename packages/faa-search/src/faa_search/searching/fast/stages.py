"""The stages of a search, in order; each takes up what is there and leaves its result in the run's directory."""

import math
from contextlib import AbstractContextManager
from dataclasses import replace

from faa_core.text import counted
from faa_search.runs.records.search import SearchResult
from faa_search.runs.records.trials import Trial
from faa_search.searching.audit import audit
from faa_search.searching.clock import Clock
from faa_search.searching.estimate import Estimate, EstimateCost, describe_estimate
from faa_search.searching.fast.choose import choose, choosing_cost, cost_so_far, keep_policy_so_far
from faa_search.searching.fast.density import DensitySearch
from faa_search.searching.fast.explore import Exploration, explore
from faa_search.searching.fast.proposing import Proposer, proposal_seconds, proposing_aside, proposing_here, worth_aside
from faa_search.searching.fast.rounds import Round
from faa_search.searching.folding import check_budget, fit_folds, fit_seconds, prepare_networks
from faa_search.searching.mirrors import affords, fitted_seconds, fitting_beside, tell_of_mirrors
from faa_search.workers.executors.capacity import cores
from faa_search.workers.stopping import Stopped


def run_stages(search: DensitySearch) -> SearchResult | None:
    """Return what was found, or None if only a stage was asked for that ends before there is a policy.

    Args:
        search: Under way; with the result of the finished search that is only to be audited, or none.

    Raises:
        Stopped: If a signal asked for it; the policy of the trials so far is kept.
        FaaError: If something that is needed is missing, or the budget is too small for the folds alone.
    """
    config, before = search.config, search.before
    rounds = _rounds(search)
    clock = search.clock(before=cost_so_far(search))
    with _proposer(search, rounds) as proposer:
        with search.timed("folds"):
            _fold_stage(search, rounds, clock)
        if config.stage == "folds":
            return None
        if search.does("explore") and before is None:
            with search.timed("explore"):
                _explore_stage(search, rounds, clock, proposer)
    if config.stage == "explore":
        return None
    trials = [one.trials() for one in rounds]
    with search.timed("merge"):
        result = before if isinstance(before, SearchResult) else _choose_stage(search, trials)
    if not config.audit:
        return result
    with search.timed("audit"):
        return replace(result, audit=audit(search, trials, search.policy_of))


def _rounds(search: DensitySearch) -> list[Round]:
    config, done = search.config, search.trials.read()
    places = [(fold.index, number) for fold in search.images.folds for number in range(config.width)]
    return [
        Round(
            fold,
            number,
            depth=config.depth,
            batch=config.batch_proposals,
            first=search.first[at] if search.first else (),
            done=done,
        )
        for at, (fold, number) in enumerate(places)
    ]


def _proposer(search: DensitySearch, rounds: list[Round]) -> AbstractContextManager[Proposer]:
    """Return what proposes: other processes, if there is enough to do for them."""
    left = search.planned - sum(len(one.trials()) for one in rounds)
    explores = left and search.does("explore")
    each = proposal_seconds(search.space, search.sampler, depth=search.config.depth) if explores else 0.0
    if not worth_aside(proposals=left, seconds_each=each):
        return proposing_here(search.space, search.sampler)
    processes = min(len(rounds), max(1, cores() // 4))
    return proposing_aside(search.space, search.sampler, processes=processes, note=search.reporter.note)


def _fold_stage(search: DensitySearch, rounds: list[Round], clock: Clock) -> None:
    """Fit what is to be fitted, after saying what the search will cost."""
    config, directory, folds = search.config, search.directory, search.images.folds
    fits = config.stage in (None, "folds")
    missing = prepare_networks(search, fits=fits, stage="folds")
    begins = not any(one.trials() for one in rounds)
    beside = fitting_beside(search) if fits and begins else ()
    if config.stage != "merge" and begins:
        cost: Estimate = search.executor.submit(EstimateCost(search.space)).result()
        if beside and not affords(search, clock, folds=missing * cost.fold, fold=cost.fold):
            beside = ()
        search.reporter.note(_cost_in_words(search, cost, missing=missing, tests=bool(beside)))
        what, ways = counted(missing, "fold"), "fewer --folds, fewer --epochs"
        check_budget(search, clock, missing * cost.fold, what, ways=ways)
    spent = fit_seconds(directory, folds) + fitted_seconds(directory)
    fit_folds(directory, folds, search.executor, search.reporter, search.request, beside=beside)
    clock.add(fit_seconds(directory, folds) + fitted_seconds(directory) - spent)
    if fits:
        tell_of_mirrors(search, tests=begins)


def _cost_in_words(search: DensitySearch, cost: Estimate, *, missing: int, tests: bool = False) -> str:
    """Return what the search will cost, by stage and in all, with what would make that shorter."""
    config, images, workers = search.config, search.images, search.executor.workers
    at_once = min(workers, len(images.folds) * config.width * config.batch_proposals)
    fitting = math.ceil(missing / workers) * cost.fold
    scoring = (search.planned * cost.trial + choosing_cost(search, cost.trial)) / at_once
    ways = ["fewer --folds"]
    parts = {f"to fit {counted(missing, 'fold')} at {images.size} px": fitting} if missing else {}
    if tests and missing % workers == 0:  # else a worker that has no fold left to fit does it meanwhile
        parts["for the mirror test (--no-mirror-test)"] = cost.fold
    if config.stage != "folds":
        parts[f"to score {counted(search.planned, 'trial')}"] = scoring
        ways += ["less --depth", "a --budget such as 30m"]
    return describe_estimate(config, parts, size=images.size, workers=workers, ways=ways)


def _explore_stage(search: DensitySearch, rounds: list[Round], clock: Clock, proposer: Proposer) -> None:
    """Score the trials that are left, as far as the budget lets."""
    seen = [trial for one in rounds for trial in one.trials()]

    def out_of_time() -> bool:
        if not seen:  # without a trial there is no policy
            return False
        each = sum(trial.seconds for trial in seen) / len(seen)
        return not clock.has(each + choosing_cost(search, each))

    with search.reporter.track("Trials", search.planned, done=len(seen)) as advance:

        def finished(trial: Trial) -> None:
            seen.append(trial)
            clock.add(trial.seconds)
            leader = max(seen, key=lambda one: one.reward)
            advance(f"best {search.config.reward} {leader.reward:z.4f} ± {leader.standard_error:.4f}")

        exploration = Exploration(
            config=search.config,
            space=search.space,
            executor=search.executor,
            proposer=proposer,
            journal=search.trials,
            finished=finished,
            out_of_time=out_of_time,
            request=search.request,
        )
        try:
            complete = explore(exploration, rounds)
        except Stopped:
            keep_policy_so_far(search)
            raise
    if not complete:
        search.reporter.note(
            f"--budget {search.config.budget} is used up after {len(seen):,} of {counted(search.planned, 'trial')}."
        )


def _choose_stage(search: DensitySearch, rounds: list[list[Trial]]) -> SearchResult:
    try:
        return choose(search, rounds)
    except Stopped:
        keep_policy_so_far(search)
        raise
