"""What is minimised: a sum of objectives, which the settings choose.

Shapes: B images, C classes, G gates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import Tensor

from faa_search.settings.fitting import LossConfig
from faa_search.training.losses import Loss, make_loss


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a network gives in training.

    Attributes:
        logits_BC: Its outputs.
        decisions_BG: What a gated network decided, where an objective needs it, a tensor; else None.
    """

    logits_BC: Tensor
    decisions_BG: Any = None

    def of_copy(self, number: int, at_once: int) -> "Outputs":
        """Return those of one of the copies that the images are in; row i · `at_once` + m is image i in copy m."""
        if at_once == 1:
            return self
        decisions = None if self.decisions_BG is None else self.decisions_BG[number::at_once]
        return Outputs(self.logits_BC[number::at_once], decisions)


def outputs_of(given: Any) -> Outputs:
    """Return what a network gave, logits or a tuple of logits and gates, as outputs."""
    return Outputs(given[0], given[1].decisions) if isinstance(given, tuple) else Outputs(given)


class Objective(Protocol):
    """A part of what is minimised.

    Attributes:
        options: Arguments of the network's ``forward`` that make it give what the objective needs.
    """

    options: ClassVar[Mapping[str, bool]]

    def __call__(self, outputs: Outputs, targets: Tensor) -> Tensor:
        """Return its value for a batch, a scalar; targets are labels, ``[B]``, or soft, ``[B, C]``."""
        ...


@dataclass(frozen=True, slots=True)
class Classification:
    """The loss of the classes, as `make_loss` makes it."""

    options: ClassVar[Mapping[str, bool]] = {}
    loss: Loss

    def __call__(self, outputs: Outputs, targets: Tensor) -> Tensor:
        """Return the mean loss of the batch."""
        return self.loss(outputs.logits_BC, targets)


@dataclass(frozen=True, slots=True)
class GatePrice:
    """A price for each block that a gated network runs, as MicroNet's code has it."""

    options: ClassVar[Mapping[str, bool]] = {"return_gates": True}
    price: float

    def __call__(self, outputs: Outputs, targets: Tensor) -> Tensor:
        """Return the price of the blocks that ran, in the mean of the images."""
        ran: Tensor = outputs.decisions_BG.float().mean(dim=0).sum()
        return self.price * ran


@dataclass(frozen=True, slots=True)
class Objectives:
    """All that is minimised; the first objective is the classes' loss."""

    each: tuple[Objective, ...]

    @property
    def options(self) -> dict[str, bool]:
        """Arguments of the network's ``forward`` that make it give what all objectives need."""
        return {key: value for objective in self.each for key, value in objective.options.items()}

    def __call__(self, outputs: Outputs, targets: Tensor) -> Tensor:
        """Return the sum of the objectives, a scalar.

        Args:
            outputs: The network's.
            targets: Labels, ``[B]``, or soft targets, ``[B, C]``.
        """
        first, *others = (objective(outputs, targets) for objective in self.each)
        return sum(others, start=first)


def make_objectives(config: LossConfig) -> Objectives:
    """Return what the settings minimise."""
    loss = Classification(make_loss(config))
    return Objectives((loss, GatePrice(config.gate_price)) if config.gate_price else (loss,))
