"""Samplers: which policy to try next, as pure functions of (space, history, seed).

A sampler holds nothing, so a killed search resumes as if it had not been, and any process can propose any trial.
"""

from faa_search.runs.records.trials import Params
from faa_search.searching.samplers.space import PolicySpace, Sampler, Scored

__all__ = ["Params", "PolicySpace", "Sampler", "Scored"]
