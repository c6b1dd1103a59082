"""From tensors and Pillow's images to the compiled engine, and back."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from PIL import Image
from PIL.Image import Image as PILImage
from torch import Tensor

from faa_core.engines.numba import engine
from faa_core.policies.stages import Real


def run_pil(image: PILImage, instructions_S8: Real) -> PILImage:
    """Return an RGB or L image after its instructions.

    RGB is read and written as four bytes per pixel, as Pillow keeps it: that is a copy, where three bytes are packed.
    """
    width, height = image.size
    no_partners = np.empty((0, 0), dtype=np.uint8)
    if image.mode == "L":
        plane_1N = np.frombuffer(image.tobytes(), dtype=np.uint8)[None]
        result_1N = np.empty((1, width * height), dtype=np.uint8)
        engine.augment(plane_1N, instructions_S8[None], no_partners, (1, height, width), result_1N)
        return Image.frombytes("L", image.size, result_1N.data)
    pixels_P = np.frombuffer(image.tobytes("raw", "RGBX"), dtype=np.uint32)
    result_P = np.empty(width * height, dtype=np.uint32)
    engine.augment_rgbx(pixels_P, instructions_S8, no_partners, (3, height, width), result_P)
    return Image.frombytes("RGB", image.size, result_P.data, "raw", "RGBX")


def run(
    images: Tensor,
    instructions: Tensor,
    partners: Tensor,
    scale: Sequence[float],
    bias: Sequence[float],
    threads: int = 1,
) -> Tensor:
    """Return uint8 images ``[B, C, H, W]`` after their instructions; see `faa_core.applying.operators.augment`."""
    batch, channels, height, width = images.shape
    shape, rows = (channels, height, width), instructions.numpy()
    size = channels * height * width
    flat = images.contiguous().view(batch, size).numpy()
    others = partners.reshape(len(partners), size).numpy() if len(partners) else np.empty((0, size), dtype=np.uint8)
    result = torch.empty(images.shape, dtype=torch.float32 if scale else torch.uint8, device="cpu")
    arguments: tuple[Any, ...]
    if scale:
        factors = np.array(scale, dtype=np.float32), np.array(bias, dtype=np.float32)
        planes = result.view(batch, channels, height * width).numpy()
        carry_out, arguments = engine.augment_and_normalize, (others, shape, *factors)
    else:
        planes = result.view(batch, size).numpy()
        carry_out, arguments = engine.augment, (others, shape)
    if threads == 1 or batch < 2:
        carry_out(flat, rows, *arguments, planes)
        return result
    length = -(-batch // threads)
    parts = [slice(start, start + length) for start in range(0, batch, length)]
    with ThreadPoolExecutor(len(parts)) as pool:  # the compiled code releases the interpreter's lock
        list(pool.map(lambda part: carry_out(flat[part], rows[part], *arguments, planes[part]), parts))
    return result
