"""The kernels of the baseline augmentation, of SamplePairing and of SolarizeAdd, against torchvision, Pillow, numpy."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.Image import Image as PILImage
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F  # noqa: N812 torchvision's own abbreviation

from faa_core import FaaError, operation
from faa_core.operations import Canvas, geometry, kernels, table

Picture = Callable[[str], PILImage]
KINDS = ["noise", "odd", "wide", "dot", "grey-odd"]
UNIT = st.floats(0, 1, exclude_max=True)
SIDES = st.integers(1, 64)


def values(image: PILImage) -> np.ndarray:
    """Return the pixels as integers that may be subtracted."""
    return np.asarray(image).astype(int)


@pytest.mark.parametrize("kind", KINDS)
def test_flip_mirrors_left_to_right_when_reflected(kind: str, picture: Picture) -> None:
    """The row's argument is 1, which keeps the image, or reflected −1, which is numpy's fliplr."""
    image, row = picture(kind), operation("Flip")
    assert {1.0} == {row.argument(magnitude) for magnitude in (0.0, 0.3, 1.0)}
    assert image.tobytes() == kernels.flip(image, row.argument(0.5), Canvas()).tobytes()
    assert (values(image)[:, ::-1] == values(kernels.flip(image, row.argument(0.5, reflected=True), Canvas()))).all()


@given(SIDES, SIDES, st.integers(0, 9), UNIT, UNIT)
def test_crop_is_a_window_of_the_padded_image(width: int, height: int, pad: int, at_x: float, at_y: float) -> None:
    """Padding by numpy and cutting at the drawn place; fractions of a pixel are cut off the padding."""
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    canvas = Canvas(fill=(1, 2, 3), centre=(at_x, at_y))
    framed = np.empty((height + 2 * pad, width + 2 * pad, 3), dtype=np.uint8)
    framed[:] = (1, 2, 3)
    framed[pad : pad + height, pad : pad + width] = pixels
    left, top = int(at_x * (2 * pad + 1)), int(at_y * (2 * pad + 1))
    for argument in (float(pad), pad + 0.99):
        found = np.asarray(table.CROP.kernel(Image.fromarray(pixels), argument, canvas))
        assert (framed[top : top + height, left : left + width] == found).all()


def test_crop_reaches_every_window_equally() -> None:
    """Nine places along each side for four pixels, the first and the last as wide as the others."""
    image = Image.fromarray(np.arange(1, 21, dtype=np.uint8)[None].repeat(20, 0))
    shown = [table.CROP.kernel(image, 4.0, Canvas(centre=(x / 900, 0.5))).getpixel((10, 10)) for x in range(900)]
    assert ([100] * 9, list(range(7, 16))) == (np.bincount(shown)[7:16].tolist(), sorted(set(shown)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("least", [0.08, 0.5, 1.0])
def test_a_resized_crop_is_torchvisions(least: float, kind: str, picture: Picture) -> None:
    """The drawn part through torchvision's `resized_crop` on the same Pillow image, to the pixel."""
    image = picture(kind)
    for shape in ((0.0, 0.5), (0.4, 0.0), (0.9, 0.999)):
        for place in ((0.0, 0.0), (0.5, 0.3), (0.999, 0.999)):
            left, top, width, height = geometry.crop_box(image.width, image.height, least, shape, place)
            expected = F.resized_crop(
                image, top, left, height, width, [image.height, image.width], InterpolationMode.BICUBIC, antialias=True
            )
            found = kernels.random_resized_crop(image, least, Canvas(shape=shape, centre=place))
            assert expected.tobytes() == found.tobytes()


def test_a_resized_crop_of_everything_is_the_image(picture: Picture) -> None:
    """All of a square at aspect 1."""
    image = picture("noise")
    assert image.tobytes() == kernels.random_resized_crop(image, 1.0, Canvas()).tobytes()


@given(SIDES, SIDES, st.floats(0.01, 1), UNIT, UNIT, UNIT, UNIT)
def test_a_drawn_part_lies_in_the_image(
    width: int, height: int, least: float, area: float, aspect: float, at_x: float, at_y: float
) -> None:
    """At least a pixel, and nowhere outside."""
    left, top, wide, high = geometry.crop_box(width, height, least, (area, aspect), (at_x, at_y))
    assert 1 <= wide <= width
    assert 1 <= high <= height
    assert 0 <= left <= width - wide
    assert 0 <= top <= height - high


@pytest.mark.parametrize("area", [0.0, 0.25, 0.9])
@pytest.mark.parametrize("aspect", [0.0, 0.5, 0.75, 0.999999])
def test_a_drawn_part_has_the_area_and_aspect_drawn(area: float, aspect: float) -> None:
    """Area linear from the least to the whole, aspect logarithmic from 3/4 to 4/3, as in torchvision."""
    _left, _top, wide, high = geometry.crop_box(4000, 4000, 0.1, (area / 2, aspect), (0.0, 0.0))
    assert 0.1 + 0.9 * area / 2 == pytest.approx(wide * high / 4000**2, rel=2e-3)
    assert math.exp(math.log(3 / 4) + aspect * math.log(16 / 9)) == pytest.approx(wide / high, rel=2e-3)


def test_a_drawn_part_is_placed_evenly() -> None:
    """The first place at 0, the last just below 1."""
    first, last = (geometry.crop_box(100, 80, 0.2, (0.1, 0.5), (at, at)) for at in (0.0, 1 - 2**-53))
    assert (0, 0) == first[:2]
    assert (100 - last[2], 80 - last[3]) == last[:2]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weight", [0.0, 0.1, 0.25, 0.4, 1.0])
def test_sample_pairing_is_pillows_blend(weight: float, kind: str, picture: Picture) -> None:
    """And by numpy (1 − w)·image + w·partner: the weight is the partner's."""
    image = picture(kind)
    partner = image.rotate(180).point(lambda value: value // 2)
    mixed = kernels.sample_pairing(image, weight, Canvas(partner=partner))
    assert Image.blend(image, partner, weight).tobytes() == mixed.tobytes()
    assert np.abs((1 - weight) * values(image) + weight * values(partner) - values(mixed)).max() < 1.001


def test_partners_that_do_not_fit_are_refused(picture: Picture) -> None:
    """No partner, another size, another mode."""
    image = picture("noise")
    with pytest.raises(FaaError, match="give the policy `partners`"):
        kernels.sample_pairing(image, 0.4, Canvas())
    for partner in (picture("odd"), picture("grey-noise")):
        with pytest.raises(FaaError, match=r"partners like the image \(\(32, 32\), RGB\), not"):
            kernels.sample_pairing(image, 0.4, Canvas(partner=partner))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("addend", [0.0, 1.0, 55.9, 110.0, 200.0, -30.0])
def test_solarize_add_lifts_dark_values(addend: float, mode: str, picture: Picture) -> None:
    """Values below 128 rise by whole steps, at most to 255, and the others stay."""
    before = values(picture("noise").convert(mode))
    expected = np.where(before < 128, np.clip(before + int(addend), 0, 255), before)
    assert (expected == values(kernels.solarize_add(picture("noise").convert(mode), addend, Canvas()))).all()


@pytest.mark.parametrize(("magnitude", "bits"), [(0.0, 0), (0.24, 0), (0.25, 1), (0.5, 2), (0.75, 3), (1.0, 4)])
def test_posterize_2_keeps_four_bits_at_most(magnitude: float, bits: int) -> None:
    """The row's λ gives 0 … 4 bits; none of them is black."""
    row, image = operation("Posterize2"), Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    kept = values(row.kernel(image, row.argument(magnitude), Canvas()))
    assert (2**bits, 0) == (len(np.unique(kept)), kept[0, 0])


@pytest.mark.parametrize(("magnitude", "side"), [(0.0, 0), (0.3, 6), (1.0, 20)])
def test_cutout_abs_counts_pixels_whatever_the_size(magnitude: float, side: int, picture: Picture) -> None:
    """A square of up to 20 pixels, of the same side in any image."""
    row = operation("CutoutAbs")
    for size in ((64, 40), (200, 300)):
        image = Image.new("RGB", size)
        painted = values(row.kernel(image, row.argument(magnitude), Canvas(fill=(9, 9, 9)))).any(-1)
        assert (side, side, side**2) == (painted.any(0).sum(), painted.any(1).sum(), painted.sum())
