"""A whole batch's instructions and its normalisation in one launch, in Triton.

Shapes: B images, C channels, H × W pixels, S stages, M partners.
"""

from collections.abc import Sequence
from contextlib import nullcontext

import torch
import triton
from torch import Tensor

from faa_core.engines.triton.kernel import augment

WARPS_PER_PROCESSOR = 64  # more than fit, so that a slow image holds up no other


def run(
    images_BCHW: Tensor,
    instructions_BS8: Tensor,
    *,
    partners: Tensor | None,
    scale: Sequence[float] | None,
    bias: Sequence[float] | None,
) -> Tensor:
    """Return the images after their instructions, sampled at the nearest pixel, and normalised if asked for.

    One launch on the current stream; nothing waits for the device. The first call for a size compiles, so it must
    come before a CUDA graph is captured.

    Args:
        images_BCHW: uint8, contiguous, one or three channels, on a CUDA device.
        instructions_BS8: float64, contiguous, on the same device; no RESIZE, and MIX only with partners.
        partners: Images to mix in, ``[M, C, H, W]``, uint8 on the same device, or None.
        scale: What each channel is multiplied with, or None for uint8 images.
        bias: What is added to each channel then; both are rounded to float32, and so is the product.

    Returns:
        ``[B, C, H, W]``, uint8 without a scale and float32 with one.
    """
    count, channels, height, width = images_BCHW.shape
    dtype = torch.uint8 if scale is None else torch.float32
    output = torch.empty(images_BCHW.shape, dtype=dtype, device=images_BCHW.device)
    if count == 0:
        return output
    pixels = height * width
    warps = 4 if pixels <= 4096 else 16  # with registers for four programs or one on a multiprocessor
    programs = min(count, WARPS_PER_PROCESSOR // warps * _processors(images_BCHW.device))
    scratch = torch.empty((programs, 2 * pixels + 256), dtype=torch.int32, device=images_BCHW.device)
    factors, summands = ((*values, 0.0, 0.0)[:3] if values else (0.0, 0.0, 0.0) for values in (scale, bias))
    with torch.cuda.device(images_BCHW.device) if images_BCHW.is_cuda else nullcontext():
        augment[(programs,)](
            images_BCHW,
            instructions_BS8,
            images_BCHW if partners is None else partners.contiguous(),
            scratch,
            output,
            count,
            *factors,
            *summands,
            HEIGHT=height,
            WIDTH=width,
            CHANNELS=channels,
            STAGES=instructions_BS8.shape[1],
            BLOCK=min(max(triton.next_power_of_2(pixels), 128), 256 * warps),
            NORMALISED=scale is not None,
            num_warps=warps,
            num_stages=1,
            enable_fp_fusion=False,
        )
    return output


def _processors(device: torch.device) -> int:
    """Return how many multiprocessors a device has; 1 for the CPU, where only Triton's interpreter runs."""
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1
