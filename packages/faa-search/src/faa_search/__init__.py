"""faa-search: finding augmentation policies, and the training engine that search and training share."""

from importlib.metadata import version

from faa_search.fast import SearchConfig, SearchResult
from faa_search.searchers import search

__version__ = version("faa-search")

__all__ = ["SearchConfig", "SearchResult", "__version__", "search"]
