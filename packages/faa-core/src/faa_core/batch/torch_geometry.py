"""Sampling images at an inverse map or bringing a part to size, in plain torch, as Pillow does it.

Shapes: N images, C channels, H × W pixels, six coefficients of Pillow's inverse map.
"""

import math

import torch
from torch import Tensor

from faa_core.batch.torch_pixels import choose

FIXED = 65536  # Pillow samples nearest neighbours in 16.16 fixed point


def nearest(images: Tensor, map_N6: Tensor, colour_NC11: Tensor) -> Tensor:
    """Return the images read at the nearest pixel; the colour where that lies outside."""
    height, width = images.shape[-2:]
    x_NHW, y_NHW = nearest_coordinates(map_N6, height, width)
    inside_NHW = (x_NHW >= 0) & (x_NHW < width) & (y_NHW >= 0) & (y_NHW < height)
    index_NHW = (y_NHW * width + x_NHW).masked_fill_(~inside_NHW, 0).to(torch.int64)
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
    across_NWW = torch.stack([_weights(left, wide, width, width) for left, _top, wide, _high in boxes]).to(
        images.device
    )
    down_NHH = torch.stack([_weights(top, high, height, height) for _left, top, _wide, high in boxes]).to(images.device)
    rows = _rounded(torch.einsum("nchw,nvw->nchv", images.double(), across_NWW), top)
    return _rounded(torch.einsum("nchw,nvh->ncvw", rows, down_NHH), top).to(images.dtype)


def _rounded(sums: Tensor, top: int) -> Tensor:
    return ((sums + 2**21) / 2**22).floor().clamp(0, top)


def _weights(start: int, length: int, size: int, output: int) -> Tensor:
    """Return Pillow's bicubic weights times 2²², shape ``[output, size]``, of a part of a side brought to `output`."""
    matrix = torch.zeros(output, size, dtype=torch.float64, device="cpu")
    scale = length / output
    support = 2.0 * max(scale, 1.0)
    for row in range(output):
        centre = (row + 0.5) * scale
        low, high = max(int(centre - support + 0.5), 0), min(int(centre + support + 0.5), length)
        weights = [_bicubic((at - centre + 0.5) / max(scale, 1.0)) for at in range(low, high)]
        total = sum(weights)
        whole = [math.floor(weight / total * 2**22 + 0.5) for weight in weights]
        matrix[row, start + low : start + high] = torch.tensor(whole, dtype=torch.float64, device="cpu")
    return matrix


def _bicubic(x: float) -> float:
    """Return the cubic kernel with a = −½."""
    x = abs(x)
    if x < 1:
        return (1.5 * x - 2.5) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * -0.5 if x < 2 else 0.0
