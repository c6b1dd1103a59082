"""All that a batch's draws depend on beside keys, indices and size, as plain arrays that compiled code reads too."""

from typing import NamedTuple

import numpy as np

from faa_core.drawing.baseline import Baseline
from faa_core.operations import batched_of
from faa_core.operations.instructions import Code, packed
from faa_core.policies.policy import Policy
from faa_core.policies.stages import Real, Whole


class Around(NamedTuple):
    """What draws need beside a policy's stages. O operations.

    Attributes:
        whole_O3: Code, whether mirrored, and packed fill of each operation.
        axis_O3: Low, high and neutral argument of each operation.
        whole_5: Whether maps are sampled at the nearest pixel; number of partners; pad, cutout and packed fill of the
            baseline.
        real_1: Probability of a flip in the baseline.
    """

    whole_O3: Whole
    axis_O3: Real
    whole_5: Whole
    real_1: Real


def make_around(policy: Policy, baseline: Baseline | None = None, *, partners: int = 0) -> Around:
    """Return what draws of a policy need beside its stages.

    Args:
        policy: Of any kind, of operations that batches can be augmented by.
        baseline: What comes after it, or None for nothing.
        partners: How many images there are to mix in.
    """
    after, rows = baseline or Baseline(), policy.table.values()
    codes = [batched.code if batched else Code.NOTHING for batched in map(batched_of, rows)]
    whole = [(code, row.mirrored, packed(row.fill or policy.fill)) for code, row in zip(codes, rows, strict=True)]
    return Around(
        whole_O3=np.array(whole, dtype=np.int64).reshape(-1, 3),
        axis_O3=np.array([(row.low, row.high, row.neutral) for row in rows]).reshape(-1, 3),
        whole_5=np.array(
            [policy.interpolation == "nearest", partners, after.pad, after.cutout, packed(after.fill)], dtype=np.int64
        ),
        real_1=np.array([after.hflip]),
    )
