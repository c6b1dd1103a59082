"""The test images of the golden set: whole-number arithmetic alone, so that any language can make them.

x counts columns and y rows, both from 0; W × H is the size; // rounds down and every intermediate number fits in 64
bits. Pixels are bytes, rows from the top, the channels of a pixel next to each other. The golden set carries the
SHA-256 of each image's bytes.

| name | mode | W × H | value |
|---|---|---|---|
| gradient | RGB | 32 × 32 | x·255 // (W − 1), y·255 // (H − 1), (x + y)·255 // (W + H − 2) |
| noise | RGB | 37 × 53 | the top byte of s ← (1664525·s + 1013904223) mod 2³², from s = 12345, byte by byte |
| two-colours | RGB | 32 × 32 | (200, 30, 90) where x // 5 + y // 3 is even, else (15, 180, 60) |
| scene | RGB | 53 × 37 | sky, sun and a hill, see `scene` |
| noise-grey | L | 32 × 32 | as noise, from s = 54321 |
| scene-grey | L | 37 × 53 | (2·R + 5·G + B) // 8 of the scene of that size |
"""

import hashlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Image as PILImage

Pixels = NDArray[np.uint8]


def images() -> dict[str, Pixels]:
    """Return the test images by name, uint8 ``[H, W, C]`` with C of 3 (RGB) or 1 (L)."""
    return {
        "gradient": gradient(32, 32),
        "noise": noise(37, 53, channels=3, state=12345),
        "two-colours": two_colours(32, 32),
        "scene": scene(53, 37),
        "noise-grey": noise(32, 32, channels=1, state=54321),
        "scene-grey": _luma(scene(37, 53)),
    }


def gradient(width: int, height: int) -> Pixels:
    """Return an image whose channels rise to the right, downwards and along the diagonal, from 0 to 255."""
    x, y = _grid(width, height)
    channels = (x * 255 // (width - 1), y * 255 // (height - 1), (x + y) * 255 // (width + height - 2))
    pixels_HWC: Pixels = np.stack(channels, axis=-1).astype(np.uint8)
    return pixels_HWC


def noise(width: int, height: int, *, channels: int, state: int) -> Pixels:
    """Return the top bytes of a linear congruential generator, from the state after `state` on."""
    values = bytearray()
    for _ in range(width * height * channels):
        state = (1664525 * state + 1013904223) % 2**32
        values.append(state >> 24)
    return np.frombuffer(values, dtype=np.uint8).reshape(height, width, channels)


def two_colours(width: int, height: int) -> Pixels:
    """Return bricks of two colours, 5 pixels wide and 3 high."""
    x, y = _grid(width, height)
    even = (x // 5 + y // 3) % 2 == 0
    return np.where(even[..., None], (200, 30, 90), (15, 180, 60)).astype(np.uint8)


def scene(width: int, height: int) -> Pixels:
    """Return what has the histogram of a photograph: a bright sky, a sun, a dark hill, and grain all over.

    In this order, later ones over earlier ones, with t = (31·x + 17·y + 7·x·y) mod 13 added to every channel:

    - sky: (90 + 90·y // H, 140 + 70·y // H, 225 − 20·y // H)
    - sun, where (4·x − 3·W)² + (4·y − H)² < (4·min(W, H) // 7)²: (240, 225, 120)
    - hill, where y > 3·H // 4 − x·(W − x)·H // W²: (30 + 40·x // W, 60 + 60·y // H, 35)
    """
    x, y = _grid(width, height)
    flat = np.zeros_like(x)
    sky = np.stack([90 + 90 * y // height, 140 + 70 * y // height, 225 - 20 * y // height], axis=-1)
    sun = (4 * x - 3 * width) ** 2 + (4 * y - height) ** 2 < (4 * min(width, height) // 7) ** 2
    hill = y > 3 * height // 4 - x * (width - x) * height // width**2
    ground = np.stack([30 + 40 * x // width, 60 + 60 * y // height, flat + 35], axis=-1)
    grain = (31 * x + 17 * y + 7 * x * y) % 13
    lit = np.where(sun[..., None], (240, 225, 120), sky)
    pixels_HWC: Pixels = (np.where(hill[..., None], ground, lit) + grain[..., None]).astype(np.uint8)
    return pixels_HWC


def sha256(pixels_HWC: Pixels) -> str:
    """Return the SHA-256 of an image's bytes in hexadecimal: rows from the top, channels next to each other."""
    return hashlib.sha256(np.ascontiguousarray(pixels_HWC).tobytes()).hexdigest()


def to_pillow(pixels_HWC: Pixels) -> PILImage:
    """Return uint8 ``[H, W, C]`` as a Pillow image: of mode L where C is 1, else RGB."""
    return Image.fromarray(pixels_HWC[..., 0] if pixels_HWC.shape[-1] == 1 else pixels_HWC)


def from_pillow(image: PILImage) -> Pixels:
    """Return a Pillow image of mode RGB or L as uint8 ``[H, W, C]``."""
    return np.array(image).reshape(image.height, image.width, -1)


def _luma(pixels_HWC: Pixels) -> Pixels:
    red, green, blue = np.moveaxis(pixels_HWC.astype(np.int64), -1, 0)
    pixels_HW1: Pixels = ((2 * red + 5 * green + blue) // 8).astype(np.uint8)[..., None]
    return pixels_HW1


def _grid(width: int, height: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return x and y of every pixel, each ``[H, W]``."""
    y, x = np.mgrid[:height, :width].astype(np.int64)
    return x, y
