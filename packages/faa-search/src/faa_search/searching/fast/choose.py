"""The last stage: from trials to the policy, and how it compares with policies that need no search."""

from collections.abc import Sequence

from faa_core import FaaError, SubPolicies
from faa_core.text import counted
from faa_search.runs.files import POLICY
from faa_search.runs.records.search import SearchResult
from faa_search.runs.records.trials import Trial
from faa_search.searching.controls import (
    RANDOM_CONTROLS,
    SEARCH_FREE,
    Key,
    compare,
    control_policies,
    control_tasks,
    random_controls,
)
from faa_search.searching.fast.density import DensitySearch
from faa_search.searching.fast.merge import merge
from faa_search.searching.fast.rescoring import rescore
from faa_search.searching.folding import fit_seconds
from faa_search.searching.mirrors import fitted_seconds
from faa_search.searching.samplers.space import SubPolicy
from faa_search.workers.executors.gathering import gather


def choose(search: DensitySearch, rounds: Sequence[Sequence[Trial]]) -> SearchResult:
    """Return the policy of the best trials of every round, scored beside its controls; both are written down.

    Args:
        search: Under way.
        rounds: All trials.

    Raises:
        Stopped: If a signal asked for it.
        FaaError: If there are no trials.
    """
    config, directory, images = search.config, search.directory, search.images
    kept = rescore(search, rounds) if config.rescore else rounds
    seconds = cost_so_far(search)
    trials = sum(map(len, rounds))
    sub_policies = merge(kept, search.space, top=config.top)
    if not sub_policies:
        raise FaaError(f"'{directory}' has no trials to choose from; --stage explore makes them.")
    policy = _named(search, sub_policies, seconds=seconds, trials=trials)
    found = counted(len(sub_policies), "sub-policy", "sub-policies")
    search.reporter.note(f"Comparing the found policy ({found}) with the controls.")
    randoms = random_controls(len(sub_policies), ops=search.space.ops, num_ops=config.ops, seed=config.seed)
    policies = control_policies(policy, randoms)
    tasks = control_tasks(policies, folds=len(images.folds), views=config.views, reward=config.reward, seed=config.seed)
    values: dict[Key, list[float]] = {}
    gather(tasks, search.executor, values.__setitem__, search.request)
    reward, controls = compare({key: values[key] for key in tasks})  # in this order, whichever was done first
    for journal in (search.trials, search.rescored):
        journal.sync()
    result = SearchResult(
        policy=policy,
        reward=reward,
        controls=controls,
        trials=trials,
        planned=search.planned,
        seconds=seconds,
        fitting=round(fit_seconds(directory, images.folds), 3),
        budget=config.budget,
    )
    search.keep(result)
    return result


def keep_policy_so_far(search: DensitySearch) -> None:
    """Write the policy of the trials that there are, if there are any, and note it."""
    trials = search.trials.read()
    places = sorted({(trial.fold, trial.round) for trial in trials})
    rounds = [[trial for trial in trials if (trial.fold, trial.round) == place] for place in places]
    sub_policies = merge(rounds, search.space, top=search.config.top)
    if sub_policies:
        search.keep_policy(_named(search, sub_policies, seconds=cost_so_far(search), trials=len(trials)))
        done = f"{len(trials):,} of {counted(search.planned, 'trial')}"
        search.reporter.note(f"The policy of the {done} so far is '{search.directory / POLICY}'.")


def _named(search: DensitySearch, sub_policies: Sequence[SubPolicy], *, seconds: float, trials: int) -> SubPolicies:
    """Return the policy with where it comes from."""
    facts = {"sampler": search.config.proposer, "trials": trials}
    return search.named(SubPolicies(sub_policies=tuple(sub_policies)), seconds=seconds, facts=facts)


def cost_so_far(search: DensitySearch) -> float:
    """Return the device seconds of folds, mirror test, trials and second scores, in all processes' lifetimes."""
    scored = [*search.trials.read(), *search.rescored.read()]
    fitted = fit_seconds(search.directory, search.images.folds) + fitted_seconds(search.directory)
    return round(fitted + sum(trial.seconds for trial in scored), 3)


def choosing_cost(search: DensitySearch, trial_seconds: float) -> float:
    """Return the device seconds that choosing takes, where a trial takes so many."""
    config, folds = search.config, len(search.images.folds)
    again = config.rescore * folds * config.width * config.rescore_views / config.views
    controls = (1 + len(SEARCH_FREE) + RANDOM_CONTROLS) * folds  # the found one, and its controls
    return trial_seconds * (again + controls)
