"""What the network is shown of an image: fitted, augmented by the policy and the baseline, as uint8.

Every draw is keyed by (seed, epoch, index), so the order, the batch split and the loader processes change no pixel.
Order: bring to size → policy → padded crop → flip → cutout. The original applies the policy to a large image before its
random resized crop; here it sees the crop, as in timm, which costs less and is the same for images already at size.

Shapes: B = batch, C = 3 channels, H = W = size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from faa_core import Policy
from faa_core.batch import Baseline, PolicyBatch
from faa_core.randomness import seed_of
from faa_search.config import FitConfig
from faa_search.data import ArraySource, ImageSource
from faa_search.data.sizing import fitted, random_resized_crop

Key = tuple[int, int]  # (epoch or view, index of the image)
Batch = tuple[Tensor, Tensor]  # images uint8 [B, C, H, W], labels int64 [B]
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
    return "pad" if isinstance(source, ArraySource) and source.images.shape[1] <= SMALL_SIDE else "rrc"


@dataclass(frozen=True, eq=False, kw_only=True)
class View(Dataset[Batch]):
    """Images as the network sees them; indexed by batches of keys.

    Attributes:
        source: The images.
        size: Side of the result, in pixels.
        resized_crop: Ranges of area and aspect of a random resized crop that brings an image to size, or None.
        policy: Applied to each image with a draw of its own.
        baseline: Applied after the policy; None for evaluation.
        seed: Keys all draws, with the epoch and the index.
    """

    source: ImageSource
    size: int
    resized_crop: ResizedCrop | None = None
    policy: Policy | None = None
    baseline: Baseline | None = None
    seed: int = 0

    def __getitems__(self, keys: list[Key]) -> Batch:
        """Return the images and labels of a batch of (epoch, index) keys."""
        epochs, indices = (np.array(column) for column in zip(*keys, strict=True))
        images_BCHW = torch.empty(len(keys), 3, self.size, self.size, dtype=torch.uint8)
        for epoch in np.unique(epochs):
            at = np.flatnonzero(epochs == epoch)
            images_BCHW[torch.from_numpy(at)] = self._epoch(int(epoch), indices[at])
        return images_BCHW, torch.from_numpy(self.source.labels[indices])

    def __len__(self) -> int:
        return len(self.source)

    @cached_property
    def _augment(self) -> PolicyBatch:
        policy = self.policy if self.policy is not None else Policy.load("none")
        return policy.to_batch(baseline=self.baseline)

    def _epoch(self, epoch: int, indices: NDArray[np.int64]) -> Tensor:
        """Return the images ``[B, C, H, W]`` of an epoch."""
        images_BHWC = self._at_size(epoch, indices)
        images_BCHW = torch.from_numpy(np.ascontiguousarray(images_BHWC.transpose(0, 3, 1, 2)))
        augmented: Tensor = self._augment(images_BCHW, seed=self.seed, epoch=epoch, indices=torch.from_numpy(indices))
        return augmented

    def _at_size(self, epoch: int, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the images brought to size, by the baseline's random resized crop where it has one."""
        crop = self.resized_crop
        if (
            crop is None
            and isinstance(self.source, ArraySource)
            and self.source.images.shape[1:3] == (self.size, self.size)
        ):
            return self.source.images[indices]
        images_BHWC = np.empty((len(indices), self.size, self.size, 3), dtype=np.uint8)
        for position, index in enumerate(indices):
            image = self.source.image(int(index))
            if crop is not None:
                seed = seed_of("crop", self.seed, epoch, int(index))
                image = random_resized_crop(image, self.size, scale=crop[0], ratio=crop[1], seed=seed)
            images_BHWC[position] = np.asarray(fitted(image, self.size))
        return images_BHWC
