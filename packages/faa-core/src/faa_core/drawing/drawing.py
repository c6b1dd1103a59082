"""Drawing the instructions of a batch, by numba or plainly."""

from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from faa_core.drawing import plain
from faa_core.drawing.baseline import Baseline
from faa_core.drawing.tables import Around, make_around
from faa_core.errors import FaaError
from faa_core.operations import STANDARD, operation
from faa_core.operations.instructions import FARTHEST, WIDTH, Code
from faa_core.policies.policy import Policy
from faa_core.policies.stages import Real, Stages, Whole


class Prepared(NamedTuple):
    """All that the draws of a policy depend on, beside keys, indices and size.

    Attributes:
        stages: Of the policy.
        around: What draws need beside them.
        operations: Names of the table's operations that the policy's have as their base.
        instructions: How many an image gets: the stages' and the baseline's.
        others: Those of the operations that are plugins'.
    """

    stages: Stages
    around: Around
    operations: tuple[str, ...]
    instructions: int
    others: tuple[str, ...]


def prepare(
    policy: Policy, baseline: Baseline | None = None, *, partners: int = 0, stages: Stages | None = None
) -> Prepared:
    """Return what is drawn from.

    Args:
        policy: Of any kind.
        baseline: What comes after it, or None for nothing.
        partners: How many images there are to mix in.
        stages: Instead of the policy's; `NO_STAGES` leaves the baseline alone.
    """
    operations = tuple(row.base for row in policy.table.values())
    return prepare_arrays(
        policy.stages() if stages is None else stages, make_around(policy, baseline, partners=partners), operations
    )


def prepare_arrays(stages: Stages, beside: Around, operations: tuple[str, ...]) -> Prepared:
    """Return what is drawn from, of a policy's arrays and the names of its operations."""
    _nearest, _partners, pad, cutout, _fill = beside.whole_5.tolist()
    instructions = len(stages.count_S) + bool(pad or beside.real_1[0]) + bool(cutout)
    others = tuple(name for name in operations if name not in STANDARD)
    return Prepared(stages, beside, operations, instructions, others)


def draw_instructions(
    source: Prepared, keys: tuple[int, int], indices_B: Whole, size: tuple[int, int], *, compiled: bool
) -> Real:
    """Return the instructions of a batch, shape ``[B, S, 8]``.

    Args:
        source: From `prepare`.
        keys: Of the policy's draws, and of the baseline's.
        indices_B: Of the images in their data set.
        size: Height and width of the images.
        compiled: Whether numba draws, which it can where `compiled.uncompilable` returns "".

    Raises:
        FaaError: If a plugin's map reads too far away from the image.
    """
    done_BS8 = np.zeros((len(indices_B), source.instructions, WIDTH))
    if compiled:
        by_numba, wrapped = _by_numba(), (np.uint64(keys[0]), np.uint64(keys[1]))
        by_numba.draw(
            source.stages, source.around, by_numba.addresses(source.operations), wrapped, indices_B, size, done_BS8
        )
    else:
        rows = [operation(name).in_batches for name in source.operations]
        numbers_O = [row.numbers for row in rows if row]
        plain.draw(source.stages, source.around, numbers_O, keys, indices_B, size, done_BS8)
    if source.others:
        _check_reach(done_BS8, size, source.others)
    return done_BS8


@cache
def _by_numba() -> Any:
    """Return the module of compiled draws, which is imported when it is first needed: numba is optional."""
    return import_module("faa_core.drawing.compiled")


def _check_reach(instructions_BS8: Real, size: tuple[int, int], names: tuple[str, ...]) -> None:
    """Refuse maps that leave the room that fixed point has; those of the standard operations do not."""
    maps_N23 = instructions_BS8[instructions_BS8[..., 0] == Code.AFFINE][:, 1:7].reshape(-1, 2, 3)
    height, width = size
    corners_34 = np.array([[0, 0, width, width], [0, height, 0, height], [1, 1, 1, 1]])
    reach_N24 = np.abs(maps_N23 @ corners_34)
    if not (reach_N24 < FARTHEST).all():  # nor where it is not a number
        raise FaaError(
            f"A map of {', '.join(names)} is not finite, or reads {FARTHEST:,} pixels away from the image or more. "
            "Give the operation a narrower range, or use engine='pillow'."
        )
