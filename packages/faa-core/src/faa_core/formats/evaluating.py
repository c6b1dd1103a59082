"""Python expressions that are only data, such as ``[dict(op="Rotate", p=30 / 90)]``: parsed, never executed."""

import ast
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from faa_core.errors import FaaError

MOST_ENTRIES = 100_000  # of a list that is added up or repeated; published tables have 500
MOST_ROUNDS = 1_000
LARGEST = 1e15  # number that is worked out
LONGEST = 60  # characters of an expression in a message


class Unknown(NamedTuple):
    """An expression that is not data: a name from elsewhere, a call, an attribute.

    Attributes:
        text: How it is written.
    """

    text: str


class Value(NamedTuple):
    """What an expression is.

    Attributes:
        data: Lists, tuples, dicts, texts, numbers, truth values and None; `Unknown` where it is not data.
        weight: How many entries it has at most, with all that names repeat.
    """

    data: Any
    weight: int = 1


Known = Mapping[str, Value]


def evaluate(node: ast.expr, known: Known) -> Value:
    """Return the value of an expression; what is not data in it stays `Unknown`.

    Args:
        node: The expression.
        known: Values of the names before it.

    Raises:
        FaaError: If a dict has a key twice, or a value has too many entries.
    """
    reader = _READERS.get(type(node))
    found = None if reader is None else reader(node, known)
    if found is None:
        return Value(Unknown(_text(node)))
    if found.weight > MOST_ENTRIES:
        raise FaaError(f"A list in this Python file has more than {MOST_ENTRIES} entries.")
    return found


def has_unknown(data: Any, seen: dict[int, bool]) -> bool:
    """Return whether something in a value is not data.

    Args:
        data: Of a `Value` that is kept.
        seen: What was found of other kept values, by identity, since they share parts; it is added to.
    """
    if isinstance(data, Unknown):
        return True
    if not isinstance(data, list | tuple | dict):
        return False
    if id(data) not in seen:
        seen[id(data)] = any(has_unknown(part, seen) for part in (data.values() if isinstance(data, dict) else data))
    return seen[id(data)]


def keywords_of(node: ast.Call) -> list[tuple[str | None, ast.expr]]:
    """Return the named arguments of a call; those of ``**`` have None for a name.

    Raises:
        FaaError: If a name is there twice, which Python refuses when the file runs.
    """
    counts = Counter(keyword.arg for keyword in node.keywords if keyword.arg is not None)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise FaaError(f"A call in it has the argument '{twice[0]}' twice; keep one.")
    return [(keyword.arg, keyword.value) for keyword in node.keywords]


def _text(node: ast.expr) -> str:
    try:
        return ast.unparse(node)[:LONGEST]
    except (RecursionError, ValueError):
        return "…"


def _constant(node: ast.Constant, _known: Known) -> Value | None:
    return Value(node.value) if isinstance(node.value, bool | int | float | str) or node.value is None else None


def _name(node: ast.Name, known: Known) -> Value | None:
    return known.get(node.id)


def _items(node: ast.List | ast.Tuple, known: Known) -> Value | None:
    data: list[Any] = []
    weight = 1
    for part in node.elts:
        inner = evaluate(part.value if isinstance(part, ast.Starred) else part, known)
        weight += inner.weight
        if not isinstance(part, ast.Starred):
            data.append(inner.data)
        elif _is_row(inner.data):
            data.extend(inner.data)
        else:
            return None
    return Value(data if isinstance(node, ast.List) else tuple(data), weight)


def _dict(node: ast.Dict, known: Known) -> Value | None:
    data: dict[Any, Any] = {}
    own: set[Any] = set()
    weight = 1
    for key, part in zip(node.keys, node.values, strict=True):
        value = evaluate(part, known)
        weight += value.weight
        if key is None:
            if not isinstance(value.data, dict):
                return None
            data |= value.data
            continue
        name = evaluate(key, known).data
        if not isinstance(name, str | int | float | bool):
            return None
        if name in own:
            raise FaaError(f"A dict in it has the key {name!r:.40} twice, and Python would forget the first; keep one.")
        own.add(name)
        data[name] = value.data
    return Value(data, weight)


def _call(node: ast.Call, known: Known) -> Value | None:
    """Read ``dict(…)`` and a few functions of plain values; nothing is called that the file defines."""
    if not isinstance(node.func, ast.Name) or node.func.id in known:
        return None
    if node.func.id == "dict":
        return _dict_call(node, known)
    function = _FUNCTIONS.get(node.func.id)
    arguments = [evaluate(argument, known) for argument in node.args]
    plain = not any(isinstance(argument.data, Unknown) for argument in arguments)
    if function is None or node.keywords or not arguments or not plain:
        return None
    try:
        data = function(*(argument.data for argument in arguments))
    except (TypeError, ValueError, OverflowError):
        return None
    weight = sum(argument.weight for argument in arguments)
    return _sane(data, max(weight, len(data) if isinstance(data, list) else 1))


def _dict_call(node: ast.Call, known: Known) -> Value | None:
    data: dict[str, Any] = {}
    weight = 1
    parts = [*((None, argument) for argument in node.args), *keywords_of(node)]
    for name, part in parts:
        value = evaluate(part, known)
        weight += value.weight
        if name is None and not isinstance(value.data, dict):
            return None
        data |= value.data if name is None else {name: value.data}
    return Value(data, weight)


def _binary(node: ast.BinOp, known: Known) -> Value | None:
    left, right = evaluate(node.left, known), evaluate(node.right, known)
    if type(left.data) is list and type(right.data) is list and isinstance(node.op, ast.Add):
        weight = left.weight + right.weight
        return Value(left.data + right.data if weight <= MOST_ENTRIES else [], weight)
    work = _OPERATORS.get(type(node.op))
    if work is None or not (_is_number(left.data) and _is_number(right.data)):
        return None
    try:
        return _sane(work(left.data, right.data))
    except (ZeroDivisionError, OverflowError):
        return None


def _unary(node: ast.UnaryOp, known: Known) -> Value | None:
    data = evaluate(node.operand, known).data
    if not _is_number(data) or not isinstance(node.op, ast.USub | ast.UAdd):
        return None
    return Value(-data if isinstance(node.op, ast.USub) else data)


def _subscript(node: ast.Subscript, known: Known) -> Value | None:
    data, weight = evaluate(node.value, known)
    if not _is_row(data) and not isinstance(data, dict):
        return None
    if isinstance(node.slice, ast.Slice):
        parts = (node.slice.lower, node.slice.upper, node.slice.step)
        ends = [None if part is None else evaluate(part, known).data for part in parts]
        whole = all(end is None or type(end) is int for end in ends) and ends[2] != 0
        return Value(data[slice(*ends)], weight) if whole and not isinstance(data, dict) else None
    at = evaluate(node.slice, known).data
    if type(at) not in (int, str):
        return None
    try:
        return Value(data[at], weight)
    except (KeyError, IndexError, TypeError):
        return None


def _comprehension(node: ast.ListComp, known: Known) -> Value | None:
    """Read ``[expression for name in list]``."""
    loop = node.generators[0]
    source = evaluate(loop.iter, known)
    if len(node.generators) > 1 or loop.ifs or not isinstance(loop.target, ast.Name) or not _is_row(source.data):
        return None
    if len(source.data) > MOST_ROUNDS:
        raise FaaError(f"A list in this Python file is made in more than {MOST_ROUNDS:,} rounds.")
    made = [evaluate(node.elt, {**known, loop.target.id: Value(item, source.weight)}) for item in source.data]
    return Value([value.data for value in made], 1 + sum(value.weight for value in made))


def _is_row(data: Any) -> bool:
    return type(data) in (list, tuple)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _sane(data: Any, weight: int = 1) -> Value | None:
    return None if data is None or (_is_number(data) and not -LARGEST < data < LARGEST) else Value(data, weight)


def _range(*ends: int) -> list[int]:
    if len(numbers := range(*ends)) > MOST_ROUNDS:
        raise ValueError("too long")
    return list(numbers)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "float": lambda value: float(value) if _is_number(value) else None,
    "int": lambda value: int(value) if _is_number(value) else None,
    "list": lambda data: list(data) if _is_row(data) else None,
    "range": _range,
    "round": lambda value, *places: round(value, *places) if _is_number(value) else None,
    "tuple": lambda data: tuple(data) if _is_row(data) else None,
}
_OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda left, right: left + right,
    ast.Div: lambda left, right: left / right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mult: lambda left, right: left * right,
    ast.Sub: lambda left, right: left - right,
}
_READERS: Mapping[type[ast.expr], Callable[..., Value | None]] = {
    ast.BinOp: _binary,
    ast.Call: _call,
    ast.Constant: _constant,
    ast.Dict: _dict,
    ast.List: _items,
    ast.ListComp: _comprehension,
    ast.Name: _name,
    ast.Subscript: _subscript,
    ast.Tuple: _items,
    ast.UnaryOp: _unary,
}
