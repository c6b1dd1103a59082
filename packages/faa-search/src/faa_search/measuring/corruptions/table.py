"""The fifteen corruptions and how strong each severity is.

The figures are those of the scripts that made CIFAR-10-C, for images up to 64 px a side, and ImageNet-C, for larger.
Lengths are in pixels of 32 and 224 px images, except for the elastic transform, whose lengths are shares of the side.
"""

from collections.abc import Callable
from dataclasses import dataclass

from faa_search.measuring.corruptions import blur, digital, noise, weather
from faa_search.measuring.corruptions.draws import Floats

SEVERITIES = (1, 2, 3, 4, 5)
SMALL_SIDE = 64
Figures = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Corruption:
    """One corruption.

    Attributes:
        name: As CIFAR-10-C names its file.
        kernel: From images ``[B, H, W, C]`` in [0, 1], figures and draws to images; it need not keep the range.
        small: Figures of each severity for images up to 64 px a side.
        large: The same for larger ones.
        needs_photographs: Whether the kernel also takes photographs.
    """

    name: str
    kernel: Callable[..., Floats]
    small: Figures
    large: Figures
    needs_photographs: bool = False

    def figures(self, severity: int, side: int) -> tuple[float, ...]:
        """Return the figures of a severity, 1 to 5, for images of a side in pixels."""
        return (self.small if side <= SMALL_SIDE else self.large)[severity - 1]


def _each(*values: float) -> Figures:
    return tuple((value,) for value in values)


def _shares(factor: float, *rows: tuple[float, float, float]) -> Figures:
    """Return lengths in sides; ImageNet-C reckons with a side of 244 px where its images have 224."""
    return tuple(tuple(factor * value for value in row) for row in rows)


CORRUPTIONS: tuple[Corruption, ...] = (
    Corruption(
        "gaussian_noise", noise.gaussian_noise, _each(0.04, 0.06, 0.08, 0.09, 0.1), _each(0.08, 0.12, 0.18, 0.26, 0.38)
    ),
    Corruption("shot_noise", noise.shot_noise, _each(500, 250, 100, 75, 50), _each(60, 25, 12, 5, 3)),
    Corruption(
        "impulse_noise", noise.impulse_noise, _each(0.01, 0.02, 0.03, 0.05, 0.07), _each(0.03, 0.06, 0.09, 0.17, 0.27)
    ),
    Corruption(
        "defocus_blur",
        blur.defocus_blur,
        ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    ),
    Corruption(
        "glass_blur",
        blur.glass_blur,
        ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    ),
    Corruption(
        "motion_blur",
        blur.motion_blur,
        ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    ),
    Corruption(
        "zoom_blur",
        blur.zoom_blur,
        ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
        ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    ),
    Corruption(
        "snow",
        weather.snow,
        (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    ),
    Corruption(
        "frost",
        weather.frost,
        ((1, 0.2, 0.2), (1, 0.3, 0.2), (0.9, 0.4, 0.2), (0.85, 0.4, 0.2), (0.75, 0.45, 0.2)),
        ((1, 0.4, 1), (0.8, 0.6, 1), (0.7, 0.7, 1), (0.65, 0.7, 1), (0.6, 0.75, 1)),
        needs_photographs=True,
    ),
    Corruption(
        "fog",
        weather.fog,
        ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    ),
    Corruption("brightness", weather.brightness, _each(0.05, 0.1, 0.15, 0.2, 0.3), _each(0.1, 0.2, 0.3, 0.4, 0.5)),
    Corruption("contrast", digital.contrast, _each(0.75, 0.5, 0.4, 0.3, 0.15), _each(0.4, 0.3, 0.2, 0.1, 0.05)),
    Corruption(
        "elastic_transform",
        digital.elastic_transform,
        ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
        _shares(244 / 224, (2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)),
    ),
    Corruption("pixelate", digital.pixelate, _each(0.95, 0.9, 0.85, 0.75, 0.65), _each(0.6, 0.5, 0.4, 0.3, 0.25)),
    Corruption("jpeg_compression", digital.jpeg_compression, _each(80, 65, 58, 50, 40), _each(25, 18, 15, 10, 7)),
)
