"""Tables in Python files, as people write them: followed to the end, or refused in one true sentence."""

import ast

import pytest

from faa_core import FaaError, SubPolicies, formats
from faa_core.formats.evaluating import Unknown, evaluate

CHAINED = """
BASE = DEFAULT = [[("Rotate", 0.2, 0.8), ("Invert", 0.4, 0.1)], [("Color", 0.6, 0.3)]]
names = ["a", "b"]
"""
GROWN = """
policies = [[("Rotate", 0.2, 0.8)]]
same = policies
policies.append([("Color", 0.5, 0.5)])
policies += [[("Invert", 1, 0)]]
print(len(policies))
if __name__ == "__main__":
    policies = make(policies)
"""


def test_chained_assignments_are_one_list() -> None:
    """By any of their names; lists of names are not tables."""
    policy = formats.parse(CHAINED, "legacy")
    assert isinstance(policy, SubPolicies)
    assert [2, 1] == [len(sub) for sub in policy.sub_policies]
    assert policy.sub_policies == formats.parse(CHAINED, "legacy", table="DEFAULT").sub_policies
    with pytest.raises(FaaError, match="is called 'names'"):
        formats.parse(CHAINED, "legacy", table="names")


def test_lists_that_grow_are_whole_or_unknown() -> None:
    """What a loop may change is not read half made."""
    for table in ("policies", "same"):
        grown = formats.parse(GROWN, "legacy", table=table)
        assert isinstance(grown, SubPolicies)
        assert ["Rotate", "Color", "Invert"] == [sub[0].op for sub in grown.sub_policies]
    for line in ("for x in y: p.append(x)", "p[0] = 3", "p.pop()", "random.shuffle(p)", "del p[0]"):
        with pytest.raises(
            FaaError, match=r"What 'p' is in this Python file cannot be followed: line 2 \(.* may change it"
        ):
            formats.parse(f"p = [[('Invert', 1, 0)]]\n{line}\n", "legacy")


@pytest.mark.parametrize(
    "text",
    [
        "a = [1]\nb = [a, a]\n"
        + "".join(f"{new} = [{old}] * 1 + [{old}, {old}]\n" for old, new in zip("bcdef", "cdefg", strict=True)),
        "a = [[1]]\n" + "a = [a, a]\n" * 60,
        "p = [[x for x in range(10 ** 9)]]",
        "p = [[9 ** 9 ** 9]]",
        "n = 10\n" + "n = n * n\n" * 40 + "p = [[n]]",
        "p = [[round('x'), list(3), dict(3)]]",
        "p = [[x for x in a for y in b], *p]\np.append(p)",
        "loss=1 top1_valid=1 [[(((" + "\n" + "[a] " * 10_000 + "[[x]]",
        "policy_0_0 = 3",
        *("a = [[1]]\n" + "a = [a]\n" * deep + last for deep in (900, 3000) for last in ("", "a.pop()", "b = f(a)")),
    ],
)
def test_python_that_grows_or_means_nothing(text: str) -> None:
    """An error in words, soon."""
    for name in ("legacy", "kornia", "mmpretrain"):
        with pytest.raises(FaaError):
            formats.parse(text, name)


ROWS = 'R = [["Invert", 1, 0], ["Rotate", 0.5, 0.2]]\nC = [["Color", 0.5, 0.5]]\nx = ["Invert", 1, 0]\nA = [R, C]\n'
CHANGES = [
    "A[0].append(x)",
    "for p in A: p.append(x)",
    "for p in A: p[0][1]=0.9",
    "for p in A: print(p)\np.append(x)",
    "x=A\nx.pop()",
    "x=A[0][0]\nx[1]=0.9",
    "_ = A.append(C)",
    "x=[A.pop()]",
    "x=[A.pop(), 1][1]",
    "x=A * 2\nx[0].pop()",
    "x=[[A.pop(), 1][1] for y in [1]]",
    "f=A.append\nf(C)",
    'subs=dict(a=A)\nsubs["a"].append(C)',
    "class K: A.append(C)",
    "class K:\n    def f(self): A.append(C)\nK().f()",
    "def f(): A.append(C)\nf()",
    "def f():\n    global A\n    A = []\nf()",
    "def f():\n    exec('A=[]', g)\nf()",
    "def print(x): x.pop()\nprint(A)",
    "x=(A:=[C])",
    'exec("A=[]")',
    'globals()["A"]=[]',
    "if y: A = [C]",
    "from y import *",
    "with read_base():\n    from y import *",
    "if __name__ != '__main__': A.pop()",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_table_that_a_statement_may_change_is_refused(change: str) -> None:
    """By its name and without one; the line is told, and what to do."""
    for table in ("A", None):
        with pytest.raises(
            FaaError,
            match=r"cannot be followed: line \d+ .* may change it.* Give a file in which the list is written out\.",
        ):
            formats.parse(ROWS + change, "legacy", table=table)


def test_what_defines_a_function_first_may_change_a_table_later() -> None:
    """The table is unknown wherever the function stands; one that nothing runs changes nothing."""
    late = "def f(): A.append(1)\n" + ROWS
    assert isinstance(formats.parse(late, "legacy", table="A"), SubPolicies)
    with pytest.raises(FaaError, match=r"line 1 .def f"):
        formats.parse(late + "f()", "legacy", table="A")
    for other in ("f = lambda: A.pop()\n", "if y:\n    def f(): A.pop()\n", "f = (A.pop() for _ in y)\n"):
        with pytest.raises(FaaError, match=r"line 1 .* may change it"):
            formats.parse(other + ROWS + "f()", "legacy", table="A")


@pytest.mark.parametrize(
    "looks",
    ["print(A[0], len(A))", "assert len(A) == 2", "for p in A: print(p)", "if len(A) != 2: raise ValueError(1)"],
)
def test_what_only_looks_at_a_table_leaves_it(looks: str) -> None:
    """It is read as before."""
    policy = formats.parse(ROWS + looks, "legacy", table="A")
    assert isinstance(policy, SubPolicies)
    assert [2, 1] == [len(sub) for sub in policy.sub_policies]


@pytest.mark.parametrize(
    "body",
    [
        "p[0].append(x)\n    return p",
        "q=p\n    q.pop()\n    return p",
        "g(p)\n    return p",
        "def g(): p.pop()\n    g()\n    return p",
    ],
)
def test_functions_that_change_the_table_they_return(body: str) -> None:
    """Are refused as modules are."""
    text = f"def f():\n    x = ['Invert', 1, 0]\n    p = [[['Color', 0.5, 0.5]], [['Invert', 1, 0]]]\n    {body}\n"
    for table in ("f", None):
        with pytest.raises(FaaError, match=r"cannot be followed: line \d+ .* may change it"):
            formats.parse(text, "legacy", table=table)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import y\np = [[('Invert', 1, y.level)]]", "'p', since line 2 makes it of y.level, which is not known"),
        ("p = [('Invert', 1, 0)] + rows", "'p', since line 1 makes it of [('Invert', 1, 0)] + rows, which"),
        ("\np = [f(x) for x in range(3)]\nq = sorted(rows)", "'p', since line 2 makes it of f(x), which"),
        ("p = [f(x) for x in y]\nq = list(rows)", "; 'q', since line 2 makes it of list(rows), which"),
        ("p = []\nfor x in y:\n    p.append(x)", "'p', since line 2 (for x in y:) may change it."),
        ("p = []\np.append([f(1)])", "'p', since line 2 makes it of f(1), which"),
        ("if y:\n    p = [['Invert', 1, 0]]", "'p', since line 2 has it inside line 1 (if y:), where no"),
        ("class P:\n    rows = [['Invert', 1, 0]]", "'rows', since line 2 has it inside line 1 (class P:), where"),
        ("class P:\n    def f(self):\n        self.rows = [['Invert', 1, 0]]", "'self.rows', since line 3 has it"),
        ("c.rows = [['Invert', 1, 0]]", "'c.rows', since line 1 has it inside another object, where"),
        ("def f(x):\n    if x:\n        return [['Invert', 1, 0]]\n    return x", "line 3 has it inside line 1 (def"),
        ("def f(x):\n    return [['Invert', 1, x]]", "'f', since line 2 makes it of x, which"),
        ("def f(x):\n    p = [['Invert', 1, x]]\n    return p", "'f', since line 3 makes it of x, which"),
        ("\n".join(f"{name} = [[x]]" for name in "abcde"), "; 'c', since line 3 makes it of x, which is not known"),
        ("\n".join(f"{name} = [[x]]" for name in "abcde"), "before the file runs; and 2 more. Give"),
    ],
)  # fmt: skip
def test_lists_that_cannot_be_followed_are_named_with_the_reason(text: str, told: str) -> None:
    """Their line too; the list that is wanted by its name is told alike."""
    with pytest.raises(FaaError) as raised:
        formats.parse(text, "legacy")
    assert str(raised.value).startswith(
        "Nothing in this Python file is executed, and these of its lists cannot be follow"
    )
    assert str(raised.value).endswith(" Give a file in which the list is written out.")
    assert told in str(raised.value)


def test_a_list_of_a_name_that_cannot_be_followed_beside_one_that_can() -> None:
    """The one that was asked for is told; what is not a list is an unknown name."""
    text = ROWS + "B = [[z for z in y]]\nD = f()"
    with pytest.raises(FaaError, match=r"'B', since line 5 makes it of \[z for z in y\], which is not known"):
        formats.parse(text, "legacy", table="B")
    with pytest.raises(FaaError, match="is called 'D'"):
        formats.parse(text, "legacy", table="D")


@pytest.mark.parametrize("text", ["p = 3", "p = f()", "names = ['a', 'b']\nnames.pop()", "x = f([1, 2])", "import y"])
def test_files_without_any_list_of_rows_say_so(text: str) -> None:
    """Lists of numbers and names are none."""
    with pytest.raises(FaaError, match=r"^This Python file assigns or returns no list of literals; nothing"):
        formats.parse(text, "legacy")


@pytest.mark.parametrize("part", ["[:unknown]", "[unknown:]", "[::unknown]", "[::0]", "['a':]"])
def test_a_part_whose_ends_are_not_known(part: str) -> None:
    """It is not read, rather than guessed; one whose ends are numbers is."""
    node = ast.parse(f"[1, 2, 3]{part}", mode="eval").body
    assert isinstance(evaluate(node, {}).data, Unknown)
    known = ast.parse("[1, 2, 3][1:]", mode="eval").body
    assert evaluate(known, {}).data == [2, 3]
