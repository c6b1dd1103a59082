"""What a batch goes through beside its policy, as frozen data."""

from dataclasses import dataclass

from faa_core.errors import FaaError
from faa_core.ops import Colour


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
            FaaError: If a length is negative or a probability is none.
        """
        if self.pad < 0 or self.cutout < 0 or not 0 <= self.hflip <= 1:
            raise FaaError(f"pad and cutout must not be negative, and hflip must be from 0 to 1: {self}.")


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
        if len(self.mean) != len(self.std) or not self.mean or min(self.std) <= 0:
            raise FaaError(f"mean and std need one number per channel, and std must be positive: {self}.")

    @property
    def scale_and_bias(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """What each channel of uint8 images is multiplied with, and what is added then."""
        scale = tuple(1 / (255 * std) for std in self.std)
        bias = tuple(-mean / std for mean, std in zip(self.mean, self.std, strict=True))
        return scale, bias
