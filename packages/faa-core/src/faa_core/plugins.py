"""Finding what is installed, ours and others', through entry points; listing imports nothing."""

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any

from faa_core.errors import FaaError, UnknownNameError
from faa_core.text import one_line, safe

NOTHING: Mapping[str, Any] = MappingProxyType({})
GROUPS = (
    "faa.ops",
    "faa.policies",
    "faa.searchers",
    "faa.samplers",
    "faa.datasets",
    "faa.models",
    "faa.executors",
    "faa.commands",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginStatus:
    """One entry point as `faa doctor` shows it; `error` is None when it loads."""

    group: str
    name: str
    value: str
    distribution: str
    error: str | None


def names(group: str) -> list[str]:
    """Return the names offered in a group, sorted, without importing anything."""
    return sorted(_entries(group))


def package_of(group: str, name: str) -> str | None:
    """Return the distribution that offers a name; None where none does."""
    entries = _entries(group).get(name)
    return _origin(entries[0]) if entries else None


def load(group: str, name: str, *, kind: str, hint: str = "", ours: Mapping[str, Any] = NOTHING) -> Any:
    """Return the object that a plugin offers under a name, or one of ours that need no entry point.

    Raises:
        UnknownNameError: If nothing in the group has that name.
        FaaError: If two distributions offer the name, or the plugin fails to import.
    """
    entries = _entries(group)
    if name not in {*ours, *entries}:
        raise UnknownNameError(kind, name, [*ours, *entries], hint=hint)
    by = [*(["faa-core"] if name in ours else []), *(_origin(entry) for entry in entries.get(name, []))]
    if len(by) > 1:
        raise FaaError(f"'{name}' of group {group} is offered twice: by {by[0]} and by {by[1]}. Uninstall one of them.")
    if name in ours:
        return ours[name]
    entry = entries[name][0]
    try:
        return _imported(entry)
    except FaaError as error:
        raise FaaError(
            f"The plugin '{name}' of group {group} ({_origin(entry)}) does not load: {error}. "
            "Mend or uninstall that package; `faa doctor` lists all plugins."
        ) from error.__cause__


def status(group: str) -> list[PluginStatus]:
    """Return each plugin of a group with the error it fails with, if any; never raises for a broken plugin."""
    return [
        _status(entry, clashes=len(entries) > 1)
        for _name, entries in sorted(_entries(group).items())
        for entry in entries
    ]


@contextmanager
def blamed(part: str, *, but: tuple[type[BaseException], ...] = ()) -> Iterator[None]:
    """Say of what fails in a plugin's code that it is the plugin's, and where; a FaaError stays as it is.

    Args:
        part: What is at work, such as "`run` of the search algorithm 'grow'".
        but: Exceptions that are no mistake of the plugin.

    Raises:
        FaaError: From the exception; one that stops the program, such as KeyboardInterrupt, stays as it is.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        if isinstance(error, (FaaError, *but)):
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = ": ".join(filter(None, (type(error).__name__, one_line(error))))
        raise FaaError(
            f"{part} failed with {safe(said)} ({safe(Path(place.filename).name)}, line {place.lineno}). That is for "
            "its plugin to mend."
        ) from error


def _entries(group: str) -> dict[str, list[EntryPoint]]:
    """Return the entry points of each name: one, unless distributions clash."""
    found: dict[str, dict[tuple[str, str], EntryPoint]] = {}
    for entry in entry_points(group=group):
        found.setdefault(entry.name, {})[entry.value, _origin(entry)] = entry
    return {name: list(entries.values()) for name, entries in found.items()}


def _origin(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value


def _imported(entry: EntryPoint) -> Any:
    """Return what an entry point names.

    Raises:
        FaaError: If it cannot be loaded; the message states why, and does not name the plugin.
    """
    if not entry.pattern.match(entry.value):
        raise FaaError(f"its entry point '{safe(entry.value)}' must have the form package.module:object")
    try:
        return entry.load()
    except (Exception, SystemExit) as error:  # a plugin can fail in any way, also by ending the program
        raise FaaError(f"{type(error).__name__}: {error}") from error


def _status(entry: EntryPoint, *, clashes: bool) -> PluginStatus:
    error = "the name is offered twice" if clashes else None
    try:
        _imported(entry)
    except FaaError as failure:
        error = str(failure)
    return PluginStatus(group=entry.group, name=entry.name, value=entry.value, distribution=_origin(entry), error=error)
