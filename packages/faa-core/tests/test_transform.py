"""A policy as a torchvision v2 transform: what it takes, keeps, refuses and draws."""

import copy
import pickle  # noqa: TID251 a DataLoader that starts its workers afresh pickles the transform
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.Image import Image as PILImage
from torchvision import tv_tensors
from torchvision.transforms import v2

from faa_core import FaaError, Op, Policy, Step, SubPolicies, operation
from faa_core.applying.transform import PolicyTransform
from faa_core.operations import Canvas
from faa_core.randomness import uniforms

Picture = Callable[[str], PILImage]
INVERT = SubPolicies(name="invert", sub_policies=((Op(op="Invert", p=1, magnitude=0),),))


def unpickled(transform: PolicyTransform) -> PolicyTransform:
    """Return what a worker process gets."""
    return pickle.loads(pickle.dumps(transform))  # noqa: S301 our own bytes


def seeded(transform: PolicyTransform, image: PILImage, seed: int, count: int = 8) -> list[bytes]:
    """Return what a seed makes of an image, several times over."""
    torch.manual_seed(seed)
    return [transform(image).tobytes() for _ in range(count)]


@pytest.mark.parametrize("kind", ["noise", "odd", "dot", "grey-odd"])
def test_images_and_tensors_get_the_same_pixels(kind: str, picture: Picture) -> None:
    """PIL images, tensors and TVTensors keep their type and size; the pixels agree for one seed."""
    transform, image = Policy.load("uniform-random").transform(), picture(kind)
    tensor = v2.functional.pil_to_tensor(image)
    before = tensor.clone()
    for seed in range(10):
        torch.manual_seed(seed)
        from_image = transform(image)
        torch.manual_seed(seed)
        from_tensor = transform(tensor)
        torch.manual_seed(seed)
        from_tv_tensor = transform(tv_tensors.Image(tensor))
        assert (image.mode, image.size) == (from_image.mode, from_image.size)
        assert (torch.Tensor, torch.uint8, tensor.shape) == (type(from_tensor), from_tensor.dtype, from_tensor.shape)
        assert tv_tensors.Image is type(from_tv_tensor)
        assert torch.equal(v2.functional.pil_to_tensor(from_image), from_tensor)
        assert torch.equal(from_tensor, from_tv_tensor.as_subclass(torch.Tensor))
    assert torch.equal(before, tensor)


def test_inside_compose(picture: Picture) -> None:
    """Between other transforms, on an image and on a tensor."""
    image = picture("wide")
    expected = 255 - v2.functional.pil_to_tensor(image)
    first = v2.Compose([INVERT.transform(), v2.PILToTensor()])(image)
    second = v2.Compose([v2.PILToTensor(), INVERT.transform()])(image)
    assert torch.equal(expected, first)
    assert torch.equal(expected, second)
    scaled = v2.Compose([v2.ToImage(), INVERT.transform(), v2.ToDtype(torch.float32, scale=True)])(image)
    assert torch.allclose(expected / 255, scaled.as_subclass(torch.Tensor))


def test_labels_pass_unchanged(picture: Picture) -> None:
    """A label beside the image, number or tensor, is left alone, whatever the order and structure."""
    image = picture("noise")
    label = torch.tensor([1.5, 2.5])
    inverted, same, number = INVERT.transform()(image, label, 3)
    assert (label.tolist(), 3) == (same.tolist(), number)
    sample = INVERT.transform()({"label": label, "image": image})
    assert inverted.tobytes() == sample["image"].tobytes()
    assert label.tolist() == sample["label"].tolist()


@pytest.mark.parametrize("shape", [(1, 1, 6, 5), (4, 3, 6, 5), (2, 2, 3, 6, 5), (0, 3, 6, 5)])
@pytest.mark.parametrize("kind", [torch.Tensor, tv_tensors.Image, tv_tensors.Video])
def test_batches_and_clips_share_the_draw(kind: type, shape: tuple[int, ...]) -> None:
    """Every image of a batch and every frame of a clip becomes what it would alone, at the same seed."""
    transform = Policy.load("uniform-random").transform()
    plain = torch.randint(0, 256, shape, dtype=torch.uint8)
    given = plain if kind is torch.Tensor else kind(plain)
    for seed in range(10):
        torch.manual_seed(seed)
        whole = transform(given)
        assert (kind, torch.uint8, plain.shape) == (type(whole), whole.dtype, whole.shape)
        for image, augmented in zip(plain.reshape(-1, *shape[-3:]), whole.reshape(-1, *shape[-3:]), strict=True):
            torch.manual_seed(seed)
            assert torch.equal(transform(image), augmented.as_subclass(torch.Tensor))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(3, 4, 4),
        torch.zeros(3, 4, 4, dtype=torch.int64),
        torch.zeros(0, 4, 4, dtype=torch.uint8),
        torch.zeros(4, 4, dtype=torch.uint8),
    ],
    ids=lambda tensor: f"{tensor.dtype}-{list(tensor.shape)}",
)
def test_other_tensors_are_refused(tensor: torch.Tensor) -> None:
    """The error says what it takes and what it was given."""
    with pytest.raises(TypeError, match=r"uint8 or uint16 tensors \[\.\.\., C, H, W\], not torch\."):
        INVERT.transform()(tensor)
    if tensor.ndim != 2:  # torchvision's Image makes it [1, H, W]
        with pytest.raises(TypeError, match=r"uint8 or uint16 tensors \[\.\.\., C, H, W\], not torch\."):
            INVERT.transform()(tv_tensors.Image(tensor))


MIXING = SubPolicies(sub_policies=((Op(op="SamplePairing", p=1.0, magnitude=1.0),),))


@pytest.mark.parametrize("tensor", [torch.zeros(2, 4, 4, dtype=torch.uint8), torch.zeros(3, 4, 4, dtype=torch.uint16)])
def test_tensors_that_pillow_cannot_hold_are_refused_where_pillow_is_needed(tensor: torch.Tensor) -> None:
    """SamplePairing mixes in Pillow's images."""
    with pytest.raises(TypeError, match=r"uint8 tensors \[\.\.\., 1 or 3, H, W\], not torch\."):
        MIXING.transform(partners=[Image.new("RGB", (4, 4))])(tensor)


@pytest.mark.parametrize("name", ["trivialaugment", "uniform-random"])
def test_any_number_of_channels_and_sixteen_bits(name: str) -> None:
    """Geometric and pointwise operations have a meaning for every channel by itself."""
    policy = Policy.load(name).model_copy(update={"ops": ("ShearX", "Rotate", "Invert", "TranslateY")})
    bytes_CHW = torch.from_numpy(np.random.default_rng(3).integers(0, 256, (5, 12, 9), dtype=np.uint8))
    wide_CHW = bytes_CHW.to(torch.int32).mul(257).to(torch.uint16)
    for seed in range(30):
        results = []
        for image_CHW in (bytes_CHW, wide_CHW, *bytes_CHW[:, None]):
            torch.manual_seed(seed)
            results.append(policy.transform()(image_CHW))
        assert torch.equal(results[0], torch.cat(results[2:]))
        assert torch.equal(results[0].to(torch.int32) * 257, results[1].to(torch.int32))


def test_no_image_is_refused() -> None:
    """An array would otherwise pass through without augmentation, and nobody would notice."""
    with pytest.raises(TypeError, match="found no image"):
        INVERT.transform()(np.zeros((4, 4, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("mode", "way"),
    [
        ("P", r"convert\('RGB'\)"),
        ("CMYK", r"convert\('RGB'\)"),
        ("HSV", r"convert\('RGB'\)"),
        ("1", r"convert\('L'\)"),
        ("PA", r"convert\('RGBA'\)"),
        ("RGBa", r"convert\('RGBA'\)"),
        ("I", r"0…255 and use image\.convert\('L'\)"),
        ("F", r"0…255 and use image\.convert\('L'\)"),
        ("I;16", r"0…255 and use image\.convert\('L'\)"),
    ],
)
def test_other_modes_are_refused(mode: str, way: str) -> None:
    """The error names the mode and how to convert it."""
    with pytest.raises(FaaError, match=rf"not {mode}; .*{way}"):
        INVERT.transform()(Image.new(mode, (4, 4)))


def test_a_palette_with_transparency_is_converted_with_it() -> None:
    """Else the transparent colour would become visible."""
    image = Image.new("P", (4, 4))
    image.info["transparency"] = 0
    with pytest.raises(FaaError, match=r"convert\('RGBA'\)"):
        INVERT.transform()(image)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("name", ["Invert", "TranslateXPixels", "Rotate", "Crop", "Cutout", "AutoContrast"])
def test_alpha_moves_and_keeps_its_values(name: str, mode: str) -> None:
    """The colours are those without alpha; alpha is read from the same pixels, and 0 outside."""
    pixels = np.random.default_rng(5).integers(1, 256, (24, 30, len(mode)), dtype=np.uint8)
    pixels[..., -1] = pixels[..., 0]
    image, bands = Image.fromarray(pixels), mode.removesuffix("A")
    step = Step(operation(name), {"Cutout": 0.4, "Crop": 9.0}.get(name, 10.0), (0.2, 0.9))
    policy = INVERT.model_copy(update={"fill": (9, 9, 9)})
    moved = policy.transform().transform(image, {"draw": SimpleNamespace(steps=(step,))})
    assert (mode, image.size, pixels.tobytes()) == (moved.mode, moved.size, image.tobytes())
    assert policy.apply_steps(image.convert(bands), (step,)).tobytes() == moved.convert(bands).tobytes()
    alpha = Image.fromarray(pixels[..., -1].copy())
    expected = alpha
    if step.operation.matrix is not None:
        expected = step.operation.kernel(alpha, step.argument, Canvas(centre=step.centre))
        assert (np.asarray(expected) == 0).any()
    assert expected.tobytes() == moved.getchannel("A").tobytes()


def test_alpha_is_as_smooth_as_the_colours() -> None:
    """A policy with a smoother filter moves alpha with it."""
    image = Image.fromarray(np.random.default_rng(5).integers(0, 256, (24, 30, 4), dtype=np.uint8))
    steps = {"draw": SimpleNamespace(steps=(Step(operation("Rotate"), 20.0, (0, 0)),))}
    alphas = {
        INVERT.model_copy(update={"interpolation": name}).transform().transform(image, steps).getchannel("A").tobytes()
        for name in ("nearest", "bilinear", "bicubic")
    }
    assert 3 == len(alphas)


def test_partners_are_mixed_in(picture: Picture) -> None:
    """Images, tensors and colours beside alpha; without partners, or with others, the error says what is missing."""
    policy = SubPolicies(sub_policies=((Op(op="SamplePairing", p=1, magnitude=1),),))
    image = picture("noise")
    partners = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    transform = PolicyTransform(policy, partners=partners)
    expected = {Image.blend(image, partner, 0.4).tobytes() for partner in partners}
    assert expected == set(seeded(transform, image, 0, 20))
    mixed = transform(v2.functional.pil_to_tensor(image))
    assert v2.functional.to_pil_image(mixed).tobytes() in expected
    mixed = transform(image.convert("RGBA"))
    assert mixed.convert("RGB").tobytes() in expected
    assert 255 == mixed.getchannel("A").getextrema()[0]
    assert "partners=2" in repr(transform)
    with pytest.raises(FaaError, match="give the policy `partners`"):
        PolicyTransform(policy)(image)
    with pytest.raises(FaaError, match="takes partners like the image"):
        transform(picture("odd"))


def test_draws_follow_torchs_seed(picture: Picture) -> None:
    """The same seed repeats, another differs, and each call draws anew."""
    transform, image = Policy.load("fa-reduced-cifar10").transform(), picture("noise")
    assert seeded(transform, image, 1) == seeded(transform, image, 1)
    assert seeded(transform, image, 1) != seeded(transform, image, 2)
    assert len(set(seeded(transform, image, 1, 50))) > 25


def test_draws_are_the_policys(picture: Picture) -> None:
    """A key drawn from torch gives a row, which goes through the policy's `steps`; compiled or not."""
    policy, image = Policy.load("uniform-random"), picture("noise")
    for seed in range(20):
        torch.manual_seed(seed)
        row = uniforms(int(torch.randint(2**63 - 1, ())), np.zeros(1, dtype=np.int64), policy.slots)[0].tolist()
        torch.manual_seed(seed)
        assert policy.apply_steps(image, policy.steps(row)).tobytes() == policy.transform()(image).tobytes()


def test_several_images_of_a_sample_share_the_draw(picture: Picture) -> None:
    """As v2 transforms do."""
    torch.manual_seed(0)
    for _ in range(10):
        left, right = Policy.load("uniform-random").transform()(picture("noise"), picture("noise"))
        assert left.tobytes() == right.tobytes()


def test_a_plain_tensor_is_an_image_only_without_another(picture: Picture) -> None:
    """v2's rule: the first plain tensor, and none beside a PIL image, Image or Video."""
    image = picture("noise")
    tensor = v2.functional.pil_to_tensor(image)
    first, second = INVERT.transform()(tensor, tensor)
    assert torch.equal(255 - tensor, first)
    assert torch.equal(tensor, second)
    for other in (image, tv_tensors.Image(tensor), tv_tensors.Video(tensor[None])):
        assert torch.equal(tensor, INVERT.transform()(tensor, other)[0])
    _mask, found = INVERT.transform()(tv_tensors.Mask(tensor[0]), tensor)
    assert torch.equal(255 - tensor, found)


@pytest.mark.parametrize("copied", [copy.deepcopy, unpickled])
@pytest.mark.parametrize("name", ["fa-reduced-svhn", "trivialaugment", "autoaugment-imagenet"])
def test_a_copied_transform_draws_the_same(name: str, copied: Callable, picture: Picture) -> None:
    """Also after use, when its table is already built, and with partners."""
    image = picture("noise")
    transform = PolicyTransform(Policy.load(name), partners=[image])
    expected = seeded(transform, image, 3)
    again = copied(transform)
    assert transform.policy == again.policy
    assert expected == seeded(again, image, 3)
    assert [image.tobytes()] == [partner.tobytes() for partner in again.partners]


def test_it_cannot_be_scripted() -> None:
    """As v2 transforms of their own say."""
    with pytest.raises(RuntimeError, match="cannot be JIT scripted"):
        INVERT.transform().__prepare_scriptable__()


def test_its_name_is_shown() -> None:
    """`repr` tells which policy it is."""
    assert "PolicyTransform(policy='invert')" == repr(INVERT.transform())


def test_the_package_imports_without_torch() -> None:
    """Reading and drawing policies needs numpy and Pillow only; torch is loaded for the transform."""
    code = "import sys, faa_core; faa_core.Policy.load('fa-reduced-cifar10'); sys.exit('torch' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode
