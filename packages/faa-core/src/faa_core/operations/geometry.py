"""The geometric operations as maps: where each output pixel reads the input.

These functions are all that there is of an operation's geometry: Pillow's kernels call them, and numba compiles them.
So they take and return plain numbers.

A matrix (a, b, c, d, e, f) is Pillow's inverse map. Coordinates are continuous, pixel i covers [i, i + 1), and output
pixel (x, y) reads the input at (a·X + b·Y + c, d·X + e·Y + f) with X = x + ½ and Y = y + ½. What lies at a point of
the input, such as a corner of a box, is found in the output by the inverse of the matrix.

Each function takes the operation's argument, the width and height of the image in pixels, and a `Canvas` with what was
drawn. Pixels are moved by the same maps (`kernels.Moved`; Pillow's rotation and mirroring equal them to the bit), so
that what belongs to an image moves exactly as it does.
"""

import math
from collections.abc import Callable

from faa_core.errors import FaaError
from faa_core.operations.canvas import Drawn

OperationNumbers = tuple[float, float, float, float, float, float]
Matrix = OperationNumbers
InverseMap = Callable[[float, int, int, Drawn], Matrix]
FIXED = 65536  # parts of a pixel to which Pillow rounds


def shear_x(shear: float, _width: int, _height: int, _drawn: Drawn) -> Matrix:
    """Read from x + shear·y."""
    return 1, shear, 0, 0, 1, 0


def shear_y(shear: float, _width: int, _height: int, _drawn: Drawn) -> Matrix:
    """Read from y + shear·x."""
    return 1, 0, 0, shear, 1, 0


def translate_x(fraction: float, width: int, _height: int, _drawn: Drawn) -> Matrix:
    """Read from further right by a fraction of the width."""
    return 1, 0, fraction * width, 0, 1, 0


def translate_y(fraction: float, _width: int, height: int, _drawn: Drawn) -> Matrix:
    """Read from further down by a fraction of the height."""
    return 1, 0, 0, 0, 1, fraction * height


def translate_x_abs(pixels: float, _width: int, _height: int, _drawn: Drawn) -> Matrix:
    """Read from further right by a number of pixels."""
    return 1, 0, pixels, 0, 1, 0


def translate_y_abs(pixels: float, _width: int, _height: int, _drawn: Drawn) -> Matrix:
    """Read from further down by a number of pixels."""
    return 1, 0, 0, 0, 1, pixels


def translate_x_whole(fraction: float, width: int, _height: int, _drawn: Drawn) -> Matrix:
    """Read from further right by a fraction of the width, cut to whole pixels towards zero."""
    return 1, 0, int(fraction * width), 0, 1, 0


def translate_y_whole(fraction: float, _width: int, height: int, _drawn: Drawn) -> Matrix:
    """Read from further down by a fraction of the height, cut to whole pixels towards zero."""
    return 1, 0, 0, 0, 1, int(fraction * height)


def translate_x_pixels(pixels: float, _width: int, _height: int, _drawn: Drawn) -> Matrix:
    """Read from further right by a number of pixels, cut to a whole number towards zero."""
    return 1, 0, int(pixels), 0, 1, 0


def translate_y_pixels(pixels: float, _width: int, _height: int, _drawn: Drawn) -> Matrix:
    """Read from further down by a number of pixels, cut to a whole number towards zero."""
    return 1, 0, 0, 0, 1, int(pixels)


def rotate(degrees: float, width: int, height: int, _drawn: Drawn) -> Matrix:
    """Turn counter-clockwise about the centre; half turns, and quarter turns of a square, are exact."""
    turn = degrees % 360
    if turn == 180:
        return -1, 0, width, 0, -1, height
    if turn in (90, 270) and width == height:
        return (0, -1, width, 1, 0, 0) if turn == 90 else (0, 1, 0, -1, 0, height)
    radians = -math.radians(turn)
    cosine, sine = round(math.cos(radians) * 1e15) / 1e15, round(math.sin(radians) * 1e15) / 1e15
    x, y = width / 2, height / 2
    return cosine, sine, cosine * -x + sine * -y + x, -sine, cosine, -sine * -x + cosine * -y + y


def flip(side: float, width: int, _height: int, _drawn: Drawn) -> Matrix:
    """Mirror left to right when the argument is negative."""
    return (-1, 0, width, 0, 1, 0) if side < 0 else (1, 0, 0, 0, 1, 0)


def crop(pad: float, _width: int, _height: int, drawn: Drawn) -> Matrix:
    """Read from the drawn place of the padded image."""
    pad = int(pad)
    left, top = int(drawn.centre[0] * (2 * pad + 1)) - pad, int(drawn.centre[1] * (2 * pad + 1)) - pad
    return 1, 0, left, 0, 1, top


def random_resized_crop(least_area: float, width: int, height: int, drawn: Drawn) -> Matrix:
    """Read from the part that is brought to the image's size."""
    left, top, wide, high = crop_box(width, height, least_area, drawn.shape, drawn.centre)
    return wide / width, 0, left, 0, high / height, top


def crop_box(
    width: int, height: int, least_area: float, shape: tuple[float, float], place: tuple[float, float]
) -> tuple[int, int, int, int]:
    """Return (left, top, width, height), in whole pixels, of the part that `random_resized_crop` cuts out."""
    area = (least_area + shape[0] * (1 - least_area)) * width * height
    aspect = math.exp((2 * shape[1] - 1) * math.log(4 / 3))
    wide = max(1, min(width, int(math.sqrt(area * aspect) + 0.5)))
    high = max(1, min(height, int(math.sqrt(area / aspect) + 0.5)))
    return int(place[0] * (width - wide + 1)), int(place[1] * (height - high + 1)), wide, high


def on_grid(scale: float, offset: float) -> tuple[float, float]:
    """Return the scale and offset of an axis that is not turned or sheared, as the nearest pixels are read along it.

    Shifts become whole pixels, scales and where they start whole parts of `FIXED`. Pillow then reads the same pixels by
    its sums of floats, which are exact so, as every engine does by whole numbers.
    """
    if abs(scale) == 1:
        return scale, math.floor(offset + 0.5) + 0.0
    scale = math.floor(scale * FIXED + 0.5) / FIXED
    return scale, math.floor((offset + scale / 2) * FIXED + 0.5) / FIXED - scale / 2


def inverted(matrix: Matrix) -> Matrix:
    """Return the map of points of the input to the output.

    Raises:
        FaaError: If the matrix flattens the image, so that points have no single place.
    """
    a, b, c, d, e, f = matrix
    area = a * e - b * d
    if area == 0 or not math.isfinite(area):
        raise FaaError(f"The map {matrix} of a geometric operation has no inverse, so boxes and points cannot follow.")
    return e / area, -b / area, (b * f - c * e) / area, -d / area, a / area, (c * d - a * f) / area
