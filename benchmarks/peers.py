"""Peers: one small adapter for each library and way to call it. A library is imported when its adapter is prepared.

How much a peer does of what we do is its `equivalence`:

* exact: every operation's pixels are Pillow's and so ours, checked before timing (but where Cutout's square lies)
* same-distribution: the library's own transform of the very policy
* batch-shared: one draw for the whole batch, so not the same work
* different-pixels: the nearest that the library can say
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from albumentations_peer import albumentations_compose, albumentations_train
from operations import (
    Applied,
    Bind,
    kornia_entry,
    sampled,
    timm_operation,
    torchvision_operation,
)
from original import MEAN, STD, Augmentation, CutoutDefault, training_transform
from torchvision.transforms import v2

from faa_core import Policy, SubPolicies

Equivalence = Literal["exact", "same-distribution", "batch-shared", "different-pixels"]
Takes = Literal["picture", "tensor", "array", "batch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A way to augment.

    Attributes:
        name: Shown in tables.
        package: Whose version counts.
        equivalence: See above.
        takes: A PIL image, a uint8 tensor ``[C, H, W]``, an array ``[H, W, C]``, or a batch ``[B, C, H, W]``.
        prepare: Returns the transform of a policy, or None if it cannot express it.
        train: Returns a whole training transform for CIFAR-10, from a policy's transform; None if it has none.
        operation: Its operations, where the policy is drawn here and not by the library.
    """

    name: str
    package: str
    equivalence: Equivalence
    takes: Takes
    prepare: Callable[[Policy], Applied | None]
    train: Callable[[Applied], Applied] | None = None
    operation: Bind | None = None


def all_peers() -> tuple[Peer, ...]:
    """Return every peer, the original's way first."""
    return (
        Peer(
            name="Pillow, the original's way",
            package="pillow",
            equivalence="exact",
            takes="picture",
            prepare=Augmentation,
            train=training_transform,
        ),
        _drawn("torchvision v2 operations, PIL", "torchvision", "exact", "picture", torchvision_operation, _tv_train),
        _drawn(
            "torchvision v2 operations, tensor",
            "torchvision",
            "different-pixels",
            "tensor",
            torchvision_operation,
            _tv_train,
        ),
        _native("torchvision v2 transform, PIL", "same-distribution", "picture"),
        _native("torchvision v2 transform, tensor", "different-pixels", "tensor"),
        _drawn(
            "torchvision v2 operations, batch",
            "torchvision",
            "batch-shared",
            "batch",
            torchvision_operation,
            _tv_train_batch,
        ),
        _native("torchvision v2 transform, batch", "batch-shared", "batch"),
        _drawn("timm operations", "timm", "exact", "picture", timm_operation, training_transform),
        Peer(
            name="timm string",
            package="timm",
            equivalence="different-pixels",
            takes="picture",
            prepare=timm_string,
        ),
        Peer(
            name="albumentations Compose",
            package="albumentations",
            equivalence="different-pixels",
            takes="array",
            prepare=albumentations_compose,
            train=albumentations_train,
        ),
        Peer(
            name="kornia auto, one by one",
            package="kornia",
            equivalence="different-pixels",
            takes="tensor",
            prepare=kornia_auto,
        ),
        Peer(
            name="kornia auto, batch",
            package="kornia",
            equivalence="batch-shared",
            takes="batch",
            prepare=kornia_auto,
            train=_kornia_train,
        ),
    )


def _drawn(
    name: str,
    package: str,
    equivalence: Equivalence,
    takes: Takes,
    operation: Bind,
    train: Callable[[Applied], Applied],
) -> Peer:
    """Return a peer whose operations are called as we draw them."""
    return Peer(
        name=name,
        package=package,
        equivalence=equivalence,
        takes=takes,
        prepare=lambda policy: sampled(policy, operation),
        train=train,
        operation=operation,
    )


def _native(name: str, equivalence: Equivalence, takes: Takes) -> Peer:
    return Peer(name=name, package="torchvision", equivalence=equivalence, takes=takes, prepare=torchvision_transform)


def torchvision_transform(policy: Policy) -> Applied | None:
    """Return torchvision's own transform of a policy."""
    made: dict[str, Callable[[], Applied]] = {
        "autoaugment-cifar10": lambda: v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10),
        "randaugment": v2.RandAugment,
        "trivialaugment": v2.TrivialAugmentWide,
    }
    return made[policy.name]() if policy.name in made else None


def timm_string(policy: Policy) -> Applied | None:
    """Return timm's RandAugment at the same level, which has other ranges."""
    if policy.name != "randaugment":
        return None
    from timm.data.auto_augment import rand_augment_transform  # noqa: PLC0415

    hparams = {"img_mean": (0, 0, 0), "interpolation": 0}
    transform: Applied = rand_augment_transform("rand-m9-n2-p1-inc1", hparams)
    return transform


def kornia_auto(policy: Policy, device: str = "cpu") -> Applied | None:
    """Return kornia's transform nearest to a policy, for uint8 images; what it lacks (Cutout) it does not do."""
    from kornia.augmentation import auto  # noqa: PLC0415

    presets: dict[str, Callable[[], Any]] = {
        "autoaugment-cifar10": lambda: auto.AutoAugment("cifar10"),
        "randaugment": lambda: auto.RandAugment(2, 9),
        "trivialaugment": auto.TrivialAugment,
    }
    if policy.name in presets:
        transform = presets[policy.name]()
    elif isinstance(policy, SubPolicies):
        lists = [
            [kornia_entry(policy.table[use.op], use.magnitude, use.p) for use in sub] for sub in policy.sub_policies
        ]
        known = [[entry for entry in sub if entry is not None] for sub in lists]
        transform = auto.AutoAugment([sub for sub in known if sub])
    else:
        return None
    transform.to(device)

    def run(images: torch.Tensor) -> Any:
        batch = images if images.ndim == 4 else images[None]
        return transform(batch.to(torch.float32) / 255)

    return run


def _tv_train(augment: Applied) -> Applied:
    """Return torchvision v2's transforms for what the original does after the policy, for one image of any type."""
    return _tv_chain(augment, CutoutDefault(16))


def _tv_train_batch(augment: Applied) -> Applied:
    """Return the same for a batch, which shares all draws; the square lies inside the image."""
    return _tv_chain(augment, v2.RandomErasing(p=1, scale=(0.25, 0.25), ratio=(1, 1)))


def _tv_chain(augment: Applied, cutout: Applied) -> Applied:
    chain: Applied = v2.Compose(
        [
            augment,
            v2.RandomCrop(32, padding=4),
            v2.RandomHorizontalFlip(),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
            cutout,
        ]
    )
    return chain


def _kornia_train(augment: Applied) -> Applied:
    """Return kornia's transforms for what the original does after the policy."""
    import kornia.augmentation as K  # noqa: N812, PLC0415

    rest = K.AugmentationSequential(
        K.RandomCrop((32, 32), padding=4),
        K.RandomHorizontalFlip(),
        K.Normalize(torch.tensor(MEAN), torch.tensor(STD)),
        K.RandomErasing(scale=(0.25, 0.25), ratio=(1.0, 1.0), p=1.0),
        data_keys=["input"],
    )
    return lambda images: rest(augment(images))
