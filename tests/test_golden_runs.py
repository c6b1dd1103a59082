"""Runs that commit 5313f79 made: every later version opens them, and ends those that it stopped as it would have."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from faa_search.runs.results import read_search

GOLDEN = Path(__file__).parent / "golden_runs"
TRAININGS = ("none", "trivialaugment", "uniform-random")
TIMES = {"seconds", "waiting", "fitting", "gpu_seconds"}
# What a stopped run must end in is beside it: by its name, the finished one's.
PAIRS = {
    "train-stopped": "train-finished",
    "photos-stopped": "photos-finished",
    "compare-stopped": "compare-finished",
    "search-stopped-in-folds": "search-finished",
    "search-stopped-in-trials": "search-finished",
}
FINISHED = sorted(set(PAIRS.values()))


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """A copy of all runs, after the command of each was given again in one fresh interpreter."""
    folder = tmp_path_factory.mktemp("golden") / "runs"
    shutil.copytree(GOLDEN, folder)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "OMP_"))}
    done = subprocess.run(
        [sys.executable, "resume.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def exact(runs) -> bool:
    """Whether this machine's torch and numpy compute as those did that the runs were made with."""
    return (runs / "arithmetic-now.txt").read_text() == (GOLDEN / "arithmetic.txt").read_text()


@pytest.mark.parametrize("name", FINISHED)
def test_a_finished_run_is_only_read(runs, name):
    before, after = files_of(GOLDEN / name), files_of(runs / name)
    assert before.keys() == after.keys()
    for path, content in before.items():
        assert after[path] == content, path


@pytest.mark.parametrize("stopped", PAIRS)
def test_a_stopped_run_ends_as_the_old_version_would_have_ended_it(runs, exact, stopped):
    wanted, found = GOLDEN / PAIRS[stopped], runs / stopped
    # "previous" is where a run was before its last step, which depends on where it was stopped.
    weights = sorted(path.relative_to(wanted) for path in wanted.rglob("*.safetensors") if path.stem != "previous")
    assert len(weights) >= 2
    for path in weights:
        same_tensors(wanted / path, found / path, exact=exact)
    if exact:
        for path in weights:
            if path.name == "model.safetensors":
                assert (found / path).read_bytes() == (wanted / path).read_bytes(), path
    for path in sorted(wanted.rglob("summary.csv")):
        same_tables(path, found / path.relative_to(wanted), exact=exact)


@pytest.mark.parametrize("stopped", [name for name in PAIRS if name.startswith("search")])
def test_a_stopped_search_finds_the_same_policy(runs, exact, stopped):
    wanted, found = GOLDEN / "search-finished", runs / stopped
    then, now = trials_of(wanted), trials_of(found)
    assert now.keys() == then.keys()
    assert len(now) == 20
    if not exact:
        pytest.skip("this machine's arithmetic differs in the last bits, so trials may, too")
    for key, trial in then.items():
        assert {name: now[key][name] for name in trial} == trial
    assert policy_of(found) == policy_of(wanted)
    result, before = json_of(found / "result.json"), json_of(wanted / "result.json")
    controls, controls_before = ({row["name"]: row for row in each.pop("controls")} for each in (result, before))
    del before["verdict"]  # words, and since 0.2.0 TrivialAugment in both of its spaces is a control
    assert result.items() >= before.items()
    del controls_before["trivialaugment"]
    assert len(controls_before) == 2
    assert controls.items() >= controls_before.items()


CONTROLS = {
    "search-finished": ["uniform-random", "trivialaugment"],
    "search-stopped-in-trials": ["trivialaugment-standard", "trivialaugment-wide", "uniform-random"],
}


@pytest.mark.parametrize(("name", "others"), CONTROLS.items(), ids=[*CONTROLS])
def test_a_control_is_none_where_it_is_shown_and_what_it_was_in_files(runs, name, others):
    result = read_search(runs / name)
    assert result is not None
    assert [row.name for row in result.controls] == ["none", *others]
    assert "'none'" in result.verdict
    assert "identity" not in result.verdict
    filed = json_of(runs / name / "result.json")
    assert [row["name"] for row in filed["controls"]] == ["identity", *others]
    assert "identity" in filed["verdict"]


def test_a_stopped_comparison_comes_to_the_same(runs, exact):
    then, now = (
        json_of(folder / "comparison.json") for folder in (GOLDEN / "compare-finished", runs / "compare-stopped")
    )
    for document in (then, now):
        del document["versions"], document["conclusion"]  # the second is words
    if exact:
        assert now.items() >= then.items()
    assert [row["name"] for row in now["policies"]] == list(TRAININGS)


@pytest.mark.parametrize("stopped", ["train-stopped", "photos-stopped"])
def test_a_stopped_training_has_the_same_figures(runs, exact, stopped):
    then, now = json_of(GOLDEN / PAIRS[stopped] / "result.json"), json_of(runs / stopped / "result.json")
    if exact:
        assert now.items() >= then.items()
    assert now["test"]["images"] == then["test"]["images"]


def files_of(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}


def same_tensors(wanted: Path, found: Path, *, exact: bool) -> None:
    then, now = load_file(wanted), load_file(found)
    assert now.keys() == then.keys(), found
    for name, tensor in then.items():
        assert now[name].dtype == tensor.dtype
        if exact:
            assert torch.equal(now[name], tensor), (found, name)
        else:
            torch.testing.assert_close(now[name], tensor, rtol=1e-2, atol=1e-3)


def same_tables(wanted: Path, found: Path, *, exact: bool) -> None:
    with wanted.open(newline="") as one, found.open(newline="") as other:
        then, now = list(csv.DictReader(one)), list(csv.DictReader(other))
    assert len(now) == len(then)
    for before, after in zip(then, now, strict=True):
        for name in before.keys() - TIMES:
            if exact:
                assert after[name] == before[name], (found, name)
            elif before[name]:
                assert float(after[name]) == pytest.approx(float(before[name]), rel=0.1, abs=0.1)


def trials_of(run: Path) -> dict[tuple[int, ...], dict[str, object]]:
    rows = [untimed(json.loads(line)) for line in (run / "trials.jsonl").read_text().splitlines()]
    return {(row["fold"], row["round"], row["number"]): row for row in rows}


def policy_of(run: Path) -> dict[str, object]:
    document = json_of(run / "policy.json")
    del document["provenance"]
    return document


def json_of(path: Path) -> dict[str, object]:
    return untimed(json.loads(path.read_text(encoding="utf-8")))


def untimed(value: object) -> object:
    """Return a JSON value without what no two runs share: how long things took."""
    if isinstance(value, dict):
        return {key: untimed(part) for key, part in value.items() if key not in TIMES}
    return [untimed(part) for part in value] if isinstance(value, list) else value
