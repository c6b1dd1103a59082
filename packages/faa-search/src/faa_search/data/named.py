"""Everything `timm.data.create_dataset` names: ``torch/…``, ``hfds/…`` and image folders.

timm's own dataset objects replace an unreadable image by its neighbour and number each split's classes by itself, so
here only its readers are used: an unreadable image is an error that names it, and the training split's classes count.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Image as PILImage
from timm.data import create_dataset
from torch.utils.data import ConcatDataset
from torchvision.datasets import SVHN

from faa_core import FaaError
from faa_search.data.source import DecodedSource, ImageFiles
from faa_search.data.splits import DatasetRequest, Splits

TEST_FOLDERS = ("test", "val", "validation", "valid", "eval")
TRAIN_FOLDERS = ("train", "training")
TRAIN_AND_EXTRA = "train+extra"  # of SVHN: what its published errors are trained on
STREAMS = ("hfids/", "tfds/", "wds/")


@dataclass(frozen=True)
class ReaderImages:
    """Images of one of timm's readers.

    Attributes:
        reader: Gives (open file, label) by number.
        what: Names a row where images have no file name, else "".
    """

    reader: Any
    what: str

    @contextmanager
    def open(self, number: int) -> Iterator[PILImage]:
        """Give an image."""
        with self.reader[number][0] as file, Image.open(file) as image:
            yield image

    def name(self, number: int) -> str:
        """Return its path, or its row."""
        return f"{self.what} {number}" if self.what else str(self.reader.filename(number, absolute=True))


@dataclass(frozen=True)
class TorchImages:
    """Images of one of torchvision's data sets, which decode by themselves."""

    dataset: Any
    what: str

    @contextmanager
    def open(self, number: int) -> Iterator[PILImage]:
        """Give an image."""
        image = self.dataset[number][0]
        yield image if isinstance(image, PILImage) else Image.fromarray(np.asarray(image))

    def name(self, number: int) -> str:
        """Return its row."""
        return f"{self.what} {number}"


def open_named(request: DatasetRequest) -> Splits:
    """Return the splits of a data set that timm names, or of an image folder.

    Raises:
        FaaError: If the data is missing, streamed, or has no labels.
    """
    if request.name.startswith(STREAMS):
        raise FaaError(
            f"'{request.name}' is a stream; a search needs images it can return to. Use hfds/… or an image folder."
        )
    if request.name.startswith("torch/"):
        return _open_torch(request)
    if request.name.startswith("hfds/"):
        return _open_hub(request)
    return _open_folder(request)


def _open_torch(request: DatasetRequest) -> Splits:
    if request.name.removeprefix("torch/") in ("image_folder", "folder"):
        raise FaaError(f"'{request.name}' would have the same images in both splits; give the folder as --dataset.")
    if request.data_dir is None:
        raise FaaError(f"'{request.name}' needs --data-dir: the folder that holds it, or into which to download it.")
    train_name, test_name = request.train_split or "train", request.test_split or "validation"
    train_names = (*TRAIN_FOLDERS, *(("extra", TRAIN_AND_EXTRA) if request.name == "torch/svhn" else ()))
    # Any other name would be taken for the test split, and the test images be trained on.
    if train_name not in train_names or test_name not in TEST_FOLDERS:
        raise FaaError(
            f"'{request.name}' has the splits {' = '.join(train_names)} to train and {' = '.join(TEST_FOLDERS)} to "
            f"test, not --train-split {train_name} --test-split {test_name}."
        )

    def split(name: str, *parts: str) -> DecodedSource:
        datasets = [_create(request, part) for part in parts]
        labels = np.concatenate([_torch_labels(dataset) for dataset in datasets])
        classes = getattr(datasets[0], "classes", None) or range(int(labels.max()) + 1)
        images = datasets[0] if len(datasets) == 1 else ConcatDataset(datasets)
        return _source(TorchImages(images, f"{request.name} {name}"), labels, classes)

    parts = {"extra": ("extra",), TRAIN_AND_EXTRA: ("train", "extra")}.get(train_name, ("train",))
    return Splits(train=split(train_name, *parts), open_test=lambda: split(test_name, "validation"))


def _torch_labels(dataset: Any) -> NDArray[np.int64]:
    """Return the labels of one of torchvision's data sets, which lie in either of two attributes or in its rows."""
    labels = getattr(dataset, "targets", getattr(dataset, "labels", None))
    if labels is None:
        labels = [dataset[index][1] for index in range(len(dataset))]
    return np.asarray(labels, dtype=np.int64)


def _open_hub(request: DatasetRequest) -> Splits:
    image_key, label_key, classes, split_names = _hub_features(request)
    train_name = request.train_split or "train"
    train = _reader(request, train_name, input_key=image_key, target_key=label_key)
    test_name = request.test_split or next((name for name in TEST_FOLDERS if name in split_names), None)
    if test_name is not None and test_name.partition("[")[0] not in split_names:
        raise FaaError(f"'{request.name}' has no split '{test_name}'; it has: {', '.join(split_names)}.")
    _apart(train_name, test_name)

    def source(reader: Any) -> DecodedSource:
        return _source(ReaderImages(reader, f"{request.name} row"), reader.dataset[label_key], classes)

    open_test = None
    if test_name is not None:
        open_test = lambda: source(_reader(request, test_name, input_key=image_key, target_key=label_key))  # noqa: E731
    return Splits(train=source(train), open_test=open_test)


def _hub_features(request: DatasetRequest) -> tuple[str, str, list[str], list[str]]:
    """Return the image column, the label column, the classes and the splits: data sets differ in their names."""
    import datasets  # noqa: PLC0415 slow to import and needed for Hub data sets only

    name = request.name.removeprefix("hfds/")
    try:
        builder = datasets.load_dataset_builder(name, cache_dir=request.data_dir)
        if builder.info.features is None or builder.info.splits is None:  # not all data sets say before they are read
            builder.download_and_prepare()
    except Exception as error:
        raise FaaError(f"The data set '{request.name}' cannot be opened: {type(error).__name__}: {error}") from error
    features = dict(builder.info.features or {})
    images = [key for key, feature in features.items() if isinstance(feature, datasets.Image)]
    labels = [key for key, feature in features.items() if isinstance(feature, datasets.ClassLabel)]
    if not images or not labels:
        raise FaaError(
            f"'{request.name}' needs a column of images and one of class labels; it has {sorted(features) or 'none'}."
        )
    return images[0], labels[0], features[labels[0]].names, list(builder.info.splits or {})


def _open_folder(request: DatasetRequest) -> Splits:
    root = Path(request.data_dir or request.name.removeprefix("folder/") or ".")
    if request.name not in ("", "folder", "folder/") and request.data_dir is not None:
        root = root / request.name.removeprefix("folder/")
    if not root.is_dir():
        raise FaaError(
            f"No data set is called '{request.name}' and there is no folder '{root}'. Give digits, torch/NAME, "
            "hfds/OWNER/NAME, a .npz file, or a folder with one sub-folder of images per class."
        )
    train_folder = _sub_folder(root, request.train_split, TRAIN_FOLDERS)
    test_folder = _sub_folder(root, request.test_split, TEST_FOLDERS)
    _apart(train_folder, test_folder)
    if test_folder is not None and train_folder is None:
        raise FaaError(f"'{root}' has a folder '{test_folder.name}' but no folder 'train' beside it.")
    classes = _visible_classes(train_folder or root)
    train = _folder_reader(train_folder or root, classes)
    if test_folder is not None:
        found = {child.name for child in test_folder.iterdir() if child.is_dir() and not child.name.startswith(".")}
        if found - set(classes):
            strange = ", ".join(sorted(found - set(classes)))
            raise FaaError(f"'{test_folder}' has classes that the training images do not: {strange}.")
    test = None if test_folder is None else _folder_reader(test_folder, classes)  # lists the files, reads none
    return Splits(
        train=_folder_source(train, classes),
        open_test=None if test is None else lambda: _folder_source(test, classes),
    )


def _visible_classes(folder: Path) -> dict[str, int]:
    """Return the numbers of the classes timm sees: not of images that lie loose, nor of hidden folders."""
    names = _folder_reader(folder, {}).class_to_idx
    classes = [name for name in names if name and not name.startswith(".")]
    return {name: number for number, name in enumerate(classes or names)}


def _folder_reader(folder: Path, classes: dict[str, int]) -> Any:
    """Return timm's reader of a folder, for some classes or, of an empty mapping, for all it finds."""
    from timm.data.readers import create_reader  # noqa: PLC0415 timm.data does not offer it

    try:
        reader = create_reader("", str(folder), class_map=classes or "")
    except RuntimeError as error:
        raise FaaError(f"'{folder}' holds no images in sub-folders, one for each class.") from error
    return reader


def _sub_folder(root: Path, asked: str | None, usual: tuple[str, ...]) -> Path | None:
    """Return the folder of the split that was asked for, or the first of the usual ones that is there."""
    if asked is not None and not (root / asked).is_dir():
        raise FaaError(f"'{root}' has no folder '{asked}' for the split of that name.")
    names = usual if asked is None else (asked,)
    return next((root / name for name in names if (root / name).is_dir()), None)


def _apart(train: object, test: object) -> None:
    if train is not None and train == test:
        raise FaaError(
            f"'{train}' cannot be both the training and the test split; give another --train-split or --test-split."
        )


def _create(request: DatasetRequest, split: str, **kwargs: Any) -> Any:
    try:
        if request.name == "torch/svhn":  # torchvision's, which timm does not offer
            return SVHN(request.data_dir, split if split in ("train", "extra") else "test", download=request.download)
        return create_dataset(
            request.name, root=request.data_dir, split=split, download=request.download, search_split=False, **kwargs
        )
    except (RuntimeError, OSError, ValueError, AssertionError) as error:
        raise FaaError(
            f"The data set '{request.name}' (split {split}) cannot be opened: {error} "
            "Check --data-dir, or add --dataset-download."
        ) from error


def _reader(request: DatasetRequest, split: str, **kwargs: Any) -> Any:
    return _create(request, split, **kwargs).reader


def _folder_source(reader: Any, classes: dict[str, int]) -> DecodedSource:
    """Return the images of timm's folder reader, with labels numbered as in `classes`."""
    labels = [label for _path, label in reader.samples]
    return _source(ReaderImages(reader, ""), labels, sorted(classes, key=lambda name: classes[name]))


def _source(images: ImageFiles, labels: Any, classes: Any) -> DecodedSource:
    array = np.asarray(labels, dtype=np.int64)
    if array.size and array.min() < 0:
        raise FaaError(f"The image '{images.name(int(array.argmin()))}' has no label (it is {array.min()}).")
    return DecodedSource(images, np.arange(len(array)), array, tuple(str(one) for one in classes))
