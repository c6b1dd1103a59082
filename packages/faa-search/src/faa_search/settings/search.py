"""The settings of `faa search`, in the order of its stages."""

import re
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from faa_search.settings.base import (
    Batch,
    Count,
    CountOrNone,
    Epochs,
    Names,
    Processes,
    Real,
    Settings,
    Text,
    Whole,
)
from faa_search.settings.data import DataConfig
from faa_search.settings.fitting import FitConfig
from faa_search.settings.numbers import real_number
from faa_search.settings.roles import Role

RewardName = Literal["mean-loss", "mean-accuracy", "best-accuracy", "best-loss"]
StageName = Literal["folds", "explore", "merge"]

UNITS = {"s": 1, "m": 60, "h": 3600}
LONGEST_BUDGET = 10**6 * 3600  # seconds: a million hours
Few = Annotated[Whole, Field(ge=1, le=1000)]


class Budget(NamedTuple):
    """What a search may cost.

    Attributes:
        seconds: How long.
        of_devices: Whether the seconds of all devices are added up; else it is time as the clock shows it.
    """

    seconds: float
    of_devices: bool

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Return the budget that a text such as 30m, 1.5h or 2gpu-h says.

        Raises:
            ValueError: If it says none.
        """
        match = re.fullmatch(r"([0-9.]+)(gpu-)?([smh])", text.strip().lower())
        try:
            seconds = real_number(match[1]) * UNITS[match[3]] if match else 0.0
        except ValueError:
            seconds = 0.0
        if match is None or not 0 < seconds <= LONGEST_BUDGET:
            raise ValueError(
                "a budget is a time such as 90s, 30m or 2h, or device time such as 2gpu-h; more than 0, at most "
                f"{LONGEST_BUDGET // 3600}h"
            )
        return cls(seconds, match[2] is not None)


class FoldsConfig(Settings):
    """What policies are scored on, and with which networks."""

    role: ClassVar[Role] = Role.RESULT

    folds: Few = Field(default=5, description="Splits of the training images, K.")
    held_out: Annotated[Real, Field(gt=0, lt=1)] = Field(default=0.4, description="Part of each split to score on.")
    val_split: Annotated[Text | None, Role.NETWORK] = Field(
        default=None, description="Score on this split of the data set, with one network of all training images."
    )
    init_models: Text | None = Field(
        default=None, description="Take the folds' networks from this run of the same images, folds and model."
    )

    @model_validator(mode="after")
    def _one_fold(self) -> "FoldsConfig":
        fields = type(self).model_fields
        if self.val_split is not None and (self.folds, self.held_out) != (
            fields["folds"].default,
            fields["held_out"].default,
        ):
            raise ValueError("--val-split takes the place of --folds and --held-out; leave them out")
        return self


class SpaceConfig(Settings):
    """Which policies there are."""

    role: ClassVar[Role] = Role.RESULT

    sub_policies: Few = Field(default=5, description="Sub-policies per trial.")
    ops: Annotated[Whole, Field(ge=1, le=100)] = Field(default=2, description="Operations per sub-policy.")
    exclude_ops: Names = Field(default=(), description="Operations to leave out, as Invert,Rotate.")
    preset: Text | None = Field(
        default=None,
        description="Leave out what changes the meaning of digits, medical-gray, remote-sensing or keep-color images.",
    )


class ExploringConfig(Settings):
    """How policies are tried."""

    role: ClassVar[Role] = Role.RESULT

    sampler: Text | None = Field(
        default=None, description="Proposes policies: tpe, random, optuna, or a plugin's (default: the algorithm's)."
    )
    width: Few = Field(default=2, description="Independent rounds per fold, T.")
    depth: Annotated[Whole, Field(ge=1, le=10**6)] = Field(default=200, description="Trials per round, B.")
    batch_proposals: Few = Field(
        default=1, description="Trials of a round that are proposed together, knowing those before them only."
    )
    warm_start: Text | None = Field(
        default=None,
        description="Begin every round with sub-policies of this policy: built-in name, or file of any format.",
    )
    views: Few = Field(default=5, description="Augmented draws of each held-out image per trial.")
    reward: RewardName = Field(
        default="mean-loss",
        description="What a trial maximises: mean-loss (the paper), best-accuracy (the original code), or between.",
    )
    common_draws: bool = Field(
        default=True,
        description="Give all trials of a fold the same random numbers; they differ by policy only.",
    )
    score_batch_size: Batch | None = Field(
        default=None, description="Images per forward pass when scoring (default: what suits device and image size)."
    )


class SelectingConfig(Settings):
    """How the policy is chosen among the trials."""

    role: ClassVar[Role] = Role.CHOICE

    top: Count = Field(default=10, description="Trials kept from each round, N.")
    rescore: CountOrNone = Field(
        default=0, description="Score this many of each round's best again, on fresh draws, to choose the top; 0: none."
    )
    rescore_views: Few = Field(default=20, description="Draws of each held-out image when scoring again.")
    audit: Annotated[CountOrNone, Role.PACE] = Field(
        default=0,
        description="Then train with so many of the trials, spread over the rewards' ranges, and say how well each "
        "reward foretells the accuracy. On top of any --budget.",
    )
    audit_epochs: Annotated[Epochs | None, Role.PACE] = Field(
        default=None, description="Epochs of these trainings (default: --epochs)."
    )
    audit_seeds: Annotated[Few, Role.PACE] = Field(default=1, description="Trainings of each audited trial.")

    @model_validator(mode="after")
    def _consistent(self) -> "SelectingConfig":
        if 0 < self.rescore < self.top:
            raise ValueError(f"--rescore {self.rescore} is fewer than --top {self.top}, which are chosen among them")
        if not self.rescore and self.rescore_views != type(self).model_fields["rescore_views"].default:
            raise ValueError("--rescore-views says how trials are scored again; it needs --rescore N")
        if not self.audit and (self.audit_epochs is not None or self.audit_seeds != 1):
            raise ValueError("--audit-epochs and --audit-seeds are of the audit's trainings; they need --audit N")
        return self


class WorkersConfig(Settings):
    """Who does the work; nothing here changes a result."""

    role: ClassVar[Role] = Role.PACE

    executor: Text | None = Field(
        default=None, description="local (this process), processes, accelerate (as launched), ray, or a plugin's."
    )
    num_processes: Annotated[Processes, Field(ge=1)] | None = Field(
        default=None, description="Workers: one for each GPU, or on the CPU. More than one means --executor processes."
    )
    ray_address: Text | None = Field(
        default=None, description="Ray cluster to join, or auto (default: one of our own)."
    )
    gpus_per_worker: Annotated[Real, Field(gt=0, le=1024)] = Field(
        default=1.0, description="GPUs of a Ray worker; 0.5 lets two share one."
    )
    budget: Text | None = Field(
        default=None, description="End with a policy after this time, 30m or 2h, or time of all devices, 2gpu-h."
    )
    stage: StageName | None = Field(
        default=None, description="Only fit the folds, only explore, or only merge the trials there are into a policy."
    )

    @field_validator("budget")
    @classmethod
    def _says_a_time(cls, given: Any) -> Any:
        if given is not None:
            Budget.parse(given)
        return given


class SearchConfig(DataConfig, FitConfig, FoldsConfig, SpaceConfig, ExploringConfig, SelectingConfig, WorkersConfig):
    """`faa search`: data, the folds' network, and the search itself."""

    of_what: ClassVar[str] = "a search"
    role: ClassVar[Role] = Role.RESULT

    algorithm: Text = Field(default="fast", description="fast (density matching), or random (no model of the rewards).")
