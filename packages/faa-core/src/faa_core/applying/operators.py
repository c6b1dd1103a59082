"""The two steps of a batch: drawing on the host, then pixels on the images' device.

Each is a function, and a torch operator of the same signature for ``torch.compile``, which then has no graph break and
cannot reorder the floating point inside.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from faa_core.drawing.drawing import Prepared, draw_instructions, prepare_arrays
from faa_core.drawing.tables import Around
from faa_core.engines.torch import engine as torch_engine
from faa_core.operations.instructions import WIDTH
from faa_core.policies.stages import Stages
from faa_core.randomness import key_of


def draw(
    indices: Tensor,
    tables: Sequence[Tensor],
    operations: str,
    instructions: int,
    seed: int,
    epoch: int,
    size: Sequence[int],
    compiled: bool,
) -> Tensor:
    """Return the instructions of a batch, float64 ``[B, S, 8]`` on the CPU.

    Args:
        indices: int64 ``[B]``, on the CPU.
        tables: The fields of `Stages`, then those of `Around`, in order.
        operations: The names of the table's operations that the policy's have as their base, a line each.
        instructions: S: how many an image gets, for tracing.
        seed: Of the run.
        epoch: Or view.
        size: Height and width of the images.
        compiled: Whether numba draws.

    Raises:
        FaaError: If a plugin's map reads too far away from the image.
    """
    arrays = [table.numpy() for table in tables]
    stages, around = Stages(*arrays[: len(Stages._fields)]), Around(*arrays[len(Stages._fields) :])
    source = prepare_arrays(stages, around, tuple(operations.splitlines()))
    return draw_by_keys(source, indices, seed, epoch, size, compiled)


def draw_by_keys(
    source: Prepared, indices: Tensor, seed: int, epoch: int, size: Sequence[int], compiled: bool
) -> Tensor:
    """Return the instructions of a batch: what `draw` does, for what is prepared already."""
    of_baseline = key_of("baseline", seed, epoch) if source.instructions > len(source.stages.count_S) else 0
    keys, (height, width) = (key_of("policy", seed, epoch), of_baseline), size
    return torch.from_numpy(draw_instructions(source, keys, indices.numpy(), (height, width), compiled=compiled))


draw_operator = torch.library.custom_op("faa_core::draw", draw, mutates_args=())


@draw_operator.register_fake
def _(
    indices: Tensor,
    tables: Sequence[Tensor],
    operations: str,
    instructions: int,
    seed: int,
    epoch: int,
    size: Sequence[int],
    compiled: bool,
) -> Tensor:
    return torch.empty(len(indices), instructions, WIDTH, dtype=torch.float64, device="cpu")


def augment(
    images: Tensor,
    instructions: Tensor,
    partners: Tensor,
    engine: str,
    interpolation: str,
    scale: Sequence[float],
    bias: Sequence[float],
    threads: int,
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
        threads: That carry out the batch together, of numba's engine.
    """
    if engine == "numba":
        from faa_core.engines.numba import calls  # noqa: PLC0415 numba is optional

        return calls.run(images, instructions, partners, scale, bias, threads)
    if engine == "triton":
        from faa_core.engines.triton import engine as triton_engine  # noqa: PLC0415 triton is optional

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
    threads: int,
) -> Tensor:
    return torch.empty(images.shape, dtype=torch.float32 if scale else images.dtype, device=images.device)
