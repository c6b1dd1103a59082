"""Deep AutoAugment from the command line: killed, stopped, in several processes or by Ray, it finds the same layers."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from forked import ForkedPython, Running, lines, wait_until

OF_NO_INTEREST = {"seconds": 0, "check": "", "origin": None}  # in a comparison of updates

SEARCH = (
    "search --algorithm deep --dataset digits --train-subset 60 --img-size 8 --batch-size 20 --hflip 0 --crop-pad 1 "
    "--device cpu --epochs 4 --levels 3 --layers 2 --updates 8 --policy-lr 0.3 --triples 3 --val-images 4 "
    "--gradient-draws 1 --prefixes 2 --control-triples 4 --threads 1 --output run"
).split()
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "faa_cli"]


def start(directory: Path, *words: str, launcher: list[str] | None = None) -> Running:
    """Start a search in an interpreter of its own, which a launcher starts, or without one in a forked process."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    if launcher is None:
        return ForkedPython(["-m", "faa_cli", *SEARCH, *words], directory=directory, environment=environment)
    command = [*launcher, *SEARCH, *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=directory, env=environment, stdout=pipe, stderr=pipe, text=True)


def finished(process: Running, directory: Path) -> dict[str, object]:
    """Wait, and return all that was found but for the seconds."""
    _out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    policy, result = (json.loads((directory / "run" / name).read_text()) for name in ("policy.json", "result.json"))
    for name in ("seconds", "gpu_seconds"):
        policy["provenance"].pop(name)
    for name in ("seconds", "policy"):  # the second is the digest of the file, which has the seconds
        result.pop(name)
    rows = [json.loads(line) | OF_NO_INTEREST for line in (directory / "run/updates.jsonl").read_text().splitlines()]
    assert len(rows) == len({(row["layer"], row["number"]) for row in rows}) == 16
    weights = (directory / "run/fold0/model.safetensors").read_bytes()
    return {"policy": policy, "result": result, "updates": rows, "weights": weights}


@pytest.fixture(scope="module")
def straight(tmp_path_factory) -> dict[str, object]:
    """Return what an uninterrupted search in one process finds."""
    directory = tmp_path_factory.mktemp("straight")
    return finished(start(directory), directory)


def test_killed_and_stopped(straight, tmp_path):
    """While it fits, in either layer, and by Ctrl-C, which leaves the policy of the layers so far."""
    run = tmp_path / "run"
    moments = [
        (lambda: lines(run / "fold0/summary.csv") >= 2, signal.SIGKILL),
        (lambda: lines(run / "updates.jsonl") >= 3, signal.SIGKILL),
        (lambda: lines(run / "updates.jsonl") >= 10, signal.SIGINT),
    ]
    for happened, number in moments:
        process = start(tmp_path)
        wait_until(happened, process)
        process.send_signal(number)
        _out, err = process.communicate(timeout=60)
        assert process.returncode in (-number, 128 + number), err
    assert 1 <= len(json.loads((run / "policy.json").read_text())["layers"]) <= 2
    assert not (run / "result.json").exists()
    assert straight == finished(start(tmp_path), tmp_path)


def test_two_processes(straight, tmp_path):
    """A process takes some of the triples of an update; killed on the way, one process goes on."""
    process = start(tmp_path, "--num-processes", "2")
    wait_until(lambda: lines(tmp_path / "run/updates.jsonl") >= 2, process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert straight == finished(start(tmp_path, "--num-processes", "2"), tmp_path)


@pytest.mark.slow  # the other algorithm's search shows it of the executor
def test_launched_processes(straight, tmp_path):
    """Under torchrun the launched processes do the work."""
    assert straight == finished(start(tmp_path, launcher=TORCHRUN), tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
def test_ray(straight, tmp_path):
    """Ray's workers come to the same."""
    process = start(tmp_path, "--executor", "ray", "--num-processes", "2", launcher=[sys.executable, "-m", "faa_cli"])
    assert straight == finished(process, tmp_path)
