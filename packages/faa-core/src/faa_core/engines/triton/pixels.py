"""The pixels of every instruction, for one block of one image's pixels in a Triton program.

A pixel is one int32: 65536·R + 256·G + B, or its grey where images have one channel. So a colour is packed like an
instruction's fill, and a read from scratch memory is one load. The results are those of `faa_core.engines.torch`,
bit for bit, as long as the compiler fuses no multiplication with an addition. What is there has the same name here, and
the same arguments in the same order; images are pixels, a channel's values, or a pointer with places in it. Contrast,
AutoContrast and Equalize need the whole image, and become tables.
"""

import triton
import triton.language as tl

from faa_core.operations.instructions import Code

SOLARIZE = tl.constexpr(int(Code.SOLARIZE))
SOLARIZE_ADD = tl.constexpr(int(Code.SOLARIZE_ADD))
POSTERIZE = tl.constexpr(int(Code.POSTERIZE))
BRIGHTNESS = tl.constexpr(int(Code.BRIGHTNESS))
CONTRAST = tl.constexpr(int(Code.CONTRAST))
COLOR = tl.constexpr(int(Code.COLOR))
AUTO_CONTRAST = tl.constexpr(int(Code.AUTO_CONTRAST))
GREY = tl.constexpr(0x010101)  # times a value: that value in all channels
RED_BLUE = tl.constexpr(0xFF00FF)


@triton.jit
def channel(pixels: tl.tensor, number: tl.constexpr, CHANNELS: tl.constexpr) -> tl.tensor:
    """Return the values of a channel, 0…255."""
    return (pixels >> (8 * (CHANNELS - 1 - number))) & 255


@triton.jit
def placed(values: tl.tensor, number: tl.constexpr, CHANNELS: tl.constexpr) -> tl.tensor:
    """Return pixels with these values in a channel and 0 in the others."""
    return values.to(tl.int32) << (8 * (CHANNELS - 1 - number))


@triton.jit
def luma(pixels: tl.tensor, CHANNELS: tl.constexpr) -> tl.tensor:
    """Return the grey values."""
    if CHANNELS == 3:
        red, green, blue = channel(pixels, 0, 3), channel(pixels, 1, 3), channel(pixels, 2, 3)
        grey = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    else:
        grey = pixels
    return grey


@triton.jit
def blend(first: tl.tensor, second: tl.tensor, weight: tl.tensor, CHANNELS: tl.constexpr) -> tl.tensor:
    """Return first + weight·(second − first) of pixels, computed in float32 and cut off."""
    result = tl.zeros_like(second)
    for number in tl.static_range(CHANNELS):
        low = channel(first, number, CHANNELS).to(tl.float32)
        mixed = low + weight.to(tl.float32) * (channel(second, number, CHANNELS).to(tl.float32) - low)
        result |= placed(tl.minimum(tl.maximum(mixed, 0.0), 255.0), number, CHANNELS)
    return result


@triton.jit
def solarize(values: tl.tensor, threshold: tl.tensor) -> tl.tensor:
    """Return a channel's values, inverted at or above the threshold."""
    return tl.where(values >= threshold, 255 - values, values)


@triton.jit
def solarize_add(values: tl.tensor, addend: tl.tensor) -> tl.tensor:
    """Return a channel's values, with something added below 128; cut off at 0 and 255."""
    return tl.where(values < 128, tl.minimum(tl.maximum(values + addend, 0), 255), values)


@triton.jit
def posterize(pixels: tl.tensor, mask: tl.tensor) -> tl.tensor:
    """Return the bits of the mask."""
    return pixels & (mask * GREY)


@triton.jit
def brightness(pixels: tl.tensor, factor: tl.tensor, CHANNELS: tl.constexpr) -> tl.tensor:
    """Return pixels blended with black."""
    return blend(tl.zeros_like(pixels), pixels, factor, CHANNELS)


@triton.jit
def color(pixels: tl.tensor, factor: tl.tensor, CHANNELS: tl.constexpr) -> tl.tensor:
    """Return pixels of three channels blended with their grey."""
    return blend(luma(pixels, CHANNELS) * GREY, pixels, factor, CHANNELS)


@triton.jit
def levels(pixels: tl.tensor, code: tl.tensor, value: tl.tensor, CHANNELS: tl.constexpr) -> tl.tensor:
    """Return pixels after an instruction on each by itself; as they are for other codes.

    Args:
        pixels: int32 of any shape.
        code: Of the instruction, int32.
        value: Its first parameter, float64.
        CHANNELS: 1 or 3.
    """
    if (code == SOLARIZE) | (code == SOLARIZE_ADD):
        whole = value.to(tl.int32)
        result = tl.zeros_like(pixels)
        for number in tl.static_range(CHANNELS):
            old = channel(pixels, number, CHANNELS)
            raised, inverted = solarize_add(old, whole), solarize(old, whole)
            result |= placed(tl.where(code == SOLARIZE, inverted, raised), number, CHANNELS)
        pixels = result
    elif code == POSTERIZE:
        pixels = posterize(pixels, value.to(tl.int32))
    elif code == BRIGHTNESS:
        pixels = brightness(pixels, value, CHANNELS)
    elif (code == COLOR) & (CHANNELS == 3):
        pixels = color(pixels, value, CHANNELS)
    return pixels


@triton.jit
def sharpness(
    source_ptr: tl.tensor,
    x: tl.tensor,
    y: tl.tensor,
    inside: tl.tensor,
    factor: tl.tensor,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    CHANNELS: tl.constexpr,
) -> tl.tensor:
    """Return the pixels at (x, y) blended with the smoothed ones, but the image's own at its border."""
    at_ptr = source_ptr + y * WIDTH + x
    centre = tl.load(at_ptr, mask=inside, other=0)
    inner = inside & (x > 0) & (x < WIDTH - 1) & (y > 0) & (y < HEIGHT - 1)
    red_blue, green = 4 * (centre & RED_BLUE), 4 * ((centre >> 8) & 255)  # 16 bits hold a sum of 13 values
    for neighbour in tl.static_range(9):
        near = tl.load(at_ptr + (neighbour // 3 - 1) * WIDTH + neighbour % 3 - 1, mask=inner, other=0)
        red_blue += near & RED_BLUE
        green += (near >> 8) & 255
    red, green, blue = _thirteenth(red_blue >> 16), _thirteenth(green), _thirteenth(red_blue & 0xFFFF)
    return tl.where(inner, blend((red << 16) | (green << 8) | blue, centre, factor, CHANNELS), centre)


@triton.jit
def _thirteenth(total: tl.tensor) -> tl.tensor:
    """Return round(total / 13), which is never a tie."""
    return (2 * total + 13) // 26


@triton.jit
def look_up(pixels: tl.tensor, lut_ptr: tl.tensor, CHANNELS: tl.constexpr) -> tl.tensor:
    """Return each value's entry in its channel of a table of 256 pixels."""
    result = tl.zeros_like(pixels)
    for number in tl.static_range(CHANNELS):
        entry = tl.load(lut_ptr + channel(pixels, number, CHANNELS))
        result |= placed(channel(entry, number, CHANNELS), number, CHANNELS)
    return result


@triton.jit
def table(
    source_ptr: tl.tensor,
    code: tl.tensor,
    weight: tl.tensor,
    PIXELS: tl.constexpr,
    CHANNELS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> tl.tensor:
    """Return what Contrast, AutoContrast or Equalize make of each value of a whole image: 256 pixels.

    Args:
        source_ptr: The image, int32 ``[PIXELS]``.
        code: Of the instruction, int32.
        weight: Contrast's factor, float64.
        PIXELS: How many the image has.
        CHANNELS: 1 or 3.
        BLOCK: How many are read at once.
    """
    value = tl.arange(0, 256)
    if code == CONTRAST:
        result = blend(_mean(source_ptr, PIXELS, CHANNELS, BLOCK) * GREY, value * GREY, weight, CHANNELS)
    else:
        result = tl.zeros_like(value)
        for number in tl.static_range(CHANNELS):
            counts = _counts(source_ptr, number, PIXELS, CHANNELS, BLOCK)
            high = tl.max(tl.where(counts > 0, value, 0), 0)
            if code == AUTO_CONTRAST:
                low = tl.min(tl.where(counts > 0, value, 255), 0)
                entries = _stretched(value, low, high)
            else:
                entries = _equalized(value, counts, high, PIXELS)
            result |= placed(entries, number, CHANNELS)
    return result


@triton.jit
def _mean(source_ptr: tl.tensor, PIXELS: tl.constexpr, CHANNELS: tl.constexpr, BLOCK: tl.constexpr) -> tl.tensor:
    """Return the mean grey, rounded."""
    offset = tl.arange(0, BLOCK)
    total = tl.zeros([BLOCK], tl.int64)
    for start in range(0, PIXELS, BLOCK):
        pixels = tl.load(source_ptr + start + offset, mask=start + offset < PIXELS, other=0)
        total += luma(pixels, CHANNELS)
    return ((2 * tl.sum(total, 0) + PIXELS) // (2 * PIXELS)).to(tl.int32)


@triton.jit
def _counts(
    source_ptr: tl.tensor,
    number: tl.constexpr,
    PIXELS: tl.constexpr,
    CHANNELS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> tl.tensor:
    """Return how often a channel has each value, int32 ``[256]``."""
    offset, value = tl.arange(0, BLOCK), tl.arange(0, 256)
    counts = tl.zeros([256], tl.int32)
    for start in range(0, PIXELS, BLOCK):
        pixels = tl.load(source_ptr + start + offset, mask=start + offset < PIXELS, other=0)
        counts += tl.histogram(channel(pixels, number, CHANNELS), 256)
    return counts - tl.where(value == 0, (BLOCK - PIXELS % BLOCK) % BLOCK, 0)  # what lies behind the last pixel


@triton.jit
def _stretched(value: tl.tensor, low: tl.tensor, high: tl.tensor) -> tl.tensor:
    """Return the table that brings low…high to 0…255."""
    scale = 255.0 / tl.maximum(high - low, 1).to(tl.float64)
    bright = (value.to(tl.float64) * scale + -low.to(tl.float64) * scale).to(tl.int32)
    return tl.where(high > low, tl.minimum(tl.maximum(bright, 0), 255), value)


@triton.jit
def _equalized(value: tl.tensor, counts: tl.tensor, last: tl.tensor, PIXELS: tl.constexpr) -> tl.tensor:
    """Return the table that evens out a histogram whose last value is given."""
    step = (PIXELS - tl.sum(tl.where(value == last, counts, 0), 0)) // 255
    before = tl.cumsum(counts, 0) - counts
    even = tl.minimum((before + step // 2) // tl.maximum(step, 1), 255)
    return tl.where(step > 0, even, value)
