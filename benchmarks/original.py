"""The original's way: one image after the other with Pillow, drawn with Python's generator.

Written anew from what the released code of Fast AutoAugment does (kakaobrain/fast-autoaugment, 2020-04-12), to be
measured against: each application copies the image, turns the level into a value, draws its sign, checks its range and
calls Pillow. Its Cutout is the original's too, which draws from numpy's global generator and paints inclusive ends.
"""

import random  # noqa: TID251 the original draws from it
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageEnhance, ImageOps
from PIL.Image import Image as PILImage
from torchvision import transforms as v1

from faa_core import FaaError, Operation, Parametric, Policy, SubPolicies

Pixels = Callable[[PILImage, float], PILImage]

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)  # of CIFAR-10, as in the original
GREY = (125, 123, 114)


def shear_x(image: PILImage, value: float) -> PILImage:
    """Shift each row by `value` times its number."""
    return image.transform(image.size, Image.Transform.AFFINE, (1, value, 0, 0, 1, 0))


def shear_y(image: PILImage, value: float) -> PILImage:
    """Shift each column by `value` times its number."""
    return image.transform(image.size, Image.Transform.AFFINE, (1, 0, 0, value, 1, 0))


def translate_x(image: PILImage, value: float) -> PILImage:
    """Move left by a fraction of the width."""
    return image.transform(image.size, Image.Transform.AFFINE, (1, 0, value * image.size[0], 0, 1, 0))


def translate_y(image: PILImage, value: float) -> PILImage:
    """Move up by a fraction of the height."""
    return image.transform(image.size, Image.Transform.AFFINE, (1, 0, 0, 0, 1, value * image.size[1]))


def translate_x_pixels(image: PILImage, value: float) -> PILImage:
    """Move left by whole pixels."""
    return image.transform(image.size, Image.Transform.AFFINE, (1, 0, int(value), 0, 1, 0))


def translate_y_pixels(image: PILImage, value: float) -> PILImage:
    """Move up by whole pixels."""
    return image.transform(image.size, Image.Transform.AFFINE, (1, 0, 0, 0, 1, int(value)))


def cutout(image: PILImage, value: float) -> PILImage:
    """Paint a grey square of a fraction of the width."""
    if value <= 0:
        return image
    width, height = image.size
    side = value * width
    x, y = np.random.uniform(width), np.random.uniform(height)  # noqa: NPY002 the original draws from it
    left, top = int(max(0, x - side / 2)), int(max(0, y - side / 2))
    painted = image.copy()
    box = (left, top, min(width, left + side), min(height, top + side))
    ImageDraw.Draw(painted).rectangle(box, GREY)
    return painted


PIXELS: dict[str, Pixels] = {
    "ShearX": shear_x,
    "ShearY": shear_y,
    "TranslateX": translate_x,
    "TranslateY": translate_y,
    "TranslateXWhole": lambda image, value: translate_x_pixels(image, value * image.size[0]),
    "TranslateYWhole": lambda image, value: translate_y_pixels(image, value * image.size[1]),
    "TranslateXPixels": translate_x_pixels,
    "TranslateYPixels": translate_y_pixels,
    "Rotate": lambda image, value: image.rotate(value),
    "AutoContrast": lambda image, _value: ImageOps.autocontrast(image),
    "Invert": lambda image, _value: ImageOps.invert(image),
    "Equalize": lambda image, _value: ImageOps.equalize(image),
    "Solarize": ImageOps.solarize,  # type: ignore[dict-item] # it only compares
    "Posterize": lambda image, value: ImageOps.posterize(image, int(value)),
    "Contrast": lambda image, value: ImageEnhance.Contrast(image).enhance(value),
    "Color": lambda image, value: ImageEnhance.Color(image).enhance(value),
    "Brightness": lambda image, value: ImageEnhance.Brightness(image).enhance(value),
    "Sharpness": lambda image, value: ImageEnhance.Sharpness(image).enhance(value),
    "Cutout": cutout,
    "Identity": lambda image, _value: image,
}


class Augmentation:
    """A policy as a transform of one image."""

    def __init__(self, policy: Policy) -> None:
        lacking = {row.base for row in policy.table.values()} - PIXELS.keys()
        if lacking:
            raise FaaError(f"The original has no {', '.join(sorted(lacking))}, which '{policy.name}' uses.")
        self.policy, self.table = policy, policy.table

    def __call__(self, image: PILImage) -> PILImage:
        """Return the image after one random sub-policy."""
        for name, p, level in self.drawn():
            if random.random() > p:  # noqa: S311
                continue
            image = apply(image, self.table[name], level)
        return image

    def drawn(self) -> list[tuple[str, float, float]]:
        """Return operations as (name, probability, level)."""
        policy = self.policy
        if isinstance(policy, SubPolicies):
            return [(use.op, use.p, use.magnitude) for use in random.choice(policy.sub_policies)]  # noqa: S311
        if isinstance(policy, Parametric):
            return [(random.choice(policy.ops), policy.p[0], self.level()) for _ in range(policy.num_ops)]  # noqa: S311
        raise FaaError(f"The original has no policies like '{policy.name}'.")

    def level(self) -> float:
        """Return the level of a policy that draws its own."""
        low, high = self.policy.magnitude  # type: ignore[attr-defined] # only parametric ones get here
        if self.policy.bins is None:  # type: ignore[attr-defined]
            return float(low + random.random() * (high - low))  # noqa: S311
        bins: int = self.policy.bins  # type: ignore[attr-defined]
        return float(low + random.randrange(bins) / (bins - 1) * (high - low))  # noqa: S311


def apply(image: PILImage, row: Operation, level: float) -> PILImage:
    """Return an image after one operation at a level in 0 … 1, with a random sign where it is mirrored."""
    value = row.low + level * (row.high - row.low)
    if row.mirrored and random.random() > 0.5:  # noqa: S311
        value = 2 * row.neutral - value
    return PIXELS[row.base](image.copy(), value)


class CutoutDefault:
    """Set a square of a normalised image ``[C, H, W]`` to 0, in place."""

    def __init__(self, side: int) -> None:
        self.side = side

    def __call__(self, image_CHW: torch.Tensor) -> torch.Tensor:
        """Return the image."""
        height, width = image_CHW.shape[1:]
        mask = np.ones((height, width), np.float32)
        y, x = np.random.randint(height), np.random.randint(width)  # noqa: NPY002 the original draws from it
        top, bottom = np.clip([y - self.side // 2, y + self.side // 2], 0, height)
        left, right = np.clip([x - self.side // 2, x + self.side // 2], 0, width)
        mask[top:bottom, left:right] = 0.0
        image_CHW *= torch.from_numpy(mask).expand_as(image_CHW)
        return image_CHW


def training_transform(augment: Callable[[PILImage], PILImage]) -> Callable[[PILImage], Any]:
    """Return the original's training transform for CIFAR-10: float32 ``[3, 32, 32]``."""
    steps = [augment, v1.RandomCrop(32, padding=4), v1.RandomHorizontalFlip(), v1.ToTensor(), v1.Normalize(MEAN, STD)]
    transform: Callable[[PILImage], Any] = v1.Compose([*steps, CutoutDefault(16)])
    return transform
