"""What the parser of the command line refuses, shown as every other mistake: what was given, and what to do."""

import difflib
from typing import Any

import typer
from pydantic import ValidationError

from faa_cli.given import name_of


def explain_refusal(error: Exception) -> str | None:
    """Return what is wrong with the command line in a sentence, or None if an error is not about that."""
    if not isinstance(error, typer.TyperException):
        return None
    context = getattr(error, "ctx", None)
    if context is None:
        return _message(error)
    path = context.command_path
    return f"{_sentence(error, path)} `{path} --help` shows what is allowed."


def _sentence(error: Any, path: str) -> str:
    if isinstance(error, typer.BadParameter):
        return _of_parameter(error, path)
    option = getattr(error, "option_name", None)
    if option is None or not hasattr(error, "possibilities"):
        return _message(error)
    known = [name for parameter in error.ctx.command.params for name in (*parameter.opts, *parameter.secondary_opts)]
    close = difflib.get_close_matches(option.lower().replace("_", "-"), known, n=2, cutoff=0.7)
    hint = f"; did you mean {' or '.join(close)}?" if close else "."
    return f"{path} has no option {option}{hint}"


def _of_parameter(error: typer.BadParameter, path: str) -> str:
    """Return what is wrong with a value, or that it is missing."""
    parameter: Any = error.param
    if parameter is None:
        return _message(error)
    name = name_of(parameter)
    if hasattr(error, "param_type"):
        return f"{path} needs {name}: {parameter.help}"
    given = f" (given {_input(error)})" if isinstance(error.__cause__, ValidationError) else ""
    message = error.message.partition(", unable")[0].rstrip(".")
    return f"{name}: {message[:1].lower()}{message[1:]}{given}."


def _input(error: Exception) -> str:
    """Return the value that was refused, as typer's cause of a refusal knows it."""
    cause = error.__cause__
    return f"{cause.errors()[0]['input']!r:.80}" if isinstance(cause, ValidationError) else ""


def _message(error: Exception) -> str:
    return f"{str(getattr(error, 'message', error)).rstrip('.')}."
