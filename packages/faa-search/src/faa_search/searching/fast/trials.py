"""The trials of a run."""

from pathlib import Path

from faa_core import FaaError
from faa_core.text import safe
from faa_search.runs.files import TRIALS
from faa_search.runs.journal import Journal
from faa_search.runs.records.trials import Trial
from faa_search.settings.calls import directory_of


def read_trials(directory: str | Path) -> list[Trial]:
    """Return all trials of a run, in the order they were finished.

    Raises:
        FaaError: If there is no such directory, or its journal is damaged.
    """
    run = directory_of(directory, written=False)
    if not run.is_dir():
        raise FaaError(f"There is no directory '{safe(run)}' of a run.")
    return Journal(run / TRIALS, Trial).read()
