"""What an algorithm returns, looked at before it is kept: a plugin's mistake is named, and harms no run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from faa_core import FaaError, Policy
from faa_core.policies.loading import parse_policy
from faa_core.text import one_line, safe
from faa_search.runs.records.search import Control, Found
from faa_search.runs.results import check_search
from faa_search.searching.protocol import Searcher
from faa_search.searching.search import Search
from faa_search.settings import SharedSearchConfig


def check_found(searcher: Searcher, search: Search[SharedSearchConfig], found: Found | None) -> Found | None:
    """Return what an algorithm found, its policy named and with where it comes from; None if it was to find nothing.

    Raises:
        FaaError: If there is no result where there must be one, or one where there must be none, or it cannot be kept.
    """
    stage = search.config.stage
    if found is None:
        if searcher.makes_policy(stage):
            raise FaaError(
                f"The search algorithm '{searcher.name}' ended without a result, which its plugin must return."
            )
        return None
    fault = _fault(found)
    if fault is None and not searcher.makes_policy(stage):
        fault = f"a result after stage '{stage}', though by its `policy_from` there is no policy yet"
    if fault is not None:
        raise FaaError(f"The search algorithm '{searcher.name}' returned {fault}, which is its plugin's mistake.")
    if found.policy.provenance.get("algorithm") == search.config.algorithm:
        return found
    # A policy that was made elsewhere, as by `random_policy`, has its origin; that is not how this search was set.
    own = {key: said for key, said in found.policy.provenance.items() if key not in type(search.config).model_fields}
    named = search.named(found.policy, seconds=found.seconds, facts=own)
    return replace(found, policy=named, budget=search.config.budget)


def _fault(found: Any) -> str | None:
    """Return what keeps a result from being kept, and from being read again as it is."""
    if not isinstance(found, Found):
        return f"{_shown(found)}, no `Found`"
    fault = _fault_of_policy(found.policy) or _fault_of_figures(found.seconds, found.figures)
    if fault is not None:
        return fault
    if not _is_list(found.notes, str):
        return f"{_shown(found.notes)} as the notes, no list of texts"
    if not _is_list(found.controls, Control):
        return f"{_shown(found.controls)} as the controls, no list of `Control`"
    try:
        check_search(found)
    except FaaError as error:
        return f"a result that could not be read again ({error})"
    return None


def _fault_of_policy(policy: Any) -> str | None:
    """Return what keeps a policy from being read again."""
    if not isinstance(policy, Policy):
        return f"{_shown(policy)} as the policy, no `Policy`"
    try:
        parse_policy(policy.to_json(), source="policy.json")
    except (FaaError, TypeError, ValueError, RecursionError) as error:
        return f"a policy that could not be read again ({safe(one_line(error))})"
    return None


def _fault_of_figures(seconds: Any, figures: Any) -> str | None:
    """Return what is wrong with seconds or figures: those have plain names, and the first is the objective."""
    if not isinstance(figures, Mapping) or not figures:
        return f"{_shown(figures)} as the figures, no names with numbers, the objective first"
    odd = [name for name in figures if not isinstance(name, str) or not name.strip() or not name.isprintable()]
    if odd:
        return f"a figure with the name {_shown(odd[0])}, no text of a line"
    numbers = {"seconds": seconds, **figures}
    wrong = [name for name, value in numbers.items() if not _is_finite(value)]
    if wrong:
        return f"{numbers[wrong[0]]!r:.40} as the figure '{safe(wrong[0])}', no finite number"
    return None


def _is_finite(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # of a whole number that no float holds
        return False


def _is_list(given: Any, kind: type) -> bool:
    """Return whether something is a sequence of a type; a single text is none."""
    plain = isinstance(given, Sequence) and not isinstance(given, str | bytes)
    return plain and all(isinstance(each, kind) for each in given)


def _shown(given: Any) -> str:
    return f"{safe(repr(given)):.80}"
