"""What the statements of a Python file give names to, as far as it is data; parsed, never executed."""

import ast
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from faa_core.formats.evaluating import Known, Unknown, Value, evaluate, has_unknown
from faa_core.formats.following import (
    DEFINITIONS,
    HARMLESS,
    MAGIC,
    MAGIC_ATTRIBUTES,
    PLAIN,
    containers,
    hidden_in,
    is_harmless,
    is_harmless_loop,
    is_magic,
    names_in,
    run_at_once,
    shared_names,
    shares,
)
from faa_core.formats.unfollowed import Lost, Made, beginning, made_by, made_inside


class Followed(NamedTuple):
    """What statements give names to.

    Attributes:
        values: The data of names.
        lost: Names whose data a statement may have changed.
        made: Lists as they were made, of which some are not data.
    """

    values: dict[str, Value]
    lost: dict[str, Lost]
    made: dict[str, Made]


def assigned(body: Sequence[ast.stmt], known: Known, *, function: bool = False) -> Followed:
    """Return the data that statements give names to, beside those known.

    Assignments are followed, chained and unpacked ones too, and lists that grow. A name that any other statement
    mentions, such as a loop or a call, is lost, with all names that share a list with it: better none than one that is
    half made.

    Args:
        body: The statements.
        known: Names that have data before.
        function: Whether the statements are a function's; then the functions in it are taken to run.

    Raises:
        FaaError: If a value is faulty or has too many entries; see `evaluate`.
    """
    body = [statement for statement in body if not _is_for_scripts(statement)]
    shared = shared_names(body, all_run=function)
    magic = is_magic(body)
    if magic is None:
        magic = next((shared[name] for name in (*MAGIC, *MAGIC_ATTRIBUTES) if name in shared), None)
    follower = _Follower(known, shared, magic)
    for statement in body:
        follower.follow(statement)
    return Followed(follower.values, follower.lost, follower.made)


class _Follower:
    """Names and their data, changed by one statement after another."""

    def __init__(self, known: Known, shared: Mapping[str, ast.stmt], magic: ast.stmt | None) -> None:
        self.values: dict[str, Value] = dict(known)
        self.lost: dict[str, Lost] = {}
        self.made: dict[str, Made] = {}
        self._shared, self._magic = shared, magic
        if magic is not None:
            self._lose(set(self.values), magic)
        for name in self._shared.keys() & self.values.keys():
            self._lose({name}, self._shared[name])

    def follow(self, statement: ast.stmt) -> None:
        """Change the values as a statement does."""
        if isinstance(statement, ast.Assign) and all(_is_plain(target) for target in statement.targets):
            self._assign(statement.targets, statement.value, statement)
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            if statement.value is not None:
                self._assign([statement.target], statement.value, statement)
        elif (grown := _growth(statement, self.values)) is not None:
            self._grow(*grown, statement)
        elif isinstance(statement, ast.Expr | ast.Assert | ast.Return):
            parts = [part for part in ast.iter_child_nodes(statement) if isinstance(part, ast.expr)]
            self._lose(set().union(*(hidden_in(part, self.values) for part in parts)), statement)
        elif isinstance(statement, (*DEFINITIONS, ast.Import, ast.ImportFrom)):
            self._define(statement)
        else:
            self._pass(statement)

    def _define(self, statement: ast.stmt) -> None:
        """Take the names that a definition or an import gives."""
        given = _named_by(statement)
        if isinstance(statement, DEFINITIONS):
            self._lose(run_at_once(statement), statement)
            if isinstance(statement, ast.ClassDef):
                self.made |= made_inside(statement)
            given = {statement.name}
        elif "*" in given:
            self._lose(set(self.values), statement)
        for name in given:
            self.values.pop(name, None)
            self.lost.pop(name, None)
            if name in (*PLAIN, *HARMLESS):  # no longer Python's own
                self.values[name] = Value(Unknown(name))

    def _pass(self, statement: ast.stmt) -> None:
        """Lose what any other statement mentions, unless it only looks."""
        if isinstance(statement, ast.Delete) and all(isinstance(target, ast.Name) for target in statement.targets):
            for name in names_in(statement):
                self.values.pop(name, None)
        elif isinstance(statement, ast.For) and is_harmless_loop(statement, self.values):
            last = ast.Subscript(statement.iter, ast.Constant(-1), ast.Load())
            _bind(statement.target, evaluate(last, self.values), self.values)
        elif not is_harmless(statement, self.values):
            self.made |= made_inside(statement)
            self.made |= dict.fromkeys(made_by(statement), Made(statement.lineno, inside="another object"))
            given = _named_by(statement)
            self._lose(set(self.values) if "*" in given else given | names_in(statement), statement)

    def _assign(self, targets: Sequence[ast.expr], source: ast.expr, statement: ast.stmt) -> None:
        self._lose(hidden_in(source, self.values), statement)
        value = evaluate(source, self.values)
        away = lost_in(source, self.lost)
        self.made |= dict.fromkeys(made_by(statement), Made(statement.lineno, value.data))
        for target in targets:
            names = names_in(target)
            for name in names:
                self.lost.pop(name, None)
            _bind(target, value, self.values)
            if away is not None and has_unknown(value.data, {}):  # made of what is lost
                self.lost |= dict.fromkeys(names, away)
            if self._magic is not None:
                self._lose(names, self._magic)
            for name in names & self._shared.keys():
                self._lose({name}, self._shared[name])

    def _grow(self, name: str, added: ast.expr, statement: ast.stmt) -> None:
        self._lose(hidden_in(added, self.values), statement)
        if name not in self.values:
            return
        before, whole = self.values[name].data, evaluate(ast.BinOp(ast.Name(name), ast.Add(), added), self.values)
        self.made[name] = Made(statement.lineno, whole.data)
        seen: dict[int, bool] = {}
        for other, held in list(self.values.items()):
            if held.data is before:  # the same list by another name
                self.values[other] = whole
            elif shares(held.data, {id(before)}, seen):
                self._forget(other, statement)

    def _lose(self, names: set[str], statement: ast.stmt) -> None:
        """Forget names that a statement may change, and all that share a list with them."""
        mentioned = names & self.values.keys()
        wanted: set[int] = set()
        for name in mentioned:
            containers(self.values[name].data, wanted)
        seen: dict[int, bool] = {}
        for other, held in list(self.values.items()):
            if other in mentioned or (wanted and shares(held.data, wanted, seen)):
                self._forget(other, statement)

    def _forget(self, name: str, statement: ast.stmt) -> None:
        self.lost[name] = Lost(statement.lineno, beginning(statement), self.values.pop(name).data)


def lost_in(node: ast.expr, lost: dict[str, Lost]) -> Lost | None:
    """Return the first of the lost values that an expression mentions."""
    return next((lost[name] for name in sorted(names_in(node)) if name in lost), None) if lost else None


def _named_by(statement: ast.stmt) -> set[str]:
    """Return the names that imports, definitions and handlers in a statement give."""
    found: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, (*DEFINITIONS, ast.ExceptHandler)) and node.name is not None:
            found.add(node.name)
    return found


def _is_for_scripts(statement: ast.stmt) -> bool:
    """Return whether a statement is ``if __name__ == …``, which gives nothing to who imports the file."""
    if not isinstance(statement, ast.If) or statement.orelse:
        return False
    return ast.unparse(statement.test) in ("__name__ == '__main__'", "'__main__' == __name__")


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
        if not isinstance(value.data, Unknown) or target.id in (*PLAIN, *HARMLESS):
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
