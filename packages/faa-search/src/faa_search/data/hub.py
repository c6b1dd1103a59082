"""Data sets of the Hugging Face Hub, ``hfds/…``, by timm's reader: which columns, which splits, which classes."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from PIL.Image import Image as PILImage
from timm.data import create_dataset

from faa_core import FaaError
from faa_search.data.classes import Labelling, class_names, close_to, labelling, some
from faa_search.data.formats import all_formats
from faa_search.data.layout import TEST_FOLDERS, refuse_same_split
from faa_search.data.source import DecodedSource, check_labels
from faa_search.data.splits import DatasetRequest, Splits


@dataclass(frozen=True)
class RowImages:
    """Images of the rows of a table.

    Attributes:
        reader: timm's, which gives (open file, label) by number.
        what: Names a row, with its number.
        formats: To try.
    """

    reader: Any
    what: str
    formats: tuple[str, ...]

    @contextmanager
    def open(self, number: int) -> Iterator[PILImage]:
        """Give an image."""
        with io.BytesIO(self.content(number)) as file, Image.open(file, formats=self.formats) as image:
            yield image

    def name(self, number: int) -> str:
        """Return its row."""
        return f"{self.what} {number}"

    def content(self, number: int) -> bytes:
        """Return the encoded image."""
        with self.reader[number][0] as file:
            return file.read()  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where the images and the labels of a data set are.

    Attributes:
        image: Name of the column of images.
        label: Name of the column of labels.
        names: Of the classes, or None where the labels that occur are the classes.
        splits: How many rows each split has.
    """

    image: str
    label: str
    names: tuple[str, ...] | None
    splits: dict[str, int]


def open_hub(request: DatasetRequest) -> Splits:
    """Return the splits of a data set of the Hub, or of a local folder laid out as one.

    Raises:
        FaaError: If it cannot be opened, several columns can be meant, or an image has no label.
    """
    columns = _columns(request)
    train_name = request.train_split or "train"
    test_name = request.test_split or next((name for name in TEST_FOLDERS if name in columns.splits), None)
    train = _reader(request, train_name, columns)
    if test_name is not None and test_name.partition("[")[0] not in columns.splits:
        raise FaaError(f"'{request.name}' has no split '{test_name}'{close_to(test_name, columns.splits)}")
    refuse_same_split(train_name, test_name)
    if columns.names is None:
        classes = labelling(_labels(train, columns, request))
        _check_labels_tell(classes, len(train), columns, request)
    else:
        classes = Labelling(tuple(range(len(columns.names))))
    names = columns.names or class_names(classes.values, where=f"'{columns.label}' of '{request.name}'")

    def source(reader: Any) -> DecodedSource:
        images = RowImages(reader, f"{request.name} row", all_formats())
        labels = _labels(reader, columns, request)
        if columns.names is not None:
            check_labels(labels, len(names), images)
        numbers = classes.numbers(labels, where=f"'{columns.label}' of '{request.name}'")
        return DecodedSource(images, np.arange(len(numbers)), numbers, names)

    return Splits(
        train=source(train),
        open_test=None if test_name is None else lambda: source(_reader(request, test_name, columns)),
        notice=classes.notice if columns.names is None else "",
        test_images=columns.splits.get(test_name) if test_name is not None else None,
    )


def _columns(request: DatasetRequest) -> _Columns:
    """Return where the images and labels are, by what the columns hold: data sets differ in their names."""
    import datasets  # noqa: PLC0415 slow to import and needed for Hub data sets only

    name = request.name.removeprefix("hfds/")
    try:
        builder = datasets.load_dataset_builder(name, cache_dir=request.data_dir)
        if builder.info.features is None or builder.info.splits is None:  # some know it only once they are read
            builder.download_and_prepare()
        features = dict(builder.info.features)
        splits = {name: int(split.num_examples or 0) for name, split in builder.info.splits.items()}
    except Exception as error:
        raise FaaError(f"The data set '{request.name}' cannot be opened: {type(error).__name__}: {error}") from error
    named = {key for key, feature in features.items() if isinstance(feature, datasets.ClassLabel)}
    images = {key for key, feature in features.items() if isinstance(feature, datasets.Image)}
    plain = {key for key, feature in features.items() if _is_plain(feature)}
    if not images or not (named or plain):
        raise FaaError(f"'{request.name}' needs a column of images and one of class labels; it has {sorted(features)}.")
    image = _chosen(request, "--input-key", request.input_key, images, images, "images")
    label = _chosen(request, "--target-key", request.target_key, named or plain, named | plain, "labels")
    names = class_names(features[label].names, where=f"'{label}' of '{request.name}'") if label in named else None
    return _Columns(image, label, names, splits)


def _is_plain(feature: Any) -> bool:
    """Return whether a column holds texts or integers, which can be labels without names."""
    kind = str(getattr(feature, "dtype", ""))
    return kind in ("string", "large_string") or (kind.startswith(("int", "uint")) and not hasattr(feature, "names"))


def _chosen(
    request: DatasetRequest, flag: str, asked: str | None, usual: set[str], possible: set[str], what: str
) -> str:
    """Return the column that was asked for, or the only one; of several none is taken."""
    if asked is not None:
        if asked not in possible:
            raise FaaError(
                f"{flag} {asked}: '{request.name}' has no column of {what} '{asked}'{close_to(asked, possible)}"
            )
        return asked
    if len(usual) > 1:
        raise FaaError(
            f"'{request.name}' has several columns that can be {what}: {some(sorted(usual))}. Name one with {flag}."
        )
    return next(iter(usual))


def _reader(request: DatasetRequest, split: str, columns: _Columns) -> Any:
    try:
        return create_dataset(
            request.name,
            root=request.data_dir,
            split=split,
            download=request.download,
            search_split=False,
            input_key=columns.image,
            target_key=columns.label,
        ).reader
    except Exception as error:  # whatever a builder raises
        raise FaaError(
            f"The data set '{request.name}' (split {split}) cannot be opened: {error} "
            "Check --data-dir, or add --dataset-download."
        ) from error


def _labels(reader: Any, columns: _Columns, request: DatasetRequest) -> np.ndarray[Any, Any]:
    """Return the labels of all rows, shape ``[N]``."""
    labels = reader.dataset[columns.label][:]
    if None in labels:
        raise FaaError(
            f"The image '{request.name} row {labels.index(None)}' has no label ('{columns.label}' is empty)."
        )
    array = np.asarray(labels)
    return array if array.size else np.empty(0, dtype=np.int64)


def _check_labels_tell(classes: Labelling, rows: int, columns: _Columns, request: DatasetRequest) -> None:
    """Refuse what is not a label: numbers of rows, names of files."""
    if len(classes.values) == rows > 2:
        raise FaaError(
            f"Every row of '{request.name}' has its own '{columns.label}', so it is not a class label; name another "
            "column with --target-key."
        )
