"""Arrays on disk: one ``.npz`` with ``images`` and ``labels``, and perhaps ``test_images`` and ``test_labels``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faa_core import FaaError
from faa_core.paths import refuse_address
from faa_search.data.archives import Member, members, names_in
from faa_search.data.classes import Labelling, check_known, class_names, labelling, some
from faa_search.data.memory import FEWER, check_memory
from faa_search.data.source import ArraySource
from faa_search.data.splits import DatasetRequest, Splits

LAYOUT = (
    "The file must hold images (uint8, [N, H, W], [N, H, W, 1] or [N, H, W, 3]) and labels (integers, [N]); "
    "test_images, test_labels and class_names are optional."
)
ARRAYS = ("images", "labels", "test_images", "test_labels", "class_names")
LARGEST_SIDE = 2**14  # pixels
LONGEST_NAME = 2**10  # letters
MOST_NAMES = 2**20


def is_array_file(name: str, data_dir: str | None) -> bool:
    """Return whether a data set's name is that of a file of arrays; a folder may be called anything."""
    path = Path(data_dir or "", name)
    return path.suffix.lower() in (".npz", ".npy") and not path.is_dir()


def open_npz(request: DatasetRequest) -> Splits:
    """Return the splits of an ``.npz`` file; nothing in it is unpickled, and only what is needed is read.

    Raises:
        FaaError: If the file is missing, unreadable, too large for the memory, or laid out otherwise.
    """
    refuse_address(request.name)
    if request.train_split or request.test_split or request.input_key or request.target_key:
        raise FaaError(
            "A .npz file names its arrays itself; it takes no --train-split, --test-split, --input-key or "
            f"--target-key. {LAYOUT}"
        )
    path = Path(request.data_dir or "", request.name)
    arrays = _members(path)
    has_test = "test_images" in arrays
    labels = {name: arrays[name].read() for name in ("labels", "test_labels") if name in arrays}
    classes = _classes(path, labels)
    names, numbered = classes.names, labels
    if "class_names" in arrays:  # labels are their numbers
        names = _names(arrays["class_names"], max(int(array.max()) for array in labels.values()))
    else:
        numbered = {name: classes.numbers(array, where=f"'{name}' of '{path}'") for name, array in labels.items()}
    if has_test:
        check_known(numbered["test_labels"], numbered["labels"], names, where=f"'test_labels' of '{path}'")
    grey = _is_grey(arrays["images"])
    notices = ["The images are grey; each is repeated into three channels."] if grey else []
    if "class_names" not in arrays and classes.notice:
        notices.append(classes.notice)
    return Splits(
        train=_source(arrays["images"], numbered["labels"], names),
        open_test=(lambda: _source(arrays["test_images"], numbered["test_labels"], names)) if has_test else None,
        native_size=min(arrays["images"].shape[1:3]),
        notice=" ".join(notices),
        test_images=arrays["test_images"].shape[0] if has_test else None,
        test_shape=_shape(arrays["test_images"]) if has_test else None,
    )


def _members(path: Path) -> dict[str, Member]:
    """Return the arrays, checked as far as their headers tell."""
    try:
        arrays = members(path, ARRAYS)
    except FaaError as error:
        raise FaaError(f"{error} {LAYOUT}" if "cannot be read as .npz" in str(error) else str(error)) from error
    has_test = "test_images" in arrays or "test_labels" in arrays
    for name in ("images", "labels", *(("test_images", "test_labels") if has_test else ())):
        if name not in arrays:
            there = names_in(path)
            raise FaaError(f"'{path}' has no array '{name}' (it has: {some(there) or 'nothing'}). {LAYOUT}")
    _check(path, arrays["images"], arrays["labels"])
    if has_test:  # now, not after hours of training
        _check(path, arrays["test_images"], arrays["test_labels"])
    needed = sum(array.nbytes for name, array in arrays.items() if name != "class_names")
    check_memory(needed, f"What '{path}' holds", FEWER)
    return arrays


def _check(path: Path, images: Member, labels: Member) -> None:
    shape = list(images.shape)
    if images.dtype != np.uint8 or not (len(shape) == 3 or (len(shape) == 4 and shape[-1] in (1, 3))):
        raise FaaError(_in_sentences(f"'{images.name}' of '{path}' is {images.dtype} {shape}.", _for_images(images)))
    if min(shape[1:3]) < 1 or max(shape[1:3]) > LARGEST_SIDE:
        raise FaaError(f"'{images.name}' of '{path}' is {shape}: sides have 1 to {LARGEST_SIDE:,} pixels.")
    if len(labels.shape) != 1 or labels.dtype.kind not in "iu":
        found = f"'{labels.name}' of '{path}' is {labels.dtype} {list(labels.shape)}"
        raise FaaError(_in_sentences(f"{found}: the labels must be one axis of integers.", _for_labels(labels)))
    if images.shape[0] != labels.shape[0]:
        raise FaaError(f"'{path}' has {images.shape[0]} {images.name} but {labels.shape[0]} {labels.name}.")
    if images.shape[0] == 0:
        left_out = "; leave test_images and test_labels out" if images.name == "test_images" else ""
        raise FaaError(f"'{images.name}' of '{path}' holds no image{left_out}.")


def _in_sentences(fault: str, remedy: str) -> str:
    """Return what is wrong with an array, the remedy if one is known, and how the file must be."""
    return " ".join(filter(None, (fault, remedy, LAYOUT)))


def _for_images(images: Member) -> str:
    """Return what to do with images of some other kind, in sentences; "" where nothing is known."""
    name, sides = images.name, len(images.shape)
    if sides == 4 and images.shape[1] in (1, 3) and images.shape[-1] not in (1, 3):
        return f"Put the channels last: save {name}.transpose(0, 2, 3, 1) instead."
    if images.dtype.kind == "f":
        return f"If white is 1 in them, save ({name} * 255).round().astype(np.uint8) instead."
    if images.dtype.kind in "iu" and images.dtype != np.uint8:
        return (
            f"If white is 255 in them, save {name}.astype(np.uint8) instead. If it is 65535, save ({name} // "
            "257).astype(np.uint8)."
        )
    if images.dtype.kind == "b":
        return f"To have them black and white, save ({name} * 255).astype(np.uint8) instead."
    return ""


def _for_labels(labels: Member) -> str:
    """Return what to do with labels of some other kind, as a sentence; "" where nothing is known."""
    name = labels.name
    if len(labels.shape) == 2 and labels.shape[1] > 1:
        return f"If they have one column for each class, save {name}.argmax(1) instead."
    if len(labels.shape) == 2:
        return f"Leave the second axis out: save {name}[:, 0] instead."
    if labels.dtype.kind in "US":
        return f"Number the texts by class_names, {name} = np.unique({name}, return_inverse=True), and save both."
    if labels.dtype.kind in "fb":
        return f"If they are whole numbers, save {name}.astype(np.int64) instead."
    return ""


def _classes(path: Path, labels: Mapping[Any, NDArray[Any]]) -> Labelling:
    """Return the classes that labels name; labels below 0 stand for images without one."""
    for name, array in labels.items():
        if array.size and int(array.min()) < 0:
            raise FaaError(f"'{name}' of '{path}' holds {int(array.min())}: every image needs a label of 0 or more.")
    return labelling(*labels.values())


def _names(given: Member, largest: int) -> tuple[str, ...]:
    """Return the names that a file gives its classes; labels are their numbers, up to `largest`."""
    where = f"'{given.name}' of '{given.path}'"
    if len(given.shape) != 1 or given.dtype.kind not in "USiu":
        raise FaaError(
            f"{where} is {given.dtype} {list(given.shape)}: it must be one axis of texts, one for each class, such as "
            "class_names=np.array(['cat', 'dog'])."
        )
    letters = given.dtype.itemsize // (4 if given.dtype.kind == "U" else 1)
    if letters > LONGEST_NAME:
        raise FaaError(f"{where} has room for names of {letters:,} letters; they have at most {LONGEST_NAME:,}.")
    if given.shape[0] > MOST_NAMES:
        raise FaaError(f"{where} are {given.shape[0]:,} names; a data set has at most {MOST_NAMES:,} classes.")
    if largest >= given.shape[0]:
        raise FaaError(f"'{given.path}' has {given.shape[0]} class_names for labels up to {largest}.")
    return class_names(given.read().tolist(), where=where)


def _source(images: Member, labels: NDArray[np.generic], names: tuple[str, ...]) -> ArraySource:
    pixels = images.read()
    return ArraySource(pixels.reshape(_shape(images)), labels.astype(np.int64, copy=False), names)


def _shape(images: Member) -> tuple[int, int, int, int]:
    """Return the shape of images, with their channels."""
    count, height, width, *channels = images.shape
    return count, height, width, channels[0] if channels else 1


def _is_grey(images: Member) -> bool:
    return _shape(images)[3] == 1
