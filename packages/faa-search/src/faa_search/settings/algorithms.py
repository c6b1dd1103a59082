"""Which settings a search algorithm takes: each brings a class that extends `SharedSearchConfig` by its own fields."""

import inspect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from faa_core import FaaError, plugins
from faa_core.text import safe
from faa_search.settings.algorithm_fields import check_fields
from faa_search.settings.base import Settings
from faa_search.settings.resolving import Layer, resolve
from faa_search.settings.search import SharedSearchConfig

GROUP = "faa.searchers"
USUAL = str(SharedSearchConfig.model_fields["algorithm"].default)


def load_algorithm(name: str) -> Any:
    """Return what an entry point of the searchers names, once its settings are found to be some.

    Raises:
        UnknownNameError: If no installed package offers the algorithm.
        FaaError: If it does not load, or has no class of settings that a search can be made with.
    """
    found = plugins.load(GROUP, name, kind="search algorithm")
    kind = getattr(found, "settings", None)
    if not (inspect.isclass(kind) and issubclass(kind, SharedSearchConfig)):
        raise FaaError(
            f"The plugin '{name}' of group {GROUP} must be a faa_search.searching.protocol.Searcher, whose `settings` "
            f"are a class that extends SharedSearchConfig; it is {safe(repr(found)):.80}."
        )
    with plugins.blamed(f"The class of settings of the search algorithm '{name}'"):
        check_fields(kind, name)
    return found


def settings_of_algorithm(name: str) -> type[SharedSearchConfig]:
    """Return the class of an algorithm's settings.

    Raises:
        UnknownNameError: If no installed package offers the algorithm.
        FaaError: As `load_algorithm`.
    """
    kind: type[SharedSearchConfig] = load_algorithm(name).settings
    return kind


def algorithm_of(layers: Sequence[Layer]) -> str:
    """Return the algorithm that layers of settings name, the last winning.

    Raises:
        FaaError: If it is not a text.
    """
    for source, settings in reversed(layers):
        if "algorithm" in settings:
            if not isinstance(settings["algorithm"], str):
                raise FaaError(f"{source}: algorithm: it must be a text (given {settings['algorithm']!r:.80})")
            return settings["algorithm"]
    return USUAL


def resolve_search(layers: Sequence[Layer]) -> SharedSearchConfig:
    """Return the settings of all layers, the later winning, of the class of the algorithm that they name.

    Raises:
        FaaError: If the algorithm is not installed, a setting is another algorithm's, or as `resolve`.
    """
    name = algorithm_of(layers)
    kind = settings_of_algorithm(name)
    for source, settings in layers:
        for key in settings:
            check_setting(str(key).replace("-", "_"), kind, name, said=f"{source}: {safe(key)}")
    return resolve(kind, list(layers))


def check_setting(field: str, kind: type[Settings], algorithm: str, *, said: str) -> None:
    """Refuse a setting that this algorithm lacks and another one has.

    Args:
        field: Its name.
        kind: Of this algorithm's settings.
        algorithm: This one.
        said: What the setting is called in the message.

    Raises:
        FaaError: If it is so.
    """
    if field in kind.model_fields or not (owners := algorithms_with(field)):
        return
    raise FaaError(
        f"{said} is a setting of the search algorithm {' and '.join(map(repr, owners))}, and this search is by "
        f"'{safe(algorithm)}': leave it out, or give --algorithm {owners[0]}."
    )


def algorithms_with(field: str) -> list[str]:
    """Return the installed algorithms that have a setting; those that do not load have none."""
    found = []
    for name in plugins.names(GROUP):
        with suppress(FaaError):
            if field in settings_of_algorithm(name).model_fields:
                found.append(name)
    return found


def settings_said(said: Mapping[str, Any], source: str) -> type[SharedSearchConfig]:
    """Return the class of the settings in a file or a policy, by the algorithm that it names.

    Args:
        said: Settings, maybe among other things.
        source: What the file or policy is called in messages.

    Raises:
        FaaError: If its algorithm is not a text, or as `settings_of_algorithm`.
    """
    return settings_of_algorithm(algorithm_of([Layer(source, said)]))
