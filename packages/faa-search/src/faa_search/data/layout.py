"""Which folders of an image folder are splits; layouts that would train on test images are refused."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from faa_core import FaaError
from faa_search.data.classes import close_to, some
from faa_search.data.skipping import words_of
from faa_search.data.walking import Skipped, children

TRAIN_FOLDERS = ("train", "training")
TEST_FOLDERS = ("test", "val", "validation", "valid", "eval", "testing", "evaluation")
SPLIT_FOLDERS = frozenset({*TRAIN_FOLDERS, *TEST_FOLDERS})

NOT_USED = "a folder beside the splits that is not asked for"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the splits of an image folder are.

    Attributes:
        train: Folder of the training images' class folders.
        test: Folder of the test images' class folders, or None.
        skipped: Folders that are not read.
    """

    train: Path
    test: Path | None
    skipped: tuple[Skipped, ...]


def is_split_name(name: str) -> bool:
    """Return whether a folder's name is one that splits have, in small or capital letters."""
    return name.casefold() in SPLIT_FOLDERS


def find_layout(root: Path, *, train: str | None, test: str | None) -> Layout:
    """Return where the splits are: those asked for, else the usual ones, else the whole folder to train on.

    Raises:
        FaaError: If a split that is asked for is not there, both are the same, two have one name but for capital
            letters, or there are test images only.
    """
    there = children(root).folders
    train_name, test_name = _named(root, there, train, TRAIN_FOLDERS), _named(root, there, test, TEST_FOLDERS)
    if train_name is not None and test_name is not None:
        refuse_same_split(*(folder.resolve() for folder in (root / train_name, root / test_name)))
    if test_name is not None and train_name is None:
        raise FaaError(
            f"'{root}' has a folder '{test_name}' but no folder 'train' beside it. Put the training images into "
            f"'{root / 'train'}', one folder for each class; or, if '{test_name}' is a class, rename it."
        )
    if train_name is None:
        return Layout(root, None, ())
    chosen = {train_name, test_name}
    others = tuple(Skipped(name, NOT_USED) for name in there if name not in chosen)
    return Layout(root / train_name, None if test_name is None else root / test_name, others)


def refuse_same_split(train: object, test: object) -> None:
    """Refuse one split as both.

    Raises:
        FaaError: If they are the same.
    """
    if train is not None and train == test:
        raise FaaError(
            f"'{train}' cannot be both the training and the test split; give another --train-split or --test-split."
        )


def refuse_splits_as_classes(root: Path, classes: Sequence[str]) -> None:
    """Refuse a folder of training images whose classes all have names of splits: it is given one level too high.

    Raises:
        FaaError: If it is so; it shows the tree.
    """
    if classes and all(map(is_split_name, classes)):
        raise FaaError(
            f"'{root}' has splits where its classes would be: {root}/{{{','.join(classes)}}}. Give --dataset '{root}' "
            "if they are its splits; if they are classes, rename them."
        )


def refuse_splits_below_a_class(root: Path, name: str, folders: Sequence[str]) -> None:
    """Refuse splits below what would be a class: it would hold its training and its test images alike.

    Args:
        root: Of the class folders.
        name: Of one of them.
        folders: All that are below it, relative to `root`.

    Raises:
        FaaError: If one has the name of a split; it shows the tree.
    """
    splits = [folder for folder in sorted(folders) if is_split_name(folder.rpartition("/")[2])]
    if not splits:
        return
    parent = splits[0].rpartition("/")[0]
    names = ",".join(folder.rpartition("/")[2] for folder in splits if folder.rpartition("/")[0] == parent)
    raise FaaError(
        f"'{root}' has splits below a class: {root}/{parent}/{{{names}}}. '{name}' would be one class, with its "
        f"training and test images alike. If '{parent}' is the data set, give --dataset '{root / parent}'. If it is a "
        f"class, put the splits above the classes ('{root / 'train' / name}', '{root / 'test' / name}'); if these are "
        "no splits, rename them."
    )


def refuse_folder_above_classes(root: Path, folder: Path, found: Mapping[str, Sequence[str]]) -> None:
    """Refuse a single class that holds folders of images: they are more likely to be the classes.

    Args:
        root: Of the data set.
        folder: Of the class folders.
        found: The images in each class folder, by their names relative to `folder`.

    Raises:
        FaaError: If it is so; the message names the folder to give.
    """
    images = [image for names in found.values() for image in names]
    if len(found) > 1 or not images:
        return
    top = Path(os.path.commonpath([Path(image).parent for image in images]))
    below = sorted({Path(image).relative_to(top).parts[0] for image in images})
    if any(str(top / name) in images for name in below):
        return
    do = (
        f"Give --dataset '{root / top}'"
        if folder == root
        else f"Move these folders into '{folder}', where a split's classes are"
    )
    raise FaaError(
        f"'{folder}' has one folder with images, '{next(iter(found))}', so there would be one class. If the classes "
        f"are the folders in '{folder / top}' ({some(below)}): {do}."
    )


def same_classes(test: Path, names: Sequence[str], classes: Sequence[str]) -> None:
    """Refuse test images of classes without training images.

    Args:
        test: Folder of the test images' class folders.
        names: Of these.
        classes: Names of the training images' class folders.

    Raises:
        FaaError: If there are such; those that are training classes but for capital letters are named.
    """
    strange = sorted(set(names) - set(classes))
    if not strange:
        return
    written = {name.casefold(): name for name in classes}
    cased = [f"'{name}' ('{written[name.casefold()]}')" for name in strange if name.casefold() in written]
    rename = (
        f" Some differ from a training class in capital letters only: {some(cased)}. Rename these folders, so that "
        "both splits have the same names."
    )
    raise FaaError(f"'{test}' has classes that the training images do not: {some(strange)}.{rename if cased else ''}")


def explain_no_images(root: Path, layout: Layout, skipped: Sequence[Skipped]) -> str:
    """Return the message about a folder without images in class folders."""
    folder, beside = layout.train, [one.name for one in layout.skipped]
    why = f" {words_of(skipped)}." if skipped else ""
    if folder != root and layout.test is None and beside:
        return (
            f"'{folder}' is read as the training split, but holds no images in sub-folders, one for each class."
            f"{why} If '{folder.name}' is a class, as {some(beside)} may be, rename it, or put all classes into the "
            f"training split: '{root / 'train' / folder.name}', '{root / 'train' / beside[0]}'."
        )
    return (
        f"'{folder}' holds no images in sub-folders, one for each class.{why} Labels come from sub-folders: "
        f"'{folder / 'CLASS' / 'image.png'}'."
    )


def _named(root: Path, there: Sequence[str], asked: str | None, usual: tuple[str, ...]) -> str | None:
    """Return the folder of the split that was asked for, or the first of the usual ones that is there."""
    if asked is not None:
        if asked not in there:  # also where it leads elsewhere, such as "../flat"
            rule = ", which is a folder directly in it" if "/" in asked or os.sep in asked else ""
            raise FaaError(f"'{root}' has no folder '{asked}' for the split of that name{rule}{close_to(asked, there)}")
        return asked
    for name in usual:
        found = [folder for folder in there if folder.casefold() == name]
        if len(found) > 1:
            raise FaaError(
                f"'{root}' has the folders {some(found)}, which name one split in different letters. Rename or merge "
                "them."
            )
        if found:
            return found[0]
    return None
