"""What happens to an image, in numbers that every engine reads: 8 for each operation that is carried out.

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

import math
from enum import IntEnum

from faa_core.operations.canvas import Colour
from faa_core.operations.geometry import OperationNumbers, on_grid

WIDTH = 8
FARTHEST = 32768  # pixels from the image that 16.16 fixed point can read
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


def instruction(code: int, numbers: OperationNumbers, nearest: bool, partners: int) -> tuple[int, OperationNumbers]:
    """Return the code and the six parameters of one application; numba compiles this, too.

    Args:
        code: Of the operation.
        numbers: The operation's numbers of this application; see `faa_core.operations.numbers`.
        nearest: Whether maps read the nearest pixel.
        partners: How many images there are to mix in.
    """
    first, second, third, fourth, fifth, sixth = numbers
    nothing = False
    if code == Code.AFFINE:
        if nearest and second == 0 and fourth == 0:
            first, third = on_grid(first, third)
            fifth, sixth = on_grid(fifth, sixth)
        straight = second == 0 and fourth == 0
        nothing = straight and first == 1 and third == 0 and fifth == 1 and sixth == 0
    elif code == Code.FILL:
        nothing = third <= first or fourth <= second
    elif code == Code.SOLARIZE:
        nothing = first > 255
    elif code == Code.POSTERIZE:
        nothing = first > 254
    elif code in (Code.BRIGHTNESS, Code.CONTRAST, Code.COLOR, Code.SHARPNESS):
        nothing = first == 1
    elif code == Code.SOLARIZE_ADD:
        nothing = first == 0
    elif code == Code.MIX:
        second = math.floor(second * partners) + 0.0
        nothing = first == 0
    return (0 if nothing else code), (first, second, third, fourth, fifth, sixth)


def packed(colour: Colour) -> int:
    """Return an RGB colour as one number."""
    red, green, blue = colour
    return red * 65536 + green * 256 + blue
