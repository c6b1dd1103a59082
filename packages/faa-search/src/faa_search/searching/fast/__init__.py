"""Fast AutoAugment: policies that keep augmented images where a network expects their class, found without training.

Lim, Kim, Kim, Kim, Kim: Fast AutoAugment, NeurIPS 2019 (arXiv:1905.00397).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from faa_search.runs.records.search import Audit, SearchResult
from faa_search.runs.records.trials import Trial
from faa_search.searching.fast.algorithm import FAST, RANDOM
from faa_search.settings import SearchConfig

if TYPE_CHECKING:
    from faa_search.searching.fast.calls import random_search, read_trials, search

__all__ = [
    "FAST",
    "RANDOM",
    "Audit",
    "SearchConfig",
    "SearchResult",
    "Trial",
    "random_search",
    "read_trials",
    "search",
]

CALLS = "faa_search.searching.fast.calls"


def __getattr__(name: str) -> Any:
    """Import functions, and torch with them, only when they are asked for: a command's help should not wait for it."""
    if name in ("random_search", "read_trials", "search"):
        return getattr(import_module(CALLS), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return what can be imported, functions that were not asked for yet included."""
    return sorted({*globals(), *__all__})
