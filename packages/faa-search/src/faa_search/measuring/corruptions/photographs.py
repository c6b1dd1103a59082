"""Photographs of frost, which a corruption is made from and which we do not ship."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from faa_core import FaaError
from faa_core.reading import size_of

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
LARGEST = 8192  # pixels a side
MOST = 100


def read_photographs(folder: Path) -> tuple[NDArray[np.uint8], ...]:
    """Return the images of a folder, each ``[H, W, 3]``, ordered by name.

    Raises:
        FaaError: If there are none or too many, or one cannot be read or is too large.
    """
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if not 1 <= len(paths) <= MOST:
        raise FaaError(
            f"'{folder}' holds {len(paths)} photographs ({', '.join(sorted(SUFFIXES))}); "
            f"give a folder with 1 to {MOST}."
        )
    return tuple(_read(path) for path in paths)


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        if not size_of(path):
            raise ValueError("it is empty")
        with Image.open(path) as image:
            if max(image.size) > LARGEST:
                raise FaaError(f"The photograph '{path}' has more than {LARGEST} pixels a side; make it smaller.")
            return np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise FaaError(f"The photograph '{path}' cannot be read: {error}") from error
