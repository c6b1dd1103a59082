"""What training images go through beside the policy, as the settings ask for it; and the same in words."""

from collections.abc import Container, Mapping, Sequence
from typing import Any, TypeVar

from faa_core import Layers, Policy
from faa_core.applying import Baseline
from faa_search.data import ArraySource, ImageSource
from faa_search.settings import FitConfig

Config = TypeVar("Config", bound=FitConfig)

Interval = tuple[float, float]
ResizedCrop = tuple[Interval, Interval]  # ranges of the area and of the aspect
SMALL_SIDE = 64  # images up to this many pixels a side are cropped by padding, as CIFAR's are
CROPS = ("Crop", "RandomResizedCrop")
NOTHING: dict[str, Any] = {"train_crop_mode": "none", "hflip": 0.0, "cutout": 0}  # settings of no baseline
ASKING = {  # which settings ask for each of them
    "train_crop_mode": ("train_crop_mode", "crop_pad", "scale", "ratio"),
    "hflip": ("hflip",),
    "cutout": ("cutout",),
}


def brings_own(policy: Policy) -> bool:
    """Return whether a policy has its own baseline: one of layers that crops, as Deep AutoAugment's do.

    Such layers are learnt without any other augmentation; what they hold of crop, flip and cutout is meant to be all.
    """
    return isinstance(policy, Layers) and any(operation.base in CROPS for operation in policy.table.values())


def settled(
    config: Config, policy: Policy, *, given: Container[str], before: Mapping[str, Any] | None = None
) -> Config:
    """Return the settings with the baseline that images get beside this policy.

    Of a policy that brings its own, crop, flip and cutout are left out, each unless it is asked for.

    Args:
        config: As resolved.
        policy: What the network is trained with.
        given: Settings that somebody gave: in a recipe, a file, a flag or a call.
        before: What the run's file says, if it has begun: versions before this rule left nothing out.
    """
    own, kept = brings_own(policy), before or {}
    return config.model_copy(
        update={
            name: nothing
            if own and kept.get(name, nothing) == nothing and not any(asking in given for asking in ASKING[name])
            else getattr(config, name)
            for name, nothing in NOTHING.items()
        }
    )


def as_given_before(config: Config, before: Mapping[str, Any]) -> Config:
    """Return the settings with those of the baseline as given that a run was started with, and that are not now.

    Args:
        config: As resolved.
        before: What the run's file says, which holds those that were given; versions before this rule wrote all.
    """
    names = {name for asking in ASKING.values() for name in asking}
    again = {name: getattr(config, name) for name in names & before.keys() - config.model_fields_set}
    return config.model_copy(update=again)


def baseline_of(config: FitConfig, source: ImageSource, mean: Sequence[float]) -> Baseline:
    """Return the crop by padding, flip and cutout that the settings ask for on these images."""
    red, green, blue = (round(255 * value) for value in mean)
    return Baseline(
        pad=config.crop_pad if _crop_mode(config, source) == "pad" else 0,
        hflip=config.hflip,
        cutout=config.cutout,
        fill=(red, green, blue),
    )


def resized_crop_of(config: FitConfig, source: ImageSource) -> ResizedCrop | None:
    """Return the random resized crop that the settings ask for on these images, or None for none."""
    return (config.scale, config.ratio) if _crop_mode(config, source) == "rrc" else None


def _crop_mode(config: FitConfig, source: ImageSource) -> str:
    if config.train_crop_mode != "auto":
        return config.train_crop_mode
    return "pad" if isinstance(source, ArraySource) and source.side[0] <= SMALL_SIDE else "rrc"


def in_words(config: FitConfig, source: ImageSource, policy: Policy | None = None, *, of_a_search: bool = False) -> str:
    """Return what the baseline does to an image, and when a flip should be left out.

    Args:
        config: Settled.
        source: The images.
        policy: What the network is trained with, if it is one.
        of_a_search: Whether networks are fitted for a search, so without a policy.
    """
    mode = _crop_mode(config, source)
    (least, _most), _ratio = config.scale, config.ratio
    parts = [
        *(
            [f"padded by {config.crop_pad} pixels and cropped back to size"]
            if mode == "pad" and config.crop_pad
            else []
        ),
        *([f"cropped to {least:.0%} of its area or more, and resized"] if mode == "rrc" else []),
        *([f"mirrored left to right with probability {config.hflip:g}"] if config.hflip else []),
        *(
            [f"changed in brightness, contrast and colour by up to {config.color_jitter:g}"]
            if config.color_jitter
            else []
        ),
        *([f"covered by a square of {config.cutout} pixels"] if config.cutout else []),
    ]
    own = policy is not None and brings_own(policy)
    when = "For the networks of the search" if of_a_search else "Beside the policy"
    if not parts:
        why = ": it crops them itself. Give --train-crop-mode, --hflip or --cutout to add to that" if own else ""
        return f"{when} nothing is done to training images{why}."
    warning = " If a mirrored image can mean another class, as with signs and letters, give --hflip 0."
    only = " The policy crops images itself, so only what was given is added." if own else ""
    return f"{when} each training image is {', '.join(parts)}.{only}{warning if config.hflip else ''}"
