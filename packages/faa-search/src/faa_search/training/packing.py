"""An optimizer's state as named tensors and JSON, so that nothing has to be pickled."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

PLAIN = (bool, int, float, str, type(None))


def pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """Return a nested value as JSON in which every tensor is replaced by its name.

    Args:
        value: Dictionaries, lists, tuples, tensors, numbers, words.
        name: Of the value; its parts are named after it.
        tensors: Receives the tensors by name.

    Raises:
        TypeError: If there is anything else in it.
    """
    if isinstance(value, Tensor):
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {"pairs": [[key, pack(part, f"{name}.{key}", tensors)] for key, part in value.items()]}
    if isinstance(value, list | tuple):
        parts = [pack(part, f"{name}.{number}", tensors) for number, part in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": parts}
    if not isinstance(value, PLAIN):
        raise TypeError(f"'{name}' is a {type(value).__name__}")
    return value


def unpack(packed: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return what `pack` was given.

    Raises:
        KeyError, TypeError, ValueError: If it is nothing that `pack` makes, or lacks a tensor.
    """
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "pairs":
        return {key: unpack(part, tensors) for key, part in content}
    parts = [unpack(part, tensors) for part in content]
    return {"tuple": tuple(parts), "list": parts}[kind]
