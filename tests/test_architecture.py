"""The shape of the repository holds."""

import ast
import importlib
import os
import re
import tomllib
from pathlib import Path

import pytest

from forked import run_python

ROOT = Path(__file__).parent.parent
PACKAGES = ("faa-core", "faa-models", "faa-search", "faa-cli")
SOURCES = sorted(ROOT.glob("packages/*/src/**/*.py"))


def test_packages_depend_downwards_only():
    """In a process of its own: import-linter sets up logging anew, which disables every logger there is."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(cache_dir=None))"
    done = run_python(["-c", code], directory=ROOT, environment=os.environ)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_stands_alone(package):
    folder = ROOT / "packages" / package
    for name in ("README.md", "CHANGELOG.md", "LICENSE", f"src/{package.replace('-', '_')}/py.typed"):
        assert (folder / name).is_file()
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert f"## {project['version']}" in (folder / "CHANGELOG.md").read_text()
    for requirement in project["dependencies"]:
        assert ">=" in requirement  # a tested floor
        assert "==" not in requirement
        if requirement.startswith("faa-"):
            assert re.search(r">=\d+\.\d+(\.\d+)?,<", requirement)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "packages")))
def test_files_and_functions_are_short(path):
    text = path.read_text()
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    lengths = [node.end_lineno - node.lineno + 1 for node in ast.walk(ast.parse(text)) if isinstance(node, functions)]
    assert len(text.splitlines()) <= 300
    assert max(lengths, default=0) <= 60


def test_nothing_is_unpickled():
    """torch.load may only be called where it knows nothing but tensors and containers."""
    for path in SOURCES:
        text = path.read_text()
        assert "import pickle" not in text
        assert "allow_pickle=True" not in text
        nodes = list(ast.walk(ast.parse(text)))
        restricted = [
            node.func
            for node in nodes
            if isinstance(node, ast.Call)
            and any(keyword.arg == "weights_only" and ast.unparse(keyword.value) == "True" for keyword in node.keywords)
        ]
        for node in nodes:
            if isinstance(node, ast.Attribute) and node.attr == "load" and ast.unparse(node.value).startswith("torch"):
                assert node in restricted, f"{path}:{node.lineno}"
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("torch"):
                assert "load" not in [alias.name for alias in node.names], f"{path}:{node.lineno}"


def test_the_readme_has_the_two_commands_and_ci_calls_the_second():
    readme = (ROOT / "README.md").read_text()
    assert "pip install nox && nox -s quickstart" in readme
    assert "pip install nox && nox -s tests" in readme
    assert re.search(r"^pip install (--quiet )?nox && nox -s tests", (ROOT / ".ci/run").read_text(), re.MULTILINE)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_table_of_modules_is_complete(package: str) -> None:
    """Every module is named in the row of its folder."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w/]+)` \| (.*) \|$", page, re.MULTILINE))
    source = ROOT / "packages" / package / "src"
    for module in sorted(source.rglob("*.py")):
        if not module.stem.startswith("__"):
            folder = module.parent.relative_to(source)
            row = next(rows[str(place)] for place in (folder, *folder.parents) if str(place) in rows)
            assert f"`{module.stem}`" in row, f"{module.stem} of {folder}"


def test_what_is_imported_when_it_is_asked_for_is_listed() -> None:
    """Modules that look names up (`__getattr__`) list them (`__dir__`), before they were asked for."""
    lazy = [path for path in SOURCES if re.search(r"^(def )?__getattr__", path.read_text(), re.MULTILINE)]
    assert len(lazy) >= 2
    for path in lazy:
        parts = path.relative_to(ROOT / "packages").with_suffix("").parts[2:]
        module = importlib.import_module(".".join(part for part in parts if part != "__init__"))
        assert set(module.__all__) <= set(dir(module)), path
        assert all(getattr(module, name) is not None for name in module.__all__), path
