"""The settings of each command."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from faa_search.config.base import Count, CountOrNone, Names, Settings, Share
from faa_search.config.data import DataConfig
from faa_search.config.fitting import DeviceConfig, FitConfig

RewardName = Literal["mean-loss", "mean-accuracy", "best-accuracy", "best-loss"]


class RunConfig(DataConfig, FitConfig):
    """A training run: data, network, what is measured and kept; not the policy."""

    val_fraction: Share = Field(
        default=0.0, description="Hold this part of the training images out to keep the best epoch in best/."
    )
    test_every: CountOrNone = Field(
        default=0, description="Read the test split every so many epochs too; it selects nothing. 0: at the end only."
    )
    checkpoint_hist: CountOrNone = Field(
        default=0, description="Keep the weights of this many epochs: the best on the validation part, or the latest."
    )
    log_with: Names = Field(
        default=(), description="Accelerate trackers, as NAME,NAME: tensorboard, wandb, trackio, …; logs are in logs/."
    )


class PolicyConfig(Settings):
    """Which policy."""

    policy: str = Field(default="none", description="Built-in name or policy file.")


class TrainConfig(RunConfig, PolicyConfig):
    """`faa train`: a training run and the policy it is trained with."""


class PoliciesConfig(Settings):
    """Which policies, and how often each."""

    policies: Names = Field(
        default=("none", "uniform-random", "trivialaugment"),
        description="Built-in names or policy files, as NAME,NAME,FILE.",
    )
    seeds: Annotated[int, Field(ge=2)] = Field(
        default=5, description="Training runs of each policy; they share seeds, which pairs them."
    )

    @field_validator("policies")
    @classmethod
    def _several(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if len(given) < 2 or len(set(given)) < len(given):
            raise ValueError("name two policies or more, each once")
        return given


class CompareConfig(RunConfig, PoliciesConfig):
    """`faa compare`: the training run that all policies get, and which ones they are."""

    seed: CountOrNone = Field(default=0, description="The first seed, s; the others are s + 1, s + 2, …")


class EvalConfig(DataConfig, DeviceConfig):
    """`faa eval`: which images, and how the network is applied."""

    split: Literal["test", "train"] = Field(default="test", description="Which images.")
    corruptions: str | None = Field(
        default=None, description="Corrupted images too: make them, or read a FOLDER laid out as CIFAR-10-C."
    )
    frost: str | None = Field(
        default=None, description="Folder of photographs that --corruptions make makes frost from."
    )
    seed: CountOrNone = Field(default=0, description="Keys the draws of --corruptions make.")


class SearchConfig(DataConfig, FitConfig):
    """`faa search`: data, the folds' network, and the search itself."""

    algorithm: str = Field(default="fast", description="fast (density matching), or random (no model of the rewards).")
    sampler: str | None = Field(
        default=None, description="Proposes policies: tpe, random, or a plugin's (default: the algorithm's)."
    )
    folds: Count = Field(default=5, description="Splits of the training images, K.")
    held_out: Annotated[float, Field(gt=0, lt=1)] = Field(default=0.4, description="Part of each split to score on.")
    width: Count = Field(default=2, description="Independent rounds per fold, T.")
    depth: Count = Field(default=200, description="Trials per round, B.")
    top: Count = Field(default=10, description="Trials kept from each round, N.")
    sub_policies: Count = Field(default=5, description="Sub-policies per trial.")
    ops: Count = Field(default=2, description="Operations per sub-policy.")
    views: Count = Field(default=5, description="Augmented draws of each held-out image per trial.")
    reward: RewardName = Field(
        default="mean-loss",
        description="What a trial maximises: mean-loss (the paper), best-accuracy (the original code), or between.",
    )
    score_batch_size: Count = Field(default=512, description="Images per forward pass when scoring.")
