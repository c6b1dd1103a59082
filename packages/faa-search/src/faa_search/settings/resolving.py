"""From layers of settings to one: default < recipe < file < flag; what is wrong is named, with a suggestion."""

import difflib
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from faa_core import FaaError
from faa_core.paths import refuse_address
from faa_core.text import safe
from faa_core.yaml_files import read_yaml
from faa_search.settings import Settings
from faa_search.settings.numbers import real_number

Config = TypeVar("Config", bound=Settings)
LIMITS = {  # by pydantic's name of the fault: the message, and which of its figures
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
TYPES = {
    "string_type": "a text",
    "bool_type": "true or false, without quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "tuple_type": "a list",
}


class Layer(NamedTuple):
    """Some settings and where they come from, for messages."""

    source: str
    settings: Mapping[str, Any]


def resolve(config: type[Config], layers: list[Layer]) -> Config:
    """Return the settings of all layers, the later winning.

    Raises:
        FaaError: If a key is unknown or there in two spellings, or a value not allowed; the message names the layer.
    """
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for source, settings in layers:
        for key, value in _named(config, source, settings).items():
            merged[key] = value
            origin[key] = source
    try:
        return config(**merged)
    except ValidationError as error:
        raise FaaError("; ".join(_fault(fault, origin) for fault in error.errors())) from error


def without(layer: Layer, names: Collection[str]) -> Layer:
    """Return a layer without some settings, however it spells them."""
    return layer._replace(
        settings={key: value for key, value in layer.settings.items() if str(key).replace("-", "_") not in names}
    )


def read_layer(path: str | Path) -> Layer:
    """Return the settings of a YAML file.

    Raises:
        FaaError: If it cannot be read, is not YAML of settings, or no mapping.
    """
    refuse_address(str(path))
    # A run's own config.yaml names the command that made it; its settings can be used again.
    return Layer(str(path), {key: value for key, value in read_yaml(Path(path)).items() if key != "command"})


def _named(config: type[Settings], source: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer's settings by their fields, which dashes and underscores spell alike."""
    named: dict[str, Any] = {}
    for given, value in settings.items():
        key = str(given).replace("-", "_")
        if key not in config.model_fields:
            raise FaaError(f"{source}: unknown setting '{safe(given)[:80]}'{_hint(config, key)}")
        if key in named:
            raise FaaError(f"{source}: '{key}' is given twice, as '{key.replace('_', '-')}' too; leave one out.")
        named[key] = value
    return named


def _hint(config: type[Settings], key: str) -> str:
    """Return which setting an unknown one may stand for."""
    if close := difflib.get_close_matches(key, config.model_fields, n=2):
        return f"; did you mean {' or '.join(close)}?"
    nearest = difflib.get_close_matches(key, config.model_fields, n=1, cutoff=0.3)
    return f" of {config.of_what}; " + (
        f"the nearest name is {nearest[0]}." if nearest else "see the command's --help."
    )


def _fault(fault: Any, origin: Mapping[str, str]) -> str:
    if not fault["loc"]:  # of several settings together; the message names them
        return str(fault["msg"].removeprefix("Value error, "))
    key = str(fault["loc"][0])
    where = origin.get(key, "settings")
    flag = f"--{key.replace('_', '-')}" if where == "flags" else f"{where}: {key}"
    return f"{flag}: {_said(fault)} (given {fault['input']!r:.80})"


def _said(fault: Any) -> str:
    """Return what is allowed, of a value that is not."""
    kind, given, limits = fault["type"], fault["input"], fault.get("ctx", {})
    if kind in LIMITS:
        word, key = LIMITS[kind]
        return f"it must be {word} {_number(limits[key])}"
    if kind == "value_error":
        return str(fault["msg"].removeprefix("Value error, "))
    if kind in TYPES:
        return f"it must be {TYPES[kind]}{_advice(kind, given)}"
    return f"{fault['msg'].lower()}{_advice(kind, given)}"


def _advice(kind: str, given: Any) -> str:
    """Return how a value is written in a file, where it is of another kind there than was meant."""
    if given is None:
        return "; give a value, or leave the setting out"
    if kind in {"string_type", "literal_error"} and isinstance(given, bool):
        return "; put quotes around it, as YAML takes yes, no, on, off, true and false for yes or no"
    if kind == "string_type" and isinstance(given, int | float):
        return "; put quotes around it"
    return "; write it without quotes" if kind in {"int_type", "float_type"} and _says_a_number(given) else ""


def _says_a_number(given: Any) -> bool:
    try:
        return isinstance(given, str) and math.isfinite(real_number(given))
    except ValueError:
        return False


def _number(limit: Any) -> str:
    """Return a limit in few digits."""
    return f"{limit:,}" if isinstance(limit, int) else f"{limit:g}"
