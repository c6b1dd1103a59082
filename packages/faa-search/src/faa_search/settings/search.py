"""The settings that all search algorithms share, and those of scoring policies by the networks of folds."""

import re
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from faa_search.settings.base import Batch, Names, Processes, Real, Settings, Text, Whole
from faa_search.settings.data import DataConfig
from faa_search.settings.fitting import FitConfig
from faa_search.settings.numbers import real_number
from faa_search.settings.roles import Role

RewardName = Literal["mean-loss", "mean-accuracy", "best-accuracy", "best-loss"]

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
        """Return the budget that a text such as 30m, 1.5h or 2gpu-h means.

        Raises:
            ValueError: If it is not a budget.
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


class Parts(NamedTuple):
    """How a search divides its images for the networks that it fits; the networks are called folds.

    Attributes:
        folds: How many networks; 0 for none.
        held_out: Images that each of them is not fitted on: an int counts them, a float is their fraction.
        option: The flag that sets this, with its value, for messages.
        flags: All flags that two searches must share to share networks, in words.
    """

    folds: int
    held_out: float
    option: str
    flags: str


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
        default=None, description="End with a policy after this time: 30m or 2h; or 2gpu-h, summed over all devices."
    )
    stage: Text | None = Field(default=None, description="Do this stage only; the stages before it must be done.")

    @field_validator("budget")
    @classmethod
    def _says_a_time(cls, given: Any) -> Any:
        if given is not None:
            Budget.parse(given)
        return given


class SharedSearchConfig(DataConfig, FitConfig, WorkersConfig):
    """The settings that every search takes: data, network, workers. The class of an algorithm's settings extends it."""

    of_what: ClassVar[str] = "a search"
    role: ClassVar[Role] = Role.RESULT

    algorithm: Text = Field(
        default="fast", description="fast (density matching), deep (gradient matching), random, or a plugin's."
    )

    def parts(self, images: int) -> Parts:
        """Return how the images are divided, of which there are so many; by default no network is fitted."""
        return Parts(folds=0, held_out=0, option="", flags="")


class OperationsConfig(Settings):
    """Which operations a policy may have."""

    role: ClassVar[Role] = Role.RESULT

    exclude_ops: Names = Field(default=(), description="Operations to leave out, as Invert,Rotate.")
    preset: Text | None = Field(
        default=None,
        description="Leave out operations that change the meaning of a kind of image: digits, characters, signs, "
        "medical-gray, remote-sensing or keep-color.",
    )


class NetworksConfig(Settings):
    """Where the networks come from that are there already."""

    role: ClassVar[Role] = Role.RESULT

    init_models: Text | None = Field(
        default=None, description="Take the networks from this run of the same images, parts and model."
    )


class FoldsConfig(Settings):
    """What policies are scored on, and with which networks."""

    role: ClassVar[Role] = Role.RESULT

    folds: Few = Field(default=5, description="Random splits of the training images, K.")
    held_out: Annotated[Real, Field(gt=0, lt=1)] = Field(
        default=0.4, description="Fraction of each fold that policies are scored on."
    )
    val_split: Annotated[Text | None, Role.NETWORK] = Field(
        default=None, description="Score on this split of the data set, with one network of all training images."
    )

    mirror_test: Annotated[bool, Role.PACE] = Field(
        default=True,
        description="Say whether a left-right mirror changes the class. Where --hflip is not 0, this fits one more "
        "network, without flips.",
        json_schema_extra={"formerly": False},
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


class ScoringConfig(Settings):
    """How policies are scored by a network."""

    role: ClassVar[Role] = Role.RESULT

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


class NetworksSearchConfig(SharedSearchConfig, NetworksConfig):
    """A search that fits networks on parts of the images."""

    role: ClassVar[Role] = Role.RESULT


class FoldedSearchConfig(NetworksSearchConfig, FoldsConfig, ScoringConfig):
    """A search whose policies are scored by the networks of folds."""

    role: ClassVar[Role] = Role.RESULT

    def parts(self, images: int) -> Parts:
        """Return how the images are divided: the same fraction is held out of each fold."""
        option = f"--held-out {self.held_out:g}"
        return Parts(folds=self.folds, held_out=self.held_out, option=option, flags="--folds and --held-out")
