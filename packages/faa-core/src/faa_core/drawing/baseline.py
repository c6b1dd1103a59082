"""What a batch goes through beside its policy, as frozen data."""

import math
from dataclasses import dataclass

from faa_core.errors import FaaError
from faa_core.operations import Colour
from faa_core.operations.instructions import LONGEST_SIDE


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The augmentation that belongs to a training recipe, not to the policy; it comes after the policy.

    Attributes:
        pad: Pixels of black padding for a random crop back to size; 0 for none.
        hflip: Probability of a left-right flip.
        cutout: Side in pixels of a square that is set to `fill`; 0 for none. It starts at c − ⌊cutout/2⌋ for a drawn
            pixel c and is clipped (DeVries and Taylor 2017).
        fill: RGB, 0…255: usually the data set's mean, which is near zero after normalisation.
    """

    pad: int = 0
    hflip: float = 0.0
    cutout: int = 0
    fill: Colour = (0, 0, 0)

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            FaaError: If a length, the probability or the colour is out of range.
        """
        lengths = all(isinstance(length, int) and 0 <= length <= LONGEST_SIDE for length in (self.pad, self.cutout))
        colour = len(self.fill) == 3 and all(isinstance(value, int) and 0 <= value <= 255 for value in self.fill)
        if not (lengths and colour and 0 <= self.hflip <= 1):
            raise FaaError(
                f"pad and cutout must be whole numbers from 0 to {LONGEST_SIDE:,}, hflip from 0 to 1, and fill three "
                f"whole numbers from 0 to 255: {self}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalize:
    """Turns uint8 into float: (x / 255 − mean) / std, for each channel; uint16 with 65,535 instead of 255.

    Computed as x·scale + bias in float32 with both rounded once, so that every engine gives the same bits.

    Attributes:
        mean: Of each channel, in units of the highest value.
        std: Of each channel, in units of the highest value; positive.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check the lengths and the ranges.

        Raises:
            FaaError: If there are not as many means as deviations, or a deviation is not positive.
        """
        finite = all(math.isfinite(value) for value in (*self.mean, *self.std))
        if len(self.mean) != len(self.std) or not self.mean or not finite or min(self.std) <= 0:
            raise FaaError(f"mean and std need one finite number per channel, and std must be positive: {self}.")

    @property
    def scale_and_bias(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """What each channel of uint8 images is multiplied with, and what is added then."""
        scale = tuple(1 / (255 * std) for std in self.std)
        bias = tuple(-mean / std for mean, std in zip(self.mean, self.std, strict=True))
        return scale, bias
