"""What training images go through beside the policy, as the settings ask for it; and the same in words."""

from collections.abc import Sequence

from faa_core.applying import Baseline
from faa_search.data import ArraySource, ImageSource
from faa_search.settings import FitConfig

Interval = tuple[float, float]
ResizedCrop = tuple[Interval, Interval]  # ranges of the area and of the aspect
SMALL_SIDE = 64  # images up to this many pixels a side are cropped by padding, as CIFAR's are


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


def in_words(config: FitConfig, source: ImageSource) -> str:
    """Return what the baseline does to an image, and when a flip should be left out."""
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
    if not parts:
        return "Beside the policy nothing is done to training images."
    warning = " If a mirrored image can mean another class, as with signs and letters, give --hflip 0."
    return f"Beside the policy each training image is {', '.join(parts)}.{warning if config.hflip else ''}"
