"""`python -m faa_core.testing`: somebody's implementation, mistakes, the table and the report."""

import json
import os
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from faa_core.testing import check, engine, read_golden, subject
from faa_core.testing.__main__ import main
from faa_core.testing.golden import standard_operations
from forked import run_python

IMPORTS = "import numpy as np\nfrom faa_core.testing.golden import Call\n"
OURS = """
from faa_core.testing.implementations import pillow_pixels

def ours(image, operation, argument, place, shape, fill, interpolation):
    return pillow_pixels(image, Call(operation=operation, argument=argument, place=place, shape=shape, fill=fill,
                                     interpolation=interpolation, sha256={}, png={}))
"""


@pytest.fixture
def mine(tmp_path, monkeypatch, request):
    """Return a function that writes a module with subjects in it and gives its name."""

    def write(source: str) -> str:
        name = f"throwaway_subject_{zlib.crc32(request.node.name.encode())}"
        (tmp_path / f"{name}.py").write_text(IMPORTS + OURS + source)
        monkeypatch.syspath_prepend(str(tmp_path))
        return name

    yield write
    for module in [name for name in sys.modules if name.startswith("throwaway_subject_")]:
        del sys.modules[module]


def test_a_subject_that_is_right_passes(mine):
    """Operations and, step by step, the policies."""
    rows = check([subject(f"{mine('')}:ours")], read_golden())
    assert {row.verdict for row in rows} == {"equal"}
    assert any(row.name == "policy golden-smooth" for row in rows)


@pytest.mark.parametrize(
    ("body", "verdict", "words"),
    [
        ("return ours(*given)[:, ::-1].copy()", "differs by", "first at x "),
        ("return np.clip(ours(*given).astype(int) + 1, 0, 255).astype(np.uint8)", "within 1", "by up to 1"),
        ("raise ZeroDivisionError('oh\\nno')", "failed", "failed: ZeroDivisionError: oh ("),
        (
            "return ours(*given).astype(float)",
            "failed",
            "TypeError: returned float64 [53, 37, 3], not an array of",
        ),
        ("return ours(*given)[:-1]", "failed", "TypeError: returned uint8 [52, 37, 3], not"),
        ("return None", "failed", "TypeError: returned None, not an array"),
    ],
)
def test_a_subject_that_is_wrong_is_told_how(body, verdict, words, mine, capsys):
    name = mine(f"def wrong(*given):\n    {body}\n")
    assert main(["--subject", f"{name}:wrong", "--operation", "Rotate"]) == 1
    shown = capsys.readouterr()
    assert verdict in shown.out.splitlines()[1]
    assert words in shown.out
    assert "beyond its tolerance of 0" in shown.out
    assert not shown.err


def test_a_subject_may_offer_less_and_be_allowed_more(mine, capsys):
    """NotImplementedError is not a failure; a tolerance is for the subject, beside the engines."""
    name = mine(
        "def part(*given):\n"
        "    if given[6] != 'nearest':\n        raise NotImplementedError('only nearest')\n"
        "    return np.clip(ours(*given).astype(int) - 2, 0, 255).astype(np.uint8)\n"
    )
    one = ["--operation", "Rotate", "--operation", "Flip"]
    assert main(["--subject", f"{name}:part", "--engine", "pillow", "--tolerance", "2", *one]) == 0
    head, rotate, flip, *rest = capsys.readouterr().out.splitlines()
    assert head.split() == ["pillow", f"{name}:part"]
    assert rotate.split() == ["Rotate", "equal", "within", "2"]
    assert flip.split()[0] == "Flip"
    assert f"{name}:part: 21 results compared, 16 not offered (only nearest)" in rest
    assert main(["--subject", f"{name}:part", "--tolerance", "1", *one]) == 1


def test_a_subject_cannot_change_the_images(mine):
    """It gets a copy, so one that writes into its input spoils nobody else's."""
    name = mine("def rude(*given):\n    done = ours(*given)\n    given[0][:] = 0\n    return done\n")
    rows = check([subject(f"{name}:rude"), engine("pillow")], read_golden())
    assert {row.verdict for row in rows} == {"equal"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engine", "pillow@cuda"], "The engine 'pillow' runs on cpu alone"),
        (["--engine", "torch@nowhere"], "The engine 'torch' cannot run on 'nowhere': "),
        (["--engine", "trito"], "No engine is called 'trito'; did you mean triton?"),
        (["--operation", "rotate"], "did you mean Rotate"),
        (["--subject", "nothing"], "'module:function'"),
        (["--subject", "no_such_module:f"], "does not import: ModuleNotFoundError"),
        (["--subject", "json:dumpz"], "did you mean dump or dumps"),
        (["--subject", "json:__doc__"], "No function of 'json'"),
        (["--tolerance", "1"], "what a --subject is allowed"),
        (["--tolerance", "256", "--subject", "json:dumps"], "0 to 255"),
        (["--engine", "pillow", "--operation", "Flip", "--json", "/dev/null/no/report.json"], "cannot be written"),
        (["--write", "/dev/null/no"], "cannot be written"),
        (["--write", "golden", "--engine", "pillow"], "give it alone"),
    ],
)
def test_mistakes_are_one_line(arguments, message, capsys):
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert len(shown.err.splitlines()) == 1


def test_a_module_that_fails_to_import_is_one_line(mine, capsys):
    """Even one that exits."""
    assert main(["--subject", f"{mine('raise SystemExit(3)')}:ours"]) == 2
    assert "does not import: SystemExit: 3" in capsys.readouterr().err


def test_the_command_writes_a_report(tmp_path):
    """As others run it, in a separate process: the table, exit code 0, and JSON with what was left out."""
    command = ["-m", "faa_core.testing", "--engine", "pillow", "--engine", "torch", "--json", "report.json"]
    done = run_python(command, directory=tmp_path, environment=os.environ)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["pillow", "torch"]
    assert ["Rotate", "equal", "equal"] in [line.split() for line in lines]
    assert ["policy", "golden-layers", "equal", "equal"] in [line.split() for line in lines]
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["schema"] == "faa-conformance/1"
    assert report["passed"] is True
    assert report["versions"]["pillow"] == Image.__version__
    assert len(report["rows"]) == 2 * (len(standard_operations()) + 7)
    assert all(row["findings"] == [] and row["compared"] > 0 for row in report["rows"])


def test_the_report_holds_what_differs(mine, tmp_path):
    """Case by case, with the numbers."""
    name = mine("def dark(*given):\n    return ours(*given) // 2\n")
    assert main(["--subject", f"{name}:dark", "--operation", "Invert", "--json", str(tmp_path / "r.json")]) == 1
    (row,) = json.loads((tmp_path / "r.json").read_text())["rows"]
    assert row["passed"] is False
    assert len(row["findings"]) == row["compared"] == 6
    assert {"case", "differing", "largest", "where"} <= set(row["findings"][0])
    assert row["findings"][0]["largest"] == 128  # 255 became 127


def test_the_readme_says_how_to_run_it():
    """The commands of the section are those that exist, and its subject keeps what it says."""
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    section = readme.split("## Conformance\n")[1].split("\n## ")[0]
    assert len(section.strip().splitlines()) <= 15
    for flag in ("--subject", "--write", "--json"):
        assert flag in section
