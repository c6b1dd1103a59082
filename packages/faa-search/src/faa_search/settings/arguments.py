"""Arguments of a model, as --model-kwargs takes them: NAME=VALUE,NAME=VALUE."""

import ast
import math
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from faa_search.settings.base import NUMBER
from faa_search.settings.numbers import real_number, whole_number

LONGEST = 100  # characters of a value
LARGEST = 10_000  # whole number: a network of a million layers takes forever to make
MOST = 100  # arguments
ALLOWED = "names are words; values are true, false, finite numbers in decimals, or words without commas"


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
    elif isinstance(given, dict) and any(map(_is_power, given.values())):
        raise ValueError("YAML reads 1e-3 as a text; write the number 1.0e-3")
    if not isinstance(given, dict):
        return given
    if len(given) > MOST:
        raise ValueError(f"a model has at most {MOST} arguments")
    if not all(map(_is_argument, given, given.values())):
        raise ValueError(ALLOWED)
    if any(abs(value) > LARGEST for value in given.values() if isinstance(value, int)):
        raise ValueError(f"a whole number must not be above {LARGEST:,}")
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
    """Return what a value stands for: true or false in any case, a number, a text in quotes; all else is a word.

    Raises:
        ValueError: If it is a number to Python alone, such as 1_0 or 0x10.
    """
    if value.lower() in {"true", "false"}:
        return value.lower() == "true"
    for read in (whole_number, real_number):
        with suppress(ValueError):
            return read(value)
    try:
        with warnings.catch_warnings(action="ignore"):  # of Python's about the spelling, as in 1if
            found = ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return value
    if isinstance(found, int | float | complex) and not isinstance(found, bool):
        raise ValueError(ALLOWED)
    return found


def _written(value: Any) -> str:
    """Return what `_parsed` reads back; quoted only where it must be."""
    return str(value) if isinstance(value, str) and _is_plain(value) else repr(value)


def _is_plain(value: str) -> bool:
    """Return whether a text is read back as itself without quotes."""
    try:
        return len(value) <= LONGEST and value == value.strip() != "" and _parsed(value) == value
    except ValueError:  # a number to Python
        return False


def _is_power(value: Any) -> bool:
    """Return whether a value is a text that stands for a number, such as 1e-3."""
    return isinstance(value, str) and NUMBER.fullmatch(value) is not None


def _is_argument(name: Any, value: Any) -> bool:
    if not (isinstance(name, str) and name.isidentifier()):
        return False
    if isinstance(value, str):  # what is not a finite number must not pass for a word
        word = value.strip().lower().lstrip("+-") not in {"nan", "inf", "infinity"}
        return word and len(value) <= LONGEST and not {",", "\0"} & set(value)
    return isinstance(value, bool | int | float) and abs(value) < math.inf
