"""What happens to each image of a batch, in numbers that every engine reads: B images, S stages, 8 numbers each.

An instruction is ``(code, six parameters, fill)`` in float64, which holds whole numbers, Pillow's matrices and float32
factors exactly. Operations become few codes: every shear, translation, rotation, flip and padded crop is one inverse
affine map; Invert is Solarize at 0. What leaves the image as it is becomes `NOTHING`.

| code | parameters |
|---|---|
| AFFINE | inverse map a0…a5: output (x, y) reads the input at (a0·x + a1·y + a2, a3·x + a4·y + a5), centres at + ½ |
| FILL | left, top, right, bottom of the box, the last two exclusive |
| SOLARIZE | whole threshold, 0…255 |
| SOLARIZE_ADD | whole addend for values below 128 |
| POSTERIZE | mask, 0…254 |
| BRIGHTNESS, CONTRAST, COLOR, SHARPNESS | factor |
| AUTO_CONTRAST, EQUALIZE | none |
| MIX | weight, number of the partner |
| RESIZE | left, top, width, height of the part that is brought to the image's size |

Fill is RGB as 65536·R + 256·G + B.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from faa_core.ops import Colour, geometry

Numbers = NDArray[np.float64]
WIDTH = 8
LONGEST_SIDE = 8192  # pixels; keeps Pillow's 16.16 fixed point, and so ours, below 32,768 for shears of up to 3


class Code(IntEnum):
    """What an instruction does."""

    NOTHING = 0
    AFFINE = 1
    FILL = 2
    SOLARIZE = 3
    SOLARIZE_ADD = 4
    POSTERIZE = 5
    BRIGHTNESS = 6
    CONTRAST = 7
    COLOR = 8
    SHARPNESS = 9
    AUTO_CONTRAST = 10
    EQUALIZE = 11
    MIX = 12
    RESIZE = 13


class Base(IntEnum):
    """The standard operations whose pixels a batch can have; names are the table's `Operation.base`."""

    Identity = 0
    ShearX = 1
    ShearY = 2
    TranslateX = 3
    TranslateY = 4
    TranslateXWhole = 5
    TranslateYWhole = 6
    TranslateXPixels = 7
    TranslateYPixels = 8
    TranslateXAbs = 9
    TranslateYAbs = 10
    Rotate = 11
    Flip = 12
    Crop = 13
    RandomResizedCrop = 14
    Cutout = 15
    CutoutAbs = 16
    Solarize = 17
    SolarizeAdd = 18
    Invert = 19
    Posterize = 20
    Posterize2 = 21
    Brightness = 22
    Contrast = 23
    Color = 24
    Sharpness = 25
    AutoContrast = 26
    Equalize = 27
    SamplePairing = 28


def packed(colour: Colour) -> int:
    """Return an RGB colour as one number."""
    red, green, blue = colour
    return red * 65536 + green * 256 + blue


def instructions_of(
    base: Base,
    argument_N: Numbers,
    place_N2: Numbers,
    shape_N2: Numbers,
    *,
    height: int,
    width: int,
    nearest: bool,
    partners: int,
) -> Numbers:
    """Return code and parameters of N applications of one operation, shape ``[N, 7]``.

    Args:
        base: The operation.
        argument_N: In its unit.
        place_N2: Draws (x, y) in [0, 1).
        shape_N2: Draws (area, aspect) in [0, 1).
        height: Of the images.
        width: Of the images.
        nearest: Whether maps are sampled so, which makes whole pixels of every translation.
        partners: How many images there are to mix in.
    """
    rows_N7 = np.zeros((len(argument_N), WIDTH - 1))
    match base:
        case Base.Identity:
            return rows_N7
        case Base.Cutout | Base.CutoutAbs:
            side_N = argument_N * width if base is Base.Cutout else argument_N
            return _boxes(rows_N7, side_N, place_N2, height, width)
        case Base.RandomResizedCrop:
            rows_N7[:, 0] = Code.RESIZE
            for row, least, shape, place in zip(rows_N7, argument_N, shape_N2, place_N2, strict=True):
                row[1:5] = geometry.crop_box(width, height, least, tuple(shape), tuple(place))
        case Base.SamplePairing:
            rows_N7[:, 0] = np.where(argument_N == 0, Code.NOTHING, Code.MIX)
            rows_N7[:, 1] = argument_N
            rows_N7[:, 2] = np.floor(place_N2[:, 0] * partners)
        case Base.AutoContrast | Base.Equalize:
            rows_N7[:, 0] = Code.AUTO_CONTRAST if base is Base.AutoContrast else Code.EQUALIZE
        case Base.Brightness | Base.Contrast | Base.Color | Base.Sharpness:
            rows_N7[:, 0] = np.where(argument_N == 1, Code.NOTHING, Code[base.name.upper()])
            rows_N7[:, 1] = argument_N
        case Base.Solarize | Base.Invert | Base.SolarizeAdd | Base.Posterize | Base.Posterize2:
            return _levels(rows_N7, base, argument_N)
        case _:
            rows_N7[:, 0] = Code.AFFINE
            rows_N7[:, 1:] = _inverse_map(base, argument_N, place_N2, height, width)
            if nearest:
                straight_N = (rows_N7[:, 2] == 0) & (rows_N7[:, 4] == 0)
                rows_N7[straight_N, 3::3] = np.floor(rows_N7[straight_N, 3::3] + 0.5)
            rows_N7[(rows_N7[:, 1:] == (1, 0, 0, 0, 1, 0)).all(axis=1), 0] = Code.NOTHING
    return rows_N7


def _levels(rows_N7: Numbers, base: Base, argument_N: Numbers) -> Numbers:
    """Return operations on each value by itself."""
    match base:
        case Base.Posterize | Base.Posterize2:
            bits_N = np.clip(np.trunc(argument_N), 0, 8)
            rows_N7[:, 0] = np.where(bits_N == 8, Code.NOTHING, Code.POSTERIZE)
            rows_N7[:, 1] = 256 - 2 ** (8 - bits_N)
        case Base.SolarizeAdd:
            addend_N = np.clip(np.trunc(argument_N), -255, 255)
            rows_N7[:, 0] = np.where(addend_N == 0, Code.NOTHING, Code.SOLARIZE_ADD)
            rows_N7[:, 1] = addend_N
        case _:
            threshold_N = np.maximum(np.ceil(argument_N), 0) if base is Base.Solarize else np.zeros_like(argument_N)
            rows_N7[:, 0] = np.where(threshold_N > 255, Code.NOTHING, Code.SOLARIZE)
            rows_N7[:, 1] = threshold_N
    return rows_N7


def _boxes(rows_N7: Numbers, side_N: Numbers, place_N2: Numbers, height: int, width: int) -> Numbers:
    """Return the squares of Cutout: pixels whose centre lies within half a side of the place."""
    size_2 = np.array([width, height], dtype=np.float64)
    centre_N2, half_N1 = place_N2 * size_2, side_N[:, None] / 2
    low_N2 = np.clip(np.ceil(centre_N2 - half_N1 - 0.5), 0, size_2)
    high_N2 = np.clip(np.ceil(centre_N2 + half_N1 - 0.5), 0, size_2)
    rows_N7[:, 0] = np.where((high_N2 > low_N2).all(axis=1), Code.FILL, Code.NOTHING)
    rows_N7[:, 1:3], rows_N7[:, 3:5] = low_N2, high_N2
    return rows_N7


def _inverse_map(base: Base, argument_N: Numbers, place_N2: Numbers, height: int, width: int) -> Numbers:
    """Return Pillow's matrix of each geometric operation, shape ``[N, 6]``."""
    matrix_N6 = np.tile(np.array([1.0, 0, 0, 0, 1, 0]), (len(argument_N), 1))
    entries = {
        Base.ShearX: (1, argument_N),
        Base.ShearY: (3, argument_N),
        Base.TranslateX: (2, argument_N * width),
        Base.TranslateY: (5, argument_N * height),
        Base.TranslateXAbs: (2, argument_N),
        Base.TranslateYAbs: (5, argument_N),
        Base.TranslateXWhole: (2, np.trunc(argument_N * width)),
        Base.TranslateYWhole: (5, np.trunc(argument_N * height)),
        Base.TranslateXPixels: (2, np.trunc(argument_N)),
        Base.TranslateYPixels: (5, np.trunc(argument_N)),
    }
    if base in entries:
        at, value_N = entries[base]
        matrix_N6[:, at] = value_N
    elif base is Base.Flip:
        matrix_N6[argument_N < 0] = (-1, 0, width, 0, 1, 0)
    elif base is Base.Crop:
        pad_N1 = np.trunc(argument_N)[:, None]
        matrix_N6[:, 2::3] = np.trunc(place_N2 * (2 * pad_N1 + 1)) - pad_N1
    else:
        return _rotation(matrix_N6, argument_N, height, width)
    return matrix_N6


def _rotation(matrix_N6: Numbers, degrees_N: Numbers, height: int, width: int) -> Numbers:
    """Return the matrix that Pillow's `Image.rotate` uses; quarter turns are exact there, so they are here."""
    turn_N = degrees_N % 360
    radians_N = -np.radians(turn_N)
    cosine_N, sine_N = np.round(np.cos(radians_N), 15), np.round(np.sin(radians_N), 15)
    matrix_N6[:, 0] = matrix_N6[:, 4] = cosine_N
    matrix_N6[:, 1], matrix_N6[:, 3] = sine_N, -sine_N
    x, y = width / 2, height / 2
    matrix_N6[:, 2] = cosine_N * -x + sine_N * -y + x
    matrix_N6[:, 5] = -sine_N * -x + cosine_N * -y + y
    matrix_N6[turn_N == 0] = (1, 0, 0, 0, 1, 0)
    matrix_N6[turn_N == 180] = (-1, 0, width, 0, -1, height)
    if width == height:
        matrix_N6[turn_N == 90] = (0, -1, width, 1, 0, 0)
        matrix_N6[turn_N == 270] = (0, 1, 0, -1, 0, height)
    return matrix_N6
