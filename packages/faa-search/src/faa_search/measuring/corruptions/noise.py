"""Noise. Images are float64 ``[B, H, W, C]`` in [0, 1]; what leaves that range is cut off later."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtr

from faa_search.measuring.corruptions.draws import Draws, Floats


def gaussian_noise(images_BHWC: Floats, figures: tuple[float, ...], draws: Draws) -> Floats:
    """Add normal noise of a standard deviation."""
    (deviation,) = figures
    return images_BHWC + deviation * draws.normal("noise", *images_BHWC.shape[1:])


def shot_noise(images_BHWC: Floats, figures: tuple[float, ...], draws: Draws) -> Floats:
    """Count photons, of which white sends so many on average."""
    (photons,) = figures
    levels_BHWC = np.rint(255 * images_BHWC).astype(np.int64)
    counts_BHWC = _poisson(levels_BHWC, photons, draws.uniform("noise", *images_BHWC.shape[1:]))
    return counts_BHWC / photons


def impulse_noise(images_BHWC: Floats, figures: tuple[float, ...], draws: Draws) -> Floats:
    """Replace a share of the values, half of them by 0 and half by 1."""
    (share,) = figures
    drawn_BHWC = draws.uniform("noise", *images_BHWC.shape[1:])
    peppered_BHWC = np.where(drawn_BHWC < share / 2, 0.0, images_BHWC)
    return np.where(drawn_BHWC >= 1 - share / 2, 1.0, peppered_BHWC)


def _poisson(levels_BHWC: NDArray[np.int64], photons: float, drawn_BHWC: Floats) -> Floats:
    """Return Poisson counts of mean ``photons * level / 255``, the quantiles at uniform numbers in [0, 1).

    The distribution functions of all 256 levels lie behind each other, each raised by its level, so one search in one
    ascending row finds every quantile.
    """
    most = int(photons + 12 * photons**0.5 + 20)
    functions_LK = pdtr(np.arange(most), photons * np.arange(256)[:, None] / 255)
    row = (functions_LK + np.arange(256)[:, None]).ravel()
    places_BHWC = np.searchsorted(row, levels_BHWC + drawn_BHWC, side="right")
    counts_BHWC: Floats = (places_BHWC - most * levels_BHWC).astype(np.float64)
    return np.minimum(counts_BHWC, most)
