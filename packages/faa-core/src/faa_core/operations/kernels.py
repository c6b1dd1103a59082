"""The pixels of every operation, by Pillow, in physical units.

Each kernel takes an image of mode RGB or L, an argument in the unit of its operation and a `Canvas`, and returns a
new image of the same size and mode. Kernels are deterministic: whatever is random was drawn before.
"""

from dataclasses import dataclass

from PIL import Image, ImageEnhance, ImageOps
from PIL.Image import Image as PILImage
from PIL.Image import Resampling, Transform, Transpose

from faa_core.errors import FaaError
from faa_core.operations import numbers
from faa_core.operations.canvas import Canvas, Colour, Drawn
from faa_core.operations.geometry import InverseMap, Matrix, on_grid

UNDRAWN = Drawn()  # of operations that nothing is drawn for


@dataclass(frozen=True, slots=True)
class Moved:
    """The kernel that reads every output pixel through a map of `faa_core.operations.geometry`."""

    by: InverseMap

    def __call__(self, image: PILImage, argument: float, canvas: Canvas) -> PILImage:
        """Return the image so moved."""
        matrix = read_by(self.by(argument, image.width, image.height, canvas.drawn), canvas.resample)
        fill = _colour(image, canvas.fill)
        return image.transform(image.size, Transform.AFFINE, matrix, canvas.resample, fillcolor=fill)


def read_by(matrix: Matrix, resample: Resampling) -> Matrix:
    """Return the map as Pillow is to get it, so that it reads the pixels that every engine reads."""
    a, b, c, d, e, f = matrix
    if resample != Resampling.NEAREST or b != 0 or d != 0:
        return matrix
    (a, c), (e, f) = on_grid(a, c), on_grid(e, f)
    return a, b, c, d, e, f


def identity(image: PILImage, _argument: float, _canvas: Canvas) -> PILImage:
    """Return the image as it is."""
    return image


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
    whole = int(numbers.addend(addend, *image.size, UNDRAWN)[0])
    lifted = [min(255, max(0, value + whole)) if value < 128 else value for value in range(256)]
    return image.point(lifted * len(image.getbands()))


def posterize(image: PILImage, bits: float, _canvas: Canvas) -> PILImage:
    """Keep the high ``int(bits)`` bits, 0…8 (others are cut to that); 0 is black, which Pillow refuses from 13 on."""
    mask = int(numbers.mask(bits, *image.size, UNDRAWN)[0])
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

    The original draws its centre from (1, width], shifts the square at two borders and paints one pixel too many.
    """
    return cutout_abs(image, fraction * image.width, canvas)


def cutout_abs(image: PILImage, side: float, canvas: Canvas) -> PILImage:
    """Fill the square of a side in pixels about the drawn centre; clipped at every border."""
    left, top, right, bottom = (
        int(edge) for edge in numbers.box_abs(side, image.width, image.height, canvas.drawn)[:4]
    )
    if right <= left or bottom <= top:
        return image
    filled = image.copy()
    filled.paste(_colour(image, canvas.fill), (left, top, right, bottom))
    return filled


def flip(image: PILImage, side: float, _canvas: Canvas) -> PILImage:
    """Mirror left to right when the argument is negative; a mirrored axis from 1 to 1 makes that half of the time."""
    return image.transpose(Transpose.FLIP_LEFT_RIGHT) if side < 0 else image


def random_resized_crop(image: PILImage, least_area: float, canvas: Canvas) -> PILImage:
    """Cut out a part of the drawn area, aspect and place, and bring it back to size (bicubic, antialiased).

    The part covers `least_area`…1 of the image at an aspect of 3/4…4/3, uniform on a logarithmic scale, as in
    torchvision; where it would be longer than the image that side is cut, where torchvision draws again.
    """
    box = numbers.part(least_area, image.width, image.height, canvas.drawn)
    left, top, width, height = (int(length) for length in box[:4])
    part = image.crop((left, top, left + width, top + height))
    return part.resize(image.size, Resampling.BICUBIC)


def sample_pairing(image: PILImage, weight: float, canvas: Canvas) -> PILImage:
    """Blend with the partner: 0 is the image, 1 the partner (Inoue 2018; up to 0.4 in AutoAugment's space).

    Raises:
        FaaError: If there is no partner, or it has another size or mode.
    """
    if canvas.partner is None:
        raise FaaError(
            "The policy mixes in other images (SamplePairing). Only `faa train` and `faa compare` give it some; take a "
            "policy without elsewhere. In Python, give the policy `partners` to choose from."
        )
    if (canvas.partner.size, canvas.partner.mode) != (image.size, image.mode):
        raise FaaError(
            f"SamplePairing takes partners like the image ({image.size}, {image.mode}), "
            f"not {canvas.partner.size}, {canvas.partner.mode}."
        )
    return Image.blend(image, canvas.partner, weight)


def _colour(image: PILImage, fill: Colour) -> Colour | int:
    """Return the fill for the image's mode: its luma for a grey image."""
    if image.mode == "RGB":
        return fill
    red, green, blue = fill
    return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16  # Pillow's own luma, ITU-R 601
