"""Whether two data sets hold the same images, wherever they lie: digests of what is stored, before any resizing."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from faa_core import FaaError
from faa_search.data.source import ArraySource, DecodedSource, ImageSource

MOST_READ = 2**30  # bytes; of larger sets of files the content of evenly spread ones, about this much, is compared
DIGEST = 16  # bytes


def fingerprint(sources: Sequence[ImageSource]) -> dict[str, str]:
    """Return digests by what they are of, as text.

    ``classes``: the classes' names. ``files``, for image files only: their names, below the folder, and sizes.
    ``content``: all pixels of arrays; all bytes of files, or of evenly spread ones where they are more than 1 GiB; of
    other sources all pixels or those of evenly spread images.

    Args:
        sources: The images as they come, such as those of each split.

    Raises:
        FaaError: If an image cannot be read.
    """
    classes, files, content = (hashlib.blake2b(digest_size=DIGEST) for _ in range(3))
    stored = False
    for source in sources:
        classes.update("\0".join(source.class_names).encode("utf-8", "surrogatepass") + b"\0\0")
        if isinstance(source, ArraySource):
            content.update(str(source.images.shape).encode())
            content.update(np.ascontiguousarray(source.images).data)
            continue
        sizes = _sizes(source, files)
        stored = stored or sizes is not None
        read = _reader(source)
        for number in range(0, len(source), _step(source, sizes, read)):
            part = read(number)
            content.update(len(part).to_bytes(8, "little"))
            content.update(part)
    found = {"classes": classes.hexdigest(), "content": content.hexdigest()}
    return found | ({"files": files.hexdigest()} if stored else {})


def _sizes(source: ImageSource, digest: Any) -> int | None:
    """Return how many bytes the files of a source have in all, after their names and sizes went into the digest."""
    stored_as = getattr(source.files, "stored_as", None) if isinstance(source, DecodedSource) else None
    if stored_as is None or not isinstance(source, DecodedSource):
        return None
    total = 0
    for position in source.positions.tolist():
        try:
            name, size = stored_as(position)
        except OSError as error:
            raise FaaError(f"The image '{source.files.name(position)}' cannot be read: {error}.") from error
        digest.update(name + b"\0" + str(size).encode() + b"\0")
        total += size
    return total


def _step(source: ImageSource, total: int | None, read: Callable[[int], bytes]) -> int:
    """Return how far apart the images are that are read: 1 where all are."""
    if len(source) == 0:
        return 1
    expected = total if total is not None else len(read(0)) * len(source)
    return max(1, -(-expected // MOST_READ))


def _reader(source: ImageSource) -> Callable[[int], bytes]:
    """Return what gives the stored bytes of an image, or its pixels where nothing is stored."""
    content = getattr(source.files, "content", None) if isinstance(source, DecodedSource) else None

    def pixels(number: int) -> bytes:
        image = source.image(number)
        return str(image.size).encode() + np.asarray(image).tobytes()

    if content is None or not isinstance(source, DecodedSource):
        return pixels
    decoded = source

    def stored(number: int) -> bytes:
        position = int(decoded.positions[number])
        try:
            return bytes(content(position))
        except Exception as error:  # what readers raise is not listed
            raise FaaError(f"The image '{decoded.files.name(position)}' cannot be read: {error}.") from error

    return stored
