"""Dictionaries and lists that stay as they are, for what a policy holds."""

from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class FrozenDict(dict[Key, Value]):
    """A dictionary that stays as it was made.

    Unlike a mapping proxy it can be pickled, copied and written as JSON, as policies are.
    """

    __slots__ = ()

    def _refuse(self, *_args: Any, **_options: Any) -> NoReturn:
        raise TypeError(
            "What a policy holds cannot be changed; make another policy with policy.model_copy(update=...)."
        )

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how it is pickled: made at once, not item by item."""
        return type(self), (dict(self),)


def frozen(value: Any) -> Any:
    """Return a value whose mappings and lists, at any depth, cannot be changed; lists become tuples.

    Raises:
        ValueError: If it is nested too deeply, or holds itself.
    """
    try:
        return _frozen(value)
    except RecursionError as error:
        raise ValueError("it is nested too deeply, or holds itself") from error


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return FrozenDict({key: _frozen(part) for key, part in value.items()})
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    return value
