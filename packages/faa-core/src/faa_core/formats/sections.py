"""One policy of those that a config has in its sections: which is meant, and what is told of the others."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from faa_core.errors import FaaError
from faa_core.formats.leeway import Leeway

EVALUATION = re.compile(r"val|valid|validation|eval|evaluation|test|testing|tta", re.IGNORECASE)


class PolicySection(NamedTuple):
    """A policy in a config, as a transform or a table.

    Attributes:
        place: Names of the sections around it, such as ``train_pipeline[2]`` or ``Train.dataset.transform_ops[1]``.
        value: What it is.
    """

    place: str
    value: Any


def chosen(found: Sequence[PolicySection], remedy: str, leeway: Leeway) -> PolicySection:
    """Return the one that is meant; others that are alike, or are for evaluation, are noted.

    A section whose name says val, eval or test counts only where there is no other.

    Args:
        found: At least one.
        remedy: A sentence of what to do where several differ.
        leeway: Takes the notes.

    Raises:
        FaaError: If several differ that are not for evaluation; their places are named.
    """
    meant = [one for one in found if not _is_for_evaluation(one.place)] or list(found)
    first = meant[0]
    if differing := [one for one in meant if one.value != first.value]:
        places = ", ".join(one.place for one in (first, *differing))
        raise FaaError(f"This config has several policies, which differ: {places}. {remedy}")
    alike = [one.place for one in found if one.value == first.value]
    others = [one.place for one in found if one.value != first.value]
    if len(alike) > 1:
        leeway.note(f"the same policy is in {' and '.join(alike)}, and is read once")
    if others:
        leeway.note(f"the policy of {first.place} is read, not that of {' and '.join(others)}, which differs")
    return first


def _is_for_evaluation(place: str) -> bool:
    return any(EVALUATION.fullmatch(word) for word in re.split(r"[^A-Za-z]+", place))
