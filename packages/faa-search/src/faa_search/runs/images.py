"""Which images a run is made with: written down in its directory, and compared whenever it goes on."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import AfterValidator, TypeAdapter

from faa_core import FaaError
from faa_core.reading import as_text, parse_json_as, read_content
from faa_core.text import safe
from faa_search.data import ImageSource, open_stored
from faa_search.data.fingerprint import fingerprint
from faa_search.runs.directory import CONFIG, DATA, read_config
from faa_search.runs.files import write_file
from faa_search.settings import DataConfig, Role

# What is written down, and the message where it differs. Runs of earlier versions have "labels" only.
WORDS = {
    "labels": "other labels",
    "classes": "classes of other names",
    "files": "files of other names or sizes",
    "content": "other pixels",
    "test_classes": "test images of other classes",
    "test_files": "test files of other names or sizes",
    "test_content": "other pixels in the test images",
}
SINCE = (
    "The run was started by an earlier version, which read png and jpg only, took the innermost folder for the class, "
    "and made a class of every number up to the largest label; so the same data can be other images now. "
)


def record_of(
    train: Sequence[ImageSource], test: ImageSource | None = None, *, note: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Return what is written down of images, whatever place they are at.

    Args:
        train: All that a run learns from and scores on, as they come.
        test: What it is tested on, as they come; None if nothing.
        note: Told where images to test or to score on are training images too.

    Raises:
        FaaError: If an image cannot be read.
    """
    found = fingerprint(train)
    tested = None if test is None else fingerprint([test])
    if note is not None:
        if tested is not None:
            _tell_repeated(np.concatenate(found.images), tested.images[0], "test images", note)
        for scored in found.images[1:]:
            _tell_repeated(found.images[0], scored, "images to score on", note)
    return {
        "images": sum(len(source) for source in train),
        "labels": _labels_digest(train),
        **found.digests,
        **({} if tested is None else {f"test_{name}": value for name, value in tested.digests.items()}),
    }


def _tell_repeated(
    trained_on: NDArray[np.uint64], others: NDArray[np.uint64], what: str, note: Callable[[str], None]
) -> None:
    """Note how many images are training images too, of those that were read."""
    repeated = int(np.isin(others, trained_on).sum())
    if repeated:
        note(
            f"{repeated:,} of {len(others):,} {what} that were looked at {'are' if repeated > 1 else 'is'} also among "
            "the training images, with the same content; that makes the error too low. Remove them from one of the two."
        )


def record_of_settings(config: DataConfig) -> dict[str, Any]:
    """Return what `record_of` returns for the images that settings name, training and test images; none is resized.

    Raises:
        FaaError: If they cannot be opened, or one cannot be read.
    """
    data = open_stored(config)
    return record_of([data.train], data.open_test and data.open_test())


def keep_images(directory: Path, config: DataConfig, now: dict[str, Any]) -> None:
    """Write down which images a run is made with, or compare them with those it was started with.

    The data may have moved meanwhile: once the images are found to be the same, the run's settings get the new place.

    Args:
        directory: The run's.
        config: Says where the images are now.
        now: What `record_of` returns for them.

    Raises:
        FaaError: If the run was started with others, or the place is another and it cannot be told whether the images
            are the same. Then its settings keep the place they had.
    """
    path = directory / DATA
    moved = has_moved(directory, config)
    if not path.is_file() and not moved:
        write_file(directory, DATA, json.dumps(now) + "\n")
        return
    before = read_images(directory)
    if moved and "content" not in before:
        raise FaaError(
            f"'{directory}' was started with {_place(read_config(directory))}, before pixels were written down, so "
            f"{_place(config.model_dump())} cannot be compared with it. Give the data at its old place, or choose "
            "another --output."
        )
    differs = _differs(before, now)
    if differs:
        other = f" ({_place(read_config(directory))} then, {_place(config.model_dump())} now)" if moved else ""
        raise FaaError(
            f"The data set has changed since '{directory}' was started{other}: {differs}. "
            f"{'' if 'content' in before else SINCE}Choose another --output."
        )
    _settle(directory, config)


def check_finished(directory: Path, config: DataConfig, record: Callable[[], dict[str, Any]]) -> str:
    """Compare the images that a finished run was made with, before its result is given again.

    Where its images are not there any more its result is all there is, and is given. A run of an earlier version, which
    wrote no pixels down, is compared only where its data have moved.

    Args:
        directory: The run's.
        config: Says where the images are now.
        record: Gives what `record_of` returns for them.

    Returns:
        Words that go on after "it is finished": what was found, or "" for the same images at the same place.

    Raises:
        FaaError: If they are others, or at another place cannot be opened.
    """
    if has_moved(directory, config):
        keep_images(directory, config, record())
        return "; its data set has moved, and is the same"
    before = read_images(directory)
    if "content" not in before:
        return ""
    try:
        now = record()
    except FaaError as error:
        return f"; its images cannot be compared with those it was made with ({str(error).rstrip('.')})"
    if differs := _differs(before, now):
        raise FaaError(
            f"The data set has changed since '{directory}' was finished: {differs}. Its result is of the images "
            "as they were, and is kept. Choose another --output to start anew with those of now, or put back those it "
            "had."
        )
    return ""


def has_moved(directory: Path, config: DataConfig) -> bool:
    """Return whether the data set is elsewhere, or other columns of it are meant, than a run's settings name."""
    return _moves(read_config(directory), config.model_dump(mode="json"))


def is_made_with(directory: Path, source: ImageSource) -> bool:
    """Return whether a run was trained on these images, as far as it has written that down.

    Args:
        directory: The run's.
        source: As they come.

    Raises:
        FaaError: If what it has written down cannot be read, or an image cannot.
    """
    before = read_images(directory)
    if "content" not in before or before["images"] != len(source) or before["labels"] != _labels_digest([source]):
        return False
    trained_on = {key: value for key, value in before.items() if not key.startswith("test_")}
    return not _differs(trained_on, record_of([source]))


def same_record(one: Path, other: Path) -> bool:
    """Return whether two runs were made with the same images, by what both have written down.

    Raises:
        FaaError: If a file is not one of ours.
    """
    first, second = map(read_images, (one, other))
    both = first.keys() & second.keys() & {"images", *WORDS}
    apart = _moves(*(read_config(directory) for directory in (one, other)))
    return bool(both) and all(first[key] == second[key] for key in both) and ("content" in both or not apart)


def read_images(directory: Path) -> dict[str, Any]:
    """Return what a run has written down of its images; empty if nothing.

    Raises:
        FaaError: If the file is not one of ours.
    """
    path = directory / DATA
    return _read(path) if path.is_file() else {}


def _labels_digest(sources: Sequence[ImageSource]) -> str:
    labels = np.concatenate([source.labels for source in sources])
    return hashlib.blake2b(np.ascontiguousarray(labels).tobytes(), digest_size=16).hexdigest()


def _read(path: Path) -> dict[str, Any]:
    """Return what was written down."""
    try:
        kind = TypeAdapter(Annotated[dict[str, Any], AfterValidator(_of_images)])
        return parse_json_as(kind, as_text(read_content(path)))
    except FaaError as error:
        raise FaaError(
            f"'{safe(path)}' is damaged, so it is not known which images the run was made with ({safe(error):.200}). "
            "If the images are still the same, delete this file: the same command writes it again, and nothing else "
            "is lost."
        ) from error


def _of_images(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record that has a number of images and digests.

    Raises:
        ValueError: If it lacks one, or has something else in its place.
    """
    images = record.get("images")
    if not isinstance(images, int) or isinstance(images, bool) or images < 1:
        raise ValueError(f"'images' must be a whole number from 1 on, not {images!r:.40}")
    for key in (WORDS.keys() & record.keys()) | {"labels"}:
        if not isinstance(record.get(key), str):
            raise ValueError(f"'{key}' must be a text, not {record.get(key)!r:.40}")
    return record


def _differs(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return how images differ, or ""; what an earlier version did not write down is not compared."""
    if before["images"] != now["images"]:
        return f"it had {before['images']:,} training images, now {now['images']:,}"
    found = [words for key, words in WORDS.items() if key in before and before[key] != now.get(key)]
    return f"it has {', '.join(found)}" if found else ""


def _settle(directory: Path, config: DataConfig) -> None:
    """Write the new place of the data set into a run's settings."""
    settings = read_config(directory)
    if _moves(settings, config.model_dump(mode="json")):
        changed = settings | {name: getattr(config, name) for name in DataConfig.names(Role.PLACE, Role.PACE)}
        write_file(directory, CONFIG, yaml.safe_dump(changed, sort_keys=False))


def _moves(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Return whether two runs' settings name different places."""
    return any(before.get(name) != now.get(name) for name in DataConfig.names(Role.PLACE))


def _place(settings: dict[str, Any]) -> str:
    """Return where a data set is, as flags."""
    place = DataConfig.names(Role.PLACE)
    given = [(name, settings.get(name)) for name in DataConfig.model_fields if name in place]
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in given if value is not None)
