"""Fast AutoAugment: policies that keep augmented images where a network expects their class, found without training.

Lim, Kim, Kim, Kim, Kim: Fast AutoAugment, NeurIPS 2019 (arXiv:1905.00397).
"""

from faa_search.runs.records.search import Audit, SearchResult
from faa_search.runs.records.trials import Trial
from faa_search.searching.fast.algorithm import FAST, RANDOM
from faa_search.searching.fast.trials import read_trials
from faa_search.settings import SearchConfig

__all__ = ["FAST", "RANDOM", "Audit", "SearchConfig", "SearchResult", "Trial", "read_trials"]
