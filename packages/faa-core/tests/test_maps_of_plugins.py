"""A geometric operation of a plugin: one map, and every engine has Pillow's pixels."""

import math
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors

from faa_core import FaaError, Op, Policy, SubPolicies, operation
from faa_core.engines.choosing import missing_for

MAPS = """
import math
from functools import partial
from faa_core import Operation
from faa_core.operations.kernels import Moved

def zoom(factor, width, height, drawn):
    return 1 / factor, 0, width / 2 * (1 - 1 / factor), 0, 1 / factor, height / 2 * (1 - 1 / factor)

def stretch(factor, width, height, drawn):
    return 1, 0, 0, 0, factor, 0.3

def swirl(degrees, width, height, drawn):
    x, y = drawn.centre[0] * width, drawn.centre[1] * height
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees)) * (1 + drawn.shape[0])
    return cosine, sine, x - cosine * x - sine * y, -sine, cosine, y + sine * x - cosine * y

def helped(fraction, width, height, drawn):
    return 1, 0, shift(fraction, width), 0, 1, 0

def shift(fraction, width):
    return int(fraction * width)

def scaled(by, factor, width, height, drawn):
    return zoom(by * factor, width, height, drawn)

class Callable:
    def __call__(self, factor, width, height, drawn):
        return zoom(factor, width, height, drawn)

def own(image, argument, canvas):
    return Moved(zoom)(image, argument, canvas).rotate(1)

ZOOM = Operation(name="Zoom", kernel=Moved(zoom), low=0.25, high=4.0, unit="factor", matrix=zoom)
STRETCH = Operation(name="Stretch", kernel=Moved(stretch), low=0.5, high=2.0, unit="factor", matrix=stretch)
SWIRL = Operation(name="Swirl", kernel=Moved(swirl), high=300.0, unit="degrees", mirrored=True, matrix=swirl)
HELPED = Operation(name="Helped", kernel=Moved(helped), low=-0.5, high=0.5, unit="fraction", matrix=helped)
PARTIAL = Operation(name="Partial", kernel=Moved(partial(scaled, 1.5)), low=0.5, high=2.0, unit="factor")
OBJECT = Operation(name="Object", kernel=Moved(Callable()), low=0.5, high=2.0, unit="factor")
OWN = Operation(name="Own", kernel=own, high=2.0, low=0.5, unit="factor", matrix=zoom)
FAR = Operation(name="Far", kernel=Moved(zoom), low=1e-6, high=1.0, unit="factor", matrix=zoom)
"""
NAMES = ("Zoom", "Stretch", "Swirl", "Helped", "Partial", "Object", "Own", "Far")
ENGINES = (
    "torch",
    pytest.param("numba", marks=pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")),
)
SIZES = ((32, 32), (33, 48), (7, 5), (1, 1), (64, 96))
COUNT = 300


@pytest.fixture(autouse=True)
def _installed(install):
    entries = {name: f"throwaway_maps:{name.upper()}" for name in NAMES}
    install("throwaway-maps", group="faa.ops", entries=entries, modules={"throwaway_maps": MAPS})


def policy_of(*names: str, **fields: object) -> Policy:
    """Return a policy of one sub-policy with each operation at several magnitudes, factors of 1.5 and 3 among them."""
    magnitudes = (0.0, (1.5 - 0.25) / 3.75, (3 - 0.25) / 3.75, 0.61803, 1.0)
    return SubPolicies(
        sub_policies=tuple((Op(op=name, p=0.9, magnitude=at),) for name in names for at in magnitudes), **fields
    )


def images_of(height: int, width: int, channels: int = 3) -> torch.Tensor:
    rng = np.random.default_rng(height * 100 + width)
    return torch.from_numpy(rng.integers(0, 256, (COUNT, channels, height, width), dtype=np.uint8))


def augmented(policy: Policy, images: torch.Tensor, engine: str) -> torch.Tensor:
    return policy.to_batch(engine=engine)(images, seed=3, epoch=1, indices=range(len(images)))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["Zoom", "Stretch", "Swirl"])
def test_its_pixels_are_pillows(name: str, engine: str) -> None:
    """Every engine, over many sizes; scales whose pixels fall on borders between pixels too."""
    policy = policy_of(name, fill=(1, 200, 90))
    assert not missing_for(policy)[engine]
    for size in SIZES:
        for channels in (1, 3):
            images = images_of(*size, channels)
            assert torch.equal(augmented(policy, images, "pillow"), augmented(policy, images, engine)), size


@pytest.mark.parametrize("name", ["Zoom", "Swirl"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_its_pixels_are_pillows_between_pixels(name: str, interpolation: str) -> None:
    """Plain torch has them, as it has ours."""
    policy, images = policy_of(name, interpolation=interpolation), images_of(33, 48)
    assert torch.equal(augmented(policy, images, "pillow"), augmented(policy, images, "torch"))


def test_its_mask_moves_as_the_image() -> None:
    """A mask that says where each pixel was agrees with the pixels."""
    height, width = 24, 36
    numbers = torch.arange(1, height * width + 1).reshape(height, width) % 251 + 1
    image = Image.fromarray(numbers.numpy().astype(np.uint8))
    transform = policy_of("Zoom", "Stretch", "Swirl").transform()
    changed = 0
    for _ in range(50):
        moved, mask = transform(image, tv_tensors.Mask(numbers.to(torch.uint8)))
        assert np.array_equal(np.asarray(moved), mask.numpy())
        changed += not torch.equal(mask, numbers)
    assert changed > 30


def test_the_map_is_drawn_by_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ours is: "auto" takes numba, and its draws have the bits of the plain ones."""
    pytest.importorskip("numba")
    from faa_core.drawing.drawing import draw_instructions, prepare  # noqa: PLC0415

    policy = policy_of("Zoom", "Swirl", "Stretch")
    plainly, by_numba = (
        draw_instructions(prepare(policy), (99, 0), np.arange(2000), (31, 47), compiled=compiled)
        for compiled in (False, True)
    )
    assert plainly.tolist() == by_numba.tolist()
    assert len({row[0] for row in plainly[:, 0].tolist()}) == 2
    assert not policy.to_batch()._undrawable


@pytest.mark.parametrize("name", ["Helped", "Partial", "Object"])
def test_a_map_that_numba_cannot_compile(name: str) -> None:
    """It calls a function that numba does not know, or is none: torch carries it out, and numba says why it cannot."""
    pytest.importorskip("numba")
    policy, images = policy_of(name), images_of(20, 30)
    assert f"numba cannot compile the map of '{name}'" in missing_for(policy)["numba"]
    assert not missing_for(policy)["torch"]
    assert torch.equal(augmented(policy, images, "pillow"), augmented(policy, images, "auto"))
    with pytest.raises(FaaError, match=f"numba cannot compile the map of '{name}'"):
        augmented(policy, images, "numba")


def test_a_kernel_that_does_more_than_its_map() -> None:
    """Its pixels are the kernel's alone, image by image."""
    policy = policy_of("Own")
    assert missing_for(policy)["torch"] == missing_for(policy)["numba"] == "the operation 'Own' has its own pixels"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_map_that_reads_too_far_away(engine: str) -> None:
    """It is refused, with what can be done; Pillow has room for it."""
    policy, images = policy_of("Far"), images_of(8, 8)
    with pytest.raises(FaaError, match=r"A map of Far is not finite, or reads 32,768 pixels away .* engine='pillow'"):
        augmented(policy, images, engine)
    assert augmented(policy, images, "pillow").shape == images.shape


def test_a_row_is_all_that_an_operation_is() -> None:
    """Name, map and range: the base is its own, and nothing else lists it."""
    row = operation("Zoom")
    assert (row.base, row.neutral, math.isclose(row.argument(0.2), 1.0)) == ("Zoom", 1.0, True)
