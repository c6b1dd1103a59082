"""Layers of transforms: which there are, how one is learnt, and when it is the identity."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from faa_core import FaaError
from faa_core.formats.deepaa import parse, write
from faa_core.formats.deepaa_transforms import ORDER
from faa_search.runs.records.trials import Origin
from faa_search.searching.deep.choose import images_compared
from faa_search.searching.deep.learn import can_be_identity, is_identity, needed_seconds, so_far
from faa_search.searching.deep.learning import Layer, entropy_of, reward_of
from faa_search.searching.deep.pools import make_pools
from faa_search.searching.deep.space import space_of
from faa_search.searching.deep.updates import Update, by_layer
from faa_search.settings import DeepSearchConfig

CIFAR = DeepSearchConfig()


def test_a_layer_has_139_transforms_in_the_authors_order() -> None:
    """Operations ascending, levels ascending; the level that changes nothing is left out."""
    space = space_of(CIFAR, 32)
    assert len(space) == 139
    assert [one.kind for one in space.transforms] == sorted(one.kind for one in space.transforms)
    counts = [sum(one.kind == kind for one in space.transforms) for kind in range(18)]
    assert counts == [1, 12, 12, 12, 12, 12, 1, 1, 1, 12, 12, 12, 12, 12, 12, 1, 1, 1]
    levels = {kind: [one.level for one in space.transforms if one.kind == kind] for kind in range(18)}
    assert all(a < b for own in levels.values() for a, b in pairwise(own))
    missing = {kind: {*range(13)} - {*own} for kind, own in levels.items() if len(own) == 12}
    assert missing == {kind: {12} if ORDER[kind] in ("Solarize", "Posterize") else {6} for kind in missing}


@pytest.mark.parametrize(("op", "level", "value"), [("ShearX", 0, -0.3), ("TranslateY", 12, 0.45), ("Rotate", 7, 5.0)])
def test_a_level_is_an_argument_with_its_sign(op: str, level: int, value: float) -> None:
    """While searching a transform takes the sign of its level; when training with it, either sign."""
    space = space_of(CIFAR, 32)
    at = next(i for i, one in enumerate(space.transforms) if (ORDER[one.kind], one.level) == (op, level))
    signed, mirrored = (space.policy([space.uniform()], mirror=mirror) for mirror in (False, True))
    choice = signed.layers[0][at]
    assert signed.table[choice.op].argument(choice.magnitude) == pytest.approx(value)
    assert not signed.table[choice.op].mirrored
    assert mirrored.table[mirrored.layers[0][at].op].mirrored


def test_a_layer_starts_as_nearly_the_identity() -> None:
    """As published: 0.95575 for the transform that changes nothing, the others alike."""
    start = space_of(CIFAR, 32).start()
    assert start[0] == pytest.approx(0.95575, abs=5e-6)
    assert set(start[1:]) == {start[1]}
    assert sum(start) == pytest.approx(1)


@pytest.mark.parametrize(
    ("size", "cutout", "crop"), [(32, 16.0, "Crop"), (8, 4.0, "Crop"), (224, 60.0, "RandomResizedCrop")]
)
def test_crop_and_cutout_follow_the_size(size: int, cutout: float, crop: str) -> None:
    """The authors' at 32 and 224 pixels; in proportion elsewhere, so that an image is not covered whole."""
    policy = space_of(CIFAR, size).policy([space_of(CIFAR, size).uniform()], mirror=True)
    assert policy.table["DeepAA.Cutout"].argument(0.0) == cutout
    (crops,) = [choice for choice in policy.layers[0] if "Crop" in choice.op]
    assert crops.op == crop
    if crop == "Crop":
        assert policy.table[crop].argument(crops.magnitude) == pytest.approx(min(4, size / 8))


def test_operations_can_be_left_out() -> None:
    """By name, by preset, and Flip where the baseline has none; never the one that changes nothing."""
    ops = {ORDER[one.kind] for one in space_of(CIFAR.model_copy(update={"exclude_ops": ("Invert",)}), 32).transforms}
    assert {*ORDER} - ops == {"Invert"}
    settings = {"preset": "signs", "hflip": 0.0}
    ops = {ORDER[one.kind] for one in space_of(CIFAR.model_copy(update=settings), 32).transforms}
    assert {*ORDER} - ops == {"TranslateX", "TranslateY", "Invert", "Solarize", "RandCutout", "RandFlip"}
    for settings in ({"exclude_ops": ("Identity",)}, {"exclude_ops": ("Blur",)}, {"preset": "digits"}):
        with pytest.raises(FaaError):
            space_of(CIFAR.model_copy(update=settings), 32)


def test_a_found_policy_is_one_of_the_authors_files() -> None:
    """Written as .npz and read again, it is the same, with the probabilities as float32."""
    space = space_of(CIFAR, 32)
    logits = torch.randn(2, len(space), generator=torch.Generator().manual_seed(0))
    layers = [tuple(row.tolist()) for row in logits.softmax(dim=1).double()]
    policy = space.policy(layers, mirror=True)
    again = parse(write(policy))
    for own, others in zip(policy.layers, again.layers, strict=True):
        assert [(one.op, one.magnitude) for one in own] == [(one.op, one.magnitude) for one in others]
        assert [np.float32(one.probability) for one in own] == [np.float32(one.probability) for one in others]
    assert policy.table == again.table


def test_a_layer_follows_adam_as_keras_has_it() -> None:
    """By hand, from the surrogate's gradient: −(J R), J = diag(p) − p pᵀ."""
    start, lr = (0.7, 0.2, 0.1), 0.05
    rewards = [(0.3, -0.2, 0.9), (-0.4, 0.8, 0.1), (0.5, 0.5, -0.6)]
    layer = Layer(start, lr=lr)
    logits = np.log(start) - np.log(start).mean()
    m, v = np.zeros(3), np.zeros(3)
    for step, row in enumerate(rewards, start=1):
        p = np.exp(logits) / np.exp(logits).sum()
        gradient = -(np.diag(p) - np.outer(p, p)) @ row
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        logits = logits - lr * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-7)
        layer.update(row)
        assert layer.probabilities == pytest.approx(np.exp(logits) / np.exp(logits).sum(), rel=1e-9)
    assert layer.probabilities[2] != pytest.approx(start[2])


def test_a_reward_is_a_mean_less_standard_deviations() -> None:
    """Over the triples, of the population, for each transform by itself; in the first layer nothing is taken off."""
    rows = [[1.0, 5.0], [2.0, 5.0], [6.0, 8.0]]
    assert reward_of(rows, penalty=0) == pytest.approx([3.0, 6.0])
    assert reward_of(rows, penalty=1) == pytest.approx([3 - math.sqrt(14 / 3), 6 - math.sqrt(2)])
    assert reward_of(rows, penalty=0.5) == pytest.approx([3 - math.sqrt(14 / 3) / 2, 6 - math.sqrt(2) / 2])


def test_entropy() -> None:
    """In nats: log T where all are equal, 0 where one is certain."""
    assert entropy_of((0.25,) * 4) == pytest.approx(math.log(4))
    assert entropy_of((1.0, 0.0, 0.0)) == 0
    assert entropy_of((0.5, 0.25, 0.25)) == pytest.approx(1.5 * math.log(2))


def test_staying_at_the_start_is_no_sign() -> None:
    """A layer starts as nearly the identity; that ends a search only where its updates could lead away from there."""
    far, near = (CIFAR.model_copy(update={"updates": count}) for count in (512, 511))
    mostly, less = (0.91, 0.05, 0.04), (0.9, 0.06, 0.04)
    assert can_be_identity(far)
    assert not can_be_identity(near)
    assert is_identity(far, mostly)
    assert not is_identity(far, less)
    assert not is_identity(near, mostly)


def line(layer: int, number: int, rewards: tuple[float, ...]) -> Update:
    return Update(
        layer=layer, number=number, rewards=rewards, cosines=(0.1, 0.3, 0.5), entropy=1.0, identity=0.5, repeated=0,
        silent=0, images=50, seconds=2.0, origin=Origin(at=0.0, worker="", device="cpu"),
    )  # fmt: skip


def test_a_budget_has_room_for_one_more_update_and_the_controls() -> None:
    """The latest updates took 2 seconds each, for 50 images; the controls have at most 139 · 4 · 5 + 64 a triple."""
    space, few = space_of(CIFAR, 32), CIFAR.model_copy(update={"control_triples": 3})
    latest = [line(0, number, ()) for number in range(3)]
    assert images_compared(few, space) == 3 * (139 * 4 * 5 + 64)
    assert needed_seconds(few, space, latest) == pytest.approx(2 + 3 * (139 * 4 * 5 + 64) * 2 / 50)


def test_layers_follow_from_the_journal() -> None:
    """The lines in any order; what comes after a missing one does not count."""
    space = space_of(CIFAR, 32)
    rows = [tuple(float(number == at) for at in range(len(space))) for number in (3, 4, 9)]
    lines = [line(1, 0, rows[2]), line(0, 1, rows[1]), line(0, 0, rows[0]), line(0, 3, rows[2]), line(3, 0, rows[0])]
    assert [[one.number for one in own] for own in by_layer(lines)] == [[0, 1], [0]]
    first, second = Layer(space.start(), lr=0.025), Layer(space.start(), lr=0.025)
    for row in rows[:2]:
        first.update(row)
    second.update(rows[2])
    assert so_far(CIFAR, space, lines) == (first.probabilities, second.probabilities)
    assert lines[0].cosine == pytest.approx(0.3)
    assert lines[0].spread == pytest.approx(math.sqrt(0.08 / 3))


def test_pools_divide_every_class() -> None:
    """None of their images is fitted on, none is on both sides, and a class with one image is left out."""
    labels = np.array([0] * 20 + [1] * 4 + [2] + [3] * 2)
    held_out = np.delete(np.arange(27), [0, 20])
    pools = make_pools(labels, held_out, val_size=8, seed=3)
    assert pools.labels == (0, 1, 3)
    assert [(len(v), len(a)) for v, a in zip(pools.validation, pools.augmented, strict=True)] == [
        (6, 13),
        (1, 2),
        (1, 1),
    ]
    both = np.concatenate([*pools.validation, *pools.augmented])
    assert sorted(both) == sorted(set(held_out) - {24})
    for label, v, a in zip(pools.labels, pools.validation, pools.augmented, strict=True):
        assert set(labels[v]) == set(labels[a]) == {label}
    other = make_pools(labels, held_out, val_size=8, seed=4)
    assert not np.array_equal(other.validation[0], pools.validation[0])


def test_triples_draw_classes_alike() -> None:
    """However many images they have; a class with too few gives some twice, which is counted."""
    labels = np.array([0] * 60 + [1] * 6 + [2] * 30)
    pools = make_pools(labels, np.arange(96), val_size=48, seed=0)
    drawn = [pools.draw(key, 10) for key in range(600)]
    counts = np.bincount([one.label for one in drawn], minlength=3)
    assert counts.min() > 150
    assert counts.max() < 250
    for one in drawn[:60]:
        place = pools.labels.index(one.label)
        assert len(one.validation) == 10
        assert set(one.validation) <= set(pools.validation[place])
        assert one.augmented in pools.augmented[place]
        assert one.repeated == (7 if one.label == 1 else 0)
        assert len(set(one.validation)) == (3 if one.label == 1 else 10)
    assert pools.draw(5, 10).validation.tolist() == pools.draw(5, 10).validation.tolist()
    assert len({one.augmented for one in drawn if one.label == 0}) == 30


def test_pools_need_images() -> None:
    """Refused in words: too many to match, or no class with two images."""
    with pytest.raises(FaaError, match="--val-size 6"):
        make_pools(np.zeros(6, dtype=np.int64), np.arange(6), val_size=6, seed=0)
    with pytest.raises(FaaError, match="--pretrain-size"):
        make_pools(np.arange(6), np.arange(6), val_size=None, seed=0)
