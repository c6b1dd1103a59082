"""Fast AutoAugment and its random control as Python calls, and the trials of a run."""

from pathlib import Path

from accelerate import Accelerator

from faa_core import FaaError
from faa_core.text import safe
from faa_search.progress import Reporter
from faa_search.runs.files import TRIALS
from faa_search.runs.journal import Journal
from faa_search.runs.records.search import SearchResult
from faa_search.runs.records.trials import Trial
from faa_search.searching.conducting import conduct
from faa_search.searching.fast.algorithm import FAST, RANDOM
from faa_search.searching.protocol import Searcher
from faa_search.settings import SearchConfig
from faa_search.settings.calls import directory_of


def search(
    config: SearchConfig,
    output: str | Path,
    *,
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
    threads: int | None = None,
) -> SearchResult | None:
    """Find a policy by density matching; see `faa_search.searching.conducting.conduct`."""
    return _conducted(FAST, config, output, reporter, accelerator, threads)


def random_search(
    config: SearchConfig,
    output: str | Path,
    *,
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
    threads: int | None = None,
) -> SearchResult | None:
    """Find a policy by the same objective with random trials; see `search`.

    Raises:
        FaaError: If another sampler is asked for, and what `search` raises.
    """
    return _conducted(RANDOM, config, output, reporter, accelerator, threads)


def _conducted(
    searcher: Searcher,
    config: SearchConfig,
    output: str | Path,
    reporter: Reporter | None,
    accelerator: Accelerator | None,
    threads: int | None,
) -> SearchResult | None:
    found = conduct(searcher, config, output, reporter=reporter, accelerator=accelerator, threads=threads)
    assert found is None or isinstance(found, SearchResult)  # noqa: S101 it is what both find
    return found


def read_trials(directory: str | Path) -> list[Trial]:
    """Return all trials of a run, in the order they were finished.

    Raises:
        FaaError: If there is no such directory, or its journal is damaged.
    """
    run = directory_of(directory, written=False)
    if not run.is_dir():
        raise FaaError(f"There is no directory '{safe(run)}' of a run.")
    return Journal(run / TRIALS, Trial).read()
