"""Lists as JSON, as a Python literal, or inside a Python file; parsed, never executed."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from faa_core.errors import FaaError, UnknownNameError
from faa_core.formats.assignments import assigned, lost_in
from faa_core.formats.evaluating import evaluate, has_unknown
from faa_core.formats.unfollowed import Lost, Made, is_made, made_inside, not_followed, unknown_in
from faa_core.reading import NotJsonError, parse_json

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


class _Tables(NamedTuple):
    """What a Python file has, by name: its lists, what may change, and all that was made as lists are."""

    tables: dict[str, Table]
    lost: dict[str, Lost]
    made: dict[str, Made]


def read_table(text: str, *, table: str | None = None) -> Table:
    """Return the list that a text holds.

    Args:
        text: JSON, a Python literal, or a Python file with lists assigned to names or returned by functions.
        table: Which name of a Python file; needed where it holds several that differ, and an error for anything else.

    Raises:
        FaaError: If the text is none of them, holds no list or several, or nests too deeply; or if a table is given
            for what has no names.
        UnknownNameError: If the file has no list of that name.
    """
    try:
        return _nameless(parse_json(text, finite=False), table)
    except NotJsonError:
        pass
    with parsing(text) as body:
        alone = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
        if alone is None:
            return _chosen(_tables(body), table)
        data = evaluate(alone, {}).data
        if has_unknown(data, {}):
            raise FaaError(
                f"It has {unknown_in(data, {})}, which is not a literal: only lists, strings and numbers are read, and "
                "nothing is executed."
            )
    return _nameless(data, table)


@contextmanager
def parsing(text: str) -> Iterator[list[ast.stmt]]:
    """Give the statements of a Python text.

    Raises:
        FaaError: If it is not Python; or if the block finds it nested too deeply.
    """
    try:
        start = text.strip()
        yield ast.parse("\n" * text[: text.find(start)].count("\n") + start).body
    except (RecursionError, MemoryError) as error:
        raise FaaError(TOO_DEEP) from error
    except SyntaxError as error:
        early = text.count("[") > text.count("]") or text.count("(") > text.count(")")
        way = " A bracket in it is never closed, so it may end early; give the whole text." if early else ""
        place = f": line {error.lineno} cannot be read" if error.lineno else ""
        raise FaaError(f"It is neither JSON nor Python{place}.{way}") from error
    except ValueError as error:
        raise FaaError(f"It is neither JSON nor Python: {error}.") from error


def nameless(table: str) -> FaaError:
    """Return what to tell where a table of a text without names is asked for."""
    return FaaError(f"It is a list without a name, no Python file of several; leave out the table '{table}'.")


def _nameless(value: Any, table: str | None) -> Table:
    if table is not None:
        raise nameless(table)
    return Table(value)


def _chosen(found: _Tables, table: str | None) -> Table:
    tables, lost = found.tables, found.lost
    unsure = [name for name, was in lost.items() if _is_table(was.data) and name not in tables]
    if table in lost and table not in tables:
        raise lost[table].error(table)
    if unsure and table is None:
        raise lost[unsure[0]].error(unsure[0])
    if not tables:
        none = FaaError("This Python file assigns or returns no list of literals; nothing in it is executed.")
        raise not_followed(found.made, lost) or none
    if table is not None:
        if table not in tables:
            own = {name: one for name, one in found.made.items() if name == table}
            raise not_followed(own, {}) or UnknownNameError("list in this Python file", table, tables)
        return tables[table]
    first = next(iter(tables.values()))
    if any(other.value is not first.value for other in tables.values()):  # one list may have several names
        names = ", ".join(sorted(tables))
        raise FaaError(
            f"This Python file holds several lists: {names}. Choose one: `faa policy convert FILE OUT --table NAME`, "
            "or `table` in Python."
        )
    return first


def _tables(body: list[ast.stmt]) -> _Tables:
    """Return the lists that a module assigns, or that its functions return."""
    values, lost, made = assigned(body, {})
    found = {name: Table(value.data, name) for name, value in values.items()}
    kept = [values]  # since `seen` knows them by identity
    for statement in body:
        if not isinstance(statement, ast.FunctionDef):
            continue
        arguments = {argument.arg for argument in ast.walk(statement.args) if isinstance(argument, ast.arg)}
        outer = {name: value for name, value in values.items() if name not in arguments}
        inner, gone, own = assigned(statement.body, outer, function=True)
        last, kept = statement.body[-1], [*kept, inner]
        only = sum(isinstance(node, ast.Return) for node in ast.walk(statement)) == 1
        if not (only and isinstance(last, ast.Return) and last.value is not None):
            made |= made_inside(statement)
            continue
        value = evaluate(last.value, inner)
        kept.append({statement.name: value})
        away = lost_in(last.value, {**lost, **gone})
        if away is not None and has_unknown(value.data, {}):
            lost[statement.name] = away
        if is_made(last.value) or isinstance(value.data, list):
            made[statement.name] = Made(last.lineno, value.data)
        else:
            made |= own
        names = tuple(node.id for node in statement.decorator_list if isinstance(node, ast.Name))
        found[statement.name] = Table(value.data, statement.name, names)
    seen: dict[int, bool] = {}
    whole = {name: one for name, one in found.items() if _is_table(one.value) and not has_unknown(one.value, seen)}
    return _Tables(whole, lost, made)


def _is_table(value: Any) -> bool:
    """Return whether a value is a list of rows, as sub-policies are, and not of numbers or names."""
    return isinstance(value, list) and bool(value) and all(isinstance(row, list | tuple | dict) for row in value)
