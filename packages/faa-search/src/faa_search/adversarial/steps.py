"""The journal of a controller: a line for each of its steps, with the policies that were drawn and what they cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, FiniteFloat, NonNegativeFloat

from faa_core import FaaError, SubPolicies
from faa_core.text import counted, safe
from faa_search.adversarial.space import LEVELS, OPERATIONS, SUB_POLICIES, Actions, Space, make_space, policy_of
from faa_search.runs.files import POLICIES
from faa_search.runs.journal import Journal, Natural

SpaceName = Literal["advaa", "advaa-symmetric"]
Level = Annotated[int, Field(ge=0, lt=LEVELS)]
Choice = tuple[str, Level]
DrawnSubPolicy = Annotated[tuple[Choice, ...], Field(min_length=OPERATIONS, max_length=OPERATIONS)]
DrawnPolicy = Annotated[tuple[DrawnSubPolicy, ...], Field(min_length=SUB_POLICIES, max_length=SUB_POLICIES)]
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerStep:
    """A step of the controller.

    Attributes:
        epoch: Of the training, counted from 1.
        number: Of the step in the whole training, counted from 1.
        per_epoch: Steps in each epoch of the training.
        space: That the policies are of.
        policies: Drawn for this step: of each copy its sub-policies, and of each of these operations and levels.
        losses: Of the network under each policy, in its mean over the step's updates.
        loss: Of the controller, as it was minimised.
        score_loss: Its part without the entropy.
        entropy: Of the policies, in their mean, before the step, nats.
        entropy_weight: In the loss.
        strength: Mean strength of all that was drawn, from 0 (nothing changes) to 1; without operations that have no
            level. None if nothing else was drawn.
        largest_share: Of the operation at the level that was drawn most often.
        learned: Whether the controller's weights were changed.
    """

    schema: ClassVar[str] = "faa-controller-step/1"
    what: ClassVar[str] = "step of the controller"
    again: ClassVar[str] = "what it holds is lost, as it does not come again"

    epoch: Annotated[Natural, Field(ge=1)]
    number: Annotated[Natural, Field(ge=1)]
    per_epoch: Annotated[Natural, Field(ge=1)]
    space: SpaceName
    policies: Annotated[tuple[DrawnPolicy, ...], Field(min_length=1)]
    losses: tuple[FiniteFloat, ...]
    loss: FiniteFloat
    score_loss: FiniteFloat
    entropy: NonNegativeFloat
    entropy_weight: NonNegativeFloat
    strength: Share | None
    largest_share: Share
    learned: bool

    def __post_init__(self) -> None:
        if len(self.losses) != len(self.policies):
            raise ValueError(f"it has {len(self.policies)} policies and {len(self.losses)} losses")

    @property
    def key(self) -> tuple[int]:
        """Which step."""
        return (self.number,)

    @property
    def full_space(self) -> Space:
        """The space, with every operation that it can have."""
        return make_space(self.space, sample_pairing=True)

    @property
    def actions(self) -> Actions:
        """The policies as the controller's choices, int64 ``[M, Q, OPERATIONS, 2]``."""
        numbers = {name: number for number, name in enumerate(self.full_space.names)}
        try:
            return np.array(
                [[[(numbers[op], level) for op, level in ops] for ops in policy] for policy in self.policies]
            )
        except KeyError as error:
            raise FaaError(f"Step {self.number} has an operation {safe(error)}, which no space has.") from error


def as_drawn(space: Space, actions: Actions) -> tuple[DrawnPolicy, ...]:
    """Return choices as they are written down."""
    return tuple(
        tuple(tuple((space.names[number], level) for number, level in ops) for ops in policy)
        for policy in actions.tolist()
    )


def read_steps(run: Path) -> list[ControllerStep]:
    """Return the steps that a run's directory has, in order.

    Raises:
        FaaError: If it has none, or something in the journal is damaged.
    """
    if not (run / POLICIES).is_file():
        raise FaaError(
            f"'{safe(run)}' has no file {POLICIES}, which a training with --adversarial has once its controller has "
            "taken a step."
        )
    return sorted(Journal(run / POLICIES, ControllerStep).read(), key=lambda step: step.number)


def policy_of_epoch(run: Path, epoch: int) -> SubPolicies:
    """Return all policies of an epoch as one: each image gets one of their sub-policies, all equally likely.

    Args:
        run: Directory of a training with a controller.
        epoch: Counted from 1.

    Raises:
        FaaError: If the run has no such epoch.
    """
    steps = read_steps(run)
    own = [step for step in steps if step.epoch == epoch]
    if own:
        check_whole(own, run)
    else:
        known = sorted({step.epoch for step in steps})
        there = f"it has those of epochs {known[0]} to {known[-1]}" if known else "it has none yet"
        raise FaaError(f"'{safe(run)}' has no policies of epoch {epoch}; {there}.")
    return joined_policy(own)


def check_whole(own: Sequence[ControllerStep], run: Path) -> None:
    """Refuse an epoch of which steps are missing: the training has not done them yet, or the journal has lost them.

    Args:
        own: Its steps, one at least.
        run: The run's directory.

    Raises:
        FaaError: If so.
    """
    epoch, there = own[0].epoch, len(own)
    if there < own[0].per_epoch:
        raise FaaError(
            f"'{safe(run)}' has {there} of the {counted(own[0].per_epoch, 'step')} of epoch {epoch}. Let the training "
            f"finish it, or put back a copy of {POLICIES}; or take another epoch."
        )
    if len({(step.space, len(step.policies)) for step in own}) > 1:
        raise FaaError(
            f"The steps of epoch {epoch} in '{safe(run / POLICIES)}' are of several trainings. Put back a copy of it."
        )


def joined_policy(steps: Sequence[ControllerStep]) -> SubPolicies:
    """Return the policies of some steps of one epoch as one."""
    actions = np.concatenate([step.actions for step in steps])
    policy = policy_of(steps[0].full_space, actions, name=f"adversarial-epoch-{steps[0].epoch}")
    return policy.model_copy(update={"provenance": {**policy.provenance, "epoch": steps[0].epoch}})
