"""One call of the transform with everything that belongs to an image: one draw for all of it, nested as v2 does."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.Image import Image as PILImage
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.tv_tensors import BoundingBoxes, KeyPoints, Mask

from faa_core import FaaError, Op, SubPolicies


def shift(name: str = "TranslateXPixels", magnitude: float = 1.0) -> SubPolicies:
    """Return a policy that always moves."""
    return SubPolicies(name="shift", sub_policies=((Op(op=name, p=1, magnitude=magnitude),),))


def sample(image: PILImage) -> dict[str, Any]:
    """Return an image with everything that can belong to it, nested."""
    grey = torch.from_numpy(np.array(image.convert("L")))
    return {
        "image": image,
        "target": {
            "masks": Mask(grey),
            "boxes": BoundingBoxes([[4, 4, 20, 20]], format="XYXY", canvas_size=grey.shape),
            "labels": torch.tensor([7]),
        },
        "more": [KeyPoints([[10.0, 10.0]], canvas_size=grey.shape), "text", 3],
    }


def test_all_inputs_of_a_call_share_its_draw() -> None:
    """Nested as v2 does: the structure stays, labels and text pass, and everything moved by the same pixels."""
    pixels = np.random.default_rng(0).integers(1, 256, (32, 32), dtype=np.uint8)
    transform = shift().transform()
    seen = set()
    for seed in range(12):
        torch.manual_seed(seed)
        moved = transform(sample(Image.fromarray(pixels)))
        by = 10 - int(moved["more"][0][0, 0])
        seen.add(by)
        assert np.array_equal(np.asarray(moved["image"]), moved["target"]["masks"].numpy())
        assert [[max(4 - by, 0), 4, min(20 - by, 32), 20]] == moved["target"]["boxes"].tolist()
        expected = np.zeros_like(pixels)
        expected[:, max(0, -by) : 32 - max(0, by)] = pixels[:, max(0, by) : 32 - max(0, -by)]
        assert np.array_equal(expected, np.asarray(moved["image"]))
        assert (7, "text", 3) == (moved["target"]["labels"].item(), *moved["more"][1:])
    assert {-10, 10} == seen


def test_annotations_alone_are_moved() -> None:
    """As by v2's transforms: a mask is enough."""
    mask = Mask(torch.ones(8, 40, dtype=torch.uint8))
    assert 8 * 30 == int(shift().transform()(mask).sum())


def test_sizes_must_agree() -> None:
    """A mask of another size could not move with the image; two images alone may differ."""
    image, mask = Image.new("RGB", (32, 24)), Mask(torch.zeros(32, 24))
    with pytest.raises(FaaError, match=r"Image \(24, 32\), Mask \(32, 24\)"):
        shift().transform()(image, mask)
    larger, smaller = shift().transform()(image, Image.new("RGB", (8, 8)))
    assert ((32, 24), (8, 8)) == (larger.size, smaller.size)


def test_before_sanitizing() -> None:
    """Boxes that left the image are clamped to nothing, and v2.SanitizeBoundingBoxes removes them and their labels."""
    away = SubPolicies(
        operations={"Away": {"kernel": "TranslateXPixels", "low": 0, "high": 30, "unit": "pixels"}},
        sub_policies=((Op(op="Away", p=1, magnitude=1),),),
    )
    pipeline = v2.Compose([v2.RandomApply([away.transform()], p=1.0), v2.SanitizeBoundingBoxes(), v2.ToImage()])
    given = {
        "image": Image.new("RGB", (64, 64)),
        "boxes": BoundingBoxes([[0, 0, 20, 20], [40, 0, 60, 20]], format="XYXY", canvas_size=(64, 64)),
        "labels": torch.tensor([1, 2]),
    }
    found = pipeline(given)
    assert ([[10, 0, 30, 20]], [2]) == (found["boxes"].tolist(), found["labels"].tolist())
    assert isinstance(found["image"], tv_tensors.Image)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_results_stay_on_their_device() -> None:
    """With the same values as on the CPU."""
    given = {**sample(Image.new("RGB", (32, 32), (9, 8, 7))), "clip": tv_tensors.Video(torch.ones(2, 3, 32, 32).byte())}
    there = {
        "masks": given["target"]["masks"].cuda(), "boxes": given["target"]["boxes"].cuda(),
        "points": given["more"][0].cuda(), "clip": given["clip"].cuda(),
    }  # fmt: skip
    torch.manual_seed(3)
    moved = shift("Rotate").transform()(there)
    torch.manual_seed(3)
    expected = shift("Rotate").transform()({key: value.cpu() for key, value in there.items()})
    for key, value in moved.items():
        assert value.is_cuda
        torch.testing.assert_close(expected[key].as_subclass(Tensor), value.cpu().as_subclass(Tensor))
