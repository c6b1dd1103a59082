"""A policy as a torchvision v2 transform: what it takes, keeps, refuses and draws."""

import pickle  # noqa: TID251 a DataLoader that starts its workers afresh pickles the transform
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.Image import Image as PILImage
from torch.utils.data import DataLoader
from torchvision import tv_tensors
from torchvision.datasets import FakeData
from torchvision.transforms import v2

from faa_core import FaaError, Op, Policy, SubPolicies
from faa_core.transform import PolicyTransform

Picture = Callable[[str], PILImage]
INVERT = SubPolicies(name="invert", sub_policies=((Op(op="Invert", p=1, magnitude=0),),))


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


@pytest.mark.parametrize(
    "other",
    [
        tv_tensors.BoundingBoxes([[0, 0, 4, 4]], format="XYXY", canvas_size=(32, 32)),
        tv_tensors.Mask(torch.zeros(32, 32, dtype=torch.uint8)),
        tv_tensors.KeyPoints([[1, 1]], canvas_size=(32, 32)),
        tv_tensors.Video(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)),
    ],
    ids=lambda other: type(other).__name__,
)
def test_what_would_have_to_move_too_is_refused(other: torch.Tensor, picture: Picture) -> None:
    """Boxes, masks, key points and videos, alone or beside an image."""
    for given in ((other,), (picture("noise"), other)):
        with pytest.raises(TypeError, match=f"cannot take a {type(other).__name__}"):
            INVERT.transform()(*given)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(3, 4, 4),
        torch.zeros(3, 4, 4, dtype=torch.int64),
        torch.zeros(2, 4, 4, dtype=torch.uint8),
        torch.zeros(4, 4, 4, dtype=torch.uint8),
        torch.zeros(4, 4, dtype=torch.uint8),
        torch.zeros(1, 3, 4, 4, dtype=torch.uint8),
    ],
    ids=lambda tensor: f"{tensor.dtype}-{list(tensor.shape)}",
)
def test_other_tensors_are_refused(tensor: torch.Tensor) -> None:
    """The error says what it takes and what it was given."""
    with pytest.raises(TypeError, match=r"uint8 tensors \[1 or 3, H, W\], not torch\."):
        INVERT.transform()(tensor)
    if tensor.ndim != 2:  # torchvision's Image makes it [1, H, W]
        with pytest.raises(TypeError, match=r"uint8 tensors \[1 or 3, H, W\], not torch\."):
            INVERT.transform()(tv_tensors.Image(tensor))


def test_no_image_is_refused() -> None:
    """An array would otherwise pass through without augmentation, and nobody would notice."""
    with pytest.raises(TypeError, match="found no image"):
        INVERT.transform()(np.zeros((4, 4, 3), dtype=np.uint8))


def test_other_modes_are_refused() -> None:
    """As by the policy itself."""
    with pytest.raises(FaaError, match="not RGBA"):
        INVERT.transform()(Image.new("RGBA", (4, 4)))


def test_draws_follow_torchs_seed(picture: Picture) -> None:
    """The same seed repeats, another differs, and each call draws anew."""
    transform, image = Policy.load("fa-reduced-cifar10").transform(), picture("noise")
    assert seeded(transform, image, 1) == seeded(transform, image, 1)
    assert seeded(transform, image, 1) != seeded(transform, image, 2)
    assert len(set(seeded(transform, image, 1, 50))) > 25


def test_draws_are_the_policys(picture: Picture) -> None:
    """The row drawn from torch goes through the policy's `steps`."""
    policy, image = Policy.load("uniform-random"), picture("noise")
    for seed in range(20):
        torch.manual_seed(seed)
        row = torch.rand(policy.slots, dtype=torch.float64).tolist()
        torch.manual_seed(seed)
        assert policy.apply_steps(image, policy.steps(row)).tobytes() == policy.transform()(image).tobytes()


def test_several_images_of_a_sample_share_the_draw(picture: Picture) -> None:
    """As v2 transforms do."""
    torch.manual_seed(0)
    for _ in range(10):
        left, right = Policy.load("uniform-random").transform()(picture("noise"), picture("noise"))
        assert left.tobytes() == right.tobytes()


@pytest.mark.parametrize("name", ["fa-reduced-svhn", "trivialaugment", "autoaugment-imagenet"])
def test_a_pickled_transform_draws_the_same(name: str, picture: Picture) -> None:
    """Also after use, when its table is already built."""
    transform, image = Policy.load(name).transform(), picture("noise")
    expected = seeded(transform, image, 3)
    again = pickle.loads(pickle.dumps(transform))  # noqa: S301 our own bytes
    assert transform.policy == again.policy
    assert expected == seeded(again, image, 3)


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # on a machine with one core
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # Python 3.12 and later, where fork is used
def test_in_a_data_loader_with_workers() -> None:
    """Batches arrive, differ from the plain images, and repeat with the loader's seed."""
    plain = torch.stack([v2.functional.pil_to_tensor(FakeData(12, (3, 16, 16))[index][0]) for index in range(12)])
    pipeline = v2.Compose([Policy.load("trivialaugment").transform(), v2.PILToTensor()])

    def images(seed: int) -> torch.Tensor:
        loader = DataLoader(
            FakeData(12, (3, 16, 16), transform=pipeline),
            batch_size=3,
            num_workers=2,
            generator=torch.Generator().manual_seed(seed),
        )
        return torch.cat([batch for batch, _label in loader])

    first = images(0)
    assert (12, 3, 16, 16) == tuple(first.shape)
    assert torch.equal(first, images(0))
    assert not torch.equal(first, images(1))
    assert (first != plain).flatten(1).any(1).sum() >= 6


def test_its_name_is_shown() -> None:
    """`repr` tells which policy it is."""
    assert "PolicyTransform(policy='invert')" == repr(INVERT.transform())


def test_the_package_imports_without_torch() -> None:
    """Reading and drawing policies needs numpy and Pillow only; torch is loaded for the transform."""
    code = "import sys, faa_core; faa_core.Policy.load('fa-reduced-cifar10'); sys.exit('torch' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode
