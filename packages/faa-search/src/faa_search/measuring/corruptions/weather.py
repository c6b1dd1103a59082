"""Weather and light. Images are float64 ``[B, H, W, C]`` in [0, 1], square."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faa_core import FaaError
from faa_search.measuring.corruptions.blur import smeared, zoomed
from faa_search.measuring.corruptions.draws import Draws, Floats

LUMA = (0.299, 0.587, 0.114)


def snow(images_BHWC: Floats, figures: tuple[float, ...], draws: Draws) -> Floats:
    """Whiten, and add flakes that fall in two opposite directions.

    Args:
        images_BHWC: Images.
        figures: Mean and deviation of the flakes' noise, its zoom, the brightness below which there is no flake,
            radius and deviation of its smear in pixels, and the share of the image that is not whitened.
        draws: The noise and the direction.
    """
    mean, deviation, zoom, threshold, radius, smear, kept = figures
    noise_BHW1 = mean + deviation * draws.normal("flakes", *images_BHWC.shape[1:3], 1)
    flakes_BHW1 = zoomed(noise_BHW1, zoom)
    flakes_BHW1 = np.where(flakes_BHW1 < threshold, 0.0, flakes_BHW1).clip(0, 1)
    fallen_BHW1 = smeared(flakes_BHW1, radius, smear, degrees_B=draws.uniform("direction", low=-135, high=-45))
    grey_BHW1 = (images_BHWC @ np.array(LUMA))[..., None]
    whitened_BHWC: Floats = kept * images_BHWC + (1 - kept) * np.maximum(images_BHWC, 1.5 * grey_BHW1 + 0.5)
    return whitened_BHWC + fallen_BHW1 + fallen_BHW1[:, ::-1, ::-1]


def frost(
    images_BHWC: Floats, figures: tuple[float, ...], draws: Draws, *, photographs: Sequence[NDArray[np.uint8]]
) -> Floats:
    """Lay a random part of a random photograph of frost over the image.

    Args:
        images_BHWC: Images.
        figures: Weight of the image, weight of the frost, and the scale at which the photograph is used.
        draws: Which photograph and which part.
        photographs: Shape ``[h, w, 3]`` each.

    Raises:
        FaaError: If there is none, or one is smaller than the images at that scale.
    """
    if not photographs:
        raise FaaError("Frost is made from photographs of frost; give a folder of them.")
    own, other, scale = figures
    side = images_BHWC.shape[1]
    scaled = [np.asarray(_scaled(one, scale, side)) / 255 for one in photographs]
    drawn_B3 = draws.uniform("part", 3)
    parts_BHWC = np.empty_like(images_BHWC)
    for number, (which, down, right) in enumerate(drawn_B3):
        one = scaled[int(which * len(scaled))]
        y, x = int(down * (one.shape[0] - side + 1)), int(right * (one.shape[1] - side + 1))
        parts_BHWC[number] = one[y : y + side, x : x + side]
    return own * images_BHWC + other * parts_BHWC


def fog(images_BHWC: Floats, figures: tuple[float, ...], draws: Draws) -> Floats:
    """Add fractal fog and darken to the range that the image had: its thickness, and the roughness's decay."""
    thickness, decay = figures
    side = images_BHWC.shape[1]
    brightest_B111: Floats = images_BHWC.max(axis=(1, 2, 3), keepdims=True)
    fogged_BHWC: Floats = images_BHWC + thickness * plasma(side, decay, draws)[..., None]
    darkened_BHWC: Floats = fogged_BHWC * brightest_B111 / (brightest_B111 + thickness)
    return darkened_BHWC


def brightness(images_BHWC: Floats, figures: tuple[float, ...], _draws: Draws) -> Floats:
    """Raise the value of HSV; hue and saturation stay, so all channels grow in proportion."""
    (more,) = figures
    value_BHW1 = images_BHWC.max(axis=-1, keepdims=True)
    raised_BHW1 = np.minimum(value_BHW1 + more, 1)
    black_BHW1 = value_BHW1 == 0
    factor_BHW1 = raised_BHW1 / np.where(black_BHW1, 1, value_BHW1)
    lit_BHWC: Floats = np.where(black_BHW1, raised_BHW1, images_BHWC * factor_BHW1)
    return lit_BHWC


def plasma(side: int, decay: float, draws: Draws) -> Floats:
    """Return fractal heights from 0 to 1, ``[B, side, side]``, by the diamond-square algorithm on a torus.

    Args:
        side: Of the result; it is cut out of the next power of two.
        decay: By which the random part shrinks from one scale to the next. The part's reach is its square.
        draws: The random part.
    """
    size = 1 << (side - 1).bit_length()
    random_BSS = draws.uniform("heights", size, size, low=-1, high=1)
    heights_BSS = np.zeros_like(random_BSS)
    step, reach = size, 100.0
    while step >= 2:
        half = step // 2
        for rows, columns in ((half, half), (0, half), (half, 0)):
            around = _diagonal if rows == columns else _straight
            here = np.s_[:, rows::step, columns::step]
            heights_BSS[here] = around(heights_BSS, half)[here] + reach**2 * random_BSS[here]
        step, reach = half, reach / decay
    lowest, highest = (bound(heights_BSS, axis=(1, 2), keepdims=True) for bound in (np.min, np.max))
    evened_BSS: Floats = (heights_BSS - lowest) / (highest - lowest)
    return evened_BSS[:, :side, :side]


def _diagonal(heights_BSS: Floats, half: int) -> Floats:
    """Return each point's mean over the four at the corners of a square around it."""
    sides_BSS = np.roll(heights_BSS, half, axis=1) + np.roll(heights_BSS, -half, axis=1)
    mean_BSS: Floats = (np.roll(sides_BSS, half, axis=2) + np.roll(sides_BSS, -half, axis=2)) / 4
    return mean_BSS


def _straight(heights_BSS: Floats, half: int) -> Floats:
    """Return each point's mean over the four above, below, left and right of it."""
    vertical_BSS = np.roll(heights_BSS, half, axis=1) + np.roll(heights_BSS, -half, axis=1)
    mean_BSS: Floats = (vertical_BSS + np.roll(heights_BSS, half, axis=2) + np.roll(heights_BSS, -half, axis=2)) / 4
    return mean_BSS


def _scaled(photograph: NDArray[np.uint8], scale: float, side: int) -> Image.Image:
    image = Image.fromarray(photograph)
    size = (round(scale * image.width), round(scale * image.height))
    if min(size) < side:
        raise FaaError(
            f"A photograph of frost is {image.width}×{image.height} px; images of {side} px need at least "
            f"{side / scale:.0f} px a side."
        )
    return image.resize(size, Image.Resampling.BILINEAR)
