"""Rewards by hand, and scores that depend on policy, seed and network alone."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from faa_core import Op, Policy, SubPolicies
from faa_search.data import ArraySource
from faa_search.searching.objective import (
    REWARDS,
    HeldOut,
    Scores,
    Staged,
    held_out,
    mean_and_error,
    score,
    scoring_batch,
)
from faa_search.settings import SearchConfig, TrainConfig
from faa_search.training import Network
from faa_search.training.models import ModelInput, make_model

# Two views of three images.
SCORES = Scores(
    loss=torch.tensor([[1.0, 2.0, 6.0], [3.0, 0.5, 4.0]]), right=torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
)
BY_HAND = {
    "mean-loss": [-2.0, -1.25, -5.0],
    "mean-accuracy": [0.5, 0.5, 0.0],
    "best-accuracy": [1.0, 1.0, 0.0],
    "best-loss": [-1.0, -0.5, -4.0],
}


def staged(source: ArraySource) -> Staged:
    """Return a source's images as they are scored."""
    images = torch.from_numpy(np.ascontiguousarray(source.images.transpose(0, 3, 1, 2)))
    return Staged(images, torch.from_numpy(source.labels), torch.arange(len(source)))


class Brightness(nn.Module):
    """Sees one thing: class 1 is brighter than mid-grey, class 0 darker; surer the further away."""

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [B, 2] of normalised images."""
        mean = images.mean(dim=(1, 2, 3))
        return torch.stack([-mean, mean], dim=1)


@pytest.fixture
def bright(accelerator: Accelerator) -> HeldOut:
    """Return held-out images that the network tells apart by their brightness: half dark, half bright."""
    rng = np.random.default_rng(5)
    labels = np.arange(40, dtype=np.int64) % 2
    images = rng.integers(0, 90, (40, 6, 6, 3)) + 150 * labels[:, None, None, None]
    source = ArraySource(images.astype(np.uint8), labels, ("dark", "bright"))
    expected = ModelInput(size=6, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    network = Network(Brightness(), expected, TrainConfig(), accelerator)
    return held_out(network, staged(source), batch_size=16)


@pytest.fixture
def wide(accelerator: Accelerator, expected: ModelInput, noise: Callable[..., ArraySource]) -> HeldOut:
    """Return random images and an untrained Wide-ResNet."""
    model = make_model("wrn16_1", classes=3, pretrained=False, size=8, seed=0)
    network = Network(model, expected, TrainConfig(), accelerator)
    return held_out(network, staged(noise(25)), batch_size=10)


@pytest.mark.parametrize("reward", list(REWARDS))
def test_rewards_by_hand(reward: Any) -> None:
    """Higher is better; the best view is each image's own, not the batch's."""
    assert BY_HAND[reward] == SCORES.per_image(reward).tolist()


def test_the_settings_name_these_rewards() -> None:
    """No more and no fewer."""
    names = SearchConfig.model_fields["reward"].annotation.__args__
    assert set(names) == set(REWARDS) == set(BY_HAND)


def test_mean_and_error_by_hand() -> None:
    """The standard error is that of the mean, from the sample's deviation."""
    assert (3.0, pytest.approx(2.0 / math.sqrt(3))) == mean_and_error(torch.tensor([1.0, 3.0, 5.0]))
    assert (2.0, 0.0) == mean_and_error(torch.tensor([2.0, 2.0, 2.0, 2.0]))
    assert (7.0, 0.0) == mean_and_error(torch.tensor([7.0]))


def test_scores_are_those_of_images_one_by_one(wide: HeldOut) -> None:
    """Row v, column n: the policy on image n by Pillow, with the draw of view v, and what the network makes of it."""
    policy = Policy.load("uniform-random")
    scores = score(wide, policy, views=3, seed=9)
    assert (3, 25) == tuple(scores.loss.shape) == tuple(scores.right.shape)
    wide.network.model.eval()
    with torch.no_grad():
        for view in range(3):
            for number, label in enumerate(wide.images.labels):
                image = Image.fromarray(wide.images.images[number].permute(1, 2, 0).numpy())
                shown = np.array(policy.apply(image, seed=9, epoch=0, index=25 * view + number))
                logits = wide.network.logits(torch.from_numpy(shown).permute(2, 0, 1)[None])
                assert torch.isclose(cross_entropy(logits, label[None]), scores.loss[view, number], atol=1e-5)
                assert float(logits.argmax() == label) == scores.right[view, number]


def test_the_size_of_a_batch_changes_no_draw(wide: HeldOut) -> None:
    """Batches within a view and across several: only the network's rounding differs."""
    policy = Policy.load("uniform-random")
    whole = score(wide, policy, views=3, seed=1)
    for batch_size in (1, 7, 25, 60, 512):
        other = score(replace(wide, batch_size=batch_size), policy, views=3, seed=1)
        assert torch.allclose(whole.loss, other.loss, atol=1e-5)
    assert not torch.equal(whole.loss, score(wide, policy, views=3, seed=2).loss)
    assert not torch.allclose(whole.loss[0], whole.loss[1], atol=1e-3)


def test_more_views_begin_with_the_same(wide: HeldOut) -> None:
    """A view's draws do not depend on how many there are."""
    few, many = (score(wide, Policy.load("uniform-random"), views=views, seed=1) for views in (2, 4))
    assert torch.allclose(few.loss, many.loss[:2], atol=1e-5)


def test_batches_that_suit_the_images() -> None:
    """As many pixels whatever the side; never none, and more on a GPU."""
    cpu = torch.device("cpu")
    assert scoring_batch(cpu, 32) == 4 * scoring_batch(cpu, 64) < scoring_batch(torch.device("cuda"), 32)
    assert 16 == scoring_batch(cpu, 4000)


def test_scoring_leaves_the_network_alone(wide: HeldOut) -> None:
    """Nothing is learnt, not even batch norm's statistics; the mode stays."""
    before = {key: value.clone() for key, value in wide.network.model.state_dict().items()}
    wide.network.model.train()
    scores = score(wide, Policy.load("uniform-random"), views=3, seed=0)
    assert wide.network.model.training
    assert not scores.loss.requires_grad
    assert all(torch.equal(value, before[key]) for key, value in wide.network.model.state_dict().items())


def test_identity_shows_every_view_alike(wide: HeldOut) -> None:
    """Nothing is drawn but the policy: crop, flip and cutout belong to training."""
    scores = score(wide, Policy.load("none"), views=3, seed=4)
    assert torch.allclose(scores.loss[0], scores.loss[1], atol=1e-6)
    assert torch.allclose(scores.loss[0], scores.loss[2], atol=1e-6)
    assert torch.equal(scores.loss, score(wide, Policy.load("none"), views=3, seed=5).loss)
    views = score(replace(wide, batch_size=25), Policy.load("none"), views=3, seed=4).loss
    assert torch.equal(views[0], views[2])


@pytest.mark.parametrize("reward", list(REWARDS))
def test_policies_that_harm_score_lower(bright: HeldOut, reward: Any) -> None:
    """Inverting makes dark bright: every reward prefers to leave the images as they are."""
    inverted = SubPolicies(sub_policies=((Op(op="Invert", p=1.0, magnitude=0.0),),))
    identity, harmed = (score(bright, policy, views=3, seed=0) for policy in (Policy.load("none"), inverted))
    assert float(identity.per_image(reward).mean()) > float(harmed.per_image(reward).mean())
    assert (1.0, 0.0) == (float(identity.right.mean()), float(harmed.right.mean()))


def test_best_of_views_rewards_diversity(bright: HeldOut) -> None:
    """Half of the views inverted: the mean suffers, the best of three hardly."""
    half = SubPolicies(sub_policies=((Op(op="Invert", p=0.5, magnitude=0.0),),))
    scores = score(bright, half, views=3, seed=3)
    assert 0.3 < float(scores.per_image("mean-accuracy").mean()) < 0.7
    assert 0.75 < float(scores.per_image("best-accuracy").mean()) < 1.0


def turned(p: float, magnitude: float = 0.9) -> SubPolicies:
    """Return a policy that turns and darkens."""
    ops = (Op(op="Rotate", p=p, magnitude=magnitude), Op(op="Brightness", p=p, magnitude=0.3))
    return SubPolicies(sub_policies=(ops,))


def test_policies_share_their_random_numbers(wide: HeldOut) -> None:
    """One that is applied a little more often is applied to the same images and to a few more."""
    rarely, often = (score(wide, turned(p), views=8, seed=2).loss for p in (0.5, 0.6))
    untouched = score(wide, Policy.load("none"), views=8, seed=2).loss
    changed = [(loss - untouched).abs() > 1e-5 for loss in (rarely, often)]
    assert (changed[0] <= changed[1]).all()
    assert 0 < int((changed[1] & ~changed[0]).sum()) < 60
    assert torch.equal(rarely, score(wide, turned(0.5), views=8, seed=2).loss)


def test_common_draws_make_differences_surer(wide: HeldOut) -> None:
    """The difference of two similar policies varies less over seeds if both have the same."""

    def gap(seed: int, other_seed: int) -> float:
        one, other = (
            score(wide, policy, views=2, seed=key).per_image("mean-loss").mean()
            for policy, key in ((turned(0.5), seed), (turned(0.5, 0.95), other_seed))
        )
        return float(one - other)

    common = np.std([gap(seed, seed) for seed in range(20)])
    apart = np.std([gap(seed, 100 + seed) for seed in range(20)])
    assert 0 < common < apart / 2


@pytest.mark.parametrize(
    ("sub_policies", "passed"),
    [
        (((),), 0),  # left alone: known from before
        (((Op(op="Invert", p=1.0, magnitude=0.0),),), 40),  # all views of an image are alike
        (((Op(op="Invert", p=0.5, magnitude=0.0),),), range(30, 40)),  # some images have no such view
        (((Op(op="Rotate", p=1.0, magnitude=0.9),),), range(70, 81)),  # one way or the other: two kinds of each
    ],
    ids=["nothing", "always", "sometimes", "two ways"],
)
def test_the_same_pixels_are_passed_once(
    bright: HeldOut, monkeypatch: pytest.MonkeyPatch, sub_policies: Any, passed: Any
) -> None:
    """What the network sees of five views; and every draw has its own score all the same."""
    seen: list[int] = []
    really = bright.network.logits
    monkeypatch.setattr(bright.network, "logits", lambda images: (seen.append(len(images)), really(images))[1])
    policy = SubPolicies(sub_policies=sub_policies)
    scores = score(bright, policy, views=5, seed=0)
    assert sum(seen) == passed if isinstance(passed, int) else sum(seen) in passed
    monkeypatch.undo()
    images = bright.images.images.repeat(5, 1, 1, 1)
    augmented = policy.to_batch()(images, seed=0, epoch=0, indices=torch.arange(200))
    losses = cross_entropy(bright.network.logits(augmented), bright.images.labels.repeat(5), reduction="none")
    assert torch.allclose(losses.view(5, 40), scores.loss, atol=1e-6)
