"""How a gated block runs.

Shapes: B = batch, C = channels, H and W = height and width.
"""

import torch
from torch import Tensor

from faa_models.staged import ResidualBlock

__all__ = ["gathered", "is_traced", "masked"]


def is_traced() -> bool:
    """Return whether ``torch.jit.trace`` records: what it sees must not depend on the example."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]


def masked(block: ResidualBlock, x: Tensor, decision_B: Tensor | None) -> Tensor:
    """Return a block's output where the decision is 1 and its shortcut where it is 0, having computed both.

    Args:
        block: What runs, or not.
        x: Its input (B, C, H, W).
        decision_B: 0 or 1 for each image; None runs it for all.
    """
    shortcut = block.skip(x)
    out: Tensor = block(x, shortcut)
    if decision_B is None:
        return out
    shortcut = shortcut.to(out.dtype)
    weight_B111 = decision_B[:, None, None, None]
    if decision_B.requires_grad and not is_traced():  # the gates learn from what the block made of x
        return torch.lerp(shortcut, out, weight_B111.to(out.dtype))
    return torch.where(weight_B111 != 0, out, shortcut)  # whatever a skipped block made of x, infinities too


def gathered(block: ResidualBlock, x: Tensor, decision_B: Tensor | None) -> Tensor:
    """Return the same, computing the block for those images alone that want it; has to wait for the decisions.

    Args:
        block: What runs, or not.
        x: Its input (B, C, H, W).
        decision_B: 0 or 1 for each image, whose gradient is lost; None runs it for all.
    """
    shortcut = block.skip(x)
    rows = None if decision_B is None else decision_B.nonzero().squeeze(1)
    if rows is None or len(rows) == len(x):
        everywhere: Tensor = block(x, shortcut)
        return everywhere
    return shortcut.index_put((rows,), block(x[rows], shortcut[rows]).to(shortcut.dtype)) if len(rows) else shortcut
