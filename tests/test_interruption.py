"""A run that is killed or stopped at any moment and started again ends as if nothing had happened."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from forked import ForkedPython, lines

OF_NO_INTEREST = {"seconds": 0, "check": "", "origin": None}  # in a comparison of trials

TINY = "--dataset digits --train-subset 60 --img-size 8 --batch-size 20 --hflip 0 --crop-pad 1".split()
SEARCH = ["search", *TINY, *"--epochs 6 --folds 2 --width 2 --depth 24 --top 3".split()]
TRAIN = ["train", *TINY, *"--epochs 25 --policy trivialaugment --model-ema --val-fraction 0.2".split()]


def start(arguments: list[str], directory: Path, environment: dict[str, str]) -> ForkedPython:
    return ForkedPython(["-m", "faa_cli", *arguments], directory=directory, environment=environment)


def kill_when(process: ForkedPython, happened: Callable[[], bool], number: int = signal.SIGKILL) -> bool:
    """Kill the process, by default without warning, once something happened; return whether it was still running."""
    while process.poll() is None:
        if happened():
            process.send_signal(number)
            return process.wait() in (-number, 128 + number)
        time.sleep(0.002)
    return False


def policy_without_times(path: Path) -> str:
    document = json.loads(path.read_text())
    document["provenance"].pop("seconds")
    document["provenance"].pop("gpu_seconds")
    return json.dumps(document)


@pytest.fixture
def straight(faa, tmp_path):
    def run(arguments: list[str]) -> Path:
        faa(*arguments, "--output", "straight")
        return tmp_path / "straight"

    return run


def test_a_killed_search_finds_the_same_policy(straight, tmp_path, environment):
    reference = straight(SEARCH)
    killed = tmp_path / "killed"
    moments = [
        lambda: lines(killed / "fold0/summary.csv") >= 3,
        lambda: lines(killed / "trials.jsonl") >= 70,
        (killed / "policy.json").is_file,
    ]
    kills = sum(kill_when(start([*SEARCH, "--output", "killed"], tmp_path, environment), moment) for moment in moments)
    assert start([*SEARCH, "--output", "killed"], tmp_path, environment).wait() == 0

    assert kills >= 2
    assert policy_without_times(reference / "policy.json") == policy_without_times(killed / "policy.json")
    kept = [
        [json.loads(line) | OF_NO_INTEREST for line in (run / "trials.jsonl").read_text().splitlines()]
        for run in (reference, killed)
    ]
    assert kept[0] == kept[1]
    assert (
        json.loads((reference / "result.json").read_text())["controls"]
        == json.loads((killed / "result.json").read_text())["controls"]
    )


def test_a_killed_training_ends_with_the_same_weights(straight, tmp_path, environment):
    reference = straight(TRAIN)
    killed = tmp_path / "killed"
    moments = [(2, signal.SIGKILL), (9, signal.SIGTERM), (10, signal.SIGINT), (20, signal.SIGKILL)]
    kills = sum(
        kill_when(
            start([*TRAIN, "--output", "killed"], tmp_path, environment),
            lambda n=n: lines(killed / "summary.csv") >= n,
            number,
        )
        for n, number in moments
    )
    assert start([*TRAIN, "--output", "killed"], tmp_path, environment).wait() == 0

    assert kills >= 3
    for weights in ("last/model.safetensors", "best/model.safetensors"):
        assert (reference / weights).read_bytes() == (killed / weights).read_bytes()
    results = [json.loads((run / "result.json").read_text()) for run in (reference, killed)]
    assert results[0]["test"] == results[1]["test"]
    assert lines(killed / "summary.csv") == 26  # one header, one row per epoch


@pytest.mark.slow
def test_loader_processes_change_nothing(faa, tmp_path):
    for workers in (0, 4):
        faa(*TRAIN, "--epochs", 3, "--workers", workers, "--output", f"train{workers}")
        faa(*SEARCH, "--depth", 2, "--epochs", 2, "--workers", workers, "--output", f"search{workers}")
    weights = [(tmp_path / f"train{workers}/last/model.safetensors").read_bytes() for workers in (0, 4)]
    policies = [policy_without_times(tmp_path / f"search{workers}/policy.json") for workers in (0, 4)]
    assert weights[0] == weights[1]
    assert policies[0] == policies[1]
