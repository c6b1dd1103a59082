"""The golden set: our own pixels have it, and a wrong sign, a wrong bit or a wrong file shows."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faa_core import FaaError, UnknownNameError
from faa_core.testing import (
    Implementation,
    check,
    engine,
    engines_here,
    images,
    read_golden,
    write_golden,
)
from faa_core.testing.golden import standard_operations
from faa_core.testing.images import sha256
from faa_core.testing.implementations import pillow_pixels
from faa_core.testing.png import png

FOLDER = Path(str(read_golden().folder))


def of(name, **changed):
    """Return an implementation that is Pillow's but for what is given."""
    ours = engine("pillow")
    return Implementation(**{"name": name, "tolerance": 0, "call": ours.call, "policy": ours.policy} | changed)


def test_the_images_follow_their_formulas():
    """Each at a few points, worked out by hand from the table."""
    made = images()
    sizes = {name: (pixels.shape[1], pixels.shape[0], pixels.shape[2]) for name, pixels in made.items()}
    assert sizes == {
        "gradient": (32, 32, 3),
        "noise": (37, 53, 3),
        "two-colours": (32, 32, 3),
        "scene": (53, 37, 3),
        "noise-grey": (32, 32, 1),
        "scene-grey": (37, 53, 1),
    }
    assert made["gradient"][3, 10].tolist() == [82, 24, 53]  # [y, x]
    state = (1664525 * 12345 + 1013904223) % 2**32
    assert made["noise"][0, 0, 0] == state >> 24
    assert made["noise"][0, 0, 1] == ((1664525 * state + 1013904223) % 2**32) >> 24
    assert made["two-colours"][0, 4].tolist() == [200, 30, 90]
    assert made["two-colours"][0, 5].tolist() == made["two-colours"][3, 4].tolist() == [15, 180, 60]
    assert made["scene"][0, 0].tolist() == [90, 140, 225]  # the sky, no grain
    assert made["scene"][9, 41].tolist() == [240 + 3, 225 + 3, 120 + 3]  # the sun: t = 1271 + 153 + 2583 = 13·308 + 3
    assert made["scene"][36, 26].tolist() == [30 + 19 + 1, 60 + 58 + 1, 35 + 1]  # the hill: t = 7970 = 13·613 + 1


def test_the_golden_set_is_what_the_kernels_write(tmp_path):
    """With the Pillow that is installed, byte by byte: no version of it has other pixels."""
    write_golden(tmp_path)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_bytes() for path in FOLDER.iterdir()}


def test_the_golden_set_is_small_and_whole():
    """At most 150 KB; every operation at its ends and at either sign, on RGB and L; every kind of policy."""
    golden = read_golden()
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 150_000
    for name, row in standard_operations().items():
        calls = [call for call in golden.calls if call.operation == name]
        tried = {call.argument for call in calls}
        if row.unit != "none":
            assert {row.argument(0.0), row.argument(1.0)} <= tried
        if row.mirrored:
            assert min(tried) == -max(tried) < 0
        if row.identity is not None:
            assert row.argument(row.identity) in tried
        assert {"nearest"} | ({"bilinear", "bicubic"} if row.matrix else set()) == {c.interpolation for c in calls}
        seen = {image for call in calls for image in call.sha256}
        assert {"noise", "scene-grey"} <= seen
    assert {"sub-policies", "parametric", "layers"} == {drawn.policy.kind for drawn in golden.drawn}
    assert {"fa-reduced-cifar10", "trivialaugment", "autoaugment-cifar10"} <= {d.policy.name for d in golden.drawn}


def test_pictures_hold_the_pixels_of_their_hashes():
    """Pillow reads our PNG files, and finds the pixels that the SHA-256 is of."""
    golden, pictures = read_golden(), 0
    for call in golden.calls:
        for image in call.png:
            assert sha256(golden.pixels(call, image)) == call.sha256[image]
            pictures += 1
    assert pictures == len(list(FOLDER.glob("*.png"))) >= 10


@pytest.mark.parametrize("shape", [(1, 1, 3), (53, 37, 1), (200, 180, 3)])
def test_png_files_are_read_back(shape, tmp_path):
    """Grey and colour, and more than one stored block."""
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    (tmp_path / "a.png").write_bytes(png(pixels))
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == ("RGB" if shape[2] == 3 else "L")
        assert (np.asarray(image).reshape(shape) == pixels).all()


@pytest.mark.parametrize("name", [*engines_here(), "torch@cpu"])
def test_every_engine_here_has_the_golden_pixels(name):
    """All operations and policies, to the bit."""
    rows = check([engine(name)], read_golden())
    assert {row.verdict for row in rows} <= {"equal", "not offered"}
    assert all(row.passed for row in rows)
    offered = [row.name for row in rows if row.verdict == "equal"]
    assert len(offered) >= len(rows) - 2  # RandomResizedCrop, and the policy with it
    assert name in ("numba", "triton") or len(offered) == len(rows)


@pytest.mark.parametrize(
    "name", ["ShearX", "ShearY", "TranslateX", "TranslateYAbs", "TranslateXWhole", "Rotate", "Flip"]
)
def test_a_flipped_sign_differs(name):
    """The negative argument gives other pixels in all cases but the neutral one, and the report says where."""

    def flipped(image, call):
        return pillow_pixels(image, replace(call, argument=-call.argument))

    (row,) = check([of("flipped", call=flipped)], read_golden(), operations=[name])
    wrong = [finding for finding in row.findings if finding.differing]
    assert not row.passed
    assert row.verdict.startswith("differs by ")
    neutral = sum(len(call.sha256) for call in read_golden().calls if call.operation == name and call.argument == 0)
    assert len(wrong) == len(row.findings) - neutral
    assert row.worst.where.startswith("first at x ")


def test_one_bit_of_one_pixel_is_found():
    """The count, the size and the place of a difference are told, and a tolerance forgives it."""

    def off(image, call):
        done = pillow_pixels(image, call).copy()
        if done.shape == (32, 32, 3):
            done[5, 9, 1] ^= 1
        return done

    for tolerance in (0, 1):
        (row,) = check([of("off", call=off, tolerance=tolerance)], read_golden(), operations=["Equalize"])
        assert row.verdict == "within 1"
        assert row.passed == (tolerance == 1)
        assert (row.worst.differing, row.worst.largest) == (1, 1)
        assert row.worst.where.startswith("first at x 9, y 5: ")
        assert sum(finding.differing for finding in row.findings) == 2  # of the images, two are RGB of that size


def test_other_draws_are_found():
    """An engine whose draws are another seed's has other policies, and Pillow's says which draw differs."""
    golden = read_golden()
    shifted = replace(golden, drawn=tuple(replace(drawn, seed=drawn.seed + 1) for drawn in golden.drawn))
    rows = check([engine("pillow"), engine("torch")], shifted)
    policies = [row for row in rows if row.name.startswith("policy ")]
    assert all(row.verdict == "failed" for row in policies if row.implementation == "pillow")
    assert "ValueError: index 0 draws" in policies[0].worst.error
    assert all(row.verdict.startswith("differs by") for row in policies if row.implementation == "torch")
    assert all(row.verdict == "equal" for row in rows if not row.name.startswith("policy "))


def test_a_pillow_with_other_pixels_is_not_taken_as_the_reference(tmp_path):
    """Where the golden SHA-256 is nobody's and there is no picture, it differs by an amount nobody knows."""
    shutil.copytree(FOLDER, tmp_path / "golden")
    text = (tmp_path / "golden/calls.json").read_text()
    document = json.loads(text)
    for row in document["calls"]:
        if row["operation"] == "Invert":
            row["sha256"] = dict.fromkeys(row["sha256"], "0" * 64)
    (tmp_path / "golden/calls.json").write_text(json.dumps(document))
    (row,) = check([engine("pillow")], read_golden(tmp_path / "golden"), operations=["Invert"])
    assert (row.verdict, row.passed, row.worst.largest) == ("differs", False, None)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("calls.json", "{", "cannot be read"),
        ("calls.json", "[]", "not part of a golden set"),
        ("policies.json", '{"schema": "faa-golden/2"}', "not part of a golden set"),
        ("policies.json", '{"schema": "faa-golden/1"}', "damaged"),
        ("calls.json", '{"schema": "faa-golden/1", "images": {}, "calls": [{"place": [0, 0]}]}', "damaged"),
        ("calls.json", '{"schema": "faa-golden/1", "images": {}, "calls": []}', "different versions"),
    ],
)
def test_a_damaged_golden_set_is_said(file, text, message, tmp_path):
    shutil.copytree(FOLDER, tmp_path / "golden")
    (tmp_path / "golden" / file).write_text(text)
    with pytest.raises(FaaError, match=message):
        check([engine("pillow")], read_golden(tmp_path / "golden"))


def test_nothing_compared_is_a_mistake():
    """An empty comparison does not pass."""

    def never(_image, _what):
        raise NotImplementedError

    with pytest.raises(FaaError, match="Nothing could be compared: not implemented"):
        check([of("lazy", call=never, policy=never)], read_golden())


def test_an_engine_that_cannot_run_is_said():
    """By its own reason."""
    missing = [name for name in ("triton", "numba") if name not in engines_here()]
    for name in missing:
        with pytest.raises(FaaError, match=f"The engine '{name}' cannot run here: "):
            engine(name)
    with pytest.raises(UnknownNameError):
        engine("cuda")
