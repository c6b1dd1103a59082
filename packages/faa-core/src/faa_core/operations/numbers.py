"""The operations that have no map, as numbers: the parameters of their instructions, see `instructions`.

Each function takes the operation's argument, the width and height of the image in pixels, and what was drawn. Pillow's
kernels use them, and numba compiles them: so they take and return plain numbers.
"""

import math

from faa_core.operations.canvas import Drawn
from faa_core.operations.geometry import OperationNumbers, crop_box


def none(_argument: float, _width: int, _height: int, _drawn: Drawn) -> OperationNumbers:
    """Return nothing: the code is all there is."""
    return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0


def factor(factor: float, _width: int, _height: int, _drawn: Drawn) -> OperationNumbers:
    """Return the factor of an enhancement."""
    return factor, 0.0, 0.0, 0.0, 0.0, 0.0


def threshold(threshold: float, _width: int, _height: int, _drawn: Drawn) -> OperationNumbers:
    """Return the lowest whole value that Solarize inverts."""
    return max(math.ceil(threshold), 0), 0.0, 0.0, 0.0, 0.0, 0.0


def addend(addend: float, _width: int, _height: int, _drawn: Drawn) -> OperationNumbers:
    """Return what SolarizeAdd adds: a whole number, cut off at 255 either way."""
    return min(max(int(addend), -255), 255), 0.0, 0.0, 0.0, 0.0, 0.0


def mask(bits: float, _width: int, _height: int, _drawn: Drawn) -> OperationNumbers:
    """Return the mask that keeps the high whole bits, 0…8 (others are cut to that)."""
    return 256 - 2 ** (8 - min(max(int(bits), 0), 8)), 0.0, 0.0, 0.0, 0.0, 0.0


def box(fraction: float, width: int, height: int, drawn: Drawn) -> OperationNumbers:
    """Return the square of a side in fractions of the width; see `box_abs`."""
    return box_abs(fraction * width, width, height, drawn)


def box_abs(side: float, width: int, height: int, drawn: Drawn) -> OperationNumbers:
    """Return the square of a side in pixels about the drawn centre: left, top, right, bottom, clipped at the borders.

    A pixel is in it when its own centre is, so the mean area inside the image is the square's.
    """
    left, right = _side(drawn.centre[0] * width, side / 2, width)
    top, bottom = _side(drawn.centre[1] * height, side / 2, height)
    return left, top, right, bottom, 0.0, 0.0


def part(least_area: float, width: int, height: int, drawn: Drawn) -> OperationNumbers:
    """Return the part that RandomResizedCrop cuts out: left, top, width, height."""
    left, top, wide, high = crop_box(width, height, least_area, drawn.shape, drawn.centre)
    return left, top, wide, high, 0.0, 0.0


def pairing(weight: float, _width: int, _height: int, drawn: Drawn) -> OperationNumbers:
    """Return the weight of the partner, and where it stands among all partners, in [0, 1)."""
    return weight, drawn.centre[0], 0.0, 0.0, 0.0, 0.0


def _side(centre: float, half: float, size: int) -> tuple[int, int]:
    """Return where a square starts and ends along one axis."""
    low = min(max(math.ceil(centre - half - 0.5), 0), size)
    return low, min(max(math.ceil(centre + half - 0.5), 0), size)
