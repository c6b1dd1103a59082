"""The life of a plugin: the example is built, installed into a fresh environment, used, killed, and tested there."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from pathlib import Path

import pytest

from tests.test_interruption import lines, policy_without_times

EXAMPLE = Path(__file__).parent.parent / "examples" / "faa-plugin-example"
BUILD = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
SEARCH = (
    "search --dataset digits --train-subset 60 --img-size 8 --model wrn10_1 --batch-size 20 --hflip 0 --crop-pad 1 "
    "--epochs 1 --warmup-epochs 0 --folds 2 --width 1 --depth 20 --top 2 --views 1 --sub-policies 2 --sampler nearby"
)
LAYERED = (
    "search --algorithm one-by-one --keep 3 --dataset digits --train-subset 60 --img-size 8 --model wrn10_1 "
    "--batch-size 20 --hflip 0 --crop-pad 1 --epochs 1 --warmup-epochs 0 --folds 2 --views 2"
)
COMMANDS = """
import sys
from faa_cli.main import main

for line in sys.argv[1:]:
    sys.argv = ["faa", *line.split()]
    try:
        main()
    except SystemExit as end:
        assert not end.code, line
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """Return the interpreter of an environment with the example in it, and with what is installed here."""
    pytest.importorskip("hatchling", reason="hatchling builds the example; `nox -s tests` installs it")
    folder = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(EXAMPLE, folder / "source")
    subprocess.run([sys.executable, "-c", BUILD, folder], cwd=source, check=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "environment", symlinks=True)
    places = {"base": str(folder / "environment"), "platbase": str(folder / "environment")}
    site = Path(sysconfig.get_path("purelib", "venv", vars=places))
    (site / "here.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    with zipfile.ZipFile(wheel) as archive:  # which is all that installing one without dependencies is
        archive.extractall(site)
    return folder / "environment" / "bin" / "python"


@pytest.fixture
def run(python, tmp_path, environment):
    """Run Python with these arguments in the environment; it must succeed."""

    def in_environment(*words: str | Path) -> str:
        command = [python, *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return in_environment


def test_it_is_found_and_shown(run):
    """By `faa doctor` with each of its plugins, and where they are used."""
    shown = run("-c", COMMANDS, "doctor", "policy show zoom-and-light", "axes zoom-and-light").splitlines()
    rows = [line.split() for line in shown if "faa-plugin-example" in line]
    assert [row[:2] for row in rows] == [
        ["faa.ops", "Zoom"],
        ["faa.policies", "zoom-and-light"],
        ["faa.searchers", "one-by-one"],
        ["faa.samplers", "nearby"],
        ["faa.commands", "axes"],
    ]
    assert all(row[-1] == "ok" for row in rows)
    used = [line.split() for line in shown if line.split()[:1] == ["Zoom"]]
    assert ["Zoom", "0.5", "1.5", "factor", "yes"] in used
    assert len(used) > 1


@pytest.fixture
def killed_and_resumed(run, python, tmp_path, environment):
    """Kill a search once a journal has so many lines, go on with it, and search straight beside it; return the words.

    Both must come to the same policy.
    """

    def searched(command: str, journal: str, *, at: int, of: int) -> str:
        words = [python, "-m", "faa_cli", *command.split(), "--output", "killed"]
        pipe = subprocess.PIPE
        process = subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=pipe, stderr=subprocess.STDOUT)
        while process.poll() is None and lines(tmp_path / "killed" / journal) < at:
            time.sleep(0.002)
        process.kill()
        told = process.communicate()[0]
        assert process.returncode == -9, told
        assert at <= lines(tmp_path / "killed" / journal) < of
        shown = run("-c", COMMANDS, f"{command} --output killed", f"{command} --output straight")
        assert lines(tmp_path / "straight" / journal) == of
        policies = [policy_without_times(tmp_path / name / "policy.json") for name in ("killed", "straight")]
        assert policies[0] == policies[1]
        return shown

    return searched


@pytest.mark.slow  # the algorithm's is killed in the same way
def test_a_search_by_its_sampler_is_killed_and_resumed(killed_and_resumed):
    """To the policy of a search that nobody killed."""
    killed_and_resumed(SEARCH, "trials.jsonl", at=12, of=40)


def test_a_search_by_its_algorithm_is_killed_and_resumed(killed_and_resumed, run, python, tmp_path, environment):
    """To the same layers; they are shown, and another algorithm's flag is refused."""
    assert "Found 2 layers" in killed_and_resumed(LAYERED, "scores.jsonl", at=9, of=30)
    assert json.loads((tmp_path / "killed/policy.json").read_text())["kind"] == "layers"
    assert "one-by-one" in run("-c", COMMANDS, "policy show killed/policy.json")
    refused = [python, "-m", "faa_cli", *LAYERED.split(), "--depth", "5", "--output", "no"]
    done = subprocess.run(refused, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--depth" in done.stderr
    assert "'fast'" in done.stderr


def test_it_keeps_the_contracts(run):
    """By its own tests, which its authors run."""
    shown = run("-m", "pytest", "-q", "-p", "no:cacheprovider", EXAMPLE / "tests", "--rootdir", EXAMPLE)
    assert re.search(r"\b\d\d passed", shown)
