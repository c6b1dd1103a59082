"""What a person can set, once: names, types, ranges, defaults and help.

The command line's flags are these fields, named as timm names them wherever timm has the flag.
"""

import ast
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator

Positive = Annotated[FiniteFloat, Field(gt=0)]
NonNegative = Annotated[FiniteFloat, Field(ge=0)]
Share = Annotated[FiniteFloat, Field(ge=0, lt=1)]
Probability = Annotated[FiniteFloat, Field(ge=0, le=1)]
AreaShare = Annotated[FiniteFloat, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
LONGEST = 100  # characters of a value of --model-kwargs
RewardName = Literal["mean-loss", "mean-accuracy", "best-accuracy", "best-loss"]


class Settings(BaseModel):
    """Frozen settings; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataConfig(Settings):
    """Which images."""

    dataset: str = Field(
        default="digits",
        description="digits, reduced_cifar10, torch/NAME, hfds/OWNER/NAME, FILE.npz, or a folder of class folders.",
    )
    data_dir: str | None = Field(default=None, description="Folder that holds the data set.")
    dataset_download: bool = Field(default=False, description="Fetch the data set if it is not there.")
    train_split: str | None = Field(default=None, description="Name of the training split (default: the usual ones).")
    test_split: str | None = Field(default=None, description="Name of the test split (default: the usual ones).")
    test_fraction: Share = Field(
        default=0.0, description="Hold this part of the training images out as the test split, where there is none."
    )
    train_subset: Count | None = Field(default=None, description="Use a stratified subset of this many images.")
    img_size: Annotated[int, Field(ge=4)] | None = Field(
        default=None, description="Side in pixels (default: the images' own if small, else the model's)."
    )


class DeviceConfig(Settings):
    """Where and how a network computes."""

    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="Where to compute.")
    amp: bool = Field(default=False, description="Compute in bfloat16 where it is safe.")
    workers: Annotated[int, Field(ge=0)] = Field(default=0, description="Loader processes; they change no result.")


class FitConfig(DeviceConfig):
    """How a network is fitted."""

    model: str = Field(default="wrn16_1", description="Any timm model; `faa model list` shows ours.")
    model_kwargs: dict[str, bool | int | float | str] = Field(
        default={}, description="Arguments of the model, as NAME=VALUE,NAME=VALUE: depth=22,width=4 of wrn."
    )
    pretrained: bool = Field(default=False, description="Start from timm's published weights.")
    epochs: Count = Field(default=30, description="Passes over the training images.")
    batch_size: Count = Field(default=128, description="Images per step and process.")
    opt: str = Field(default="sgd", description="timm optimizer; sgd is with Nesterov momentum.")
    lr: Positive = Field(default=0.1, description="Peak learning rate.")
    momentum: Probability = Field(default=0.9, description="Momentum.")
    weight_decay: NonNegative = Field(default=5e-4, description="On weights only: not on biases and norms.")
    sched: Literal["cosine", "step"] = Field(default="cosine", description="timm schedule, per step.")
    warmup_epochs: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Epochs of linear warm-up, inside --epochs."
    )
    warmup_lr: NonNegative = Field(default=0.0, description="Learning rate at the start of the warm-up.")
    min_lr: NonNegative = Field(default=0.0, description="Learning rate the schedule ends at.")
    decay_epochs: Positive = Field(default=30.0, description="Epochs between decays (step schedule).")
    decay_rate: Positive = Field(default=0.1, description="Factor of each decay (step schedule).")
    smoothing: Share = Field(default=0.0, description="Label smoothing.")
    clip_grad: NonNegative = Field(default=5.0, description="Largest global gradient norm; 0 for no clipping.")
    model_ema: bool = Field(default=False, description="Keep and evaluate an average of the weights.")
    model_ema_decay: Share = Field(default=0.999, description="Decay of that average, per step.")
    channels_last: bool = Field(default=True, description="Memory layout; the faster one nearly everywhere.")
    torchcompile: bool = Field(default=False, description="Compile the network; pays on long runs.")
    train_crop_mode: Literal["auto", "pad", "rrc", "none"] = Field(
        default="auto",
        description="Baseline crop: pad-and-crop, or random resized crop. auto: pad for small images, rrc for others.",
    )
    crop_pad: Annotated[int, Field(ge=0)] = Field(default=4, description="Pixels of zero padding (pad).")
    scale: tuple[AreaShare, AreaShare] = Field(default=(0.08, 1.0), description="Area of the crop, as fractions (rrc).")
    ratio: tuple[Positive, Positive] = Field(default=(0.75, 4 / 3), description="Width over height of the crop (rrc).")
    hflip: Probability = Field(default=0.5, description="Probability of a left-right flip.")
    cutout: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Side in pixels of the baseline cutout; 0: none."
    )
    seed: Annotated[int, Field(ge=0)] = Field(default=0, description="Keys every random draw.")

    @field_validator("model_kwargs", mode="before")
    @classmethod
    def _arguments(cls, given: Any) -> Any:
        if isinstance(given, str):
            pairs = [_pair(text) for text in given.split(",")]
            given = dict(pairs)
            if len(given) < len(pairs):
                raise ValueError("give each name once")
        if isinstance(given, dict) and not all(map(_is_argument, given, given.values())):
            raise ValueError("names are words; values are true, false, finite numbers, or words without commas")
        return given

    @field_validator("scale", "ratio")
    @classmethod
    def _ordered(cls, interval: tuple[float, float]) -> tuple[float, float]:
        if interval[0] > interval[1]:
            raise ValueError("the first number must not be larger than the second")
        return interval


class TrainConfig(DataConfig, FitConfig):
    """`faa train`: data, network, and the policy it is trained with."""

    policy: str = Field(default="none", description="Built-in name or policy file.")
    val_fraction: Share = Field(
        default=0.0, description="Hold this part of the training images out to keep the best epoch in best/."
    )


class EvalConfig(DataConfig, DeviceConfig):
    """`faa eval`: which images, and how the network is applied."""

    split: Literal["test", "train"] = Field(default="test", description="Which images.")


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


def differences(one: dict[str, Any], other: dict[str, Any], *, ignoring: frozenset[str]) -> list[str]:
    """Return "key: old → new" for each setting that differs between two resolved configurations."""
    keys = sorted((one.keys() | other.keys()) - ignoring)
    return [f"{key}: {one.get(key)!r} → {other.get(key)!r}" for key in keys if one.get(key) != other.get(key)]


def as_pairs(arguments: Mapping[str, Any]) -> str:
    """Return a model's arguments as --model-kwargs takes them: NAME=VALUE,NAME=VALUE."""
    return ",".join(f"{name}={_written(value)}" for name, value in arguments.items())


def _pair(text: str) -> tuple[str, Any]:
    """Return the name and the value of NAME=VALUE."""
    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals and value):
        raise ValueError("give name=value pairs, such as depth=22,width=4")
    if len(value) > LONGEST:  # Python's parser can run out of stack on long ones
        raise ValueError(f"a value has at most {LONGEST} characters")
    return name, _parsed(value)


def _parsed(value: str) -> Any:
    """Return what a value stands for: a Python literal, true or false in any case; all else is a word."""
    if value.lower() in {"true", "false"}:
        return value.lower() == "true"
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value


def _written(value: Any) -> str:
    """Return what `_parsed` reads back; quoted only where it must be."""
    plain = (
        isinstance(value, str) and len(value) <= LONGEST and value == value.strip() != "" and _parsed(value) == value
    )
    return str(value) if plain else repr(value)


def _is_argument(name: Any, value: Any) -> bool:
    if not (isinstance(name, str) and name.isidentifier()):
        return False
    if isinstance(value, str):  # what is no finite number must not pass for a word
        return "," not in value and value.strip().lower().lstrip("+-") not in {"nan", "inf", "infinity"}
    return isinstance(value, bool | int | float) and abs(value) < math.inf
