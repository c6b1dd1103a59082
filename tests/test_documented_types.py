"""The Python of the documentation passes a type checker, as in a script of anybody's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("packages/*/README.md"))]
# Of ours, types are read; of others, whose types are theirs, names alone: reading torch's takes minutes.
SETTINGS = """
[mypy]
mypy_path = {sources}
ignore_missing_imports = True
[mypy-torch.*,torchvision.*,numpy.*,timm.*,accelerate.*,scipy.*,sklearn.*,datasets.*,PIL.*]
follow_imports = skip
"""
WRONG = """
import faa_search
from faa_search import SearchConfig

found = faa_search.search(SearchConfig(dataset="digits"), "run")
print(found.policy.sub_policies[0][0].magnitude + "text")
print(found.polcy)
faa_search.search_stage(SearchConfig(dataset="digits", stage="folds"), "run").policy
faa_search.search(SearchConfig(datset="digits"), "run")
"""


def test_documented_python_has_types(tmp_path: Path) -> None:
    """And what is wrong does not pass: results, settings, and the None of a stage."""
    pytest.importorskip("mypy", reason="the type checker is not installed")
    scripts = []
    for document in DOCUMENTS:
        blocks = re.findall(r"^```python\n(.*?)^```", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        if blocks:
            scripts.append(tmp_path / f"{document.parent.name.replace('-', '_')}_{document.stem.lower()}_script.py")
            scripts[-1].write_text("\n".join(blocks), encoding="utf-8")
    assert len(scripts) >= 4
    wrong = tmp_path / "wrong.py"
    wrong.write_text(WRONG)
    sources = ":".join(str(path) for path in ROOT.glob("packages/*/src"))
    (tmp_path / "mypy.ini").write_text(SETTINGS.format(sources=sources))
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(
        [*command, *map(str, scripts), str(wrong)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    said = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert [re.search(r"wrong\.py:(\d+)", line) is not None for line in said] == [True] * len(said), done.stdout
    assert {int(line.split(":")[1]) for line in said} == {6, 7, 8, 9}, done.stdout
