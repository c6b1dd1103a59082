"""Bringing an image to the side the network takes, and its colours to vary."""

from PIL.Image import Image as PILImage
from torchvision.transforms import v2

from faa_search.keyed_torch import torch_seeded


def fitted(image: PILImage, size: int) -> PILImage:
    """Return the image with its shorter side resized to `size` (bicubic) and its centre ``size``×``size`` cut out."""
    if image.size == (size, size):
        return image
    resized = v2.functional.resize(image, [size], interpolation=v2.InterpolationMode.BICUBIC)
    return v2.functional.center_crop(resized, [size, size])  # type: ignore[no-any-return]


def random_resized_crop(
    image: PILImage, size: int, *, scale: tuple[float, float], ratio: tuple[float, float], seed: int
) -> PILImage:
    """Return a random part of the image, resized (bicubic) to ``size``×``size``.

    Args:
        image: Any size.
        size: Side of the result, in pixels.
        scale: Range of the part's area as a fraction of the image's.
        ratio: Range of the part's width over height.
        seed: Keys the draw; torch's own generator is left as it was.
    """
    with torch_seeded(seed):
        crop = v2.RandomResizedCrop(size, scale=scale, ratio=ratio, interpolation=v2.InterpolationMode.BICUBIC)
        return crop(image)  # type: ignore[no-any-return]


def colour_jitter(image: PILImage, strength: float, *, seed: int) -> PILImage:
    """Return the image with brightness, contrast and colour changed by random factors, in random order.

    Args:
        image: Any size.
        strength: Factors lie in ``1 - strength … 1 + strength``.
        seed: Keys the draw; torch's own generator is left as it was.
    """
    with torch_seeded(seed):
        jitter = v2.ColorJitter(brightness=strength, contrast=strength, saturation=strength)
        return jitter(image)  # type: ignore[no-any-return]
