"""Wherever a search's work is done, and whoever is lost on the way, it finds the same policy."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from forked import ForkedPython, Running, lines, wait_until

OF_NO_INTEREST = {"seconds": 0, "check": "", "origin": None}  # in a comparison of trials

TINY = "--dataset digits --train-subset 60 --img-size 8 --batch-size 20 --hflip 0 --crop-pad 1 --device cpu".split()
SEARCH = ["search", *TINY, *"--epochs 4 --folds 2 --width 2 --depth 16 --top 3 --rescore 4 --rescore-views 6".split()]
FAA = [sys.executable, "-m", "faa_cli"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "faa_cli"]
ONE_THREAD = ["--threads", "1"]


LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def start(directory: Path, *words: str, launcher: list[str] | None = None) -> Running:
    """Start a search in an interpreter of its own, which a launcher starts, or without one in a forked process."""
    command = [*SEARCH, *ONE_THREAD, "--output", "run", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    if launcher is None:
        return ForkedPython(["-m", "faa_cli", *command], directory=directory, environment=environment)
    pipe = subprocess.PIPE
    command = [*launcher, *command]
    return subprocess.Popen(command, cwd=directory, env=environment, stdout=pipe, stderr=pipe, text=True)


def finished(process: Running, directory: Path) -> dict[str, object]:
    """Wait, and return all that was found but for the seconds; trials in the order of their rounds."""
    _out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    run = directory / "run"
    policy, result = (json.loads((run / name).read_text()) for name in ("policy.json", "result.json"))
    for name in ("seconds", "gpu_seconds"):
        policy["provenance"].pop(name)
    for name in ("seconds", "fitting"):
        result.pop(name)
    journals = {}
    for name in ("trials.jsonl", "rescored.jsonl"):
        rows = [json.loads(line) | OF_NO_INTEREST for line in (run / name).read_text().splitlines()]
        journals[name] = sorted(rows, key=lambda row: (row["fold"], row["round"], row["number"]))
        assert len(rows) == len({(row["fold"], row["round"], row["number"]) for row in rows})
    weights = [(run / f"fold{fold}/model.safetensors").read_bytes() for fold in range(2)]
    return {"policy": policy, "result": result, "weights": weights, **journals}


@pytest.fixture(scope="module")
def straight(tmp_path_factory) -> dict[str, object]:
    """Return what an uninterrupted search in one process finds."""
    directory = tmp_path_factory.mktemp("straight")
    return finished(start(directory), directory)


def workers(process: Running, title: str) -> list[psutil.Process]:
    """Return the processes under a search whose command line has a title."""
    below = psutil.Process(process.pid).children(recursive=True)
    return [child for child in below if child.is_running() and title in " ".join(child.cmdline())]


def stranger(directory: Path, port: int) -> str:
    """Return what a Ray cluster answers to somebody with another token."""
    variables = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}
    code = f"from ray._raylet import GcsClient; GcsClient('127.0.0.1:{port}').get_all_node_info()"
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=directory, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    return done.stderr


STOPS = [(signal.SIGKILL, signal.SIGINT), pytest.param((signal.SIGTERM, signal.SIGKILL), marks=pytest.mark.slow)]


@pytest.mark.parametrize("signals", STOPS, ids=str)
def test_two_processes_stopped_and_resumed(straight, tmp_path, listening, signals):
    """Stopped while it fits and while it explores, with two workers; then it ends in one process. Nobody listens."""
    for number, moment in zip(signals, ("fold0/summary.csv", "trials.jsonl"), strict=True):
        process = start(tmp_path, "--num-processes", "2")
        wait_until(lambda moment=moment: lines(tmp_path / "run" / moment) >= 3, process)
        assert listening(process.pid) == set()
        process.send_signal(number)
        _out, err = process.communicate(timeout=60)
        assert process.returncode in (-number, 128 + number), err
        if number == signal.SIGINT:
            assert json.loads((tmp_path / "run/policy.json").read_text())["provenance"]["trials"] < 64
    assert straight == finished(start(tmp_path), tmp_path)


@pytest.mark.slow  # test_executors has it in seconds, though not in a search
def test_a_lost_worker(straight, tmp_path):
    """A worker killed without warning is replaced, and its trial scored again."""
    process = start(tmp_path, "--num-processes", "2")
    wait_until(lambda: lines(tmp_path / "run/trials.jsonl") >= 8, process)
    workers(process, "loky")[0].kill()
    assert straight == finished(process, tmp_path)


def test_launched_processes(straight, tmp_path, listening):
    """Under torchrun, or accelerate launch, the launched processes do the work.

    What torchrun itself listens at is its own choice; our processes listen on this machine only.
    """
    process = start(tmp_path, launcher=TORCHRUN)
    wait_until(lambda: lines(tmp_path / "run/trials.jsonl") >= 1, process)
    assert listening(process.pid, itself=False) <= LOOPBACK
    assert straight == finished(process, tmp_path)


@pytest.mark.slow  # a search by one process shows that a finished one is only read
def test_launched_processes_read_a_finished_search(straight, tmp_path):
    """Each of them gets the result, and none waits for work."""
    assert straight == finished(start(tmp_path), tmp_path)
    assert straight == finished(start(tmp_path, launcher=TORCHRUN), tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
def test_ray_with_a_lost_worker(straight, tmp_path, listening):
    """A Ray worker killed without warning has its task done again; the cluster is on this machine only, and keyed."""
    process = start(tmp_path, "--executor", "ray", "--num-processes", "2", launcher=FAA)
    wait_until(lambda: lines(tmp_path / "run/trials.jsonl") >= 8, process)
    assert listening(process.pid)
    assert listening(process.pid) <= LOOPBACK
    assert not [name for name in psutil.Process(process.pid).environ() if name.startswith("RAY_AUTH")]
    (server,) = workers(process, "gcs_server")
    port = next(socket.laddr.port for socket in server.net_connections("tcp") if socket.status == psutil.CONN_LISTEN)
    assert "InvalidAuthToken" in stranger(tmp_path, port)
    workers(process, "ray::ActorWorker")[0].kill()
    assert straight == finished(process, tmp_path)
