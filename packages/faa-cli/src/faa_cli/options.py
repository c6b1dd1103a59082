"""Command-line options made from the fields of a settings class, so that both agree."""

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from faa_cli.given import number_of
from faa_cli.start import answer_stop
from faa_search.settings import DataConfig, FitConfig, RunConfig, Settings
from faa_search.settings.adversarial import ControllerConfig
from faa_search.settings.fast import ExploringConfig, SelectingConfig, SpaceConfig
from faa_search.settings.fitting import BaselineConfig, LossConfig, NetworkConfig, UpdateConfig
from faa_search.settings.numbers import real_number, whole_number
from faa_search.settings.recipes import load_recipe
from faa_search.settings.resolving import Config, Layer, read_layer, resolve
from faa_search.settings.search import FoldsConfig, ScoringConfig, SharedSearchConfig, WorkersConfig

RESUMABLE = "Stopped. The same command goes on from here."
SHORT = {"batch_size": "-b", "workers": "-j"}
PANELS = (
    (FoldsConfig, "Folds"),
    (SpaceConfig, "Policies"),
    (ExploringConfig, "Exploring"),
    (ScoringConfig, "Exploring"),
    (SelectingConfig, "Choosing"),
    (WorkersConfig, "Workers"),
    (DataConfig, "Data"),
    (NetworkConfig, "Network"),
    (UpdateConfig, "Updates"),
    (LossConfig, "Loss"),
    (BaselineConfig, "Baseline augmentation"),
    (ControllerConfig, "Controller of --adversarial"),
    (FitConfig, "Running"),
    (RunConfig, "Training"),
    (SharedSearchConfig, "Search"),  # last, as it has the fields of others, too
)

RecipeOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Named complete settings; see `faa recipe list`. Or hf://OWNER/NAME.")
]
ConfigOption = Annotated[str | None, typer.Option("--config", "-c", metavar="FILE", help="YAML file with settings.")]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        parser=number_of("--threads", whole_number, least=1, most=1024),
        metavar="N",
        help="CPU threads of torch (default: its own choice).",
    ),
]
RepositoryArgument = Annotated[
    str, typer.Argument(metavar="OWNER/NAME", help="Repository; it is made if there is none.")
]
PrivateOption = Annotated[
    bool | None, typer.Option("--private/--public", help="Who may see a repository that is made.")
]
READERS: dict[Any, Callable[[str], float]] = {
    int: whole_number,
    float: real_number,
    tuple[float, float]: real_number,
}  # of numbers; the settings check the rest
METAVARS = {int: "N", float: "X", str: "TEXT", tuple[float, float]: "LOW HIGH"}


def with_settings(
    config: type[Settings],
    panel: str,
    *,
    stopped: str = RESUMABLE,
    choices: Mapping[str, Sequence[str]] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command one option per field; the command gets those given as `flags`.

    Args:
        config: The settings class.
        panel: Heading of the fields that are the class's own.
        stopped: The message where the command is stopped, as by Ctrl-C.
        choices: What a field is one of, where its type does not show it.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        fixed = [p for p in inspect.signature(command).parameters.values() if p.name != "flags"]
        placed = [(_panel(config, name, panel), name, field) for name, field in config.model_fields.items()]
        headings = [panel, "Search", *(heading for _base, heading in PANELS)]  # its own first
        placed.sort(key=lambda row: headings.index(row[0]))
        named = choices or {}
        own = [_parameter(name, field, heading, named.get(name, ())) for heading, name, field in placed]

        def run(**values: Any) -> None:
            flags = {name: values.pop(name) for name in config.model_fields}
            with answer_stop(stopped):
                command(**values, flags={name: value for name, value in flags.items() if value is not None})

        run.__doc__ = command.__doc__
        run.__name__ = command.__name__
        run.__signature__ = inspect.Signature([*fixed, *own])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*fixed, *own)}
        return run

    return decorate


def resolve_given(
    config: type[Config],
    command: str,
    recipe: str | None,
    file: str | None,
    flags: dict[str, Any],
    *,
    below: Sequence[Layer] = (),
) -> Config:
    """Return the settings of a command: default < `below` < recipe < file < flag.

    Raises:
        FaaError: If a layer cannot be read, or holds an unknown key or a value that is not allowed.
    """
    layers = [load_recipe(recipe).layer(command)] if recipe else []
    layers += [read_layer(file)] if file else []
    return resolve(config, [*below, *layers, Layer("flags", flags)])


def use_threads(threads: int | None) -> None:
    """Set torch's CPU threads, if asked to."""
    if threads is not None:
        import torch  # noqa: PLC0415 slow, and not needed to show help

        torch.set_num_threads(threads)


def _parameter(name: str, field: FieldInfo, panel: str, named: Sequence[str]) -> inspect.Parameter:
    flag = f"--{name.replace('_', '-')}"
    kind, choices = _kind(field.annotation)
    choices = choices or tuple(named)
    names = [f"{flag}/--no-{flag[2:]}"] if kind is bool else [*([SHORT[name]] if name in SHORT else []), flag]
    option = typer.Option(
        *names,
        help=_help(field, choices),
        show_default=False,
        rich_help_panel=panel,
        metavar="NAME" if choices else METAVARS.get(kind),
        parser=number_of(flag, READERS[kind]) if kind in READERS else None,
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def takes_a_pair(field: FieldInfo) -> bool:
    """Return whether a setting's flag takes two numbers, as two words."""
    return bool(_kind(field.annotation)[0] == tuple[float, float])


def _kind(annotation: Any) -> tuple[Any, tuple[str, ...]]:
    """Return the type the command line parses, and the choices if there are some; pydantic checks the rest."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kind(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return _kind(next(arm for arm in get_args(annotation) if arm is not types.NoneType))
    if origin is Literal:
        return str, tuple(get_args(annotation))
    if origin is tuple and Ellipsis not in get_args(annotation):
        return tuple[float, float], ()
    if origin in (dict, tuple):  # texts that separate their parts by commas
        return str, ()
    return annotation, ()


def _help(field: FieldInfo, choices: tuple[str, ...]) -> str:
    text = field.description or ""
    if choices:
        text += f" One of {', '.join(choices)}."
    return text if field.default in (None, {}, ()) else f"{text} (default: {_shown(field.default)})"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return (" " if len(value) == 2 else ",").join(
            part if isinstance(part, str) else f"{part:.4g}" for part in value
        )
    return str(value)


def _panel(config: type[Settings], name: str, own: str) -> str:
    return next((panel for base, panel in PANELS if base is not config and name in base.model_fields), own)
