"""The pixels of each kernel against arithmetic in numpy: directions, factors, thresholds, bits, squares, fills."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from PIL.Image import Image as PILImage
from PIL.Image import Resampling

from faa_core.operations import Canvas, Kernel, kernels, table
from faa_core.operations.table import CUTOUT

Picture = Callable[[str], PILImage]
BLACK = Canvas()
MAGENTA = Canvas(fill=(255, 0, 255))
Array = NDArray[np.int64]


def values(image: PILImage) -> Array:
    """Return the pixels as integers that may be subtracted."""
    return np.asarray(image).astype(np.int64)


def noise(width: int, height: int) -> PILImage:
    """Return pixels that are all different from black and magenta."""
    pixels = np.random.default_rng(width * 1000 + height).integers(1, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def read_from(image: PILImage, source_x: NDArray[np.float64], source_y: NDArray[np.float64]) -> Array:
    """Return the nearest pixel at source points in continuous coordinates (pixel i covers [i, i + 1)), else black."""
    pixels = values(image)
    x, y = np.floor(source_x).astype(int), np.floor(source_y).astype(int)
    inside = (x >= 0) & (x < image.width) & (y >= 0) & (y < image.height)
    found = pixels[np.clip(y, 0, image.height - 1), np.clip(x, 0, image.width - 1)]
    return np.where(inside[..., None], found, 0)


def centres(image: PILImage) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y of every pixel's centre."""
    x, y = np.meshgrid(np.arange(image.width) + 0.5, np.arange(image.height) + 0.5)
    return x, y


def clear_of_ties(*points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where no source point lies so near a pixel border that rounding decides (Pillow keeps 16 bits)."""
    return np.logical_and.reduce([np.abs(at - np.round(at)) > 2e-3 for at in points])


SIDES = st.integers(1, 48)


@given(SIDES, SIDES, st.floats(-1.2, 1.2))
def test_shears_read_from_x_plus_shear_times_y(width: int, height: int, shear: float) -> None:
    """Both shears equal the formula in numpy, anchored at the top-left corner."""
    image = noise(width, height)
    x, y = centres(image)
    for kernel, source in (
        (table.SHEAR_X.kernel, (x + shear * y, y)),
        (table.SHEAR_Y.kernel, (x, y + shear * x)),
    ):
        sure = clear_of_ties(source[0] if kernel is table.SHEAR_X.kernel else source[1])
        assert (read_from(image, *source)[sure] == values(kernel(image, shear, BLACK))[sure]).all()


def test_a_shear_leaves_its_first_line_in_place(picture: Picture) -> None:
    """Row 0 for X, column 0 for Y; the last line moves towards smaller coordinates for a positive shear."""
    image = picture("noise")
    for shear in (-0.3, 0.3):
        assert (values(image)[0] == values(table.SHEAR_X.kernel(image, shear, BLACK))[0]).all()
        assert (values(image)[:, 0] == values(table.SHEAR_Y.kernel(image, shear, BLACK))[:, 0]).all()
    last_row = values(table.SHEAR_X.kernel(image, 0.25, BLACK))[31]  # 0.25 · 31.5 = 7.875, so 8 pixels
    assert (values(image)[31, 8:] == last_row[:24]).all()
    assert (last_row[24:] == 0).all()
    last_column = values(table.SHEAR_Y.kernel(image, 0.25, BLACK))[:, 31]
    assert (values(image)[8:, 31] == last_column[:24]).all()
    assert (last_column[24:] == 0).all()


@given(SIDES, SIDES, st.floats(-1.2, 1.2))
def test_translations_move_by_a_fraction_of_their_side(width: int, height: int, fraction: float) -> None:
    """X reads from x + fraction·width, Y from y + fraction·height."""
    image = noise(width, height)
    x, y = centres(image)
    for kernel, source in (
        (table.TRANSLATE_X.kernel, (x + fraction * width, y)),
        (table.TRANSLATE_Y.kernel, (x, y + fraction * height)),
    ):
        sure = clear_of_ties(source[0] if kernel is table.TRANSLATE_X.kernel else source[1])
        assert (read_from(image, *source)[sure] == values(kernel(image, fraction, BLACK))[sure]).all()
    across = table.TRANSLATE_X_ABS.kernel(image, fraction * width, BLACK)
    assert across.tobytes() == table.TRANSLATE_X.kernel(image, fraction, BLACK).tobytes()
    down = table.TRANSLATE_Y_ABS.kernel(image, fraction * height, BLACK)
    assert down.tobytes() == table.TRANSLATE_Y.kernel(image, fraction, BLACK).tobytes()
    whole = read_from(image, x + math.trunc(fraction * width), y)
    assert (whole == values(table.TRANSLATE_X_WHOLE.kernel(image, fraction, BLACK))).all()
    whole = read_from(image, x, y + math.trunc(fraction * height))
    assert (whole == values(table.TRANSLATE_Y_WHOLE.kernel(image, fraction, BLACK))).all()


@pytest.mark.parametrize(("pixels", "argument"), [(8, 8.0), (8, 8.99), (-8, -8.0), (-8, -8.99), (0, 0.99), (0, -0.99)])
def test_pixel_translations_cut_towards_zero(pixels: int, argument: float, picture: Picture) -> None:
    """Whole pixels only, in both directions."""
    image = picture("noise")
    x, y = centres(image)
    assert (read_from(image, x + pixels, y) == values(table.TRANSLATE_X_PIXELS.kernel(image, argument, BLACK))).all()
    assert (read_from(image, x, y + pixels) == values(table.TRANSLATE_Y_PIXELS.kernel(image, argument, BLACK))).all()


@pytest.mark.parametrize(
    ("kernel", "argument", "axis"),
    [
        (table.TRANSLATE_X.kernel, 0.25, 1),
        (table.TRANSLATE_X_WHOLE.kernel, 0.25, 1),
        (table.TRANSLATE_X_PIXELS.kernel, 8.0, 1),
        (table.TRANSLATE_X_ABS.kernel, 8.0, 1),
        (table.TRANSLATE_Y.kernel, 0.25, 0),
        (table.TRANSLATE_Y_WHOLE.kernel, 0.25, 0),
        (table.TRANSLATE_Y_PIXELS.kernel, 8.0, 0),
        (table.TRANSLATE_Y_ABS.kernel, 8.0, 0),
    ],
)
def test_eight_pixels_of_32_move_left_or_up(kernel: Kernel, argument: float, axis: int, picture: Picture) -> None:
    """Positive: the far 8 lines become black and line 0 is the old line 8. Negative: the other way round."""
    image = picture("noise")
    before = np.moveaxis(values(image), axis, 0)
    after = np.moveaxis(values(kernel(image, argument, BLACK)), axis, 0)
    assert (before[8:] == after[:24]).all()
    assert (after[24:] == 0).all()
    after = np.moveaxis(values(kernel(image, -argument, BLACK)), axis, 0)
    assert (before[:24] == after[8:]).all()
    assert (after[:8] == 0).all()


def test_rotation_is_counter_clockwise(picture: Picture) -> None:
    """A quarter turn equals numpy's counter-clockwise one."""
    image = picture("noise")
    assert (np.rot90(values(image), 1) == values(kernels.rotate(image, 90.0, BLACK))).all()
    assert (np.rot90(values(image), -1) == values(kernels.rotate(image, -90.0, BLACK))).all()


def test_rotation_lifts_the_right_hand_side() -> None:
    """Thirty degrees carry a block right of the centre to where the angle says, and the size stays."""
    image = Image.new("L", (65, 65))
    image.paste(255, (50, 30, 55, 35))  # about (52.5, 32.5): 20 pixels right of the centre
    y, x = np.nonzero(values(kernels.rotate(image, 30.0, BLACK)))
    assert 32.5 + 20 * math.cos(math.pi / 6) == pytest.approx(x.mean() + 0.5, abs=0.3)
    assert 32.5 - 20 * math.sin(math.pi / 6) == pytest.approx(y.mean() + 0.5, abs=0.3)


@pytest.mark.parametrize(
    ("kernel", "argument"),
    [
        (table.SHEAR_X.kernel, 0.3),
        (table.SHEAR_Y.kernel, 0.3),
        (table.TRANSLATE_X.kernel, 0.3),
        (table.TRANSLATE_Y.kernel, 0.3),
        (kernels.rotate, 25.0),
    ],
)
def test_geometry_fills_and_filters_as_told(kernel: Kernel, argument: float, picture: Picture) -> None:
    """The fill shows where black would be, and a smoother filter gives other values than the nearest."""
    image = noise(32, 32)
    black, magenta = values(kernel(image, argument, BLACK)), values(kernel(image, argument, MAGENTA))
    outside = (black == 0).all(-1)
    assert outside.any()
    assert (magenta[outside] == (255, 0, 255)).all()
    assert (magenta[~outside] == black[~outside]).all()
    nearest = set(map(tuple, values(image).reshape(-1, 3).tolist())) | {(0, 0, 0)}
    assert set(map(tuple, black.reshape(-1, 3).tolist())) <= nearest
    for resample in (Resampling.BILINEAR, Resampling.BICUBIC):
        smooth = values(kernel(image, argument, Canvas(resample=resample)))
        assert not set(map(tuple, smooth.reshape(-1, 3).tolist())) <= nearest


def test_invert(picture: Picture) -> None:
    """Every value becomes 255 − x."""
    image = picture("odd")
    assert (255 - values(image) == values(kernels.invert(image, 0.0, BLACK))).all()


@pytest.mark.parametrize("threshold", [0.0, 1.0, 127.5, 128.0, 255.0, 255.5, 256.0])
def test_solarize_inverts_from_the_threshold_up(threshold: float, picture: Picture) -> None:
    """Values at or above the threshold are inverted, others kept."""
    image = picture("noise")
    before = values(image)
    expected = np.where(before >= threshold, 255 - before, before)
    assert (expected == values(kernels.solarize(image, threshold, BLACK))).all()


def test_solarize_at_128_inverts_128() -> None:
    """The value on the threshold is inverted, the one below is not."""
    image = Image.fromarray(np.array([[127, 128]], dtype=np.uint8))
    assert [[127, 127]] == values(kernels.solarize(image, 128.0, BLACK)).tolist()


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("bits", range(9))
def test_posterize_keeps_the_high_bits(bits: int, mode: str, picture: Picture) -> None:
    """Zero bits are black under any Pillow, eight the image; fractions are cut."""
    image = picture("noise").convert(mode)
    expected = values(image) // 2 ** (8 - bits) * 2 ** (8 - bits)
    assert (expected == values(kernels.posterize(image, bits, BLACK))).all()
    assert (expected == values(kernels.posterize(image, bits + 0.99, BLACK))).all()


@pytest.mark.parametrize(("magnitude", "bits"), [(0.0, 4), (0.24, 4), (0.25, 5), (0.5, 6), (0.75, 7), (1.0, 8)])
def test_posterize_bits_of_a_magnitude(magnitude: float, bits: int, picture: Picture) -> None:
    """The row's λ gives the bits of the original."""
    image = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    kept = kernels.posterize(image, 4.0 + magnitude * 4.0, BLACK)
    assert 2**bits == len(np.unique(values(kept)))


def test_brightness_multiplies(picture: Picture) -> None:
    """0 is black, 1 the image, and 0.1 and 1.9 scale it, cut to 0…255."""
    image = picture("noise")
    before = values(image)
    assert (values(kernels.brightness(image, 0.0, BLACK)) == 0).all()
    for factor in (0.1, 0.5, 1.0, 1.5, 1.9):
        expected = np.minimum(255, before * factor)
        assert np.abs(expected - values(kernels.brightness(image, factor, BLACK))).max() < 1.001


def test_contrast_blends_with_the_mean_grey(picture: Picture) -> None:
    """0 is uniform grey at the mean luma; others lie on the line from there through the image."""
    image = picture("gradient")
    grey = int(values(image.convert("L")).mean() + 0.5)
    assert (values(kernels.contrast(image, 0.0, BLACK)) == grey).all()
    for factor in (0.1, 0.5, 1.0, 1.9):
        expected = np.clip(grey + factor * (values(image) - grey), 0, 255)
        assert np.abs(expected - values(kernels.contrast(image, factor, BLACK))).max() < 1.001


def test_color_blends_with_the_grey_image(picture: Picture) -> None:
    """0 has no colour; others lie on the line from the grey image; a grey image stays."""
    image = picture("noise")
    grey = values(image.convert("L"))[..., None]
    for factor in (0.0, 0.1, 1.0, 1.9):
        expected = np.clip(grey + factor * (values(image) - grey), 0, 255)
        assert np.abs(expected - values(kernels.color(image, factor, BLACK))).max() < 1.001
    plain = picture("grey-noise")
    assert plain.tobytes() == kernels.color(plain, 1.9, BLACK).tobytes()


def test_sharpness_blends_with_the_smoothed_image(picture: Picture) -> None:
    """0 is Pillow's smoothing; above 1 lies beyond the image."""
    image = picture("noise")
    smooth = values(image.filter(ImageFilter.SMOOTH))
    for factor in (0.0, 0.1, 1.0, 1.9):
        expected = np.clip(smooth + factor * (values(image) - smooth), 0, 255)
        assert np.abs(expected - values(kernels.sharpness(image, factor, BLACK))).max() < 1.001


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_auto_contrast_stretches_each_channel(mode: str) -> None:
    """The smallest value becomes 0, the largest 255, linearly between; a flat channel stays."""
    image = noise(20, 20).point(lambda value: 60 + value // 4).convert(mode)
    before, after = values(image).reshape(400, -1), values(kernels.auto_contrast(image, 0.0, BLACK)).reshape(400, -1)
    low, high = before.min(0), before.max(0)
    assert np.abs((before - low) * 255 / (high - low) - after).max() < 1.001
    flat = Image.new("L", (4, 4), 77)
    assert flat.tobytes() == kernels.auto_contrast(flat, 0.0, BLACK).tobytes()


def test_equalize_evens_out_each_channel() -> None:
    """A narrow histogram becomes near uniform, order is kept, and channels do not mix."""
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[..., 0] = np.arange(64)[None, :] // 2 + 100
    pixels[..., 1] = np.arange(64)[:, None] // 2 + 10
    after = values(kernels.equalize(Image.fromarray(pixels), 0.0, BLACK))
    for channel in (0, 1):
        found = np.unique(after[..., channel])
        assert np.abs(np.linspace(0, 255, len(found)) - found).max() < 10
        assert len(found) >= 30
    assert all(left <= right for left, right in pairwise(after[0, :, 0].tolist()))
    assert (after[..., 2] == 0).all()


def square(width: int, height: int, side: float, centre: tuple[float, float]) -> NDArray[np.bool_]:
    """Return the pixels whose centre lies in the half-open square of a side about a point in pixels."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    across = (centre[0] - side / 2 <= x) & (x < centre[0] + side / 2)
    return across & (centre[1] - side / 2 <= y) & (y < centre[1] + side / 2)


FRACTIONS = st.integers(0, 1023).map(lambda number: (number + 0.37) / 1024)


@given(SIDES, SIDES, st.floats(0, 1), FRACTIONS, FRACTIONS)
def test_cutout_paints_the_pixels_whose_centre_lies_in_the_square(
    width: int, height: int, fraction: float, at_x: float, at_y: float
) -> None:
    """On any size and at any centre, corners included: exactly these pixels, in the fill, others kept."""
    image = noise(width, height)
    expected = square(width, height, fraction * width, (at_x * width, at_y * height))
    after = values(kernels.cutout(image, fraction, Canvas(fill=(255, 0, 255), centre=(at_x, at_y))))
    painted = (after == (255, 0, 255)).all(-1)
    assert (expected == painted).all()
    assert (values(image)[~expected] == after[~expected]).all()
    by_pixels = kernels.cutout_abs(image, fraction * width, Canvas(fill=(255, 0, 255), centre=(at_x, at_y)))
    assert (values(by_pixels) == after).all()


def test_cutout_is_as_wide_as_it_says_on_average() -> None:
    """Away from the borders, 0.2 of 32 pixels paint 6.4 × 6.4 on average over the centres; the side is of the width."""
    image = noise(32, 48)
    points = np.arange(320) / 320
    widths, heights = [], []
    for point in points:
        centre = (0.4 + point / 32 * 4, 0.4 + point / 48 * 4)
        painted = (values(kernels.cutout(image, 0.2, Canvas(fill=(255, 0, 255), centre=centre))) == (255, 0, 255)).all(
            -1
        )
        widths.append(painted.any(0).sum())
        heights.append(painted.any(1).sum())
    assert 6.4 == pytest.approx(np.mean(widths), abs=0.05)
    assert 6.4 == pytest.approx(np.mean(heights), abs=0.05)
    assert {6, 7} == set(widths)


@pytest.mark.parametrize(
    ("centre", "expected"),
    [
        ((0.0, 0.5), (3, 6)),
        ((0.999999, 0.5), (3, 6)),
        ((0.5, 0.0), (6, 3)),
        ((0.5, 0.999999), (6, 3)),
        ((0.0, 0.0), (3, 3)),
        ((0.999999, 0.999999), (3, 3)),
    ],
)
def test_cutout_is_clipped_alike_at_every_border(
    centre: tuple[float, float], expected: tuple[int, int], picture: Picture
) -> None:
    """Half of a square of 6 pixels is left at a border, a quarter in a corner: it is not shifted inwards."""
    image = picture("noise")
    painted = (values(kernels.cutout(image, 6 / 32, Canvas(fill=(255, 0, 255), centre=centre))) == (255, 0, 255)).all(
        -1
    )
    assert expected == (painted.any(0).sum(), painted.any(1).sum())
    assert expected[0] * expected[1] == painted.sum()


def test_cutout_paints_the_mean_grey() -> None:
    """The row's colour, and its luma on a grey image."""
    assert CUTOUT.fill is not None
    canvas = Canvas(fill=CUTOUT.fill)
    assert (125, 123, 114) == kernels.cutout(noise(9, 9), 0.5, canvas).getpixel((4, 4))
    assert 123 == kernels.cutout(noise(9, 9).convert("L"), 0.5, canvas).getpixel((4, 4))


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_the_fill_of_a_grey_image_is_pillows_luma(fill: tuple[int, int, int]) -> None:
    """Filling a grey image equals filling a colour image and making it grey."""
    expected = Image.new("RGB", (1, 1), fill).convert("L").getpixel((0, 0))
    grey, canvas = Image.new("L", (4, 4), 7), Canvas(fill=fill)
    assert expected == table.TRANSLATE_X.kernel(grey, 0.5, canvas).getpixel((3, 0))
    assert expected == table.TRANSLATE_Y_PIXELS.kernel(grey, 2.0, canvas).getpixel((0, 3))
    assert expected == kernels.cutout(grey, 1.0, canvas).getpixel((2, 2))
    assert expected == kernels.rotate(Image.new("L", (9, 9), 7), 45.0, canvas).getpixel((0, 0))
