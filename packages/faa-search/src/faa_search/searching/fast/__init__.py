"""Fast AutoAugment: policies that keep augmented images where a network expects their class, found without training.

Lim, Kim, Kim, Kim, Kim: Fast AutoAugment, NeurIPS 2019 (arXiv:1905.00397).
"""

from pathlib import Path

from accelerate import Accelerator

from faa_core import FaaError
from faa_core.text import safe
from faa_search.progress import Reporter
from faa_search.runs.files import TRIALS
from faa_search.runs.journal import Journal
from faa_search.runs.records.search import Audit, SearchResult
from faa_search.runs.records.trials import Trial
from faa_search.searching.fast.run import search
from faa_search.settings import SearchConfig
from faa_search.settings.calls import check_settings, directory_of

__all__ = ["Audit", "SearchConfig", "SearchResult", "Trial", "random_search", "read_trials", "search"]


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
    check_settings(config, SearchConfig)
    if config.sampler not in (None, "random"):
        raise FaaError(f"--algorithm random proposes at random; it takes no --sampler {config.sampler}.")
    chosen = config.model_copy(update={"sampler": "random"})
    return search(chosen, output, reporter=reporter, accelerator=accelerator, threads=threads)


def read_trials(directory: str | Path) -> list[Trial]:
    """Return all trials of a run, in the order they were finished.

    Raises:
        FaaError: If there is no such directory, or its journal is damaged.
    """
    run = directory_of(directory, written=False)
    if not run.is_dir():
        raise FaaError(f"There is no directory '{safe(run)}' of a run.")
    return Journal(run / TRIALS, Trial).read()
