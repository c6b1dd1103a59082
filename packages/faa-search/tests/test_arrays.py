"""Data in memory: the embedded digits, and ``.npz`` files with every way they can be wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from faa_core import FaaError
from faa_search.data import DatasetRequest, Splits, open_data
from faa_search.data.arrays import LAYOUT, open_npz
from faa_search.data.digits import open_digits
from faa_search.settings import TrainConfig

IMAGES = np.arange(6 * 4 * 5 * 3, dtype=np.uint8).reshape(6, 4, 5, 3)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def npz(folder: Path, **arrays: Any) -> Path:
    """Write an ``.npz`` with a valid layout but for what is given; None leaves an array out."""
    path = folder / "data.npz"
    kept = {name: array for name, array in ({"images": IMAGES, "labels": LABELS} | arrays).items() if array is not None}
    np.savez(path, **kept)
    return path


def opened(path: Path) -> Splits:
    """Return the splits of a file."""
    return open_npz(DatasetRequest(name=str(path)))


def fault(path: Path, *, test: bool = False) -> str:
    """Return what opening a bad file says."""
    with pytest.raises(FaaError) as raised:
        _open_all(path, test=test)
    return str(raised.value)


def _open_all(path: Path, *, test: bool) -> None:
    splits = opened(path)
    if test:
        assert splits.open_test is not None
        splits.open_test()


def test_digits_are_797_and_1000_scans_of_ten_classes() -> None:
    """Sizes and classes, each class in both splits by its share."""
    splits = open_digits(DatasetRequest(name="digits"))
    assert splits.open_test is not None
    test = splits.open_test()
    assert (797, 1000) == (len(splits.train), len(test))
    assert tuple("0123456789") == splits.train.class_names == test.class_names
    assert np.array_equal(
        np.bincount(load_digits().target), np.bincount(splits.train.labels) + np.bincount(test.labels)
    )
    assert np.abs(np.bincount(splits.train.labels) / 797 - np.bincount(test.labels) / 1000).max() < 0.002
    assert 8 == splits.native_size


def test_digits_splits_are_disjoint_and_hold_the_scans_themselves() -> None:
    """Training and test images together are the 1,797 scans, sixteen grey levels stretched to 0…255."""
    splits = open_digits(DatasetRequest(name="digits"))
    assert splits.open_test is not None
    together = [
        (int(label), np.asarray(source.image(index))[..., channel].tobytes())
        for source in (splits.train, splits.open_test())
        for index, label in enumerate(source.labels)
        for channel in (index % 3,)
    ]
    digits = load_digits()
    scans = [
        (int(label), np.rint(scan * 255 / 16).astype(np.uint8).tobytes())
        for scan, label in zip(digits.images, digits.target, strict=True)
    ]
    assert sorted(scans) == sorted(together)


def test_digits_are_the_same_each_time_and_grey() -> None:
    """A fixed split; three equal channels."""
    first, second = (open_digits(DatasetRequest(name="digits")).train for _ in range(2))
    assert np.array_equal(first.labels, second.labels)
    image = np.asarray(first.image(0))
    assert np.array_equal(image, np.asarray(second.image(0)))
    assert np.array_equal(image[..., 0], image[..., 2])


def test_npz_colour(tmp_path: Path) -> None:
    """Pixels and labels as stored, the shorter side as the size, numbers as class names, no test split."""
    splits = opened(npz(tmp_path))
    assert np.array_equal(IMAGES[4], np.asarray(splits.train.image(4)))
    assert LABELS.tolist() == splits.train.labels.tolist()
    assert (4, ("0", "1", "2"), None, "") == (
        splits.native_size,
        splits.train.class_names,
        splits.open_test,
        splits.notice,
    )


@pytest.mark.parametrize("axis", [False, True])
def test_npz_grey_is_repeated(tmp_path: Path, *, axis: bool) -> None:
    """[N, H, W] and [N, H, W, 1] give three equal channels, and a notice."""
    grey = IMAGES[..., :1] if axis else IMAGES[..., 0]
    splits = opened(npz(tmp_path, images=grey))
    assert np.array_equal(np.repeat(IMAGES[..., :1], 3, axis=-1)[2], np.asarray(splits.train.image(2)))
    assert "grey" in splits.notice


def test_npz_notice_reaches_the_user_once(tmp_path: Path) -> None:
    """Opening tells once that grey images were repeated."""
    notes: list[str] = []
    path = npz(tmp_path, images=IMAGES[..., 0])
    data = open_data(TrainConfig(dataset=str(path)), model_size=32, note=notes.append)
    assert [
        "The images are grey; each is repeated into three channels.",
        "6 images, 3 classes: 0, 1, 2.",
    ] == notes
    assert 4 == data.size


def test_npz_test_split_and_names(tmp_path: Path) -> None:
    """test_images, test_labels and class_names are used; names may cover classes without images."""
    names = np.array(["ant", "bee", "cow", "dog"])
    path = npz(tmp_path, test_images=IMAGES[:2] + 1, test_labels=np.array([2, 1]), class_names=names)
    splits = opened(path)
    assert splits.open_test is not None
    test = splits.open_test()
    assert ("ant", "bee", "cow", "dog") == splits.train.class_names == test.class_names
    assert [2, 1] == test.labels.tolist()
    assert np.array_equal(IMAGES[1] + 1, np.asarray(test.image(1)))


def test_npz_lies_in_the_data_dir(tmp_path: Path) -> None:
    """A relative name is looked up in --data-dir."""
    npz(tmp_path)
    assert 6 == len(open_npz(DatasetRequest(name="data.npz", data_dir=str(tmp_path))).train)


def test_npz_missing_file(tmp_path: Path) -> None:
    """The path is named."""
    missing = f"'{tmp_path / 'no.npz'}' cannot be read: there is no such file or folder. Check the path."
    assert missing == fault(tmp_path / "no.npz")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": None}, "no array 'images' (it has: labels)"),
        ({"labels": None}, "no array 'labels' (it has: images)"),
        ({"images": IMAGES.astype(np.float32)}, "'images' of"),
        ({"images": IMAGES.astype(np.float32)}, "is float32 [6, 4, 5, 3]"),
        ({"images": IMAGES[..., :2]}, "is uint8 [6, 4, 5, 2]"),
        ({"images": IMAGES[..., 0].reshape(6, 20)}, "is uint8 [6, 20]"),
        ({"labels": LABELS.astype(float)}, "must be one axis of integers"),
        ({"labels": LABELS[:, None]}, "must be one axis of integers"),
        ({"labels": LABELS - 1}, "'labels' of"),
        ({"labels": LABELS - 1}, "holds -1: every image needs a label of 0 or more"),
        ({"labels": LABELS[:5]}, "has 6 images but 5 labels"),
        ({"class_names": np.array(["a", "b"])}, "has 2 class_names for labels up to 2"),
    ],
)
def test_npz_faults_say_what_is_wrong(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    """Each way a layout can be wrong, with the file's name."""
    path = npz(tmp_path, **arrays)
    message = fault(path)
    assert words in message
    assert str(path) in message


def test_npz_faults_of_the_test_arrays(tmp_path: Path) -> None:
    """The test arrays are checked alike when they are opened."""
    assert "2 test_images but 1 test_labels" in fault(
        npz(tmp_path, test_images=IMAGES[:2], test_labels=LABELS[:1]), test=True
    )


def test_npz_unpickles_nothing(tmp_path: Path) -> None:
    """An array of Python objects is refused: loading it would run what the file says."""
    path = npz(tmp_path, class_names=np.array([{"a": 1}, None, "c"], dtype=object))
    message = fault(path)
    assert "cannot be read as .npz" in message
    assert "pickle" in message


@pytest.mark.parametrize("damage", ["empty", "garbage", "cut", "flipped", "one array"])
def test_npz_damaged_file(tmp_path: Path, damage: str) -> None:
    """Whatever happened to the file, the message names it and says how it should be."""
    path = npz(tmp_path)
    whole = path.read_bytes()
    if damage == "one array":
        np.save(tmp_path / "one.npy", IMAGES)
        whole = (tmp_path / "one.npy").read_bytes()
    middle = len(whole) // 3
    flipped = whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :]
    contents = {"empty": b"", "garbage": b"images", "cut": whole[: len(whole) // 2], "flipped": flipped}
    path.write_bytes(contents.get(damage, whole))
    message = fault(path)
    assert f"'{path}' cannot be read as .npz" in message
    assert "The file must hold images" in message


def test_an_empty_test_split_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    """There would be nothing to divide by at the end."""
    images = np.zeros((6, 8, 8), dtype=np.uint8)
    labels = np.arange(6) % 2
    np.savez(tmp_path / "t.npz", images=images, labels=labels, test_images=images[:0], test_labels=labels[:0])
    with pytest.raises(FaaError, match="holds no image; leave test_images and test_labels out"):
        open_npz(DatasetRequest(name=str(tmp_path / "t.npz")))


@pytest.mark.parametrize(
    ("arrays", "remedy"),
    [
        ({"images": IMAGES.transpose(0, 3, 1, 2)}, "Put the channels last: save images.transpose(0, 2, 3, 1) instead."),
        (
            {"images": IMAGES.astype(np.float32)},
            "If white is 1 in them, save (images * 255).round().astype(np.uint8) instead.",
        ),
        (
            {"images": IMAGES.astype(np.uint16)},
            (
                "If white is 255 in them, save images.astype(np.uint8) instead. If it is 65535, save (images // "
                "257).astype(np.uint8)."
            ),
        ),
        ({"images": IMAGES > 9}, "To have them black and white, save (images * 255).astype(np.uint8) instead."),
        ({"images": IMAGES[..., :2]}, ""),
        (
            {"labels": np.eye(3)[LABELS]},
            "If they have one column for each class, save labels.argmax(1) instead.",
        ),
        ({"labels": LABELS[:, None]}, "Leave the second axis out: save labels[:, 0] instead."),
        (
            {"labels": np.array(["a", "b"] * 3)},
            "Number the texts by class_names, labels = np.unique(labels, return_inverse=True), and save both.",
        ),
        ({"labels": LABELS.astype(float)}, "If they are whole numbers, save labels.astype(np.int64) instead."),
    ],
)
def test_npz_faults_are_whole_sentences(tmp_path: Path, arrays: dict[str, Any], remedy: str) -> None:
    """What is wrong; what to do, if that is known; how the file must be: one space between."""
    message = fault(npz(tmp_path, **arrays))
    wrong, _dot, rest = message.partition("]. " if "images" in arrays else "integers. ")
    assert f"{next(iter(arrays))}' of '{tmp_path}" in wrong
    assert rest == " ".join(filter(None, (remedy, LAYOUT)))
