"""The table of operations: every row on every kind of image, its axis, and how strength follows λ."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from PIL.Image import Image as PILImage

from faa_core import SEARCH_LIST, FaaError, Operation, Step, UnknownNameError, operation
from faa_core.operations import Colour, apply_steps, operation_names, table

Picture = Callable[[str], PILImage]
KINDS = ["gradient", "noise", "dot", "odd", "grey-gradient", "grey-odd", "grey-dot"]
GRID = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
MAGENTA = (255, 0, 255)
ROWS = {row.name: row for row in vars(table).values() if isinstance(row, Operation)}
# name: low, high, unit, mirrored, identity
AXES = {
    "ShearX": (-0.3, 0.3, "fraction", True, 0.5),
    "ShearY": (-0.3, 0.3, "fraction", True, 0.5),
    "TranslateX": (-0.45, 0.45, "fraction", True, 0.5),
    "TranslateY": (-0.45, 0.45, "fraction", True, 0.5),
    "Rotate": (-30.0, 30.0, "degrees", True, 0.5),
    "AutoContrast": (0.0, 1.0, "none", False, None),
    "Invert": (0.0, 1.0, "none", False, None),
    "Equalize": (0.0, 1.0, "none", False, None),
    "Solarize": (0.0, 256.0, "threshold", False, 1.0),
    "Posterize": (4.0, 8.0, "bits", False, 1.0),
    "Contrast": (0.1, 1.9, "factor", False, 0.5),
    "Color": (0.1, 1.9, "factor", False, 0.5),
    "Brightness": (0.1, 1.9, "factor", False, 0.5),
    "Sharpness": (0.1, 1.9, "factor", False, 0.5),
    "Cutout": (0.0, 0.2, "fraction", False, 0.0),
    "Identity": (0.0, 1.0, "none", False, None),
    "TranslateXWhole": (-0.45, 0.45, "fraction", True, 0.5),
    "TranslateYWhole": (-0.45, 0.45, "fraction", True, 0.5),
    "TranslateXPixels": (-10.0, 10.0, "pixels", True, 0.5),
    "TranslateYPixels": (-10.0, 10.0, "pixels", True, 0.5),
    "CutoutAbs": (0.0, 20.0, "pixels", False, 0.0),
    "Posterize2": (0.0, 4.0, "bits", False, None),
    "TranslateXAbs": (0.0, 10.0, "pixels", True, 0.0),
    "TranslateYAbs": (0.0, 10.0, "pixels", True, 0.0),
    "Flip": (1.0, 1.0, "none", True, None),
    "Crop": (0.0, 4.0, "pixels", False, 0.0),
    "RandomResizedCrop": (1.0, 0.08, "fraction", False, None),
    "SamplePairing": (0.0, 0.4, "fraction", False, 0.0),
    "SolarizeAdd": (0.0, 110.0, "value", False, 0.0),
}
FILLS = dict.fromkeys(("Cutout", "CutoutAbs", "Crop"), (125, 123, 114))
SYMMETRIC = [name for name, axis in AXES.items() if axis[3] and axis[4] == 0.5]


def at(
    row: Operation,
    magnitude: float,
    image: PILImage,
    *,
    fill: Colour = (0, 0, 0),
    reflected: bool = False,
    centre: tuple[float, float] = (0.4, 0.6),
) -> PILImage:
    """Return the image after one operation at λ; what is mixed in is the image upside down."""
    step = Step(row, row.argument(magnitude, reflected=reflected), centre)
    return apply_steps(image, (step,), fill=fill, resample=0, partners=[image.rotate(180)])


def values(image: PILImage) -> np.ndarray:
    """Return the pixels as integers that may be subtracted."""
    return np.asarray(image).astype(int)


def test_the_table_is_frozen() -> None:
    """Every row has the axis that policies of today rely on, and the rows are all installed."""
    assert AXES == {row.name: (row.low, row.high, row.unit, row.mirrored, row.identity) for row in ROWS.values()}
    assert set(AXES) <= set(operation_names())
    assert all(row is operation(name) for name, row in ROWS.items())
    assert all(name == row.base for name, row in ROWS.items())


def test_the_search_list_keeps_its_order() -> None:
    """Fifteen operations: their index is the choice that a search reports."""
    assert list(AXES)[:15] == [row.name for row in SEARCH_LIST]


def test_some_have_a_fill_of_their_own() -> None:
    """Cutouts and crops are the mean grey; the others take the policy's fill."""
    assert FILLS == {row.name: row.fill for row in ROWS.values() if row.fill is not None}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", AXES)
def test_size_mode_and_input_are_kept(name: str, kind: str, picture: Picture) -> None:
    """At every λ, reflected or not: the output is like the input in size and mode, and the input is untouched."""
    image = picture(kind)
    before = image.tobytes()
    for magnitude in GRID:
        for reflected in (False, True) if ROWS[name].mirrored else (False,):
            for centre in ((0.0, 0.0), (0.4, 0.6), (0.999, 0.999)):
                changed = at(ROWS[name], magnitude, image, fill=MAGENTA, reflected=reflected, centre=centre)
                assert (image.size, image.mode) == (changed.size, changed.mode)
                assert before == image.tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [name for name, axis in AXES.items() if axis[4] is not None])
def test_the_identity_magnitude_changes_nothing(name: str, kind: str, picture: Picture) -> None:
    """At its identity λ a row returns the same pixels, wherever it is centred and reflected."""
    row, image = ROWS[name], picture(kind)
    for centre in ((0.0, 0.0), (0.5, 0.5), (0.999, 0.3)):
        for reflected in (False, True) if row.mirrored else (False,):
            changed = at(row, row.identity or 0.0, image, fill=MAGENTA, centre=centre, reflected=reflected)
            assert image.tobytes() == changed.tobytes()


@pytest.mark.parametrize("name", [name for name, axis in AXES.items() if axis[4] is not None])
def test_the_identity_is_where_the_table_says_and_nowhere_else(name: str, picture: Picture) -> None:
    """Far from its identity λ a row changes a noise image."""
    row, image = ROWS[name], picture("noise")
    far = [magnitude for magnitude in GRID if abs(magnitude - (row.identity or 0.0)) >= 0.25]
    place = (0.1, 0.9)  # a crop in the middle would change nothing
    assert all(image.tobytes() != at(row, magnitude, image, centre=place).tobytes() for magnitude in far)


@pytest.mark.parametrize("name", ["AutoContrast", "Invert", "Equalize", "Identity", "Flip"])
def test_rows_without_a_unit_ignore_the_magnitude(name: str, picture: Picture) -> None:
    """λ makes no difference to them."""
    image = picture("odd")
    assert 1 == len({at(ROWS[name], magnitude, image).tobytes() for magnitude in GRID})


@pytest.mark.parametrize("name", SYMMETRIC)
def test_geometry_grows_away_from_the_middle(name: str, picture: Picture) -> None:
    """More and more pixels come from outside as λ leaves ½, on both sides alike; noise has no magenta of its own."""
    image = picture("noise")

    def outside(magnitude: float) -> int:
        return int((values(at(ROWS[name], magnitude, image, fill=MAGENTA)) == MAGENTA).all(-1).sum())

    up = [outside(0.5 + step / 10) for step in range(6)]
    down = [outside(0.5 - step / 10) for step in range(6)]
    assert up[0] == down[0] == 0
    assert up == sorted(up)
    assert down == sorted(down)
    assert up[5] > up[2] > 0
    assert down[5] > down[2] > 0


@pytest.mark.parametrize("name", SYMMETRIC)
def test_reflection_of_a_symmetric_row_is_the_opposite_magnitude(name: str, picture: Picture) -> None:
    """λ reflected is 1 − λ, pixel for pixel."""
    image = picture("odd")
    for magnitude in (0.0, 0.1875, 0.625, 1.0):  # exact in binary, so that 1 − λ is too
        assert (
            at(ROWS[name], 1 - magnitude, image).tobytes() == at(ROWS[name], magnitude, image, reflected=True).tobytes()
        )


def spread(image: PILImage) -> float:
    """Return how far the grey values lie apart."""
    return float(values(image.convert("L")).std())


def saturation(image: PILImage) -> float:
    """Return the mean distance between the largest and smallest channel."""
    return float(np.ptp(values(image), axis=-1).mean())


def roughness(image: PILImage) -> float:
    """Return the mean difference of horizontal neighbours."""
    return float(np.abs(np.diff(values(image), axis=1)).mean())


def levels(image: PILImage) -> float:
    """Return the number of values of the first channel."""
    return len(np.unique(values(image)[..., 0]))


MEASURES = {
    "Brightness": lambda image: float(values(image).mean()),
    "Contrast": spread,
    "Color": saturation,
    "Sharpness": roughness,
    "Posterize": levels,
}


@pytest.mark.parametrize("name", MEASURES)
def test_what_an_operation_is_named_for_rises_with_the_magnitude(name: str, picture: Picture) -> None:
    """Brightness brightens, Contrast spreads, Color saturates, Sharpness roughens, Posterize keeps more levels."""
    image = picture("gradient") if name != "Sharpness" else picture("noise")
    measured = [MEASURES[name](at(ROWS[name], step / 10, image)) for step in range(11)]
    assert measured == sorted(measured)
    assert measured[0] < MEASURES[name](image) <= measured[10]


def test_solarize_weakens_with_the_magnitude(picture: Picture) -> None:
    """λ = 0 inverts every value, λ = 1 none, and fewer in between."""
    image = picture("noise")
    inverted = [int((values(at(ROWS["Solarize"], step / 8, image)) != values(image)).sum()) for step in range(9)]
    assert inverted == sorted(inverted, reverse=True)
    assert (values(image).size, 0) == (inverted[0], inverted[8])


def test_cutout_grows_with_the_magnitude(picture: Picture) -> None:
    """The painted area rises from nothing."""
    image = picture("noise")
    painted = [int((values(at(ROWS["Cutout"], step / 10, image)) != values(image)).any(-1).sum()) for step in range(11)]
    assert painted == sorted(painted)
    assert (0, 36) == (painted[0], painted[10])  # 6.4 px about (12.8, 19.2) hold 6 × 6 pixel centres


@pytest.mark.parametrize(
    ("row", "magnitude", "expected"),
    [
        (ROWS["Rotate"], 0.9, (24.0, -24.0)),
        (ROWS["TranslateX"], 0.0, (-0.45, 0.45)),
        (ROWS["ShearY"], 0.25, (-0.15, 0.15)),
        (Operation(name="N", kernel=ROWS["Rotate"].kernel, base="Rotate", low=5.0, high=7.0), 0.5, (6.0, -6.0)),
        (
            Operation(
                name="F", kernel=ROWS["Color"].kernel, base="Color", low=1.0, high=1.9, unit="factor", mirrored=True
            ),
            1.0,
            (1.9, 0.1),
        ),
    ],
)
def test_reflection_is_about_the_neutral_argument(
    row: Operation, magnitude: float, expected: tuple[float, float]
) -> None:
    """Zero for lengths and angles, one for factors."""
    given = (row.argument(magnitude), row.argument(magnitude, reflected=True))
    assert expected == pytest.approx(given, abs=1e-12)


@pytest.mark.parametrize("name", AXES)
def test_the_axis_is_linear_from_low_to_high(name: str) -> None:
    """Its ends are the table's and its middle is their mean."""
    row = ROWS[name]
    assert (row.low, row.high) == pytest.approx((row.argument(0.0), row.argument(1.0)), abs=1e-12)
    assert (row.low + row.high) / 2 == pytest.approx(row.argument(0.5), abs=1e-12)
    assert row.low + (row.high - row.low) * 0.3 == pytest.approx(row.argument(0.3), abs=1e-12)


def test_steps_apply_in_order(picture: Picture) -> None:
    """Brightening before inverting is not inverting before brightening."""
    image = picture("gradient")
    bright, inverted = Step(ROWS["Brightness"], 1.5, (0, 0)), Step(ROWS["Invert"], 0.0, (0, 0))
    there = apply_steps(image, (bright, inverted), fill=(0, 0, 0), resample=0)
    back = apply_steps(image, (inverted, bright), fill=(0, 0, 0), resample=0)
    brightened = np.minimum(255, values(image) * 1.5).astype(int)
    assert (255 - brightened == values(there)).all()
    assert there.tobytes() != back.tobytes()


def test_no_steps_leave_the_image(picture: Picture) -> None:
    """An empty draw changes nothing."""
    image = picture("noise")
    assert image.tobytes() == apply_steps(image, (), fill=(0, 0, 0), resample=0).tobytes()


def test_a_step_picks_its_partner_by_its_place(picture: Picture) -> None:
    """The first coordinate runs over the partners, each a third of [0, 1); without any the error says what to give."""
    image = picture("noise")
    partners = [Image.new("RGB", image.size, (shade, shade, shade)) for shade in (10, 20, 30)]
    for x, expected in ((0.0, 10), (0.333, 10), (0.334, 20), (0.666, 20), (0.667, 30), (0.999, 30)):
        step = Step(ROWS["SamplePairing"], 1.0, (x, 0.1))
        mixed = apply_steps(image, (step,), fill=(0, 0, 0), resample=0, partners=partners)
        assert (values(mixed) == expected).all()
    with pytest.raises(FaaError, match="give the policy `partners` to choose from"):
        apply_steps(image, (step,), fill=(0, 0, 0), resample=0)


def test_a_step_hands_its_shape_to_the_kernel(picture: Picture) -> None:
    """The drawn area and aspect decide what a resized crop shows."""
    image = picture("noise")
    shown = {
        apply_steps(
            image, (Step(ROWS["RandomResizedCrop"], 0.2, (0.5, 0.5), shape),), fill=(0, 0, 0), resample=0
        ).tobytes()
        for shape in ((0.1, 0.5), (0.6, 0.5), (0.6, 0.95))
    }
    assert 3 == len(shown)


@pytest.mark.parametrize("mode", ["RGBA", "P", "1", "CMYK", "LA", "I", "F", "HSV"])
def test_other_modes_are_refused(mode: str, picture: Picture) -> None:
    """The error names the mode and the way out, also where nothing was drawn."""
    image = picture("gradient").convert("RGB").convert(mode) if mode != "LA" else picture("gradient").convert("LA")
    with pytest.raises(FaaError, match=rf"mode RGB or L, not {mode}; use image\.convert\('RGB'\)"):
        apply_steps(image, (), fill=(0, 0, 0), resample=0)


def test_an_unknown_operation_is_named_with_the_closest() -> None:
    """The error says what was given and what was probably meant."""
    with pytest.raises(UnknownNameError, match=r"No operation is called 'Rotat'; did you mean Rotate"):
        operation("Rotat")
