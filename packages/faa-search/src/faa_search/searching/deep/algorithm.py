"""Deep AutoAugment, as the entry point names it; light, so that help is shown at once."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from faa_search.searching.protocol import Searcher
from faa_search.settings import DeepSearchConfig

if TYPE_CHECKING:
    from faa_search.runs.records.pictures import Picture
    from faa_search.runs.records.search import Found
    from faa_search.searching.search import Search

STAGES = ("pretrain", "match", "controls")


def settle(config: DeepSearchConfig) -> DeepSearchConfig:
    """Return the settings, which a search can be made with.

    Raises:
        FaaError: If it cannot.
    """
    from faa_search.searching.deep.space import LARGE, space_of  # noqa: PLC0415 torch is slow to import

    space_of(config, config.img_size or LARGE)
    return config


def run(search: "Search[DeepSearchConfig]") -> "Found | None":
    """Do the stages of a search by gradient matching; see `faa_search.searching.deep.stages`."""
    from faa_search.searching.deep.stages import run_stages  # noqa: PLC0415 torch is slow to import

    return run_stages(search)


def pictures(directory: Path) -> "Sequence[Picture]":
    """Return the pictures of a run's layers and updates; see `faa_search.searching.deep.pictures`."""
    from faa_search.searching.deep.pictures import run_pictures  # noqa: PLC0415 torch is slow to import

    return run_pictures(directory)


DEEP = Searcher(
    name="deep",
    settings=DeepSearchConfig,
    stages=STAGES,
    run=run,
    settle=settle,
    pictures=pictures,
)
