"""Making corrupted images, a batch at a time."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from faa_core import FaaError, UnknownNameError
from faa_search.measuring.corruptions.draws import Draws, Floats
from faa_search.measuring.corruptions.table import CORRUPTIONS, SEVERITIES, Corruption

AT_ONCE = 2**21  # values that are worked on together, to bound memory
SMALLEST = 4


def corrupt(
    images_NHWC: NDArray[np.uint8],
    name: str,
    severity: int,
    *,
    seed: int = 0,
    indices_N: NDArray[np.int64] | None = None,
    photographs: Sequence[NDArray[np.uint8]] = (),
) -> NDArray[np.uint8]:
    """Return corrupted images.

    Args:
        images_NHWC: RGB, uint8, square, at least 4 px a side.
        name: Of the corruption, such as ``"fog"``.
        severity: 1 to 5.
        seed: Keys the random draws, with the name, the severity and the image's index.
        indices_N: Which images these are, non-negative; default: they are numbered from 0.
        photographs: RGB, uint8; what frost is made from.

    Returns:
        uint8 ``[N, H, W, 3]``; fractions are cut off, as in the published files.

    Raises:
        FaaError: If the name, the severity or the images are not as described, or frost has no photographs.
    """
    row = _row(name)
    if severity not in SEVERITIES:
        raise FaaError(f"There is no severity {severity} of '{name}'; give 1, 2, 3, 4 or 5.")
    shape = images_NHWC.shape
    if images_NHWC.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or not SMALLEST <= shape[1] == shape[2]:
        raise FaaError(
            f"Images are {images_NHWC.dtype} {list(shape)}; give uint8 [N, S, S, 3] with a side of {SMALLEST} or more."
        )
    indices = np.arange(len(images_NHWC)) if indices_N is None else indices_N
    kernel = partial(row.kernel, photographs=photographs) if row.needs_photographs else row.kernel
    figures = row.figures(severity, shape[1])
    result = np.empty_like(images_NHWC)
    step = max(1, AT_ONCE // (shape[1] * shape[2] * 3))
    for start in range(0, len(images_NHWC), step):
        part = slice(start, start + step)
        draws = Draws(parts=(seed, name, severity), indices_B=indices[part])
        result[part] = _cut(kernel(images_NHWC[part] / 255, figures, draws))
    return result


def _row(name: str) -> Corruption:
    for row in CORRUPTIONS:
        if row.name == name:
            return row
    raise UnknownNameError("corruption", name, [row.name for row in CORRUPTIONS])


def _cut(images: Floats) -> NDArray[np.uint8]:
    """Return values of [0, 1] as bytes; a whole number that arithmetic left just below stays itself."""
    return np.floor(255 * images.clip(0, 1) + 1e-6).astype(np.uint8)
