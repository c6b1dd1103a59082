"""Whether two data sets hold the same images, wherever they lie: digests of what is stored, before any resizing."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faa_core import FaaError
from faa_search.data.source import ArraySource, DecodedSource, ImageSource

MOST_READ = 2**30  # bytes; of larger sets of files the content of evenly spread ones, about this much, is compared
DIGEST = 16  # bytes
BLOCK = 256  # images that are read together


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """Digests of images.

    Attributes:
        digests: By what they are of, as text. ``classes``: the classes' names. ``files``, for image files only: their
            names, below the folder, and sizes. ``content``: all pixels of arrays; all bytes of files, or of evenly
            spread ones where they are more than 1 GiB; of other sources all pixels or those of evenly spread images.
        images: A short digest of each image that was read, by source: equal for images of equal content.
    """

    digests: dict[str, str]
    images: tuple[NDArray[np.uint64], ...]


def fingerprint(sources: Sequence[ImageSource]) -> Fingerprint:
    """Return digests of images.

    Args:
        sources: The images as they come, such as those of each split.

    Raises:
        FaaError: If an image cannot be read.
    """
    classes, files, content = (hashlib.blake2b(digest_size=DIGEST) for _ in range(3))
    stored = False
    images = []
    for source in sources:
        classes.update("\0".join(source.class_names).encode("utf-8", "surrogatepass") + b"\0\0")
        if isinstance(source, ArraySource):
            images.append(_of_arrays(source, content))
            continue
        sizes = _sizes(source, files)
        stored = stored or sizes is not None
        read = _reader(source)
        each = []
        for number in range(0, len(source), _step(source, sizes, read)):
            part = read(number)
            content.update(len(part).to_bytes(8, "little"))
            content.update(part)
            each.append(_short(part))
        images.append(np.array(each, dtype=np.uint64))
    digests = {"classes": classes.hexdigest(), "content": content.hexdigest()}
    return Fingerprint(digests | ({"files": files.hexdigest()} if stored else {}), tuple(images))


def _of_arrays(source: ArraySource, content: Any) -> NDArray[np.uint64]:
    """Return the images' short digests, after all pixels went into the digest of the content."""
    content.update(str((len(source), *source.side, 3)).encode())
    each = []
    for start in range(0, len(source), BLOCK):  # a copy of all would be as large as they are
        pixels = np.ascontiguousarray(source.pixels(np.arange(start, min(start + BLOCK, len(source)))))
        content.update(pixels.data)
        each += [_short(image.data) for image in pixels]
    return np.array(each, dtype=np.uint64)


def _short(content: Any) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


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
