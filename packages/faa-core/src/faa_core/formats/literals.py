"""Lists as JSON, as a Python literal, or inside a Python file; parsed, never executed."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from faa_core.errors import FaaError, UnknownNameError
from faa_core.reading import NotJsonError, parse_json

MOST_ENTRIES = 100_000  # of a table in a Python file that adds lists up; published tables have 500
TOO_DEEP = "It is nested too deeply for a policy."


@dataclass(frozen=True, slots=True)
class Table:
    """A list (or object) found in a text.

    Attributes:
        value: Of lists, objects, strings and numbers only.
        name: Of the variable or function in a Python file, else None.
        decorators: Names of the function's decorators.
    """

    value: Any
    name: str | None = None
    decorators: tuple[str, ...] = ()


def read_table(text: str, *, table: str | None = None) -> Table:
    """Return the list that a text holds.

    Args:
        text: JSON, a Python literal, or a Python file with lists assigned to names or returned by functions.
        table: Which name of a Python file; needed where it holds several, and an error for anything else.

    Raises:
        FaaError: If the text is none of them, holds no list or several, or nests too deeply; or if a table is given
            for what has no names.
        UnknownNameError: If the file has no list of that name.
    """
    try:
        return _nameless(parse_json(text, finite=False), table)
    except NotJsonError:
        pass
    try:
        body = ast.parse(text.strip()).body
        alone = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
        value, tables = (_value(alone, {}), {}) if alone else (None, _tables(body))
    except (RecursionError, MemoryError) as error:
        raise FaaError(TOO_DEEP) from error
    except (SyntaxError, ValueError) as error:
        raise FaaError(f"It is neither JSON nor Python: {error}.") from error
    if alone is None:
        return _chosen(tables, table)
    if value is None:
        raise FaaError("It is no literal: only lists, strings and numbers are read, and nothing is executed.")
    return _nameless(value, table)


def _nameless(value: Any, table: str | None) -> Table:
    if table is not None:
        raise FaaError(f"It is a list without a name, no Python file of several; leave the table '{table}' away.")
    return Table(value)


def _chosen(tables: dict[str, Table], table: str | None) -> Table:
    if not tables:
        raise FaaError("This Python file assigns or returns no list of literals; nothing in it is executed.")
    if table is not None:
        if table not in tables:
            raise UnknownNameError("list in this Python file", table, tables)
        return tables[table]
    if len(tables) > 1:
        names = ", ".join(sorted(tables))
        raise FaaError(f"This Python file holds several lists: {names}. Say which: `table`, or --table in the shell.")
    return next(iter(tables.values()))


def _tables(body: list[ast.stmt]) -> dict[str, Table]:
    """Return the lists that a module assigns, or that its functions return, by name."""
    values = _assigned(body, {})
    tables = {name: Table(value, name) for name, value in values.items()}
    for statement in body:
        if isinstance(statement, ast.FunctionDef):
            inner = _assigned(statement.body, values)
            last = statement.body[-1]
            value = _value(last.value, inner) if isinstance(last, ast.Return) and last.value else None
            if isinstance(value, list):
                names = tuple(node.id for node in statement.decorator_list if isinstance(node, ast.Name))
                tables[statement.name] = Table(value, statement.name, names)
    return tables


def _assigned(body: list[ast.stmt], known: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Return the lists that plain assignments give names to, beside those known."""
    values = dict(known)
    for statement in body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target: ast.expr = statement.targets[0]
        elif isinstance(statement, ast.AnnAssign):
            target = statement.target
        else:
            continue
        value = _value(statement.value, values) if statement.value else None
        if isinstance(target, ast.Name):
            values.pop(target.id, None)
            if isinstance(value, list) and value:
                values[target.id] = value
    return values


def _value(node: ast.expr, known: Mapping[str, list[Any]]) -> Any:
    """Return a literal, a known list or the sum of two; None for anything else."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _value(node.left, known), _value(node.right, known)
        if not (isinstance(left, list) and isinstance(right, list)):
            return None
        if len(left) + len(right) > MOST_ENTRIES:
            raise FaaError(f"A list in this Python file has more than {MOST_ENTRIES} entries.")
        return left + right
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        return None
    for part in ast.walk(node):
        if isinstance(part, ast.Dict) and len({ast.dump(key) for key in part.keys if key}) < len(part.keys):
            raise FaaError("A dict in it has a key twice, of which Python would forget the first.")
    return value
