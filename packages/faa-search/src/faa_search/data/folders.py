"""Image folders: which folders are splits, which are classes, and which files are images.

A class is the folder directly below the root, or directly below a split; folders below it hold images of that class.
Classes and images are sorted as timm's reader of folders sorts them: by their names, numbers in them as numbers, small
and capital letters alike.
"""

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.Image import Image as PILImage

from faa_core import FaaError
from faa_core.paths import refuse_address
from faa_core.reading import read_content, size_of
from faa_core.text import counted
from faa_search.data.classes import class_names, some
from faa_search.data.formats import formats_by_suffix
from faa_search.data.layout import (
    explain_no_images,
    find_layout,
    refuse_folder_above_classes,
    refuse_splits_as_classes,
    refuse_splits_below_a_class,
    same_classes,
)
from faa_search.data.skipping import NAMED, words_of
from faa_search.data.source import DecodedSource
from faa_search.data.splits import DatasetRequest, Splits
from faa_search.data.walking import Identity, Skipped, WalkedFolder, children, find_images, shared_files

LOOSE = "an image beside the class folders, so of no class"
NO_IMAGES = "a folder without images"


@dataclass(frozen=True)
class FolderImages:
    """Image files of a folder.

    Attributes:
        root: The folder.
        names: Of the files, relative to it, with ``/``.
        formats: To try, by suffix.
    """

    root: Path
    names: Sequence[str]
    formats: Mapping[str, tuple[str, ...]]

    @contextmanager
    def open(self, number: int) -> Iterator[PILImage]:
        """Give an image."""
        path = self.root / self.names[number]
        if not size_of(path):
            raise ValueError("it is empty")
        with Image.open(path, formats=self.formats[path.suffix.lower()]) as image:
            yield image

    def name(self, number: int) -> str:
        """Return its path."""
        return str(self.root / self.names[number])

    def stored_as(self, number: int) -> tuple[bytes, int]:
        """Return its name in the folder and its size in bytes."""
        name = self.names[number]
        return os.fsencode(name), (self.root / name).stat().st_size

    def content(self, number: int) -> bytes:
        """Return the bytes of the file."""
        return read_content(self.root / self.names[number])


@dataclass(frozen=True, slots=True)
class _Split:
    """A folder of class folders.

    Attributes:
        root: The folder.
        found: What lies in each class folder that holds images.
        folders: All that were listed.
        skipped: What is not read.
    """

    root: Path
    found: dict[str, WalkedFolder]
    folders: frozenset[Identity]
    skipped: tuple[Skipped, ...]


def open_folder(request: DatasetRequest) -> Splits:
    """Return the splits of an image folder; files are listed, and none is read.

    Raises:
        FaaError: If it is not there, holds no images in class folders, or is laid out so that training images could
            be test images, or splits classes.
    """
    root = _root(request)
    layout = find_layout(root, train=request.train_split, test=request.test_split)
    suffixes = formats_by_suffix()
    train = _split(layout.train, suffixes, root)
    refuse_splits_as_classes(layout.train, tuple(train.found))
    if not train.found:
        raise FaaError(explain_no_images(root, layout, train.skipped))
    refuse_folder_above_classes(root, layout.train, {name: found.images for name, found in train.found.items()})
    classes = sorted(train.found, key=natural_order)
    names = class_names((os.fsencode(name) for name in classes), where=f"'{layout.train}'")
    test = None if layout.test is None else _split(layout.test, suffixes, root)
    if test is not None and test.folders & train.folders:
        raise FaaError(f"Links in '{test.root}' lead to folders of training images, which are no test images.")
    if test is not None:
        same_classes(test.root, sorted(test.found), classes)
        _check_links(test, train)
    deeper = sorted(name for found in train.found.values() for name in found.folders)
    remarks = [f"folders below a class are images of it: {some(deeper, at_most=NAMED)}"] if deeper else []
    if skipped := (*layout.skipped, *train.skipped, *(test.skipped if test else ())):
        remarks.append(words_of(skipped))
    return Splits(
        train=_source(train, classes, names),
        open_test=None if test is None else lambda: _source(test, classes, names),
        test_images=None if test is None else sum(len(found.images) for found in test.found.values()),
        remarks="; ".join(remarks),
    )


def natural_order(name: str) -> tuple[list[int | str], str]:
    """Return what to sort a name by: as timm's readers do, and names that are alike for those by their letters."""
    parts: list[int | str] = [*re.split(r"(\d+)", name.lower())]
    parts[1::2] = [int(part) for part in parts[1::2]]
    return parts, name


def _root(request: DatasetRequest) -> Path:
    name = "" if request.name == "folder" and request.data_dir else request.name.removeprefix("folder/")
    if not name and not request.data_dir:
        raise FaaError(f"'{request.name}' names no folder. Give one as --dataset; . is the current one.")
    root = Path(request.data_dir or "", name)
    if root.is_dir():
        return root
    kinds = "digits, torch/NAME, hfds/OWNER/NAME, a .npz file, or a folder with one sub-folder of images per class"
    refuse_address(request.name)
    if root.exists():
        raise FaaError(f"'{root}' is neither a folder nor a .npz file. Give {kinds}.")
    raise FaaError(f"No data set is called '{request.name}' and there is no folder '{root}'. Give {kinds}.")


def _split(root: Path, suffixes: Collection[str], data_set: Path) -> _Split:
    """Return what a folder of class folders holds; what is skipped is named as it is in the data set's folder."""
    there = children(root)
    loose = [name for name in (*there.files, *there.linked) if Path(name).suffix.lower() in suffixes]
    skipped = [*there.skipped, *(Skipped(name, LOOSE) for name in loose)]
    classes = {}
    seen: set[Identity] = set()
    for name in sorted(there.folders, key=lambda name: (name in there.links, name)):
        found = find_images(root, name, suffixes, seen)
        refuse_splits_below_a_class(root, name, found.folders)
        skipped += found.skipped
        if found.images:
            classes[name] = found
        elif not any(one.name == name for one in found.skipped):  # a loop is listed already
            skipped.append(Skipped(name, NO_IMAGES))
    prefix = "" if root == data_set else f"{os.path.relpath(root, data_set)}/"
    return _Split(root, classes, frozenset(seen), tuple(Skipped(f"{prefix}{one.name}", one.why) for one in skipped))


def _check_links(test: _Split, train: _Split) -> None:
    """Refuse test images that are training images by another name.

    Raises:
        FaaError: If some are; the message counts them, and names one.
    """
    shared = shared_files(test.root, test.found.values(), train.root, [*train.found.values()])
    if shared:
        first, other = shared[0]
        images = sum(len(found.images) for found in test.found.values())
        raise FaaError(
            f"'{test.root}' holds {counted(len(shared), 'link')} to training images, of {counted(images, 'image')}: "
            f"'{test.root / first}' is the same file as '{train.root / other}'. An error on images that were trained "
            "on is no test error. Remove these links, or put other images there."
        )


def _source(split: _Split, classes: Sequence[str], names: tuple[str, ...]) -> DecodedSource:
    """Return the images of a split, with the classes' numbers as labels."""
    number = {name: place for place, name in enumerate(classes)}
    images = [(image, number[name]) for name, found in split.found.items() for image in found.images]
    images.sort(key=lambda image: natural_order(image[0]))
    files = FolderImages(split.root, tuple(name for name, _label in images), formats_by_suffix())
    labels = np.array([label for _name, label in images], dtype=np.int64)
    return DecodedSource(files, np.arange(len(images)), labels, names)
