"""What can be changed in a source: one small change each, none of types, documentation or messages."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

COMPARISONS = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
ARITHMETIC = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "*",
    ast.Pow: "*",
    ast.LShift: ">>",
    ast.RShift: "<<",
    ast.BitAnd: "|",
    ast.BitOr: "&",
    ast.BitXor: "&",
}
NAMES = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "ceil": "floor",
    "floor": "ceil",
    "mean": "sum",
    "sum": "mean",
    "argmin": "argmax",
    "argmax": "argmin",
    "amin": "amax",
    "amax": "amin",
    "minimum": "maximum",
    "maximum": "minimum",
    "reversed": "iter",
}
BUILT_IN = {"sum": "max"}  # the other of its pair is a method only


@dataclass(frozen=True)
class Change:
    """One change of a source.

    Attributes:
        start: Where the replaced text begins, in bytes.
        end: Where it ends.
        after: What stands there instead.
    """

    start: int
    end: int
    after: str

    def made_in(self, source: bytes) -> bytes:
        """Return the source with the change."""
        return source[: self.start] + self.after.encode() + source[self.end :]


def changes(source: bytes) -> list[Change]:
    """Return every change that a Python source has room for, in the order of the text."""
    finder = _Finder(source)
    finder.visit(ast.parse(source))
    return sorted(finder.found, key=lambda change: (change.start, change.end, change.after))


class _Finder(ast.NodeVisitor):
    """Walks a tree and keeps the changes; what it does not visit is not changed."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.found: list[Change] = []
        self.lines = [0]  # where each line begins
        for line in source.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_arg(self, node: ast.arg) -> None:
        """Types are not changed."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in [*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body]:
            self.visit(part)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in node.body:  # not the decorators: that data is frozen is a discipline
            self.visit(part)

    def visit_Raise(self, node: ast.Raise) -> None:
        """Messages are for people."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """So are these; what they say of a number is seen in pictures and tables."""

    def visit_Assign(self, node: ast.Assign) -> None:
        if not any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
            self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._negate(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self._replace(node, "pass")
            self.generic_visit(node)
        elif not isinstance(node.value, ast.Constant):  # documentation
            self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for (left, right), sign in zip(pairwise([node.left, *node.comparators]), node.ops, strict=True):
            self._replace_between(left, right, COMPARISONS[type(sign)])
            if isinstance(sign, ast.In | ast.NotIn) and isinstance(right, ast.Tuple | ast.List):
                for element in right.elts:  # their order means nothing
                    self.visit(element)
            else:
                self.visit(right)
        self.visit(node.left)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        text = isinstance(node.left, ast.Constant | ast.JoinedStr) and not _is_number(node.left)
        if type(node.op) in ARITHMETIC and not text:
            self._replace_between(node.left, node.right, ARITHMETIC[type(node.op)])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for left, right in pairwise(node.values):
            self._replace_between(left, right, "or" if isinstance(node.op, ast.And) else "and")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not | ast.USub | ast.Invert):
            sign = "not" if isinstance(node.op, ast.Not) else "-"
            self.found.append(Change(self._start(node), self._start(node) + len(sign), ""))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._replace(node, str(not node.value))
        elif isinstance(node.value, int):
            self._replace(node, str(node.value + 1))
        elif isinstance(node.value, float):
            self._replace(node, repr(2 * node.value if node.value else 1.0))

    def visit_Tuple(self, node: ast.Tuple | ast.List) -> None:
        if isinstance(node.ctx, ast.Load) and len(node.elts) > 1 and not isinstance(node.elts[0], ast.Starred):
            first, second = (self._text(element) for element in node.elts[:2])
            if first != second and not isinstance(node.elts[1], ast.Starred):
                between = self.source[self._end(node.elts[0]) : self._start(node.elts[1])].decode()
                self.found.append(
                    Change(self._start(node.elts[0]), self._end(node.elts[1]), f"{second}{between}{first}")
                )
        self.generic_visit(node)

    visit_List = visit_Tuple

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            return self.visit(node.args[0])  # not the types
        if isinstance(node.func, ast.Name) and node.func.id in NAMES:
            self._replace(node.func, BUILT_IN.get(node.func.id, NAMES[node.func.id]))
        elif isinstance(node.func, ast.Attribute) and node.func.attr in NAMES:
            end = self._end(node.func)
            self.found.append(Change(end - len(node.func.attr), end, NAMES[node.func.attr]))
        return self.generic_visit(node)

    def visit_Continue(self, node: ast.Continue) -> None:
        self._replace(node, "break")

    def visit_Break(self, node: ast.Break) -> None:
        self._replace(node, "continue")

    def _negate(self, test: ast.expr) -> None:
        signed = isinstance(test, ast.Compare) and len(test.ops) == 1
        if not signed and not isinstance(test, ast.UnaryOp):  # those are changed where their sign is
            self._replace(test, f"not ({self._text(test)})")

    def _replace(self, node: ast.expr | ast.stmt, after: str) -> None:
        self.found.append(Change(self._start(node), self._end(node), after))

    def _replace_between(self, left: ast.expr, right: ast.expr, after: str) -> None:
        """Replace the sign between two parts; parentheses and line breaks around it stay."""
        start = self._end(left)
        between = self.source[start : self._start(right)].decode()
        sign = re.search(r"is\s+not|not\s+in|\w+|[<>=!+\-*/%|&^]+", between)
        if sign is not None and "#" not in between:
            begin, end = (start + len(between[:at].encode()) for at in sign.span())
            self.found.append(Change(begin, end, after))

    def _start(self, node: ast.expr | ast.stmt) -> int:
        return self.lines[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.expr | ast.stmt) -> int:
        return self.lines[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)

    def _text(self, node: ast.expr) -> str:
        return self.source[self._start(node) : self._end(node)].decode()


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def changed_lines(source: bytes, change: Change) -> Iterator[str]:
    """Yield the changed line or lines, before and after, on one line each."""
    first = source.rfind(b"\n", 0, change.start) + 1
    last = source.find(b"\n", change.end)
    before = source[first : last if last >= 0 else None].decode()
    after = change.made_in(source)[first : last + len(change.after.encode()) - (change.end - change.start)].decode()
    for text in (before, after):
        yield " ".join(text.split())
