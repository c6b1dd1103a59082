"""What a batch and its module are given: taken as it is meant, or refused in words."""

from typing import Any

import torch
from torch import Tensor

from faa_core.drawing.baseline import Baseline, Normalize
from faa_core.errors import FaaError
from faa_core.operations.instructions import LONGEST_SIDE
from faa_core.policies.policy import Policy
from faa_core.randomness import whole_numbers


def check_parts(policy: Any, baseline: Any, normalize: Any, partners: Any) -> None:
    """Refuse what a module cannot be made of.

    Raises:
        FaaError: If one of the parts is something else; the message states what it must be.
    """
    if not isinstance(policy, Policy):
        raise FaaError(f"PolicyBatch takes a Policy, not {policy!r:.80}; Policy.load(NAME_OR_FILE) returns one.")
    if not isinstance(baseline, Baseline | None):
        raise FaaError(f"`baseline` must be a Baseline, such as Baseline(pad=4, hflip=0.5), not {baseline!r:.80}.")
    if not isinstance(normalize, Normalize | None):
        raise FaaError(f"`normalize` must be a Normalize, such as Normalize(mean=…, std=…), not {normalize!r:.80}.")
    if not isinstance(partners, Tensor | None):
        raise FaaError(f"`partners` must be a tensor, uint8 [M, C, H, W], not of type {type(partners).__name__}.")


def check_images(images: Any) -> None:
    """Refuse what is not a batch of images.

    Raises:
        FaaError: If it is not a tensor, or not of the types, shapes and sizes that a batch has.
    """
    if not isinstance(images, Tensor):
        raise FaaError(
            f"A batch is a tensor, uint8 or uint16 [B, C, H, W], not of type {type(images).__name__}. Of an array "
            "[B, H, W, C], give torch.from_numpy(images).permute(0, 3, 1, 2); of PIL images, use policy.apply or "
            "policy.transform()."
        )
    if images.ndim != 4 or images.dtype not in (torch.uint8, torch.uint16):
        raise FaaError(
            f"A batch is uint8 or uint16 [B, C, H, W], not {images.dtype} {list(images.shape)}.{_remedy(images)}"
        )
    if _is_channels_last(images):
        raise FaaError(
            f"A batch is [B, C, H, W], and {list(images.shape)} looks like [B, H, W, C]. Give "
            "images.permute(0, 3, 1, 2)."
        )
    if not 1 <= min(images.shape[1:]) <= max(images.shape[-2:]) <= LONGEST_SIDE:
        raise FaaError(
            f"Images need a channel and sides of 1 to {LONGEST_SIDE:,} pixels, not {list(images.shape[1:])}."
        )


def indices_of(given: Any, *, wanted: int | None = None) -> Tensor:
    """Return the numbers of images as int64 ``[B]`` on the CPU; whole numbers in a list or an array count as such.

    Args:
        given: A tensor, which must be so already; or a list, a range, an array.
        wanted: B; None for any number.

    Raises:
        FaaError: If they are something else.
    """
    indices = given if isinstance(given, Tensor) else torch.from_numpy(whole_numbers(given))
    count = indices.numel() if wanted is None else wanted
    if indices.device.type != "cpu" or indices.dtype != torch.int64 or indices.shape != (count,):
        raise FaaError(
            f"`indices` must be int64 [{count}] on the CPU, where the draws are made without waiting for the "
            f"device; not {indices.dtype} {list(indices.shape)} on {indices.device}."
        )
    return indices


def _remedy(images: Tensor) -> str:
    """Return the line that makes a batch of what was given, as far as one can tell; else ""."""
    if images.ndim == 3:
        return " Of one image, give images[None]."
    if images.ndim == 4 and images.is_floating_point():
        return " Of numbers in 0 … 1, give (images * 255).round().to(torch.uint8)."
    return ""


def _is_channels_last(images: Tensor) -> bool:
    """Return whether rows lie where channels belong: many, of images that would be 1, 3 or 4 pixels wide."""
    return images.shape[-1] in (1, 3, 4) and min(images.shape[1:3]) > 4
