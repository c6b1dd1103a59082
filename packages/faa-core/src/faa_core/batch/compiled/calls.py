"""From tensors and Pillow's images to the compiled engine, and back."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from faa_core.batch.compiled import engine


def run(
    images: Tensor, instructions: Tensor, partners: Tensor, scale: Sequence[float], bias: Sequence[float]
) -> Tensor:
    """Return uint8 images ``[B, C, H, W]`` after their instructions; see `faa_core.batch.operators.augment`."""
    batch, channels, height, width = images.shape
    shape, rows = (channels, height, width), instructions.numpy()
    size = channels * height * width
    flat, others = images.contiguous().view(batch, size).numpy(), partners.reshape(len(partners), size).numpy()
    if not scale:
        result = torch.empty_like(images, memory_format=torch.contiguous_format)
        engine.augment(flat, rows, others, shape, result.view(batch, size).numpy())
        return result
    result = torch.empty(images.shape, dtype=torch.float32)
    factors = np.array(scale, dtype=np.float32), np.array(bias, dtype=np.float32)
    engine.augment_and_normalize(flat, rows, others, shape, *factors, result.view(batch, channels, height * width).numpy())
    return result
