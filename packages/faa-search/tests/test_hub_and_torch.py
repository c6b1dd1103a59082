"""Data sets that timm names (``hfds/…``, ``torch/…``), streams, and the reduced sets; nothing is downloaded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

from faa_core import FaaError
from faa_search.data import ArraySource, DatasetRequest, ImageSource, Splits, open_data, reduced, torch_sets
from faa_search.data.named import open_named
from faa_search.settings import TrainConfig

HEADER = """---
dataset_info:
  features:
  - name: row
    dtype: int64
  - name: picture
    dtype: image
  - name: kind
    dtype:
      class_label:
        names:
          '0': ant
          '1': bee
---
"""


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make any attempt to reach the Hub fail at once, and keep progress bars out of the output."""
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


def pictures(labels: list[int], *, label: str = "kind", shade: int = 0) -> datasets.Dataset:
    """Return images whose pixels tell their row: shade + row."""
    features = datasets.Features(
        {
            "row": datasets.Value("int64"),
            "picture": datasets.Image(),
            label: datasets.ClassLabel(names=["ant", "bee"]) if label == "kind" else datasets.Value("int64"),
        }
    )
    images = [Image.new("RGB", (8, 8), (shade + row, 0, 0)) for row in range(len(labels))]
    rows = {"row": list(range(len(labels))), "picture": images, label: labels}
    return datasets.Dataset.from_dict(rows, features=features)


def hub_folder(root: Path, *, header: str = "", **splits: datasets.Dataset) -> Path:
    """Write a data set as a repository on the Hub lays it out."""
    (root / "data").mkdir(parents=True)
    for name, rows in splits.items():
        rows.to_parquet(str(root / "data" / f"{name}-00000-of-00001.parquet"))
    if header:
        (root / "README.md").write_text(header)
    return root


@pytest.mark.parametrize("header", [HEADER, ""], ids=["described", "plain"])
def test_hub_data_with_its_own_column_names(tmp_path: Path, header: str) -> None:
    """The columns are found by what they hold, whether or not the data set's card describes them."""
    root = hub_folder(tmp_path / "birds", header=header, train=pictures([0, 1, 1, 0]), test=pictures([1, 0], shade=100))
    config = TrainConfig(dataset=f"hfds/{root}", data_dir=str(tmp_path / "cache"))
    data = open_data(config, model_size=32, note=print)
    assert [0, 1, 1, 0] == data.train.labels.tolist()
    assert ("ant", "bee") == data.train.class_names
    assert [(row, 0, 0) for row in range(4)] == [data.train.image(row).getpixel((0, 0)) for row in range(4)]
    assert data.open_test is not None
    test = data.open_test()
    assert [1, 0] == test.labels.tolist()
    assert (101, 0, 0) == test.image(1).getpixel((3, 3))


def table(root: Path, splits: dict[str, dict[str, list[Any]]], **features: Any) -> str:
    """Write a data set of one column of images and others; return its name."""
    made = {}
    for name, columns in splits.items():
        count = len(next(iter(columns.values())))
        rows = {"picture": [Image.new("RGB", (8, 8), (row, 0, 0)) for row in range(count)], **columns}
        kinds = datasets.Features({"picture": datasets.Image(), **features})
        made[name] = datasets.Dataset.from_dict(rows, features=kinds)
    return f"hfds/{hub_folder(root, **made)}"


def test_hub_data_without_labels(tmp_path: Path) -> None:
    """The message lists the columns there are; a number or a name of each row is not a class."""
    given = {"data_dir": str(tmp_path / "cache")}
    name = table(tmp_path / "bare", {"train": {"area": [0.5, 1.5]}}, area=datasets.Value("float64"))
    with pytest.raises(FaaError, match=r"needs a column of images and one of class labels; it has \['area', 'picture'"):
        open_named(DatasetRequest(name=name, **given))
    name = table(tmp_path / "rows", {"train": {"file": ["a.png", "b.png", "c.png"]}}, file=datasets.Value("string"))
    with pytest.raises(FaaError, match=r"Every row of .* has its own 'file', so it is not a class label"):
        open_named(DatasetRequest(name=name, **given))


def test_hub_classes_of_test_images_alone(tmp_path: Path) -> None:
    """A class that has a name and no training image is no better known than one without a name."""
    kind = datasets.ClassLabel(names=["ant", "bee", "cow", "dog"])
    name = table(tmp_path / "few", {"train": {"kind": [0, 3, 0, 3]}, "test": {"kind": [3, 2, 0]}}, kind=kind)
    data = open_data(TrainConfig(dataset=name, data_dir=str(tmp_path / "cache")), model_size=8, note=print)
    for opener in (data.open_test, data.open_stored_test):
        assert opener is not None
        with pytest.raises(FaaError, match=r"The test split of 'hfds/.*' has classes that the training .* not: cow\."):
            opener()


def test_hub_labels_that_are_texts(tmp_path: Path) -> None:
    """Each is a class, sorted; the test images are numbered alike, and may have no others."""
    splits = {
        "train": {"kind": ["bee", "ant", "bee", "cow"]},
        "test": {"kind": ["cow", "ant"]},
        "validation": {"kind": ["elk", "ant"]},
    }
    name = table(tmp_path / "texts", splits, kind=datasets.Value("string"))
    given = {"dataset": name, "data_dir": str(tmp_path / "cache")}
    notes: list[str] = []
    data = open_data(TrainConfig(**given), model_size=8, note=notes.append)
    assert (("ant", "bee", "cow"), [1, 0, 1, 2]) == (data.train.class_names, data.train.labels.tolist())
    assert data.open_test is not None
    assert [2, 0] == data.open_test().labels.tolist()
    assert ["4 images, 3 classes: ant, bee, cow; 2 test images."] == notes
    data = open_data(TrainConfig(**given, test_split="validation"), model_size=8, note=print)
    with pytest.raises(FaaError, match=r"labels that no training image has: elk\."):
        _ = data.open_test and data.open_test()


def test_hub_labels_that_are_numbers(tmp_path: Path) -> None:
    """Each that occurs is a class, and no other; an empty one is named."""
    name = table(tmp_path / "numbers", {"train": {"kind": [5, 1, 5, 1]}}, kind=datasets.Value("int64"))
    notes: list[str] = []
    given = {"data_dir": str(tmp_path / "cache")}
    data = open_data(TrainConfig(dataset=name, **given), model_size=8, note=notes.append)
    assert (("1", "5"), [1, 0, 1, 0]) == (data.train.class_names, data.train.labels.tolist())
    assert "The labels are 1, 5: each is one class" in notes[0]
    name = table(tmp_path / "empty", {"train": {"kind": [0, 1, None, 0]}}, kind=datasets.Value("int64"))
    with pytest.raises(FaaError, match=r"row 2' has no label \('kind' is empty\)"):
        open_named(DatasetRequest(name=name, **given))


def test_hub_data_with_several_label_columns(tmp_path: Path) -> None:
    """None is taken unless it is the only one of named classes; --target-key says which, and a wrong one is refused."""
    columns = {"fine": [0, 1, 2, 0], "coarse": [1, 0, 0, 1], "note": ["x", "y", "x", "x"]}
    kinds = {
        "fine": datasets.ClassLabel(names=["a", "b", "c"]),
        "coarse": datasets.ClassLabel(names=["big", "small"]),
        "note": datasets.Value("string"),
    }
    name = table(tmp_path / "two", {"train": columns}, **kinds)
    given = {"data_dir": str(tmp_path / "cache"), "name": name}
    with pytest.raises(
        FaaError, match=r"several columns that can be labels: coarse, fine\. Name one with --target-key"
    ):
        open_named(DatasetRequest(**given))
    coarse = open_named(DatasetRequest(**given, target_key="coarse")).train
    assert (("big", "small"), [1, 0, 0, 1]) == (coarse.class_names, coarse.labels.tolist())
    texts = open_named(DatasetRequest(**given, target_key="note")).train
    assert (("x", "y"), [0, 1, 0, 0]) == (texts.class_names, texts.labels.tolist())
    with pytest.raises(FaaError, match=r"--target-key fime: .* has no column of labels 'fime'; did you mean fine\?"):
        open_named(DatasetRequest(**given, target_key="fime"))
    with pytest.raises(FaaError, match=r"--input-key fine: .* has no column of images 'fine'"):
        open_named(DatasetRequest(**given, target_key="fine", input_key="fine"))
    del columns["coarse"], kinds["coarse"]
    one = open_named(
        DatasetRequest(name=table(tmp_path / "one", {"train": columns}, **kinds), data_dir=given["data_dir"])
    )
    assert ("a", "b", "c") == one.train.class_names


def test_hub_data_with_several_image_columns(tmp_path: Path) -> None:
    """The same."""
    columns = {"mask": [Image.new("RGB", (8, 8), (100 + row, 0, 0)) for row in range(4)], "kind": [0, 1, 1, 0]}
    kinds = {"mask": datasets.Image(), "kind": datasets.ClassLabel(names=["a", "b"])}
    given = {"data_dir": str(tmp_path / "cache"), "name": table(tmp_path / "masks", {"train": columns}, **kinds)}
    with pytest.raises(
        FaaError, match=r"several columns that can be images: mask, picture\. Name one with --input-key"
    ):
        open_named(DatasetRequest(**given))
    for key, shade in (("mask", 102), ("picture", 2)):
        assert (shade, 0, 0) == open_named(DatasetRequest(**given, input_key=key)).train.image(2).getpixel((0, 0))


@pytest.mark.parametrize("name", ["torch/cifar10", "digits", "photos", "data.npz"])
def test_columns_are_of_the_hubs_data_sets_only(tmp_path: Path, name: str) -> None:
    """Elsewhere the flags would do nothing."""
    with pytest.raises(FaaError, match=r"--input-key"):
        open_data(TrainConfig(dataset=name, target_key="label"), model_size=8, note=print)


def test_hub_data_with_hidden_labels(tmp_path: Path) -> None:
    """-1 stands for a label that is kept secret: the row is named."""
    root = hub_folder(tmp_path / "secret", header=HEADER, train=pictures([0, 1, -1, 0]))
    with pytest.raises(FaaError, match=r"row 2' has no label \(it is -1\)"):
        open_named(DatasetRequest(name=f"hfds/{root}", data_dir=str(tmp_path / "cache")))


def test_hub_data_that_is_not_there(tmp_path: Path) -> None:
    """An unknown name or split is our error, not a traceback."""
    with pytest.raises(FaaError, match="cannot be opened"):
        open_named(DatasetRequest(name=f"hfds/{tmp_path / 'no'}", data_dir=str(tmp_path / "cache")))
    root = hub_folder(tmp_path / "birds", header=HEADER, train=pictures([0, 1]))
    with pytest.raises(FaaError, match=r"\(split trian\) cannot be opened"):
        open_named(DatasetRequest(name=f"hfds/{root}", data_dir=str(tmp_path / "cache"), train_split="trian"))


@pytest.mark.parametrize("name", ["hfids/owner/name", "wds/name", "tfds/name"])
def test_streams_are_refused(name: str) -> None:
    """A search returns to its images again and again."""
    with pytest.raises(FaaError, match=f"'{name}' is a stream"):
        open_named(DatasetRequest(name=name))


class FakeTorch:
    """Looks like one of torchvision's data sets: rows of (image, label)."""

    def __init__(self, labels: list[int], *, offset: int, attribute: str | None, arrays: bool) -> None:
        self.rows = labels
        self.offset = offset
        self.arrays = arrays
        if attribute:
            setattr(self, attribute, labels)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        pixels = np.full((8, 8, 3), self.offset + index, dtype=np.uint8)
        return (pixels if self.arrays else Image.fromarray(pixels)), self.rows[index]


@pytest.mark.parametrize("attribute", ["targets", "labels", None])
@pytest.mark.parametrize("arrays", [False, True])
def test_torch_data(monkeypatch: pytest.MonkeyPatch, attribute: str | None, *, arrays: bool) -> None:
    """Labels lie in targets, in labels, or in the rows alone; the test split is asked for only when opened."""
    asked: list[str] = []

    def create(name: str, *, root: str, split: str, **_others: Any) -> FakeTorch:
        asked.append(f"{name} {root} {split}")
        test = split == "validation"
        return FakeTorch([1, 0] if test else [0, 2, 1], offset=100 * test, attribute=attribute, arrays=arrays)

    monkeypatch.setattr(torch_sets, "create_dataset", create)
    splits = open_named(DatasetRequest(name="torch/fake", data_dir="there"))
    assert ["torch/fake there train"] == asked
    assert [0, 2, 1] == splits.train.labels.tolist()
    assert ("0", "1", "2") == splits.train.class_names
    assert (2, 2, 2) == splits.train.image(2).getpixel((0, 0))
    assert splits.open_test is not None
    assert (101, 101, 101) == splits.open_test().image(1).getpixel((0, 0))
    assert "torch/fake there validation" == asked[1]


def test_torch_data_needs_a_folder() -> None:
    """Without --data-dir there is nowhere to look."""
    with pytest.raises(FaaError, match="'torch/cifar10' needs --data-dir"):
        open_named(DatasetRequest(name="torch/cifar10"))


@pytest.mark.parametrize("labels", [[1, 5, 1], [10**12, 7, 7], ["b", "a", "b"]])
def test_torch_labels_of_any_kind(monkeypatch: pytest.MonkeyPatch, labels: list[Any]) -> None:
    """Each that occurs is one class, in both splits."""

    def create(_name: str, *, split: str, **_others: Any) -> FakeTorch:
        return FakeTorch(labels[::-1] if split == "validation" else labels, offset=0, attribute="targets", arrays=True)

    monkeypatch.setattr(torch_sets, "create_dataset", create)
    splits = open_named(DatasetRequest(name="torch/fake", data_dir="there"))
    assert tuple(str(label) for label in sorted(set(labels))) == splits.train.class_names
    numbers = [sorted(set(labels)).index(label) for label in labels]
    assert splits.open_test is not None
    assert (numbers, numbers[::-1]) == (splits.train.labels.tolist(), splits.open_test().labels.tolist())


@pytest.mark.parametrize("name", ["torch/image_folder", "torch/Folder", "torch/x/folder"])
def test_torchs_own_folders_are_refused(tmp_path: Path, name: str) -> None:
    """However timm spells them: the same images would be in both splits."""
    with pytest.raises(FaaError, match="the same images in both splits"):
        open_named(DatasetRequest(name=name, data_dir=str(tmp_path)))


@pytest.mark.parametrize("name", ["torch/cifar10", "torch/svhn", "torch/no_such_set"])
def test_torch_data_that_is_not_there(tmp_path: Path, name: str) -> None:
    """Missing files and unknown names say what to check."""
    with pytest.raises(FaaError, match=rf"'{name}' \(split train\) cannot be opened: .* Check --data-dir, or add"):
        open_named(DatasetRequest(name=name, data_dir=str(tmp_path)))


def fake_named(splits: Splits, asked: list[str]) -> Callable[[DatasetRequest], Splits]:
    """Return an opener that notes which name it was asked for."""

    def opener(request: DatasetRequest) -> Splits:
        asked.append(request.name)
        return splits

    return opener


def flat(count: int, classes: int) -> ArraySource:
    """Return images of one pixel, classes in turn."""
    images = np.zeros((count, 1, 1, 3), dtype=np.uint8)
    names = tuple(f"n{number:04d}" for number in range(classes))
    return ArraySource(images, np.arange(count, dtype=np.int64) % classes, names)


@pytest.mark.parametrize(
    ("opener", "name", "full", "size"),
    [
        (reduced.open_reduced_cifar10, "torch/cifar10", 50_000, 4000),
        (reduced.open_reduced_svhn, "torch/svhn", 73_257, 1000),
    ],
)
def test_reduced_sets(
    monkeypatch: pytest.MonkeyPatch, opener: Callable[[DatasetRequest], Splits], name: str, full: int, size: int
) -> None:
    """So many images, stratified and always the same; the test split stays whole."""
    asked: list[str] = []
    test = flat(30, 10)
    monkeypatch.setattr(reduced, "open_named", fake_named(Splits(train=flat(full, 10), open_test=lambda: test), asked))
    splits = opener(DatasetRequest(name="reduced", data_dir="there"))
    assert [name] == asked
    assert [size // 10] * 10 == np.bincount(splits.train.labels).tolist()
    assert splits.open_test is not None
    assert 30 == len(splits.open_test())


def test_reduced_imagenet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty images of each of 120 classes, numbered by their place in the list, named by their folders."""
    asked: list[str] = []
    train, test = flat(60_000, 1000), flat(2000, 1000)
    monkeypatch.setattr(reduced, "open_named", fake_named(Splits(train=train, open_test=lambda: test), asked))
    splits = reduced.open_reduced_imagenet(DatasetRequest(name="reduced_imagenet", data_dir="there"))
    assert [50] * 120 == np.bincount(splits.train.labels).tolist()
    assert ("n0016", "n0023", "n0959") == tuple(splits.train.class_names[number] for number in (0, 1, 119))
    assert 120 == len(set(reduced.IMAGENET_CLASSES))
    assert 5_024_135 == sum(place * number for place, number in enumerate(reduced.IMAGENET_CLASSES, start=1))
    assert splits.open_test is not None
    kept = splits.open_test()
    assert [2] * 120 == np.bincount(kept.labels).tolist()
    assert 3 == kept.labels[3] == kept.labels[123]


def test_reduced_imagenet_needs_all_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another folder is no ImageNet."""
    opener = fake_named(Splits(train=flat(20, 10), open_test=None), [])
    monkeypatch.setattr(reduced, "open_named", opener)
    with pytest.raises(FaaError, match="needs ImageNet's 1,000 class folders; there are 10"):
        reduced.open_reduced_imagenet(DatasetRequest(name="reduced_imagenet"))


def test_a_data_set_of_a_plugin(install: Callable[..., None]) -> None:
    """An installed package's data set opens by its name, told all that was asked for."""
    install(
        group="faa.datasets",
        entry="stripes = throwaway_module:open_stripes",
        source=(
            "import numpy as np\n"
            "from faa_search.data import ArraySource, Splits\n"
            "def open_stripes(request):\n"
            "    labels = np.array([0, 1, 0, 1])\n"
            "    images = np.zeros((4, 12, 12, 3), np.uint8) + 9\n"
            "    source = ArraySource(images, labels, (request.data_dir, 'other'))\n"
            "    return Splits(train=source, open_test=None, native_size=12)\n"
        ),
    )
    data = open_data(TrainConfig(dataset="stripes", data_dir="here"), model_size=32, note=print)
    source: ImageSource = data.train
    assert (("here", "other"), 12, 4) == (source.class_names, data.size, len(source))
