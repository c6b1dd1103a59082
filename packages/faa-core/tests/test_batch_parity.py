"""The pixels of a batch against Pillow's, to the bit: operations × magnitudes × signs × images × sizes × engines.

Shapes: B images, C channels, H × W pixels, M partners.
"""

import os
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Image as PILImage
from torch import Tensor

from faa_core import Op, Policy, SubPolicies, operation, random_policy
from faa_core.operations import STANDARD, operation_names
from faa_core.policies.document import OperationRow

Array = NDArray[np.uint8]
OPERATIONS = operation_names()
MAGNITUDES = tuple(step / 22 for step in range(23))
KINDS = ("gradient", "noise", "constant", "two values", "near black", "flat noise", "stripes")
ENGINES = (
    "torch",
    pytest.param("numba", marks=pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")),
)
FILL = (10, 200, 90)


def pixels_of(kind: str, height: int, width: int) -> Array:
    """Return an RGB image, ``[H, W, 3]``, that some operation finds awkward."""
    rng = np.random.default_rng(height * 1000 + width)
    x_W, y_H1 = np.linspace(0, 255, width), np.linspace(0, 255, height)[:, None]
    match kind:
        case "gradient":
            image = np.stack([x_W + 0 * y_H1, y_H1 + 0 * x_W, (x_W + y_H1) / 2], axis=-1)
        case "noise":
            image = rng.integers(0, 256, (height, width, 3))
        case "constant":
            image = np.broadcast_to((13, 128, 255), (height, width, 3))
        case "two values":
            image = rng.choice((31, 222), (height, width, 3))
        case "near black":
            image = rng.integers(0, 3, (height, width, 3))
        case "flat noise":
            image = rng.normal((127, 60, 200), (6, 2, 20), (height, width, 3)).clip(0, 255)
        case _:
            image = (
                np.where(np.arange(width)[None, :, None] // 3 % 2, (250, 7, 128), (0, 255, 127)) + 0 * y_H1[..., None]
            )
    return image.astype(np.uint8)


def pictures(height: int, width: int, channels: int) -> list[PILImage]:
    """Return one image of each kind: RGB for three channels, L for one."""
    images = [Image.fromarray(pixels_of(kind, height, width)) for kind in KINDS]
    return images if channels == 3 else [image.convert("L") for image in images]


@cache
def photographs(height: int, width: int) -> tuple[PILImage, ...]:
    """Return photographs brought to a size."""
    folder = Path(os.environ.get("FAA_TEST_DATA", "nowhere")) / "photos"
    paths = sorted(path for path in folder.glob("*.*") if path.suffix in (".png", ".JPEG"))
    return tuple(Image.open(path).convert("RGB").resize((width, height)) for path in paths)


def batched(images: list[PILImage]) -> Tensor:
    """Return images as uint8 ``[B, C, H, W]``."""
    images_BHWC = np.stack([np.asarray(image).reshape(image.height, image.width, -1) for image in images])
    return torch.from_numpy(images_BHWC).permute(0, 3, 1, 2).contiguous()


def every_magnitude(name: str, *, magnitudes: tuple[float, ...] = MAGNITUDES, **fields: object) -> tuple[Policy, Array]:
    """Return a policy of one operation, and indices at which each of its magnitudes is drawn with each of its signs."""
    policy = SubPolicies(
        sub_policies=tuple((Op(op=name, p=1.0, magnitude=at),) for at in magnitudes), fill=FILL, **fields
    )
    first: dict[float, int] = {}
    for index, (step,) in enumerate(policy.draw(seed=1, epoch=2, indices=np.arange(30 * len(magnitudes)))):
        first.setdefault(step.argument, index)
    row, signs = operation(name), (False, True) if operation(name).mirrored else (False,)
    assert set(first) == {row.argument(at, reflected=sign) for at in magnitudes for sign in signs}
    return policy, np.array(sorted(first.values()))


def differing(policy: Policy, images: list[PILImage], indices: Array, engine: str, partners: int = 5) -> str:
    """Return which images of a batch differ from Pillow's, and by how much; empty if none does.

    Every image is paired with every index. The partners are the first images, in reverse.
    """
    pairs = [(image, int(index)) for image in images for index in indices]
    others = images[:partners][::-1]
    module = policy.to_batch(engine=engine, partners=batched(others))
    keyed = policy.draw(seed=1, epoch=2, indices=np.array([index for _image, index in pairs]))
    drawn_B = torch.tensor([index for _image, index in pairs])
    got = module(batched([image for image, _index in pairs]), seed=1, epoch=2, indices=drawn_B)
    apart = [
        (index, [(step.operation.name, step.argument) for step in steps], int((own - expected).abs().max()))
        for (image, index), steps, own in zip(pairs, keyed, got.int(), strict=True)
        if not own.equal(expected := batched([policy.apply_steps(image, steps, partners=others)])[0].int())
    ]
    return "" if not apart else f"{len(apart)} of {len(pairs)}, {apart[:3]}"


def test_no_operation_is_forgotten() -> None:
    """Everything that is installed under this package's name is tried below."""
    own = set(STANDARD)
    assert own == {name for name in OPERATIONS if operation(name).base == name}
    assert len(own) == 29


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_pillows_to_the_bit(name: str, engine: str) -> None:
    """At 23 magnitudes with each sign, on every kind of image, RGB and L, down to one pixel."""
    if (name, engine) == ("RandomResizedCrop", "numba"):
        pytest.skip("numba has no RandomResizedCrop")
    policy, indices = every_magnitude(name)
    for height, width in ((32, 32), (37, 53), (1, 1), (2, 5), (3, 3), (5, 2)):
        for channels in (1, 3):
            assert not differing(policy, pictures(height, width, channels), indices, engine), (height, width, channels)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_large_images(name: str, engine: str) -> None:
    """At 224 × 224, where histograms and fixed-point coordinates are long, and on a long strip."""
    if (name, engine) == ("RandomResizedCrop", "numba"):
        pytest.skip("numba has no RandomResizedCrop")
    policy, indices = every_magnitude(name, magnitudes=(0.0, 0.37, 1.0))
    for height, width in ((224, 224), (3, 2000)):
        images = pictures(height, width, 3)[:: 3 if height > 3 else 1]
        assert not differing(policy, images, indices, engine, partners=2)


@pytest.mark.shared_data
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_photographs(name: str, engine: str) -> None:
    """Real ones, whose histograms and edges no formula makes."""
    if not photographs(37, 53):
        pytest.skip("FAA_TEST_DATA names no folder with photos")
    if (name, engine) == ("RandomResizedCrop", "numba"):
        pytest.skip("numba has no RandomResizedCrop")
    policy, indices = every_magnitude(name)
    assert not differing(policy, list(photographs(37, 53)), indices, engine)
    policy, indices = every_magnitude(name, magnitudes=(0.1, 0.9))
    assert not differing(policy, list(photographs(160, 128)[:4]), indices, engine)


GEOMETRIC = [name for name in OPERATIONS if operation(name).matrix is not None]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("name", GEOMETRIC)
def test_interpolation_is_pillows_to_the_bit(name: str, interpolation: str) -> None:
    """Float64 arithmetic in the same order, so also what lies between pixels is equal, not only near."""
    policy, indices = every_magnitude(name, magnitudes=MAGNITUDES[::2], interpolation=interpolation)
    for height, width in ((32, 32), (37, 53), (1, 1), (2, 5), (3, 3)):
        for channels in (1, 3):
            assert not differing(policy, pictures(height, width, channels), indices, "torch"), (height, width, channels)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("degrees", [90.0, 180.0, 270.0, 360.0, 45.0, 1e-9])
def test_quarter_turns(degrees: float, engine: str) -> None:
    """Exact on squares, as Pillow's; sampled on others."""
    axis = OperationRow(kernel="Rotate", low=-degrees, high=degrees, unit="degrees")
    policy = SubPolicies(
        operations={"Turn": axis}, sub_policies=tuple((Op(op="Turn", p=1.0, magnitude=end),) for end in (0.0, 1.0))
    )
    for height, width in ((32, 32), (33, 33), (37, 53), (1, 4)):
        assert not differing(policy, pictures(height, width, 3), np.arange(8), engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("kernel", "unit", "low", "high"),
    [
        ("ShearX", "fraction", -2.0, 3.0),
        ("ShearY", "fraction", -2.0, 3.0),
        ("TranslateX", "fraction", -70.0, 3.0),
        ("TranslateYAbs", "pixels", -100_000.0, 65_536.0),
        ("TranslateXAbs", "pixels", -1.5, 1.5),
        ("Rotate", "degrees", -1000.0, 725.0),
        ("Brightness", "factor", -1.0, 40.0),
        ("Contrast", "factor", -1.0, 40.0),
        ("Color", "factor", -1.0, 40.0),
        ("Sharpness", "factor", -2.0, 40.0),
        ("Solarize", "threshold", -9.0, 300.0),
        ("SolarizeAdd", "value", -200.0, 300.0),
        ("SolarizeAdd", "value", -1e4, 1e4),
        ("Posterize", "bits", -1.0, 9.0),
        ("CutoutAbs", "pixels", -3.0, 200.0),
        ("Crop", "pixels", -3.0, 60.0),
    ],
)
def test_axes_beyond_the_standard(kernel: str, unit: str, low: float, high: float, engine: str) -> None:
    """A document may give any range under a name of its own."""
    axis = OperationRow(kernel=kernel, low=low, high=high, unit=unit)
    uses = tuple((Op(op="Own", p=1.0, magnitude=at),) for at in MAGNITUDES)
    policy = SubPolicies(operations={"Own": axis}, sub_policies=uses, fill=FILL)
    for height, width in ((32, 32), (37, 53)):
        assert not differing(policy, pictures(height, width, 3)[:3], np.arange(60), engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_random_sub_policies_of_two_operations(engine: str) -> None:
    """Whatever follows whatever: 4,000 images through 1,000 random pairs of all operations, RGB and L."""
    usual = tuple(name for name in OPERATIONS if engine == "torch" or name != "RandomResizedCrop")
    policy = random_policy(1000, seed=5, ops=usual).model_copy(update={"fill": FILL})
    for channels in (1, 3):
        for part, images in enumerate((pictures(32, 32, channels), pictures(37, 53, channels))):
            assert not differing(policy, images, np.arange(part * 300, part * 300 + 290), engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", sorted(entry_points(group="faa.policies").names))
def test_the_policies_that_come_with_the_package(name: str, engine: str) -> None:
    """To the bit on 700 images each, of two sizes."""
    for height, width in ((32, 32), (37, 53)):
        assert not differing(Policy.load(name), pictures(height, width, 3), np.arange(50), engine)
