"""What the network is shown of an image: fitted, augmented by the policy and the baseline, as uint8.

Every draw is keyed by (seed, epoch, index), so the order, the batch split and the loader processes change no pixel.
Order: bring to size → policy → padded crop → flip → cutout. The original applies the policy to a large image before its
random resized crop; here it sees the crop, as in timm, which costs less and is the same for images already at size.

Shapes: B = batch, C = 3 channels, H = W = size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from faa_core import Policy
from faa_core.randomness import key_of, seed_of, uniforms
from faa_search.config import FitConfig
from faa_search.data import ArraySource, ImageSource
from faa_search.data.sizing import fitted, random_resized_crop

Key = tuple[int, int]  # (epoch or view, index of the image)
Batch = tuple[Tensor, Tensor]  # images uint8 [B, C, H, W], labels int64 [B]
Interval = tuple[float, float]
SMALL_SIDE = 64  # images up to this many pixels a side are cropped by padding, as CIFAR's are


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The augmentation that belongs to the recipe, not to the policy.

    Attributes:
        resized_crop: (scale, ratio) ranges of a random resized crop, or None.
        pad: Pixels of zero padding for a random crop back to size; 0 for none.
        hflip: Probability of a left-right flip.
        cutout: Side in pixels of a square that is set to `fill`; 0 for none.
        fill: RGB, 0…255: the data set's mean, which is zero after normalisation.
    """

    resized_crop: tuple[Interval, Interval] | None = None
    pad: int = 0
    hflip: float = 0.0
    cutout: int = 0
    fill: tuple[int, int, int] = (0, 0, 0)


def baseline_of(config: FitConfig, source: ImageSource, mean: Sequence[float]) -> Baseline:
    """Return the baseline augmentation that the settings ask for on these images."""
    mode = config.train_crop_mode
    if mode == "auto":
        small = isinstance(source, ArraySource) and source.images.shape[1] <= SMALL_SIDE
        mode = "pad" if small else "rrc"
    red, green, blue = (round(255 * value) for value in mean)
    return Baseline(
        resized_crop=(config.scale, config.ratio) if mode == "rrc" else None,
        pad=config.crop_pad if mode == "pad" else 0,
        hflip=config.hflip,
        cutout=config.cutout,
        fill=(red, green, blue),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class View(Dataset[Batch]):
    """Images as the network sees them; indexed by batches of keys.

    Attributes:
        source: The images.
        size: Side of the result, in pixels.
        policy: Applied to each image with a draw of its own.
        baseline: Applied after the policy; None for evaluation.
        seed: Keys all draws, with the epoch and the index.
    """

    source: ImageSource
    size: int
    policy: Policy | None = None
    baseline: Baseline | None = None
    seed: int = 0

    def __getitems__(self, keys: list[Key]) -> Batch:
        """Return the images and labels of a batch of (epoch, index) keys."""
        epochs, indices = (np.array(column) for column in zip(*keys, strict=True))
        images_BHWC = np.empty((len(keys), self.size, self.size, 3), dtype=np.uint8)
        for epoch in np.unique(epochs):
            at = np.flatnonzero(epochs == epoch)
            images_BHWC[at] = self._epoch(int(epoch), indices[at])
        images_BCHW = torch.from_numpy(np.ascontiguousarray(images_BHWC.transpose(0, 3, 1, 2)))
        return images_BCHW, torch.from_numpy(self.source.labels[indices])

    def __len__(self) -> int:
        return len(self.source)

    def _epoch(self, epoch: int, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        images_BHWC = self._augmented(epoch, indices)
        if self.baseline is None:
            return images_BHWC
        rows_BS = uniforms(key_of("baseline", self.seed, epoch), indices, 5)
        images_BHWC = padded_crop(images_BHWC, self.baseline.pad, rows_BS[:, 0:2])
        images_BHWC = flip(images_BHWC, rows_BS[:, 2] < self.baseline.hflip)
        return cutout(images_BHWC, self.baseline.cutout, self.baseline.fill, rows_BS[:, 3:5])

    def _augmented(self, epoch: int, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the images at size, after the policy."""
        steps = self.policy.draw(seed=self.seed, epoch=epoch, indices=indices) if self.policy else [()] * len(indices)
        images_BHWC = self._at_size(epoch, indices)
        for position, own in enumerate(steps):
            if self.policy is not None and own:
                image = self.policy.apply_steps(Image.fromarray(images_BHWC[position]), own)
                images_BHWC[position] = np.asarray(image)
        return images_BHWC

    def _at_size(self, epoch: int, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the images brought to size, by the baseline's random resized crop where it has one."""
        crop = self.baseline.resized_crop if self.baseline is not None else None
        if (
            crop is None
            and isinstance(self.source, ArraySource)
            and self.source.images.shape[1:3] == (self.size, self.size)
        ):
            return self.source.images[indices].copy()
        images_BHWC = np.empty((len(indices), self.size, self.size, 3), dtype=np.uint8)
        for position, index in enumerate(indices):
            image = self.source.image(int(index))
            if crop is not None:
                seed = seed_of("crop", self.seed, epoch, int(index))
                image = random_resized_crop(image, self.size, scale=crop[0], ratio=crop[1], seed=seed)
            images_BHWC[position] = np.asarray(fitted(image, self.size))
        return images_BHWC


def padded_crop(images_BHWC: NDArray[np.uint8], pad: int, draws_B2: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return each image padded with zeros and cut back to its size at a drawn (y, x); draws in [0, 1)."""
    if pad == 0:
        return images_BHWC
    side = images_BHWC.shape[1]
    padded = np.pad(images_BHWC, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    offsets_B2 = (draws_B2 * (2 * pad + 1)).astype(np.int64)
    rows_BH, columns_BW = (offsets_B2[:, axis : axis + 1] + np.arange(side) for axis in (0, 1))
    cropped: NDArray[np.uint8] = padded[
        np.arange(len(padded))[:, None, None], rows_BH[:, :, None], columns_BW[:, None, :]
    ]
    return cropped


def flip(images_BHWC: NDArray[np.uint8], which_B: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the images with those chosen mirrored left to right."""
    return np.where(which_B[:, None, None, None], images_BHWC[:, :, ::-1], images_BHWC)


def cutout(
    images_BHWC: NDArray[np.uint8], side: int, fill: tuple[int, int, int], draws_B2: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Return each image with a square filled that starts at c − ⌊side/2⌋, c a drawn pixel (y, x); clipped."""
    if side == 0:
        return images_BHWC
    positions = np.arange(images_BHWC.shape[1])
    colour = np.array(fill, dtype=np.uint8)
    centres_B2 = (draws_B2 * len(positions)).astype(np.int64)
    low_B2 = centres_B2 - side // 2
    high_B2 = low_B2 + side
    rows_BH, columns_BW = (
        (positions >= low_B2[:, axis : axis + 1]) & (positions < high_B2[:, axis : axis + 1]) for axis in (0, 1)
    )
    inside_BHW = rows_BH[:, :, None] & columns_BW[:, None, :]
    filled: NDArray[np.uint8] = np.where(inside_BHW[..., None], colour, images_BHWC)
    return filled
