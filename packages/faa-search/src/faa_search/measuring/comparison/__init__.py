"""Comparing policies: trained on an equal budget over seeds, tested in pairs, and described in words."""

from faa_search.measuring.comparison.run import compare, compare_policies, read_comparison
from faa_search.measuring.comparison.statistics import holm, summarise
from faa_search.measuring.comparison.words import conclusion
from faa_search.runs.records.comparison import Comparison, Pair, PairVerdict, PolicyErrors

__all__ = [
    "Comparison",
    "Pair",
    "PairVerdict",
    "PolicyErrors",
    "compare",
    "compare_policies",
    "conclusion",
    "holm",
    "read_comparison",
    "summarise",
]
