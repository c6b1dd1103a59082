"""Boxes, sampling images at an inverse map, or bringing a part to size, in plain torch, as Pillow does it.

Shapes: N images, C channels, H × W pixels, six coefficients of Pillow's inverse map.
"""

import torch
from torch import Tensor

from faa_core.engines.torch.pixels import choose

FIXED = 65536  # Pillow samples nearest neighbours in 16.16 fixed point


def fill_box(images: Tensor, box_N4: Tensor, colour_NC11: Tensor) -> Tensor:
    """Set a box to a colour."""
    height, width = images.shape[-2:]
    left, top, right, bottom = box_N4.to(torch.int32)[:, :, None].unbind(1)
    x_W, y_H = (torch.arange(size, device=images.device, dtype=torch.int32) for size in (width, height))
    inside_NHW = ((y_H >= top) & (y_H < bottom))[:, :, None] & ((x_W >= left) & (x_W < right))[:, None, :]
    return choose(inside_NHW[:, None], colour_NC11, images)


def nearest(images: Tensor, map_N6: Tensor, colour_NC11: Tensor) -> Tensor:
    """Return the images read at the nearest pixel; the colour where that lies outside."""
    height, width = images.shape[-2:]
    x_NHW, y_NHW = nearest_coordinates(map_N6, height, width)
    inside_NHW = (x_NHW | y_NHW | (width - 1 - x_NHW) | (height - 1 - y_NHW)) >= 0  # no sign bit: within all four edges
    index_NHW = (y_NHW * width).add_(x_NHW).mul_(inside_NHW).to(torch.int64)
    flat_NCP = images.flatten(2)
    read_NCP = flat_NCP.gather(2, index_NHW.flatten(1)[:, None].expand(-1, images.shape[1], -1))
    return choose(inside_NHW[:, None], read_NCP.reshape(images.shape), colour_NC11)


def nearest_coordinates(map_N6: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return where each pixel is read, in whole pixels: x and y, int32 ``[N, H, W]``."""
    fixed_N6 = (map_N6 * FIXED + 0.5).floor()
    corner_N2 = ((map_N6[:, 2::3] + map_N6[:, 0::3] * 0.5 + map_N6[:, 1::3] * 0.5) * FIXED + 0.5).floor()
    a0, a1, _a2, a3, a4, _a5 = fixed_N6.to(torch.int32)[:, :, None, None].unbind(1)
    a2, a5 = corner_N2.to(torch.int32)[:, :, None, None].unbind(1)
    x_W = torch.arange(width, device=map_N6.device, dtype=torch.int32)
    y_H1 = torch.arange(height, device=map_N6.device, dtype=torch.int32)[:, None]
    return (a2 + a1 * y_H1 + a0 * x_W) >> 16, (a5 + a4 * y_H1 + a3 * x_W) >> 16


def interpolated(images: Tensor, map_N6: Tensor, colour_NC11: Tensor, filter_name: str, top: int) -> Tensor:
    """Return the images read between pixels, bilinear or bicubic; the colour where that lies outside."""
    height, width = images.shape[-2:]
    a0, a1, a2, a3, a4, a5 = map_N6[:, :, None, None].unbind(1)
    x_W = torch.arange(width, device=images.device, dtype=torch.float64) + 0.5
    y_H1 = torch.arange(height, device=images.device, dtype=torch.float64)[:, None] + 0.5
    x_NHW, y_NHW = a0 * x_W + a1 * y_H1 + a2, a3 * x_W + a4 * y_H1 + a5
    inside_NHW = (x_NHW >= 0) & (x_NHW < width) & (y_NHW >= 0) & (y_NHW < height)
    taps = (0, 1) if filter_name == "bilinear" else (-1, 0, 1, 2)
    weigh = _linear if filter_name == "bilinear" else _cubic
    left_NHW, above_NHW = (x_NHW - 0.5).floor(), (y_NHW - 0.5).floor()
    dx_N1HW, dy_N1HW = (x_NHW - 0.5 - left_NHW)[:, None], (y_NHW - 0.5 - above_NHW)[:, None]
    rows = [weigh([_read(images, left_NHW + right, above_NHW + down) for right in taps], dx_N1HW) for down in taps]
    mixed = weigh(rows, dy_N1HW).clamp(0, top).to(images.dtype)
    return choose(inside_NHW[:, None], mixed, colour_NC11)


def _read(images: Tensor, x_NHW: Tensor, y_NHW: Tensor) -> Tensor:
    """Return the pixels at whole coordinates, the border's where they lie outside, as float64."""
    height, width = images.shape[-2:]
    index_NHW = y_NHW.clamp(0, height - 1) * width + x_NHW.clamp(0, width - 1)
    index_N1P = index_NHW.to(torch.int64).flatten(1)[:, None]
    return images.flatten(2).gather(2, index_N1P.expand(-1, images.shape[1], -1)).reshape(images.shape).double()


def _linear(values: list[Tensor], at: Tensor) -> Tensor:
    first, second = values
    return first + (second - first) * at


def _cubic(values: list[Tensor], at: Tensor) -> Tensor:
    first, second, third, fourth = values
    linear = third - first
    square = 2 * (first - second) + third - fourth
    cube = second - first - third + fourth
    return second + at * (linear + at * (square + at * cube))


def resized(images: Tensor, boxes: list[list[int]], top: int) -> Tensor:
    """Return each image's part (left, top, width, height) brought to the image's size, bicubic and antialiased.

    Pillow resamples rows, rounds to 8 bits, and resamples columns, with weights of 22 fractional bits; as whole
    numbers in float64 the sums are exact. Each pass is one product with a matrix ``[N, out, in]``.
    """
    height, width = images.shape[-2:]
    left_N, upper_N, wide_N, high_N = torch.tensor(boxes, device="cpu").unbind(1)
    across_NWW = _weights(left_N, wide_N, width).to(images.device, non_blocking=True)
    down_NHH = _weights(upper_N, high_N, height).to(images.device, non_blocking=True)
    rows = _rounded(torch.einsum("nchw,nvw->nchv", images.double(), across_NWW), top)
    return _rounded(torch.einsum("nchw,nvh->ncvw", rows, down_NHH), top).to(images.dtype)


def _rounded(sums: Tensor, top: int) -> Tensor:
    return ((sums + 2**21) / 2**22).floor().clamp(0, top)


def _weights(start_N: Tensor, length_N: Tensor, size: int) -> Tensor:
    """Return Pillow's bicubic weights times 2²², float64 ``[N, size, size]``: parts of a side brought to the whole."""
    number_S = torch.arange(size, dtype=torch.float64, device="cpu")
    length_N11 = length_N[:, None, None].to(torch.float64)
    at_N1S = number_S - start_N[:, None, None]
    scale_N11 = length_N11 / size
    stretch_N11 = scale_N11.clamp(min=1)
    centre_NS1 = (number_S[:, None] + 0.5) * scale_N11
    first_NS1 = (centre_NS1 - 2 * stretch_N11 + 0.5).floor().clamp(min=0)
    end_NS1 = torch.minimum((centre_NS1 + 2 * stretch_N11 + 0.5).floor(), length_N11)
    inside_NSS = (at_N1S >= first_NS1) & (at_N1S < end_NS1)
    weights_NSS = _bicubic((at_N1S - centre_NS1 + 0.5) / stretch_N11).masked_fill_(~inside_NSS, 0.0)
    total_NS1 = weights_NSS.cumsum(2)[..., -1:]  # one after the other, as Pillow adds them
    return (weights_NSS / total_NS1 * 2**22 + 0.5).floor()


def _bicubic(x: Tensor) -> Tensor:
    """Return the cubic kernel with a = −½."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    return torch.where(x < 1, near, (((x - 5) * x + 8) * x - 4) * -0.5).masked_fill_(x >= 2, 0.0)
