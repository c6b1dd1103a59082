"""From settings to images: which opener, which subset, at which size, in memory or decoded when asked for."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from faa_core import FaaError, plugins
from faa_search.config import DataConfig
from faa_search.data.arrays import is_array_file, open_npz
from faa_search.data.memory import check_memory
from faa_search.data.named import open_named
from faa_search.data.reduced import stratified
from faa_search.data.sizing import fitted
from faa_search.data.source import ArraySource, DecodedSource, ImageSource
from faa_search.data.splits import DatasetRequest, Splits
from faa_search.data.summary import summary

IN_MEMORY_SIDE = 64  # images up to this many pixels a side are decoded once and kept
DATA_SEED = 0  # the run's seed must not move it: a search and a training of other seeds share the test images
SCANNED = 20_000  # headers read when a data set is opened; of more images, evenly spread ones


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
    if splits.notice:
        note(splits.notice)
    splits = _with_test(splits, config.test_fraction)
    full = train = _checked(splits.train, config.dataset)
    if config.train_subset is not None:
        if config.train_subset > len(full):
            raise FaaError(f"--train-subset {config.train_subset} is more than the {len(full)} training images.")
        train = full.subset(stratified(full.labels, config.train_subset, seed=DATA_SEED))
    small, side = _scan(train, note)
    own_size = splits.native_size or side
    size = config.img_size or own_size or model_size
    open_test = splits.open_test
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
            of=len(full),
            class_names=train.class_names,
            test_images=splits.test_images,
            has_test=open_test is not None,
            remarks=splits.remarks,
        )
    )
    return opened


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
    full = splits.train
    test = stratified(full.labels, max(1, round(fraction * len(full))), seed=DATA_SEED)
    train = np.setdiff1d(np.arange(len(full)), test)
    return replace(splits, train=full.subset(train), open_test=lambda: full.subset(test), test_images=len(test))


def _checked(source: ImageSource, name: str) -> ImageSource:
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
    return source


def _scan(source: ImageSource, note: Callable[[str], None]) -> tuple[bool, int | None]:
    """Return whether the images are small, and the side they come in, if small and of one; say what is converted."""
    if not isinstance(source, DecodedSource):
        return (True, min(source.images.shape[1:3])) if isinstance(source, ArraySource) else (False, None)
    step = max(1, len(source) // SCANNED)
    headers = [source.header(index) for index in range(0, len(source), step)]
    others = [mode for mode, _size in headers if mode != "RGB"]
    if others:
        some = "all" if len(others) == len(headers) else f"{len(others):,} of {len(headers):,}"
        note(f"Converted to RGB: {some} images looked at are {', '.join(sorted(set(others)))}.")
    small = max(max(size) for _mode, size in headers) <= IN_MEMORY_SIDE
    sides = {min(size) for _mode, size in headers}
    return small, sides.pop() if small and len(sides) == 1 else None


def _ready(source: ImageSource, size: int, *, in_memory: bool) -> ImageSource:
    """Return small images as one array at the network's size, others as they are."""
    if isinstance(source, ArraySource) and source.images.shape[1:3] == (size, size):
        return source
    if not in_memory:
        return source
    return in_one_array(source, size)


def in_one_array(source: ImageSource, size: int) -> ArraySource:
    """Return all images decoded, resized and centre-cropped to ``size``×``size``, in memory.

    Raises:
        FaaError: If one cannot be read, or they would not fit.
    """
    check_memory(len(source) * 3 * size**2, f"{len(source):,} images of {size} px", "Give fewer: --train-subset.")
    images = np.empty((len(source), size, size, 3), dtype=np.uint8)
    for index in range(len(source)):
        images[index] = np.asarray(fitted(source.image(index), size))
    return ArraySource(images, source.labels, source.class_names)
