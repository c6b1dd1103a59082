"""The pixels of every operation, by Pillow, in physical units.

Each kernel takes an image of mode RGB or L, an argument in the unit of its operation and a `Canvas`, and returns a
new image of the same size and mode. Kernels are deterministic: whatever is random was drawn before.
"""

import math
from dataclasses import dataclass

from PIL import Image, ImageEnhance, ImageOps
from PIL.Image import Image as PILImage
from PIL.Image import Resampling, Transform, Transpose

from faa_core.errors import FaaError

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


def translate_x_abs(image: PILImage, pixels: float, canvas: Canvas) -> PILImage:
    """Move the content left by a number of pixels (right when negative)."""
    return _affine(image, (1, 0, pixels, 0, 1, 0), canvas)


def translate_y_abs(image: PILImage, pixels: float, canvas: Canvas) -> PILImage:
    """Move the content up by a number of pixels (down when negative)."""
    return _affine(image, (1, 0, 0, 0, 1, pixels), canvas)


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


def solarize_add(image: PILImage, addend: float, _canvas: Canvas) -> PILImage:
    """Add ``int(addend)`` to the values below 128, cut to 0…255; 0 leaves the image as it is."""
    lifted = [min(255, max(0, value + int(addend))) if value < 128 else value for value in range(256)]
    return image.point(lifted * len(image.getbands()))


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
    return cutout_abs(image, fraction * image.width, canvas)


def cutout_abs(image: PILImage, side: float, canvas: Canvas) -> PILImage:
    """Fill the square of a side in pixels about the drawn centre; clipped at every border."""
    half = side / 2
    centre_x, centre_y = canvas.centre[0] * image.width, canvas.centre[1] * image.height
    left, right = (max(0, min(image.width, math.ceil(centre_x + reach - 0.5))) for reach in (-half, half))
    top, bottom = (max(0, min(image.height, math.ceil(centre_y + reach - 0.5))) for reach in (-half, half))
    if right <= left or bottom <= top:
        return image
    filled = image.copy()
    filled.paste(_colour(image, canvas.fill), (left, top, right, bottom))
    return filled


def flip(image: PILImage, side: float, _canvas: Canvas) -> PILImage:
    """Mirror left to right when the argument is negative; a mirrored axis from 1 to 1 makes that half of the time."""
    return image.transpose(Transpose.FLIP_LEFT_RIGHT) if side < 0 else image


def crop(image: PILImage, pad: float, canvas: Canvas) -> PILImage:
    """Pad by whole pixels on every side and cut back to size at the drawn place."""
    pad = int(pad)
    left, top = (int(place * (2 * pad + 1)) - pad for place in canvas.centre)
    return _affine(image, (1, 0, left, 0, 1, top), canvas)


def random_resized_crop(image: PILImage, least_area: float, canvas: Canvas) -> PILImage:
    """Cut out a part of the drawn area, aspect and place, and bring it back to size (bicubic, antialiased).

    The part covers `least_area`…1 of the image at an aspect of 3/4…4/3, uniform on a logarithmic scale, as in
    torchvision; where it would be longer than the image that side is cut, where torchvision draws again.
    """
    left, top, width, height = crop_box(image.width, image.height, least_area, canvas.shape, canvas.centre)
    part = image.crop((left, top, left + width, top + height))
    return part.resize(image.size, Resampling.BICUBIC)


def crop_box(
    width: int, height: int, least_area: float, shape: tuple[float, float], place: tuple[float, float]
) -> tuple[int, int, int, int]:
    """Return (left, top, width, height), in whole pixels, of the part that `random_resized_crop` cuts out."""
    area = (least_area + shape[0] * (1 - least_area)) * width * height
    aspect = math.exp((2 * shape[1] - 1) * math.log(4 / 3))
    wide = max(1, min(width, int(math.sqrt(area * aspect) + 0.5)))
    high = max(1, min(height, int(math.sqrt(area / aspect) + 0.5)))
    return int(place[0] * (width - wide + 1)), int(place[1] * (height - high + 1)), wide, high


def sample_pairing(image: PILImage, weight: float, canvas: Canvas) -> PILImage:
    """Blend with the partner: 0 is the image, 1 the partner (Inoue 2018; up to 0.4 in AutoAugment's space).

    Raises:
        FaaError: If there is no partner, or it has another size or mode.
    """
    if canvas.partner is None:
        raise FaaError("SamplePairing mixes in another image: give the policy `partners` to choose from.")
    if (canvas.partner.size, canvas.partner.mode) != (image.size, image.mode):
        raise FaaError(
            f"SamplePairing takes partners like the image ({image.size}, {image.mode}), "
            f"not {canvas.partner.size}, {canvas.partner.mode}."
        )
    return Image.blend(image, canvas.partner, weight)


def _affine(image: PILImage, matrix: tuple[float, ...], canvas: Canvas) -> PILImage:
    return image.transform(image.size, Transform.AFFINE, matrix, canvas.resample, fillcolor=_colour(image, canvas.fill))


def _colour(image: PILImage, fill: Colour) -> Colour | int:
    """Return the fill for the image's mode: its luma for a grey image."""
    if image.mode == "RGB":
        return fill
    red, green, blue = fill
    return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16  # Pillow's own luma, ITU-R 601
