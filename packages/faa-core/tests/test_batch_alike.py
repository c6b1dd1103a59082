"""Draws that are said to give the same pixels do, and those said to be left alone are."""

import pytest
import torch

from faa_core import FaaError, Op, Policy, SubPolicies, random_policy
from faa_core.batch import UNTOUCHED


@pytest.mark.parametrize("engine", ["torch", "numba"])
@pytest.mark.parametrize(
    "policy",
    [
        random_policy(5, seed=0, num_ops=2),
        random_policy(2, seed=1, num_ops=1),
        Policy.load("none"),
        Policy.load("trivialaugment"),
        SubPolicies(sub_policies=((Op(op="Invert", p=0.5, magnitude=0.0), Op(op="Equalize", p=0.5, magnitude=0.0)),)),
        SubPolicies(sub_policies=((Op(op="Cutout", p=1.0, magnitude=1.0),),)),
    ],
    ids=["five", "two", "none", "trivialaugment", "pointwise", "cutout"],
)
def test_kinds_are_what_the_pixels_say(policy, engine):
    if engine == "numba":
        pytest.importorskip("numba")
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (7, 3, 12, 12), dtype=torch.uint8, generator=generator)
    numbers = torch.arange(70)
    which = numbers % 7
    augment = policy.to_batch(engine=engine)
    alike = augment.alike(images, which, seed=3, epoch=1, indices=numbers)
    pixels = augment(images[which], seed=3, epoch=1, indices=numbers)
    for draw, kind in enumerate(alike.kind.tolist()):
        expected = images[which[draw]] if kind == UNTOUCHED else pixels[alike.first[kind]]
        assert torch.equal(pixels[draw], expected)
        assert kind == UNTOUCHED or which[alike.first[kind]] == which[draw]
    changed = alike.kind[alike.kind != UNTOUCHED]
    assert torch.equal(changed.unique(), torch.arange(len(alike.first)))
    assert torch.equal(alike.first, alike.first.sort().values)


def test_what_is_saved():
    """Two pointwise operations have four outcomes for an image, one of them nothing; a cutout has as many as places."""
    images, numbers = torch.zeros(5, 3, 8, 8, dtype=torch.uint8), torch.arange(500)
    coin = SubPolicies(sub_policies=((Op(op="Invert", p=0.5, magnitude=0.0), Op(op="Equalize", p=0.5, magnitude=0.0)),))
    alike = coin.to_batch().alike(images, numbers % 5, seed=0, epoch=0, indices=numbers)
    assert len(alike.first) == 5 * 3
    assert 0.15 < float((alike.kind == UNTOUCHED).float().mean()) < 0.35
    none = Policy.load("none").to_batch().alike(images, numbers % 5, seed=0, epoch=0, indices=numbers)
    assert len(none.first) == 0
    assert (none.kind == UNTOUCHED).all()
    moved = SubPolicies(sub_policies=((Op(op="Cutout", p=1.0, magnitude=1.0),),))
    assert len(moved.to_batch().alike(images, numbers % 5, seed=0, epoch=0, indices=numbers).first) > 100


def test_images_are_told_apart():
    """The same instructions on two images are two kinds."""
    images, always = (
        torch.zeros(2, 3, 8, 8, dtype=torch.uint8),
        SubPolicies(sub_policies=((Op(op="Invert", p=1.0, magnitude=0.0),),)),
    )
    alike = always.to_batch().alike(images, torch.tensor([0, 1, 0]), seed=0, epoch=0, indices=torch.tensor([4, 5, 6]))
    assert alike.kind.tolist() == [0, 1, 0]
    assert alike.first.tolist() == [0, 1]


def test_an_engine_without_instructions():
    images, numbers = torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.arange(2)
    with pytest.raises(FaaError, match="draws as it goes"):
        Policy.load("trivialaugment").to_batch(engine="pillow").alike(images, numbers, seed=0, epoch=0, indices=numbers)
