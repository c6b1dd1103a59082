"""faa-search: finding augmentation policies, and the training engine that search and training share."""

from importlib.metadata import version
from typing import TYPE_CHECKING

from faa_search.lazily import names_of
from faa_search.settings import CompareConfig, DeepSearchConfig, SearchConfig, TrainConfig

if TYPE_CHECKING:
    from faa_search.measuring.comparison import compare
    from faa_search.searching.searchers import search, search_stage
    from faa_search.timm import create_transform
    from faa_search.training import train

__version__ = version("faa-search")

__all__ = [
    "CompareConfig",
    "DeepSearchConfig",
    "SearchConfig",
    "TrainConfig",
    "__version__",
    "compare",
    "create_transform",
    "search",
    "search_stage",
    "train",
]

HOMES = {
    "compare": "faa_search.measuring.comparison",
    "create_transform": "faa_search.timm",
    "search": "faa_search.searching.searchers",
    "search_stage": "faa_search.searching.searchers",
    "train": "faa_search.training",
}

__getattr__, __dir__ = names_of(__name__, HOMES)
