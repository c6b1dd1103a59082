"""From keyed uniform numbers to instructions, image by image: `faa_core.batch.drawing` for numba.

Only the numbers that matter are made. Floating point is strict: the bits are numpy's.
"""

import math
from typing import Any

import numpy as np
from numba import njit

from faa_core import randomness
from faa_core.batch.instructions import Base, Code, Numbers
from faa_core.batch.tables import Tables, Whole
from faa_core.ops import kernels

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
S11, S27, S30, S31 = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31)

normal = njit(cache=True, nogil=True)(randomness.normal)
crop_box = njit(cache=True, nogil=True)(kernels.crop_box)


@njit(cache=True, nogil=True, error_model="numpy")
def draw(
    tables: Tables,
    policy_key: np.uint64,
    baseline_key: np.uint64,
    indices_B: Whole,
    height: int,
    width: int,
    instructions_BS8: Numbers,
) -> None:
    """Write the instructions of a batch into zeros of shape ``[B, S', 8]``; see `drawing.draw_instructions`."""
    for b in range(len(indices_B)):
        start = start_of(policy_key, indices_B[b])
        for stage in range(len(tables.count_S)):
            draw_stage(tables, stage, start, height, width, instructions_BS8[b, stage])
        after = len(tables.count_S)
        if after < instructions_BS8.shape[1]:
            start = start_of(baseline_key, indices_B[b])
            draw_baseline(tables, start, height, width, instructions_BS8[b, after:])


@njit(cache=True, nogil=True, error_model="numpy")
def mixed(bits: Any) -> Any:
    """Return the SplitMix64 finaliser of 64 bits."""
    bits = (bits ^ (bits >> S30)) * FIRST
    bits = (bits ^ (bits >> S27)) * SECOND
    return bits ^ (bits >> S31)


@njit(cache=True, nogil=True, error_model="numpy")
def start_of(key: Any, index: Any) -> Any:
    """Return where an image's numbers start."""
    return mixed(key ^ mixed(np.uint64(index) + GOLDEN))


@njit(cache=True, nogil=True, error_model="numpy")
def uniform(start: Any, slot: Any) -> Any:
    """Return the uniform number of a slot, in [0, 1)."""
    return np.float64(mixed(start + np.uint64(slot + 1) * GOLDEN) >> S11) * 2.0**-53


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def draw_stage(tables: Any, stage: Any, start: Any, height: Any, width: Any, row_8: Any) -> None:
    """Write one stage's instruction."""
    slots_S5, gate = tables.slots_S5, tables.slots_S5[stage, 3]
    pick = uniform(start, slots_S5[stage, 0])
    if tables.cumulative_SK.shape[1] > 0:
        use = np.searchsorted(tables.cumulative_SK[stage], pick, side="right")
    else:
        use = np.int64(pick * tables.count_S[stage])
    operation = tables.operation_SK[stage, use]
    if operation < 0:
        return
    p_SK2 = tables.p_SK2
    p = p_SK2[stage, use, 0]
    if slots_S5[stage, 1] >= 0:
        p += uniform(start, slots_S5[stage, 1]) * (p_SK2[stage, use, 1] - p)
    if uniform(start, gate) >= p:
        return
    argument = argument_of(tables, stage, use, operation, start)
    base, fill = tables.whole_O3[operation, 0], tables.whole_O3[operation, 2]
    row_8[7] = fill
    if base <= Base.Crop.value:
        place = (uniform(start, gate + 2), uniform(start, gate + 3)) if base == Base.Crop.value else (0.0, 0.0)
        inverse_map(base, argument, place, height, width, row_8)
        whole_pixels(tables.whole_7[2] == 1, row_8)
    elif base <= Base.CutoutAbs.value:
        place = (uniform(start, gate + 2), uniform(start, gate + 3))
        shape = (uniform(start, slots_S5[stage, 4]), uniform(start, slots_S5[stage, 4] + 1))
        boxes(base, argument, place, shape, height, width, row_8)
    else:
        place = (uniform(start, gate + 2), 0.0) if base == Base.SamplePairing.value else (0.0, 0.0)
        levels(base, argument, math.floor(place[0] * tables.whole_7[3]), row_8)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def argument_of(tables: Any, stage: Any, use: Any, operation: Any, start: Any) -> Any:
    """Return the argument that is drawn for a use of an operation."""
    slots_S5, magnitude_SK2, axis_O3 = tables.slots_S5, tables.magnitude_SK2, tables.axis_O3
    magnitude = magnitude_SK2[stage, use, 0]
    std = tables.real_2[1]
    if std > 0:
        magnitude += std * normal(uniform(start, slots_S5[stage, 2]))
        magnitude = min(1.0, max(0.0, magnitude))
    elif slots_S5[stage, 2] >= 0:
        position = uniform(start, slots_S5[stage, 2])
        bins = tables.whole_7[1]
        if bins > 0:
            position = math.floor(position * bins) / (bins - 1)
        magnitude += position * (magnitude_SK2[stage, use, 1] - magnitude)
    low = axis_O3[operation, 0]
    argument = low + magnitude * (axis_O3[operation, 1] - low)
    if tables.whole_O3[operation, 1] == 1 and uniform(start, slots_S5[stage, 3] + 1) < 0.5:
        argument = 2 * axis_O3[operation, 2] - argument
    return argument


@njit(cache=True, nogil=True, error_model="numpy")
def inverse_map(base: Any, argument: Any, place: Any, height: Any, width: Any, row_8: Any) -> None:
    """Write the map of a geometric operation."""
    row_8[0] = Code.AFFINE.value
    row_8[1] = row_8[5] = 1.0
    if base == Base.ShearX.value:
        row_8[2] = argument
    elif base == Base.ShearY.value:
        row_8[4] = argument
    elif base == Base.TranslateX.value:
        row_8[3] = argument * width
    elif base == Base.TranslateY.value:
        row_8[6] = argument * height
    elif base == Base.TranslateXAbs.value:
        row_8[3] = argument
    elif base == Base.TranslateYAbs.value:
        row_8[6] = argument
    elif base == Base.TranslateXWhole.value:
        row_8[3] = np.trunc(argument * width)
    elif base == Base.TranslateYWhole.value:
        row_8[6] = np.trunc(argument * height)
    elif base == Base.TranslateXPixels.value:
        row_8[3] = np.trunc(argument)
    elif base == Base.TranslateYPixels.value:
        row_8[6] = np.trunc(argument)
    elif base == Base.Flip.value:
        if argument < 0:
            row_8[1], row_8[3] = -1.0, width
    elif base == Base.Crop.value:
        pad = np.trunc(argument)
        row_8[3] = math.floor(place[0] * (2 * pad + 1)) - pad
        row_8[6] = math.floor(place[1] * (2 * pad + 1)) - pad
    elif base == Base.Rotate.value:
        rotation(argument % 360.0, height, width, row_8)


@njit(cache=True, nogil=True, error_model="numpy")
def rotation(turn: Any, height: Any, width: Any, row_8: Any) -> None:
    """Write the map of a rotation by degrees in [0, 360)."""
    if turn == 0:
        return
    if turn == 180:
        row_8[1], row_8[2], row_8[3], row_8[4], row_8[5], row_8[6] = -1.0, 0.0, width, 0.0, -1.0, height
    elif turn == 90 and width == height:
        row_8[1], row_8[2], row_8[3], row_8[4], row_8[5], row_8[6] = 0.0, -1.0, width, 1.0, 0.0, 0.0
    elif turn == 270 and width == height:
        row_8[1], row_8[2], row_8[3], row_8[4], row_8[5], row_8[6] = 0.0, 1.0, 0.0, -1.0, 0.0, height
    else:
        radians = -math.radians(turn)
        cosine, sine = np.rint(math.cos(radians) * 1e15) / 1e15, np.rint(math.sin(radians) * 1e15) / 1e15
        x, y = width / 2, height / 2
        row_8[1], row_8[2], row_8[3] = cosine, sine, cosine * -x + sine * -y + x
        row_8[4], row_8[5], row_8[6] = -sine, cosine, -sine * -x + cosine * -y + y


@njit(cache=True, nogil=True, error_model="numpy")
def whole_pixels(nearest: Any, row_8: Any) -> None:
    """Round translations to whole pixels where maps are sampled so, and drop the map that changes nothing."""
    straight = row_8[2] == 0 and row_8[4] == 0
    if nearest and straight:
        row_8[3], row_8[6] = math.floor(row_8[3] + 0.5), math.floor(row_8[6] + 0.5)
    if straight and row_8[1] == 1 and row_8[5] == 1 and row_8[3] == 0 and row_8[6] == 0:
        row_8[0] = Code.NOTHING.value


@njit(cache=True, nogil=True, error_model="numpy")
def boxes(base: Any, argument: Any, place: Any, shape: Any, height: Any, width: Any, row_8: Any) -> None:
    """Write the box of a random resized crop or a cutout."""
    if base == Base.RandomResizedCrop.value:
        row_8[0] = Code.RESIZE.value
        row_8[1], row_8[2], row_8[3], row_8[4] = crop_box(width, height, argument, shape, place)
        return
    half = (argument * width if base == Base.Cutout.value else argument) / 2
    for axis in range(2):
        size = width if axis == 0 else height
        centre = place[axis] * size
        row_8[1 + axis] = min(max(math.ceil(centre - half - 0.5), 0), size)
        row_8[3 + axis] = min(max(math.ceil(centre + half - 0.5), 0), size)
    if row_8[3] > row_8[1] and row_8[4] > row_8[2]:
        row_8[0] = Code.FILL.value


@njit(cache=True, nogil=True, error_model="numpy")
def levels(base: Any, argument: Any, partner: Any, row_8: Any) -> None:
    """Write an operation that moves no pixel."""
    row_8[1] = argument
    if base in (Base.Solarize.value, Base.Invert.value):
        row_8[1] = max(math.ceil(argument), 0) if base == Base.Solarize.value else 0
        row_8[0] = Code.NOTHING.value if row_8[1] > 255 else Code.SOLARIZE.value
    elif base == Base.SolarizeAdd.value:
        row_8[1] = np.trunc(argument)
        row_8[0] = Code.NOTHING.value if row_8[1] == 0 else Code.SOLARIZE_ADD.value
    elif base in (Base.Posterize.value, Base.Posterize2.value):
        bits = min(max(np.trunc(argument), 0), 8)
        row_8[1] = 256 - 2.0 ** (8 - bits)
        row_8[0] = Code.NOTHING.value if bits == 8 else Code.POSTERIZE.value
    elif base == Base.AutoContrast.value:
        row_8[0], row_8[1] = Code.AUTO_CONTRAST.value, 0
    elif base == Base.Equalize.value:
        row_8[0], row_8[1] = Code.EQUALIZE.value, 0
    elif base == Base.SamplePairing.value:
        row_8[0], row_8[2] = (Code.NOTHING.value if argument == 0 else Code.MIX.value), partner
    elif argument != 1:
        row_8[0] = Code.BRIGHTNESS.value + base - Base.Brightness.value


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def draw_baseline(tables: Any, start: Any, height: Any, width: Any, rows_S8: Any) -> None:
    """Write the baseline's crop and flip, and its cutout."""
    _slots, _bins, _nearest, _partners, pad, cutout, fill = tables.whole_7
    hflip, at = tables.real_2[0], 0
    if pad > 0 or hflip > 0:
        down = math.floor(uniform(start, 0) * (2 * pad + 1)) - pad
        right = math.floor(uniform(start, 1) * (2 * pad + 1)) - pad
        flipped = uniform(start, 2) < hflip
        row_8 = rows_S8[0]
        row_8[0] = Code.AFFINE.value if flipped or down != 0 or right != 0 else Code.NOTHING.value
        row_8[1], row_8[5] = -1.0 if flipped else 1.0, 1.0
        row_8[3], row_8[6] = right + width if flipped else right, down
        at = 1
    if cutout > 0:
        row_8 = rows_S8[at]
        top = math.floor(uniform(start, 3) * height) - cutout // 2
        left = math.floor(uniform(start, 4) * width) - cutout // 2
        row_8[0], row_8[7] = Code.FILL.value, fill
        row_8[1], row_8[2] = max(left, 0), max(top, 0)
        row_8[3], row_8[4] = min(left + cutout, width), min(top + cutout, height)
