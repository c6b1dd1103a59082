"""Instructions carried out image by image by code that numba compiles: an image stays in the processor's first cache.

Planes go back and forth between two scratch images; the last operation writes to the result. The calls release the
interpreter's lock.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faa_core.drawing.compiling import compiled
from faa_core.engines.numba import geometry, pixels
from faa_core.operations.instructions import Code
from faa_core.policies.stages import Real

Images = NDArray[np.uint8]
Pixels = NDArray[np.uint32]
Factors = NDArray[np.float32]
Shape = tuple[int, int, int]


@compiled(error_model="numpy")
def augment(images_BN: Images, instructions_BS8: Real, partners_MN: Images, shape: Shape, result_BN: Images) -> None:
    """Write the images after their instructions.

    Args:
        images_BN: uint8 planes one after the other: N = C·H·W.
        instructions_BS8: One row of instructions per image.
        partners_MN: Images to mix in.
        shape: C (1 or 3), H and W.
        result_BN: uint8, written.
    """
    channels, height, width = shape
    scratch, lut, counts = workspace(images_BN.shape[1])
    for b in range(len(images_BN)):
        rows_S8 = instructions_BS8[b]
        one(images_BN[b], result_BN[b], rows_S8, partners_MN, channels, height, width, scratch, lut, counts)


@compiled(error_model="numpy")
def augment_and_normalize(
    images_BN: Images,
    instructions_BS8: Real,
    partners_MN: Images,
    shape: Shape,
    scale_C: Factors,
    bias_C: Factors,
    result_BCP: Factors,
) -> None:
    """Write the images after their instructions, times scale plus bias, float32, P = H·W; see `augment`."""
    channels, height, width = shape
    scratch, lut, counts = workspace(images_BN.shape[1])
    for b in range(len(images_BN)):
        rows_S8 = instructions_BS8[b]
        one(images_BN[b], scratch[2], rows_S8, partners_MN, channels, height, width, scratch, lut, counts)
        pixels.normalize(scratch[2], result_BCP[b], scale_C, bias_C)


@compiled(error_model="numpy")
def augment_rgbx(pixels_P: Pixels, instructions_S8: Real, partners_MN: Images, shape: Shape, result_P: Pixels) -> None:
    """Write one image of P = H·W pixels, four bytes each (R, G, B, any), after its instructions."""
    channels, height, width = shape
    scratch, lut, counts = workspace(3 * pixels_P.size)
    planes, done = np.empty(3 * pixels_P.size, np.uint8), scratch[2]
    pixels.split(pixels_P, planes)
    one(planes, done, instructions_S8, partners_MN, channels, height, width, scratch, lut, counts)
    pixels.join(done, result_P)


@compiled(error_model="numpy")
def workspace(size: Any) -> Any:
    """Return three scratch images, a table of levels and four histograms."""
    return np.empty((3, size), np.uint8), np.empty(256, np.uint8), np.empty((4, 256), np.int32)


@compiled(error_model="numpy")
def one(
    source: Any,
    result: Any,
    rows_S8: Any,
    partners_MN: Any,
    channels: Any,
    height: Any,
    width: Any,
    scratch: Any,
    lut: Any,
    counts: Any,
) -> None:
    """Write one image after its instructions."""
    left = 0
    for stage in range(len(rows_S8)):
        left += rows_S8[stage, 0] != Code.NOTHING.value
    if left == 0:
        pixels.copy(source, result)
        return
    at, turn = source, 0
    for stage in range(len(rows_S8)):
        if rows_S8[stage, 0] == Code.NOTHING.value:
            continue
        left -= 1
        target = result if left == 0 else scratch[turn]
        step(at, target, rows_S8[stage], partners_MN, channels, height, width, lut, counts)
        at, turn = target, 1 - turn


@compiled(error_model="numpy")
def step(
    source: Any,
    target: Any,
    row_8: Any,
    partners_MN: Any,
    channels: Any,
    height: Any,
    width: Any,
    lut: Any,
    counts: Any,
) -> None:
    """Write one image after one instruction."""
    code = row_8[0]
    if code == Code.AFFINE.value:
        map_6 = (row_8[1], row_8[2], row_8[3], row_8[4], row_8[5], row_8[6])
        geometry.nearest(source, target, channels, height, width, map_6, colours(row_8[7], channels))
    elif code == Code.FILL.value:
        box_4 = (row_8[1], row_8[2], row_8[3], row_8[4])
        geometry.fill_box(source, target, channels, height, width, box_4, colours(row_8[7], channels))
    elif code == Code.SOLARIZE.value:
        pixels.solarize(source, target, row_8[1])
    elif code == Code.SOLARIZE_ADD.value:
        pixels.solarize_add(source, target, row_8[1])
    elif code == Code.POSTERIZE.value:
        pixels.posterize(source, target, row_8[1])
    elif code == Code.BRIGHTNESS.value:
        pixels.brightness(source, target, row_8[1])
    elif code == Code.CONTRAST.value:
        pixels.contrast(source, target, channels, row_8[1])
    elif code == Code.COLOR.value and channels == 3:
        pixels.color(source, target, row_8[1])
    elif code == Code.SHARPNESS.value:
        pixels.sharpness(source, target, channels, height, width, row_8[1])
    elif code == Code.AUTO_CONTRAST.value:
        pixels.auto_contrast(source, target, channels, lut)
    elif code == Code.EQUALIZE.value:
        pixels.equalize(source, target, channels, lut, counts)
    elif code == Code.MIX.value:
        pixels.mix(source, target, row_8[1], partners_MN[np.int64(row_8[2])])
    else:
        pixels.copy(source, target)


@compiled(error_model="numpy")
def colours(packed: Any, channels: Any) -> Any:
    """Return a packed RGB colour for three planes, or its luma for one."""
    whole = np.int64(packed)
    red, green, blue = whole >> 16, (whole >> 8) & 255, whole & 255
    if channels == 3:
        return np.uint8(red), np.uint8(green), np.uint8(blue)
    luma = np.uint8((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16)
    return luma, luma, luma
