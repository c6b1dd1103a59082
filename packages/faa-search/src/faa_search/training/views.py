"""What the network is shown of an image: fitted, augmented by the policy and the baseline, as uint8.

Every draw is keyed by (seed, draw, index), so the order, the batch split and the loader processes change no pixel. The
draw is epoch · copies + copy: another copy of an epoch is drawn as another epoch would be.
Order: bring to size → colour jitter → policy → padded crop → flip → cutout. The original applies the policy to a large
image before its random resized crop, and jitters last; here it sees the crop, as in timm, which costs less and is the
same for images already at size.

Shapes: B = batch, C = 3 channels, H = W = size.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from faa_core import FaaError, Policy
from faa_core.applying import Baseline, PolicyBatch
from faa_core.randomness import key_of, permutation, seed_of, uniforms
from faa_search.data import ArraySource, ImageSource
from faa_search.data.sizing import colour_jitter, fitted, random_resized_crop
from faa_search.training.baseline import ResizedCrop
from faa_search.training.policies import PolicySource, source_of

Key = tuple[int, int, int]  # (epoch or view, copy, number); the number modulo the count of images is the image
Batch = tuple[Tensor, Tensor]  # images uint8 [B, C, H, W], labels int64 [B]
BLOCK = 4096  # images that are brought to the device together
PARTNERS = 256  # images that SamplePairing mixes in, at most


@dataclass(frozen=True, eq=False, kw_only=True)
class Views(Dataset[Batch]):
    """Images as the network sees them; indexed by batches of keys.

    Attributes:
        source: The images.
        size: Side of the result, in pixels.
        resized_crop: Ranges of area and aspect of a random resized crop that brings an image to size, or None.
        color_jitter: Largest change of brightness, contrast and colour, each of a random amount; 0 for none.
        policy: Applied to each image with its own draw; or the source that gives the policy by epoch and copy.
        baseline: Applied after the policy; None for evaluation.
        seed: Keys all draws, with the epoch, the copy and the index.
        copies: How many each epoch has of an image; keys have copies below that.
    """

    source: ImageSource
    size: int
    resized_crop: ResizedCrop | None = None
    color_jitter: float = 0.0
    policy: Policy | PolicySource | None = None
    baseline: Baseline | None = None
    seed: int = 0
    copies: int = 1

    def __getitems__(self, keys: list[Key]) -> Batch:
        """Return the images and labels of a batch of (epoch, copy, number) keys."""
        epochs_B, copies_B, numbers_B = (np.array(column) for column in zip(*keys, strict=True))
        labels_B = self._labels(numbers_B % len(self))
        draws_B = epochs_B * self.copies + copies_B
        if (draws_B == draws_B[0]).all():
            return self._drawn(int(draws_B[0]), numbers_B), labels_B
        parts = ((int(draw), np.flatnonzero(draws_B == draw)) for draw in np.unique(draws_B))
        return _together([(at, self._drawn(draw, numbers_B[at])) for draw, at in parts]), labels_B

    def __len__(self) -> int:
        return len(self.source)

    @cached_property
    def _source(self) -> PolicySource:
        return source_of(self.policy)

    @cached_property
    def _plain(self) -> PolicyBatch:
        return Policy.load("none").to_batch(baseline=self.baseline)

    @cached_property
    def _latest(self) -> dict[int, tuple[Policy, PolicyBatch]]:
        """The policy of each copy that was applied last, so that one that stays is prepared once."""
        return {}

    @property
    def ready(self) -> ArraySource | None:
        """The images where they lie in memory as the policy is to see them, else None."""
        untouched = self.resized_crop is None and not self.color_jitter
        if untouched and isinstance(self.source, ArraySource) and self.source.side == (self.size, self.size):
            return self.source
        return None

    def _labels(self, images_B: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(self.source.labels[images_B])

    def _drawn(self, draw: int, numbers_B: NDArray[np.int64]) -> Tensor:
        """Return the images ``[B, C, H, W]`` of one copy of an epoch."""
        epoch, copy = divmod(draw, self.copies)
        given = self._source.at(epoch, copy)
        augment = self._plain if given.policy is None else self._prepared(given.policy, copy)
        if given.share >= 1:
            return self._augmented(augment, draw, numbers_B)
        key = key_of("policy share", self.seed, epoch, copy)
        gets_it_B = uniforms(key, numbers_B, 1)[:, 0] < given.share
        parts = ((np.flatnonzero(gets_it_B), augment), (np.flatnonzero(~gets_it_B), self._plain))
        return _together([(at, self._augmented(each, draw, numbers_B[at])) for at, each in parts if len(at)])

    @cached_property
    def _partners(self) -> Tensor:
        """Images ``[P, C, H, W]`` that SamplePairing mixes in, as they are before the policy."""
        return self._unaugmented(0, partner_numbers(len(self), self.seed))

    def _prepared(self, policy: Policy, copy: int) -> PolicyBatch:
        latest = self._latest.get(copy)
        if latest is None or latest[0] != policy:
            partners = self._partners if policy.mixes_images else None
            latest = self._latest[copy] = policy, policy.to_batch(baseline=self.baseline, partners=partners)
        return latest[1]

    def _augmented(self, augment: PolicyBatch, draw: int, numbers_B: NDArray[np.int64]) -> Tensor:
        images_BCHW = self._unaugmented(draw, numbers_B)
        augmented: Tensor = augment(images_BCHW, seed=self.seed, epoch=draw, indices=torch.from_numpy(numbers_B))
        return augmented

    def _unaugmented(self, draw: int, numbers_B: NDArray[np.int64]) -> Tensor:
        """Return the images ``[B, C, H, W]`` as the policy is to see them."""
        images_BHWC = self._at_size(draw, numbers_B) if self.ready is None else self.ready.pixels(numbers_B % len(self))
        return torch.from_numpy(np.ascontiguousarray(images_BHWC.transpose(0, 3, 1, 2)))

    def _at_size(self, draw: int, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the images brought to size, by the baseline's random resized crop where it has one."""
        images_BHWC = np.empty((len(numbers), self.size, self.size, 3), dtype=np.uint8)
        for position, number in enumerate(numbers.tolist()):
            image = self.source.image(number % len(self))
            if self.resized_crop is not None:
                scale, ratio = self.resized_crop
                seed = seed_of("crop", self.seed, draw, number)
                image = random_resized_crop(image, self.size, scale=scale, ratio=ratio, seed=seed)
            image = fitted(image, self.size)
            if self.color_jitter:
                seed = seed_of("jitter", self.seed, draw, number)
                image = colour_jitter(image, self.color_jitter, seed=seed)
            images_BHWC[position] = np.asarray(image)
        return images_BHWC


@dataclass(frozen=True, eq=False, kw_only=True)
class ResidentViews(Views):
    """A view whose images lie on the device, where its batches are made: the same pixels, nothing to wait for.

    Attributes:
        images_NCHW: uint8, on the device.
        labels_N: int64, on the device.
    """

    images_NCHW: Tensor
    labels_N: Tensor

    def _labels(self, images_B: NDArray[np.int64]) -> Tensor:
        return self.labels_N[self._there(images_B)]

    def _unaugmented(self, draw: int, numbers_B: NDArray[np.int64]) -> Tensor:
        return self.images_NCHW[self._there(numbers_B % len(self))]

    def _there(self, images_B: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(images_B).to(self.labels_N.device, non_blocking=True)


def partner_numbers(images: int, seed: int) -> NDArray[np.int64]:
    """Return which images of a data set SamplePairing mixes in: the same ones in all epochs and processes."""
    return permutation(key_of("partners", seed), images)[:PARTNERS]


def _together(parts: Sequence[tuple[NDArray[np.int64], Tensor]]) -> Tensor:
    """Return parts of a batch as one, each image at its place."""
    order_B = np.argsort(np.concatenate([at for at, _images in parts]))
    return torch.cat([images for _at, images in parts])[torch.from_numpy(order_B)]


def resident(view: Views, device: torch.device) -> ResidentViews:
    """Return the view with its images on the device.

    Raises:
        FaaError: If its images are not in memory at their size, or change before the policy.
    """
    if view.ready is None:
        raise FaaError(
            "--resident is for small images that are cropped by padding: these are decoded, resized or jittered one by "
            "one in loader processes. Leave it out."
        )
    images_NCHW = torch.empty(len(view), 3, view.size, view.size, dtype=torch.uint8, device=device)
    for numbers in np.split(np.arange(len(view)), range(BLOCK, len(view), BLOCK)):
        images_BHWC = view.ready.pixels(numbers)
        images_NCHW[numbers[0] : numbers[-1] + 1] = torch.from_numpy(
            np.ascontiguousarray(images_BHWC.transpose(0, 3, 1, 2))
        )
    labels_N = torch.from_numpy(view.source.labels).to(device)
    given = {field.name: getattr(view, field.name) for field in fields(Views)}
    return ResidentViews(**given, images_NCHW=images_NCHW, labels_N=labels_N)


def placed(view: Views, device: torch.device, *, wanted: bool | None) -> Views:
    """Return the view, resident on the device if that is wanted; with None, on a GPU with ample room for it."""
    if wanted is None:
        free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0
        wanted = view.ready is not None and len(view) * 3 * view.size**2 < free // 4
    return resident(view, device) if wanted else view
