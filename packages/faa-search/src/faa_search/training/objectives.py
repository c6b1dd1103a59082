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
        gates: What a gated network decided, where an objective needs it: ``decisions``, shape ``[B, G]``.
    """

    logits_BC: Tensor
    gates: Any = None


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
        ran: Tensor = outputs.gates.decisions.float().mean(dim=0).sum()
        return self.price * ran


@dataclass(frozen=True, slots=True)
class Objectives:
    """All that is minimised; the first objective is the classes' loss."""

    each: tuple[Objective, ...]

    @property
    def options(self) -> dict[str, bool]:
        """Arguments of the network's ``forward`` that make it give what all objectives need."""
        return {key: value for objective in self.each for key, value in objective.options.items()}

    def __call__(self, given: Any, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum of the objectives, a scalar, and the logits.

        Args:
            given: By the network: logits, or a tuple that begins with them.
            targets: Labels, ``[B]``, or soft targets, ``[B, C]``.
        """
        outputs = Outputs(*given) if isinstance(given, tuple) else Outputs(given)
        first, *others = (objective(outputs, targets) for objective in self.each)
        return sum(others, start=first), outputs.logits_BC


def make_objectives(config: LossConfig) -> Objectives:
    """Return what the settings minimise."""
    loss = Classification(make_loss(config))
    return Objectives((loss, GatePrice(config.gate_price)) if config.gate_price else (loss,))
