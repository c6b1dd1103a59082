"""What an operation needs beside its argument."""

from dataclasses import dataclass
from typing import NamedTuple

from PIL.Image import Image as PILImage
from PIL.Image import Resampling

Colour = tuple[int, int, int]
Pair = tuple[float, float]


class Drawn(NamedTuple):
    """What was drawn for one application of an operation.

    Attributes:
        centre: A point as fractions of width and height, each in [0, 1).
        shape: For the area and the aspect of a crop, each in [0, 1).
    """

    centre: Pair = (0.5, 0.5)
    shape: Pair = (0.5, 0.5)


@dataclass(frozen=True, slots=True)
class Canvas:
    """What a kernel needs beside its argument.

    Attributes:
        fill: RGB colour, 0…255, of pixels that come from outside the image or are cut out.
        resample: Filter of the geometric operations.
        centre: See `Drawn`.
        shape: See `Drawn`.
        partner: Image of the same size and mode to mix in, or None where there is none.
    """

    fill: Colour = (0, 0, 0)
    resample: Resampling = Resampling.NEAREST
    centre: Pair = (0.5, 0.5)
    shape: Pair = (0.5, 0.5)
    partner: PILImage | None = None

    @property
    def drawn(self) -> Drawn:
        """What was drawn."""
        return Drawn(self.centre, self.shape)
