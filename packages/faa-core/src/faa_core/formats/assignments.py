"""What the statements of a Python file give names to, as far as it is data; parsed, never executed."""

import ast
from collections.abc import Sequence
from typing import Any

from faa_core.formats.evaluating import Known, Unknown, Value, evaluate


def assigned(body: Sequence[ast.stmt], known: Known) -> dict[str, Value]:
    """Return the data that statements give names to, beside those known.

    Assignments are followed, chained and unpacked ones too, and lists that grow. A name that any other statement may
    change, such as a loop, is no longer known: better none than one that is half made.

    Raises:
        FaaError: If a value is faulty or has too many entries; see `evaluate`.
    """
    values = dict(known)
    for statement in body:
        if not _is_for_scripts(statement):
            _follow(statement, values)
    return values


def _follow(statement: ast.stmt, values: dict[str, Value]) -> None:
    """Change the values as a statement does."""
    if isinstance(statement, ast.Assign) and all(_is_plain(target) for target in statement.targets):
        value = evaluate(statement.value, values)
        for target in statement.targets:
            _bind(target, value, values)
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        value = Value(Unknown("")) if statement.value is None else evaluate(statement.value, values)
        _bind(statement.target, value, values)
    elif (grown := _growth(statement, values)) is not None:
        name, added = grown
        before, whole = values[name].data, evaluate(ast.BinOp(ast.Name(name), ast.Add(), added), values)
        for other, held in list(values.items()):
            if held.data is before:  # the same list by another name
                values[other] = whole
            elif _holds(held.data, before):
                del values[other]
    else:
        for name in _touched(statement):
            values.pop(name, None)


def _is_for_scripts(statement: ast.stmt) -> bool:
    """Return whether a statement is ``if __name__ == …``, which gives nothing to whoever imports the file."""
    test = statement.test if isinstance(statement, ast.If) else None
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _is_plain(target: ast.expr) -> bool:
    """Return whether a target is a name, or several by a tuple."""
    inner = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
    return all(isinstance(part, ast.Name) for part in inner)


def _bind(target: ast.expr, value: Value, values: dict[str, Value]) -> None:
    """Give a name a value, or several names the parts of one; a name without data is forgotten."""
    if isinstance(target, ast.Tuple | ast.List):
        fits = type(value.data) in (list, tuple) and len(value.data) == len(target.elts)
        parts = value.data if fits else [Unknown("")] * len(target.elts)
        for part, own in zip(target.elts, parts, strict=True):
            _bind(part, Value(own, value.weight), values)
    elif isinstance(target, ast.Name):
        values.pop(target.id, None)
        if not isinstance(value.data, Unknown):
            values[target.id] = value


def _growth(statement: ast.stmt, values: Known) -> tuple[str, ast.expr] | None:
    """Return which list grows by what: ``name.append(…)``, ``name.extend(…)`` or ``name += …``."""
    owner: ast.expr
    if isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add):
        owner, added = statement.target, statement.value
    else:
        call = statement.value if isinstance(statement, ast.Expr) else None
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and len(call.args) == 1):
            return None
        if call.func.attr not in ("append", "extend"):
            return None
        owner, added = call.func.value, call.args[0]
        if call.func.attr == "append":
            added = ast.List([added], ast.Load())
    if not isinstance(owner, ast.Name) or owner.id not in values or type(values[owner.id].data) is not list:
        return None
    return (owner.id, added) if type(evaluate(added, values).data) is list else None


def _holds(data: Any, part: Any) -> bool:
    """Return whether a value holds another one by identity, at the first levels that policies have."""
    inner = data.values() if isinstance(data, dict) else data if type(data) in (list, tuple) else ()
    return any(own is part or (type(own) in (list, tuple) and any(one is part for one in own)) for own in inner)


def _touched(statement: ast.stmt) -> set[str]:
    """Return the names whose values a statement may change."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    names = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            names.add(node.id)
        elif isinstance(node, ast.Call):  # its own methods, and functions that are given it
            harmless = isinstance(node.func, ast.Name) and node.func.id in ("len", "print")
            owner = node.func.value if isinstance(node.func, ast.Attribute) else None
            names |= {part.id for part in (owner, *node.args) if isinstance(part, ast.Name) and not harmless}
        elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            names |= {part.id for part in ast.walk(node.value) if isinstance(part, ast.Name)}
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
    return names
