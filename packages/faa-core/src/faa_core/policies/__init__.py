"""Policies: the document, the kinds, the built-in ones, and loading."""

from faa_core.policies.kinds import Choice, Layers, Parametric, SubPolicies
from faa_core.policies.layered import LayeredSubPolicies
from faa_core.policies.loading import json_schema, load_policy, parse_policy
from faa_core.policies.policy import Op, Policy
from faa_core.policies.search_free import random_policy

__all__ = [
    "Choice",
    "LayeredSubPolicies",
    "Layers",
    "Op",
    "Parametric",
    "Policy",
    "SubPolicies",
    "json_schema",
    "load_policy",
    "parse_policy",
    "random_policy",
]
