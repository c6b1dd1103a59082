"""From settings to images: which opener, which subset, at which size, in memory or decoded when asked for."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from faa_core import FaaError, plugins
from faa_search.data.arrays import is_array_file, open_npz
from faa_search.data.classes import check_known
from faa_search.data.memory import check_memory
from faa_search.data.named import open_named
from faa_search.data.parts import held_out, subset
from faa_search.data.sizing import fitted
from faa_search.data.source import ArraySource, DecodedSource, ImageSource
from faa_search.data.splits import DatasetRequest, Splits
from faa_search.data.summary import summary
from faa_search.settings import DataConfig
from faa_search.settings.calls import check_settings

IN_MEMORY_SIDE = 64  # images up to this many pixels a side are decoded once and kept
SCANNED = 20_000  # headers read when a data set is opened; of more images, evenly spread ones


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredData:
    """A data set as it comes.

    Attributes:
        full: All training images, after any test part was held out.
        train: Those of them that are used, after any subset was drawn.
        open_test: Opens the test images, or None.
        splits: What the data set's opener returned.
    """

    full: ImageSource
    train: ImageSource
    open_test: Callable[[], ImageSource] | None
    splits: Splits


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedData:
    """A data set ready for use.

    Attributes:
        train: Images to learn from, after any subset was drawn and any test part was held out.
        open_test: Opens the test images, or None.
        size: Side in pixels at which the network sees the images.
        own_size: Side in pixels that the images come in, whatever size was asked for; None if it varies.
        stored: The training images as they come, whatever size was asked for.
        open_stored_test: Opens the test images as they come, or None.
    """

    train: ImageSource
    open_test: Callable[[], ImageSource] | None
    size: int
    own_size: int | None
    stored: ImageSource
    open_stored_test: Callable[[], ImageSource] | None


def open_data(config: DataConfig, *, model_size: int, note: Callable[[str], None]) -> OpenedData:
    """Return the data set that the settings name.

    Args:
        config: What to open.
        model_size: The model's own input side, for images that come in many sizes.
        note: Told what was done to the images, and in the end, once, how many of which classes there are.

    Raises:
        FaaError: If it is missing, unreadable, without labels, of one class only, or too large for the memory.
    """
    check_settings(config, DataConfig)
    stored = open_stored(config)
    train, open_test, splits = stored.train, stored.open_test, stored.splits
    if splits.notice:
        note(splits.notice)
    small, side = _scan(train, note)
    own_size = splits.native_size or side
    size = config.img_size or own_size or model_size
    _check_room(stored, size, small=small, name=config.dataset)
    opened = OpenedData(
        train=_ready(train, size, in_memory=small),
        open_test=None if open_test is None else lambda: _ready(open_test(), size, in_memory=small),
        size=size,
        own_size=own_size,
        stored=train,
        open_stored_test=open_test,
    )
    note(
        summary(
            images=len(train),
            of=len(stored.full),
            class_names=train.class_names,
            test_images=splits.test_images,
            has_test=open_test is not None,
            remarks=splits.remarks,
        )
    )
    return opened


def open_stored(config: DataConfig) -> StoredData:
    """Return the data set that the settings name as it comes; of image files none is read.

    Raises:
        FaaError: If it is missing, unreadable, without labels, or of one class only.
    """
    splits = _opener(config)(
        DatasetRequest(
            name=config.dataset,
            data_dir=config.data_dir,
            train_split=config.train_split,
            test_split=config.test_split,
            download=config.dataset_download,
            input_key=config.input_key,
            target_key=config.target_key,
        )
    )
    _check(splits.train, config.dataset)
    splits = _with_test(splits, config.test_fraction)
    full, open_test = splits.train, splits.open_test

    def known_test(opened: Callable[[], ImageSource]) -> ImageSource:
        test = opened()
        check_known(test.labels, full.labels, full.class_names, where=f"The test split of '{config.dataset}'")
        return test

    return StoredData(
        full=full,
        train=full if config.train_subset is None else subset(full, config.train_subset),
        open_test=None if open_test is None else partial(known_test, open_test),
        splits=splits,
    )


def _opener(config: DataConfig) -> Callable[[DatasetRequest], Splits]:
    if config.dataset in plugins.names("faa.datasets"):
        opener: Callable[[DatasetRequest], Splits] = plugins.load("faa.datasets", config.dataset, kind="data set")
        return opener
    return open_npz if is_array_file(config.dataset, config.data_dir) else open_named


def _with_test(splits: Splits, fraction: float) -> Splits:
    """Return the splits with a stratified part of the training images held out as the test images."""
    if fraction == 0:
        return splits
    if splits.open_test is not None:
        raise FaaError("--test-fraction is for data sets without a test split; this one has a test split.")
    train, test = held_out(splits.train, fraction, option="--test-fraction")
    return replace(splits, train=train, open_test=lambda: test, test_images=len(test))


def _check(source: ImageSource, name: str) -> None:
    if len(source) == 0:
        raise FaaError(f"'{name}' has no training images.")
    if len(np.unique(source.labels)) < 2:
        them = (
            f"All {len(source):,} training images of '{name}' are"
            if len(source) > 1
            else f"The only image of '{name}' is"
        )
        raise FaaError(
            f"{them} of one class ('{source.class_names[source.labels[0]]}'), so there is nothing to learn. "
            "Labels come from sub-folders (one for each class) or the label column."
        )


def _scan(source: ImageSource, note: Callable[[str], None]) -> tuple[bool, int | None]:
    """Return whether the images are small, and the side they come in, if small and of one; say what is converted."""
    if not isinstance(source, DecodedSource):
        return (True, min(source.side)) if isinstance(source, ArraySource) else (False, None)
    step = max(1, len(source) // SCANNED)
    headers = [source.header(index) for index in range(0, len(source), step)]
    others = [mode for mode, _size in headers if mode != "RGB"]
    if others:
        some = "all" if len(others) == len(headers) else f"{len(others):,} of {len(headers):,}"
        note(f"Converted to RGB: {some} images looked at are {', '.join(sorted(set(others)))}.")
    small = max(max(size) for _mode, size in headers) <= IN_MEMORY_SIDE
    sides = {min(size) for _mode, size in headers}
    return small, sides.pop() if small and len(sides) == 1 else None


def _check_room(stored: StoredData, size: int, *, small: bool, name: str) -> None:
    """Refuse, before they are made, arrays at the network's size that would not fit beside those that are there.

    Test images count from the start: they are opened when everything is trained.
    """
    there = copied = 0
    train, splits = stored.train, stored.splits
    in_memory = isinstance(train, ArraySource)
    if isinstance(train, ArraySource):
        there += train.stored.nbytes
    if _is_brought(train, size, in_memory=small):
        copied += len(train) * 3 * size**2
    if splits.test_shape is not None:
        count, *side, channels = splits.test_shape
        there += count * math.prod(side) * channels
        copied += count * 3 * size**2 if side != [size, size] else 0
    elif splits.test_images is not None and copied:
        copied += splits.test_images * 3 * size**2
    if copied:
        also = f", beside {there / 2**30:,.1f} GiB as they come" if in_memory else ""
        remedy = "Give a smaller --img-size, or fewer images"
        check_memory(
            there + copied,
            f"The images of '{name}' at {size} px ({copied / 2**30:,.1f} GiB{also})",
            f"{remedy}." if in_memory else f"{remedy} (--train-subset).",
        )


def _is_brought(source: ImageSource, size: int, *, in_memory: bool) -> bool:
    """Return whether images become one array at the network's size."""
    return in_memory and not (isinstance(source, ArraySource) and source.side == (size, size))


def _ready(source: ImageSource, size: int, *, in_memory: bool) -> ImageSource:
    """Return small images as one array at the network's size, others as they are."""
    return decode_into_array(source, size) if _is_brought(source, size, in_memory=in_memory) else source


def decode_into_array(source: ImageSource, size: int) -> ArraySource:
    """Return all images decoded, resized and centre-cropped to ``size``×``size``, in memory.

    Raises:
        FaaError: If one cannot be read, or they would not fit.
    """
    check_memory(len(source) * 3 * size**2, f"{len(source):,} images of {size} px", "Give fewer: --train-subset.")
    images = np.empty((len(source), size, size, 3), dtype=np.uint8)
    for index in range(len(source)):
        images[index] = np.asarray(fitted(source.image(index), size))
    return ArraySource(images, source.labels, source.class_names)
