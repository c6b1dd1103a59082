"""What belongs to an image and moves with it: masks, boxes, key points, and the alpha of the image itself.

Geometric steps move them by their matrices (see `faa_core.operations.geometry`), one step after the other as
torchvision's transforms do; photometric steps leave them. Shapes: N boxes, H × W pixels, P = H·W.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Image as PILImage
from PIL.Image import Resampling, Transform
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from faa_core.operations import Drawn, Step, batched_of
from faa_core.operations.geometry import Matrix, inverted
from faa_core.operations.instructions import Code
from faa_core.operations.kernels import read_by

AS_BITS = {
    torch.uint16: torch.int16,
    torch.uint32: torch.int32,
    torch.uint64: torch.int64,
}  # torch 2.9 cannot index them


def matrices(steps: tuple[Step, ...], width: int, height: int) -> list[Matrix]:
    """Return the inverse maps of the geometric steps, in order, for an image of a size in pixels."""
    return [
        operation.matrix(argument, width, height, Drawn(centre, shape))
        for operation, argument, centre, shape in steps
        if operation.matrix is not None
    ]


def moved_plane(plane: PILImage, steps: tuple[Step, ...], resample: Resampling) -> PILImage:
    """Return an image of one channel after the geometric steps; 0 where nothing of it arrives."""
    for step in steps:
        batched = batched_of(step.operation)
        for matrix in matrices((step,), plane.width, plane.height):
            read = read_by(matrix, resample) if batched and batched.code == Code.AFFINE else matrix
            plane = plane.transform(plane.size, Transform.AFFINE, read, resample, fillcolor=0)
    return plane


def sources(steps: tuple[Step, ...], width: int, height: int) -> NDArray[np.int64]:
    """Return where each pixel comes from, shape ``[P]``: 1 + its place in the flat image, or 0 for outside.

    Pillow itself moves the numbers of the pixels, so that they land where it puts an image's nearest pixels, whatever
    its fixed-point arithmetic does.
    """
    numbers_HW = np.arange(1, height * width + 1, dtype=np.int32).reshape(height, width)
    moved = moved_plane(Image.fromarray(numbers_HW), steps, Resampling.NEAREST)
    return np.asarray(moved).reshape(-1).astype(np.int64)


def moved_mask(mask: Any, steps: tuple[Step, ...]) -> Any:
    """Return a `Mask` ``[..., H, W]`` of any dtype, read at the nearest pixel; 0 where the image shows its fill."""
    height, width = mask.shape[-2:]
    if mask.numel() == 0 or not matrices(steps, width, height):
        return mask
    plain: Tensor = mask.as_subclass(Tensor)
    flat = plain.view(AS_BITS.get(mask.dtype, mask.dtype)).flatten(-2)
    framed = torch.cat([flat.new_zeros((*flat.shape[:-1], 1)), flat], dim=-1)
    index_P = torch.from_numpy(sources(steps, width, height)).to(mask.device)
    return tv_tensors.wrap(framed[..., index_P].reshape(mask.shape).view(mask.dtype), like=mask)


def moved_keypoints(points: Any, steps: tuple[Step, ...]) -> Any:
    """Return `KeyPoints` ``[..., 2]`` of any dtype where the steps carry them; whole numbers are rounded.

    Coordinates are continuous, as those of boxes: the middle of the first pixel is (½, ½). As by torchvision, points
    that leave the image are kept, for `v2.SanitizeKeyPoints` to remove or `v2.ClampKeyPoints` to move.

    Raises:
        FaaError: If a step's matrix has no inverse.
    """
    height, width = points.canvas_size
    maps = matrices(steps, width, height)
    if not maps:
        return points
    moved = _exact(points)
    for matrix in maps:
        moved = _mapped(moved, matrix)
    return tv_tensors.wrap(_like(moved, points.dtype), like=points)


def moved_boxes(boxes: Any, steps: tuple[Step, ...]) -> Any:
    """Return `BoundingBoxes` ``[N, 4]``, ``[N, 5]`` or ``[N, 8]`` of any dtype about what they held.

    After each step an upright box is the upright hull of its corners; a rotated one, where the step bends it into a
    parallelogram, the rectangle about that along its longer side. Both are then clamped in the boxes' `clamping_mode`,
    as torchvision does. Whole numbers are rounded.

    Raises:
        FaaError: If a step's matrix has no inverse.
    """
    height, width = boxes.canvas_size
    maps = matrices(steps, width, height)
    if boxes.numel() == 0 or not maps:
        return boxes
    rotated = tv_tensors.is_rotated_bounding_format(boxes.format)
    by_corners = tv_tensors.BoundingBoxFormat.XYXYXYXY if rotated else tv_tensors.BoundingBoxFormat.XYXY
    moved = v2.functional.convert_bounding_box_format(_exact(boxes), old_format=boxes.format, new_format=by_corners)
    for matrix in maps:
        moved = _rectangles(moved, matrix) if rotated else _hulls(moved, matrix)
        moved = v2.functional.clamp_bounding_boxes(
            moved, format=by_corners, canvas_size=boxes.canvas_size, clamping_mode=boxes.clamping_mode
        )
    moved = v2.functional.convert_bounding_box_format(moved, old_format=by_corners, new_format=boxes.format)
    return tv_tensors.wrap(_like(moved, boxes.dtype), like=boxes)


def _hulls(boxes_N4: Tensor, matrix: Matrix) -> Tensor:
    """Return the upright hulls (x, y, x, y) of mapped upright boxes."""
    corners_N42 = _mapped(boxes_N4[:, [[0, 1], [2, 1], [2, 3], [0, 3]]], matrix)
    return torch.cat([corners_N42.amin(1), corners_N42.amax(1)], dim=1)


def _rectangles(boxes_N8: Tensor, matrix: Matrix) -> Tensor:
    """Return the rectangles along the longer side of mapped rectangles; corners stay in clockwise order."""
    corners_N42 = _mapped(boxes_N8.reshape(-1, 4, 2), matrix)
    if matrix[0] * matrix[4] < matrix[1] * matrix[3]:
        corners_N42 = corners_N42[:, [1, 0, 3, 2]]  # a mirror image: top left and top right change places
    across_N2, down_N2 = corners_N42[:, 1] - corners_N42[:, 0], corners_N42[:, 3] - corners_N42[:, 0]
    wide_N1 = across_N2.norm(dim=1, keepdim=True) >= down_N2.norm(dim=1, keepdim=True)
    long_N2, short_N2 = torch.where(wide_N1, across_N2, down_N2), torch.where(wide_N1, down_N2, across_N2)
    lean_N1 = (short_N2 * long_N2).sum(1, keepdim=True) / long_N2.square().sum(1, keepdim=True).clamp(min=1e-12)
    length_N2, breadth_N2 = long_N2 * (1 + lean_N1.abs()), short_N2 - lean_N1 * long_N2
    across_N2, down_N2 = torch.where(wide_N1, length_N2, breadth_N2), torch.where(wide_N1, breadth_N2, length_N2)
    first_N2 = corners_N42.mean(1) - (across_N2 + down_N2) / 2
    return torch.cat([first_N2, first_N2 + across_N2, first_N2 + across_N2 + down_N2, first_N2 + down_N2], dim=1)


def _mapped(points: Tensor, matrix: Matrix) -> Tensor:
    """Return points ``[..., 2]`` of the input where the output has them."""
    a, b, c, d, e, f = inverted(matrix)
    x, y = points.unbind(-1)
    return torch.stack([a * x + b * y + c, d * x + e * y + f], dim=-1)


def _exact(coordinates: Any) -> Tensor:
    """Return coordinates as floats of at least 32 bits."""
    plain: Tensor = coordinates.as_subclass(Tensor)
    return plain.to(torch.promote_types(plain.dtype, torch.float32))


def _like(coordinates: Tensor, dtype: torch.dtype) -> Tensor:
    return (coordinates if dtype.is_floating_point else coordinates.round()).to(dtype)
