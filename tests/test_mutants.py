"""The tool that changes the sources changes what it should, and knows noticed changes from others."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from forked import run_python
from mutants.belonging import Belonging
from mutants.changes import changed_lines, changes
from mutants.sampling import sample
from mutants.spent import cpu_seconds

ROOT = Path(__file__).parent.parent
SOURCE = b'''"""A module, 1 < 2."""
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

__all__ = ["a", "b"]


def chosen(values: list[int] | None, least: int = 3) -> "tuple[int, int]":
    """Return two, or 7."""
    if not values or (len(values) <= least):
        raise ValueError(f"fewer than {least + 1}")
    for value in (3, 1):
        if value in values:
            break
    values.sort()
    return min(values), -values[0] * least


@dataclass(frozen=True)
class Pair:
    first: int = 1
'''
CHANGED = {
    "first: int = 1": ["first: int = 2"],
    "least: int = 3": ["least: int = 4"],
    "if not values or (len(values) <= least):": [
        "if values or (len(values) <= least):",
        "if not values and (len(values) <= least):",
        "if not values or (len(values) < least):",
        "if not (not values or (len(values) <= least)):",
    ],
    "for value in (3, 1):": ["for value in (1, 3):", "for value in (4, 1):", "for value in (3, 2):"],
    "if value in values:": ["if value not in values:"],
    "break": ["continue"],
    "values.sort()": ["pass"],
    "return min(values), -values[0] * least": [
        "return -values[0] * least, min(values)",
        "return max(values), -values[0] * least",
        "return min(values), values[0] * least",
        "return min(values), -values[1] * least",
        "return min(values), -values[0] / least",
    ],
}


def test_what_is_changed():
    """Signs, orders, numbers, conditions and calls; no types, no documentation, no messages, no lists of names."""
    found = [tuple(changed_lines(SOURCE, change)) for change in changes(SOURCE)]
    wanted = [(before, after) for before, afters in CHANGED.items() for after in afters]
    shorter = [
        ("least: int = 3", "least: int = 4") if "def chosen" in before else (before, after) for before, after in found
    ]
    assert sorted(shorter) == sorted(wanted)
    for change in changes(SOURCE):
        compile(change.made_in(SOURCE), "changed", "exec")


def test_samples_are_keyed_and_spread_over_all_modules():
    first, same, other = (sample(ROOT, 60, seed=seed) for seed in (1, 1, 2))
    assert first == same
    assert first != other
    folders = {mutant.path.split("/src/")[1].rpartition("/")[0] for mutant in first}
    assert {"faa_core/engines/numba", "faa_models", "faa_search/training", "faa_cli/commands"} <= folders
    assert {mutant.path for mutant in sample(ROOT, 5, seed=0, folder="faa_core/ops")} <= {
        str(path.relative_to(ROOT)) for path in ROOT.glob("packages/faa-core/src/faa_core/ops/*.py")
    }


def test_the_nearest_tests_come_first_and_take_no_longer_than_planned():
    files = [str(path.relative_to(ROOT)) for path in ROOT.glob("packages/*/tests/test_*.py")]
    times = {f"{file}::t{number}": 3.0 + number for file in files for number in range(3)}
    path = ROOT / "packages/faa-search/src/faa_search/searching/folds.py"
    near = Belonging(ROOT, times).tests_of(path, seconds=7.5)
    assert near == [f"packages/faa-search/tests/test_folds.py::t{number}" for number in (0, 1)]
    apart = ROOT / "packages/faa-core/src/faa_core/engines/choosing.py"  # no test file has its name
    assert [times[name] for name in Belonging(ROOT, times).tests_of(apart, seconds=7.5)] == [3.0, 3.0]
    wide = Belonging(ROOT, times).tests_of(path, seconds=1000)
    own = [f"packages/faa-search/tests/test_folds.py::t{number}" for number in range(3)]
    assert all(wide.index(name) < 20 for name in own)
    assert "packages/faa-core/tests/test_geometry.py::t0" not in wide  # it imports nothing that imports folds
    untimed = {name: seconds for name, seconds in times.items() if "test_folds" not in name}
    assert Belonging(ROOT, untimed).tests_of(path, seconds=7.5)[0] == "packages/faa-search/tests/test_folds.py"
    passed_on = ROOT / "packages/faa-search/src/faa_search/data/reduced.py"  # imported from faa_search.data by tests
    assert "packages/faa-search/tests/test_subsets.py" in Belonging(ROOT, {}).tests_of(passed_on, seconds=1000)
    compiled = {
        str(found.relative_to(ROOT / "packages/faa-core/src/faa_core")) for found in Belonging(ROOT, {}).compiled
    }
    assert {"engines/numba/pixels.py", "operations/instructions.py"} <= compiled
    assert "applying/transform.py" not in compiled


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("packages/faa-core/src/faa_core/policies/search_free.py", "packages/faa-core/tests/test_search_free.py"),
        ("packages/faa-core/src/faa_core/engines/triton/engine.py", "packages/faa-core/tests/test_triton_engine.py"),
        ("packages/faa-core/src/faa_core/formats/timm_tables.py", "packages/faa-core/tests/test_formats_timm.py"),
        ("packages/faa-models/src/faa_models/conversion/families.py", "packages/faa-models/tests/test_conversion.py"),
    ],
)
def test_the_file_of_a_modules_name_comes_before_those_that_are_quicker(path, own):
    files = [str(path.relative_to(ROOT)) for path in ROOT.glob("packages/*/tests/test_*.py")]
    times = {f"{file}::t": 2.0 if file == own else 1.0 for file in files}
    assert Belonging(ROOT, times).tests_of(ROOT / path, seconds=5.0)[0] == f"{own}::t"


SPIN = "import sys, time\nwhile time.process_time() < 0.8: pass\nprint(flush=True)\nsys.stdin.read()"


def test_a_processors_seconds_are_those_of_all_that_was_started_and_not_the_clocks():
    """While a child lives, and after it has ended."""
    first = cpu_seconds(os.getpid())
    time.sleep(0.7)
    rested = cpu_seconds(os.getpid())
    assert rested - first < 0.3
    with subprocess.Popen([sys.executable, "-c", SPIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert cpu_seconds(os.getpid()) - rested >= 0.7
    assert cpu_seconds(os.getpid()) - rested >= 0.7
    assert cpu_seconds(child.pid) == 0.0


TINY = {
    "packages/one/src/one/__init__.py": """import threading
def twice(x): return 2 * x
def first(pair): return pair[0]
def down(x):
    while x: x = x - 1
    return x
def wait(ready):
    if not ready: threading.Event().wait()
""",
    "packages/one/tests/test_one.py": """import one, time
def test(): assert one.twice(3) == 6
def test_more(): one.first([5, 5])
def test_down(): assert one.down(3) == 0
def test_wait():
    one.wait(True)
    time.sleep(3.5)  # longer than the tests of a change may take of a processor
""",
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = ['--import-mode=importlib']\n",
}
TEST_ALL = """
import json
from pathlib import Path
from mutants.belonging import Belonging
from mutants import running
from mutants.running import make_job, test_mutants
from mutants.sampling import sample
running.SECONDS, running.PATIENCE = 3, 12
root = Path("repository").resolve()
jobs = [make_job(root, mutant, Belonging(root, {})) for mutant in sample(root, 99, seed=0)]
test_mutants(root, Path("kept").resolve(), jobs, Path("results.jsonl"))
"""


def test_changes_that_tests_notice_are_told_from_others(tmp_path, environment):
    """In a copy: the sources stay as they are."""
    for name, content in TINY.items():
        path = tmp_path / "repository" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    done = run_python(["-c", TEST_ALL], directory=tmp_path, environment=environment | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    found = {line["mutant"].splitlines()[-1].strip(): (line["outcome"], line["test"]) for line in lines}
    noticed = ("killed", "packages/one/tests/test_one.py::test")
    assert found == {
        "def twice(x): return 3 * x": noticed,
        "def twice(x): return 2 / x": noticed,
        "def first(pair): return pair[1]": ("survived", ""),
        "while not (x): x = x - 1": ("killed", "packages/one/tests/test_one.py::test_down"),
        "while x: x = x + 1": ("timed out", ""),
        "while x: x = x - 2": ("timed out", ""),
        "if ready: threading.Event().wait()": ("timed out", ""),
        "if not ready: pass": ("survived", ""),
    }
    assert all((tmp_path / "repository" / name).read_text() == content for name, content in TINY.items())
