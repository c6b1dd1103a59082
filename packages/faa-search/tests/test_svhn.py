"""SVHN's training splits: train, extra, or both; images are shades that tell their split and place."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from faa_core import FaaError
from faa_search.data import DatasetRequest, Splits, open_data, torch_sets
from faa_search.data.named import open_named
from faa_search.settings import TrainConfig

SHADES = {"train": 10, "extra": 100, "test": 200}


class FakeSVHN:
    """Looks like torchvision's: three images a split, labels in an array."""

    def __init__(self, root: str, split: str, *, download: bool) -> None:
        assert not download
        if not Path(root).is_dir():
            raise RuntimeError("Dataset not found or corrupted.")
        self.shade = SHADES[split]
        self.labels = np.array([0, 1, 2 if split == "extra" else 0])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return Image.new("RGB", (8, 8), (self.shade + index, 0, 0)), int(self.labels[index])


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_sets, "SVHN", FakeSVHN)


def opened(root: Path, split: str | None) -> Splits:
    """Return the splits with that one to train on."""
    return open_named(DatasetRequest(name="torch/svhn", data_dir=str(root), train_split=split))


def shades(source: Any) -> list[int]:
    """Return what tells the images apart, in order."""
    return [source.image(index).getpixel((3, 3))[0] for index in range(len(source))]


@pytest.mark.parametrize(
    ("split", "wanted", "labels"),
    [
        (None, [10, 11, 12], [0, 1, 0]),
        ("train", [10, 11, 12], [0, 1, 0]),
        ("extra", [100, 101, 102], [0, 1, 2]),
        ("train+extra", [10, 11, 12, 100, 101, 102], [0, 1, 0, 0, 1, 2]),
    ],
)
def test_training_splits(tmp_path: Path, split: str | None, wanted: list[int], labels: list[int]) -> None:
    """Both, one after the other; the test split is the test images whatever is trained on."""
    splits = opened(tmp_path, split)
    assert wanted == shades(splits.train)
    assert labels == splits.train.labels.tolist()
    assert tuple("012"[: max(labels) + 1]) == splits.train.class_names
    assert splits.open_test is not None
    assert [200, 201, 202] == shades(splits.open_test())


def test_both_together(tmp_path: Path) -> None:
    """The joined images are picked and read into memory as those of one split are."""
    source = opened(tmp_path, "train+extra").train
    assert [102, 11] == shades(source.subset(np.array([5, 1])))
    config = TrainConfig(dataset="torch/svhn", data_dir=str(tmp_path), train_split="train+extra")
    assert [10, 11, 12, 100, 101, 102] == shades(open_data(config, model_size=32, note=print).train)


@pytest.mark.parametrize("split", ["test", "validation", "extra+train", "train+test", "train+", "trian"])
def test_other_names_are_refused(tmp_path: Path, split: str) -> None:
    """Nothing that is not known to be for training is trained on."""
    with pytest.raises(FaaError, match=r"has the splits train = training = extra = train\+extra to train and test"):
        opened(tmp_path, split)
    with pytest.raises(FaaError, match=r"not --train-split train\+extra"):
        open_named(DatasetRequest(name="torch/cifar10", data_dir=str(tmp_path), train_split="train+extra"))


def test_missing_files(tmp_path: Path) -> None:
    """It says which split, and what to check."""
    with pytest.raises(FaaError, match=r"'torch/svhn' \(split train\) cannot be opened: .* Check --data-dir"):
        opened(tmp_path / "no", "train+extra")
