"""The flags of `faa search` are those of its algorithm, which is read first: from flags, file, recipe or --like."""

import argparse
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, ClassVar

import typer
from typer.main import get_command

from faa_cli.help_pages import Command
from faa_cli.options import with_settings
from faa_core import Policy
from faa_search.searching.protocol import Searcher, load_searcher
from faa_search.settings import Settings, SharedSearchConfig
from faa_search.settings.algorithm_fields import TAKEN
from faa_search.settings.algorithms import algorithm_of, check_setting
from faa_search.settings.like import settings_of
from faa_search.settings.recipes import load_recipe
from faa_search.settings.resolving import Layer, read_layer

EXAMPLES = """
Find a policy for a folder of photos, one folder per class, by this algorithm:
faa search --algorithm {name} --dataset photos --test-fraction 0.2 --img-size 64 --output runs/search
Find somebody's policy again, on the same images:
faa search --like policy.json --dataset photos --output runs/again
"""


class ByAlgorithm(Command):
    """A command that becomes the one for the algorithm that is named.

    Attributes:
        usual: Settings that the command is made for.
        body: What the command does, as `with_settings` takes it.
    """

    usual: ClassVar[type[SharedSearchConfig]]
    body: ClassVar[Callable[..., None]]

    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Return the context of the command with the algorithm's flags.

        Raises:
            FaaError: If the algorithm is not installed, or a flag is another algorithm's.
        """
        if extra.get("resilient_parsing") or getattr(parent, "resilient_parsing", False):
            return super().make_context(info_name, args, parent, **extra)
        name = algorithm_of(layers_below(**_named_in(args)))
        algorithm = load_searcher(name)
        _check_flags(args, algorithm.settings, name)
        if algorithm.settings is self.usual:
            return super().make_context(info_name, args, parent, **extra)
        return self._with_flags_of(algorithm).make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the context was made for."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)

    def _with_flags_of(self, algorithm: Searcher) -> Any:
        """Return the command with the flags of an algorithm, its own in a panel of its name."""
        flags = with_settings(algorithm.settings, algorithm.name, choices={"stage": algorithm.stages})
        app = typer.Typer(add_completion=False)
        app.command(cls=Command, epilog=EXAMPLES.format(name=algorithm.name))(flags(type(self).body))
        command = get_command(app)
        command.name = self.name
        return command


def layers_below(
    *, recipe: str | None = None, config: str | None = None, like: str | None = None, algorithm: str | None = None
) -> list[Layer]:
    """Return the layers of a search's settings but for the flags: of --like, recipe and file; then the algorithm.

    Raises:
        FaaError: If one cannot be read.
    """
    layers = [settings_of(Policy.load(like), like)] if like else []
    layers += [load_recipe(recipe).layer("search")] if recipe else []
    layers += [read_layer(config)] if config else []
    return [*layers, *([Layer("flags", {"algorithm": algorithm})] if algorithm else [])]


def _named_in(args: Sequence[str]) -> dict[str, Any]:
    """Return what an algorithm can be read from, of what was typed; mistakes are for the command to find."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config", "-c")
    for flag in ("--recipe", "--like", "--algorithm"):
        parser.add_argument(flag)
    with suppress(argparse.ArgumentError):
        return vars(parser.parse_known_args(list(args))[0])
    return {}


def _check_flags(args: Sequence[str], kind: type[Settings], algorithm: str) -> None:
    """Refuse the first flag that only other algorithms have."""
    for word in args:
        if word == "--":
            return
        if word.startswith("--"):
            flag = word.partition("=")[0]
            name = flag[2:].replace("-", "_")
            fields = dict.fromkeys((name, name.removeprefix("no_")))
            if not fields.keys() & (kind.model_fields.keys() | TAKEN):  # else no other algorithm's, and none is loaded
                for field in fields:
                    check_setting(field, kind, algorithm, said=flag)
