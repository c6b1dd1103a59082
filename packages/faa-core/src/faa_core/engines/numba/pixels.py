"""The pixels of operations that move none, compiled by numba: one image, uint8 planes one after the other.

Every function reads `source` and writes `target`, both ``[C·P]`` for C planes of P pixels. Written so that the loops
become vector instructions: views are taken before them, and 32-bit numbers used inside.

A kernel has the name and the order of arguments of the reference, `faa_core.engines.torch`: the images, which are
`source` and `target` here, with their shape where that is needed; the parameters; then room to work in.
"""

from typing import Any

import numpy as np

from faa_core.drawing.compiling import compiled

ZERO, TOP = np.float32(0), np.float32(255)
RED, GREEN, BLUE, HALF = np.int32(19595), np.int32(38470), np.int32(7471), np.int32(0x8000)
S16 = np.int32(16)


@compiled(error_model="numpy")
def copy(source: Any, target: Any) -> None:
    """Copy everything."""
    for at in range(source.size):
        target[at] = source[at]


@compiled(error_model="numpy")
def split(source: Any, target: Any) -> None:
    """Write pixels of four bytes, as Pillow keeps RGB, as three planes."""
    count = source.size
    red, green, blue = target[:count], target[count : 2 * count], target[2 * count :]
    for at in range(count):
        pixel = source[at]
        red[at] = np.uint8(pixel)
        green[at] = np.uint8(pixel >> np.uint32(8))
        blue[at] = np.uint8(pixel >> np.uint32(16))


@compiled(error_model="numpy")
def join(source: Any, target: Any) -> None:
    """Write three planes as pixels of four bytes."""
    count = target.size
    red, green, blue = source[:count], source[count : 2 * count], source[2 * count :]
    for at in range(count):
        high = np.uint32(np.uint32(blue[at]) << np.uint32(16)) | np.uint32(np.uint32(green[at]) << np.uint32(8))
        target[at] = np.uint32(red[at]) | high


@compiled(error_model="numpy")
def solarize(source: Any, target: Any, threshold: Any) -> None:
    """Invert the values at or above the threshold."""
    least = np.uint8(threshold)
    for at in range(source.size):
        value = source[at]
        target[at] = value ^ np.uint8(255) if value >= least else value


@compiled(error_model="numpy")
def solarize_add(source: Any, target: Any, addend: Any) -> None:
    """Add to the values below 128; cut off at 0 and 255."""
    for at in range(source.size):
        value = source[at]
        raised = min(max(np.int32(value) + np.int32(addend), np.int32(0)), np.int32(255))
        target[at] = np.uint8(raised) if value < np.uint8(128) else value


@compiled(error_model="numpy")
def posterize(source: Any, target: Any, mask: Any) -> None:
    """Keep the bits of the mask."""
    kept = np.uint8(mask)
    for at in range(source.size):
        target[at] = source[at] & kept


@compiled(error_model="numpy")
def brightness(source: Any, target: Any, factor: Any) -> None:
    """Blend with black."""
    blend_grey(source, target, factor, 0)


@compiled(error_model="numpy")
def contrast(source: Any, target: Any, channels: Any, factor: Any) -> None:
    """Blend with the mean grey."""
    blend_grey(source, target, factor, mean_grey(source, channels))


@compiled(error_model="numpy")
def blend_grey(source: Any, target: Any, factor: Any, grey: Any) -> None:
    """Blend with one grey."""
    whole, low, weight = np.int32(grey), np.float32(grey), np.float32(factor)
    for at in range(source.size):
        mixed = low + weight * np.float32(np.int32(source[at]) - whole)
        target[at] = np.uint8(np.int32(min(max(mixed, ZERO), TOP)))


@compiled(error_model="numpy")
def mean_grey(source: Any, channels: Any) -> Any:
    """Return the mean of the greyscale image, rounded as Pillow does."""
    pixels, total = source.size // channels, np.int64(0)
    if channels == 1:
        for at in range(pixels):
            total += np.int64(source[at])
    else:
        red, green, blue = source[:pixels], source[pixels : 2 * pixels], source[2 * pixels :]
        for at in range(pixels):
            total += np.int64(
                (np.int32(red[at]) * RED + np.int32(green[at]) * GREEN + np.int32(blue[at]) * BLUE + HALF) >> S16
            )
    return np.int64(total / pixels + 0.5)


@compiled(error_model="numpy")
def color(source: Any, target: Any, factor: Any) -> None:
    """Blend three planes with their greyscale image."""
    pixels, weight = source.size // 3, np.float32(factor)
    red, green, blue = source[:pixels], source[pixels : 2 * pixels], source[2 * pixels :]
    to_red, to_green, to_blue = target[:pixels], target[pixels : 2 * pixels], target[2 * pixels :]
    for at in range(pixels):
        r, g, b = np.int32(red[at]), np.int32(green[at]), np.int32(blue[at])
        grey = (r * RED + g * GREEN + b * BLUE + HALF) >> S16
        low = np.float32(grey)
        to_red[at] = np.uint8(np.int32(min(max(low + weight * np.float32(r - grey), ZERO), TOP)))
        to_green[at] = np.uint8(np.int32(min(max(low + weight * np.float32(g - grey), ZERO), TOP)))
        to_blue[at] = np.uint8(np.int32(min(max(low + weight * np.float32(b - grey), ZERO), TOP)))


@compiled(error_model="numpy")
def sharpness(source: Any, target: Any, channels: Any, height: Any, width: Any, factor: Any) -> None:
    """Blend with the image smoothed by (1 1 1; 1 5 1; 1 1 1) / 13, whose border is the image's own."""
    copy(source, target)  # the border stays
    if height < 3 or width < 3:
        return
    weight, column = np.float32(factor), np.empty(width, np.uint16)
    for row in range(channels * height):
        if row % height == 0 or row % height == height - 1:
            continue
        here = row * width
        for x in range(width):
            above, below = np.uint16(source[np.uintp(here + x - width)]), np.uint16(source[np.uintp(here + x + width)])
            column[np.uintp(x)] = np.uint16(above + np.uint16(source[np.uintp(here + x)]) + below)
        for x in range(1, width - 1):
            value = source[np.uintp(here + x)]
            around = np.uint16(column[np.uintp(x - 1)] + column[np.uintp(x)] + column[np.uintp(x + 1)])
            # round(n / 13) = (n + 6) // 13, n never a tie; the product is exact for n up to 13 · 255
            total = np.uint16(around + np.uint16(np.uint16(value) << np.uint16(2)) + np.uint16(6))
            smooth = np.uint16((np.uint32(total) * np.uint32(5042)) >> np.uint32(16))
            mixed = np.float32(smooth) + weight * np.float32(np.int32(value) - np.int32(smooth))
            target[np.uintp(here + x)] = np.uint8(np.int32(min(max(mixed, ZERO), TOP)))


@compiled(error_model="numpy")
def auto_contrast(source: Any, target: Any, channels: Any, lut: Any) -> None:
    """Stretch each plane to 0…255."""
    pixels = source.size // channels
    for channel in range(channels):
        plane = source[channel * pixels : (channel + 1) * pixels]
        low, high = np.uint8(255), np.uint8(0)
        for at in range(pixels):
            low, high = min(low, plane[at]), max(high, plane[at])
        if high <= low:
            low, high = np.uint8(0), np.uint8(255)
        scale = 255.0 / (np.int64(high) - np.int64(low))
        offset = -np.float64(low) * scale
        for value in range(256):
            lut[value] = np.uint8(min(max(np.int64(value * scale + offset), np.int64(0)), np.int64(255)))
        look_up(plane, target[channel * pixels : (channel + 1) * pixels], lut)


@compiled(error_model="numpy")
def equalize(source: Any, target: Any, channels: Any, lut: Any, counts: Any) -> None:
    """Equalise each plane's histogram; counted in four tables, so that equal neighbours do not wait for each other."""
    pixels = source.size // channels
    first, second, third, fourth = counts[0], counts[1], counts[2], counts[3]
    for channel in range(channels):
        plane = source[channel * pixels : (channel + 1) * pixels]
        for value in range(256):
            first[value] = second[value] = third[value] = fourth[value] = np.int32(0)
        quads = pixels // 4
        for at in range(quads):
            first[plane[4 * at]] += np.int32(1)
            second[plane[4 * at + 1]] += np.int32(1)
            third[plane[4 * at + 2]] += np.int32(1)
            fourth[plane[4 * at + 3]] += np.int32(1)
        for at in range(4 * quads, pixels):
            first[plane[at]] += np.int32(1)
        equalizing(lut, first, second, third, fourth, pixels)
        look_up(plane, target[channel * pixels : (channel + 1) * pixels], lut)


@compiled(error_model="numpy")
def equalizing(lut: Any, first: Any, second: Any, third: Any, fourth: Any, pixels: Any) -> None:
    """Write the table that equalises a histogram."""
    used, last, total = 0, 0, 0
    for value in range(256):
        count = first[value] + second[value] + third[value] + fourth[value]
        if count > 0:
            used, last = used + 1, count
        second[value] = total  # pixels below this value
        total += count
    step = (pixels - last) // 255
    if used <= 1 or step == 0:
        for value in range(256):
            lut[value] = np.uint8(value)
        return
    half, pixels_a_level = np.int32(step // 2), np.float64(step)
    for value in range(256):  # float64 divides whole numbers of 32 bits exactly enough, and many at once
        lut[value] = np.uint8(min(np.int32(np.float64(second[value] + half) / pixels_a_level), np.int32(255)))


@compiled(error_model="numpy")
def look_up(source: Any, target: Any, lut: Any) -> None:
    """Replace each value by its entry in the table."""
    for at in range(source.size):
        target[at] = lut[source[at]]


@compiled(error_model="numpy")
def mix(source: Any, target: Any, factor: Any, partner: Any) -> None:
    """Blend with another image."""
    weight = np.float32(factor)
    for at in range(source.size):
        value = np.int32(source[at])
        mixed = np.float32(value) + weight * np.float32(np.int32(partner[at]) - value)
        target[at] = np.uint8(np.int32(min(max(mixed, ZERO), TOP)))


@compiled(error_model="numpy")
def normalize(source: Any, target: Any, scale: Any, bias: Any) -> None:
    """Write source·scale + bias in float32, plane by plane."""
    channels = scale.size
    pixels = source.size // channels
    for channel in range(channels):
        plane, result = source[channel * pixels : (channel + 1) * pixels], target[channel]
        factor, addend = scale[channel], bias[channel]
        for at in range(pixels):
            result[at] = np.float32(plane[at]) * factor + addend
