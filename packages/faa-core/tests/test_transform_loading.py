"""The transform in data loaders: fresh draws in every worker and epoch, all repeated by the seed."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from faa_core import Policy


class SameImage(Dataset):
    """Twelve times the same image, so that only draws make a difference."""

    def __init__(self, transform: v2.Transform) -> None:
        self.image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))
        self.transform = transform

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.transform(self.image)


def epochs_of(seed: int, *, workers: int, epochs: int = 3) -> torch.Tensor:
    """Return copies of one image after each epoch of a loader, shape ``[epochs, 12, 3, 16, 16]``."""
    loader = DataLoader(
        SameImage(v2.Compose([Policy.load("uniform-random").transform(), v2.PILToTensor()])),
        batch_size=3,
        num_workers=workers,
        persistent_workers=workers > 0,
        generator=torch.Generator().manual_seed(seed),
    )
    return torch.stack([torch.cat(list(loader)) for _ in range(epochs)])


def different(images: torch.Tensor) -> int:
    """Return how many of a stack of images differ."""
    return len(torch.unique(images.flatten(1), dim=0))


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # on a machine with one core
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # Python 3.12 and later, where fork is used
def test_in_a_data_loader_with_persistent_workers() -> None:
    """Workers and epochs draw differently, and all of it repeats with the loader's generator."""
    first = epochs_of(0, workers=2)
    assert (3, 12, 3, 16, 16) == tuple(first.shape)
    batches = first.reshape(3, 4, 3, 3, 16, 16)  # the workers take turns
    assert not torch.equal(batches[:, 0], batches[:, 1])
    for epoch in range(3):
        assert different(first[epoch]) >= 6  # a quarter of the draws leaves an image as it is
        assert not torch.equal(first[epoch], first[epoch - 1])
    assert different(first.flatten(0, 1)) >= 18
    assert torch.equal(first, epochs_of(0, workers=2))
    assert not torch.equal(first, epochs_of(1, workers=2))


def test_in_a_data_loader_without_workers() -> None:
    """There the draws follow torch's own seed."""
    torch.manual_seed(0)
    first = epochs_of(0, workers=0)
    torch.manual_seed(0)
    assert torch.equal(first, epochs_of(0, workers=0))
    assert not torch.equal(first, epochs_of(0, workers=0))
