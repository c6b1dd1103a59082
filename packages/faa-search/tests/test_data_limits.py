"""What arrays and images claim to be is checked before memory is taken; labels of any size are a class each."""

import json
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy

from faa_core import FaaError
from faa_search.data import ArraySource, DatasetRequest, Splits, memory, open_data
from faa_search.data.arrays import open_npz
from faa_search.data.fingerprint import fingerprint
from faa_search.data.parts import held_out
from faa_search.runs.images import record_of
from faa_search.searching.images import open_images
from faa_search.settings import SearchConfig, TrainConfig

IMAGES = np.random.default_rng(1).integers(0, 256, (8, 5, 4, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1])


def npz(folder: Path, **arrays: Any) -> Path:
    """Write a file with a valid layout but for what is given."""
    path = folder / "data.npz"
    np.savez(path, **{"images": IMAGES, "labels": LABELS} | arrays)
    return path


def opened(path: Path) -> Splits:
    return open_npz(DatasetRequest(name=str(path)))


def fault(path: Path) -> str:
    with pytest.raises(FaaError) as raised:
        opened(path)
    assert str(path) in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([0, 100, 200, 300], ("0", "100", "200", "300")),
        ([5, 1, 5, 1], ("1", "5")),
        ([10**9, 0, 3, 0], ("0", "3", "1000000000")),
        (np.array([2**63, 7, 2**63 + 1, 7], dtype=np.uint64), ("7", "9223372036854775808", "9223372036854775809")),
        (np.array([2**40, 2, 2, 2**40], dtype=">i8"), ("2", "1099511627776")),
    ],
)
def test_each_label_that_occurs_is_one_class(tmp_path: Path, values: Any, names: tuple[str, ...]) -> None:
    """Whatever the largest is; it is said, and the test images are numbered alike."""
    labels = np.tile(values, 2)
    splits = opened(npz(tmp_path, labels=labels, test_images=IMAGES[:3], test_labels=labels[[3, 0, 1]]))
    assert names == splits.train.class_names
    numbers = [names.index(str(label)) for label in labels.tolist()]
    assert numbers == splits.train.labels.tolist()
    assert splits.open_test is not None
    assert [numbers[3], numbers[0], numbers[1]] == splits.open_test().labels.tolist()
    assert f"The labels are {', '.join(names)}: each is one class" in splits.notice


def test_labels_from_zero_on_need_no_word(tmp_path: Path) -> None:
    """The usual case."""
    splits = opened(npz(tmp_path, test_images=IMAGES[:2], test_labels=[2, 0]))
    assert ("0", "1", "2") == splits.train.class_names
    assert "" == splits.notice
    assert 2 == splits.test_images


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"test_labels": [0, 3, 5]}, "do not: 3, 5."),
        ({"test_labels": [0, 3, 1], "class_names": ["a", "b", "c", "elk"]}, "do not: elk."),
        ({"test_labels": [0, 300, 1], "labels": LABELS * 100}, "do not: 1, 300."),
    ],
)
def test_classes_of_test_images_alone(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    """Nothing is learnt about them; folders refuse them too."""
    message = fault(npz(tmp_path, test_images=IMAGES[:3], **arrays))
    assert f"'test_labels' of '{tmp_path / 'data.npz'}' has classes that the training images {words}" in message


def test_a_long_header(tmp_path: Path) -> None:
    """Nobody is told to trust the file."""
    text = "{'descr': '|u1', 'fortran_order': False, 'shape': (8, 5, 4, 3), }"
    long = npy.magic(1, 0) + (20_001).to_bytes(2, "little") + f"{text:20000}\n".encode() + IMAGES.tobytes()
    message = fault(replaced(npz(tmp_path), "images", long))
    assert "'images' has a header of 20,001 letters" in message
    assert "Save it anew" in message
    assert "pickle" not in message
    assert "max_header" not in message


def test_names_are_text_and_each_its_own(tmp_path: Path) -> None:
    """Bytes are read as UTF-8, what is none is made visible; nothing is named twice or not at all."""
    assert (r"caf\xe9", "é", "z") == opened(
        npz(tmp_path, class_names=[b"caf\xe9", "é".encode(), b"z"])
    ).train.class_names
    assert ("7", "8", "9") == opened(npz(tmp_path, class_names=[7, 8, 9])).train.class_names
    lone = np.array([ord("a"), 0xDCFF, ord("c")], dtype=np.uint32).view("<U1")
    assert ("a", r"\xff", "c") == opened(npz(tmp_path, class_names=lone)).train.class_names
    lone = np.array([ord("a"), 0xD800, ord("c")], dtype=np.uint32).view("<U1")
    assert ("a", r"\ud800", "c") == opened(npz(tmp_path, class_names=lone)).train.class_names


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"class_names": ["a", "b", "a"]}, "'a' is that of two classes"),
        ({"class_names": ["a", "", "c"]}, "class 1 has no name"),
        ({"class_names": "cats"}, "<U4 []: it must be one axis of texts"),
        ({"class_names": [["a", "b", "c"]]}, "it must be one axis of texts"),
        ({"class_names": [1.5, 2.5, 3.5]}, "it must be one axis of texts"),
        ({"class_names": ["a" * 2000, "b", "c"]}, "names of 2,000 letters"),
        ({"labels": LABELS.astype(np.float64)}, "labels.astype(np.int64)"),
        ({"labels": np.where(LABELS == 0, np.nan, LABELS)}, "must be one axis of integers"),
        ({"labels": LABELS[:, None]}, "labels[:, 0]"),
        ({"labels": np.eye(8)}, "labels.argmax(1)"),
        ({"labels": LABELS.astype(str)}, "np.unique(labels, return_inverse=True)"),
        ({"labels": LABELS - 2}, "holds -2"),
        ({"labels": np.zeros((), dtype=int)}, "must be one axis"),
        ({"images": IMAGES.transpose(0, 3, 1, 2)}, "images.transpose(0, 2, 3, 1)"),
        ({"images": IMAGES / 255}, "(images * 255).round().astype(np.uint8)"),
        ({"images": IMAGES.astype(np.uint16)}, "(images // 257).astype(np.uint8)"),
        ({"images": IMAGES > 9}, "(images * 255).astype(np.uint8)"),
        ({"images": IMAGES[:, :0]}, "sides have 1 to 16,384 pixels"),
        ({"images": np.zeros((8, 1, 20_000), dtype=np.uint8)}, "sides have 1 to 16,384 pixels"),
        ({"images": IMAGES[0]}, "8 labels"),
        ({"images": np.zeros((), dtype=np.uint8)}, "is uint8 []"),
    ],
)
def test_what_is_laid_out_otherwise_is_refused_with_the_remedy(
    tmp_path: Path, arrays: dict[str, Any], words: str
) -> None:
    """In one message."""
    assert words in fault(npz(tmp_path, **arrays))


def test_labels_beyond_the_names(tmp_path: Path) -> None:
    """However large."""
    labels = np.array([2**63, 0] * 4, dtype=np.uint64)
    assert "has 2 class_names for labels up to 9223372036854775808" in fault(
        npz(tmp_path, labels=labels, class_names=["a", "b"])
    )


def header(shape: str, descr: str = "'|u1'") -> bytes:
    """Return the header of an array that claims a shape."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    text = text.ljust(-(-(len(text) + 11) // 64) * 64 - 11) + "\n"
    return npy.magic(1, 0) + len(text).to_bytes(2, "little") + text.encode()


def replaced(path: Path, name: str, content: bytes, *, compression: int = zipfile.ZIP_STORED) -> Path:
    """Write the file anew with another member."""
    with zipfile.ZipFile(path) as archive:
        members = {one: archive.read(one) for one in archive.namelist()} | {f"{name}.npy": content}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for one, whole in members.items():
            archive.writestr(one, whole)
    return path


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("images", header("(1000000000000, 8, 8, 3)") + bytes(99), "but holds 99 bytes"),
        ("images", header("(8, 5, 4, 3)") + bytes(99), "but holds 99 bytes"),
        ("images", header("(-8, 5, 4, 3)"), "the shape (-8, 5, 4, 3)"),
        ("images", header("(99999999999999999999999, 99999999999999999999999)"), "but holds 0 bytes"),
        ("images", header("(0, 99999999999999999999999, 5, 3)"), "sides have 1 to"),
        ("images", header("(" * 200 + ")" * 200), "cannot be read as .npz"),
        ("images", header("(1,)", "'x' * 99"), "cannot be read as .npz"),
        ("images", header("(1,)", "'|O'"), "holds Python objects (pickle)"),
        ("images", npy.magic(7, 7), "a header of version (7, 7)"),
        ("labels", header("(8,)", "'<U999999999'"), "cannot be read as .npz"),
        ("class_names", header("(10000000000,)", "'<U0'"), "at most 1,048,576 classes"),
    ],
)
def test_headers_that_cannot_be_true(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    """Nothing is taken for what they claim."""
    assert words in fault(replaced(npz(tmp_path), name, content))


def test_what_is_not_needed_is_not_read(tmp_path: Path) -> None:
    """Arrays of other names may be damaged, huge or pickled; the test images are read when they are opened."""
    many = np.tile(IMAGES, (50, 1, 1, 1))  # more than is read with a header
    path = npz(tmp_path, test_images=many, test_labels=np.arange(400) % 3, other=np.array([{}], dtype=object))
    replaced(path, "rest", header("(1000000000000,)"))
    whole = path.read_bytes()
    at = whole.rindex(IMAGES.tobytes())
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    splits = opened(path)
    assert 8 == len(splits.train)
    assert splits.open_test is not None
    with pytest.raises(FaaError, match="Bad CRC-32"):
        splits.open_test()
    npz(tmp_path, test_images=IMAGES[:3], test_labels=LABELS[:3])
    with pytest.raises(FaaError, match="has changed since it was opened"):
        splits.open_test()


@pytest.mark.parametrize(("flag", "method", "words"), [(1, 0, "is encrypted"), (0, 99, "is compressed otherwise")])
def test_members_that_cannot_be_unpacked(tmp_path: Path, flag: int, method: int, words: str) -> None:
    """Encrypted, or compressed by what Python does not know."""
    path = npz(tmp_path)
    whole = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        start = -1
        while (start := whole.find(mark, start + 1)) >= 0:
            whole[start + offset] |= flag
            whole[start + offset + 2] = method
    path.write_bytes(whole)
    assert words in fault(path)


def test_a_name_twice(tmp_path: Path) -> None:
    """Which of two arrays would be meant?"""
    path = npz(tmp_path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("labels.npy", b"")
    assert "it has 'labels' twice" in fault(path)


def test_what_is_no_npz_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One array, a pipe, a folder of that name, which is read as what it is; the suffix in any letters."""
    np.save(tmp_path / "one.npy", IMAGES)
    for name in ("one.npy", "one.npz"):
        (tmp_path / "one.npy").rename(tmp_path / name)
        with pytest.raises(FaaError, match=r"it is one array \(.npy\). Save images and labels together: np.savez"):
            open_data(TrainConfig(dataset=str(tmp_path / name)), model_size=8, note=print)
        (tmp_path / name).rename(tmp_path / "one.npy")
    import os  # noqa: PLC0415

    os.mkfifo(tmp_path / "pipe.npz")
    assert "it is not a regular file (a pipe or a device)" in fault(tmp_path / "pipe.npz")
    npz(tmp_path).rename(tmp_path / "DATA.NPZ")
    monkeypatch.chdir(tmp_path)
    assert 8 == len(open_data(TrainConfig(dataset="DATA.NPZ"), model_size=8, note=print).train)
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(FaaError, match="holds no images in sub-folders"):
        open_data(TrainConfig(dataset="folder.npz"), model_size=8, note=print)


def test_more_than_half_of_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test images count, though they are opened in the end; the limit of a container counts."""
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "LIMIT_OF_CONTAINER", limit)
    needed = IMAGES.nbytes + LABELS.nbytes
    limit.write_text(f"{2 * needed}\n")
    assert 8 == len(opened(npz(tmp_path)).train)
    limit.write_text(f"{2 * needed - 1}\n")
    assert "GiB, of which images get at most half. Give fewer images" in fault(npz(tmp_path))
    limit.write_text(f"{4 * needed - 1}\n")
    assert "What '" in fault(npz(tmp_path, test_images=IMAGES, test_labels=LABELS))
    limit.write_text(f"{4 * needed}\n")
    assert 8 == opened(npz(tmp_path, test_images=IMAGES, test_labels=LABELS)).test_images
    limit.write_text("max\n")
    assert 8 == len(opened(npz(tmp_path)).train)


SQUARE = np.random.default_rng(2).integers(0, 256, (12, 6, 6), dtype=np.uint8)  # grey: 432 bytes


@pytest.mark.parametrize(
    ("settings", "needed"),
    [
        ({"img_size": 6}, 432),  # as it comes
        ({"img_size": 9}, 432 + 12 * 243),
        ({"img_size": 9, "train_subset": 6}, 432 + 6 * 243),
        ({"img_size": 9, "test_fraction": 0.5}, 432 + 12 * 243),
    ],
)
def test_what_is_made_of_arrays_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], needed: int
) -> None:
    """Images at the network's size lie beside the images as they come, those to test on from the start."""
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "LIMIT_OF_CONTAINER", limit)
    labels = (np.arange(12) % 3).astype(np.uint8)
    given = TrainConfig(dataset=str(npz(tmp_path, images=SQUARE, labels=labels)), **settings)
    limit.write_text(f"{2 * max(needed, 444)}\n")  # with the labels
    assert open_data(given, model_size=8, note=lambda _line: None)
    limit.write_text(f"{2 * needed - 1}\n")
    with pytest.raises(FaaError, match="of which images get at most half") as raised:
        open_data(given, model_size=8, note=lambda _line: None)
    assert ("at 9 px" in str(raised.value)) == (needed > 444)
    path = npz(tmp_path, images=SQUARE, labels=labels, test_images=SQUARE[:, :5], test_labels=labels)
    limit.write_text(f"{2 * (432 + 360 + 12 * 108) - 1}\n")  # the test images alone are of another size
    with pytest.raises(FaaError, match="at 6 px"):
        open_data(TrainConfig(dataset=str(path), img_size=6), model_size=8, note=lambda _line: None)


def test_images_to_score_on_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search keeps them once more, in the order that its engine has; it is said before anything is fitted."""
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "LIMIT_OF_CONTAINER", limit)
    path = npz(tmp_path, images=SQUARE, labels=(np.arange(12) % 3).astype(np.uint8))
    given = SearchConfig(dataset=str(path), folds=2, device="cpu")
    limit.write_text(f"{2 * 4 * 432}\n")
    assert open_images(given, model_size=8, note=lambda _line: None)
    limit.write_text(f"{2 * 4 * 432 - 1}\n")
    with pytest.raises(FaaError, match="12 images of 6 px to score on, with those that lie in memory already, would"):
        open_images(given, model_size=8, note=lambda _line: None)


def test_arrays_are_held_once(tmp_path: Path) -> None:
    """Grey, deflated, with parts held out, and digested: about as much memory as the array says."""
    images = np.random.default_rng(3).integers(0, 256, (4000, 32, 32), dtype=np.uint8)
    path = tmp_path / "grey.npz"
    np.savez_compressed(path, images=images, labels=np.arange(4000) % 4)
    given = TrainConfig(dataset=str(path), test_fraction=0.2, train_subset=3000)
    tracemalloc.start()
    try:
        data = open_data(given, model_size=8, note=lambda _line: None)
        assert data.open_test is not None
        record_of([data.stored], data.open_test())
        rest, part = held_out(data.train, 0.25, option="--val-fraction")
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.6 * images.nbytes
    at = [int(np.flatnonzero((images == np.asarray(one.image(5))[..., 0]).all((1, 2)))[0]) for one in (rest, part)]
    assert [rest.labels[5], part.labels[5]] == [number % 4 for number in at]
    assert at[0] != at[1]
    assert isinstance(part, ArraySource)
    assert np.array_equal(part.images[5], np.asarray(part.image(5)))
    whole = ArraySource(part.images, part.labels, part.class_names)
    assert fingerprint([whole]).digests == fingerprint([part]).digests


BOMBS = """
import json, resource, sys, warnings, zlib
from pathlib import Path
from faa_core import FaaError
from faa_search.settings import TrainConfig
from faa_search.data import open_data
warnings.simplefilter("error")
def chunk(kind, data):
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
def png(side):
    header = side.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    return b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
def said(name):
    try:
        open_data(TrainConfig(dataset=str(name)), model_size=8, note=lambda line: None).train.image(0)
        return "read"
    except FaaError as error:
        return str(error)
folder, npz = map(Path, sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
answers = [said(npz)]
for side in (100_000, 2**31 - 1, 13_000):
    (folder / "cat" / "bomb.png").write_bytes(png(side))
    answers.append(said(folder))
print(json.dumps([answers, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used) // 1024]))
"""


def test_bombs(tmp_path: Path) -> None:
    """Small files that would unpack to what no memory holds are refused by what they say, or found to be cut."""
    from PIL import Image  # noqa: PLC0415

    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(IMAGES[number]).save(tmp_path / "set" / name / f"z{number}.png")
    path = tmp_path / "bomb.npz"
    count = 2**20
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("images.npy", header(f"({count}, 1000, 1000, 3)"))
        archive.writestr("labels.npy", header(f"({count},)") + bytes(count))
    # The directory of the file claims as many bytes as the header does, beyond what 32 bits hold.
    whole = bytearray(path.read_bytes())
    entry = whole.rindex(b"images.npy") - 46
    whole[entry + 24 : entry + 28] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(whole)
    done = subprocess.run(
        [sys.executable, "-c", BOMBS, tmp_path / "set", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answers, mebibytes = json.loads(done.stdout)
    assert "but holds 4,294,967" in answers[0]
    assert all(f"The image '{tmp_path / 'set/cat/bomb.png'}' cannot be read" in answer for answer in answers[1:])
    assert mebibytes < 1200
