"""Images that share one draw: the compiled way for PIL images, and tensors of any shape, against Pillow to the bit."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.Image import Image as PILImage
from torchvision.transforms.functional import pil_to_tensor

from faa_core import Op, Policy, SubPolicies, random_policy
from faa_core.applying.one_draw import OneDraw, shares_draws
from faa_core.engines import choosing
from faa_core.operations import operation_names
from faa_core.randomness import key_of, uniforms

USUAL = tuple(sorted({*operation_names()} - {"SamplePairing", "RandomResizedCrop"}))
POLICIES = {
    "every operation": random_policy(300, seed=6, num_ops=2, ops=USUAL).model_copy(update={"fill": (9, 100, 200)}),
    "odd number": random_policy(300, seed=7, num_ops=3, ops=USUAL),
    "published": Policy.load("fa-reduced-imagenet"),
    "wide": Policy.load("trivialaugment"),
}
WITHOUT_COMPILED = {
    "bicubic": POLICIES["odd number"].model_copy(update={"interpolation": "bicubic"}),
    "crops": random_policy(100, seed=8, ops=("RandomResizedCrop", "Rotate")),
}
KEYS = [key_of("a test", number) for number in range(150)]
compiled = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")


def noise(mode: str, width: int, height: int) -> PILImage:
    """Return random pixels."""
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    return Image.fromarray(np.random.default_rng(width).integers(0, 256, shape, dtype=np.uint8))


def by_pillow(policy: Policy, image: PILImage, key: int) -> PILImage:
    """Return the image after the draw of a key, by the kernels."""
    (row,) = uniforms(key, np.array([0]), policy.slots).tolist()
    return policy.apply_steps(image, policy.steps(row))


@compiled
@pytest.mark.parametrize("size", [(32, 32), (53, 37), (1, 1), (2, 5)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("name", POLICIES)
def test_pictures_are_pillows_to_the_bit(name: str, mode: str, size: tuple[int, int]) -> None:
    """A picture of the same size and mode, whose pixels are the kernels'; the one given stays as it is."""
    image, before = noise(mode, *size), noise(mode, *size)
    one_draw = OneDraw(POLICIES[name])
    assert one_draw.takes(image)
    for key in KEYS:
        result = one_draw.picture(image, key)
        assert (result.mode, result.size) == (mode, size)
        assert result.tobytes() == by_pillow(POLICIES[name], image, key).tobytes(), key
    assert image.tobytes() == before.tobytes()


@pytest.mark.parametrize("numba", [pytest.param(True, marks=compiled), False])
@pytest.mark.parametrize("name", [*POLICIES, *WITHOUT_COMPILED])
def test_tensors_are_pillows_to_the_bit(name: str, numba: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """All images of a tensor get the same draw, whatever its leading axes."""
    policy = {**POLICIES, **WITHOUT_COMPILED}[name]
    monkeypatch.setattr(choosing, "find_spec", lambda module: "found" if numba and module == "numba" else None)
    one_draw = OneDraw(policy)
    images = [noise("RGB", width, 20).crop((0, 0, 24, 20)) for width in (24, 25, 26, 27, 28, 29)]
    given_23CHW = torch.stack([pil_to_tensor(image) for image in images]).reshape(2, 3, 3, 20, 24)
    for key in KEYS[:40]:
        expected = torch.stack([pil_to_tensor(by_pillow(policy, image, key)) for image in images])
        assert torch.equal(expected.reshape(2, 3, 3, 20, 24), one_draw.tensors(given_23CHW, key))
        assert torch.equal(expected[0], one_draw.tensors(given_23CHW[0, 0], key))


def test_what_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """RGB and L pictures of up to 8,192 pixels, where the compiled engine is there and has the operations."""
    monkeypatch.setattr(choosing, "find_spec", lambda _module: "found")
    usual = OneDraw(POLICIES["published"])
    assert usual.takes(Image.new("L", (8192, 1)))
    assert not usual.takes(Image.new("L", (8193, 1)))
    assert not usual.takes(Image.new("RGBA", (4, 4)))
    assert not OneDraw(WITHOUT_COMPILED["bicubic"]).takes(Image.new("RGB", (4, 4)))
    monkeypatch.setattr(choosing, "find_spec", lambda _module: None)
    assert not OneDraw(POLICIES["published"]).takes(Image.new("RGB", (4, 4)))
    pairing = SubPolicies(sub_policies=((Op(op="SamplePairing", p=1.0, magnitude=1.0),),))
    assert not shares_draws(pairing)
    assert shares_draws(POLICIES["published"])
