"""Draws that are said to give the same pixels do, and those said to be left alone are."""

import pytest
import torch
from torch import Tensor

from faa_core import FaaError, Op, Policy, SubPolicies, random_policy
from faa_core.applying import UNTOUCHED, Alike, Baseline, PolicyBatch, sort_alike


def alike_of(augment: PolicyBatch, images: Tensor, which: Tensor, *, seed: int, epoch: int, indices: Tensor) -> Alike:
    return sort_alike(augment.instructions(images, seed=seed, epoch=epoch, indices=indices), which)


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
    alike = alike_of(augment, images, which, seed=3, epoch=1, indices=numbers)
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
    alike = alike_of(coin.to_batch(), images, numbers % 5, seed=0, epoch=0, indices=numbers)
    assert len(alike.first) == 5 * 3
    assert 0.15 < float((alike.kind == UNTOUCHED).float().mean()) < 0.35
    none = alike_of(Policy.load("none").to_batch(), images, numbers % 5, seed=0, epoch=0, indices=numbers)
    assert len(none.first) == 0
    assert (none.kind == UNTOUCHED).all()
    moved = SubPolicies(sub_policies=((Op(op="Cutout", p=1.0, magnitude=1.0),),))
    assert len(alike_of(moved.to_batch(), images, numbers % 5, seed=0, epoch=0, indices=numbers).first) > 100


def test_images_are_told_apart():
    """The same instructions on two images are two kinds."""
    images, which, indices = torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 0]), torch.arange(4, 7)
    always = SubPolicies(sub_policies=((Op(op="Invert", p=1.0, magnitude=0.0),),))
    alike = alike_of(always.to_batch(), images, which, seed=0, epoch=0, indices=indices)
    assert alike.kind.tolist() == [0, 1, 0]
    assert alike.first.tolist() == [0, 1]


@pytest.mark.parametrize("engine", ["torch", "numba", "triton"])
def test_instructions_carried_out_later_are_the_batch(engine):
    """Any of the draws, in any order, and a baseline's too."""
    device = "cuda" if engine == "triton" else "cpu"
    if engine != "torch":
        pytest.importorskip(engine)
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (9, 3, 12, 12), dtype=torch.uint8, generator=generator).to(device)
    augment = Policy.load("trivialaugment").to_batch(baseline=Baseline(pad=2, hflip=0.5, cutout=4), engine=engine)
    expected = augment(images, seed=3, epoch=1, indices=torch.arange(9))
    instructions = augment.instructions(images[:1], seed=3, epoch=1, indices=torch.arange(9))
    some = torch.tensor([8, 0, 5])
    assert torch.equal(expected[some], augment.carry_out(images[some], instructions[some]))


def test_an_engine_without_instructions():
    images, numbers = torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.arange(2)
    augment = Policy.load("trivialaugment").to_batch(engine="pillow")
    with pytest.raises(FaaError, match="draws as it goes"):
        augment.instructions(images, seed=0, epoch=0, indices=numbers)
    with pytest.raises(FaaError, match="draws as it goes"):
        augment.carry_out(images, torch.zeros(2, 1, 8, dtype=torch.float64))


@pytest.mark.parametrize(
    ("instructions", "words"),
    [
        (
            torch.zeros(1, 1, 8, dtype=torch.float64),
            r"float64 \[2, 1, 8\] on the CPU, .* not .*\[1, 1, 8\]",
        ),
        (torch.zeros(2, 2, 8, dtype=torch.float64), r"not torch.float64 \[2, 2, 8\]"),
        (torch.zeros(2, 1, 8), r"not torch.float32"),
    ],
    ids=["fewer", "of another policy", "float32"],
)
def test_instructions_that_are_none(instructions, words):
    """Compiled engines would read what is not there."""
    augment = Policy.load("trivialaugment").to_batch()
    with pytest.raises(FaaError, match=words):
        augment.carry_out(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), instructions)


def test_instructions_lie_anywhere_in_memory():
    """Copies of one row are the same instructions."""
    images = torch.arange(3 * 192).remainder(256).to(torch.uint8).reshape(3, 3, 8, 8)
    augment = Policy.load("trivialaugment").to_batch()
    one = augment.instructions(images, seed=0, epoch=0, indices=torch.arange(1))
    assert torch.equal(augment.carry_out(images, one.repeat(3, 1, 1)), augment.carry_out(images, one.expand(3, -1, -1)))


@pytest.mark.parametrize(
    "given", [{"seed": 2**70}, {"indices": torch.arange(2, dtype=torch.int32)}, {"indices": torch.tensor(1)}], ids=str
)
def test_what_cannot_be_drawn(given):
    usual = {"seed": 0, "epoch": 0, "indices": torch.arange(2)}
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(FaaError, match=r"seed and epoch must fit|`indices` must be int64"):
        Policy.load("trivialaugment").to_batch().instructions(images, **usual | given)
