"""Finding what is installed, ours and others', through entry points; listing imports nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from faa_core.errors import FaaError, UnknownNameError

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
        return entry.load()
    except Exception as error:
        raise FaaError(
            f"The plugin '{name}' of group {group} ({_origin(entry)}) does not load: "
            f"{type(error).__name__}: {error}. Mend or uninstall that package; `faa doctor` lists all plugins."
        ) from error


def status(group: str) -> list[PluginStatus]:
    """Return each plugin of a group with the error it fails with, if any; never raises for a broken plugin."""
    return [
        _status(entry, clashes=len(entries) > 1)
        for _name, entries in sorted(_entries(group).items())
        for entry in entries
    ]


def _entries(group: str) -> dict[str, list[EntryPoint]]:
    """Return the entry points of each name: one, unless distributions clash."""
    found: dict[str, dict[tuple[str, str], EntryPoint]] = {}
    for entry in entry_points(group=group):
        found.setdefault(entry.name, {})[entry.value, _origin(entry)] = entry
    return {name: list(entries.values()) for name, entries in found.items()}


def _origin(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value


def _status(entry: EntryPoint, *, clashes: bool) -> PluginStatus:
    error = "the name is offered twice" if clashes else None
    try:
        entry.load()
    except Exception as failure:  # noqa: BLE001 a plugin can fail in any way; the report is the point
        error = f"{type(failure).__name__}: {failure}"
    return PluginStatus(group=entry.group, name=entry.name, value=entry.value, distribution=_origin(entry), error=error)
