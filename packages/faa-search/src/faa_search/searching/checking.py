"""What an algorithm returns, looked at before it is kept: a plugin's mistake is named, and harms no run."""

import json
import math
from dataclasses import replace
from typing import Any

from faa_core import FaaError, Policy
from faa_core.text import safe
from faa_search.runs.records.search import Found
from faa_search.searching.protocol import Searcher
from faa_search.searching.search import Search
from faa_search.settings import SharedSearchConfig


def check_found(searcher: Searcher, search: Search[SharedSearchConfig], found: Found | None) -> Found | None:
    """Return what an algorithm found, its policy named and with where it comes from; None if it was to find nothing.

    Raises:
        FaaError: If there is no result where there must be one, or it cannot be kept.
    """
    if found is None:
        if searcher.makes_policy(search.config.stage):
            raise FaaError(
                f"The search algorithm '{searcher.name}' ended without a result, which its plugin must return."
            )
        return None
    fault = _fault(found)
    if fault is not None:
        raise FaaError(f"The search algorithm '{searcher.name}' returned {fault}, which is its plugin's mistake.")
    if found.policy.provenance.get("algorithm") == search.config.algorithm:
        return found
    named = search.named(found.policy, seconds=found.seconds, facts=found.policy.provenance)
    return replace(found, policy=named, budget=search.config.budget)


def _fault(found: Any) -> str | None:
    """Return what keeps a result from being kept."""
    if not isinstance(found, Found):
        return f"{safe(repr(found)):.80}, no `Found`"
    policy: Any = found.policy
    if not isinstance(policy, Policy):
        return f"{safe(repr(policy)):.80} as the policy, no `Policy`"
    numbers = {"seconds": found.seconds, **found.figures}
    wrong = [name for name, value in numbers.items() if not isinstance(value, int | float) or not math.isfinite(value)]
    if wrong:
        return f"{numbers[wrong[0]]!r:.40} as the figure '{safe(wrong[0])}', no finite number"
    try:
        json.dumps([dict(found.details), list(found.notes)], allow_nan=False)
    except (TypeError, ValueError) as error:
        return f"details or notes that JSON cannot hold ({safe(error):.80})"
    return None
