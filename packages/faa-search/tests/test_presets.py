"""Operations left out for kinds of image: what their reasons claim is so, on pixels."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from faa_core import SEARCH_LIST, FaaError, UnknownNameError, operation
from faa_core.operations import Step, apply_steps
from faa_search.searching.samplers.presets import PRESETS, chosen_operations

OPS = tuple(row.name for row in SEARCH_LIST)


def after(name: str, image: NDArray[np.uint8], magnitude: float) -> NDArray[np.uint8]:
    """Return an image after one operation, in its centre."""
    row = operation(name)
    step = Step(row, row.argument(magnitude), (0.5, 0.5))
    return np.asarray(apply_steps(Image.fromarray(image), (step,), fill=(0, 0, 0), resample=Image.Resampling.NEAREST))


def test_presets_name_operations_of_the_search() -> None:
    """A misspelt one would leave nothing out; every one has a reason; the table is frozen."""
    assert list(PRESETS) == ["digits", "characters", "signs", "medical-gray", "remote-sensing", "keep-color"]
    for name, preset in PRESETS.items():
        assert preset.name == name
        assert set(preset.excludes) <= set(OPS)
        assert all(preset.excludes.values())
        assert preset.says
        with pytest.raises(TypeError):
            preset.excludes["Rotate"] = ""  # type: ignore[index]
        with pytest.raises(dataclasses.FrozenInstanceError):
            preset.flips = True  # type: ignore[misc]


@pytest.mark.parametrize(
    ("preset", "remaining"),
    [
        (
            "digits",
            "ShearX ShearY Rotate AutoContrast Invert Equalize Posterize Contrast Color Brightness Sharpness".split(),
        ),
        (
            "characters",
            "ShearY AutoContrast Invert Equalize Posterize Contrast Color Brightness Sharpness".split(),
        ),
        (
            "signs",
            "ShearX ShearY Rotate AutoContrast Equalize Posterize Contrast Color Brightness Sharpness".split(),
        ),
        ("medical-gray", ["ShearX", "ShearY", "Rotate", "Sharpness"]),
        ("remote-sensing", [*OPS[:5], "Brightness", "Sharpness", "Cutout"]),
        ("keep-color", [*OPS[:5], "Sharpness", "Cutout"]),
        (None, list(OPS)),
    ],
)
def test_what_remains(preset: str | None, remaining: list[str]) -> None:
    """In the order of the list; further ones can be left out."""
    assert list(chosen_operations(OPS, preset=preset, exclude=())) == remaining
    assert list(chosen_operations(OPS, preset=preset, exclude=["Rotate", "Invert"])) == [
        name for name in remaining if name not in {"Rotate", "Invert"}
    ]


def test_flips() -> None:
    """Nothing from above or told by its colour has a left side; digits and bodies do."""
    assert {name for name, preset in PRESETS.items() if preset.flips} == {"remote-sensing", "keep-color"}


def test_strokes_vanish_by_solarize() -> None:
    """White on black becomes black, at any magnitude but the last; what remains leaves the stroke visible."""
    stroke = np.zeros((8, 8, 3), np.uint8)
    stroke[2:6, 3:5] = 255
    assert not after("Solarize", stroke, 0.5).any()
    for name in chosen_operations(OPS, preset="digits", exclude=()):
        for magnitude in (0.0, 0.5, 1.0):
            pixels = after(name, stroke, magnitude)
            assert int(pixels.max()) - int(pixels.min()) > 20


def test_a_lean_remains() -> None:
    """Of characters: an upright stroke stays as upright as it was; what is left out leans it."""
    stroke = np.zeros((21, 21, 3), np.uint8)
    stroke[4:17, 9:12] = 255

    def lean(name: str, magnitude: float) -> float:
        """Return how far the stroke's upper half lies beside its lower half, in pixels."""
        lit = after(name, stroke, magnitude)[..., 0].astype(float)
        lit -= lit.min()
        across = np.arange(21)
        upper, lower = ((rows.sum(0) * across).sum() / rows.sum() for rows in (lit[5:9], lit[12:16]))
        return abs(float(upper - lower))

    left_out = set(PRESETS["characters"].excludes) - set(PRESETS["digits"].excludes)
    assert left_out == {"ShearX", "Rotate"}
    assert all(max(lean(name, 0.0), lean(name, 1.0)) > 1 for name in left_out)
    for name in set(chosen_operations(OPS, preset="characters", exclude=())) - {"Invert", "Equalize", "Contrast"}:
        assert max(lean(name, 0.0), lean(name, 1.0)) < 0.5, name


def test_what_remains_keeps_the_hue() -> None:
    """An even orange stays what it is; what keep-color leaves out changes it, or an image with a second colour."""
    two = np.full((40, 40, 3), (200, 100, 50), np.uint8)
    two[:20] = (30, 40, 90)
    changed = set()
    for name in OPS:
        rows = [after(name, two, magnitude) for magnitude in (0.0, 0.9, 1.0)]
        known = {(200, 100, 50), (30, 40, 90), (0, 0, 0), (125, 123, 114)}
        if any(not {tuple(pixel) for pixel in row[[0, 1, 38, 39]].reshape(-1, 3).tolist()} <= known for row in rows):
            changed.add(name)
    assert changed == set(PRESETS["keep-color"].excludes)


def test_brightness_alone_keeps_the_proportions_of_bands() -> None:
    """So it stays for views from above while contrast goes."""
    even = np.full((4, 4, 3), (120, 60, 30), np.uint8)
    even[0, 0] = (0, 0, 0)
    for name, kept in (("Brightness", True), ("Contrast", False), ("Color", False)):
        red, green, blue = (float(value) for value in after(name, even, 0.25)[2, 2])
        assert kept == (abs(red / green - 2) < 0.1 and abs(green / blue - 2) < 0.1)


def test_color_does_nothing_to_grey() -> None:
    """As the reason of medical-gray says."""
    grey = np.repeat(np.arange(64, dtype=np.uint8).reshape(8, 8, 1) * 4, 3, axis=2)
    assert (after("Color", grey, 0.0) == grey).all()
    assert (
        len(np.unique(after("Brightness", np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2), 0.0))) == 26
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"preset": "digit"}, "No preset of operations is called 'digit'; did you mean digits?"),
        ({"exclude": ["Invret"]}, "No operation of the search is called 'Invret'; did you mean Invert?"),
        ({"exclude": ["SolarizeAdd"]}, "No operation of the search is called 'SolarizeAdd'; did you mean Solarize"),
    ],
)
def test_unknown_names(given: dict[str, Any], message: str) -> None:
    """With what was probably meant."""
    with pytest.raises(UnknownNameError) as caught:
        chosen_operations(OPS, **{"preset": None, "exclude": (), **given})
    assert message in str(caught.value)


@pytest.mark.parametrize(("preset", "exclude"), [(None, OPS), ("keep-color", [*OPS[:5], "Sharpness", "Cutout"])])
def test_nothing_left(preset: str | None, exclude: Sequence[str]) -> None:
    """Is an error, not an empty search."""
    with pytest.raises(FaaError, match="Nothing is left to search: ShearX, "):
        chosen_operations(OPS, preset=preset, exclude=exclude)
