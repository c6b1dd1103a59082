"""The `faa` command: commands come from the entry points ``faa.commands``, ours and plugins' alike."""

import io
import os
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.main import get_command

from faa_cli import __version__
from faa_cli.help_pages import Group
from faa_cli.refusals import explain_refusal
from faa_cli.showing import say
from faa_core import FaaError, plugins
from faa_core.paths import WORDS, refusal
from faa_core.text import one_line, safe, sentence

FIRST = (
    "search",
    "train",
    "eval",
    "compare",
    "policy",
    "trials",
    "model",
    "recipe",
    "doctor",
)  # in the order one meets them
USAGE_ERROR = 2
EXAMPLES = """
Find a policy for a folder of photos, one folder per class, in half an hour; train with it; test the network:
faa search --dataset photos --test-fraction 0.2 --img-size 64 --budget 30m --output runs/search
faa train --dataset photos --test-fraction 0.2 --img-size 64 --policy runs/search/policy.json --output runs/train
faa eval --checkpoint runs/train
Try it without any data of your own, on scikit-learn's digits:
faa train --dataset digits --policy trivialaugment --epochs 5
"""
TOO_LITTLE_MEMORY = (
    "The device's memory does not suffice. If something else was using it, the same command goes on from what was "
    "done. So it does with fewer processes on the device (--num-processes), or with the images left off it "
    "(--no-resident). A smaller --batch-size, for a search also --score-batch-size, or --amp make another run: choose "
    "another --output for it. The message of torch:"
)


class PluginGroup(Group):
    """A group whose commands are entry points, loaded when used; one that does not load shows its error instead."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names: ours first, then plugins'."""
        offered = plugins.names("faa.commands")
        return sorted(offered, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))

    def invoke(self, ctx: Any) -> None:
        """Run a command; its return value is not an exit code."""
        super().invoke(ctx)

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
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXAMPLES,
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        say(f"faa {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Learned augmentation policies for image classifiers: find one for your data, train with it, compare it.

    A policy sets how training images are varied at random: which operations, how often, how strongly. You may
    stop a command at any moment; the same command resumes it.
    """


def main() -> None:
    """Run the command line; a mistake in what was given ends in one message and exit code 2, never a traceback."""
    _let_nothing_fail_to_be_encoded()
    try:
        code = get_command(app)(prog_name="faa", standalone_mode=False)
    except FaaError as error:
        _fail(error, USAGE_ERROR)
    except BrokenPipeError:  # the reader of our output, such as head, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:  # of a path, or of the system itself
        _fail(*_refused(error))
    except Exception as error:
        told, code = _explained(error)
        if told is None:
            raise
        _fail(told, code)
    sys.exit(code)


def _fail(error: object, code: int) -> NoReturn:
    said = sentence(error) if str(error).strip() else f"{type(error).__name__}, without a message."
    say(f"Error: {said}", err=True)
    sys.exit(code)


def _refused(error: OSError) -> tuple[object, int]:
    """Return the message about an error of the system, and the exit code: of a path, as for other mistakes."""
    if error.filename is not None:
        return refusal(error, f"'{safe(os.fsdecode(error.filename))}' cannot be used"), USAGE_ERROR
    return refusal(error, "The system refuses") if error.errno in WORDS else error, 1


def _explained(error: Exception) -> tuple[str | None, int]:
    """Return the message about an error that is neither ours nor the system's, None if nothing; and the exit code."""
    torch = sys.modules.get("torch")  # not imported for this: where it is not, it raised nothing
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return f"{TOO_LITTLE_MEMORY} {one_line(error, most=200)}", 1
    return explain_refusal(error), USAGE_ERROR


def _let_nothing_fail_to_be_encoded() -> None:
    """Have letters that the output cannot show written as escapes, also those of libraries."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _broken(error: FaaError) -> typer.Typer:
    """Return a command that raises what its plugin failed with."""
    stub = typer.Typer()

    @stub.command(
        help="Does not load; `faa doctor` shows why.",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def fail() -> None:
        raise error

    return stub
