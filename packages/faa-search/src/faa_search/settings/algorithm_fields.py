"""Whether an algorithm's settings can be a search's: told apart from the command's own, written down and read again."""

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from faa_core import FaaError
from faa_core.text import one_line, safe
from faa_search.settings.base import Settings
from faa_search.settings.resolving import Layer, resolve
from faa_search.settings.search import FoldedSearchConfig, SharedSearchConfig

# What `faa search` takes besides settings, and `command`, which a run's config.yaml has besides them.
TAKEN = frozenset({"command", "config", "help", "like", "output", "recipe", "threads"})


def check_fields(kind: type[SharedSearchConfig], algorithm: str) -> None:
    """Refuse settings that a search cannot be made with.

    Raises:
        FaaError: If there is such a field; the message names it.
    """
    try:
        kind.roles()
    except KeyError as error:
        raise FaaError(
            f"The settings {kind.__name__} of the search algorithm '{algorithm}' have no role, which states what they "
            "decide: give the class a `role: ClassVar[Role]`, such as Role.RESULT."
        ) from error
    for name in kind.model_fields:
        fault = _fault(kind, name)
        if fault is not None:
            raise FaaError(f"The setting '{name}' of the search algorithm '{algorithm}' {fault}.")
    check_kept(kind(), algorithm)


def check_kept(config: SharedSearchConfig, algorithm: str) -> None:
    """Refuse settings that are others, or none, once they are written to a run's config.yaml and read again.

    Raises:
        FaaError: If it is so; the message names the field.
    """
    kind = type(config)
    said = {name: _written(config, name, algorithm) for name in kind.model_fields}
    try:
        read = resolve(kind, [Layer(f"The search algorithm '{algorithm}', settings read again from config.yaml", said)])
    except FaaError as error:
        raise FaaError(f"{error}. Its plugin must keep to types that YAML has, and to values they allow.") from error
    for name in kind.model_fields:
        before, now = getattr(config, name), getattr(read, name)
        if before != now:
            raise FaaError(
                f"The setting '{name}' of the search algorithm '{algorithm}' is {safe(repr(before)):.80}, and "
                f"{safe(repr(now)):.80} once it is read again from config.yaml. Its plugin must give it another type "
                "or value."
            )


def _fault(kind: type[SharedSearchConfig], name: str) -> str | None:
    """Return what is wrong with a field's declaration."""
    field = kind.model_fields[name]
    if field.is_required():
        return "has no default; give it one"
    if name in TAKEN:
        return f"is called as --{name}, which is faa search's own; its plugin must give it another name"
    if name.startswith("no_") and name.removeprefix("no_") in kind.model_fields:
        positive = name.removeprefix("no_")
        return f"has the flag that turns '{positive}' off; its plugin must give it another name"
    for base in (SharedSearchConfig, FoldedSearchConfig):
        if issubclass(kind, base) and name in base.model_fields and not _narrows(kind, base, name):
            return (
                f"takes the place of a shared one and has values of another type ({safe(field.annotation)}); its "
                "plugin must give it another name"
            )
    return None


def _narrows(kind: type[Settings], base: type[Settings], name: str) -> bool:
    """Return whether a field has no values of other types than the one whose place it takes."""
    own, shared = (_types(each.model_fields[name].annotation) for each in (kind, base))
    return all(each in shared for each in own)


def _types(annotation: Any) -> list[Any]:
    """Return the types of a field's values, without their limits."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _types(parts[0])
    if origin is Literal:
        return [type(part) for part in parts]
    if origin in (Union, types.UnionType):
        return [each for part in parts for each in _types(part)]
    return [annotation]


def _written(config: SharedSearchConfig, name: str, algorithm: str) -> Any:
    """Return a setting as a run's config.yaml has it."""
    try:
        return config.model_dump(mode="json", include={name}, warnings=False)[name]
    except Exception as error:  # of the field's type, which may be anybody's
        raise FaaError(
            f"The setting '{name}' of the search algorithm '{algorithm}' cannot be written to config.yaml "
            f"({safe(one_line(error))}). Its plugin must give it a type that YAML has."
        ) from error
