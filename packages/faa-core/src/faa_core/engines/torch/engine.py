"""Instructions carried out in plain torch, on any device: images that share an instruction's code go together."""

import numpy as np
import torch
from torch import Tensor

from faa_core.engines.torch import geometry as torch_geometry
from faa_core.engines.torch import pixels as torch_pixels
from faa_core.operations.instructions import Code
from faa_core.policies.stages import Real


def run(images_BCHW: Tensor, instructions_BS8: Real, *, interpolation: str, partners: Tensor) -> Tensor:
    """Return the images after their instructions.

    The groups are known on the host, so nothing waits for the device.

    Args:
        images_BCHW: uint8, or uint16.
        instructions_BS8: On the host, float64.
        interpolation: "nearest", "bilinear" or "bicubic".
        partners: Images to mix in, ``[M, C, H, W]`` like the images; may be empty.
    """
    top = 255 if images_BCHW.dtype == torch.uint8 else 65535
    images = images_BCHW.clone(memory_format=torch.contiguous_format)
    if len(images) == 0:
        return images
    images = images if top == 255 else images.to(torch.int32)
    words = _words(images)
    for stage in range(instructions_BS8.shape[1]):
        stage_B8 = instructions_BS8[:, stage]
        order_B = np.argsort(stage_B8[:, 0], kind="stable")
        sorted_B8, where_B = stage_B8[order_B], torch.from_numpy(order_B).to(images.device, non_blocking=True)
        codes, starts = np.unique(sorted_B8[:, 0], return_index=True)
        for code, start, end in zip(codes.astype(int), starts, [*starts[1:], len(order_B)], strict=True):
            if code != Code.NOTHING:
                where_N = where_B[start:end]
                own = words.index_select(0, where_N).view(images.dtype).view(-1, *images.shape[1:])
                done = _one_code(Code(code), own, sorted_B8[start:end], interpolation, partners, top)
                words.index_copy_(0, where_N, done.reshape(len(done), -1).view(words.dtype))
    return images.to(images_BCHW.dtype)


def _words(images: Tensor) -> Tensor:
    """Return a view of images, ``[B, W]``, in the longest words that fit: whole images move several times faster so."""
    flat = images.view(len(images), -1)
    fits = flat.shape[1] * images.element_size() % 8 == 0
    return flat.view(torch.int64) if fits else flat


def _one_code(
    code: Code, images: Tensor, instructions_N8: Real, interpolation: str, partners: Tensor, top: int
) -> Tensor:
    """Return images that share a code after their instruction."""
    parameters_N6 = torch.from_numpy(instructions_N8[:, 1:7].copy()).to(images.device, non_blocking=True)
    match code:
        case Code.AUTO_CONTRAST:
            done = torch_pixels.auto_contrast(images, top)
        case Code.EQUALIZE:
            done = torch_pixels.equalize(images, top)
        case Code.MIX:
            done = torch_pixels.mix(images, parameters_N6[:, 0], _chosen(partners, parameters_N6[:, 1], images), top)
        case Code.RESIZE:
            done = torch_geometry.resized(images, instructions_N8[:, 1:5].astype(int).tolist(), top)
        case Code.FILL | Code.AFFINE:
            colours_NC = torch.from_numpy(colours_of(instructions_N8[:, 7], images.shape[1], top))
            colour_NC11 = colours_NC.to(images.device, images.dtype, non_blocking=True)[:, :, None, None]
            if code is Code.FILL:
                done = torch_geometry.fill_box(images, parameters_N6[:, :4], colour_NC11)
            elif interpolation == "nearest":
                done = torch_geometry.nearest(images, parameters_N6, colour_NC11)
            else:
                done = torch_geometry.interpolated(images, parameters_N6, colour_NC11, interpolation, top)
        case _:
            done = torch_pixels.POINTWISE[code](images, parameters_N6[:, 0], top)
    return done


def _chosen(partners: Tensor, number_N: Tensor, images: Tensor) -> Tensor:
    """Return the partners of images, in their dtype."""
    return partners.index_select(0, number_N.to(torch.int64)).to(images.dtype)


def colours_of(packed_N: Real, channels: int, top: int) -> Real:
    """Return packed RGB colours for images of so many channels, shape ``[N, C]``: their luma unless there are three."""
    whole_N = packed_N.astype(np.int64)
    red_N, green_N, blue_N = whole_N >> 16, (whole_N >> 8) & 255, whole_N & 255
    if channels == 3:
        colours_NC = np.stack([red_N, green_N, blue_N], axis=1)
    else:
        luma_N = (red_N * 19595 + green_N * 38470 + blue_N * 7471 + 0x8000) >> 16
        colours_NC = np.repeat(luma_N[:, None], channels, axis=1)
    return (colours_NC * (top // 255)).astype(np.float64)
