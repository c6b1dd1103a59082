"""How a network is fitted: where it computes, what it is, how it is updated, and what its images go through."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from faa_search.settings.arguments import as_arguments
from faa_search.settings.base import (
    AreaShare,
    Batch,
    Count,
    CountOrNone,
    Epochs,
    EpochsOrNone,
    NonNegative,
    Positive,
    PositiveNumbers,
    Probability,
    Processes,
    Real,
    Seed,
    Settings,
    Share,
    Side,
    Text,
    as_tuple,
)
from faa_search.settings.roles import Role

Ratio = Annotated[Real, Field(ge=0.01, le=100)]
Areas = Annotated[tuple[AreaShare, AreaShare], BeforeValidator(as_tuple)]
Ratios = Annotated[tuple[Ratio, Ratio], BeforeValidator(as_tuple)]


class DeviceConfig(Settings):
    """Where and how a network computes."""

    role: ClassVar[Role] = Role.RESULT

    device: Annotated[Literal["auto", "cpu", "cuda"], Role.DEVICE] = Field(
        default="auto", description="Where to compute."
    )
    amp: bool = Field(default=False, description="Compute in --amp-dtype where it is safe.")
    amp_dtype: Literal["bfloat16", "float16"] = Field(
        default="bfloat16", description="Precision of --amp; float16 scales the loss."
    )
    workers: Annotated[Processes, Role.PACE] = Field(default=0, description="Loader processes; they change no result.")

    @property
    def precision(self) -> str:
        """The precision that a network computes in where that is safe, as torch calls it."""
        return self.amp_dtype if self.amp else "float32"


class NetworkConfig(DeviceConfig):
    """What the network is."""

    role: ClassVar[Role] = Role.RESULT

    model: Annotated[Text, Role.NETWORK] = Field(
        default="wrn16_1", description="Any timm model; `faa model list` shows ours."
    )
    model_kwargs: Annotated[dict[str, bool | int | float | str], Role.NETWORK] = Field(
        default={}, description="Arguments of the model, as NAME=VALUE,NAME=VALUE: depth=22,width=4 of wrn."
    )
    pretrained: bool = Field(default=False, description="Start from timm's published weights.")
    channels_last: bool = Field(
        default=True, description="Channels-last memory layout, which is faster on most devices."
    )
    torchcompile: bool = Field(default=False, description="Compile the network; it saves time in long runs.")
    sync_bn: bool = Field(default=False, description="Batch norm over the batches of all processes; CUDA only.")
    model_ema: bool = Field(default=False, description="Keep and evaluate an average of the weights.")
    model_ema_decay: Share = Field(default=0.999, description="Decay of the average of the weights, per update.")

    @field_validator("model_kwargs", mode="before")
    @classmethod
    def _arguments(cls, given: Any) -> Any:
        return as_arguments(given)


class UpdateConfig(Settings):
    """How the weights are updated."""

    role: ClassVar[Role] = Role.RESULT

    epochs: Epochs = Field(default=30, description="Passes over the training images.")
    batch_size: Batch = Field(default=128, description="Images per forward pass and process.")
    grad_accum_steps: Annotated[Count, Field(le=10_000)] = Field(
        default=1, description="Forward passes on new images before each update."
    )
    batch_aug: Annotated[Count, Field(le=1024)] = Field(
        default=1, description="Augmented copies of each image per update, spread over processes or one after another."
    )
    copies_per_pass: Annotated[Count, Field(le=1024)] = Field(
        default=1,
        description="Copies of each image that a forward pass, and so batch norm, sees at once; it must divide "
        "--batch-aug.",
        json_schema_extra={"formerly": 1},
    )
    sampling: Literal["shuffle", "spread", "balanced"] = Field(
        default="shuffle",
        description="Order of an epoch: at random; each class spread evenly; or each class equally often.",
    )
    opt: Text = Field(default="sgd", description="timm optimizer; sgd has Nesterov momentum.")
    opt_eps: Positive | None = Field(default=None, description="Epsilon of the optimizer (default: its own).")
    momentum: Probability = Field(default=0.9, description="Momentum.")
    weight_decay: NonNegative = Field(default=5e-4, description="Weight decay.")
    weight_decay_on: Literal["weights", "all-but-norms", "all"] = Field(
        default="weights", description="What is decayed: weights without biases and norms; biases too; or everything."
    )
    decay_before_clip: bool = Field(
        default=False, description="Add the decay to the gradient before it is clipped (the original code)."
    )
    clip_grad: NonNegative = Field(default=5.0, description="Largest global norm of the gradient; 0: no clipping.")
    lr: Positive = Field(default=0.1, description="Peak learning rate.")
    lr_base_size: Count | None = Field(
        default=None,
        description="Images per update that --lr is for; the rate grows in proportion (default: it is fixed).",
    )
    sched: Literal["cosine", "step", "multistep", "micronet", "constant"] = Field(
        default="cosine", description="timm schedule, per update; micronet: the steps of MicroNet's PyramidNet."
    )
    sched_epochs: Epochs | None = Field(
        default=None, description="Epochs of the cosine after the warm-up (default: --epochs, as in the original)."
    )
    warmup_epochs: EpochsOrNone = Field(default=0, description="Epochs of linear warm-up, inside --epochs.")
    warmup_lr: NonNegative = Field(default=0.0, description="Learning rate at the start of the warm-up.")
    warmup_prefix: bool = Field(default=True, description="Let the schedule begin after the warm-up.")
    min_lr: NonNegative = Field(default=0.0, description="Learning rate at the end of the cosine.")
    decay_epochs: Positive = Field(default=30.0, description="Epochs between decays (step).")
    decay_milestones: PositiveNumbers = Field(default=(90, 180, 270), description="Epochs of the decays (multistep).")
    decay_rate: Positive = Field(default=0.1, description="Factor of each decay (step, multistep).")

    @model_validator(mode="after")
    def _whole_passes(self) -> Self:
        if self.batch_aug % self.copies_per_pass:
            raise ValueError(
                f"--copies-per-pass {self.copies_per_pass} does not divide --batch-aug {self.batch_aug}; allowed: "
                f"{', '.join(str(n) for n in range(1, self.batch_aug + 1) if self.batch_aug % n == 0)}; or give "
                "another --batch-aug"
            )
        return self


class LossConfig(Settings):
    """What is minimised."""

    role: ClassVar[Role] = Role.RESULT

    smoothing: Share = Field(default=0.0, description="Label smoothing.")
    bce_loss: bool = Field(default=False, description="Binary cross-entropy of each class instead of cross-entropy.")
    gate_price: NonNegative = Field(
        default=0.0, description="Price added to the loss for each block that a gated network, such as skipnet, runs."
    )
    mixup: NonNegative = Field(default=0.0, description="Alpha of mixup; 0: no mixup.")
    cutmix: NonNegative = Field(default=0.0, description="Alpha of CutMix; 0: no CutMix.")
    mixup_prob: Probability = Field(default=1.0, description="Probability that a batch is mixed.")
    mixup_switch_prob: Probability = Field(
        default=0.5, description="Probability of CutMix rather than mixup, if both are on."
    )
    mixup_off_epoch: EpochsOrNone = Field(default=0, description="First epoch without mixing; 0: all epochs mix.")


class BaselineConfig(Settings):
    """What training images go through beside the policy; beside one that crops images itself, only what was given."""

    role: ClassVar[Role] = Role.RESULT

    train_crop_mode: Literal["auto", "pad", "rrc", "none"] = Field(
        default="auto",
        description="Baseline crop: pad-and-crop, or random resized crop. auto: pad for small images, rrc for others.",
    )
    crop_pad: Side = Field(default=4, description="Pixels of zero padding (pad).")
    scale: Areas = Field(default=(0.08, 1.0), description="Area of the crop, as fractions (rrc).")
    ratio: Ratios = Field(default=(0.75, 4 / 3), description="Width over height of the crop (rrc).")
    hflip: Probability = Field(default=0.5, description="Probability of a left-right flip.")
    color_jitter: Share = Field(
        default=0.0, description="Largest change of brightness, contrast and colour before the policy; 0: none."
    )
    cutout: Side = Field(default=0, description="Side in pixels of the baseline cutout; 0: none.")

    @field_validator("scale", "ratio")
    @classmethod
    def _ordered(cls, interval: tuple[float, float]) -> tuple[float, float]:
        if interval[0] > interval[1]:
            raise ValueError("the first number must not be larger than the second")
        return interval


class FitConfig(NetworkConfig, UpdateConfig, LossConfig, BaselineConfig):
    """How a network is fitted."""

    role: ClassVar[Role] = Role.PACE

    resident: bool | None = Field(
        default=None,
        description="Keep small images on the device and augment them there; pixels do not change (default: if they "
        "fit).",
    )
    save_every: Count = Field(default=1, description="Epochs between saved states to resume from.")
    recovery_interval: CountOrNone = Field(
        default=0, description="Updates between saved states within an epoch; 0: none is saved there."
    )
    seed: Annotated[Seed, Role.RESULT] = Field(default=0, description="Seed of all random draws.")
