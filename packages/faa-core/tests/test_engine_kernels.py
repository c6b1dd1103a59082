"""Kernels of the engines, pair by pair: one name, one order of arguments, and the pixels of the torch engine's.

Shapes: N images, C channels, H × W pixels.
"""

import inspect
import re
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from faa_core.engines.torch import geometry as torch_geometry
from faa_core.engines.torch import pixels as torch_pixels
from faa_core.operations.instructions import Code

COUNT = 7
SIZES = [(1, 1), (2, 5), (3, 3), (37, 53), (32, 32)]
SHAPE, ROOM = ("channels", "height", "width"), ("lut", "counts")  # what numba's kernels take beside the reference's
NAMES = {Code.AFFINE: "nearest", Code.FILL: "fill_box"}
KERNELS = sorted(NAMES.get(code, code.name.lower()) for code in Code if code not in (Code.NOTHING, Code.RESIZE))


def functions(*modules: ModuleType) -> dict[str, Callable[..., Any]]:
    """Return the public functions that modules define, those of numba and Triton as Python has them."""
    found = {}
    for module in modules:
        for name, member in vars(module).items():
            plain = getattr(member, "py_func", getattr(member, "fn", member))
            if inspect.isfunction(plain) and plain.__module__ == module.__name__ and not name.startswith("_"):
                found[name] = plain
    return found


def arguments(function: Callable[..., Any]) -> list[str]:
    """Return the names of arguments without their shapes."""
    return [re.sub("_([A-Z]+[0-9]*|[0-9]|ptr)$", "", name) for name in inspect.signature(function).parameters]


REFERENCE = functions(torch_pixels, torch_geometry)
WANTED = {name: [one for one in arguments(function) if one != "top"] for name, function in REFERENCE.items()}


def numba_kernels() -> dict[str, Any]:
    """Return numba's compiled kernels."""
    pytest.importorskip("numba")
    from faa_core.engines.numba import geometry, pixels  # noqa: PLC0415 numba is optional

    return {name: vars(module)[name] for module in (pixels, geometry) for name in functions(module)}


def test_numba_has_every_kernel_in_the_order_of_the_reference() -> None:
    """What it has beside: where an image is written, its shape, and room to work in at the end."""
    shared = {name: arguments(kernel.py_func) for name, kernel in numba_kernels().items() if name in REFERENCE}
    assert set(KERNELS) <= shared.keys()
    for name, given in shared.items():
        assert given[:2] == ["source", "target"], name
        shape = [one for one in given if one in SHAPE]
        assert given[2 : 2 + len(shape)] == shape == [one for one in SHAPE if one in shape], name
        left = given[2 + len(shape) :]
        while left and left[-1] in ROOM and left[-1] not in WANTED[name]:
            left.pop()
        assert ["images", *left] == WANTED[name], name


def test_triton_has_the_order_of_the_reference() -> None:
    """But for Contrast, AutoContrast and Equalize, whose tables it makes; and maps are followed as pixels are read."""
    pytest.importorskip("triton")
    from faa_core.engines.triton import pixels  # noqa: PLC0415 triton is optional

    shared = {name: arguments(kernel) for name, kernel in functions(pixels).items() if name in REFERENCE}
    pointwise = {"solarize", "solarize_add", "posterize", "brightness", "color", "sharpness"}
    assert shared.keys() == pointwise | {"blend", "luma", "look_up"}
    for name, given in shared.items():
        left = [one for one in given if not one.isupper() and one not in ("x", "y", "inside")]
        as_there = ["images" if one in ("pixels", "values", "source") else one for one in left]
        assert as_there == WANTED[name], name


def images_of(rng: np.random.Generator, channels: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return noisy, narrow, dark and constant images, ``[N, C, H, W]``."""
    images_NCHW = rng.integers(0, 256, (COUNT, channels, *size), dtype=np.uint8)
    images_NCHW[1::4] = images_NCHW[1::4] // 3 + 90
    images_NCHW[2::4] = images_NCHW[2::4] % 3
    images_NCHW[3::4] = rng.integers(0, 256, (channels, 1, 1))
    return images_NCHW


def maps_of(rng: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return inverse maps that shear, shift, mirror and turn, ``[N, 6]``."""
    height, width = size
    rows = []
    for number in range(COUNT):
        sine, shear, x, y = rng.uniform(-1, 1), rng.uniform(-0.5, 0.5), rng.integers(-3, 4), rng.integers(-3, 4)
        cosine = (1 - sine**2) ** 0.5
        turned = [cosine, sine, width * (1 - cosine) / 2, -sine, cosine, height * (1 - cosine) / 2]
        rows.append([[1, shear, x, 0, 1, y], [-1, 0, x + width, 0, 1, y], turned, [1, 0, x, shear, 1, y]][number % 4])
    return np.array(rows, dtype=np.float64)


def given_to(
    name: str, rng: np.random.Generator, images_NCHW: NDArray[np.uint8], size: tuple[int, int]
) -> NDArray[Any]:
    """Return an argument for each image, by its name."""
    channels, (height, width) = images_NCHW.shape[1], size
    ends_N4 = np.sort(rng.integers(0, (height + 1, width + 1), (2, COUNT, 2)), axis=0).transpose(1, 0, 2).reshape(-1, 4)
    ways: dict[str, Callable[[], NDArray[Any]]] = {
        "threshold": lambda: rng.integers(0, 256, COUNT).astype(np.float64),
        "addend": lambda: rng.integers(-130, 131, COUNT).astype(np.float64),
        "mask": lambda: 256.0 - 2.0 ** rng.integers(1, 9, COUNT),
        "factor": lambda: rng.uniform(0, 2.5, COUNT),
        "map": lambda: maps_of(rng, size),
        "box": lambda: ends_N4[:, [1, 0, 3, 2]].astype(np.float64),
        "colour": lambda: rng.integers(0, 256, (COUNT, channels, 1, 1), dtype=np.uint8),
        "partner": lambda: images_of(rng, channels, size),
        "lut": lambda: rng.integers(0, 256, (COUNT, channels, 256), dtype=np.uint8),
    }
    return ways[name]()


def by_numba(kernel: Any, image_CHW: NDArray[np.uint8], given: dict[str, NDArray[Any]]) -> NDArray[np.uint8]:
    """Return one image after a kernel of numba's, which is given what its arguments are called."""
    channels, height, width = image_CHW.shape
    target_P = np.full(image_CHW.size, 77, dtype=np.uint8)
    flat = {
        name: tuple(value.reshape(-1)) if name in ("map", "box", "colour") else value for name, value in given.items()
    }
    flat |= {name: value.reshape(-1) for name, value in given.items() if name in ("partner", "lut")}
    room = {"lut": np.empty(256, np.uint8), "counts": np.empty((4, 256), np.int32)}
    known = {"source": image_CHW.reshape(-1), "target": target_P, **dict(zip(SHAPE, image_CHW.shape, strict=True))}
    kernel(*(({**room, **known, **flat})[name] for name in arguments(kernel.py_func)))
    return target_P.reshape(channels, height, width)


@pytest.mark.parametrize("name", [*KERNELS, "look_up"])
def test_numba_gives_the_pixels_of_the_reference(name: str) -> None:
    """On random images and parameters, to the byte."""
    kernel, rng = numba_kernels()[name], np.random.default_rng(KERNELS.index(name) if name in KERNELS else 99)
    channels_of: Sequence[int] = {"color": (3,), "look_up": (1,)}.get(name, (1, 3))
    changed = 0
    for size in SIZES:
        for channels in channels_of:
            images_NCHW = images_of(rng, channels, size)
            given = {one: given_to(one, rng, images_NCHW, size) for one in WANTED[name][1:]}
            top = [255] if "top" in arguments(REFERENCE[name]) else []
            tensors = [torch.from_numpy(value) for value in given.values()]
            expected = REFERENCE[name](torch.from_numpy(images_NCHW), *tensors, *top).numpy()
            done = [
                by_numba(kernel, image_CHW, {one: value[number] for one, value in given.items()})
                for number, image_CHW in enumerate(images_NCHW)
            ]
            assert np.array_equal(expected, np.stack(done)), (size, channels)
            changed += not np.array_equal(expected, images_NCHW)
    assert changed > 1
