"""Which names a statement of a Python file mentions, hides or may change; nothing is executed."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from faa_core.formats.evaluating import Known, Unknown, Value, evaluate, has_unknown

HARMLESS = ("len", "print", "repr", "str")  # functions that change nothing and return nothing of what they are given
PLAIN = ("dict", "float", "int", "len", "list", "range", "round", "tuple")
MAGIC = ("__builtins__", "compile", "delattr", "eval", "exec", "globals", "locals", "setattr", "vars")
MAGIC_ATTRIBUTES = ("__dict__", "__globals__", "exec", "f_globals", "f_locals", "setattr")
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def names_in(*nodes: ast.AST) -> set[str]:
    """Return all names that nodes mention, in functions inside them too."""
    found: set[str] = set()
    for node in (inner for outer in nodes for inner in ast.walk(outer)):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            found |= set(node.names)
    return found


def hidden_in(node: ast.expr, known: Known) -> set[str]:
    """Return the names in the parts of an expression that are not understood, which may change or keep their values."""
    if isinstance(node, ast.Name | ast.Constant):
        return set()
    harmless = (
        isinstance(node, ast.Compare | ast.JoinedStr | ast.FormattedValue)
        or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))
        or (_calls_one_of(node, HARMLESS) and not names_in(node) & set(HARMLESS) & known.keys())
    )
    value = evaluate(node, known).data
    if isinstance(value, Unknown) and not harmless:
        return names_in(node)
    if isinstance(node, ast.ListComp):
        calls = [part for part in ast.walk(node.elt) if isinstance(part, ast.Call | ast.NamedExpr | ast.Lambda)]
        if has_unknown(value, {}) or not all(_calls_one_of(part, PLAIN) for part in calls):
            return names_in(node)
        return hidden_in(node.generators[0].iter, known)
    found: set[str] = set()
    for part in ast.iter_child_nodes(node):
        inner = part.value if isinstance(part, ast.keyword | ast.Starred) else part
        if isinstance(inner, ast.expr) and not isinstance(inner, ast.Slice):
            found |= hidden_in(inner, known)
    return found


def is_harmless(statement: ast.stmt, known: Known) -> bool:
    """Return whether a statement only looks at values: prints, checks and raises."""
    if isinstance(statement, ast.Pass):
        return True
    if isinstance(statement, ast.If):
        inner = [*statement.body, *statement.orelse]
        return not hidden_in(statement.test, known) & known.keys() and all(is_harmless(one, known) for one in inner)
    parts = [part for part in ast.iter_child_nodes(statement) if isinstance(part, ast.expr)]
    plain = isinstance(statement, ast.Expr | ast.Assert | ast.Raise)
    return plain and not any(hidden_in(part, known) & known.keys() for part in parts)


def is_harmless_loop(statement: ast.For, known: Known) -> bool:
    """Return whether a loop over names that are no one's only looks at values."""
    if not isinstance(statement.target, ast.Name) or statement.target.id in known or statement.orelse:
        return False
    inside = {**known, statement.target.id: Value(Unknown(""))}
    return not hidden_in(statement.iter, known) and all(is_harmless(one, inside) for one in statement.body)


def containers(data: Any, into: set[int]) -> set[int]:
    """Add the identities of all lists, tuples and dicts in a value to those given, and return them."""
    if isinstance(data, list | tuple | dict) and not isinstance(data, Unknown) and id(data) not in into:
        into.add(id(data))
        for part in data.values() if isinstance(data, dict) else data:
            containers(part, into)
    return into


def shares(data: Any, wanted: set[int], seen: dict[int, bool]) -> bool:
    """Return whether a value is, or has in it, one of the lists or dicts wanted."""
    if not isinstance(data, list | tuple | dict) or isinstance(data, Unknown):
        return False
    if id(data) not in seen:
        parts: Iterable[Any] = data.values() if isinstance(data, dict) else data
        seen[id(data)] = id(data) in wanted or any(shares(part, wanted, seen) for part in parts)
    return seen[id(data)]


def run_at_once(statement: Definition) -> set[str]:
    """Return the names that a definition mentions where it stands: in decorators, defaults and bodies of classes."""
    found = names_in(*statement.decorator_list)
    if not isinstance(statement, ast.ClassDef):
        return found | names_in(*statement.args.defaults, *filter(None, statement.args.kw_defaults))
    found |= names_in(*statement.bases, *statement.keywords)
    for inner in statement.body:
        found |= run_at_once(inner) if isinstance(inner, DEFINITIONS) else names_in(inner)
    return found


def from_outside(statement: Definition) -> set[str]:
    """Return the names from outside that the functions of a definition mention: they may change them when they run."""
    if isinstance(statement, ast.ClassDef):
        return set().union(*(from_outside(inner) for inner in statement.body if isinstance(inner, DEFINITIONS)))
    own = {argument.arg for argument in ast.walk(statement.args) if isinstance(argument, ast.arg)}
    used: set[str] = set()
    declared: set[str] = set()
    for node in _own_nodes(statement.body):
        if isinstance(node, DEFINITIONS):
            own.add(node.name)
            used |= run_at_once(node) | from_outside(node)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            declared |= set(node.names)
        elif isinstance(node, ast.Attribute):
            used |= {node.attr} & set(MAGIC_ATTRIBUTES)
        elif isinstance(node, ast.Name):
            used.add(node.id)
            if not isinstance(node.ctx, ast.Load):
                own.add(node.id)
    return (used - own) | declared


def shared_names(body: Sequence[ast.stmt], *, all_run: bool) -> dict[str, ast.stmt]:
    """Return what functions mention that statements define and that may run before these end; with the definition.

    Args:
        body: The statements.
        all_run: Whether to take it that each of them runs; else only those whose name is mentioned elsewhere.
    """
    found: dict[str, ast.stmt] = {}
    for statement in body:
        if isinstance(statement, DEFINITIONS):
            others = (other for other in body if other is not statement)
            if all_run or statement.decorator_list or statement.name in names_in(*others):
                found |= dict.fromkeys(from_outside(statement), statement)
            continue
        for node in ast.walk(statement):  # those inside other statements are taken to run
            if isinstance(node, DEFINITIONS):
                found |= dict.fromkeys(from_outside(node), statement)
            elif isinstance(node, ast.Lambda | ast.GeneratorExp):
                found |= dict.fromkeys(names_in(node), statement)
    return found


def is_magic(body: Sequence[ast.stmt]) -> ast.stmt | None:
    """Return the first statement that may change any name, such as ``exec(…)``, functions not looked into."""
    for statement in body:
        if isinstance(statement, DEFINITIONS):
            if run_at_once(statement) & set(MAGIC):
                return statement
            continue
        for node in ast.walk(statement):
            if (isinstance(node, ast.Name) and node.id in MAGIC) or (
                isinstance(node, ast.Attribute) and node.attr in MAGIC_ATTRIBUTES
            ):
                return statement
    return None


def _own_nodes(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body: without definitions in it and what comprehensions name."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.comprehension):
            waiting += [node.iter, *node.ifs]
        elif not isinstance(node, DEFINITIONS):
            waiting += ast.iter_child_nodes(node)


def _calls_one_of(node: ast.expr, functions: Iterable[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions
