"""The settings of each command."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from faa_search.settings.adversarial import COPIES, LEAST_COPIES, ControllerConfig
from faa_search.settings.base import (
    LARGEST_SEED,
    CountOrNone,
    EpochsOrNone,
    Names,
    Seed,
    Settings,
    Share,
    Text,
    Whole,
    changed,
)
from faa_search.settings.data import DataConfig
from faa_search.settings.fitting import BaselineConfig, DeviceConfig, FitConfig
from faa_search.settings.roles import Role

CONTROLLERS: dict[str, Literal["learned", "uniform", "frozen"]] = {  # by their name in a comparison
    "adversarial": "learned",
    "adversarial-uniform": "uniform",
    "adversarial-frozen": "frozen",
}


class RunConfig(DataConfig, FitConfig, ControllerConfig):
    """A training run: data, network, what is measured and kept; not the policy, nor whether a controller chooses it."""

    role: ClassVar[Role] = Role.RESULT

    policy_warmup: EpochsOrNone = Field(
        default=0,
        description="The fraction of images that get the policy grows over this many epochs, from 0 in the first "
        "epoch; after them, all images get it. At most --epochs; 0: all images from the start.",
        json_schema_extra={"formerly": 0},
    )
    val_fraction: Share = Field(
        default=0.0, description="Fraction of the training images to hold out; best/ keeps the best epoch on them."
    )
    test_every: CountOrNone = Field(
        default=0,
        description="Read the test split after every N epochs too; no choice depends on it. 0: only at the end.",
    )
    checkpoint_hist: CountOrNone = Field(
        default=0, description="Keep the weights of this many epochs: the best on the validation part, or the latest."
    )
    log_with: Annotated[Names, Role.PACE] = Field(
        default=(), description="Accelerate trackers, as NAME,NAME: tensorboard, wandb, trackio, …; logs are in logs/."
    )

    @model_validator(mode="after")
    def _policy_within_the_run(self) -> Self:
        if self.policy_warmup > self.epochs:
            raise ValueError(
                f"--policy-warmup {self.policy_warmup} is longer than the run, --epochs {self.epochs}; give a shorter "
                "one, or more epochs"
            )
        return self


class PolicyConfig(Settings):
    """Which policy; or a controller that chooses policies."""

    role: ClassVar[Role] = Role.RESULT

    policy: Text = Field(default="none", description="Built-in name, policy file of any format, or timm string.")
    adversarial: bool = Field(
        default=False,
        description="Let a controller choose a policy for each copy of the images, and learn to make the loss high "
        f"(Adversarial AutoAugment). --batch-aug is the number of copies, {COPIES} where it is not given.",
        json_schema_extra={"formerly": False},
    )
    controller: Literal["learned", "uniform", "frozen"] = Field(
        default="learned",
        description="Of --adversarial. learned: it learns; uniform: all policies are equally likely, to see what the "
        "copies do by themselves; frozen: it learns until --controller-freeze-epoch.",
        json_schema_extra={"formerly": "learned"},
    )


class TrainConfig(RunConfig, PolicyConfig):
    """`faa train`: a training run and the policy it is trained with, or the controller that chooses it."""

    of_what: ClassVar[str] = "a training"

    @model_validator(mode="before")
    @classmethod
    def _copies_of_a_controller(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("adversarial") is True:
            return {"batch_aug": COPIES, **given}
        return given

    @model_validator(mode="after")
    def _a_policy_or_a_controller(self) -> Self:
        if self.policy in CONTROLLERS:
            more = "" if self.policy == "adversarial" else f" --controller {CONTROLLERS[self.policy]}"
            raise ValueError(f"--policy {self.policy}: a controller is no policy; give --adversarial{more} instead")
        if not self.adversarial:
            return self._without_a_controller()
        if self.policy != "none":
            raise ValueError(
                f"--policy {self.policy} and --adversarial both decide how images are augmented; leave one out, or "
                "give --no-adversarial where a recipe or a file has it"
            )
        if self.policy_warmup:
            raise ValueError("--policy-warmup is for a policy that stays the same; leave it out with a controller")
        if self.batch_aug < LEAST_COPIES:
            raise ValueError(
                f"a controller compares the copies of an image, so it needs --batch-aug {LEAST_COPIES} or more (given "
                f"{self.batch_aug})"
            )
        self._check_freezing()
        return self

    def _check_freezing(self) -> None:
        """Refuse a frozen controller that would learn as long as any other; the last step of all changes nothing."""
        most = (self.epochs * self.controller_steps - 2) // self.controller_steps
        if self.controller == "frozen" and not 1 <= self.controller_freeze_epoch <= most:
            allowed = f"from 1 to {most}" if most >= 1 else f"for which {self.epochs} epochs are too few"
            raise ValueError(
                f"a frozen controller needs --controller-freeze-epoch N, {allowed} (given "
                f"{self.controller_freeze_epoch})"
            )
        if self.controller != "frozen" and self.controller_freeze_epoch:
            raise ValueError("--controller-freeze-epoch is for --controller frozen; leave it out, or give that, too")

    def _without_a_controller(self) -> Self:
        given = ["controller"] if self.controller != "learned" else changed(self, ControllerConfig)
        if given:
            raise ValueError(f"--{given[0].replace('_', '-')} is for --adversarial; leave it out, or give that, too")
        return self


class PoliciesConfig(Settings):
    """Which policies, and how often each."""

    role: ClassVar[Role] = Role.RESULT

    policies: Names = Field(
        default=("none", "uniform-random", "trivialaugment"),
        description="Built-in names, policy files of any format, or timm strings, as NAME,NAME,FILE; and the "
        f"controllers {', '.join(CONTROLLERS)}.",
    )
    seeds: Annotated[Whole, Field(ge=2, le=10_000)] = Field(
        default=5, description="Training runs of each policy; all policies get the same seeds, so runs are paired."
    )

    @field_validator("policies")
    @classmethod
    def _several(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if len(given) < 2 or len(set(given)) < len(given):
            raise ValueError("name two policies or more, each once")
        return given


class CompareConfig(RunConfig, PoliciesConfig):
    """`faa compare`: the training run that all policies get, and which ones they are."""

    of_what: ClassVar[str] = "a comparison"
    role: ClassVar[Role] = Role.RESULT
    kept_if_given: ClassVar[tuple[str, ...]] = tuple(BaselineConfig.model_fields)  # else each policy has its own

    seed: Seed = Field(default=0, description="The first seed, s; the others are s + 1, s + 2, …")

    @model_validator(mode="after")
    def _settings_of_a_controller(self) -> Self:
        given = changed(self, ControllerConfig)
        if given and not set(self.policies) & set(CONTROLLERS):
            raise ValueError(
                f"--{given[0].replace('_', '-')} is for controllers, and --policies has none of them; leave it out, or "
                f"add {' or '.join(CONTROLLERS)}"
            )
        return self

    @model_validator(mode="after")
    def _last_seed(self) -> "CompareConfig":
        if self.seed + self.seeds - 1 > LARGEST_SEED:
            raise ValueError(f"--seed {self.seed}: with --seeds {self.seeds} the last would be above {LARGEST_SEED}")
        return self


class EvalConfig(DataConfig, DeviceConfig):
    """`faa eval`: which images, and how the network is applied."""

    of_what: ClassVar[str] = "an evaluation"
    role: ClassVar[Role] = Role.RESULT

    split: Literal["test", "train"] = Field(default="test", description="Which images.")
    corruptions: Text | None = Field(
        default=None, description="Test on corrupted images too: make, or a FOLDER laid out as CIFAR-10-C."
    )
    frost: Text | None = Field(default=None, description="Folder of photographs of frost, for --corruptions make.")
    seed: Seed = Field(default=0, description="Seed of the draws of --corruptions make.")
