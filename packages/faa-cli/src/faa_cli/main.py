"""The `faa` command: commands come from the entry points ``faa.commands``, ours and plugins' alike."""

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from faa_cli import __version__
from faa_core import FaaError, plugins

FIRST = ("search", "train", "eval", "compare", "policy", "model", "recipe", "doctor")  # in the order one meets them
USAGE_ERROR = 2
TOO_LITTLE_MEMORY = (
    "The device's memory does not suffice. If something else was using it, the same command goes on from what was "
    "done. So it does with fewer processes on the device (--num-processes), or with the images left off it "
    "(--no-resident). A smaller --batch-size, for a search also --score-batch-size, or --amp make another run: choose "
    "another --output for it. torch says:"
)


class PluginGroup(TyperGroup):
    """A group whose commands are entry points, loaded when used; one that does not load says so instead."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names: ours first, then plugins'."""
        offered = plugins.names("faa.commands")
        return sorted(offered, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of a name, or None."""
        if cmd_name not in plugins.names("faa.commands"):
            return None
        try:
            offered = plugins.load("faa.commands", cmd_name, kind="command")
            if not isinstance(offered, typer.Typer):
                raise FaaError(f"The plugin '{cmd_name}' of group faa.commands must be a Typer app, not {offered!r}.")
            command = get_command(offered)
        except FaaError as error:
            command = get_command(_broken(error))
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=PluginGroup,
    help="Learned augmentation policies for image classifiers: find one for your data, train with it, compare it.",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"faa {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Learned augmentation policies for image classifiers: find one for your data, train with it, compare it."""


def main() -> None:
    """Run the command line; a mistake in what was given ends in one message and exit code 2, never a traceback."""
    try:
        app(prog_name="faa")
    except FaaError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(USAGE_ERROR)
    except BrokenPipeError:  # the reader of our output, such as head, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:  # a full disk, a folder that may not be written to
        typer.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except RuntimeError as error:
        torch = sys.modules.get("torch")  # not imported for this: where it is not, it raised nothing
        if torch is None or not isinstance(error, torch.OutOfMemoryError):
            raise
        typer.echo(f"Error: {TOO_LITTLE_MEMORY} {' '.join(str(error).split()):.200}", err=True)
        sys.exit(1)


def _broken(error: FaaError) -> typer.Typer:
    """Return a command that raises what its plugin failed with."""
    stub = typer.Typer()

    @stub.command(
        help="Does not load; `faa doctor` says why.",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def fail() -> None:
        raise error

    return stub
