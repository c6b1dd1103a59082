"""From keyed uniform numbers to instructions, image by image: `faa_core.batch.drawing` for numba.

Only the numbers that matter are made. Floating point is strict: the bits are numpy's. What is called for every image
takes and returns plain numbers, because numba counts references to arrays.
"""

import math
from typing import Any

import numpy as np

from faa_core import randomness
from faa_core.batch.compiled.compiling import compiled
from faa_core.batch.instructions import Base, Code, Numbers
from faa_core.batch.tables import Tables, Whole
from faa_core.ops import geometry

mixed: Any = compiled()(randomness.mix)
normal = compiled()(randomness.normal)
crop_box = compiled()(geometry.crop_box)


@compiled(error_model="numpy")
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
    slots_S5, count_S, cumulative_SK, operation_SK, p_SK2, magnitude_SK2, whole_O3, axis_O3, whole_8, real_2 = tables
    bins, nearest, partners, std, stages = whole_8[1], whole_8[2] == 1, whole_8[3], real_2[1], len(count_S)
    uses = cumulative_SK.shape[1] // whole_8[7]  # in each group
    for b in range(len(indices_B)):
        start = start_of(policy_key, indices_B[b])
        for stage in range(stages):
            pick = uniform(start, slots_S5[stage, 0])
            if uses > 0:
                first = np.int64(uniform(start, 0) * whole_8[7]) * uses
                use = first + np.searchsorted(cumulative_SK[stage, first : first + uses], pick, side="right")
            else:
                use = np.int64(pick * count_S[stage])
            operation, gate = operation_SK[stage, use], slots_S5[stage, 3]
            if operation < 0:
                continue
            p = p_SK2[stage, use, 0]
            if slots_S5[stage, 1] >= 0:
                p += uniform(start, slots_S5[stage, 1]) * (p_SK2[stage, use, 1] - p)
            if uniform(start, gate) >= p:
                continue
            range_2 = magnitude_SK2[stage, use, 0], magnitude_SK2[stage, use, 1]
            magnitude = drawn_magnitude(start, slots_S5[stage, 2], range_2, std, bins)
            low, high, neutral = axis_O3[operation, 0], axis_O3[operation, 1], axis_O3[operation, 2]
            argument = low + magnitude * (high - low)
            if whole_O3[operation, 1] == 1 and uniform(start, gate + 1) < 0.5:
                argument = 2 * neutral - argument
            places = start, gate + 2, slots_S5[stage, 4]
            row_7 = instruction(whole_O3[operation, 0], argument, places, height, width, nearest, partners)
            for at in range(7):
                instructions_BS8[b, stage, at] = row_7[at]
            instructions_BS8[b, stage, 7] = whole_O3[operation, 2]
        if stages < instructions_BS8.shape[1]:
            draw_baseline(whole_8, real_2[0], start_of(baseline_key, indices_B[b]), height, width, instructions_BS8, b)


@compiled(error_model="numpy")
def start_of(key: Any, index: Any) -> Any:
    """Return where an image's numbers start."""
    return mixed(key ^ mixed(np.uint64(index) + randomness.GOLDEN))


@compiled(error_model="numpy")
def uniform(start: Any, slot: Any) -> Any:
    """Return the uniform number of a slot, in [0, 1)."""
    return np.float64(mixed(start + np.uint64(slot + 1) * randomness.GOLDEN) >> np.uint64(11)) * 2.0**-53


@compiled(error_model="numpy")
def drawn_magnitude(start: Any, slot: Any, range_2: Any, std: Any, bins: Any) -> Any:
    """Return λ: fixed, with noise, or from its range."""
    low, high = range_2
    if std > 0:
        return min(1.0, max(0.0, low + std * normal(uniform(start, slot))))
    if slot < 0:
        return low
    position = uniform(start, slot)
    if bins > 0:
        position = math.floor(position * bins) / (bins - 1)
    return low + position * (high - low)


@compiled(error_model="numpy")
def instruction(base: Any, argument: Any, places: Any, height: Any, width: Any, nearest: Any, partners: Any) -> Any:
    """Return code and parameters of one operation; `places` is where its numbers start, and the slots of two pairs."""
    start, place, shape = places
    if base < Base.Crop.value:
        return simplified(inverse_map(base, argument, height, width), nearest)
    if base == Base.Crop.value:
        pad = np.trunc(argument)
        right = np.trunc(uniform(start, place) * (2 * pad + 1)) - pad
        down = np.trunc(uniform(start, place + 1) * (2 * pad + 1)) - pad
        return simplified((1.0, 0.0, right, 0.0, 1.0, down), nearest)
    if base == Base.RandomResizedCrop.value:
        pairs = (uniform(start, shape), uniform(start, shape + 1)), (uniform(start, place), uniform(start, place + 1))
        left, top, wide, high = crop_box(width, height, argument, pairs[0], pairs[1])
        return float(Code.RESIZE.value), float(left), float(top), float(wide), float(high), 0.0, 0.0
    if base <= Base.CutoutAbs.value:
        half = (argument * width if base == Base.Cutout.value else argument) / 2
        left, right = side(uniform(start, place) * width, half, width)
        top, bottom = side(uniform(start, place + 1) * height, half, height)
        code = Code.FILL.value if right > left and bottom > top else Code.NOTHING.value
        return float(code), left, top, right, bottom, 0.0, 0.0
    if base == Base.SamplePairing.value:
        code = Code.NOTHING.value if argument == 0 else Code.MIX.value
        return float(code), argument, math.floor(uniform(start, place) * partners) + 0.0, 0.0, 0.0, 0.0, 0.0
    code, value = levels(base, argument)
    return code, value, 0.0, 0.0, 0.0, 0.0, 0.0


@compiled(error_model="numpy")
def inverse_map(base: Any, argument: Any, height: Any, width: Any) -> Any:
    """Return the six coefficients of a geometric operation that needs no place."""
    if base == Base.ShearX.value:
        return 1.0, argument, 0.0, 0.0, 1.0, 0.0
    if base == Base.ShearY.value:
        return 1.0, 0.0, 0.0, argument, 1.0, 0.0
    if base == Base.Rotate.value:
        return rotation(argument % 360.0, height, width)
    if base == Base.Flip.value and argument < 0:
        return -1.0, 0.0, float(width), 0.0, 1.0, 0.0
    right, down = 0.0, 0.0
    if base == Base.TranslateX.value:
        right = argument * width
    elif base == Base.TranslateY.value:
        down = argument * height
    elif base == Base.TranslateXAbs.value:
        right = argument
    elif base == Base.TranslateYAbs.value:
        down = argument
    elif base == Base.TranslateXWhole.value:
        right = np.trunc(argument * width)
    elif base == Base.TranslateYWhole.value:
        down = np.trunc(argument * height)
    elif base == Base.TranslateXPixels.value:
        right = np.trunc(argument)
    elif base == Base.TranslateYPixels.value:
        down = np.trunc(argument)
    return 1.0, 0.0, right, 0.0, 1.0, down


@compiled(error_model="numpy")
def rotation(turn: Any, height: Any, width: Any) -> Any:
    """Return the map of a rotation by degrees in [0, 360)."""
    if turn == 0:
        return 1.0, 0.0, 0.0, 0.0, 1.0, 0.0
    if turn == 180:
        return -1.0, 0.0, float(width), 0.0, -1.0, float(height)
    if turn == 90 and width == height:
        return 0.0, -1.0, float(width), 1.0, 0.0, 0.0
    if turn == 270 and width == height:
        return 0.0, 1.0, 0.0, -1.0, 0.0, float(height)
    radians = -math.radians(turn)
    cosine, sine = np.rint(math.cos(radians) * 1e15) / 1e15, np.rint(math.sin(radians) * 1e15) / 1e15
    x, y = width / 2, height / 2
    return cosine, sine, cosine * -x + sine * -y + x, -sine, cosine, -sine * -x + cosine * -y + y


@compiled(error_model="numpy")
def simplified(map_6: Any, nearest: Any) -> Any:
    """Return a map as code and parameters: whole pixels for translations sampled so, nothing for no change."""
    a0, a1, a2, a3, a4, a5 = map_6
    if nearest and a1 == 0 and a3 == 0:
        a2, a5 = math.floor(a2 + 0.5) + 0.0, math.floor(a5 + 0.5) + 0.0
    same = a0 == 1 and a1 == 0 and a2 == 0 and a3 == 0 and a4 == 1 and a5 == 0
    return float(Code.NOTHING.value if same else Code.AFFINE.value), a0, a1, a2, a3, a4, a5


@compiled(error_model="numpy")
def side(centre: Any, half: Any, size: Any) -> Any:
    """Return where a square starts and ends along one axis: pixels whose own centre lies in it."""
    low = min(max(math.ceil(centre - half - 0.5) + 0.0, 0.0), float(size))
    return low, min(max(math.ceil(centre + half - 0.5) + 0.0, 0.0), float(size))


@compiled(error_model="numpy")
def levels(base: Any, argument: Any) -> Any:
    """Return code and first parameter of an operation that moves no pixel and takes no other image."""
    code, value, nothing = Code.NOTHING.value, argument, argument == 1
    if base in (Base.Solarize.value, Base.Invert.value):
        value = max(math.ceil(argument) + 0.0, 0.0) if base == Base.Solarize.value else 0.0
        code, nothing = Code.SOLARIZE.value, value > 255
    elif base == Base.SolarizeAdd.value:
        value = min(max(np.trunc(argument), -255.0), 255.0)
        code, nothing = Code.SOLARIZE_ADD.value, value == 0
    elif base in (Base.Posterize.value, Base.Posterize2.value):
        bits = min(max(np.trunc(argument), 0.0), 8.0)
        value = 256 - 2.0 ** (8 - bits)
        code, nothing = Code.POSTERIZE.value, bits == 8
    elif base in (Base.AutoContrast.value, Base.Equalize.value):
        code = Code.AUTO_CONTRAST.value if base == Base.AutoContrast.value else Code.EQUALIZE.value
        value, nothing = 0.0, False
    elif base != Base.Identity.value:
        code = Code.BRIGHTNESS.value + base - Base.Brightness.value
    return float(Code.NOTHING.value if nothing else code), value


@compiled(error_model="numpy")
def draw_baseline(whole_8: Any, hflip: Any, start: Any, height: Any, width: Any, instructions_BS8: Any, b: Any) -> None:
    """Write the baseline's crop and flip, and its cutout, into the last stages of image b."""
    pad, cutout = whole_8[4], whole_8[5]
    at = instructions_BS8.shape[1] - (1 if pad > 0 or hflip > 0 else 0) - (1 if cutout > 0 else 0)
    if pad > 0 or hflip > 0:
        down = math.floor(uniform(start, 0) * (2 * pad + 1)) - pad
        right = math.floor(uniform(start, 1) * (2 * pad + 1)) - pad
        flipped = uniform(start, 2) < hflip
        row_8 = instructions_BS8[b, at]
        row_8[0] = Code.AFFINE.value if flipped or down != 0 or right != 0 else Code.NOTHING.value
        row_8[1], row_8[5] = -1.0 if flipped else 1.0, 1.0
        row_8[3], row_8[6] = right + width if flipped else right, down
        at += 1
    if cutout > 0:
        row_8 = instructions_BS8[b, at]
        top = math.floor(uniform(start, 3) * height) - cutout // 2
        left = math.floor(uniform(start, 4) * width) - cutout // 2
        row_8[0], row_8[7] = Code.FILL.value, whole_8[6]
        row_8[1], row_8[2] = max(left, 0), max(top, 0)
        row_8[3], row_8[4] = min(left + cutout, width), min(top + cutout, height)
