"""`search`: one call for every algorithm."""

from pathlib import Path

from accelerate import Accelerator

from faa_core import plugins
from faa_search.fast import SearchConfig, SearchResult
from faa_search.progress import Reporter


def search(
    config: SearchConfig,
    output: str | Path,
    *,
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
    threads: int | None = None,
) -> SearchResult | None:
    """Find a policy with the algorithm that the settings name; see `faa_search.fast.search`.

    Raises:
        UnknownNameError: If no installed package offers the algorithm.
        FaaError: If something else that was given cannot be used.
    """
    run = plugins.load("faa.searchers", config.algorithm, kind="search algorithm")
    result: SearchResult | None = run(config, output, reporter=reporter, accelerator=accelerator, threads=threads)
    return result
