"""Policies: the document, the kinds, the built-in ones, and loading."""

from faa_core.policies.builtin import random_policy
from faa_core.policies.loading import json_schema, load_policy, parse_policy
from faa_core.policies.policy import Op, Parametric, Policy, SubPolicies

__all__ = [
    "Op",
    "Parametric",
    "Policy",
    "SubPolicies",
    "json_schema",
    "load_policy",
    "parse_policy",
    "random_policy",
]
