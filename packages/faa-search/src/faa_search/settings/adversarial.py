"""Adversarial AutoAugment: a controller that chooses the policies of a training while it goes on."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from faa_search.settings.base import Count, EpochsOrNone, NonNegative, Positive, Probability, Settings
from faa_search.settings.roles import Role

ENTROPY_WEIGHTS = {"paper": 1e-5, "stable": 0.2}
LEARNING_RATE = 3.5e-4  # as published
COPIES, LEAST_COPIES = 8, 2  # of each image: as published, and so that there are losses to compare
LEAST_WEIGHT = 0.01  # from which on a target can be held: towards it the weight grows to 150 times as much at most


class ControllerConfig(Settings):
    """The controller of --adversarial: what it chooses from, and how it learns."""

    of_what: ClassVar[str] = "a controller"
    role: ClassVar[Role] = Role.RESULT

    controller_space: Literal["advaa", "advaa-symmetric"] = Field(
        default="advaa",
        description="Axes of shears, translations and rotations. advaa: from nothing to strong, in either direction; "
        "advaa-symmetric: from one direction over nothing to the other.",
        json_schema_extra={"formerly": "advaa"},
    )
    controller_sample_pairing: bool = Field(
        default=False,
        description="Add the paper's sixteenth operation, which mixes in another training image.",
        json_schema_extra={"formerly": False},
    )
    controller_max_strength: Probability = Field(
        default=1.0,
        description="Leave out levels that are stronger than this fraction of an operation's strongest; the weakest "
        "level stays, and so does what has no levels, such as Invert. 1: leave out none.",
        json_schema_extra={"formerly": 1.0},
    )
    controller_preset: Literal["paper", "stable"] = Field(
        default="stable",
        description="Weight of the entropy in the controller's loss: paper has 1e-5, with which it ends in a single "
        "operation; stable has 0.2.",
        json_schema_extra={"formerly": "stable"},
    )
    controller_entropy_weight: NonNegative | None = Field(
        default=None,
        description="Weight of the entropy (default: the preset's).",
        json_schema_extra={"formerly": None},
    )
    controller_target_entropy: Annotated[Probability, Field(ge=0.5)] | None = Field(
        default=None,
        description="Pull the entropy to this fraction of its maximum: its weight grows while it is lower, and shrinks "
        "while it is higher. From 0.5 to 1.",
        json_schema_extra={"formerly": None},
    )
    controller_lr: Positive = Field(
        default=LEARNING_RATE,
        description="Learning rate of the controller, Adam.",
        json_schema_extra={"formerly": 3.5e-4},
    )
    controller_steps: Annotated[Count, Field(le=1_000_000)] = Field(
        default=1,
        description="Steps of the controller in each epoch; new policies come after each.",
        json_schema_extra={"formerly": 1},
    )
    controller_carry_state: bool = Field(
        default=False,
        description="Let the choice of a sub-policy depend on those before it; else each is chosen by itself.",
        json_schema_extra={"formerly": False},
    )
    controller_freeze_epoch: EpochsOrNone = Field(
        default=0,
        description="Epoch after which a frozen controller no longer learns, counted from 1.",
        json_schema_extra={"formerly": 0},
    )
    controller_on_collapse: Literal["warn", "freeze"] = Field(
        default="warn",
        description="What to do when the entropy falls below half of its maximum, or one operation at one level is "
        "more than half of all that is drawn: only warn, or stop learning, too.",
        json_schema_extra={"formerly": "warn"},
    )

    @property
    def entropy_weight(self) -> float:
        """The weight of the entropy in the first step."""
        given = self.controller_entropy_weight
        return ENTROPY_WEIGHTS[self.controller_preset] if given is None else given

    @model_validator(mode="after")
    def _weight_that_can_grow(self) -> Self:
        if self.controller_target_entropy is not None and self.entropy_weight < LEAST_WEIGHT:
            raise ValueError(
                f"--controller-target-entropy multiplies the weight of the entropy, and {self.entropy_weight:g} is too "
                f"small for that; give --controller-entropy-weight {LEAST_WEIGHT:g} or more, or leave the preset stable"
            )
        return self
