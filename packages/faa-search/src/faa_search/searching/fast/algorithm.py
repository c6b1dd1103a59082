"""Fast AutoAugment and its random control, as the entry points name them; light, so that help is shown at once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from faa_core import FaaError
from faa_search.searching.protocol import Searcher
from faa_search.settings import SearchConfig

if TYPE_CHECKING:
    from faa_search.runs.records.pictures import Picture
    from faa_search.runs.records.search import SearchResult
    from faa_search.searching.search import Search

STAGES = ("folds", "explore", "merge")


def settle(config: SearchConfig) -> SearchConfig:
    """Return the settings, which a search can be made with.

    Raises:
        FaaError: If it cannot.
    """
    from faa_search.searching.fast.density import check_density_search  # noqa: PLC0415 torch is slow to import

    check_density_search(config)
    return config


def settle_random(config: SearchConfig) -> SearchConfig:
    """Return the settings with the sampler that proposes at random.

    Raises:
        FaaError: If another one is asked for, or a search cannot be made with them.
    """
    if config.sampler not in (None, "random"):
        raise FaaError(f"--algorithm random proposes at random; it takes no --sampler {config.sampler}.")
    return settle(config.model_copy(update={"sampler": "random"}))


def run(search: "Search[SearchConfig]") -> "SearchResult | None":
    """Do the stages of a search among trials; see `faa_search.searching.fast.stages`."""
    from faa_search.searching.fast.density import density_search  # noqa: PLC0415 torch is slow to import
    from faa_search.searching.fast.stages import run_stages  # noqa: PLC0415

    return run_stages(density_search(search))


def is_audited(config: SearchConfig) -> bool:
    """Return whether a finished search is to be audited."""
    return config.audit > 0


def pictures(directory: Path) -> "Sequence[Picture]":
    """Return the picture of a run's trials; see `faa_search.searching.fast.pictures`."""
    from faa_search.searching.fast.pictures import pictures as of_trials  # noqa: PLC0415 torch is slow to import

    return of_trials(directory)


FAST = Searcher(
    name="fast",
    settings=SearchConfig,
    stages=STAGES,
    run=run,
    settle=settle,
    adds=is_audited,
    pictures=pictures,
)
RANDOM = replace(FAST, name="random", settle=settle_random)
