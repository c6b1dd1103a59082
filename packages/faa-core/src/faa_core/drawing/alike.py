"""Which draws give the same pixels, known before any pixel is touched: the same image under the same instructions.

A policy leaves about every fourth image alone, and two draws of an image now and then agree. Whoever only looks at the
result, as when scoring a policy, need not look twice.

Shapes: R draws, D different ones, S stages.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from faa_core.operations.instructions import WIDTH, Code

UNTOUCHED = -1


class Alike(NamedTuple):
    """Draws sorted into those with the same pixels.

    Attributes:
        first: Shape ``[D]``, int64: a draw of each kind that changes its image.
        kind: Shape ``[R]``, int64: each draw's place in `first`, or `UNTOUCHED` where the image stays as it is.
    """

    first: Tensor
    kind: Tensor


def sort_alike(instructions_RS8: Tensor, images_R: Tensor) -> Alike:
    """Return which draws are alike.

    Args:
        instructions_RS8: Of each draw, float64 on the CPU, as `PolicyBatch.instructions` returns them.
        images_R: Number of each draw's image, int64 on the CPU.
    """
    rows_RS8 = instructions_RS8.numpy()
    changed_N = np.flatnonzero((rows_RS8[:, :, 0] != Code.NOTHING).any(axis=1))
    flat_NF = rows_RS8[changed_N].reshape(len(changed_N), WIDTH * rows_RS8.shape[1])
    flat_NF = np.ascontiguousarray(np.column_stack([images_R.numpy()[changed_N], flat_NF]))
    whole_N = flat_NF.view(np.dtype((np.void, flat_NF.shape[1] * flat_NF.itemsize))).ravel()
    _rows, first_D, kind_N = np.unique(whole_N, return_index=True, return_inverse=True)
    # In the order of the draws, so that batches are read from memory as it lies.
    order_D = np.argsort(first_D)
    place_D = np.empty_like(order_D)
    place_D[order_D] = np.arange(len(order_D))
    kind_R = np.full(len(rows_RS8), UNTOUCHED, dtype=np.int64)
    kind_R[changed_N] = place_D[kind_N]
    return Alike(torch.from_numpy(changed_N[first_D[order_D]]), torch.from_numpy(kind_R))
