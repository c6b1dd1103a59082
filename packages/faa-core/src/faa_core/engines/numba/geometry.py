"""Maps and boxes compiled by numba: one image, uint8 planes one after the other, ``[C·P]``.

Pillow's nearest-neighbour sampling in 16.16 fixed point. A map that keeps rows (shifts, flips, ShearX) copies runs; any
other gathers, without tests inside the part of a row that comes from inside the image. Indices are unsigned: numba
would otherwise provide for negative ones, and the loops would not become vector instructions.
"""

from typing import Any

import numpy as np

from faa_core.drawing.compiling import compiled

FIXED = 65536.0
S16 = np.int32(16)


@compiled(error_model="numpy")
def nearest(source: Any, target: Any, channels: Any, height: Any, width: Any, map_6: Any, colour: Any) -> None:
    """Read every pixel at an inverse map; the colour where that lies outside."""
    a0, a1, a3, a4 = fixed(map_6[0]), fixed(map_6[1]), fixed(map_6[3]), fixed(map_6[4])
    a2 = fixed(map_6[2] + map_6[0] * 0.5 + map_6[1] * 0.5)
    a5 = fixed(map_6[5] + map_6[3] * 0.5 + map_6[4] * 0.5)
    size = height * width
    for channel in range(channels):
        paint(target, channel * size, size, colour[channel])
    if a3 == 0 and a0 == 65536:
        for y in range(height):
            from_y, shift = (a5 + a4 * y) >> 16, (a2 + a1 * y) >> 16
            if 0 <= from_y < height:
                low, high = max(0, -shift), min(width, width - shift)
                for channel in range(channels):
                    row = channel * size
                    copy_run(source, row + from_y * width + low + shift, target, row + y * width + low, high - low)
    elif a3 == 0 and a0 == -65536:
        for y in range(height):
            from_y, start = (a5 + a4 * y) >> 16, (a2 + a1 * y) >> 16
            if 0 <= from_y < height:
                low, high = max(0, start - width + 1), min(width, start + 1)
                for channel in range(channels):
                    row = channel * size
                    mirror_run(source, row + from_y * width + start - low, target, row + y * width + low, high - low)
    else:
        gather(source, target, channels, height, width, (a0, a1, a2, a3, a4, a5))


@compiled(error_model="numpy")
def fixed(value: Any) -> Any:
    """Return a coordinate in 16.16 fixed point, rounded as Pillow does."""
    return np.int64(np.floor(value * FIXED + 0.5))


@compiled(error_model="numpy", inline="always")
def paint(target: Any, to: Any, count: Any, value: Any) -> None:
    """Set a run to a value."""
    for x in range(count):
        target[np.uintp(to + x)] = value


@compiled(error_model="numpy", inline="always")
def copy_run(source: Any, at: Any, target: Any, to: Any, count: Any) -> None:
    """Copy a run."""
    for x in range(count):
        target[np.uintp(to + x)] = source[np.uintp(at + x)]


@compiled(error_model="numpy", inline="always")
def mirror_run(source: Any, at: Any, target: Any, to: Any, count: Any) -> None:
    """Copy a run that is read backwards."""
    for x in range(count):
        target[np.uintp(to + x)] = source[np.uintp(at - x)]


@compiled(error_model="numpy")
def gather(source: Any, target: Any, channels: Any, height: Any, width: Any, fixed_6: Any) -> None:
    """Read each row's pixels along a line, those of them that lie inside."""
    a0, a1, a2, a3, a4, a5 = fixed_6
    size, stride, across, down = height * width, np.int32(width), np.int32(a0), np.int32(a3)
    inverse_x, inverse_y = 1.0 / a0 if a0 != 0 else 0.0, 1.0 / a3 if a3 != 0 else 0.0
    for y in range(height):
        x_at, y_at = a2 + a1 * y, a5 + a4 * y
        low_x, high_x = crossing(x_at, inverse_x, width)
        low_y, high_y = crossing(y_at, inverse_y, height)
        low = np.int64(min(max(low_x, low_y, 0.0), np.float64(width)))
        high = np.int64(max(min(high_x, high_y, np.float64(width)), np.float64(low)))
        while low < high and not inside(x_at + a0 * low, y_at + a3 * low, width, height):
            low += 1
        while high > low and not inside(x_at + a0 * (high - 1), y_at + a3 * (high - 1), width, height):
            high -= 1
        x_now, y_now, to = np.int32(x_at + a0 * low), np.int32(y_at + a3 * low), y * width + low
        if channels == 3:
            for x in range(high - low):
                at = np.uintp(np.int32(y_now >> S16) * stride + np.int32(x_now >> S16))
                target[np.uintp(to + x)] = source[at]
                target[np.uintp(to + x + size)] = source[at + np.uintp(size)]
                target[np.uintp(to + x + 2 * size)] = source[at + np.uintp(2 * size)]
                x_now += across
                y_now += down
        else:
            for x in range(high - low):
                target[np.uintp(to + x)] = source[np.uintp(np.int32(y_now >> S16) * stride + np.int32(x_now >> S16))]
                x_now += across
                y_now += down


@compiled(error_model="numpy")
def crossing(start: Any, inverse: Any, size: Any) -> Any:
    """Return bounds of the steps at which a coordinate lies in 0…size, at most two too wide at each end."""
    if inverse == 0:
        return (0.0, np.inf) if 0 <= start < size << 16 else (0.0, 0.0)
    first, last = -start * inverse, ((size << 16) - start) * inverse
    return min(first, last) - 1, max(first, last) + 2


@compiled(error_model="numpy")
def inside(x_fixed: Any, y_fixed: Any, width: Any, height: Any) -> Any:
    """Return whether a point in fixed point lies in the image."""
    return 0 <= (x_fixed >> 16) < width and 0 <= (y_fixed >> 16) < height


@compiled(error_model="numpy")
def fill_box(source: Any, target: Any, channels: Any, height: Any, width: Any, box_4: Any, colour: Any) -> None:
    """Copy the image but for a box, which gets the colour."""
    left, top, right, bottom = np.int64(box_4[0]), np.int64(box_4[1]), np.int64(box_4[2]), np.int64(box_4[3])
    copy_run(source, 0, target, 0, source.size)
    for channel in range(channels):
        for y in range(top, bottom):
            paint(target, (channel * height + y) * width + left, right - left, colour[channel])
