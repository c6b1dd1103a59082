"""The pages of --help: whole at any width, in a terminal and in a pipe, with examples.

A command has its examples in its epilog, one a line; a line that does not begin with "faa " explains the next.
"""

import difflib
import inspect
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from typer.core import TyperCommand, TyperGroup

from faa_cli.given import check_texts
from faa_cli.layout import wrap
from faa_cli.showing import say, shown, terminal_width
from faa_core import FaaError

WIDEST = 100  # columns, as lines longer than that are hard to read
BESIDE = 70  # columns from which options and what they do stand side by side
LEFT = 28  # columns of the options then
OPTIONS = "Options"
ARGUMENTS = "Arguments"
NO_BREAK = "\N{NO-BREAK SPACE}"


class Command(TyperCommand):
    """A command with a page of ours, which refuses blank texts.

    Attributes:
        takes_dash: Names of the parameters for which ``-`` is standard output.
    """

    takes_dash: ClassVar[frozenset[str]] = frozenset()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read what was typed.

        Raises:
            FaaError: If a text is empty, or ``-`` where that means nothing.
        """
        if not ctx.resilient_parsing:
            given, _rest, _order = self.make_parser(ctx).parse_args(args=list(args))
            check_texts(self.get_params(ctx), {} if given.get("help") else given, takes_dash=self.takes_dash)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page."""
        formatter.write(_page(self, ctx, []))


class Group(TyperGroup):
    """A group of commands with a page of ours, and suggestions for mistyped commands."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, _summary(command)) for name, command in found if command is not None and not command.hidden]
        formatter.write(_page(self, ctx, [("Commands", rows)]))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Show the page where no command is given."""
        if not args and not ctx.resilient_parsing:
            for line in ctx.get_help().splitlines():
                say(line, err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command of a name.

        Raises:
            FaaError: If there is none.
        """
        given, known = args[0], self.list_commands(ctx)
        if given in known or given.startswith("-"):
            return super().resolve_command(ctx, args)
        close = difflib.get_close_matches(given.lower(), known, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known)}."
        path = ctx.command_path
        raise FaaError(f"{path} has no command '{given}'; {hint} `{path} --help` shows what each does.")


def _page(command: Any, ctx: Any, sections: list[tuple[str, list[tuple[str, str]]]]) -> str:
    """Return a page: how a command is called, what it does, examples, then what can be given, by heading."""
    width = min(terminal_width(), WIDEST)
    arguments = [name for name, _text in _given(command.get_params(ctx)).get(ARGUMENTS, [])]
    called = [ctx.command_path, "[OPTIONS]", *arguments, *(["COMMAND ..."] if sections else [])]
    lines = wrap(f"Usage: {' '.join(called)}", width)
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        lines += ["", *wrap(" ".join(paragraph.split()), width)]
    if command.epilog:
        lines += ["", "Examples:", *_examples(inspect.cleandoc(command.epilog).splitlines(), width)]
    for heading, rows in [*sections, *_given(command.get_params(ctx)).items()]:
        lines += ["", f"{heading}:", *_definitions(rows, width)]
    return "".join(f"{shown(line.replace(NO_BREAK, ' '), sys.stdout)}\n" for line in lines)


def _given(parameters: Iterable[Any]) -> dict[str, list[tuple[str, str]]]:
    """Return arguments and options, each with what it is for, by their headings."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in parameters:
        if parameter.param_type_name == "argument":
            sections.setdefault(ARGUMENTS, []).append((parameter.metavar or parameter.name.upper(), _text(parameter)))
        elif not parameter.hidden:
            names = ", ".join([*sorted(parameter.opts, key=len), *parameter.secondary_opts])
            named = names if parameter.is_flag else f"{names} {parameter.metavar or 'VALUE'}"
            heading = parameter.rich_help_panel or OPTIONS
            sections.setdefault(heading, []).append((named, _text(parameter)))
    return sections


def _text(parameter: Any) -> str:
    """Return what a parameter is for, and its default where its help does not name it."""
    text = parameter.help or ""
    if parameter.default is not None and not getattr(parameter, "is_flag", False) and "(default:" not in text:
        text += f" (default: {parameter.default})"
    before, default, after = text.partition("(default: ")
    return before + (default + after).replace(" ", NO_BREAK) if after.count(" ") < 3 else text


def _definitions(rows: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Return terms and what they mean: side by side where there is room, else below each other."""
    beside = width >= BESIDE
    left = min(LEFT, max(len(term) for term, _text in rows) + 2) if beside else 4
    lines = []
    for term, text in rows:
        meaning = wrap(text, width - left - 2)
        if beside and len(term) + 2 <= left:
            lines.append(f"  {term:<{left}}{meaning.pop(0)}")
        else:
            lines.append(f"  {term}")
        lines += [" " * (left + 2) + line for line in meaning]
    return [line.rstrip() for line in lines]


def _examples(texts: Iterable[str], width: int) -> list[str]:
    """Return examples as they can be pasted into a shell, with what they do above them."""
    lines = []
    for text in texts:
        if text.startswith("faa "):
            first, *more = wrap(re.sub(r"( -\S+) (?=[^-])", rf"\1{NO_BREAK}", text), width - len("       \\"))
            parts = [f"  {first}", *(f"      {line}" for line in more)]
            lines += [*(f"{part} \\" for part in parts[:-1]), parts[-1]]
        else:
            lines += [f"  # {line}" for line in wrap(text, width - 4)]
    return lines


def _summary(command: Any) -> str:
    """Return the first paragraph of what a command does."""
    return " ".join(inspect.cleandoc(command.help or "").split("\n\n")[0].split())
