"""The main job on a CUDA device: what runs there, and that the pixels do not depend on it."""

import json

import pytest
import torch

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

DIGITS = "--dataset digits --train-subset 200 --img-size 16 --hflip 0 --batch-size 50 --device cuda".split()


@pytest.mark.parametrize("precision", ["--amp", "--no-amp"])
def test_search_and_training_on_a_gpu(faa, tmp_path, precision):
    small = "--epochs 10 --folds 2 --width 1 --depth 4 --top 2 --output found".split()
    faa("search", *DIGITS, precision, *small)
    policy = json.loads((tmp_path / "found/policy.json").read_text())
    assert policy["provenance"]["device"] == "cuda"
    assert policy["provenance"]["gpu_seconds"] > 0
    faa("train", *DIGITS, precision, *"--epochs 30 --policy found/policy.json --workers 2 --output trained".split())
    assert json.loads((tmp_path / "trained/result.json").read_text())["test"]["top1"] > 0.8


def test_a_compiled_network_trains(faa, tmp_path):
    faa("train", *DIGITS, *"--epochs 30 --torchcompile --amp --output trained".split())
    assert json.loads((tmp_path / "trained/result.json").read_text())["test"]["top1"] > 0.8
