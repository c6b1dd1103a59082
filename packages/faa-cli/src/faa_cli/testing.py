"""What every command has to keep, as a test class for authors of one.

Subclass it in a test file and name the command; pytest collects the inherited tests, and any other runner may call
them. They need no pytest, and a failure is an AssertionError that states what was expected::

    class TestGreet(CommandContract):
        name = "greet"

The package must be installed, as for its users: each test starts ``faa`` in a separate process.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, ClassVar

import typer
from typer.main import get_command

from faa_core import plugins
from faa_core.testing.expecting import expect

WIDTH = 80  # columns
NO_FLAG = "--no-such-flag"


class CommandContract:
    """What every command keeps; subclass it and set `name`."""

    name: ClassVar[str]

    def app(self) -> typer.Typer:
        """Return the installed command of the name."""
        found: typer.Typer = plugins.load("faa.commands", self.name, kind="command")
        return found

    def test_it_is_a_typer_app(self) -> None:
        """As `faa` makes a command of nothing else."""
        app = self.app()
        expect(isinstance(app, typer.Typer), f"'{self.name}' is a typer.Typer, not {type(app).__name__}")

    def test_faa_lists_it(self) -> None:
        """With a word about what it does."""
        listed = _faa("--help")
        summary = (get_command(self.app()).help or "").strip()
        expect(bool(summary), f"'{self.name}' has a docstring that states what it does")
        names = [line.split()[0] for line in listed.stdout.splitlines() if line.strip()]
        expect(self.name in names, f"`faa --help` lists '{self.name}'")

    def test_its_help_is_whole(self) -> None:
        """`--help` of it and its sub-commands: exit code 0, 80 columns, each option with a word about it."""
        for words, command in self._commands():
            page, typed = _faa(*words, "--help"), f"`faa {' '.join(words)} --help`"
            expect(page.returncode == 0, f"{typed} ends with exit code 0, not {page.returncode}: {page.stderr[-300:]}")
            wide = [line for line in page.stdout.splitlines() if len(line) > WIDTH]
            expect(not wide, f"{typed} fits {WIDTH} columns, not {wide[:1]}")
            for parameter in command.params:
                named = [name for name in parameter.opts if name.startswith("--")]
                shown = all(name in page.stdout for name in named)
                expect(shown, f"{typed} shows {' and '.join(named)}")
                told = bool(getattr(parameter, "help", None)) or getattr(parameter, "hidden", False)
                expect(told, f"{typed} shows what {'/'.join(parameter.opts)} is for")

    def test_it_refuses_a_wrong_flag(self) -> None:
        """With exit code 2 and a message that names the flag: no traceback, and nothing on standard output."""
        for words, _command in self._commands():
            done, typed = _faa(*words, NO_FLAG), f"`faa {' '.join(words)} {NO_FLAG}`"
            expect(done.returncode == 2, f"{typed} ends with exit code 2, not {done.returncode}")
            expect("Traceback" not in done.stderr, f"{typed} ends in a message, not in a traceback")
            expect(NO_FLAG in done.stderr, f"{typed} names the flag, and does not only show: {done.stderr.strip()}")
            expect(not done.stdout, f"{typed} writes its message to standard error, and nothing else")

    def _commands(self) -> Iterator[tuple[tuple[str, ...], Any]]:
        """Yield the command and its sub-commands, each with the words that call it."""
        waiting: list[tuple[tuple[str, ...], Any]] = [((self.name,), get_command(self.app()))]
        for words, command in waiting:
            yield words, command
            names = command.list_commands(None) if hasattr(command, "list_commands") else ()
            waiting += [((*words, name), command.get_command(None, name)) for name in names]


def _faa(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a terminal of 80 columns."""
    return subprocess.run(  # noqa: S603 this interpreter
        [sys.executable, "-m", "faa_cli", *words],
        env=os.environ | {"COLUMNS": str(WIDTH)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
