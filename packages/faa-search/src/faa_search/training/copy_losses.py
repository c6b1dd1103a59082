"""The loss of each copy of the images, in the table of epochs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CopyLosses:
    """The companion of ``--batch-aug``: it shows each copy's mean loss as ``train_loss_copy1`` and so on."""

    name: str = "copy_losses"
    source: None = None
    wants_costs: bool = True
    parts_per_epoch: int = 1

    def after_part(self, epoch: int, costs: Sequence[float]) -> None:
        """Do nothing."""

    def after_epoch(self, epoch: int, costs: Sequence[float]) -> dict[str, float | None]:
        """Return the costs, each under its copy's number from 1; none for an epoch in which it was not counted."""
        return {f"train_loss_copy{copy}": None if math.isnan(cost) else cost for copy, cost in enumerate(costs, 1)}

    def state(self) -> None:
        """Return nothing: the sums of the current epoch are in the training's own state."""

    def restore(self, state: object) -> None:
        """Do nothing."""
