"""Lists of a Python file that are not data to who only reads it, and why: what is told where a file has no others."""

import ast
from collections.abc import Mapping
from typing import Any, NamedTuple

from faa_core.errors import FaaError
from faa_core.formats.evaluating import LONGEST, Unknown

MOST = 3  # lists that a message names
SCALARS = (bool, int, float, str, type(None))
MAKERS = ("list", "map", "reversed", "sorted", "zip")  # calls of which lists are made
WRITTEN_OUT = "Give a file in which the list is written out."


class Lost(NamedTuple):
    """A value that a statement may have changed.

    Attributes:
        line: Of the statement, from 1.
        text: How it begins.
        data: The value before.
    """

    line: int
    text: str
    data: Any

    def error(self, name: str) -> FaaError:
        """Return what to tell of it."""
        return FaaError(
            f"What '{name}' is in this Python file cannot be followed: line {self.line} ({self.text}) may change it, "
            f"and nothing is executed. {WRITTEN_OUT}"
        )


class Made(NamedTuple):
    """A list as a statement makes it.

    Attributes:
        line: Of the statement, from 1.
        data: What is known of it.
        inside: How the statement around it begins, with its line, where no such statement is followed; else empty.
    """

    line: int
    data: Any = None
    inside: str = ""


def not_followed(made: Mapping[str, Made], lost: Mapping[str, Lost]) -> FaaError | None:
    """Return what to tell of the lists of a file that could not be followed; None where there are none.

    Args:
        made: Its lists by name.
        lost: Its values that a statement may have changed, by name.
    """
    told = {name: f"line {was.line} ({was.text}) may change it" for name, was in lost.items() if _is_list(was.data)}
    seen: dict[int, str] = {}
    for name, (line, data, inside) in made.items():
        if inside:
            told.setdefault(name, f"line {line} has it inside {inside}, where no list is followed")
        elif text := unknown_in(data, seen):
            told.setdefault(name, f"line {line} makes it of {text}, which is not known before the file runs")
    if not told:
        return None
    listed = "; ".join(f"'{name}', since {why}" for name, why in list(told.items())[:MOST])
    rest = f"; and {len(told) - MOST} more" if len(told) > MOST else ""
    return FaaError(
        f"Nothing in this Python file is executed, and these of its lists cannot be followed: {listed}{rest}. "
        f"{WRITTEN_OUT}"
    )


def made_by(statement: ast.stmt) -> list[str]:
    """Return the names of the list that an assignment makes; none where it makes no list."""
    if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None or not is_made(statement.value):
        return []
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return [ast.unparse(target)[:LONGEST] for target in targets]


def made_inside(statement: ast.stmt) -> dict[str, Made]:
    """Return the lists that are assigned or returned somewhere inside a statement, by name."""
    inside = f"line {statement.lineno} ({beginning(statement)})"
    found: dict[str, Made] = {}
    for node in ast.walk(statement):
        if isinstance(node, ast.Return) and node.value is not None and is_made(node.value):
            found[beginning(node)] = Made(node.lineno, inside=inside)
        elif node is not statement and isinstance(node, ast.stmt):
            found |= dict.fromkeys(made_by(node), Made(node.lineno, inside=inside))
    return found


def beginning(statement: ast.stmt) -> str:
    """Return how a statement begins."""
    return ast.unparse(statement).partition("\n")[0][:LONGEST]


def is_made(node: ast.expr) -> bool:
    """Return whether an expression is a list of anything but scalars, or is computed as lists are."""
    if isinstance(node, ast.List):
        return not all(isinstance(part, ast.Constant) for part in node.elts)
    if isinstance(node, ast.BinOp):
        return is_made(node.left) or is_made(node.right)
    if isinstance(node, ast.IfExp):
        return is_made(node.body) or is_made(node.orelse)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in MAKERS
    return isinstance(node, ast.ListComp)


def _is_list(data: Any) -> bool:
    return isinstance(data, list) and not (data and all(isinstance(part, SCALARS) for part in data))


def unknown_in(data: Any, seen: dict[int, str]) -> str:
    """Return the first expression in a value that is not data; empty where all of it is.

    Args:
        data: Of a value that is kept.
        seen: What was found in other kept values, by identity; it is added to.
    """
    if isinstance(data, Unknown):
        return data.text
    if not isinstance(data, list | tuple | dict):
        return ""
    if id(data) not in seen:
        parts = data.values() if isinstance(data, dict) else data
        seen[id(data)] = next((text for part in parts if (text := unknown_in(part, seen))), "")
    return seen[id(data)]
