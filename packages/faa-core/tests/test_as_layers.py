"""Policies as parts of torch's networks: compiled, in `nn.Sequential`, in evaluation, and as keys of dictionaries."""

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, default_collate
from torchvision import tv_tensors
from torchvision.transforms import v2

from faa_core import Choice, FaaError, Layers, Op, Parametric, Policy, SubPolicies
from faa_core.applying import Baseline, Normalize
from faa_core.policies.document import OperationRow

ENGINES = ("auto", "torch", "pillow")
IMAGES = torch.randint(0, 256, (6, 3, 12, 10), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
INVERT = SubPolicies(name="invert", sub_policies=((Op(op="Invert", p=1.0, magnitude=0.0),),))


@pytest.fixture
def compiler() -> Iterator[None]:
    """The compiler without what other tests compiled, and without its remarks."""
    logger = logging.getLogger("torch._dynamo")
    before = logger.level
    logger.setLevel(logging.ERROR)
    torch.compiler.reset()
    yield
    torch.compiler.reset()
    logger.setLevel(before)


def calls(module: Any, *inputs: Any, times: int = 5) -> list[Any]:
    """Return what several calls give after the same seed."""
    torch.manual_seed(3)
    return [module(*inputs) for _ in range(times)]


def picture(mode: str) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)).convert(mode)


@pytest.mark.parametrize("name", ["trivialaugment", "fa-reduced-cifar10"])
@pytest.mark.usefixtures("compiler")
def test_a_compiled_transform_draws_as_the_plain_one(name: str) -> None:
    """Tensors, PIL images and samples of several parts, one after the other through the same compiled object."""
    transform = Policy.load(name).transform()
    compiled = torch.compile(transform, backend="eager")
    plain, made = calls(transform, IMAGES[0]), calls(compiled, IMAGES[0])
    assert all(torch.equal(*pair) for pair in zip(plain, made, strict=True))
    assert len({image.numpy().tobytes() for image in plain}) > 1
    for mode in ("RGB", "L", "RGBA"):
        plain, made = calls(transform, picture(mode)), calls(compiled, picture(mode))
        assert [image.tobytes() for image in plain] == [image.tobytes() for image in made]
    sample = {"image": tv_tensors.Image(IMAGES[0]), "mask": tv_tensors.Mask(IMAGES[0, 0]), "label": 7}
    plain, made = calls(transform, sample), calls(compiled, sample)
    for one, other in zip(plain, made, strict=True):
        assert type(one["mask"]) is type(other["mask"]) is tv_tensors.Mask
        assert torch.equal(one["image"], other["image"])
        assert torch.equal(one["mask"], other["mask"])
    with pytest.raises(TypeError, match="found no image"):
        compiled("no image")


@pytest.mark.usefixtures("compiler")
def test_a_transform_before_layers_that_are_compiled() -> None:
    """What follows it is compiled, by torch's default compiler where that is a matter of a second."""
    pipeline = v2.Compose([Policy.load("trivialaugment").transform(), v2.ToDtype(torch.float32, scale=True)])
    network = nn.Sequential(pipeline, nn.Flatten(), nn.Tanh())
    plain, made = calls(network, IMAGES), calls(torch.compile(network, backend="aot_eager"), IMAGES)
    assert all(torch.equal(*pair) for pair in zip(plain, made, strict=True))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_batch_as_a_layer(engine: Any) -> None:
    """Without keys each image has its own draw, from torch's generator; in evaluation images are only normalised."""
    normalize = Normalize(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    policy, baseline = Policy.load("trivialaugment"), Baseline(pad=2, hflip=0.5, cutout=4)
    layer = policy.to_batch(baseline=baseline, normalize=normalize, engine=engine)
    network = nn.Sequential(layer, nn.Flatten())
    first = calls(network, IMAGES)
    assert all(torch.equal(*pair) for pair in zip(first, calls(network, IMAGES), strict=True))
    assert len({batch.numpy().tobytes() for batch in first}) == 5
    assert torch.equal(calls(layer, IMAGES, times=1)[0].flatten(1), first[0])
    alike = policy.to_batch(engine=engine)(IMAGES[:1].expand(12, -1, -1, -1))
    assert len(torch.unique(alike.flatten(1), dim=0)) > 4

    network.eval()
    state = torch.get_rng_state()
    only_normalised = SubPolicies(sub_policies=((),)).to_batch(normalize=normalize)
    keys: dict[str, Any] = {"seed": 0, "epoch": 0, "indices": torch.arange(6)}
    assert torch.equal(only_normalised(IMAGES, **keys).flatten(1), network(IMAGES))
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(policy.to_batch(engine=engine).eval()(IMAGES), IMAGES)
    assert torch.equal(255 - IMAGES, INVERT.to_batch(engine=engine).eval()(IMAGES, **keys))  # keys ask for a draw


@pytest.mark.usefixtures("compiler")
def test_a_compiled_layer_draws_as_the_plain_one() -> None:
    """In training and, without a break, in evaluation."""
    network = nn.Sequential(Policy.load("trivialaugment").to_batch(engine="torch"), nn.Flatten())
    plain, made = calls(network, IMAGES), calls(torch.compile(network, backend="eager"), IMAGES)
    assert all(torch.equal(*pair) for pair in zip(plain, made, strict=True))
    whole = torch.compile(network.eval(), backend="eager", fullgraph=True)
    assert torch.equal(IMAGES.flatten(1), whole(IMAGES))


@pytest.mark.parametrize("missing", ["seed", "epoch", "indices"])
def test_some_keys_are_no_keys(missing: str) -> None:
    keys: dict[str, int | Tensor] = {"seed": 0, "epoch": 0, "indices": torch.arange(6)}
    del keys[missing]
    with pytest.raises(FaaError, match="three keys: give seed, epoch and indices, or none"):
        INVERT.to_batch()(IMAGES, **keys)


TILT = OperationRow(kernel="Rotate", low=0, high=10, unit="degrees", mirrored=True)
POLICIES: list[Policy] = [
    INVERT,
    SubPolicies(sub_policies=((Op(op="Tilt", p=1, magnitude=0.5),),), operations={"Tilt": TILT}),
    SubPolicies(sub_policies=((Op(op="Rotate", p=1, magnitude=0.5),),), magnitude_std=0.1),
    Parametric(num_ops=2, ops=("Rotate", "Color"), bins=31),
    Parametric(num_ops=2, ops=("Rotate", "Color"), bins=30),
    Layers(layers=((Choice(op="Invert", magnitude=0, probability=1),),)),
    Policy.load("fa-reduced-imagenet"),
]


def test_policies_are_keys() -> None:
    """Equal ones are one key, whatever they have cached and however they were made; others are others."""
    for policy in POLICIES:
        again = type(policy).model_validate_json(policy.model_dump_json(by_alias=True))
        known = {policy: "known"}
        assert len(again.table) > 0  # cached in one of the two
        assert policy == again
        assert hash(policy) == hash(again)
        assert known[again] == "known"
        renamed = policy.model_copy(update={"name": "another"})
        assert renamed not in known
    assert len(set(POLICIES)) == len(POLICIES)
    assert len({hash(policy) for policy in POLICIES}) == len(POLICIES)
    found = INVERT.model_copy(update={"provenance": {"trials": [1, 2], "versions": {"torch": "2"}}})
    assert len({found, INVERT, found.model_copy()}) == 2


def test_where_people_put_a_layer() -> None:
    """In v2.Compose, in a loader's collate_fn, in a hook that gets a batch on its device: a new draw at each call."""
    layer = Policy.load("trivialaugment").to_batch()
    loader = DataLoader(
        [(image, number) for number, image in enumerate(IMAGES)],
        batch_size=3,
        collate_fn=v2.Compose([default_collate, lambda batch: (layer(batch[0]), batch[1])]),
    )

    class Lightning(nn.Module):
        """As its trainer calls it."""

        def __init__(self) -> None:
            super().__init__()
            self.augment = layer

        def on_after_batch_transfer(self, batch: tuple[Tensor, Tensor], _loader: int) -> tuple[Tensor, Tensor]:
            return self.augment(batch[0]), batch[1]

    ways: list[Callable[[], Tensor]] = [
        lambda: v2.Compose([layer, v2.ToDtype(torch.float32, scale=True)])(IMAGES),
        lambda: torch.cat([images for images, _labels in loader]),
        lambda: Lightning().train().on_after_batch_transfer((IMAGES, torch.arange(6)), 0)[0],
    ]
    for way in ways:
        torch.manual_seed(3)
        first, second = way(), way()
        torch.manual_seed(3)
        assert torch.equal(first, way())
        assert not torch.equal(first, second)


def test_its_draws_go_on_where_the_generator_was_kept() -> None:
    """A training that keeps torch's generator and takes it up again draws what it would have drawn."""
    layer = Policy.load("trivialaugment").to_batch()
    torch.manual_seed(5)
    layer(IMAGES)
    kept = torch.get_rng_state()
    straight = layer(IMAGES)
    torch.manual_seed(6)
    torch.set_rng_state(kept)
    assert torch.equal(straight, layer(IMAGES))


def test_what_is_not_a_batch_is_refused_with_the_line_to_write() -> None:
    """Numbers in 0 … 1, and rows where channels belong: the line makes a batch of them."""
    layer = INVERT.to_batch()
    for images, line in (
        (IMAGES / 255, "(images * 255).round().to(torch.uint8)"),
        (IMAGES.permute(0, 2, 3, 1).contiguous(), "images.permute(0, 3, 1, 2)"),
    ):
        with pytest.raises(FaaError, match=re.escape(line)):
            layer(images)
        assert torch.equal(255 - IMAGES, layer(eval(line, {"torch": torch, "images": images})))  # noqa: S307
