"""The images of a search: what networks are fitted on, and what policies are scored on; never the test split."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from faa_core import FaaError
from faa_search.data import ArraySource, ImageSource, open_data
from faa_search.data.arrays import is_array_file
from faa_search.data.memory import check_memory
from faa_search.searching.folds import Fold, make_folds
from faa_search.searching.objective import Staged
from faa_search.settings import FoldedSearchConfig, SharedSearchConfig
from faa_search.training.loading import OrderedBatches, load
from faa_search.training.views import Views
from faa_search.workers.ranks import Rank

BATCH = 256  # images that are decoded together


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SearchImages:
    """What a search is made on.

    Attributes:
        train: Images that networks are fitted on.
        scored: Images that policies are scored on: the same, or a separate split.
        folds: Positions in `train` to fit on, and in `scored` to score on; none where the settings have no folds.
        size: Side in pixels.
        own_size: Side that the images come in, or None if it varies.
        open_stored: Gives `train`, and `scored` where that is a separate split, as they come.
    """

    train: ImageSource
    scored: ImageSource
    folds: tuple[Fold, ...]
    size: int
    own_size: int | None
    open_stored: Callable[[], Sequence[ImageSource]] = tuple


def open_images(config: SharedSearchConfig, *, model_size: int, note: Callable[[str], None]) -> SearchImages:
    """Return the images and their folds; the same ones in every process.

    Args:
        config: The search's settings.
        model_size: The model's own input side.
        note: Told, once, what was done to the images.

    Raises:
        FaaError: If they are missing, too few or too many for the memory, or the two splits are the same.
    """
    val_split = config.val_split if isinstance(config, FoldedSearchConfig) else None
    if val_split is None:
        data = open_data(config, model_size=model_size, note=note)
        _check_room(config, data.train, data.stored, size=data.size)
        return SearchImages(
            train=data.train,
            scored=data.train,
            folds=_folds(config, data.train),
            size=data.size,
            own_size=data.own_size,
            open_stored=lambda: [data.stored],
        )
    _check_val_split(config, val_split)
    # The reader of the second split is the test split's, which matches the classes of both.
    try:
        data = open_data(config.model_copy(update={"test_split": val_split}), model_size=model_size, note=note)
    except FaaError as error:
        raise FaaError(f"--val-split {val_split}, which is read as a --test-split would be: {error}") from error
    open_stored = data.open_stored_test
    if data.open_test is None or open_stored is None:
        raise FaaError(f"'{config.dataset}' has no split '{val_split}' to score on.")
    scored = data.open_test()
    _check_room(config, scored, data.train, data.stored, size=data.size)
    fold = Fold(index=0, train=np.arange(len(data.train)), held_out=np.arange(len(scored)))
    return SearchImages(
        train=data.train,
        scored=scored,
        folds=(fold,),
        size=data.size,
        own_size=data.own_size,
        open_stored=lambda: [data.stored, open_stored()],
    )


def _folds(config: SharedSearchConfig, train: ImageSource) -> tuple[Fold, ...]:
    """Return the folds; none for an algorithm that fits no networks."""
    parts = config.parts(len(train))
    if not parts.folds:
        return ()
    return make_folds(
        train.labels,
        class_names=train.class_names,
        folds=parts.folds,
        held_out=parts.held_out,
        seed=config.seed,
        option=parts.option,
    )


def _check_val_split(config: SharedSearchConfig, name: str) -> None:
    """Refuse a split to score on that is one of the other two, or that the data set cannot have.

    Raises:
        FaaError: If it is so.
    """
    if name.casefold() == (config.train_split or "train").casefold():
        raise FaaError(f"--val-split {name} is the training split; score on images that are not fitted on.")
    if name.casefold() == (config.test_split or "test").casefold():
        raise FaaError(
            f"--val-split {name} is the test split, which a search never reads; score on another one, or "
            "on parts of the training images (--folds)."
        )
    if is_array_file(config.dataset, config.data_dir) or config.dataset.startswith("torch/"):
        raise FaaError(
            f"--val-split is for data sets with splits of any name (folders, hfds/OWNER/NAME); '{config.dataset}' has "
            "a training and a test split only, and a search never reads the test split. Leave it out for --folds."
        )
    if config.test_fraction:
        raise FaaError("--val-split names the images to score on, so --test-fraction has nothing to do; leave it out.")


def _check_room(config: SharedSearchConfig, scored: ImageSource, *others: ImageSource, size: int) -> None:
    """Refuse, before anything is fitted, images to score on that would not fit: they are decoded once and kept.

    Raises:
        FaaError: If they would not.
    """
    on_gpu = config.device != "cpu" and torch.cuda.is_available()
    if on_gpu and isinstance(scored, ArraySource):
        return
    arrays = {id(one.stored): one.stored.nbytes for one in (scored, *others) if isinstance(one, ArraySource)}
    beside = ", with those that lie in memory already," if arrays else ""
    check_memory(
        len(scored) * 3 * size**2 + sum(arrays.values()),
        f"{len(scored):,} images of {size} px to score on{beside}",
        "Search on fewer: --train-subset 6000 is what the original took of ImageNet.",
    )


def stage(source: ImageSource, size: int, *, device: torch.device, workers: int) -> Staged:
    """Return all images of a source at size, on the device, decoded once.

    Args:
        source: Of the images.
        size: Side in pixels.
        device: Where they are scored.
        workers: Loader processes that decode.

    Raises:
        FaaError: If an image cannot be read.
    """
    images_NCHW = torch.empty(len(source), 3, size, size, dtype=torch.uint8, device=device)
    order, done = OrderedBatches(len(source), BATCH, rank=Rank()), 0
    with load(Views(source=source, size=size), order, workers=workers) as batches:
        for images_BCHW, _labels in batches:
            images_NCHW[done : done + len(images_BCHW)] = images_BCHW.to(device)
            done += len(images_BCHW)
    labels_N = torch.from_numpy(source.labels).to(device)
    return Staged(images_NCHW, labels_N, torch.arange(len(source), device=device))
