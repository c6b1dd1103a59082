"""`search` and `search_stage`: one call each for every algorithm."""

from pathlib import Path

from accelerate import Accelerator

from faa_core import FaaError, plugins
from faa_search.progress import Reporter
from faa_search.searching.fast import SearchConfig, SearchResult
from faa_search.settings.calls import check_settings, directory_of

BEFORE_A_POLICY = ("folds", "explore")  # stages that end before there is one


def search(
    config: SearchConfig,
    output: str | Path,
    *,
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
    threads: int | None = None,
) -> SearchResult:
    """Find a policy with the algorithm that the settings name; see `faa_search.searching.search`.

    Returns:
        What was found; where several processes search, in each of them.

    Raises:
        UnknownNameError: If no installed package offers the algorithm.
        FaaError: If the settings name a stage that ends before there is a policy, or something else that was given
            cannot be used.
    """
    check_settings(config, SearchConfig)
    if config.stage in BEFORE_A_POLICY:
        raise FaaError(
            f"Stage '{config.stage}' ends before there is a policy to return: call faa_search.search_stage, or leave "
            "the stage out."
        )
    result = search_stage(config, output, reporter=reporter, accelerator=accelerator, threads=threads)
    if result is None:
        raise FaaError(
            f"The search algorithm '{config.algorithm}' ended without a result, which its plugin must return."
        )
    return result


def search_stage(
    config: SearchConfig,
    output: str | Path,
    *,
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
    threads: int | None = None,
) -> SearchResult | None:
    """Do the stage of a search that the settings name, or all of them; see `search`.

    Returns:
        What was found; None after a stage that ends before there is a policy.

    Raises:
        UnknownNameError: If no installed package offers the algorithm.
        FaaError: If something else that was given cannot be used.
    """
    check_settings(config, SearchConfig)
    directory = directory_of(output)
    run = plugins.load("faa.searchers", config.algorithm, kind="search algorithm")
    result: SearchResult | None = run(config, directory, reporter=reporter, accelerator=accelerator, threads=threads)
    return result
