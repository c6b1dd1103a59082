"""Every geometric operation as a map: it agrees with its kernel to the pixel, and points go where the pixels go."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.Image import Image as PILImage
from PIL.Image import Resampling

from faa_core import FaaError, Op, Operation, SubPolicies
from faa_core.applying.annotations import matrices, moved_plane, sources
from faa_core.operations import Canvas, Step, geometry, kernels, operation, table
from faa_core.policies.document import OperationRow, operation_of

ROWS = {row.name: row for row in vars(table).values() if isinstance(row, Operation)}
GEOMETRIC = (
    "ShearX ShearY TranslateX TranslateY Rotate TranslateXAbs TranslateYAbs Flip Crop RandomResizedCrop "
    "TranslateXWhole TranslateYWhole TranslateXPixels TranslateYPixels"
).split()
WHOLE_PIXELS = [name for name in GEOMETRIC if name != "RandomResizedCrop"]  # that one blends pixels
SIDES = st.integers(1, 60)
UNIT = st.floats(0, 1, exclude_max=True)
Matrix = geometry.Matrix


def noise(width: int, height: int) -> PILImage:
    """Return grey pixels, none of them black."""
    return Image.fromarray(np.random.default_rng(width * 99 + height).integers(1, 256, (height, width), dtype=np.uint8))


def matrix_of(row: Operation, argument: float, width: int, height: int, **drawn: Any) -> Matrix:
    """Return the matrix of an operation that has one."""
    assert row.matrix is not None
    return row.matrix(argument, width, height, Canvas(**drawn))


def mapped(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    """Return a point after a map."""
    a, b, c, d, e, f = matrix
    return a * x + b * y + c, d * x + e * y + f


def test_these_are_the_geometric_operations() -> None:
    """All others are photometric, Cutout and SamplePairing among them."""
    assert set(GEOMETRIC) == {name for name, row in ROWS.items() if row.matrix is not None}


def test_a_row_of_a_document_is_as_geometric_as_its_kernel() -> None:
    """A new range of Rotate turns boxes too; one of Color does not; a plugin's row says nothing by default."""
    tilt = operation_of("Tilt", OperationRow(kernel="Rotate", low=0, high=10, unit="degrees"))
    assert tilt.matrix is geometry.rotate
    tint = operation_of("Tint", OperationRow(kernel="Color", low=1, high=2, unit="factor"))
    assert tint.matrix is None
    assert Operation(name="Own", kernel=kernels.rotate, base="Own").matrix is None
    policy = SubPolicies(
        operations={"Tilt": OperationRow(kernel="Rotate", low=0, high=10, unit="degrees")},
        sub_policies=((Op(op="Tilt", p=1, magnitude=1),),),
    )
    assert policy.table["Tilt"].matrix is geometry.rotate


@given(st.sampled_from(WHOLE_PIXELS), st.floats(-1.5, 1.5), SIDES, SIDES, UNIT, UNIT)
def test_the_matrix_moves_pixels_as_the_kernel_does(
    name: str, strength: float, width: int, height: int, at_x: float, at_y: float
) -> None:
    """Exactly, far beyond the row's range, on any size and at any draw."""
    row, image = operation(name), noise(width, height)
    argument = strength * max(abs(row.low), abs(row.high)) if name != "Crop" else abs(strength) * 4
    expected = row.kernel(image, argument, Canvas(centre=(at_x, at_y)))
    step = Step(row, argument, (at_x, at_y))
    assert expected.tobytes() == moved_plane(image, (step,), Resampling.NEAREST).tobytes()
    flat = np.concatenate([[0], np.asarray(image).reshape(-1)])
    assert (np.asarray(expected).reshape(-1) == flat[sources((step,), width, height)]).all()


@given(st.integers(-8, 8).map(lambda turns: 45.0 * turns) | st.floats(-720, 720), SIDES, SIDES)
def test_rotations_by_any_angle(degrees: float, width: int, height: int) -> None:
    """Exactly as Pillow, which takes short cuts at quarter turns."""
    image = noise(width, height)
    step = Step(ROWS["Rotate"], degrees, (0, 0))
    assert kernels.rotate(image, degrees, Canvas()).tobytes() == moved_plane(image, (step,), 0).tobytes()


@given(SIDES, SIDES, st.floats(0.05, 1), UNIT, UNIT, UNIT, UNIT)
def test_a_resized_crop_reads_its_part(
    width: int, height: int, least: float, at_x: float, at_y: float, area: float, aspect: float
) -> None:
    """Each pixel is the nearest of the part in proportion, and the corners are those of the drawn box."""
    image, row = noise(width, height), ROWS["RandomResizedCrop"]
    left, top, wide, high = geometry.crop_box(width, height, least, (area, aspect), (at_x, at_y))
    moved = np.asarray(moved_plane(image, (Step(row, least, (at_x, at_y), (area, aspect)),), Resampling.NEAREST))
    x, y = left + (np.arange(width) + 0.5) * wide / width, top + (np.arange(height) + 0.5) * high / height
    clear = np.ix_(abs(y - y.round()) > 1e-6, abs(x - x.round()) > 1e-6)  # not on the border of two pixels
    assert (np.asarray(image)[np.ix_(y.astype(int), x.astype(int))][clear] == moved[clear]).all()
    assert (moved > 0).all()
    matrix = matrix_of(row, least, width, height, shape=(area, aspect), centre=(at_x, at_y))
    assert (left, top) == mapped(matrix, 0, 0)
    assert (left + wide, top + high) == pytest.approx(mapped(matrix, width, height))


@pytest.mark.parametrize("name", GEOMETRIC)
@pytest.mark.parametrize("strength", [-0.9, -0.4, 0.3, 0.8])
def test_points_go_where_pixels_go(name: str, strength: float) -> None:
    """A blob's centre of mass, found in the moved image, is the inverse of the matrix at its old centre."""
    row, (width, height) = operation(name), (91, 71)
    reach = {"Flip": 1.0, "Crop": 8.0, "RandomResizedCrop": 0.5}.get(name, max(abs(row.low), abs(row.high)))
    argument = reach * (abs(strength) if name in ("Crop", "RandomResizedCrop") else strength)
    drawn = {"centre": (0.55, 0.45), "shape": (0.7, 0.8)}
    image = Image.new("L", (width, height))
    image.paste(255, (44, 30, 49, 35))
    moved = np.asarray(row.kernel(image, argument, Canvas(**drawn))).astype(float)
    y, x = np.indices(moved.shape)
    centre = ((x + 0.5) * moved).sum() / moved.sum(), ((y + 0.5) * moved).sum() / moved.sum()
    forward = geometry.inverted(matrix_of(row, argument, width, height, **drawn))
    assert centre == pytest.approx(mapped(forward, 46.5, 32.5), abs=0.6)


@given(st.tuples(*[st.floats(-3, 3)] * 6), st.floats(-50, 50), st.floats(-50, 50))
def test_an_inverse_undoes_its_map(matrix: Matrix, x: float, y: float) -> None:
    """Both ways round; the determinant is kept away from zero."""
    if abs(matrix[0] * matrix[4] - matrix[1] * matrix[3]) < 0.05:
        return
    assert (x, y) == pytest.approx(mapped(geometry.inverted(matrix), *mapped(matrix, x, y)), abs=1e-6)
    assert (x, y) == pytest.approx(mapped(matrix, *mapped(geometry.inverted(matrix), x, y)), abs=1e-6)


@pytest.mark.parametrize("matrix", [(1, 2, 0, 2, 4, 0), (0, 0, 5, 0, 0, 5), (math.inf, 0, 0, 0, 1, 0)])
def test_a_flat_map_has_no_inverse(matrix: Matrix) -> None:
    """The error names the map."""
    with pytest.raises(FaaError, match="has no inverse"):
        geometry.inverted(matrix)


def test_only_geometric_steps_have_matrices() -> None:
    """In the order of the steps."""
    steps = tuple(Step(ROWS[name], 0.25, (0, 0)) for name in ("ShearX", "Invert", "TranslateY", "Cutout"))
    assert [(1, 0.25, 0, 0, 1, 0), (1, 0, 0, 0, 1, 10.0)] == matrices(steps, 80, 40)


def test_numbers_of_pixels_survive_large_images() -> None:
    """More pixels than 16 bits or a float32 would count, and the last one is still told from its neighbour."""
    found = sources((Step(ROWS["TranslateXPixels"], 1.0, (0, 0)),), 5001, 4001).reshape(4001, 5001)
    assert 5001 * 4001 == found[-1, -2]
    assert 0 == found[-1, -1]
    assert 2 == found[0, 0]
