"""A policy of any kind as arrays, from which many images are drawn at once.

An image passes S stages. Each stage picks one of up to K uses of an operation, decides whether it is applied, and
settles its magnitude, sign and place; all from the image's row of uniform numbers. The kinds of policy differ only in
these arrays. `Policy.steps` computes the same for one image, and tests hold them together.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NOTHING = -1  # no operation; no slot
Whole = NDArray[np.int64]
Real = NDArray[np.float64]


class Stages(NamedTuple):
    """Arrays that numpy and compiled code read alike. S stages, K uses at most; see `stages_of`.

    Attributes:
        slots_S5: Slot of the choice, of the probability, of λ, of the gate, and of a crop's area.
        count_S: How many uses a stage has.
        cumulative_SK: Upper end of each use's part of its group's [0, 1); of shape ``[S, 0]`` where all are alike.
        operation_SK: Number of each use's operation among those of the policy's `table`, or `NOTHING`.
        p_SK2: Range of the probability of application.
        magnitude_SK2: Range of λ.
        whole_3: Length of an image's row of uniform numbers; number of λ in a range, 0 for all; number of groups that
            the uses of every stage are in.
        real_1: Standard deviation of normal noise on λ, 0 for none.
    """

    slots_S5: Whole
    count_S: Whole
    cumulative_SK: Real
    operation_SK: Whole
    p_SK2: Real
    magnitude_SK2: Real
    whole_3: Whole
    real_1: Real


def stages_of(
    *,
    slots: int,
    choice_slot_S: Whole,
    count_S: Whole,
    cumulative_SK: Real,
    operation_SK: Whole,
    p_SK2: Real,
    magnitude_SK2: Real,
    gate_slot_S: Whole,
    shape_slot_S: Whole,
    p_slot_S: Whole | None = None,
    magnitude_slot_S: Whole | None = None,
    bins: int = 0,
    std: float = 0.0,
    groups: int = 1,
) -> Stages:
    """Return the stages of a policy.

    Args:
        slots: Length of an image's row of uniform numbers.
        choice_slot_S: Slot that picks the use of a stage, int64.
        count_S: How many uses a stage has, int64.
        cumulative_SK: Upper end of each use's part of its group's [0, 1), float64; of shape ``[S, 0]`` where all are
            alike.
        operation_SK: Number of each use's operation, or `NOTHING`, int64.
        p_SK2: Range of the probability of application, float64.
        magnitude_SK2: Range of λ, float64.
        gate_slot_S: Slot of the gate, int64; reflection and place (x, y) follow it.
        shape_slot_S: Slot of a crop's area, int64; its aspect follows it.
        p_slot_S: Slot that picks the probability from its range, int64; None for a fixed one.
        magnitude_slot_S: Slot that picks λ from its range, int64; None for a fixed one.
        bins: Number of evenly spaced λ in a range; 0 for all.
        std: Standard deviation of normal noise on λ, from the number of λ's slot; 0 for none.
        groups: Of equal size, that the K uses of every stage are in; the number of slot 0 picks one for all stages.
    """
    fixed_S = np.full_like(count_S, NOTHING)
    return Stages(
        slots_S5=np.stack(
            [
                choice_slot_S,
                fixed_S if p_slot_S is None else p_slot_S,
                fixed_S if magnitude_slot_S is None else magnitude_slot_S,
                gate_slot_S,
                shape_slot_S,
            ],
            axis=1,
        ),
        count_S=np.ascontiguousarray(count_S),
        cumulative_SK=np.ascontiguousarray(cumulative_SK),
        operation_SK=np.ascontiguousarray(operation_SK),
        p_SK2=np.ascontiguousarray(p_SK2),
        magnitude_SK2=np.ascontiguousarray(magnitude_SK2),
        whole_3=np.array([slots, bins, groups], dtype=np.int64),
        real_1=np.array([std]),
    )


NO_STAGES = Stages(
    slots_S5=np.zeros((0, 5), dtype=np.int64),
    count_S=np.zeros(0, dtype=np.int64),
    cumulative_SK=np.zeros((0, 0)),
    operation_SK=np.zeros((0, 0), dtype=np.int64),
    p_SK2=np.zeros((0, 0, 2)),
    magnitude_SK2=np.zeros((0, 0, 2)),
    whole_3=np.array([0, 0, 1]),
    real_1=np.zeros(1),
)
