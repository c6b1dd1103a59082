"""The pixels of every operation, by Pillow, in physical units.

Each kernel takes an image of mode RGB or L, an argument in the unit of its operation and a `Canvas`, and returns a
new image of the same size and mode. Kernels are deterministic: whatever is random was drawn before.
"""

import math
from dataclasses import dataclass

from PIL import ImageEnhance, ImageOps
from PIL.Image import Image as PILImage
from PIL.Image import Resampling, Transform

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Canvas:
    """What a kernel needs beside its argument.

    Attributes:
        fill: RGB colour, 0…255, of pixels that come from outside the image or are cut out.
        resample: Filter of the geometric operations.
        centre: Drawn point as fractions of width and height, each in [0, 1).
    """

    fill: Colour = (0, 0, 0)
    resample: Resampling = Resampling.NEAREST
    centre: tuple[float, float] = (0.5, 0.5)


def identity(image: PILImage, _argument: float, _canvas: Canvas) -> PILImage:
    """Return the image as it is."""
    return image


def shear_x(image: PILImage, shear: float, canvas: Canvas) -> PILImage:
    """Read output pixel (x, y) from (x + shear·y, y); anchored at the top-left corner."""
    return _affine(image, (1, shear, 0, 0, 1, 0), canvas)


def shear_y(image: PILImage, shear: float, canvas: Canvas) -> PILImage:
    """Read output pixel (x, y) from (x, y + shear·x); anchored at the top-left corner."""
    return _affine(image, (1, 0, 0, shear, 1, 0), canvas)


def translate_x(image: PILImage, fraction: float, canvas: Canvas) -> PILImage:
    """Move the content left by a fraction of the width (right when negative)."""
    return _affine(image, (1, 0, fraction * image.width, 0, 1, 0), canvas)


def translate_y(image: PILImage, fraction: float, canvas: Canvas) -> PILImage:
    """Move the content up by a fraction of the height (down when negative)."""
    return _affine(image, (1, 0, 0, 0, 1, fraction * image.height), canvas)


def translate_x_whole(image: PILImage, fraction: float, canvas: Canvas) -> PILImage:
    """Move the content left by a fraction of the width, cut to whole pixels towards zero as torchvision does."""
    return translate_x_pixels(image, fraction * image.width, canvas)


def translate_y_whole(image: PILImage, fraction: float, canvas: Canvas) -> PILImage:
    """Move the content up by a fraction of the height, cut to whole pixels towards zero as torchvision does."""
    return translate_y_pixels(image, fraction * image.height, canvas)


def translate_x_pixels(image: PILImage, pixels: float, canvas: Canvas) -> PILImage:
    """Move the content left by a number of pixels, cut to a whole number towards zero."""
    return _affine(image, (1, 0, int(pixels), 0, 1, 0), canvas)


def translate_y_pixels(image: PILImage, pixels: float, canvas: Canvas) -> PILImage:
    """Move the content up by a number of pixels, cut to a whole number towards zero."""
    return _affine(image, (1, 0, 0, 0, 1, int(pixels)), canvas)


def rotate(image: PILImage, degrees: float, canvas: Canvas) -> PILImage:
    """Rotate counter-clockwise about the image centre, keeping the size."""
    return image.rotate(degrees, canvas.resample, fillcolor=_colour(image, canvas.fill))


def auto_contrast(image: PILImage, _argument: float, _canvas: Canvas) -> PILImage:
    """Stretch each channel's histogram to 0…255."""
    return ImageOps.autocontrast(image)


def invert(image: PILImage, _argument: float, _canvas: Canvas) -> PILImage:
    """Return 255 − x."""
    return ImageOps.invert(image)


def equalize(image: PILImage, _argument: float, _canvas: Canvas) -> PILImage:
    """Equalise each channel's histogram."""
    return ImageOps.equalize(image)


def solarize(image: PILImage, threshold: float, _canvas: Canvas) -> PILImage:
    """Invert the values at or above the threshold, 0…256; 256 leaves the image as it is."""
    return ImageOps.solarize(image, threshold)  # type: ignore[arg-type]  # Pillow compares, so a float is right


def posterize(image: PILImage, bits: float, _canvas: Canvas) -> PILImage:
    """Keep the high ``int(bits)`` bits, 0…8 (others are cut to that); 0 is black, which Pillow refuses from 13 on."""
    mask = 0xFF & ~(0xFF >> min(8, max(0, int(bits))))
    return image.point([value & mask for value in range(256)] * len(image.getbands()))


def contrast(image: PILImage, factor: float, _canvas: Canvas) -> PILImage:
    """Blend with the mean grey: 1 is the image, 0 is uniform grey."""
    return ImageEnhance.Contrast(image).enhance(factor)


def color(image: PILImage, factor: float, _canvas: Canvas) -> PILImage:
    """Blend with the greyscale image: 1 is the image, 0 has no colour."""
    return ImageEnhance.Color(image).enhance(factor)


def brightness(image: PILImage, factor: float, _canvas: Canvas) -> PILImage:
    """Blend with black: 1 is the image, 0 is black."""
    return ImageEnhance.Brightness(image).enhance(factor)


def sharpness(image: PILImage, factor: float, _canvas: Canvas) -> PILImage:
    """Blend with the smoothed image: 1 is the image, below smooths, above sharpens."""
    return ImageEnhance.Sharpness(image).enhance(factor)


def cutout(image: PILImage, fraction: float, canvas: Canvas) -> PILImage:
    """Fill the square of side ``fraction``·width about the drawn centre; clipped at every border.

    A pixel is filled when its own centre lies in the square, so the mean area inside the image is the square's.
    The original draws its centre from (1, width], shifts the square at two borders and paints one pixel too many.
    """
    half = fraction * image.width / 2
    centre_x, centre_y = canvas.centre[0] * image.width, canvas.centre[1] * image.height
    left, right = (max(0, min(image.width, math.ceil(centre_x + side - 0.5))) for side in (-half, half))
    top, bottom = (max(0, min(image.height, math.ceil(centre_y + side - 0.5))) for side in (-half, half))
    if right <= left or bottom <= top:
        return image
    filled = image.copy()
    filled.paste(_colour(image, canvas.fill), (left, top, right, bottom))
    return filled


def _affine(image: PILImage, matrix: tuple[float, ...], canvas: Canvas) -> PILImage:
    return image.transform(image.size, Transform.AFFINE, matrix, canvas.resample, fillcolor=_colour(image, canvas.fill))


def _colour(image: PILImage, fill: Colour) -> Colour | int:
    """Return the fill for the image's mode: its luma for a grey image."""
    if image.mode == "RGB":
        return fill
    red, green, blue = fill
    return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16  # Pillow's own luma, ITU-R 601
