"""The two steps of a batch: drawing on the host, then pixels on the images' device.

Each is a function, and a torch operator of the same signature for ``torch.compile``, which then has no graph break and
cannot reorder the floating point inside.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from faa_core.batch import torch_engine
from faa_core.batch.drawing import draw_instructions
from faa_core.batch.instructions import WIDTH
from faa_core.batch.tables import Tables
from faa_core.randomness import key_of


def draw(
    indices: Tensor,
    tables: Sequence[Tensor],
    stages: int,
    seed: int,
    epoch: int,
    height: int,
    width: int,
    compiled: bool,
) -> Tensor:
    """Return the instructions of a batch, float64 ``[B, S, 8]`` on the CPU.

    Args:
        indices: int64 ``[B]``, on the CPU.
        tables: The fields of `Tables`, in order.
        stages: S.
        seed: Of the run.
        epoch: Or view.
        height: Of the images.
        width: Of the images.
        compiled: Whether numba draws.
    """
    arrays = Tables(*(table.numpy() for table in tables))
    baseline_draws = stages > len(arrays.count_S)
    keys = key_of("policy", seed, epoch), key_of("baseline", seed, epoch) if baseline_draws else 0
    if not compiled:
        return torch.from_numpy(draw_instructions(arrays, *keys, indices.numpy(), height, width))
    from faa_core.batch.compiled import drawing  # noqa: PLC0415 numba is optional

    instructions = torch.zeros(len(indices), stages, WIDTH, dtype=torch.float64, device="cpu")
    policy_key, baseline_key = (np.uint64(key) for key in keys)
    drawing.draw(arrays, policy_key, baseline_key, indices.numpy(), height, width, instructions.numpy())
    return instructions


draw_operator = torch.library.custom_op("faa_core::draw", draw, mutates_args=())


@draw_operator.register_fake
def _(
    indices: Tensor,
    tables: Sequence[Tensor],
    stages: int,
    seed: int,
    epoch: int,
    height: int,
    width: int,
    compiled: bool,
) -> Tensor:
    return torch.empty(len(indices), stages, WIDTH, dtype=torch.float64, device="cpu")


def augment(
    images: Tensor,
    instructions: Tensor,
    partners: Tensor,
    engine: str,
    interpolation: str,
    scale: Sequence[float],
    bias: Sequence[float],
) -> Tensor:
    """Return the images after their instructions; float32, times scale plus bias, unless these are empty.

    Args:
        images: uint8 or uint16 ``[B, C, H, W]``.
        instructions: float64 ``[B, S, 8]``, on the CPU.
        partners: Images to mix in, ``[M, C, H, W]``, or an empty tensor.
        engine: "torch", "numba" or "triton".
        interpolation: Of the policy.
        scale: One number per channel, or none.
        bias: One number per channel, or none.
    """
    if engine == "numba":
        from faa_core.batch.compiled import calls  # noqa: PLC0415 numba is optional

        return calls.run(images, instructions, partners, scale, bias)
    if engine == "triton":
        from faa_core.batch import triton_engine  # noqa: PLC0415 triton is optional

        there = instructions.pin_memory().to(images.device, non_blocking=True)
        others = partners if len(partners) else None
        return triton_engine.run(images.contiguous(), there, partners=others, scale=scale or None, bias=bias or None)
    done = torch_engine.run(images, instructions.numpy(), interpolation=interpolation, partners=partners)
    if not scale:
        return done
    scale_C11, bias_C11 = (
        torch.tensor(row, dtype=torch.float32, device="cpu").to(images.device, non_blocking=True)[:, None, None]
        for row in (scale, bias)
    )
    return done.to(torch.float32).mul_(scale_C11).add_(bias_C11)


augment_operator = torch.library.custom_op("faa_core::augment", augment, mutates_args=())


@augment_operator.register_fake
def _(
    images: Tensor,
    instructions: Tensor,
    partners: Tensor,
    engine: str,
    interpolation: str,
    scale: Sequence[float],
    bias: Sequence[float],
) -> Tensor:
    return torch.empty(images.shape, dtype=torch.float32 if scale else images.dtype, device=images.device)
