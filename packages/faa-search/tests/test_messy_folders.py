"""Folders as people have them: too high, too deep, in other letters, with files of all kinds; what becomes of each."""

import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, features
from timm.data.readers import create_reader
from timm.utils.misc import natural_key

from faa_core import FaaError
from faa_search.data import DatasetRequest, DecodedSource, OpenedData, open_data
from faa_search.data.arrays import open_npz
from faa_search.data.classes import close_to
from faa_search.data.folders import FolderImages, natural_order, open_folder
from faa_search.data.formats import all_formats, formats_by_suffix
from faa_search.data.named import open_named
from faa_search.measuring.corruptions import open_published, read_photographs
from faa_search.measuring.evaluation import evaluate_checkpoint
from faa_search.searching.images import open_images
from faa_search.settings import EvalConfig, SearchConfig, TrainConfig
from faa_search.settings.resolving import Layer, resolve
from faa_search.training import train

WriteImages = Callable[..., Path]
RNG = np.random.default_rng(5)


def picture(path: Path, mode: str = "RGB", *, size: tuple[int, int] = (12, 10), **how: Any) -> None:
    """Write an image of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = (
        Image.fromarray(pixels).convert(mode) if mode != "I;16" else Image.fromarray(pixels[..., 0] * np.uint16(257))
    )
    image.save(path, **how)


def opened(root: Path, **settings: Any) -> tuple[OpenedData, list[str]]:
    """Return the data of a folder and what was noted."""
    notes: list[str] = []
    return open_data(TrainConfig(dataset=str(root), **settings), model_size=32, note=notes.append), notes


def fault(root: Path, **settings: Any) -> str:
    with pytest.raises(FaaError) as raised:
        opened(root, **settings)
    return str(raised.value)


@pytest.fixture
def mess(tmp_path: Path) -> Path:
    """Return a folder with everything in it that a folder can have."""
    root = tmp_path / "mess"
    for number in range(4):
        picture(root / "cat" / f"{number}.png")
        picture(root / "dog" / f"{number}.png")
    for mode, name in (("P", "palette.png"), ("I;16", "deep.png"), ("L", "grey.BMP"), ("RGB", "tiff.tif")):
        picture(root / "cat" / name, mode)
    picture(root / "cat" / "cmyk.jpg", "CMYK")
    picture(root / "cat" / "2024" / "summer" / "jfif.jfif", format="JPEG")
    picture(root / "cat" / "one.gif", size=(1, 1))
    for name in (".DS_Store", "._0.png", "notes.txt", "x.heic"):
        (root / "cat" / name).write_bytes(b"\0\5\26\7")
    (root / "README.md").write_text("pictures")
    picture(root / "loose.png")
    picture(root / ".thumbnails" / "0.png")
    (root / "empty").mkdir()
    (root / "dog" / "loop").symlink_to("..")
    (root / "all").symlink_to(".")
    (root / "hound").symlink_to("dog")
    (root / "dog" / "again.png").symlink_to("0.png")
    (root / "dog" / "broken.png").symlink_to("nowhere.png")
    (root / "dog" / "self.png").symlink_to("self.png")
    os.mkfifo(root / "dog" / "pipe.png")
    shutil.copytree(os.fsencode(root / "dog"), os.fsencode(root) + b"/caf\xe9", ignore=lambda _f, _n: SPECIAL)
    return root


SPECIAL = [b"loop", b"again.png", b"broken.png", b"self.png", b"pipe.png"]


def test_what_becomes_of_each_file(mess: Path) -> None:
    """Read, or skipped for a reason that is said; nothing crashes, waits or comes twice."""
    data, notes = opened(mess)
    assert data.train.class_names == (r"caf\xe9", "cat", "dog")
    assert np.bincount(data.train.labels).tolist() == [4, 11, 4]
    assert notes[-1].startswith(
        r"19 images, 3 classes: caf\xe9, cat, dog; folders below a class are images of it: cat/2024, cat/2024/summer; "
        "14 files or folders skipped ("
    )
    for words in (
        "hidden: .thumbnails, cat/.DS_Store, cat/._0.png;",
        "not an image format that is read: cat/notes.txt, cat/x.heic)",
        "an image beside the class folders, so of no class: loose.png;",
        "a folder without images: empty;",
        "a link back to a folder above it: all, dog/loop;",
        "a link to what is read already: dog/again.png, hound;",
        "a broken link: dog/broken.png, dog/self.png;",
        "not a regular file: dog/pipe.png;",
    ):
        assert words in notes[-1], notes[-1]


def test_it_trains_and_evaluates(mess: Path, tmp_path: Path) -> None:
    """A class whose folder's name is not UTF-8 is named in text that every later step can write."""
    settings = {"dataset": str(mess), "img_size": 8, "test_fraction": 0.4, "device": "cpu"}
    result = train(TrainConfig(**settings, epochs=1, batch_size=4, model="wrn10_1", workers=2), tmp_path / "run")
    again = evaluate_checkpoint(tmp_path / "run", EvalConfig(**settings), note=lambda line: [line.encode()][0] and None)
    assert result.test is not None
    assert (result.test.images, result.test.confusion) == (again.images, again.confusion)


def test_years_below_a_class_are_images_of_it(tmp_path: Path) -> None:
    """The innermost folder's name is not a class."""
    for name in ("cat", "dog"):
        for year in ("2023", "2024"):
            for number in range(3):
                picture(tmp_path / "set" / name / year / f"{number}.png")
    data, _notes = opened(tmp_path / "set")
    assert data.train.class_names == ("cat", "dog")
    assert data.train.labels.tolist() == [0] * 6 + [1] * 6


@pytest.fixture
def splits(tmp_path: Path) -> Path:
    """Return a folder with a training and a test split of five and three images a class."""
    for split, count in (("train", 5), ("test", 3)):
        for name in ("cat", "dog"):
            for number in range(count):
                picture(tmp_path / "home" / "photos" / split / name / f"{number}.png")
    return tmp_path / "home" / "photos"


@pytest.mark.parametrize("train_name", ["Train", "TRAINING", "train"])
@pytest.mark.parametrize("test_name", ["Test", "VAL", "Validation", "testing", "Evaluation"])
def test_splits_in_any_letters(splits: Path, train_name: str, test_name: str) -> None:
    """Test images never become training images, and none are held out of where there are some."""
    (splits / "train").rename(splits / "x").rename(splits / train_name)
    (splits / "test").rename(splits / "y").rename(splits / test_name)
    data, notes = opened(splits)
    assert data.open_test is not None
    assert (10, 6) == (len(data.train), len(data.open_test()))
    assert "10 images, 2 classes: cat, dog; 6 test images." == notes[-1]
    assert "this one has a test split" in fault(splits, test_fraction=0.2)


def test_one_level_too_high(splits: Path) -> None:
    """The tree is shown, with the folder to give; also where there are other data sets beside, or deeper."""
    home = splits.parent
    message = fault(home)
    assert f"{home}/photos/{{test,train}}" in message
    assert f"give --dataset '{splits}'" in message
    picture(home / "birds" / "0.png")
    assert f"give --dataset '{splits}'" in fault(home)
    assert f"give --dataset '{splits}'" in fault(home.parent)
    assert f"Give --dataset '{splits}'" in fault(home, train_split="photos")
    assert 10 == len(opened(splits)[0].train)


def test_splits_below_each_class(tmp_path: Path) -> None:
    """cat/train and cat/test would both be images of cat."""
    for name in ("cat", "dog"):
        for split in ("Train", "test"):
            picture(tmp_path / "set" / name / split / "0.png")
    assert "put the splits above the classes" in fault(tmp_path / "set")


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    """Below a split it is plain that it is a class."""
    for name in ("bus", "train", "car"):
        for split in ("train", "val"):
            picture(tmp_path / "set" / split / name / "0.png")
    data, _notes = opened(tmp_path / "set")
    assert data.train.class_names == ("bus", "car", "train")


@pytest.mark.parametrize("names", [("train", "Train"), ("test", "TEST")])
def test_one_split_in_two_letterings(splits: Path, names: tuple[str, str]) -> None:
    """Neither is taken; a name that is asked for is exact, and a near one is suggested."""
    try:
        for name in names:
            picture(splits / name / "cat" / "more.png")
    except OSError:
        pytest.skip("this disk takes them for one")
    assert f"has the folders {', '.join(sorted(names))}, which name one split" in fault(splits)
    assert "did you mean test?" in fault(splits, test_split="tesst", train_split="train")


def test_the_test_split_by_another_lettering_is_not_scored_on(splits: Path) -> None:
    """--val-split Test is the test split, which a search never reads."""
    (splits / "test").rename(splits / "x").rename(splits / "Test")
    (splits / "train").rename(splits / "x").rename(splits / "Train")
    for name, words in (("Test", "is the test split"), ("Train", "is the training split")):
        with pytest.raises(FaaError, match=f"--val-split {name} {words}"):
            open_images(SearchConfig(dataset=str(splits), val_split=name), model_size=8, note=lambda _line: None)


def test_links_from_the_test_images_to_training_images(splits: Path) -> None:
    """Whole splits, or one class of them."""
    shutil.rmtree(splits / "test" / "dog")
    (splits / "test" / "dog").symlink_to(splits / "train" / "dog")
    assert "lead to folders of training images" in fault(splits)
    shutil.rmtree(splits / "test")
    (splits / "test").symlink_to("train")
    assert "cannot be both the training and the test split" in fault(splits)


@pytest.mark.parametrize("link", ["hard", "symbolic", "back"])
def test_test_images_that_are_links_to_training_images(splits: Path, link: str) -> None:
    """Of either kind and in either direction; links to images elsewhere are images."""
    (splits / "extra").mkdir()
    for split in ("train", "test"):
        (splits / split / "dog" / "2.png").rename(splits / "extra" / f"{split}.png")
        (splits / split / "dog" / "2.png").symlink_to(splits / "extra" / f"{split}.png")
        os.link(splits / "extra" / f"{split}.png", splits / split / "dog" / "9.png")
    assert 6 == len(opened(splits)[0].open_stored_test())  # type: ignore[misc]
    one, other = splits / "test" / "cat" / "1.png", splits / "train" / "dog" / "3.png"
    if link == "back":
        one, other = other, one
    one.unlink()
    if link == "hard":
        os.link(other, one)
    else:
        one.symlink_to(other)
    message = fault(splits)
    assert f"'{splits / 'test'}' holds 1 link to training images, of 6 images:" in message
    assert f"'{splits / 'test/cat/1.png'}' is the same file as '{splits / 'train/dog/3.png'}'" in message
    with pytest.raises(FaaError, match="--val-split test, which is read as a --test-split"):
        open_images(
            SearchConfig(dataset=str(splits), val_split="test", test_split="x"), model_size=8, note=lambda _line: None
        )


def test_a_split_is_a_folder_of_the_data_set(splits: Path) -> None:
    """No way leads out of it, nor deeper; nor does another spelling of a split."""
    picture(splits.parent / "flat" / "cat" / "0.png")
    picture(splits.parent / "flat" / "dog" / "0.png")
    for name in (
        "../flat", str(splits.parent / "flat"), "train/cat", "..", ".", "train/../test", "./test", "test/", "train/",
    ):  # fmt: skip
        assert f"has no folder '{name}' for the split of that name" in fault(splits, test_split=name)
        assert f"has no folder '{name}' for the split of that name" in fault(splits, train_split=name)
        with pytest.raises(FaaError, match=r"has no folder '.*' for the split of that name"):
            open_images(SearchConfig(dataset=str(splits), val_split=name), model_size=8, note=lambda _line: None)
    assert "which is a folder directly in it; it has: test, train" in fault(splits, test_split="../flat")
    (splits / "more").symlink_to(splits.parent / "flat")  # put there by whoever made the data set
    assert 2 == len(opened(splits, test_split="more")[0].open_stored_test())  # type: ignore[misc]


def test_a_place_is_said(splits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty name is not the current folder, in whichever layer it stands."""
    monkeypatch.chdir(splits)
    for name in ("dataset", "data_dir", "train_split", "test_split"):
        for value in ("", " "):
            with pytest.raises(FaaError, match="a text must not be empty; leave the setting out"):
                resolve(TrainConfig, [Layer("flags", {name: value})])
    for name, data_dir in (("", None), ("folder/", None), ("", ""), ("folder/", "")):
        with pytest.raises(FaaError, match="names no folder"):
            open_named(DatasetRequest(name=name, data_dir=data_dir))
    for name in ("hfds/", "torch/"):
        with pytest.raises(FaaError, match="lacks the name of the data set"):
            open_named(DatasetRequest(name=name, data_dir="."))
    with pytest.raises(FaaError, match="names no folder"):
        open_data(TrainConfig(dataset="reduced_imagenet"), model_size=8, note=print)
    assert 10 == len(opened(Path())[0].train)


def test_a_class_called_train_beside_others(tmp_path: Path) -> None:
    """It looks like a split, and holds images where that has classes."""
    root = tmp_path / "vehicles"
    for name in ("train", "bus", "car"):
        for number in range(3):
            picture(root / name / f"{number}.png")
    message = fault(root)
    assert f"'{root / 'train'}' is read as the training split" in message
    assert "If 'train' is a class, as bus, car may be, rename it" in message
    assert f"'{root / 'train' / 'train'}', '{root / 'train' / 'bus'}'" in message
    (root / "all").mkdir()
    for name in ("train", "bus", "car"):
        (root / name).rename(root / "all" / name)
    (root / "all").rename(root / "train")
    assert opened(root)[0].train.class_names == ("bus", "car", "train")


def test_classes_one_level_deeper(tmp_path: Path) -> None:
    """A single folder that holds folders of images is not a class; which folder to give is said."""
    root = tmp_path / "lvl"
    for name in ("a", "b", "c"):
        picture(root / "deep" / "photos" / name / "0.png")
    for given in (root, root / "deep"):
        do = f"Give --dataset '{root / 'deep/photos'}'."
        assert f"the folders in '{root / 'deep/photos'}' (a, b, c): {do}" in fault(given)
    assert 3 == len(opened(root / "deep" / "photos")[0].train)
    (root / "deep" / "photos").rename(root / "photos")
    (root / "deep").rmdir()
    (tmp_path / "set").mkdir()
    root.rename(tmp_path / "set" / "train")
    assert f"Move these folders into '{tmp_path / 'set/train'}'" in fault(tmp_path / "set")


def test_classes_that_differ_in_capital_letters(splits: Path) -> None:
    """Said as what they are, beside classes that are unknown altogether."""
    (splits / "test" / "cat").rename(splits / "test" / "x").rename(splits / "test" / "Cat")
    picture(splits / "test" / "elk" / "0.png")
    message = fault(splits)
    assert "has classes that the training images do not: Cat, elk." in message
    assert "Some differ from a training class in capital letters only: 'Cat' ('cat'). Rename these folders" in message


def test_empty_classes_in_both_splits(splits: Path) -> None:
    """The same rule: they are not classes, and named."""
    for split in ("train", "test"):
        (splits / split / "elk").mkdir()
    picture(splits / "train" / "loose.png")
    (splits / "old").mkdir()
    data, notes = opened(splits)
    assert data.train.class_names == ("cat", "dog")
    assert "a folder without images: test/elk, train/elk" in notes[-1]
    assert "so of no class: train/loose.png" in notes[-1]
    assert "a folder beside the splits that is not asked for: old" in notes[-1]
    picture(splits / "test" / "elk" / "0.png")
    assert "has classes that the training images do not: elk." in fault(splits)


def test_no_false_word_of_no_images(tmp_path: Path) -> None:
    """Where nothing can be read it says what is there."""
    for number in range(6):
        (tmp_path / "set" / "cat").mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / "cat" / f"{number}.heic").write_bytes(b"x")
    picture(tmp_path / "set" / "loose.png")
    message = fault(tmp_path / "set")
    assert "not an image format that is read: cat/0.heic, cat/1.heic, cat/2.heic and 3 more" in message
    assert "of no class: loose.png" in message
    (tmp_path / "file.zip").write_bytes(b"PK")
    assert "is neither a folder nor a .npz file" in fault(tmp_path / "file.zip")


def test_links_lead_to_each_folder_once(tmp_path: Path) -> None:
    """By the way without links if there is one, else by the first; rings and ways above the data set end."""
    outside = tmp_path / "outside"
    picture(outside / "deep" / "a.png")
    picture(outside / "b.png")
    picture(tmp_path / "above.png")
    root = tmp_path / "set"
    picture(root / "cat" / "own" / "c.png")
    picture(root / "dog" / "d.png")
    for name, target in (("z", outside / "deep"), ("y", outside), ("own2", root / "cat" / "own"), ("up", tmp_path)):
        (root / "cat" / name).symlink_to(target)
    (outside / "ring").symlink_to(outside)
    (root / "cat" / "x.png").symlink_to(outside / "b.png")
    (root / "cat" / "w.png").symlink_to(root / "dog" / "d.png")  # of another class: that is the user's to say
    source = open_folder(DatasetRequest(name=str(root))).train
    assert isinstance(source, DecodedSource)
    assert ["cat/own/c.png", "cat/w.png", "cat/y/b.png", "cat/y/deep/a.png", "dog/d.png"] == list(source.files.names)


def test_the_order_is_timms(tmp_path: Path) -> None:
    """Of classes and of images, where both read the same files: runs of earlier versions go on."""
    names = ["b10", "b2", "Ant", "ant2", "cow", "Émil", "z_9", "10", "9x", "ä"]
    for name in names:
        for number in RNG.choice(200, 7, replace=False):
            prefix = RNG.choice(["Im", "im", "a_", ""])
            picture(tmp_path / "set" / name / f"{prefix}{number}.png", size=(2, 2))
    source = open_folder(DatasetRequest(name=str(tmp_path / "set"))).train
    reader = create_reader("", str(tmp_path / "set"))
    assert list(reader.class_to_idx) == list(source.class_names)
    assert isinstance(source, DecodedSource)
    assert [str(path) for path, _label in reader.samples] == [source.files.name(n) for n in range(len(source))]
    assert [label for _path, label in reader.samples] == source.labels.tolist()
    words = ["".join(RNG.choice([*"aB1-0_9É2/"], RNG.integers(1, 9))) for _ in range(2000)]
    assert sorted(words, key=lambda word: (natural_key(word), word)) == sorted(words, key=natural_order)
    natural_order("1²2")  # which timm cannot sort


def test_every_format_that_pillow_decodes(tmp_path: Path) -> None:
    """In any letters; none that starts another program or has no decoder."""
    suffixes = formats_by_suffix()
    wanted = {".png", ".jpg", ".jpeg", ".jfif", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".tga", ".mpo"}
    wanted |= {f".{name}" for name in ("webp", "avif") if features.check(name)}
    assert wanted <= suffixes.keys()
    assert not {".eps", ".ps", ".wmf", ".emf", ".pdf", ".mpg", ".h5", ".iim", ".txt"} & suffixes.keys()
    assert not {"EPS", "WMF", "MPEG", "HDF5", "IPTC", "SPIDER"} & set(all_formats())
    for number, suffix in enumerate(sorted(wanted)):
        picture(tmp_path / "set" / ("cat" if number % 2 else "dog") / f"{number}{suffix.upper()}", size=(9, 7))
    data, _notes = opened(tmp_path / "set")
    assert len(wanted) == len(data.train)
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    (tmp_path / "set" / "cat" / "sly.png").write_bytes(postscript)
    assert f"The image '{tmp_path / 'set/cat/sly.png'}' cannot be read: cannot identify" in fault(tmp_path / "set")


@pytest.mark.skipif(not features.check("webp"), reason="this Pillow reads no WebP")
def test_webp_beside_jpg(tmp_path: Path) -> None:
    """Twenty images, sixteen of them WebP, are twenty."""
    for name in ("cat", "dog"):
        for number in range(10):
            picture(tmp_path / "set" / name / f"{number}.{'webp' if number < 8 else 'jpg'}")
    data, notes = opened(tmp_path / "set")
    assert 20 == len(data.train)
    assert "20 images, 2 classes: cat, dog." == notes[-1]


class Raising:
    """Files whose decoder raises."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def open(self, number: int) -> Any:
        raise self.error

    def name(self, number: int) -> str:
        return f"row {number}"


@pytest.mark.parametrize(
    "error",
    [RuntimeError("bad"), MemoryError(), OverflowError("bad"), KeyError("bad"), ZeroDivisionError(), EOFError()],
)
def test_whatever_a_decoder_raises_names_the_image(error: Exception) -> None:
    """Also without a message of its own; an interruption is none of it."""
    source = DecodedSource(Raising(error), np.arange(3), np.zeros(3, dtype=np.int64), ("a",))
    with pytest.raises(FaaError, match=r"The image 'row 2' cannot be read: (.*bad|MemoryError|ZeroDiv|EOFError)"):
        source.image(2)
    with pytest.raises(KeyboardInterrupt):
        DecodedSource(Raising(KeyboardInterrupt()), np.arange(1), np.zeros(1, dtype=np.int64), ("a",)).image(0)


def test_damaged_images_end_in_an_error_that_names_them(tmp_path: Path) -> None:
    """A few hundred files of all formats with changed bytes; warnings of decoders are not errors, and are not shown."""
    files = []
    source = Image.fromarray(RNG.integers(0, 256, (10, 12, 3), dtype=np.uint8))
    for suffix, name in (
        (".png", "PNG"), (".jpg", "JPEG"), (".gif", "GIF"), (".bmp", "BMP"), (".tif", "TIFF"), (".tga", "TGA"),
        (".ico", "ICO"), (".webp", "WEBP"), (".avif", "AVIF"), (".jp2", "JPEG2000"), (".dds", "DDS"), (".ppm", "PPM"),
    ):  # fmt: skip
        if suffix in formats_by_suffix():
            content = io.BytesIO()
            source.save(content, name)
            files.append((suffix, content.getvalue()))
    fine = 0
    for case in range(300):
        suffix, whole = files[RNG.integers(len(files))]
        changed = bytearray(whole[: RNG.integers(len(whole))] if case % 5 == 0 else whole)
        for _ in range(RNG.choice([1, 2, 8]) if changed else 0):
            changed[RNG.integers(min(len(changed), 150))] = RNG.choice([0, 127, 255, RNG.integers(256)])
        path = tmp_path / f"x{suffix}"
        path.write_bytes(changed)
        images = FolderImages(tmp_path, (path.name,), formats_by_suffix())
        one = DecodedSource(images, np.arange(1), np.zeros(1, dtype=np.int64), ("a",))
        try:
            fine += one.image(0).mode == "RGB"
        except FaaError as error:
            if str(path) not in str(error):
                raise
    assert 20 < fine < 280


def test_runs_that_lie_in_the_data_set_are_no_class(tmp_path: Path) -> None:
    """`--dataset .` with the default --output puts them there, and a search draws a picture."""
    for name in ("a/1.png", "a/2.png", "b/1.png", "runs/search-x/trials.png", "a/deeper/run/confusion.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    for run in ("runs/search-x", "a/deeper/run"):
        for name in ("config.yaml", "environment.json"):
            (tmp_path / run / name).write_text("{}")
    splits = open_folder(DatasetRequest(name=str(tmp_path)))
    assert splits.train.class_names == ("a", "b")
    assert splits.train.labels.tolist() == [0, 0, 1]
    assert "a run of faa" in splits.remarks


@pytest.mark.parametrize("kind", ["image", "npz", "photograph", "published"])
def test_what_is_made_while_it_is_read_is_not_waited_for(kind: str, tmp_path: Path) -> None:
    """A link to such a file, as below /proc, has 0 bytes, like an empty one; nothing is opened."""
    endless = Path("/proc/kmsg") if Path("/proc/kmsg").exists() else tmp_path / "empty"
    if not endless.exists():
        endless.touch()
    folder = tmp_path / "folder"
    folder.mkdir()
    names = {"image": "a/1.png", "npz": "d.npz", "photograph": "1.png", "published": "labels.npy"}
    path = folder / names[kind]
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(endless)
    reads: dict[str, Any] = {
        "image": lambda: FolderImages(folder, ("a/1.png",), {".png": ("PNG",)}).open(0).__enter__(),
        "npz": lambda: open_npz(DatasetRequest(name=str(path))),
        "photograph": lambda: read_photographs(folder),
        "published": lambda: open_published(folder, classes=3),
    }
    with pytest.raises((FaaError, ValueError), match=r"it is empty|the system makes it while it is read"):
        reads[kind]()


def test_two_names_are_suggested_at_most() -> None:
    """The nearest; a list of all that look alike is no help."""
    assert close_to("cat1", ["cat2", "cat3", "cat4", "dog"]).count("cat") == 2
    assert close_to("CAT2", ["cat2", "cat3"]) == "; did you mean cat2?"
