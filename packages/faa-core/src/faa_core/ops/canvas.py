"""What an operation needs beside its argument."""

from dataclasses import dataclass

from PIL.Image import Image as PILImage
from PIL.Image import Resampling

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Canvas:
    """What a kernel needs beside its argument.

    Attributes:
        fill: RGB colour, 0…255, of pixels that come from outside the image or are cut out.
        resample: Filter of the geometric operations.
        centre: Drawn point as fractions of width and height, each in [0, 1).
        shape: Draws for the area and the aspect of a crop, each in [0, 1).
        partner: Image of the same size and mode to mix in, or None where there is none.
    """

    fill: Colour = (0, 0, 0)
    resample: Resampling = Resampling.NEAREST
    centre: tuple[float, float] = (0.5, 0.5)
    shape: tuple[float, float] = (0.5, 0.5)
    partner: PILImage | None = None
