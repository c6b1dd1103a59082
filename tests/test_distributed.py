"""Several processes, on the CPU with gloo, train as one does, on one node and on two; they stop and go on together."""

import csv
import json
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file

from forked import ForkedPython

TINY = (
    "--dataset digits --train-subset 60 --img-size 8 --hflip 0 --epochs 3 --policy uniform-random --device cpu".split()
)
ACCELERATE = "accelerate.commands.accelerate_cli"
TWO = ["--num-processes", "2"]
Start = Callable[..., ForkedPython]


@pytest.fixture
def start(tmp_path, environment) -> Start:
    """Start a Python module with arguments, in the background."""

    def run(module: str, *arguments: str, **variables: str) -> ForkedPython:
        return ForkedPython(["-m", module, *arguments], directory=tmp_path, environment={**environment, **variables})

    return run


def finish(process: ForkedPython) -> tuple[int, str]:
    _out, err = process.communicate(timeout=240)
    return process.returncode, err


def wait_for(happened: Callable[[], bool], process: ForkedPython) -> None:
    while not happened():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def rows(run: Path) -> list[dict[str, str]]:
    path = run / "summary.csv"
    return list(csv.DictReader(path.read_text().splitlines())) if path.is_file() else []


def test_two_processes_train_as_one_with_the_whole_batch(faa, tmp_path):
    """The same loss curve; the model has no batch norm, which would see half of the batch in each process."""
    model = ["--model", "test_nfnet"]
    faa("train", *TINY, *model, *TWO, "--batch-size", "10", "--output", "two")
    faa("train", *TINY, *model, "--batch-size", "20", "--output", "one")
    one_weights, two_weights = (load_file(tmp_path / run / "last/model.safetensors") for run in ("one", "two"))
    for name, weight in one_weights.items():
        assert float((weight - two_weights[name]).abs().max()) < 1e-4, name
    curves = [[float(row["train_loss"]) for row in rows(tmp_path / run)] for run in ("one", "two")]
    assert curves[0] == pytest.approx(curves[1], rel=1e-5)
    results = [json.loads((tmp_path / run / "result.json").read_text())["test"] for run in ("one", "two")]
    assert results[0]["images"] == results[1]["images"] == 1000  # each counted once
    assert results[0]["top1"] == pytest.approx(results[1]["top1"], abs=0.003)


@pytest.mark.slow  # test_companions has both: copies by two processes, and the share as one process has it
def test_two_processes_share_copies_and_a_warm_up(faa, tmp_path):
    """Each makes one of the two copies: the loss of each copy and the share of the policy are as in one process."""
    train = ["train", *TINY, "--model", "test_nfnet", "--batch-size", "10", "--batch-aug", "2", "--policy-warmup", "2"]
    faa(*train, *TWO, "--output", "two")
    faa(*train, "--output", "one")
    one, two = (rows(tmp_path / run) for run in ("one", "two"))
    assert [row["policy_share"] for row in one] == [row["policy_share"] for row in two] == ["0.0", "0.5", "1.0"]
    for copy in ("train_loss_copy1", "train_loss_copy2"):
        assert [float(row[copy]) for row in one] == pytest.approx([float(row[copy]) for row in two], rel=1e-5)
    assert all(row["train_loss_copy1"] != row["train_loss_copy2"] for row in one)


LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_killed_processes_go_on_together(start, tmp_path, listening):
    """One of two processes is killed; the same command ends as if nothing had happened (test_endings stops them)."""
    command = ["train", *TINY, *TWO, "--model-ema", "--val-fraction", "0.2", "--batch-size", "4"]
    command += ["--epochs", "24", "--output"]
    reference = start("faa_cli", *command, "whole")
    assert finish(reference)[0] == 0

    run = tmp_path / "stopped"
    killed = start("faa_cli", *command, "stopped")
    wait_for(lambda: len(rows(run)) >= 3, killed)
    assert listening(killed.pid)
    assert listening(killed.pid) <= LOOPBACK
    ranks = {child.environ().get("RANK"): child for child in psutil.Process(killed.pid).children(recursive=True)}
    ranks["1"].send_signal(signal.SIGKILL)
    code, err = finish(killed)
    assert code == 2
    assert "Process 1 was killed by SIGKILL, and the others were stopped. The same command goes on" in err
    assert "Traceback" not in err

    assert finish(start("faa_cli", *command, "stopped"))[0] == 0
    for weights in ("last/model.safetensors", "best/model.safetensors"):
        assert (tmp_path / "whole" / weights).read_bytes() == (run / weights).read_bytes()
    assert [row["train_loss"] for row in rows(run)] == [row["train_loss"] for row in rows(tmp_path / "whole")]


@pytest.mark.slow  # nodes differ from processes of one node by how they meet, which is Accelerate's part
def test_two_nodes_train_as_two_processes(faa, start, tmp_path):
    """Accelerate's launcher, once for each node, over the loopback; with copies of images spread over the nodes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    train = ["train", *TINY, "--batch-size", "10", "--batch-aug", "2", "--output"]
    launch = "launch --multi_gpu --num_machines 2 --num_processes 2 --main_process_ip 127.0.0.1".split()
    launch += ["--main_process_port", port, "--mixed_precision", "no", "--dynamo_backend", "no"]
    nodes = [
        start(
            "accelerate.commands.accelerate_cli", *launch, "--machine_rank", str(rank), "-m", "faa_cli", *train, "two"
        )
        for rank in range(2)
    ]
    ended = [finish(node) for node in nodes]
    assert [code for code, _err in ended] == [0, 0], ended
    faa(*train, "one", *TWO)
    one, two = ((tmp_path / run / "last/model.safetensors").read_bytes() for run in ("one", "two"))
    assert one == two


@pytest.mark.slow  # test_processes has both refusals, without a launcher
def test_processes_that_are_not_there(start):
    """Accelerate starts one process on a CPU whatever it was asked for: an error, not a run of another batch size."""
    quiet = ["--mixed_precision", "no", "--dynamo_backend", "no", "--num_machines", "1"]
    train = ["-m", "faa_cli", "train", *TINY, "--output", "run"]
    code, err = finish(start(ACCELERATE, "launch", "--cpu", "--num_processes", "2", *quiet, *train))
    assert code != 0
    assert "asked for several processes and started one" in err
    code, err = finish(start(ACCELERATE, "launch", "--cpu", "--num_processes", "1", *quiet, *train, *TWO))
    assert code != 0
    assert "--num-processes 2, but the launcher started 1" in err
