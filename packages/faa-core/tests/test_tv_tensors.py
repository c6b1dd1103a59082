"""Masks, boxes and key points go with their image: by its own pixels, and as torchvision's functions move them."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as F  # noqa: N812 torchvision's own abbreviation
from torchvision.tv_tensors import BoundingBoxes, BoundingBoxFormat, KeyPoints, Mask

from faa_core import FaaError, Operation, Policy, operation
from faa_core.applying.annotations import moved_boxes, moved_keypoints, moved_mask
from faa_core.operations import Canvas, Step, geometry, kernels, table

ROWS = {row.name: row for row in vars(table).values() if isinstance(row, Operation)}
GEOMETRIC = [name for name, row in ROWS.items() if row.matrix is not None]
PHOTOMETRIC = [name for name, row in ROWS.items() if row.matrix is None and name != "SamplePairing"]
WHOLE_PIXELS = [name for name in GEOMETRIC if name != "RandomResizedCrop"]
UPRIGHT = [BoundingBoxFormat.XYXY, BoundingBoxFormat.XYWH, BoundingBoxFormat.CXCYWH]
ROTATED = [BoundingBoxFormat.XYWHR, BoundingBoxFormat.CXCYWHR, BoundingBoxFormat.XYXYXYXY]
HEIGHT, WIDTH = 60, 80


def step(name: str, argument: float, centre: tuple[float, float] = (0.6, 0.3), shape: Any = (0.4, 0.7)) -> Step:
    """Return a drawn step."""
    return Step(operation(name), argument, centre, shape)


def boxes(layout: BoundingBoxFormat, dtype: torch.dtype = torch.float32, mode: str | None = "soft") -> BoundingBoxes:
    """Return some boxes on a canvas of 60 × 80, one of them at the border."""
    if layout in UPRIGHT:
        start, data = BoundingBoxFormat.XYXY, [[10, 12, 34, 40], [50, 20, 62, 33], [0, 0, 5, 9], [70, 50, 80, 60]]
    else:
        start = BoundingBoxFormat.XYWHR
        data = [[30, 25, 20, 10, 20], [28, 22, 8, 19, -15], [40, 30, 6, 6, 0], [35, 35, 16, 9, 130]]
    plain = F.convert_bounding_box_format(torch.tensor(data, dtype=torch.float32), start, layout)
    return BoundingBoxes(plain.to(dtype), format=layout, canvas_size=(HEIGHT, WIDTH), clamping_mode=mode)


def points(dtype: torch.dtype = torch.float32) -> KeyPoints:
    """Return some points on a canvas of 60 × 80."""
    return KeyPoints([[[12.5, 7.5], [40, 30]], [[79, 59], [0, 31]]], canvas_size=(HEIGHT, WIDTH), dtype=dtype)


def pairing_crop(given: Any) -> Any:
    """Return what torchvision's padding and cropping make of Crop by 6 pixels at (0.6, 0.3)."""
    left, top = int(0.6 * 13), int(0.3 * 13)
    return F.crop(F.pad(given, [6, 6, 6, 6]), top, left, HEIGHT, WIDTH)


def part(given: Any) -> Any:
    """Return what torchvision's resized crop makes of the part drawn for a least area of 0.3."""
    left, top, wide, high = geometry.crop_box(WIDTH, HEIGHT, 0.3, (0.4, 0.7), (0.6, 0.3))
    return F.resized_crop(given, top, left, high, wide, [HEIGHT, WIDTH])


def affine(angle: float = 0, translate: Any = (0, 0), shear: Any = (0, 0), center: Any = None) -> Callable[[Any], Any]:
    """Return torchvision's affine map."""
    return lambda given: F.affine(
        given, angle=angle, translate=list(translate), scale=1.0, shear=list(shear), center=center
    )


# Ours and the same map in torchvision's words; its shear is an angle, positive to the left too.
SAME = {
    "ShearX": (step("ShearX", 0.25), affine(shear=(math.degrees(math.atan(0.25)), 0), center=[0, 0])),
    "ShearY": (step("ShearY", -0.21), affine(shear=(0, math.degrees(math.atan(-0.21))), center=[0, 0])),
    "TranslateX": (step("TranslateX", 0.1), affine(translate=(-8, 0))),
    "TranslateY": (step("TranslateY", -0.2), affine(translate=(0, 12))),
    "TranslateXWhole": (step("TranslateXWhole", -0.119), affine(translate=(9, 0))),
    "TranslateYWhole": (step("TranslateYWhole", 0.119), affine(translate=(0, -7))),
    "TranslateXPixels": (step("TranslateXPixels", 5.9), affine(translate=(-5, 0))),
    "TranslateYPixels": (step("TranslateYPixels", -5.9), affine(translate=(0, 5))),
    "TranslateXAbs": (step("TranslateXAbs", 5.0), affine(translate=(-5, 0))),
    "TranslateYAbs": (step("TranslateYAbs", -5.0), affine(translate=(0, 5))),
    "Rotate": (step("Rotate", 25.0), lambda given: F.rotate(given, 25.0)),
    "Flip": (step("Flip", -1.0), F.horizontal_flip),
    "Crop": (step("Crop", 6.0), pairing_crop),
    "RandomResizedCrop": (step("RandomResizedCrop", 0.3), part),
}


def test_every_geometric_operation_is_compared() -> None:
    """None is left out below."""
    assert set(SAME) == set(GEOMETRIC)


@pytest.mark.parametrize("layout", [*UPRIGHT, *ROTATED])
@pytest.mark.parametrize("name", SAME)
def test_boxes_are_torchvisions(name: str, layout: BoundingBoxFormat) -> None:
    """In every format, unclamped and (upright ones) clamped, within float32."""
    ours, theirs = SAME[name]
    for mode in (None, "soft", "hard") if layout in UPRIGHT else (None,):
        given = boxes(layout, mode=mode)
        before = given.clone()
        moved, expected = moved_boxes(given, (ours,)), theirs(given)
        assert (BoundingBoxes, layout, (HEIGHT, WIDTH), mode, torch.float32) == (
            type(moved), moved.format, moved.canvas_size, moved.clamping_mode, moved.dtype
        )  # fmt: skip
        torch.testing.assert_close(corners(moved), corners(expected), rtol=0, atol=2e-3)
        assert torch.equal(before, given)


def corners(given: BoundingBoxes) -> Tensor:
    """Return boxes by their corners, which unlike angles have one way to be written."""
    by_corners = BoundingBoxFormat.XYXY if given.format in UPRIGHT else BoundingBoxFormat.XYXYXYXY
    found = F.convert_bounding_box_format(given, new_format=by_corners).as_subclass(Tensor)
    return found if given.format in UPRIGHT else found.reshape(-1, 4, 2)


@pytest.mark.parametrize("mode", ["soft", "hard"])
@pytest.mark.parametrize("name", ["ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"])
def test_rotated_boxes_are_clamped_as_by_torchvision(name: str, mode: str) -> None:
    """In both modes, where a box leaves the canvas."""
    row, _argument, centre, shape = SAME[name][0]
    strong = {"ShearX": 0.9, "ShearY": 0.9, "TranslateX": 0.3, "TranslateY": 0.4, "Rotate": 70.0}[name]
    theirs = {
        "ShearX": affine(shear=(math.degrees(math.atan(0.9)), 0), center=[0, 0]),
        "ShearY": affine(shear=(0, math.degrees(math.atan(0.9))), center=[0, 0]),
        "TranslateX": affine(translate=(-24, 0)),
        "TranslateY": affine(translate=(0, -24)),
        "Rotate": lambda given: F.rotate(given, 70.0),
    }[name]
    given = boxes(BoundingBoxFormat.CXCYWHR, mode=mode)
    moved = moved_boxes(given, (Step(row, strong, centre, shape),))
    torch.testing.assert_close(corners(moved), corners(theirs(given)), rtol=0, atol=5e-3)


@pytest.mark.parametrize("name", SAME)
def test_key_points_are_torchvisions(name: str) -> None:
    """In any shape; a flip of torchvision's counts whole pixels, ours is the image's."""
    ours, theirs = SAME[name]
    moved, expected = moved_keypoints(points(), (ours,)), theirs(points())
    if name == "Flip":
        expected = expected + torch.tensor([1.0, 0.0])
    assert (KeyPoints, (HEIGHT, WIDTH), (2, 2, 2)) == (type(moved), moved.canvas_size, tuple(moved.shape))
    torch.testing.assert_close(moved.as_subclass(Tensor), expected.as_subclass(Tensor), rtol=0, atol=2e-3)


@pytest.mark.parametrize("name", [name for name in SAME if name != "RandomResizedCrop"])
def test_masks_are_torchvisions(name: str) -> None:
    """Up to pixels whose source lies on a border of two."""
    ours, theirs = SAME[name]
    mask = Mask(torch.from_numpy(np.kron(np.random.default_rng(3).integers(0, 9, (15, 20)), np.ones((4, 4)))).long())
    moved, expected = moved_mask(mask, (ours,)), theirs(mask)
    assert (moved == expected).float().mean() > 0.98


@given(
    st.lists(st.tuples(st.sampled_from(WHOLE_PIXELS), *[st.floats(0, 1, exclude_max=True)] * 3), max_size=3),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_a_mask_equal_to_the_image_stays_equal(drawn: list[Any], width: int, height: int) -> None:
    """Pixel for pixel, through several steps, whatever was drawn."""
    pixels = np.random.default_rng(width + 41 * height).integers(0, 256, (height, width), dtype=np.uint8)
    steps = tuple(Step(unfilled(name), ROWS[name].argument(magnitude), (x, y)) for name, magnitude, x, y in drawn)
    image = Policy.load("none").apply_steps(Image.fromarray(pixels), steps)
    mask = moved_mask(Mask(torch.from_numpy(pixels)), steps)
    assert np.array_equal(np.asarray(image), mask.numpy())


def unfilled(name: str) -> Operation:
    """Return a row that fills with the policy's black."""
    row = ROWS[name]
    return Operation(name=name, kernel=row.kernel, base=name, fill=None, matrix=row.matrix)


@pytest.mark.parametrize(
    "dtype", [torch.uint8, torch.bool, torch.int64, torch.int32, torch.float32, torch.float16, torch.uint16]
)
@pytest.mark.parametrize("leading", [(), (4,), (2, 3), (0,)])
def test_masks_keep_shape_and_dtype(dtype: torch.dtype, leading: tuple[int, ...]) -> None:
    """All masks of a stack move alike; 0 (False) outside; the mask given is untouched."""
    plain = torch.randint(0, 2, (*leading, 6, 9)).to(dtype)
    before = plain.clone()
    moved = moved_mask(Mask(plain), (step("TranslateXPixels", 2.0), step("Invert", 0.0)))
    assert (Mask, dtype, plain.shape) == (type(moved), moved.dtype, moved.shape)
    assert torch.equal(plain[..., 2:], moved.as_subclass(Tensor)[..., :-2])
    assert not moved[..., -2:].to(torch.float64).any()
    assert torch.equal(before, plain)


@pytest.mark.parametrize("name", GEOMETRIC)
@pytest.mark.parametrize("strength", [-0.8, 0.5])
def test_boxes_and_points_frame_what_they_framed(name: str, strength: float) -> None:
    """The moved box is the hull of the moved rectangle's pixels, and the moved point its middle."""
    row = ROWS[name]
    reach = {"Flip": 1.0, "Crop": 6.0, "RandomResizedCrop": 0.7}.get(name, max(abs(row.low), abs(row.high)))
    argument = reach * (abs(strength) if name in ("Crop", "RandomResizedCrop") else strength)
    if name in ("TranslateX", "TranslateY", "TranslateXWhole", "TranslateYWhole"):
        argument *= 0.5  # so that the rectangle stays in sight
    image = Image.new("L", (WIDTH, HEIGHT))
    image.paste(255, (34, 22, 50, 38))
    drawn = step(name, argument, centre=(0.5, 0.5), shape=(0.9, 0.5))
    moved = np.asarray(row.kernel(image, argument, Canvas(centre=drawn.centre, shape=drawn.shape))) > 127
    assert 150 < moved.sum() < 600
    rows, columns = np.flatnonzero(moved.any(1)), np.flatnonzero(moved.any(0))
    box = BoundingBoxes([[34.0, 22, 50, 38]], format="XYXY", canvas_size=(HEIGHT, WIDTH))
    expected = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    assert expected == pytest.approx(moved_boxes(box, (drawn,))[0].tolist(), abs=1.0)
    point = KeyPoints([[42.0, 30.0]], canvas_size=(HEIGHT, WIDTH))
    y, x = np.nonzero(moved)
    assert [x.mean() + 0.5, y.mean() + 0.5] == pytest.approx(moved_keypoints(point, (drawn,))[0].tolist(), abs=0.6)


@pytest.mark.parametrize("name", PHOTOMETRIC)
def test_photometric_operations_leave_all_of_it(name: str) -> None:
    """Cutout and CutoutAbs too: the very same values, and a box that hung over the canvas still does."""
    drawn = (step(name, operation(name).argument(0.9)),)
    mask, over = Mask(torch.ones(HEIGHT, WIDTH)), BoundingBoxes([[-5, -5, 90, 3]], format="XYXY", canvas_size=(60, 80))
    assert moved_mask(mask, drawn) is mask
    assert moved_boxes(over, drawn) is over
    assert moved_keypoints(points(), drawn).tolist() == points().tolist()


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("layout", UPRIGHT)
def test_boxes_and_points_keep_their_dtype(layout: BoundingBoxFormat, dtype: torch.dtype) -> None:
    """Whole numbers are rounded, so that a quarter turn and back is exact."""
    square = BoundingBoxes([[10, 12, 20, 16]], format=layout, canvas_size=(64, 64), dtype=dtype)
    there = moved_boxes(square, (step("Rotate", 30.0),))
    assert dtype == there.dtype
    turned = moved_boxes(square, (step("Rotate", 90.0), step("Rotate", -90.0)))
    assert square.tolist() == turned.tolist()
    given = KeyPoints([[3, 7], [60, 1]], canvas_size=(64, 64), dtype=dtype)
    again = moved_keypoints(given, (step("Rotate", 90.0), step("Rotate", 270.0)))
    assert (dtype, given.tolist()) == (again.dtype, again.tolist())


def test_whole_coordinates_are_rounded() -> None:
    """To the nearest, not towards zero: 10 − 0.4 is 10, 10 − 0.6 is 9."""
    box = BoundingBoxes([[10, 1, 20, 9]], format="XYXY", canvas_size=(64, 64))
    point = KeyPoints([[10, 7]], canvas_size=(64, 64))
    for pixels, expected in ((0.4, 10), (0.6, 9)):
        assert [expected, 7] == moved_keypoints(point, (step("TranslateXAbs", pixels),))[0].tolist()
        assert [expected, 1, expected + 10, 9] == moved_boxes(box, (step("TranslateXAbs", pixels),))[0].tolist()


def test_steps_follow_one_another() -> None:
    """A shift out of the canvas and back leaves a clamped box where the image is lost, as torchvision's would."""
    given = BoundingBoxes([[0.0, 10, 20, 30]], format="XYXY", canvas_size=(HEIGHT, WIDTH))
    moved = moved_boxes(given, (step("TranslateXPixels", 15.0), step("TranslateXPixels", -15.0)))
    assert [[15.0, 10.0, 20.0, 30.0]] == moved.tolist()
    turned = moved_boxes(given, (step("TranslateXPixels", -10.0), step("Flip", -1.0)))
    assert [[50.0, 10.0, 70.0, 30.0]] == turned.tolist()


def test_points_that_leave_are_kept_as_torchvision_keeps_them() -> None:
    """Outside the canvas, for SanitizeKeyPoints or ClampKeyPoints."""
    moved = moved_keypoints(points(), (step("TranslateXPixels", 10.0),))
    assert [-10.0, 31.0] == moved[1, 1].tolist()


def test_nothing_in_them_is_fine() -> None:
    """No boxes, no points, no masks."""
    turn = (step("Rotate", 30.0),)
    for layout, columns in [(BoundingBoxFormat.XYXY, 4), (BoundingBoxFormat.XYWHR, 5)]:
        empty = BoundingBoxes(torch.zeros(0, columns), format=layout, canvas_size=(9, 9))
        assert (0, columns) == tuple(moved_boxes(empty, turn).shape)
    assert (0, 2) == tuple(moved_keypoints(KeyPoints(torch.zeros(0, 2), canvas_size=(9, 9)), turn).shape)


def test_a_rotated_box_without_extent_stays_finite() -> None:
    """A point as a box does not become NaN."""
    given = BoundingBoxes([[30.0, 30, 0, 0, 0]], format="XYWHR", canvas_size=(HEIGHT, WIDTH), clamping_mode=None)
    assert moved_boxes(given, (step("ShearX", 0.3),)).isfinite().all()


def test_an_operation_that_flattens_the_image_is_an_error() -> None:
    """A plugin's matrix may have no inverse; boxes and points say so, masks do not need one."""
    flat = Operation(
        name="Flat", kernel=kernels.identity, base="Flat", matrix=lambda _argument, _w, _h, _canvas: (1, 0, 0, 0, 0, 5)
    )
    drawn = (Step(flat, 0.0, (0, 0)),)
    for move, lost in ((moved_boxes, boxes(BoundingBoxFormat.XYXY)), (moved_keypoints, points())):
        with pytest.raises(FaaError, match="no inverse"):
            move(lost, drawn)
    mask = Mask(torch.arange(HEIGHT)[:, None].expand(HEIGHT, WIDTH))
    assert {5} == set(moved_mask(mask, drawn).flatten().tolist())
