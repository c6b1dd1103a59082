"""What augmentation libraries got wrong before: neutral magnitudes, strength that falls, signs that vanish.

Shapes: B images, C channels, H × W pixels.
"""

from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from faa_core import SEARCH_LIST, Op, SubPolicies, operation
from faa_core.operations import operation_names

EVERY = [operation(name) for name in operation_names()]
COUNT = 64
ENGINES = (
    "torch",
    "pillow",
    pytest.param("numba", marks=pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")),
)


def like_photographs(height: int = 48, width: int = 40) -> Tensor:
    """Return RGB images whose spectrum falls off as 1 / frequency, as photographs' do, ``[B, 3, H, W]``."""
    rng = np.random.default_rng(2)
    frequency_HW = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    frequency_HW[0, 0] = 1.0
    grey_B1HW = np.fft.ifft2(np.fft.fft2(rng.normal(size=(COUNT, 1, height, width))) / frequency_HW**1.2).real
    tint_B3HW = np.fft.ifft2(np.fft.fft2(rng.normal(size=(COUNT, 3, height, width))) / frequency_HW**1.2).real
    values = grey_B1HW / grey_B1HW.std() + 0.4 * tint_B3HW / tint_B3HW.std()
    return torch.from_numpy((120 + 50 * values).clip(0, 255).astype(np.uint8))


def augmented(name: str, magnitude: float, images: Tensor, *, engine: str = "torch") -> Tensor:
    """Return the images after one operation; signs and places are the same at every magnitude."""
    policy = SubPolicies(sub_policies=((Op(op=name, p=1.0, magnitude=magnitude),),))
    module = policy.to_batch(engine=engine, partners=images[:7].flip(0))
    return module(images, seed=0, epoch=0, indices=torch.arange(len(images)))


def change(name: str, magnitude: float, images: Tensor) -> float:
    """Return the mean absolute difference that an operation makes, in grey levels."""
    return float((augmented(name, magnitude, images).double() - images.double()).abs().mean())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("row", [row for row in EVERY if row.identity is not None], ids=lambda row: row.name)
def test_the_neutral_magnitude_changes_nothing(row, engine: str) -> None:
    """Not one pixel, with either sign; and away from it every operation does change the images."""
    images = like_photographs()
    assert torch.equal(images, augmented(row.name, row.identity, images, engine=engine))
    farthest = 0.0 if row.identity == 1.0 else 1.0
    assert (augmented(row.name, farthest, images, engine=engine) != images).any()


@pytest.mark.parametrize("row", [row for row in EVERY if row.identity is not None], ids=lambda row: row.name)
def test_strength_rises_away_from_the_neutral_magnitude(row) -> None:
    """To both sides of it; where whole pixels, bits or levels make steps it never falls."""
    images = like_photographs()
    stepped = row.base.endswith(("Whole", "Pixels", "Abs")) or row.unit in ("bits", "pixels") or "Translate" in row.base
    for end in {0.0, 1.0} - {row.identity}:
        strengths = [change(row.name, row.identity + part / 8 * (end - row.identity), images) for part in range(9)]
        assert strengths[0] == 0
        for weaker, stronger in pairwise(strengths):
            assert weaker < stronger or (stepped and weaker == stronger), strengths


@pytest.mark.parametrize("row", [row for row in SEARCH_LIST if row.mirrored], ids=lambda row: row.name)
def test_opposite_magnitudes_mean_the_same_images(row) -> None:
    """The axis is symmetric and mirrored, so 1 − λ gives each image what λ gives it with the other sign."""
    images = like_photographs()
    policies = [SubPolicies(sub_policies=((Op(op=row.name, p=1.0, magnitude=at),),)) for at in (0.75, 0.25)]
    for index in range(COUNT):
        (first,), (second,) = (policy.draw(seed=0, epoch=0, indices=np.array([index]))[0] for policy in policies)
        assert first.argument == pytest.approx(-second.argument)
        assert abs(first.argument) == pytest.approx(abs(row.argument(0.75)))
    above, below = (augmented(row.name, at, images) for at in (0.75, 0.25))
    assert (above != below).flatten(1).any(1).all()
    turned = {at: change(row.name, at, images) for at in (0.75, 0.25)}
    assert turned[0.75] == pytest.approx(turned[0.25], rel=0.1)


@pytest.mark.parametrize(
    ("name", "axes"), [("ShearX", (2,)), ("TranslateX", (3,)), ("ShearY", (3,)), ("TranslateY", (2,))]
)
def test_directions(name: str, axes: tuple[int, ...]) -> None:
    """X moves along rows, Y along columns: a ramp the other way only changes where the fill comes in."""
    ramp = torch.arange(1, 49, dtype=torch.uint8)
    along = ramp[:, None].expand(48, 48) if name.endswith("X") else ramp[None, :].expand(48, 48)
    images = along.expand(COUNT, 1, 48, 48).contiguous()
    result = augmented(name, 0.9, images)
    assert torch.equal(torch.where(result == 0, images, result), images)
    assert (result == 0).flatten(1).any(1).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_fills_come_from_the_policy_or_the_operation(engine: str) -> None:
    """The policy's for what comes from outside; natural grey for cut-outs and crops, as the table says."""
    images = torch.full((COUNT, 3, 32, 32), 77, dtype=torch.uint8)
    own, natural = (1, 2, 3), (125, 123, 114)
    for name, colour in (("Rotate", own), ("TranslateX", own), ("ShearY", own), ("Cutout", natural), ("Crop", natural)):
        policy = SubPolicies(sub_policies=((Op(op=name, p=1.0, magnitude=1.0),),), fill=own)
        result = policy.to_batch(engine=engine)(images, seed=0, epoch=0, indices=torch.arange(COUNT))
        found = {tuple(pixel) for pixel in result.permute(0, 2, 3, 1).reshape(-1, 3).unique(dim=0).tolist()}
        assert found == {(77, 77, 77), colour}, name
