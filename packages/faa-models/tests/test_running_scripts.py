"""Scripts that know nothing of these networks find them: `python -m faa_models SCRIPT`, or by naming the module."""

import os
import subprocess
from pathlib import Path

import pytest

from forked import run_python

SCRIPT = """
import argparse
import importlib
import sibling
import timm

parser = argparse.ArgumentParser()
parser.add_argument("--model", default="resnet50")
parser.add_argument("--device-modules", default=None, type=str, nargs="+")  # timm's train.py has this one
args = parser.parse_args()
for module in args.device_modules or ():
    importlib.import_module(module)
print(__name__, sibling.WORD, timm.create_model(args.model, num_classes=3).num_classes)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "sibling.py").write_text("WORD = 'beside'\n")
    (folder / "validate.py").write_text(SCRIPT)
    return folder / "validate.py"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run_python(arguments, directory=Path.cwd(), environment=os.environ)


def test_a_script_alone_does_not_know_the_networks(script: Path) -> None:
    assert "Unknown model (wrn10_1)" in run(script, "--model", "wrn10_1").stderr


@pytest.mark.parametrize("way", ["run by the package", "told the module"])
def test_a_script_finds_the_networks(script: Path, way: str) -> None:
    if way == "run by the package":
        done = run("-m", "faa_models", script, "--model", "wrn10_1")
    else:
        done = run(script, "--model", "wrn10_1", "--device-modules", "faa_models")
    assert (done.stdout, done.returncode) == ("__main__ beside 3\n", 0), done.stderr


def test_help_is_help() -> None:
    done = run("-m", "faa_models", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: python -m faa_models SCRIPT [ARGUMENTS...]\n")


@pytest.mark.parametrize(
    ("arguments", "said"), [((), "no script given"), (("missing.py",), "'missing.py' is not a file")]
)
def test_what_is_no_script_is_named(arguments: tuple[str, ...], said: str) -> None:
    done = run("-m", "faa_models", *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "usage: python -m faa_models SCRIPT" in done.stderr
    assert "Traceback" not in done.stderr
