"""Scoring the best trials of each round again, on fresh and more draws, before some of them are kept.

The best of two hundred noisy rewards is partly the luckiest. A second look at a few candidates costs little, and its
draws are none that they were chosen by.
"""

from collections.abc import Sequence
from dataclasses import replace

from faa_core.randomness import seed_of
from faa_search.runs.records.trials import Trial
from faa_search.searching.fast.density import DensitySearch
from faa_search.searching.fast.merge import best
from faa_search.searching.tasks import PolicyScores, ScorePolicy, origin_of
from faa_search.settings import SearchConfig
from faa_search.workers.executors.gathering import gather


def rescore(search: DensitySearch, rounds: Sequence[Sequence[Trial]]) -> list[list[Trial]]:
    """Return each round's best trials with their second scores in place of the first.

    Args:
        search: Under way; what its journal of second scores has is not scored again.
        rounds: All trials.

    Raises:
        Stopped: If a signal asked for it.
    """
    config, journal = search.config, search.rescored
    candidates = [best(trials, config.rescore) for trials in rounds]
    wanted = {trial.key: trial for trials in candidates for trial in trials}
    again = {
        trial.key: trial
        for trial in journal.read()
        if trial.key in wanted and (trial.views, trial.draws) == (config.rescore_views, _draws(config, trial))
    }
    tasks = {
        key: ScorePolicy(
            policy=search.policy_of(trial),
            fold=trial.fold,
            views=config.rescore_views,
            seed=_draws(config, trial),
        )
        for key, trial in wanted.items()
        if key not in again
    }
    with search.reporter.track("Second scores", len(wanted), done=len(again)) as advance:

        def finished(key: tuple[int, int, int], scores: PolicyScores) -> None:
            again[key] = replace(
                wanted[key],
                reward=scores.means[config.reward],
                standard_error=scores.errors[config.reward],
                metrics=scores.means,
                errors=scores.errors,
                views=config.rescore_views,
                draws=_draws(config, wanted[key]),
                seconds=round(scores.seconds, 4),
                origin=origin_of(scores),
            )
            journal.append(again[key])
            advance()

        gather(tasks, search.executor, finished, search.request)
    return [[again[trial.key] for trial in trials] for trials in candidates]


def _draws(config: SearchConfig, trial: Trial) -> int:
    return seed_of("rescore", config.seed, trial.fold)
