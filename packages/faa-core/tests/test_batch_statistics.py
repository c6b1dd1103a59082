"""How often a batch does what: each count within 4 standard deviations of its binomial, under fixed keys.

Shapes: B images, S stages, 8 numbers of an instruction.
"""

import math
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from faa_core import Choice, Layers, Op, Parametric, Policy, SubPolicies, operation
from faa_core.applying import Baseline
from faa_core.drawing.drawing import draw_instructions as draw
from faa_core.drawing.drawing import prepare
from faa_core.operations import operation_names
from faa_core.operations.instructions import Code
from faa_core.randomness import key_of

Numbers = NDArray[np.float64]
MANY = 20_000
ENGINES = (
    "torch",
    pytest.param("numba", marks=pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")),
)
OPERATIONS = [operation(name) for name in operation_names()]


def drawn(policy: Policy, *, epoch: int = 0, size: int = 1000, count: int = MANY) -> Numbers:
    """Return the instructions of square images under a fixed key, ``[B, S, 8]``."""
    key = key_of("policy", 11, epoch)
    return draw(prepare(policy), (key, 0), np.arange(count), (size, size), compiled=False)


def single(op: str, *, p: float = 1.0, magnitude: float = 0.9, **fields: object) -> SubPolicies:
    """Return a policy of one operation."""
    return SubPolicies(sub_policies=((Op(op=op, p=p, magnitude=magnitude),),), **fields)


def assert_rate(expected: float, hits: int, trials: int = MANY) -> None:
    """Assert that a count lies within 4 standard deviations of its binomial mean; exactly so where that is certain."""
    assert abs(hits - expected * trials) <= 4 * math.sqrt(trials * expected * (1 - expected)), (hits, expected * trials)


def assert_uniform(values_N: Numbers) -> None:
    """Assert uniformity on [0, 1] by Kolmogorov–Smirnov at 0.1 %, and by χ² of 20 parts within 4 deviations."""
    sorted_N, number = np.sort(values_N), len(values_N)
    ranks_N = np.arange(number)
    distance = max((sorted_N - ranks_N / number).max(), ((ranks_N + 1) / number - sorted_N).max())
    assert distance * math.sqrt(number) < 1.95
    counts_20 = np.histogram(values_N, bins=20, range=(0, 1))[0]
    chi2 = ((counts_20 - number / 20) ** 2 / (number / 20)).sum()
    assert abs(chi2 - 19) < 4 * math.sqrt(2 * 19)


def assert_unrelated(*columns: Numbers) -> None:
    """Assert that no two columns correlate by more than 4 / √B."""
    correlation = np.corrcoef(np.stack(columns)) - np.eye(len(columns))
    assert abs(correlation).max() < 4 / math.sqrt(len(columns[0]))


def test_sub_policies_are_drawn_equally_often() -> None:
    """Each of 50 within its interval, and all together by χ²; also the first and the last."""
    factors = np.linspace(0.0, 0.45, 50)  # of Brightness's axis, none neutral
    policy = SubPolicies(sub_policies=tuple((Op(op="Brightness", p=1.0, magnitude=at),) for at in factors))
    values, counts = np.unique(drawn(policy)[:, 0, 1], return_counts=True)
    assert np.allclose(values, 0.1 + factors * 1.8)
    for count in counts:
        assert_rate(1 / 50, count)
    chi2 = ((counts - MANY / 50) ** 2 / (MANY / 50)).sum()
    assert abs(chi2 - 49) < 4 * math.sqrt(2 * 49)


def test_shorter_sub_policies_have_their_share() -> None:
    """None, one, two or three operations, each a quarter of the time, and never those of another sub-policy."""
    rows = ("Invert", "AutoContrast", "Equalize")
    policy = SubPolicies(sub_policies=tuple(tuple(Op(op=op, p=1, magnitude=0) for op in rows[:n]) for n in range(4)))
    codes_B3 = drawn(policy)[:, :, 0].astype(int)
    whole = (Code.SOLARIZE, Code.AUTO_CONTRAST, Code.EQUALIZE)
    for length in range(4):
        assert_rate(0.25, (codes_B3 == (*whole[:length], *(0,) * (3 - length))).all(axis=1).sum())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("p", [0.0, 0.01, 0.1, 0.3, 0.5, 0.9, 1.0])
def test_operations_are_applied_with_their_probability(p: float, engine: str) -> None:
    """Counted in pixels: so many of 20,000 black dots come back white, in one call."""
    module = single("Invert", p=p).to_batch(engine=engine)
    dots = torch.zeros(MANY, 1, 1, 1, dtype=torch.uint8)
    for epoch in (0, 1):
        result = module(dots, seed=5, epoch=epoch, indices=torch.arange(MANY))
        assert {0, 255} >= set(result.flatten().tolist())
        assert_rate(p, int((result == 255).sum()))


@pytest.mark.parametrize("name", [row.name for row in OPERATIONS if row.mirrored])
def test_mirrored_operations_go_both_ways(name: str) -> None:
    """Half of the images each way, by the same amount, and none is left in between."""
    rows_B8 = drawn(single(name))[:, 0]
    _none, a, b, c, _d, _e, f = np.moveaxis(rows_B8[:, :7], 1, 0)
    sign_B = np.sign(a) if name == "Flip" else np.sign(np.where(b != 0, b, c + f + rows_B8[:, 4]))
    assert_rate(0.5, (sign_B > 0).sum())
    assert (sign_B != 0).all()
    if name != "Flip":
        assert len(np.unique(np.abs(b))) <= 2
        assert len(np.unique(np.abs(rows_B8[:, 4]))) <= 2


@pytest.mark.parametrize("row", [row for row in OPERATIONS if not row.mirrored], ids=lambda row: row.name)
def test_other_operations_have_one_argument(row: object) -> None:
    """What is not mirrored is never reflected: all images get the same number, where it is not a place."""
    rows_B8 = drawn(single(row.name), count=500)[:, 0]
    if row.base not in ("Cutout", "CutoutAbs", "Crop", "RandomResizedCrop"):
        assert len(np.unique(rows_B8[:, 1])) == 1


def test_magnitudes_are_uniform() -> None:
    """Over the whole range or a part of it; of both operations of an image."""
    for low, high in ((0.0, 1.0), (0.2, 0.6)):
        policy = Parametric(num_ops=2, ops=("Cutout", "Brightness"), magnitude=(low, high))
        first_B, second_B = (drawn(policy)[:, stage] for stage in range(2))
        for rows_B8 in (first_B, second_B):
            factors_N = rows_B8[rows_B8[:, 0] == Code.BRIGHTNESS, 1]
            assert_rate(0.5, len(factors_N))
            assert_uniform(((factors_N - 0.1) / 1.8 - low) / (high - low))


def test_bins_are_equally_likely() -> None:
    """31 evenly spaced magnitudes, the ends as often as the middle."""
    policy = Parametric(num_ops=1, ops=("SolarizeAdd",), magnitude=(0.0, 1.0), bins=11)
    values, counts = np.unique(drawn(policy)[:, 0, 1], return_counts=True)
    assert [11 * step for step in range(11)] == values.tolist()
    for count in counts:
        assert_rate(1 / 11, count)


def test_drawn_probabilities_are_uniform() -> None:
    """With p drawn from 0.2…0.6, operations are applied 0.4 of the time."""
    rows_B18 = drawn(Parametric(num_ops=1, ops=("Invert",), p=(0.2, 0.6)))
    assert_rate(0.4, (rows_B18[:, 0, 0] != 0).sum())


def test_noise_on_magnitudes_is_normal() -> None:
    """Mean and standard deviation within 4 of their own, 68.3 % within one; what leaves [0, 1] lies on its ends."""
    std = 0.1
    noise_B = (drawn(single("Brightness", magnitude=0.4, magnitude_std=std))[:, 0, 1] - 0.1) / 1.8 - 0.4
    assert abs(noise_B.mean()) < 4 * std / math.sqrt(MANY)
    assert abs(noise_B.std() - std) < 4 * std / math.sqrt(2 * MANY)
    assert_rate(0.6826895, (abs(noise_B) < std).sum())
    codes_B = drawn(single("Cutout", magnitude=0.5, magnitude_std=0.25))[:, 0, 0]
    assert_rate(0.0227501, (codes_B == Code.NOTHING).sum())  # two deviations below λ is 0: no square
    for first, second in pairwise((0.05, 0.1, 0.2)):
        spread = [drawn(single("Brightness", magnitude=0.5, magnitude_std=at))[:, 0, 1].std() for at in (first, second)]
        assert spread[0] < spread[1] < 2.05 * spread[0]


def test_layers_follow_their_probabilities() -> None:
    """Each choice of each layer within its interval; a probability of 0 never; the layers independently."""
    shares = ((0.5, 0.25, 0.2, 0.05), (0.0, 0.9, 0.1))
    policy = Layers(
        layers=tuple(
            tuple(Choice(op="Brightness", magnitude=at / 10, probability=p) for at, p in enumerate(layer))
            for layer in shares
        )
    )
    picked_B2 = np.round((drawn(policy)[:, :, 1] - 0.1) / 0.18).astype(int)
    for stage, layer in enumerate(shares):
        for at, p in enumerate(layer):
            assert_rate(p, (picked_B2[:, stage] == at).sum())
    for first, second in ((0, 1), (1, 2), (3, 2)):
        assert_rate(shares[0][first] * shares[1][second], (picked_B2 == (first, second)).all(axis=1).sum())
    assert_unrelated(*picked_B2.T)


def test_what_is_drawn_is_unrelated() -> None:
    """Gates, signs and sizes of two operations; the same image's in the next epoch; the next image's."""
    uses = tuple(Op(op="ShearX", p=0.5, magnitude=0.9) for _ in range(2))
    shears_B2, next_B2 = (drawn(SubPolicies(sub_policies=(uses,)), epoch=at)[:, :, 2] for at in (0, 1))
    both_B4 = np.concatenate([shears_B2, next_B2], axis=1)
    assert_unrelated(*(both_B4 != 0).T, *np.sign(both_B4).T)
    assert_rate(0.25, (shears_B2 != 0).all(axis=1).sum())
    assert_unrelated(*(shears_B2[:-1] != 0).T, *(shears_B2[1:] != 0).T)
    sizes_B2 = drawn(Parametric(num_ops=2, ops=("Brightness",)))[:, :, 1]
    assert_unrelated(*sizes_B2[:-1].T, *sizes_B2[1:].T)


def test_places_are_uniform() -> None:
    """The squares of Cutout are centred anywhere, in x as in y, unrelated; so is the size of a resized crop's part."""
    left_B, top_B = drawn(single("CutoutAbs", magnitude=0.1), size=4000)[:, 0, 1:3].T
    assert_uniform((left_B + 0.5) / 4000)
    assert_uniform((top_B + 0.5) / 4000)
    assert_unrelated(left_B, top_B)
    box_B4 = drawn(single("RandomResizedCrop", magnitude=0.9), size=1000)[:, 0, 1:5]
    box_N4 = box_B4[(box_B4[:, 2:] < 1000).all(axis=1)]
    area_N = box_N4[:, 2] * box_N4[:, 3] / 1e6
    assert 0.17 < area_N.min() < 0.173
    place_N2 = (box_N4[:, :2] + 0.5) / (1001 - box_N4[:, 2:])
    assert_uniform(place_N2[:, 0])
    assert_uniform(place_N2[:, 1])
    assert_unrelated(*place_N2.T, area_N)


def test_the_baseline_flips_and_moves_as_often_as_asked() -> None:
    """Flips with their probability; each of the 9 × 9 places of a padded crop equally often; squares anywhere."""
    prepared = prepare(SubPolicies(sub_policies=((),)), Baseline(pad=4, hflip=0.3, cutout=8))
    keys = 0, key_of("baseline", 1, 1)
    crop_B8, cut_B8 = np.moveaxis(draw(prepared, keys, np.arange(MANY), (32, 32), compiled=False), 1, 0)
    flipped_B = crop_B8[:, 1] == -1
    assert_rate(0.3, flipped_B.sum())
    x_B, y_B = crop_B8[:, 3] - 32 * flipped_B, crop_B8[:, 6]
    places, counts = np.unique(
        np.where(crop_B8[:, :1] == 0, 0, np.stack([x_B, y_B], axis=1)), axis=0, return_counts=True
    )
    assert places.min() == -4
    assert places.max() == 4
    assert len(places) == 81
    assert abs(((counts - MANY / 81) ** 2 / (MANY / 81)).sum() - 80) < 4 * math.sqrt(2 * 80)
    for low_B, high_B in (cut_B8[:, 1:4:2].T, cut_B8[:, 2:5:2].T):
        assert_rate(5 / 32, (low_B == 0).sum())
        assert_rate(4 / 32, (high_B == 32).sum())
