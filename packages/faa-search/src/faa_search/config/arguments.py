"""Arguments of a model, as --model-kwargs takes them: NAME=VALUE,NAME=VALUE."""

import ast
import math
from collections.abc import Mapping
from typing import Any

LONGEST = 100  # characters of a value


def as_arguments(given: Any) -> Any:
    """Return a model's arguments by name, from their text or a mapping.

    Raises:
        ValueError: If they cannot be read or are nothing a model can be told.
    """
    if isinstance(given, str):
        pairs = [_pair(text) for text in given.split(",")]
        given = dict(pairs)
        if len(given) < len(pairs):
            raise ValueError("give each name once")
    if isinstance(given, dict) and not all(map(_is_argument, given, given.values())):
        raise ValueError("names are words; values are true, false, finite numbers, or words without commas")
    return given


def as_pairs(arguments: Mapping[str, Any]) -> str:
    """Return a model's arguments as text."""
    return ",".join(f"{name}={_written(value)}" for name, value in arguments.items())


def _pair(text: str) -> tuple[str, Any]:
    """Return the name and the value of NAME=VALUE."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals and value):
        raise ValueError("give name=value pairs, such as depth=22,width=4")
    if len(value) > LONGEST:  # Python's parser can run out of stack on long ones
        raise ValueError(f"a value has at most {LONGEST} characters")
    return name, _parsed(value)


def _parsed(value: str) -> Any:
    """Return what a value stands for: a Python literal, true or false in any case; all else is a word."""
    if value.lower() in {"true", "false"}:
        return value.lower() == "true"
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value


def _written(value: Any) -> str:
    """Return what `_parsed` reads back; quoted only where it must be."""
    plain = (
        isinstance(value, str) and len(value) <= LONGEST and value == value.strip() != "" and _parsed(value) == value
    )
    return str(value) if plain else repr(value)


def _is_argument(name: Any, value: Any) -> bool:
    if not (isinstance(name, str) and name.isidentifier()):
        return False
    if isinstance(value, str):  # what is no finite number must not pass for a word
        return "," not in value and value.strip().lower().lstrip("+-") not in {"nan", "inf", "infinity"}
    return isinstance(value, bool | int | float) and abs(value) < math.inf
