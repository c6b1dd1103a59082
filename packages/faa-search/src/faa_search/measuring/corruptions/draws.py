"""Random numbers of a corruption: keyed by what asks and by the image, so batches and order change no pixel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from faa_core.randomness import key_of, uniforms

Floats = NDArray[np.float64]
HALF_A_BIT = 2.0**-54  # uniform numbers have 53 bits and can be 0, where the normal quantile is infinite


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Draws:
    """What the images of a batch draw from.

    Attributes:
        parts: What the key is made of: a seed, the corruption, its severity.
        indices_B: Which images these are, int64, non-negative.
    """

    parts: tuple[int | str, ...]
    indices_B: NDArray[np.int64]

    def uniform(self, what: str, *shape: int, low: float = 0.0, high: float = 1.0) -> Floats:
        """Return numbers in [low, high), shape ``[B, *shape]``; those of another `what` are independent."""
        key = key_of("corruption", *self.parts, what)
        drawn = uniforms(key, self.indices_B, int(np.prod(shape, dtype=np.int64))).reshape(-1, *shape)
        return low + (high - low) * drawn

    def normal(self, what: str, *shape: int) -> Floats:
        """Return standard normal numbers, shape ``[B, *shape]``."""
        quantiles: Floats = ndtri(self.uniform(what, *shape) + HALF_A_BIT)
        return quantiles
