"""timm's training transform with a policy of ours in the place of its `auto_augment`.

timm builds three stages: crop and flip; auto-augment and other changes of colour; to tensor, normalised, erased. The
policy opens the second, so it sees PIL images at the network's size, and as with timm's own strings there is no colour
jitter then. Its draws come from torch's generator, which a DataLoader seeds for each worker.
"""

from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Any, Literal, overload

from timm.data import create_transform as timm_transform
from torchvision.transforms import Compose

from faa_core import FaaError, Policy, UnknownNameError

Size = int | tuple[int, int] | tuple[int, int, int]
TimmStages = tuple[Compose, Compose, Compose]


@overload
def create_transform(
    input_size: Size,
    *,
    policy: Policy | str | Path,
    separate: Literal[False] = False,
    **timm_options: Any,
) -> Compose: ...


@overload
def create_transform(
    input_size: Size, *, policy: Policy | str | Path, separate: Literal[True], **timm_options: Any
) -> TimmStages: ...


def create_transform(
    input_size: Size, *, policy: Policy | str | Path, separate: bool = False, **timm_options: Any
) -> Compose | TimmStages:
    """Return `timm.data.create_transform` for training, with a policy where timm puts `auto_augment`.

    Args:
        input_size: Side in pixels, (H, W) or (C, H, W).
        policy: A policy, its name, or the path of its file.
        separate: Whether to return timm's three stages (clean, augmented, final) by themselves, as its data sets with
            augmentation splits take them; the policy is in the second.
        timm_options: Whatever else timm's function takes for training. `color_jitter` and `color_jitter_prob` have no
            effect, as in timm where `auto_augment` is given.

    Returns:
        A transform of one PIL image of mode RGB (or L): normalised float32 ``[C, H, W]``; uint8 with
        ``use_prefetcher=True`` or ``normalize=False``, as timm's loader wants it. With `separate`, three transforms.

    Raises:
        UnknownNameError: If timm has no such option, or nothing is called like the policy.
        FaaError: If an option leaves no place for a policy, the policy's file is faulty, or it mixes in other images.
    """
    _check(timm_options)
    chosen = policy if isinstance(policy, Policy) else Policy.load(policy)
    options = {**timm_options, "is_training": True, "auto_augment": None, "color_jitter": None}
    return with_policy(chosen, timm_transform(input_size, separate=True, **options), separate=separate)


def with_policy(policy: Policy, stages: TimmStages, *, separate: bool) -> Compose | TimmStages:
    """Return timm's three stages with a policy at the start of the second, as one transform unless `separate`.

    Raises:
        FaaError: If the policy mixes in other images, of which timm's pipeline has none.
    """
    if policy.mixes_images:
        raise FaaError(
            f"The policy '{policy.name}' mixes in other images (SamplePairing), and a transform of timm has one image "
            "at a time. Leave SamplePairing out of the policy."
        )
    primary, secondary, final = stages
    augmented = [policy.transform(), *secondary.transforms]
    if separate:
        return primary, Compose(augmented), final
    return Compose([*primary.transforms, *augmented, *final.transforms])


def _check(options: Mapping[str, Any]) -> None:
    """Refuse what timm does not know, and what leaves no place for a policy."""
    known = signature(timm_transform).parameters
    for name in options:
        if name not in known:
            raise UnknownNameError("option of timm.data.create_transform", name, known)
    if options.get("auto_augment"):
        raise FaaError(
            f"auto_augment={options['auto_augment']!r} and a policy would stand in the same place; give one of them. "
            "faa_core.formats.timm.parse reads timm's strings as policies."
        )
    for name in ("no_aug", "tf_preprocessing"):
        if options.get(name):
            raise FaaError(f"{name}={options[name]!r} leaves no place for a policy; use timm.data.create_transform.")
    if not options.get("is_training", True):
        raise FaaError("Policies are for training: for evaluation use timm.data.create_transform(is_training=False).")
