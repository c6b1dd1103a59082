"""A policy of any kind as tables, for code that draws many images at once.

An image passes S stages. Each stage picks one of up to K uses of an operation, decides whether it is applied, and
settles its magnitude, sign and place; all from the image's row of uniform numbers. The kinds of policy differ only in
these tables. `Policy.steps` says the same for one image, and tests hold them together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faa_core.ops import Operation

NOTHING = -1  # no operation; no slot


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """Tables from which steps are drawn. S stages, K choices at most, O operations.

    Attributes:
        slots: Length of an image's row of uniform numbers.
        operations: The O operations.
        groups: Of equal size, that the K uses of every stage are in; the number of slot 0 picks one for all stages.
        choice_slot_S: Slot that picks the use of a stage, int64.
        count_S: How many uses a stage has, int64.
        cumulative_SK: Upper end of each use's part of its group's [0, 1), float64; of shape ``[S, 0]`` where all are
            alike.
        operation_SK: Index of each use's operation, or `NOTHING`, int64.
        p_SK2: Range of the probability of application, float64.
        magnitude_SK2: Range of λ, float64.
        p_slot_S: Slot that picks the probability from its range, or `NOTHING`, int64.
        magnitude_slot_S: Slot that picks λ from its range, or `NOTHING`, int64.
        bins: Number of evenly spaced λ in a range; 0 for all.
        std: Standard deviation of normal noise on λ, from the number of λ's slot; 0 for none.
        gate_slot_S: Slot of the gate, int64; reflection and place (x, y) follow it.
        shape_slot_S: Slot of a crop's area, int64; its aspect follows it.
    """

    slots: int
    operations: tuple[Operation, ...]
    groups: int = 1
    choice_slot_S: NDArray[np.int64]
    count_S: NDArray[np.int64]
    cumulative_SK: NDArray[np.float64]
    operation_SK: NDArray[np.int64]
    p_SK2: NDArray[np.float64]
    magnitude_SK2: NDArray[np.float64]
    p_slot_S: NDArray[np.int64]
    magnitude_slot_S: NDArray[np.int64]
    bins: int
    std: float = 0.0
    gate_slot_S: NDArray[np.int64]
    shape_slot_S: NDArray[np.int64]

    @property
    def stages(self) -> int:
        """S."""
        return len(self.count_S)
