"""Several processes, on the CPU with gloo, train as one does."""

import json
import subprocess
import sys

import pytest
from safetensors.torch import load_file

TINY = (
    "--dataset digits --train-subset 60 --img-size 8 --hflip 0 --epochs 3 --policy uniform-random --device cpu".split()
)


def launched(tmp_path, environment, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "faa_cli"]
    variables = {**environment, "ACCELERATE_USE_CPU": "true"}
    return subprocess.run(
        [*command, *arguments], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False, timeout=240
    )


def test_two_processes_train_as_one_with_the_whole_batch(faa, tmp_path, environment):
    """The model has no batch norm, which would see half of the batch in each process."""
    model = ["--model", "test_vit", "--img-size", "160"]
    two = launched(tmp_path, environment, "train", *TINY, *model, "--batch-size", "10", "--output", "two")
    assert two.returncode == 0, two.stderr
    faa("train", *TINY, *model, "--batch-size", "20", "--output", "one")
    one_weights, two_weights = (load_file(tmp_path / run / "last/model.safetensors") for run in ("one", "two"))
    for name, weight in one_weights.items():
        assert float((weight - two_weights[name]).abs().max()) < 1e-4, name
    results = [json.loads((tmp_path / run / "result.json").read_text())["test"] for run in ("one", "two")]
    assert results[0]["images"] == results[1]["images"] == 1000  # each counted once
    assert results[0]["top1"] == pytest.approx(results[1]["top1"], abs=0.003)


def test_a_search_in_two_processes_is_refused(tmp_path, environment):
    done = launched(tmp_path, environment, "search", "--dataset", "digits", "--device", "cpu", "--output", "two")
    assert done.returncode != 0
    assert "one process" in done.stderr
