"""From layers of settings to one: default < recipe < file < flag; what is wrong is named, with a suggestion."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from faa_core import FaaError
from faa_core.text import safe
from faa_core.yaml_files import read_yaml
from faa_search.config import Settings

Config = TypeVar("Config", bound=Settings)


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


def read_layer(path: str | Path) -> Layer:
    """Return the settings of a YAML file.

    Raises:
        FaaError: If it cannot be read, is no YAML of settings, or no mapping.
    """
    # A run's own config.yaml says which command made it; its settings can be used again.
    return Layer(str(path), {key: value for key, value in read_yaml(Path(path)).items() if key != "command"})


def _named(config: type[Settings], source: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer's settings by their fields, which dashes and underscores spell alike."""
    named: dict[str, Any] = {}
    for given, value in settings.items():
        key = str(given).replace("-", "_")
        if key not in config.model_fields:
            close = difflib.get_close_matches(key, config.model_fields, n=2)
            hint = f"; did you mean {' or '.join(close)}?" if close else f" of {config.__name__}."
            raise FaaError(f"{source}: unknown setting '{safe(given)[:80]}'{hint}")
        if key in named:
            raise FaaError(f"{source}: '{key}' is there twice, as '{key.replace('_', '-')}' too; leave one out.")
        named[key] = value
    return named


def _fault(fault: Any, origin: Mapping[str, str]) -> str:
    if not fault["loc"]:  # of several settings together; the message names them
        return str(fault["msg"].removeprefix("Value error, "))
    key = str(fault["loc"][0])
    where = origin.get(key, "settings")
    flag = f"--{key.replace('_', '-')}" if where == "flags" else f"{where}: {key}"
    ours = fault["msg"].removeprefix("Value error, ")  # of a validator; else it is pydantic's, which is a sentence
    said = ours if fault["type"] == "value_error" else ours.lower()
    return f"{flag}: {said} (given {fault['input']!r:.80})"
