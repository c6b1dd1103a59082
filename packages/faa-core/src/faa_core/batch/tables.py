"""A policy and its baseline as plain arrays: all that a batch's draws depend on, beside keys, indices and size."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faa_core.batch.baseline import Baseline
from faa_core.batch.instructions import Base, Numbers, packed
from faa_core.policies.policy import Policy

Whole = NDArray[np.int64]


class Tables(NamedTuple):
    """Arrays that numpy and compiled code read alike. S stages, K choices at most, O operations; see `Plan`.

    Attributes:
        slots_S5: Slot of the choice, of the probability, of λ, of the gate, and of a crop's area.
        count_S: How many uses a stage has.
        cumulative_SK: Upper end of each use's part of its group's [0, 1); of shape ``[S, 0]`` where all are alike.
        operation_SK: Number of each use's operation, or −1.
        p_SK2: Range of the probability of application.
        magnitude_SK2: Range of λ.
        whole_O3: Base, whether mirrored, and packed fill of each operation.
        axis_O3: Low, high and neutral argument of each operation.
        whole_8: Length of an image's row of uniform numbers; number of λ in a range, 0 for all; whether maps are
            sampled at the nearest pixel; number of partners; pad, cutout and packed fill of the baseline; number of
            groups that the uses of every stage are in.
        real_2: Probability of a flip in the baseline; standard deviation of normal noise on λ, 0 for none.
    """

    slots_S5: Whole
    count_S: Whole
    cumulative_SK: Numbers
    operation_SK: Whole
    p_SK2: Numbers
    magnitude_SK2: Numbers
    whole_O3: Whole
    axis_O3: Numbers
    whole_8: Whole
    real_2: Numbers


def tables_of(policy: Policy, baseline: Baseline | None = None, *, partners: int = 0) -> Tables:
    """Return the tables of a policy that is followed by a baseline.

    Args:
        policy: Of any kind, of standard operations.
        baseline: What comes after it, or None for nothing.
        partners: How many images there are to mix in.
    """
    plan, after = policy.plan(), baseline or Baseline()
    operations = plan.operations
    whole = [(Base[row.base], row.mirrored, packed(row.fill or policy.fill)) for row in operations]
    axes = [(row.low, row.high, row.neutral) for row in operations]
    nearest = policy.interpolation == "nearest"
    return Tables(
        slots_S5=np.stack(
            [plan.choice_slot_S, plan.p_slot_S, plan.magnitude_slot_S, plan.gate_slot_S, plan.shape_slot_S], axis=1
        ),
        count_S=plan.count_S,
        cumulative_SK=plan.cumulative_SK,
        operation_SK=plan.operation_SK,
        p_SK2=plan.p_SK2,
        magnitude_SK2=plan.magnitude_SK2,
        whole_O3=np.array(whole, dtype=np.int64).reshape(-1, 3),
        axis_O3=np.array(axes, dtype=np.float64).reshape(-1, 3),
        whole_8=np.array(
            [plan.slots, plan.bins, nearest, partners, after.pad, after.cutout, packed(after.fill), plan.groups],
            dtype=np.int64,
        ),
        real_2=np.array([after.hflip, plan.std], dtype=np.float64),
    )
