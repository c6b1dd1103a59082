"""What goes along with a training: it may decide the policies, it is told what each copy of the images cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from faa_core import FaaError
from faa_search.training.policies import PolicySource


class Companion(Protocol):
    """Goes along with a training.

    Where a training has several processes, each has the companion, tells it the same, and must get the same from it.
    """

    @property
    def name(self) -> str:
        """Its name, which its part of the saved state has."""
        ...

    @property
    def source(self) -> PolicySource | None:
        """What decides the policies, in place of the training's own policy; None for one that decides none.

        Where the companion wants costs, it may be another source after each part of an epoch: it is read before the
        first batch of a part is made, and no batch of a later one is made before `after_part`. Else it is read once.
        """
        ...

    @property
    def parts_per_epoch(self) -> int:
        """Into how many parts, as equal as can be, it divides the updates of an epoch: at least 1."""
        ...

    @property
    def wants_costs(self) -> bool:
        """Whether it is to be told the mean loss of each copy."""
        ...

    def after_part(self, epoch: int, costs: Sequence[float]) -> None:
        """Go on from a part of an epoch, the last one included, after which `after_epoch` is called too.

        Args:
            epoch: From 0.
            costs: Of this part, as in `after_epoch`.
        """
        ...

    def after_epoch(self, epoch: int, costs: Sequence[float]) -> Mapping[str, float | None]:
        """Return its columns of the table of epochs.

        Args:
            epoch: From 0.
            costs: The mean loss of each copy over all images and processes, as it was minimised; NaN where an older
                version began the epoch and did not count it. Empty where no companion wants them.
        """
        ...

    def state(self) -> Any:
        """Return what a resumed training must know: tensors, numbers and texts, in dictionaries and lists, or None."""
        ...

    def restore(self, state: Any) -> None:
        """Go on from what `state` returned; never called with None."""
        ...


@dataclass(frozen=True, slots=True)
class Companions:
    """All companions of one training."""

    each: tuple[Companion, ...] = ()

    def __post_init__(self) -> None:
        names = [companion.name for companion in self.each]
        if len(set(names)) < len(names):
            raise FaaError(f"Companions of a training need different names; given {', '.join(names)}.")
        deciding = [companion.name for companion in self.each if companion.source is not None]
        if len(deciding) > 1:
            raise FaaError(f"Only one can decide the policies of a training; given {' and '.join(deciding)}.")
        if len({companion.parts_per_epoch for companion in self.each} - {1}) > 1:
            raise FaaError(f"Companions of a training need equal parts of an epoch; given {', '.join(names)}.")

    @property
    def wants_costs(self) -> bool:
        """Whether any wants to be told the mean loss of each copy."""
        return any(companion.wants_costs for companion in self.each)

    @property
    def source(self) -> PolicySource | None:
        """What decides the policies now; None for the training's own policy."""
        return next((companion.source for companion in self.each if companion.source is not None), None)

    @property
    def decides_each_part(self) -> bool:
        """Whether the policies of a part of an epoch are known only when the one before has ended."""
        return any(companion.wants_costs and companion.source is not None for companion in self.each)

    def ends_of_parts(self, updates: int) -> list[int]:
        """Return after how many updates of an epoch each of its parts ends.

        Args:
            updates: Of an epoch.

        Raises:
            FaaError: If they are fewer than the parts.
        """
        parts = max((companion.parts_per_epoch for companion in self.each), default=1)
        if updates < parts:
            names = ", ".join(companion.name for companion in self.each if companion.parts_per_epoch == parts)
            raise FaaError(f"An epoch has {updates} updates, and cannot be divided into the {parts} parts of {names}.")
        return [updates * part // parts for part in range(1, parts + 1)]

    def after_part(self, epoch: int, costs: Sequence[float]) -> None:
        """Tell all what a part of an epoch cost."""
        for companion in self.each:
            companion.after_part(epoch, costs)

    def after_epoch(self, epoch: int, costs: Sequence[float]) -> dict[str, float | None]:
        """Tell all what an epoch cost; return their columns."""
        columns: dict[str, float | None] = {}
        for companion in self.each:
            columns |= companion.after_epoch(epoch, costs)
        return columns

    def state(self) -> dict[str, Any]:
        """Return the states by name, of those that have one."""
        states = {companion.name: companion.state() for companion in self.each}
        return {name: state for name, state in states.items() if state is not None}

    def restore(self, states: Mapping[str, Any]) -> None:
        """Let all go on from their states.

        Raises:
            FaaError: If one has a state and none was saved of it.
        """
        for companion in self.each:
            if companion.name in states:
                companion.restore(states[companion.name])
            elif companion.state() is not None:
                raise FaaError(f"The saved state is of a training without '{companion.name}'; train into another run.")
