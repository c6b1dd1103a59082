"""Search and training on real image sets, where they are at hand."""

import importlib.util
import json

import numpy as np
import pytest

pytestmark = pytest.mark.shared_data


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # the data set's loader leaves a file open
def test_a_search_on_mnist(faa, tmp_path, shared_data):
    spec = importlib.util.spec_from_file_location("load_mnist", shared_data / "mnist/load_mnist.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (images, labels), (test_images, test_labels) = module.load()
    np.savez(
        tmp_path / "mnist.npz",
        images=images[:6000],
        labels=labels[:6000],
        test_images=test_images[:2000],
        test_labels=test_labels[:2000],
    )
    small = "--dataset mnist.npz --train-subset 300 --img-size 14 --hflip 0 --crop-pad 2 --batch-size 50".split()
    searched = faa("search", *small, *"--epochs 8 --folds 2 --width 1 --depth 6 --top 2 --output found".split())
    assert "The images are grey" in searched.stderr
    faa("train", *small, *"--epochs 12 --policy found/policy.json --output trained".split())
    assert json.loads((tmp_path / "trained/result.json").read_text())["test"]["top1"] > 0.6


def test_photographs_of_many_sizes(faa, tmp_path, shared_data):
    for number, path in enumerate(sorted((shared_data / "photos").glob("imagenette_*.JPEG"))):
        folder = tmp_path / "photos" / path.name.split("_")[1]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.jpg").write_bytes(path.read_bytes())
    small = "--dataset photos --model resnet10t --img-size 64 --batch-size 8 --epochs 2".split()
    trained = faa("train", *small, "--policy", "fa-reduced-imagenet", "--output", "trained")
    assert "Converted to RGB" in trained.stderr  # two of the photographs are grey
    assert trained.stderr.count("Converted to RGB") == 1
