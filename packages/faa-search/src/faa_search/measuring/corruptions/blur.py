"""Blur. Images are float64 ``[B, H, W, C]`` in [0, 1], square."""

import math

import numpy as np
from scipy.ndimage import correlate1d, gaussian_filter
from scipy.signal import fftconvolve

from faa_search.measuring.corruptions.draws import Draws, Floats


def defocus_blur(images_BHWC: Floats, figures: tuple[float, ...], _draws: Draws) -> Floats:
    """Spread each point over a disk with a softened edge: its radius in pixels, and the softening's deviation."""
    kernel_KK = disk(*figures)
    reach = len(kernel_KK) // 2
    padded_BHWC = np.pad(images_BHWC, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="reflect")
    blurred_BHWC: Floats = fftconvolve(padded_BHWC, kernel_KK[None, :, :, None], mode="valid", axes=(1, 2))
    return blurred_BHWC


def disk(radius: float, softening: float) -> Floats:
    """Return a kernel that adds up to 1: the pixels within a radius, blurred over the next (of a large one, two)."""
    taps = 1 if radius <= 8 else 2
    reach = int(radius) + taps
    offsets = np.arange(-reach, reach + 1)
    inside_KK = (offsets[:, None] ** 2 + offsets**2 <= radius**2).astype(np.float64)
    weights = np.exp(-(np.arange(-taps, taps + 1) ** 2) / (2 * softening**2))
    for axis in (0, 1):
        inside_KK = correlate1d(inside_KK, weights, axis=axis, mode="constant")
    kernel_KK: Floats = inside_KK / inside_KK.sum()
    return kernel_KK


def glass_blur(images_BHWC: Floats, figures: tuple[float, ...], draws: Draws) -> Floats:
    """Blur, let each pixel take a near one's value some times over, and blur again.

    The original means to swap two pixels, but copies one only: its two views name the same memory. So do we, since
    the published images are made that way.

    Args:
        images_BHWC: Images.
        figures: Deviation of the blur in pixels, furthest pixel, and how often.
        draws: Which near ones.
    """
    deviation, furthest, times = figures[0], int(figures[1]), int(figures[2])
    side = images_BHWC.shape[1]
    deviations = (0, deviation, deviation, 0)
    shuffled_BHWC = np.floor(255 * gaussian_filter(images_BHWC, deviations, mode="nearest") + 1e-6) / 255
    places = range(side - furthest, furthest, -1)
    steps_B = np.arange(len(shuffled_BHWC))
    for time in range(times):
        drawn_BHW2 = draws.uniform(f"places {time}", side, side, 2, low=-furthest, high=furthest)
        offsets_BHW2 = np.floor(drawn_BHW2).astype(np.int64)
        for y in places:
            for x in places:
                dy_B, dx_B = offsets_BHW2[:, y, x, 0], offsets_BHW2[:, y, x, 1]
                shuffled_BHWC[:, y, x] = shuffled_BHWC[steps_B, y + dy_B, x + dx_B]
    blurred_BHWC: Floats = gaussian_filter(shuffled_BHWC, deviations, mode="nearest")
    return blurred_BHWC


def motion_blur(images_BHWC: Floats, figures: tuple[float, ...], draws: Draws) -> Floats:
    """Smear in a direction of −45° … 45°: the kernel's radius and deviation, in pixels."""
    return smeared(images_BHWC, *figures, degrees_B=draws.uniform("direction", low=-45, high=45))


def smeared(images_BHWC: Floats, radius: float, deviation: float, *, degrees_B: Floats) -> Floats:
    """Return images where each pixel is a weighted mean along a ray, as ImageMagick's motion blur.

    Args:
        images_BHWC: Images; beyond the border, its pixels go on.
        radius: The ray has twice as many steps.
        deviation: Of the half bell that weighs the steps, in pixels.
        degrees_B: Where the ray goes; 0 is right, 90 is down.
    """
    steps = np.arange(2 * math.ceil(radius) + 1)
    weights = np.exp(-(steps**2) / (2 * deviation**2))
    weights /= weights.sum()
    radians_B1 = np.deg2rad(degrees_B)[:, None]
    dx_BS = np.ceil(steps * np.cos(radians_B1) - 0.5).astype(np.int64)
    dy_BS = np.ceil(steps * np.sin(radians_B1) - 0.5).astype(np.int64)
    height, width = images_BHWC.shape[1:3]
    numbers_B11 = np.arange(len(images_BHWC))[:, None, None]
    result_BHWC = np.zeros_like(images_BHWC)
    for step, weight in zip(steps, weights, strict=True):
        y_BH = (np.arange(height) + dy_BS[:, step, None]).clip(0, height - 1)
        x_BW = (np.arange(width) + dx_BS[:, step, None]).clip(0, width - 1)
        result_BHWC += weight * images_BHWC[numbers_B11, y_BH[:, :, None], x_BW[:, None, :]]
    return result_BHWC


def zoom_blur(images_BHWC: Floats, figures: tuple[float, ...], _draws: Draws) -> Floats:
    """Average the image with itself at growing zooms: where they end, and their step."""
    factors = np.arange(1, *figures)
    total_BHWC: Floats = images_BHWC + sum(zoomed(images_BHWC, factor) for factor in factors)
    return total_BHWC / (len(factors) + 1)


def zoomed(images_BHWC: Floats, factor: float) -> Floats:
    """Return the centre of square images, magnified to their size by linear interpolation."""
    matrix_HK = _magnification(images_BHWC.shape[1], factor)
    magnified_BHWC: Floats = np.einsum("hy,byxc,wx->bhwc", matrix_HK, images_BHWC, matrix_HK, optimize=True)
    return magnified_BHWC


def _magnification(side: int, factor: float) -> Floats:
    """Return what magnifies one axis, ``[side, side]``: the centre's ends become the ends; what is too much is cut."""
    kept = math.ceil(side / factor)
    first = (side - kept) // 2
    made = round(kept * factor)
    trimmed = (made - side) // 2
    places = (np.arange(side) + trimmed) * (kept - 1) / max(made - 1, 1)
    below = np.minimum(np.floor(places).astype(np.int64), max(kept - 2, 0))
    matrix_HK = np.zeros((side, side))
    rows = np.arange(side)
    matrix_HK[rows, first + below] += 1 - (places - below)
    matrix_HK[rows, first + np.minimum(below + 1, kept - 1)] += places - below
    return matrix_HK
