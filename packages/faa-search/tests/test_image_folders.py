"""Image folders: their splits and classes, modes that become RGB, and files that cannot be read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from faa_core import FaaError
from faa_search.data import ArraySource, DatasetRequest, DecodedSource, OpenedData, open_data
from faa_search.data.named import open_named
from faa_search.data.source import to_rgb
from faa_search.settings import TrainConfig

WriteImages = Callable[..., Path]


def opened(root: Path, **settings: Any) -> OpenedData:
    """Return the data of a folder."""
    return open_data(TrainConfig(dataset=str(root), **settings), model_size=32, note=lambda _message: None)


def fault(root: Path, **settings: Any) -> str:
    """Return what opening a bad folder, and its test split, says."""
    with pytest.raises(FaaError) as raised:
        _open_all(root, settings)
    return str(raised.value)


def _open_all(root: Path, settings: dict[str, Any]) -> None:
    data = opened(root, **settings)
    assert data.open_test is not None
    data.open_test()


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_folder_of_class_folders(write_images: WriteImages, suffix: str) -> None:
    """Classes are the sub-folders, sorted; pixels are Pillow's; there is no test split."""
    root = write_images({"cat": 3, "ant": 2}, suffix=suffix)
    data = opened(root)
    assert ("ant", "cat") == data.train.class_names
    assert [0, 0, 1, 1, 1] == data.train.labels.tolist()
    with Image.open(root / "cat" / f"2.{suffix}") as image:
        assert np.array_equal(np.asarray(image), np.asarray(data.train.image(4)))
    assert data.open_test is None
    assert 8 == data.size


@pytest.mark.parametrize("name", ["folder/", "folder"])
def test_the_folder_may_be_given_as_data_dir(write_images: WriteImages, name: str) -> None:
    """--dataset folder --data-dir DIR is the same as --dataset DIR."""
    root = write_images({"a": 2, "b": 2})
    data = open_data(TrainConfig(dataset=name, data_dir=str(root)), model_size=32, note=print)
    assert ("a", "b") == data.train.class_names


@pytest.mark.parametrize("test_name", ["val", "test", "validation"])
def test_train_and_test_folders(write_images: WriteImages, test_name: str) -> None:
    """Sub-folders train and val (or test …) are the splits; a class missing in val keeps the training numbers."""
    write_images({"ant": 2, "bee": 2, "cow": 2}, root="images/train")
    root = write_images({"ant": 1, "cow": 2}, root=f"images/{test_name}").parent
    data = opened(root)
    assert data.open_test is not None
    assert [0, 0, 1, 1, 2, 2] == data.train.labels.tolist()
    test = data.open_test()
    assert [0, 2, 2] == test.labels.tolist()
    assert ("ant", "bee", "cow") == test.class_names == data.train.class_names
    with Image.open(root / test_name / "cow" / "0.png") as image:
        assert np.array_equal(np.asarray(image), np.asarray(test.image(1)))


def test_a_class_unknown_to_training(write_images: WriteImages) -> None:
    """Test images of a class that nothing was learnt about are an error that names it."""
    write_images({"ant": 2, "bee": 2}, root="images/train")
    root = write_images({"ant": 1, "elk": 1}, root="images/val").parent
    assert f"'{root / 'val'}' has classes that the training images do not: elk." == fault(root)


def test_a_test_folder_alone(write_images: WriteImages) -> None:
    """A folder val without train is more likely a mistake than a class of that name."""
    root = write_images({"a": 1, "b": 1}, root="images/val").parent
    assert "has a folder 'val' but no folder 'train' beside it" in fault(root)


def test_named_splits(write_images: WriteImages) -> None:
    """--train-split and --test-split name the folders."""
    write_images({"a": 3, "b": 3}, root="images/one")
    root = write_images({"a": 1, "b": 1}, root="images/two").parent
    data = opened(root, train_split="one", test_split="two")
    assert data.open_test is not None
    assert (6, 2) == (len(data.train), len(data.open_test()))


@pytest.mark.parametrize("setting", ["train_split", "test_split"])
def test_a_named_split_that_is_not_there(write_images: WriteImages, setting: str) -> None:
    """A misspelt split is an error: not another folder, and not a run without a test."""
    write_images({"a": 3, "b": 3}, root="images/train")
    root = write_images({"a": 1, "b": 1}, root="images/val").parent
    assert f"'{root}' has no folder 'vla'" in fault(root, **{setting: "vla"})


def test_no_such_data_set(tmp_path: Path) -> None:
    """The message lists what can be given."""
    with pytest.raises(FaaError, match=r"No data set is called 'digit'.*Give digits, torch/NAME"):
        opened(Path("digit"))
    (tmp_path / "empty").mkdir()
    assert "holds no images in sub-folders, one for each class" in fault(tmp_path / "empty")


def test_images_without_labels_or_of_one_class(write_images: WriteImages) -> None:
    """Loose images have no labels, and one class is nothing to tell apart."""
    root = write_images({"only": 3})
    assert "All 3 training images of" in fault(root)
    assert "are of one class ('only')" in fault(root)
    assert "Labels come from sub-folders" in fault(root / "only")


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "LA", "I;16"])
def test_other_modes_become_rgb(write_images: WriteImages, tmp_path: Path, mode: str) -> None:
    """Every mode is shown to the network as RGB of the same size, and the user is told exactly once."""
    root = write_images({"a": 2, "b": 2})
    odd = tmp_path / "images" / "b" / "1.png"
    if mode == "I;16":
        Image.fromarray(np.full((8, 8), 0x7F80, dtype=np.uint16)).save(odd)
    else:
        Image.open(odd).convert(mode).save(odd)
    notes: list[str] = []
    data = open_data(TrainConfig(dataset=str(root)), model_size=32, note=notes.append)
    assert [f"Converted to RGB: 1 of 4 images looked at are {mode}.", "4 images, 2 classes: a, b."] == notes
    assert isinstance(data.train, ArraySource)
    assert (4, 8, 8, 3) == data.train.images.shape
    if mode == "I;16":
        assert np.all(data.train.images[3] == 0x7F)


def test_the_note_about_modes_counts_all_images(write_images: WriteImages) -> None:
    """Where no image is RGB it says so, and names each mode once."""
    notes: list[str] = []
    root = write_images({"a": 3, "b": 2}, mode="L")
    open_data(TrainConfig(dataset=str(root)), model_size=32, note=notes.append)
    assert ["Converted to RGB: all images looked at are L.", "5 images, 2 classes: a, b."] == notes


def test_rgb_images_need_no_note(write_images: WriteImages) -> None:
    """Where nothing was done only the count is told."""
    notes: list[str] = []
    root = write_images({"a": 1, "b": 1})
    open_data(TrainConfig(dataset=str(root)), model_size=32, note=notes.append)
    assert ["2 images, 2 classes: a, b."] == notes


def test_to_rgb_by_hand() -> None:
    """Grey is repeated, transparency dropped without blending, palettes looked up, the high byte of 16 bits kept."""
    grey = Image.new("L", (1, 1), 77)
    clear = Image.new("RGBA", (1, 1), (10, 20, 30, 0))
    palette = Image.new("P", (1, 1), 1)
    palette.putpalette([0, 0, 0, 9, 8, 7])
    assert [(77, 77, 77), (10, 20, 30), (9, 8, 7)] == [to_rgb(one).getpixel((0, 0)) for one in (grey, clear, palette)]
    palette.info["transparency"] = b"\x00\x00"
    assert (9, 8, 7) == to_rgb(palette).getpixel((0, 0))
    for mode in ("I", "F"):
        with pytest.raises(ValueError, match=f"mode {mode} "):
            to_rgb(Image.new(mode, (1, 1)))


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_garbage_file_is_named(write_images: WriteImages, suffix: str) -> None:
    """A file whose header makes no sense is found when the folder is opened."""
    root = write_images({"a": 2, "b": 2}, suffix=suffix)
    bad = root / "b" / f"0.{suffix}"
    bad.write_bytes(b"not an image")
    message = fault(root)
    assert f"The image '{bad}' cannot be read" in message
    assert "Replace or remove it." in message


@pytest.mark.parametrize("size", [16, 80])
def test_a_truncated_file_is_named(write_images: WriteImages, size: int) -> None:
    """A file that ends early has a good header; small ones fail when opened, large ones when decoded."""
    root = write_images({"a": 2, "b": 2}, size=size)
    bad = root / "a" / "1.png"
    whole = bad.read_bytes()
    bad.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FaaError) as raised:
        opened(root).train.image(1)
    assert f"The image '{bad}' cannot be read" in str(raised.value)


def test_a_file_that_vanishes_is_named(write_images: WriteImages) -> None:
    """Large images are read again and again; one may go meanwhile."""
    root = write_images({"a": 2, "b": 2}, size=80)
    train = opened(root).train
    (root / "a" / "0.png").unlink()
    with pytest.raises(FaaError, match=r"a/0\.png' cannot be read"):
        train.image(0)


def test_large_images_stay_on_disk(write_images: WriteImages) -> None:
    """Beyond 64 pixels images are decoded when asked for, and the network's own size is used."""
    root = write_images({"a": 2, "b": 2}, size=65)
    data = opened(root)
    assert isinstance(data.train, DecodedSource)
    assert (65, 65) == data.train.image(0).size
    assert 32 == data.size
    assert 48 == opened(root, img_size=48).size


def test_small_images_are_resized_once(write_images: WriteImages) -> None:
    """Up to 64 pixels they are kept in memory at the size asked for, training and test alike."""
    write_images({"a": 2, "b": 2}, root="images/train", size=16)
    root = write_images({"a": 1}, root="images/val", size=20).parent
    data = opened(root, img_size=12)
    assert data.open_test is not None
    assert ((12, 12), (12, 12)) == (data.train.image(0).size, data.open_test().image(0).size)


def test_a_subset_keeps_its_files(write_images: WriteImages) -> None:
    """Subsets of subsets give the right images and names."""
    root = write_images({"a": 3, "b": 3}, size=8)
    train = open_named(DatasetRequest(name=str(root))).train
    assert isinstance(train, DecodedSource)
    part = train.subset(np.array([1, 4, 5])).subset(np.array([2, 0]))
    assert [1, 0] == part.labels.tolist()
    assert np.array_equal(np.asarray(train.image(5)), np.asarray(part.image(0)))
    assert str(root / "a" / "1.png") == part.files.name(int(part.positions[1]))
