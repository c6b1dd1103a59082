"""Where images come from: one array in memory, or files that are decoded when asked for.

Every source gives RGB images; `to_rgb` converts other modes to RGB.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Image as PILImage

from faa_core import FaaError

Result = TypeVar("Result")


class ImageSource(ABC):
    """Labelled images.

    Attributes:
        labels: Shape ``[N]``, int64, in ``range(len(class_names))``.
        class_names: One per class.
    """

    labels: NDArray[np.int64]
    class_names: tuple[str, ...]

    @abstractmethod
    def image(self, index: int) -> PILImage:
        """Return one image, mode RGB.

        Raises:
            FaaError: If it cannot be read; the message names it.
        """

    @abstractmethod
    def subset(self, indices: NDArray[np.int64]) -> "ImageSource":
        """Return the images at the indices, in their order."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class ArraySource(ImageSource):
    """Images of one size, in memory; subsets share one array, and grey images stay grey there.

    Attributes:
        stored: Shape ``[M, H, W, C]``, uint8, of 3 channels or of one.
        positions: Shape ``[N]``: which of the stored images these are; None for all, in their order.
    """

    stored: NDArray[np.uint8]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    positions: NDArray[np.int64] | None = None

    @property
    def side(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.stored.shape[1], self.stored.shape[2]

    @property
    def images(self) -> NDArray[np.uint8]:
        """All images, ``[N, H, W, 3]``; those of a subset, or of grey images, are copied."""
        whole = self.positions is None and self.stored.shape[3] == 3
        return self.stored if whole else self.pixels(np.arange(len(self)))

    def pixels(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return a copy of the images at the indices, ``[B, H, W, 3]``."""
        found = self.stored[indices if self.positions is None else self.positions[indices]]
        return found if found.shape[3] == 3 else np.repeat(found, 3, axis=3)

    def image(self, index: int) -> PILImage:
        """Return one image."""
        return Image.fromarray(self.pixels(np.array([index]))[0])

    def subset(self, indices: NDArray[np.int64]) -> "ArraySource":
        """Return the images at the indices."""
        positions = indices if self.positions is None else self.positions[indices]
        return ArraySource(self.stored, self.labels[indices], self.class_names, positions)


class ImageFiles(Protocol):
    """Encoded images by number; picklable, for loader processes."""

    def open(self, number: int) -> AbstractContextManager[PILImage]:
        """Return a context that gives an image of any mode, not necessarily decoded yet."""

    def name(self, number: int) -> str:
        """Return which file or row it is, for messages."""


@dataclass(frozen=True, eq=False)
class DecodedSource(ImageSource):
    """Images that are opened and decoded one at a time, when asked for.

    Attributes:
        files: The underlying data set.
        positions: Shape ``[N]``: which of the underlying images these are.
    """

    files: ImageFiles
    positions: NDArray[np.int64]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]

    def image(self, index: int) -> PILImage:
        """Return one image, decoded and converted to RGB."""
        position = int(self.positions[index])
        return self._read(position, to_rgb)

    def header(self, index: int) -> tuple[str, tuple[int, int]]:
        """Return the mode and (width, height) of one image, without decoding its pixels where the format allows."""
        return self._read(int(self.positions[index]), lambda image: (image.mode, image.size))

    def subset(self, indices: NDArray[np.int64]) -> "DecodedSource":
        """Return the images at the indices."""
        return DecodedSource(self.files, self.positions[indices], self.labels[indices], self.class_names)

    def _read(self, position: int, use: Callable[[PILImage], Result]) -> Result:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what decoders mind and get over
                with self.files.open(position) as image:
                    return use(image)
        except Exception as error:  # what decoders raise is not listed anywhere
            reason = str(error) or type(error).__name__
            raise FaaError(
                f"The image '{self.files.name(position)}' cannot be read: {reason:.300}. Replace or remove it."
            ) from error


def check_labels(labels: NDArray[Any], classes: int | None, files: ImageFiles) -> None:
    """Refuse images without a class.

    Args:
        labels: Shape ``[N]``, the classes' numbers; a number below 0 stands for none.
        classes: How many there are; None if each label is one.
        files: The images.

    Raises:
        FaaError: If one has no class; it is named.
    """
    if labels.size == 0 or labels.dtype.kind not in "iu":
        return
    if labels.min() < 0:
        raise FaaError(f"The image '{files.name(int(labels.argmin()))}' has no label (it is {labels.min()}).")
    if classes is not None and labels.max() >= classes:
        raise FaaError(
            f"The image '{files.name(int(labels.argmax()))}' has the label {labels.max()}, but there are {classes} "
            "classes, from 0 on."
        )


def to_rgb(image: PILImage) -> PILImage:
    """Return an image as RGB: grey is repeated, transparency is dropped, 16-bit grey keeps its high byte.

    Raises:
        ValueError: If the mode has no meaning as 8-bit RGB (32-bit integers and floats).
    """
    if image.mode == "RGB":
        return image.copy()
    if image.mode.startswith("I;16"):
        high_byte = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return Image.fromarray(high_byte).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError(f"its pixels are of mode {image.mode} (32 bits); save it as an 8-bit image")
    if image.mode == "P" and "transparency" in image.info:
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")
