"""Transforms of mmpretrain that hold others: what they hold is not what always happens."""

from collections.abc import Callable, Iterable
from typing import Any

from faa_core.errors import FaaError
from faa_core.formats.evaluating import Unknown
from faa_core.formats.mmpretrain_ops import kind_of

PLAIN_KEYS = ("dataset", "datasets", "pipeline")  # of datasets, by which their transforms always happen
Test = Callable[[Any], bool]


def has_one(data: Any, is_transform: Test, seen: set[int]) -> bool:
    """Return whether a value is one of the transforms, or has one in it.

    Args:
        data: Any value.
        is_transform: What to look for.
        seen: Identities of what was looked at; it is added to.
    """
    if not isinstance(data, list | tuple | dict) or isinstance(data, Unknown) or id(data) in seen:
        return False
    seen.add(id(data))
    return is_transform(data) or any(has_one(part, is_transform, seen) for part in _parts(data))


def refuse_wrapped(data: Any, place: str, is_transform: Test) -> None:
    """Refuse a dict that holds a transform as one choice or by chance, and a list that holds several.

    Args:
        data: A list, or a dict that is none of the transforms.
        place: Where it is in the file.
        is_transform: What the transforms are.

    Raises:
        FaaError: If it is such a dict or list.
    """
    if not isinstance(data, dict):
        if _count(data, is_transform) > 1:
            raise FaaError(
                f"The list {place or 'of the file'} has several transforms AutoAugment or RandAugment, of which a "
                "pipeline does one after the other; a policy is one of them. Give a file with one."
            )
        return
    kind = kind_of(data)
    for key, part in data.items() if kind else ():
        if key in PLAIN_KEYS or (kind == "Compose" and key == "transforms"):
            continue
        if has_one(part, is_transform, set()):
            where = f" in {place}" if place else ""
            raise FaaError(
                f"An AutoAugment or RandAugment is inside {kind}.{key}{where}, which may leave it out or do something "
                "else, and a policy cannot express that. Give a file in which the pipeline has it without that."
            )


def _count(data: Any, is_transform: Test) -> int:
    """Return how many of the transforms a pipeline does, those of lists and of ``Compose`` in it too."""
    total = 0
    for part in data:
        if isinstance(part, Unknown):
            continue
        if is_transform(part):
            total += 1
        elif isinstance(part, list | tuple):
            total += _count(part, is_transform)
        elif isinstance(part, dict) and kind_of(part) == "Compose" and isinstance(part.get("transforms"), list | tuple):
            total += _count(part["transforms"], is_transform)
    return total


def _parts(data: Any) -> Iterable[Any]:
    return data.values() if isinstance(data, dict) else data
