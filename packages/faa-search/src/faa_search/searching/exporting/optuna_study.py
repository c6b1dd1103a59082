"""Trials as a study of Optuna's, which its dashboard opens; with the extra `optuna` installed."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faa_core import FaaError
from faa_search.runs.records.trials import Trial
from faa_search.searching.exporting.trials import Trials
from faa_search.searching.samplers.optuna_tpe import distributions_of, in_silence

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial


def write_study(trials: Trials, path: Path) -> None:
    """Write one study with all trials of a search; each has its fold and round, between which rewards are not equal.

    Args:
        trials: Of the search.
        path: Its suffix decides whether it becomes an SQLite file or a journal.

    Raises:
        FaaError: If Optuna is not installed.
    """
    try:
        import optuna  # noqa: PLC0415 an optional package
    except ImportError as error:
        raise FaaError(
            "A study of Optuna's needs the package optuna: pip install 'faa-search[optuna]'. Without it there is "
            "--to hyperopt."
        ) from error
    distributions = distributions_of(trials.space)
    config = trials.config
    with in_silence(trials.name), _loggers_kept():
        study = optuna.create_study(study_name=trials.name, storage=_storage(path), direction="maximize")
        for key in ("dataset", "model", "algorithm", "reward", "seed"):
            study.set_user_attr(key, getattr(config, key))
        study.add_trials(_trial(trial, distributions) for trial in trials.entries)


@contextmanager
def _loggers_kept() -> Iterator[None]:
    """Keep the process's loggers: where the root has no handler, Optuna's SQL storage would set up logging anew."""
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


def _storage(path: Path) -> "BaseStorage":
    """Return an empty storage of the kind that a path's suffix names."""
    from optuna import storages  # noqa: PLC0415 an optional package
    from optuna.storages.journal import JournalFileBackend  # noqa: PLC0415

    if path.suffix.lower() in (".log", ".journal"):
        return storages.JournalStorage(JournalFileBackend(str(path)))
    # Not by an address: a path may hold what has a meaning in one, such as ? and %.
    return storages.RDBStorage("sqlite://", engine_kwargs={"creator": lambda: sqlite3.connect(path)})


def _trial(trial: Trial, distributions: "dict[str, BaseDistribution]") -> "FrozenTrial":
    """Return a trial as Optuna keeps it; journals of the first versions have how long it took, not when."""
    from optuna.trial import create_trial  # noqa: PLC0415 an optional package

    about: dict[str, Any] = {
        "fold": trial.fold, "round": trial.round, "number": trial.number, "seed": trial.seed,
        "standard_error": trial.standard_error, "views": trial.views, "seconds": trial.seconds, **trial.metrics,
    }  # fmt: skip
    made = create_trial(params=dict(trial.params), distributions=distributions, value=trial.reward, user_attrs=about)
    ended = datetime.fromtimestamp(trial.origin.at) if trial.origin else datetime.now().replace(microsecond=0)
    made.datetime_complete, made.datetime_start = ended, ended - timedelta(seconds=trial.seconds)
    return made
