"""The settings of Fast AutoAugment, in the order of its stages."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from faa_search.settings.base import Count, CountOrNone, Epochs, Settings, Text, Whole
from faa_search.settings.roles import Role
from faa_search.settings.search import Few, FoldedSearchConfig, OperationsConfig

StageName = Literal["folds", "explore", "merge"]


class SpaceConfig(OperationsConfig):
    """Which policies there are."""

    role: ClassVar[Role] = Role.RESULT

    sub_policies: Few = Field(default=5, description="Sub-policies per trial.")
    ops: Annotated[Whole, Field(ge=1, le=100)] = Field(default=2, description="Operations per sub-policy.")


class ExploringConfig(Settings):
    """How policies are tried."""

    role: ClassVar[Role] = Role.RESULT

    sampler: Text | None = Field(
        default=None, description="Proposes policies: tpe, random, optuna, or a plugin's (default: the algorithm's)."
    )
    width: Few = Field(default=2, description="Independent rounds per fold, T.")
    depth: Annotated[Whole, Field(ge=1, le=10**6)] = Field(default=200, description="Trials per round, B.")
    batch_proposals: Few = Field(
        default=1, description="Trials of a round that are proposed together, from the trials before them."
    )
    warm_start: Text | None = Field(
        default=None,
        description="Begin every round with sub-policies of this policy: built-in name, or file of any format.",
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
        description="After the search, train with this many of the trials, spread over the rewards' ranges, and show "
        "how "
        "well each reward predicts the accuracy. This takes extra time, beyond any --budget.",
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
            raise ValueError("--rescore-views sets how trials are scored again; it needs --rescore N")
        if not self.audit and (self.audit_epochs is not None or self.audit_seeds != 1):
            raise ValueError("--audit-epochs and --audit-seeds are of the audit's trainings; they need --audit N")
        return self


class SearchConfig(FoldedSearchConfig, SpaceConfig, ExploringConfig, SelectingConfig):
    """`faa search` by Fast AutoAugment or at random: data, the folds' network, and the search itself."""

    role: ClassVar[Role] = Role.RESULT

    stage: Annotated[StageName | None, Role.PACE] = Field(
        default=None, description="Do one stage only: fit the folds, explore, or merge the trials so far into a policy."
    )

    @property
    def proposer(self) -> str:
        """The sampler that proposes: the one that is asked for, else the algorithm's."""
        return self.sampler or ("random" if self.algorithm == "random" else "tpe")
