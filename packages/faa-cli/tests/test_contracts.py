"""The contract for commands: ours keep it, and each fault is found by the test that is for it."""

import subprocess

import pytest
import typer

from faa_cli import testing
from faa_cli.testing import CommandContract
from faa_core import plugins


class TestOurCommands(CommandContract):
    """Every command that is installed keeps the contract."""

    @pytest.fixture(autouse=True, params=plugins.names("faa.commands"))
    def _choose(self, request):
        self.name = request.param


def command(function):
    """Return an app of one command."""
    app = typer.Typer()
    app.command()(function)
    return app


def silent(count: int = typer.Option(1, help="How many.")):
    pass


def mute(count: int = 1):
    """Say nothing."""


def sound(count: int = typer.Option(1, help="How many.")):
    """Count."""


@pytest.mark.parametrize(
    ("app", "answer", "test", "message"),
    [
        (print, (0, "greet  Count.", ""), "test_it_is_a_typer_app", "a typer.Typer, not builtin_function"),
        (command(silent), (0, "greet", ""), "test_faa_lists_it", "docstring"),
        (command(sound), (0, "meet  Count.", ""), "test_faa_lists_it", "lists 'greet'"),
        (command(sound), (1, "", "broken"), "test_its_help_is_whole", "exit code 0, not 1: broken"),
        (command(sound), (0, "--count --help" + 80 * "x", ""), "test_its_help_is_whole", "fits 80 columns"),
        (command(sound), (0, "--help", ""), "test_its_help_is_whole", "shows --count"),
        (command(mute), (0, "--count --help", ""), "test_its_help_is_whole", "shows what --count is for"),
        (command(sound), (0, "", "--no-such-flag"), "test_it_refuses_a_wrong_flag", "exit code 2, not 0"),
        (command(sound), (2, "", "Traceback --no-such-flag"), "test_it_refuses_a_wrong_flag", "not in a traceback"),
        (command(sound), (2, "", "Error"), "test_it_refuses_a_wrong_flag", "names the flag"),
        (command(sound), (2, "x", "--no-such-flag"), "test_it_refuses_a_wrong_flag", "to standard error"),
    ],
)
def test_it_finds(monkeypatch, app, answer, test, message):
    """What `faa` answers is given, as no such command is installed."""
    monkeypatch.setattr(testing, "_faa", lambda *words: subprocess.CompletedProcess(words, *answer))
    contract = type("Broken", (CommandContract,), {"name": "greet", "app": lambda _self: app})()
    with pytest.raises(AssertionError, match=f"Not kept: .*{message}"):
        getattr(contract, test)()
