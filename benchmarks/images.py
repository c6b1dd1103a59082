"""The images that benchmarks augment: photographs where FAA_TEST_DATA names a folder with them, else made up."""

import importlib.util
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.Image import Image as PILImage

MADE_UP = "made up: smooth random images"


@dataclass(frozen=True, slots=True)
class Pool:
    """Images of one size.

    Attributes:
        source: Where they are from, for people.
        pixels_BHWC: uint8 ``[B, side, side, 3]``.
    """

    source: str
    pixels_BHWC: NDArray[np.uint8]

    def pictures(self, count: int) -> list[PILImage]:
        """Return so many as Pillow's images; they repeat if there are fewer."""
        return [Image.fromarray(self.pixels_BHWC[at % len(self.pixels_BHWC)]) for at in range(count)]

    def arrays(self, count: int) -> list[NDArray[np.uint8]]:
        """Return so many as arrays ``[H, W, C]``."""
        return [self.pixels_BHWC[at % len(self.pixels_BHWC)] for at in range(count)]

    def batch(self, count: int) -> torch.Tensor:
        """Return so many as one uint8 tensor ``[B, C, H, W]``."""
        return torch.from_numpy(np.stack(self.arrays(count))).permute(0, 3, 1, 2).contiguous()


def pool(side: int, *, real: bool = True) -> Pool:
    """Return CIFAR-10's first test images (32 pixels) or photographs (other sides).

    Args:
        side: Height and width.
        real: Whether to look for photographs at all.
    """
    folder = os.environ.get("FAA_TEST_DATA", "")
    if real and side == 32 and (Path(folder) / "cifar10/load_cifar10.py").is_file():
        return Pool("CIFAR-10 test", cifar10(Path(folder) / "cifar10"))
    if real and side != 32 and (found := sorted((Path(folder) / "photos").glob("*.JPEG"))):
        return Pool(f"{len(found)} photographs of ImageNet", np.stack([opened(path, side) for path in found]))
    return Pool(MADE_UP, made_up(512 if side == 32 else 64, side))


def cifar10(folder: Path) -> NDArray[np.uint8]:
    """Return CIFAR-10's first 2,048 test images; unpacked once, in minutes, and kept in the temporary folder."""
    spec = importlib.util.spec_from_file_location("load_cifar10", folder / "load_cifar10.py")
    assert spec is not None  # noqa: S101 the file is there
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    cache = Path(tempfile.gettempdir()) / "faa-benchmarks-cifar10.npy"
    (_train, _labels), (test_BHWC, _test_labels) = module.load(root=str(folder), cache=str(cache))
    return np.ascontiguousarray(test_BHWC[:2048])


def opened(path: Path, side: int) -> NDArray[np.uint8]:
    """Return the middle of a photograph at a size, RGB ``[H, W, C]``."""
    with Image.open(path) as photograph:
        return np.asarray(ImageOps.fit(photograph.convert("RGB"), (side, side), Image.Resampling.BICUBIC))


def made_up(count: int, side: int) -> NDArray[np.uint8]:
    """Return smooth random images ``[B, H, W, C]``: histogram operations depend on how many values an image has."""
    coarse = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    resized = (Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC) for one in coarse)
    return np.stack([np.asarray(one) for one in resized])
