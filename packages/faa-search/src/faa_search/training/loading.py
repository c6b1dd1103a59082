"""In which order images are loaded: one stream of keyed batches for a whole run, the same for any number of workers."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from faa_core import FaaError
from faa_core.randomness import key_of, permutation
from faa_search.training.views import Batch, Key, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """Which of the processes this one is."""

    index: int = 0
    count: int = 1


def steps_per_epoch(images: int, batch_size: int, rank: Rank) -> int:
    """Return how many whole batches of all processes an epoch has; at least one, which may then be smaller."""
    return max(1, images // (batch_size * rank.count))


class ShuffledBatches(Sampler[list[Key]]):
    """Batches of (epoch, index) keys: each epoch in an order of its own, the incomplete last batch left out.

    Every process gets its part of each global batch, so n processes with batches of b see what one with n·b sees.
    """

    def __init__(self, images: int, batch_size: int, *, epochs: range, seed: int, rank: Rank) -> None:
        self.images = images
        self.batch_size = min(batch_size, max(1, images // rank.count))
        self.epochs = epochs
        self.seed = seed
        self.rank = rank

    def __iter__(self) -> Iterator[list[Key]]:
        whole = self.batch_size * self.rank.count
        for epoch in self.epochs:
            order = permutation(key_of("order", self.seed, epoch), self.images)
            for start in range(0, self.images - whole + 1, whole):
                first = start + self.rank.index * self.batch_size
                yield [(epoch, int(index)) for index in order[first : first + self.batch_size]]

    def __len__(self) -> int:
        return len(self.epochs) * steps_per_epoch(self.images, self.batch_size, self.rank)


class OrderedBatches(Sampler[list[Key]]):
    """Batches of (view, index) keys in order, each image once per view; a process gets every n-th key."""

    def __init__(self, images: int, batch_size: int, *, views: int = 1, rank: Rank) -> None:
        keys = np.arange(views * images)[rank.index :: rank.count]
        self.keys = [(int(key) // images, int(key) % images) for key in keys]
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[list[Key]]:
        for start in range(0, len(self.keys), self.batch_size):
            yield self.keys[start : start + self.batch_size]

    def __len__(self) -> int:
        return math.ceil(len(self.keys) / self.batch_size)


class _Reporting(Dataset[Any]):
    """A view whose errors are values, so that they leave a loader process as they are."""

    def __init__(self, view: View) -> None:
        self.view = view

    def __getitems__(self, keys: list[Key]) -> Batch | FaaError:
        try:
            return self.view.__getitems__(keys)
        except FaaError as error:
            return error

    def __len__(self) -> int:
        return len(self.view)


def load(view: View, batches: Sampler[list[Key]], *, workers: int) -> Iterator[Batch]:
    """Give the batches: images uint8 ``[B, 3, H, W]`` and labels int64 ``[B]``.

    Raises:
        FaaError: If an image cannot be read.
    """
    loader = DataLoader(
        _Reporting(view),
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_as_it_is,
        generator=torch.Generator(),  # of its own: else starting it would shift what dropout draws
    )
    for batch in loader:
        if isinstance(batch, FaaError):
            raise batch
        yield batch


def _as_it_is(batch: Any) -> Any:
    """Return what a view gives, which is a batch already."""
    return batch
