"""The trials of a search, as its directory has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faa_core import FaaError
from faa_core.text import counted, safe
from faa_search.runs.directory import CONFIG
from faa_search.runs.files import TRIALS
from faa_search.runs.opening import SearchRun, open_run
from faa_search.runs.records.search import SearchResult
from faa_search.runs.records.trials import Trial
from faa_search.searching.samplers import PolicySpace
from faa_search.searching.spaces import space_of
from faa_search.settings import SearchConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """What a search has tried.

    Attributes:
        name: Of the search.
        config: Its settings.
        space: What it searched among.
        entries: Its trials, by fold, round and number.
    """

    name: str
    config: SearchConfig
    space: PolicySpace
    entries: Sequence[Trial]


def read_run(directory: Path) -> Trials:
    """Return the trials of a search's directory; only read.

    Raises:
        FaaError: If it is not a search's, its files are damaged, or it has no trials yet.
    """
    run = open_run(directory)
    if not isinstance(run, SearchRun):
        raise FaaError(f"'{safe(directory)}' is not a search's directory, so it has no trials; give one of faa search.")
    config, entries = run.settings, sorted(run.trials, key=lambda trial: trial.key)
    if not isinstance(config, SearchConfig):
        raise FaaError(f"The search in '{safe(directory)}' is by '{safe(config.algorithm)}', which makes no trials.")
    _check_whole(directory, len(entries), used=run.result.trials if isinstance(run.result, SearchResult) else 0)
    space = space_of(config)
    for trial in entries:
        _check(trial, space, config, directory)
    return Trials(name=f"faa-{directory.resolve().name}", config=config, space=space, entries=entries)


def _check_whole(directory: Path, number: int, *, used: int) -> None:
    """Refuse a journal that has lost trials, or has none.

    A last line without an end does not count, as a search that was killed leaves one. So a journal of such a line
    alone, or of zeros, looks like an empty one.
    """
    path = directory / TRIALS
    if number < used:
        raise FaaError(
            f"'{safe(path)}' has {counted(number, 'whole trial')}, but the search made its policy of {used:,}: the "
            "file is damaged, or lines were removed. Put back a copy of it."
        )
    if number:
        return
    if size := path.stat().st_size if path.is_file() else 0:
        raise FaaError(
            f"'{safe(path)}' has {counted(size, 'byte')}, but no whole line: the search was stopped while it wrote its "
            "first trial, or the file is damaged. If it had trials, put back a copy of it; else give the search's own "
            "command (faa search) again, which goes on."
        )
    raise FaaError(f"The search in '{safe(directory)}' has no trials yet.")


def _check(trial: Trial, space: PolicySpace, config: SearchConfig, directory: Path) -> None:
    """Refuse a trial that is not of these settings."""
    ops = {value for value in trial.params.values() if isinstance(value, str)}
    labels = {f"{kind}_{use}" for kind in ("op", "p", "magnitude") for use in space.uses()}
    folds = 1 if config.val_split else config.folds
    differs = {
        "search space": trial.params.keys() != labels or not ops <= set(space.ops),
        "number of folds": trial.fold >= folds,
        "reward": trial.metrics.get(config.reward) != trial.reward,
    }
    if any(differs.values()):
        what = " and ".join(name for name, found in differs.items() if found)
        raise FaaError(
            f"Trial {trial.number} of fold {trial.fold}, round {trial.round} in '{safe(directory)}' is of another "
            f"{what} than its {CONFIG} has. Put back the {CONFIG} and {TRIALS} that belong together."
        )
