"""The images of a search: folds of the training images, or a split of their own; never the test split."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from faa_core import FaaError
from faa_search.data import ImageSource, memory
from faa_search.searching.folds import make_folds
from faa_search.searching.images import SearchImages, open_images, stage
from faa_search.settings import SearchConfig

CPU = torch.device("cpu")


@pytest.fixture
def folder(write_images: Callable[..., Path]) -> Path:
    """Return an image folder of three splits, with as many images as nothing else has."""
    root = write_images({"cat": 7, "dog": 8}, root="data/train").parent
    write_images({"cat": 3, "dog": 2}, root="data/val")
    write_images({"cat": 4, "dog": 4}, root="data/test")
    return root


def opened(**settings: Any) -> SearchImages:
    """Return the images that settings name."""
    return open_images(SearchConfig(**{"img_size": 8} | settings), model_size=32, note=lambda _message: None)


def test_folds_of_the_training_images(pixels: Callable[[ImageSource], np.ndarray]) -> None:
    """Policies are scored on what a network was not fitted on."""
    images = opened(dataset="digits", train_subset=60, folds=3, held_out=0.25, seed=4)
    assert images.scored is images.train
    assert (60, 8, 3) == (len(images.train), images.size, len(images.folds))
    wanted = make_folds(images.train.labels, class_names=(), folds=3, held_out=0.25, seed=4)
    for fold, other in zip(images.folds, wanted, strict=True):
        assert (other.train.tolist(), other.held_out.tolist()) == (fold.train.tolist(), fold.held_out.tolist())
        assert not np.intersect1d(fold.train, fold.held_out).size
    again = opened(dataset="digits", train_subset=60, folds=3, held_out=0.25, seed=4)
    assert np.array_equal(pixels(images.train), pixels(again.train))


@pytest.mark.parametrize("size", [8, 80])
def test_a_split_to_score_on(
    write_images: Callable[..., Path], pixels: Callable[[ImageSource], np.ndarray], size: int
) -> None:
    """One network of all training images, scored on all of the split, small images and others."""
    root = write_images({"cat": 3, "dog": 4}, root="data/train", size=size).parent
    write_images({"cat": 3, "dog": 2}, root="data/val", size=size)
    images = opened(dataset=str(root), val_split="val", img_size=size)
    (fold,) = images.folds
    assert (list(range(7)), list(range(5))) == (fold.train.tolist(), fold.held_out.tolist())
    assert [0, 0, 0, 1, 1, 1, 1] == images.train.labels.tolist()
    assert [0, 0, 0, 1, 1] == images.scored.labels.tolist()
    alone = opened(dataset=str(root / "val"), img_size=size)
    assert np.array_equal(pixels(alone.train), pixels(images.scored))
    staged = stage(images.scored, size, device=CPU, workers=0)
    assert np.array_equal(pixels(alone.train).transpose(0, 3, 1, 2), staged.images.numpy())
    assert [0, 0, 0, 1, 1] == staged.labels.tolist()


def test_the_test_split_is_not_opened(folder: Path) -> None:
    """Not even looked into: what lies there could not be read."""
    for path in (folder / "test").rglob("*.png"):
        path.write_bytes(b"no image")
    assert 5 == len(opened(dataset=str(folder), val_split="val").scored)
    opened(dataset=str(folder), folds=2)


@pytest.mark.parametrize("settings", [{}, {"train_split": "train"}, {"train_subset": 6}], ids=str)
@pytest.mark.parametrize("size", [8, 80])
def test_the_training_split_itself(write_images: Callable[..., Path], settings: dict[str, Any], size: int) -> None:
    """A network would be asked about what it was fitted on, whether the split was named or is the usual one."""
    root = write_images({"cat": 7, "dog": 8}, root="data/train", size=size).parent
    with pytest.raises(FaaError, match=r"--val-split train is the training split"):
        opened(dataset=str(root), val_split="train", **settings)


@pytest.mark.parametrize("side", [8, 80])
def test_a_split_of_the_hub_to_score_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int) -> None:
    """Its rows are numbered as the training split's are, and are other images all the same."""
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["ant", "bee"])})
    (tmp_path / "birds" / "data").mkdir(parents=True)
    for shade, name in ((0, "train"), (100, "validation"), (200, "test")):
        images = [Image.new("RGB", (side, side), (shade + row, 0, 0)) for row in range(6)]
        rows = datasets.Dataset.from_dict({"image": images, "label": [0, 1] * 3}, features=features)
        rows.to_parquet(str(tmp_path / "birds" / "data" / f"{name}-00000-of-00001.parquet"))
    given = {"dataset": f"hfds/{tmp_path / 'birds'}", "data_dir": str(tmp_path / "cache"), "img_size": side}
    images = opened(**given, val_split="validation")
    staged = stage(images.scored, side, device=CPU, workers=0)
    assert [100 + row for row in range(6)] == staged.images[:, 0, 0, 0].tolist()
    assert [0, 1] * 3 == staged.labels.tolist()
    for settings in ({}, {"train_subset": 4}):
        with pytest.raises(FaaError, match=r"--val-split train is the training split"):
            opened(**given, val_split="train", **settings)


def test_a_split_that_is_not_there(folder: Path) -> None:
    """Named."""
    with pytest.raises(FaaError, match="vali"):
        opened(dataset=str(folder), val_split="vali")


@pytest.mark.parametrize("dataset", ["torch/cifar10", "images.npz", "digits"])
def test_data_sets_whose_second_split_is_the_test_split(dataset: str) -> None:
    """They have no third one, and the test split is not for searching."""
    with pytest.raises(FaaError, match=r"--val-split|--test-split"):
        opened(dataset=dataset, val_split="validation")


def test_a_test_fraction_beside_it(folder: Path) -> None:
    """It would do nothing."""
    with pytest.raises(FaaError, match=r"--test-fraction has nothing to do"):
        opened(dataset=str(folder), val_split="val", test_fraction=0.2)


def test_images_are_staged_at_size(write_images: Callable[..., Path], pixels: Any) -> None:
    """Decoded once, resized and cut as for training; loader processes change nothing."""
    root = write_images({"a": 4, "b": 5}, size=70)
    images = opened(dataset=str(root), img_size=12, folds=1)
    one = stage(images.train, 12, device=CPU, workers=0)
    assert (9, 3, 12, 12) == tuple(one.images.shape)
    assert torch.uint8 == one.images.dtype
    assert images.train.labels.tolist() == one.labels.tolist()
    assert 9 == len(one)


def test_images_that_do_not_fit_into_memory(
    write_images: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said before they are decoded and anything is fitted, with the remedy; images on the disk count at their size."""
    root = write_images({"ant": 3, "bee": 3, "cow": 3}, size=65)
    config = SearchConfig(dataset=str(root), folds=2)
    monkeypatch.setattr(memory, "LIMIT_OF_CONTAINER", tmp_path / "limit")
    (tmp_path / "limit").write_text(f"{2 * 9 * 3 * 224**2}\n")
    assert open_images(config, model_size=224, note=print).size == 224
    (tmp_path / "limit").write_text(f"{2 * 9 * 3 * 224**2 - 1}\n")
    with pytest.raises(FaaError, match=r"^9 images of 224 px to score on would take .* --train-subset"):
        open_images(config, model_size=224, note=print)
