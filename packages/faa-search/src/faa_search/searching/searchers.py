"""`search` and `search_stage`: one call each for every algorithm."""

from pathlib import Path
from typing import Any, overload

from accelerate import Accelerator

from faa_core import FaaError
from faa_search.progress import Reporter
from faa_search.runs.records.search import Found, SearchResult
from faa_search.searching.conducting import conduct
from faa_search.searching.protocol import Searcher, load_searcher
from faa_search.settings import SearchConfig, SharedSearchConfig
from faa_search.settings.calls import check_settings


@overload
def search(
    config: SearchConfig,
    output: str | Path,
    *,
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
    threads: int | None = None,
) -> SearchResult: ...


@overload
def search(
    config: SharedSearchConfig,
    output: str | Path,
    *,
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
    threads: int | None = None,
) -> Found: ...


def search(
    config: SharedSearchConfig,
    output: str | Path,
    *,
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
    threads: int | None = None,
) -> Found:
    """Find a policy with the algorithm that the settings name; see `faa_search.searching.conducting.conduct`.

    Returns:
        What was found; where several processes search, in each of them.

    Raises:
        UnknownNameError: If no installed package offers the algorithm.
        FaaError: If the settings name a stage that ends before there is a policy, or something else that was given
            cannot be used.
    """
    searcher = _searcher(config)
    searcher.check_stage(config.stage)
    if not searcher.makes_policy(config.stage):
        raise FaaError(
            f"Stage '{config.stage}' ends before there is a policy to return: call faa_search.search_stage, or leave "
            "the stage out."
        )
    found = conduct(searcher, config, output, reporter=reporter, accelerator=accelerator, threads=threads)
    assert found is not None  # noqa: S101 `conduct` refuses an algorithm that returns nothing here
    return found


@overload
def search_stage(
    config: SearchConfig,
    output: str | Path,
    *,
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
    threads: int | None = None,
) -> SearchResult | None: ...


@overload
def search_stage(
    config: SharedSearchConfig,
    output: str | Path,
    *,
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
    threads: int | None = None,
) -> Found | None: ...


def search_stage(
    config: SharedSearchConfig,
    output: str | Path,
    *,
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
    threads: int | None = None,
) -> Found | None:
    """Do the stage of a search that the settings name, or all of them; see `search`.

    Returns:
        What was found; None after a stage that ends before there is a policy.

    Raises:
        UnknownNameError: If no installed package offers the algorithm.
        FaaError: If something else that was given cannot be used.
    """
    return conduct(_searcher(config), config, output, reporter=reporter, accelerator=accelerator, threads=threads)


def _searcher(config: Any) -> Searcher:
    """Return the algorithm that settings name.

    Raises:
        UnknownNameError: If no installed package offers it.
        FaaError: If they are not settings, or those of another algorithm.
    """
    if not isinstance(config, SharedSearchConfig):
        check_settings(config, SearchConfig)
    searcher = load_searcher(config.algorithm)
    if not isinstance(config, searcher.settings):
        name, wanted = type(config).__name__, searcher.settings.__name__
        if name == wanted:
            raise FaaError(
                f"The settings are of another class than the one that the search algorithm '{config.algorithm}' has "
                f"now, which is called {name}, too: its plugin was imported again, or makes a class each time. Make "
                "the settings of `load_searcher(NAME).settings`, and let the plugin make one class."
            )
        raise FaaError(
            f"The settings are of class {name}, and the search algorithm '{config.algorithm}' takes "
            f"{wanted}: make them of that class, or give the `algorithm` that these are for."
        )
    return searcher
