"""Rewards by hand, and scores that depend on policy, seed and network alone."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from faa_core import Op, Policy, SubPolicies
from faa_search.config import SearchConfig, TrainConfig
from faa_search.data import ArraySource
from faa_search.fast.objective import REWARDS, HeldOut, Scores, mean_and_error, score
from faa_search.training import Network, View
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
    return HeldOut(network=network, source=source, size=6, views=3, batch_size=16, workers=0)


@pytest.fixture
def wide(accelerator: Accelerator, expected: ModelInput, noise: Callable[..., ArraySource]) -> HeldOut:
    """Return random images and an untrained Wide-ResNet."""
    model = make_model("wrn16_1", classes=3, pretrained=False, size=8, seed=0)
    network = Network(model, expected, TrainConfig(), accelerator)
    return HeldOut(network=network, source=noise(25), size=8, views=3, batch_size=10, workers=0)


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


def test_scores_are_the_networks(wide: HeldOut) -> None:
    """Row v, column n: the loss of image n in view v, in evaluation mode, and whether its class came first."""
    policy = Policy.load("uniform-random")
    scores = score(wide, policy, seed=9)
    assert (3, 25) == tuple(scores.loss.shape) == tuple(scores.right.shape)
    view = View(source=wide.source, size=8, policy=policy, seed=9)
    wide.network.model.eval()
    with torch.no_grad():
        for number in range(3):
            images, labels = view.__getitems__([(number, index) for index in range(25)])
            logits = wide.network.logits(images)
            assert torch.allclose(cross_entropy(logits, labels, reduction="none"), scores.loss[number], atol=1e-5)
            assert torch.equal((logits.argmax(dim=1) == labels).float(), scores.right[number])


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # torch counts this machine's cores
def test_scores_do_not_depend_on_batches_or_processes(wide: HeldOut) -> None:
    """Loader processes change nothing to the bit; other batches only round differently."""
    policy = Policy.load("uniform-random")
    whole = score(wide, policy, seed=1)
    assert torch.equal(whole.loss, score(replace(wide, workers=2), policy, seed=1).loss)
    for batch_size in (1, 7, 512):
        other = score(replace(wide, batch_size=batch_size), policy, seed=1)
        assert torch.allclose(whole.loss, other.loss, atol=1e-5)
    assert not torch.equal(whole.loss, score(wide, policy, seed=2).loss)


def test_scoring_leaves_the_network_alone(wide: HeldOut) -> None:
    """Nothing is learnt, not even batch norm's statistics; the mode stays."""
    before = {key: value.clone() for key, value in wide.network.model.state_dict().items()}
    wide.network.model.train()
    scores = score(wide, Policy.load("uniform-random"), seed=0)
    assert wide.network.model.training
    assert not scores.loss.requires_grad
    assert all(torch.equal(value, before[key]) for key, value in wide.network.model.state_dict().items())


def test_identity_shows_every_view_alike(wide: HeldOut) -> None:
    """Nothing is drawn but the policy: crop, flip and cutout belong to training."""
    scores = score(wide, Policy.load("none"), seed=4)
    assert torch.allclose(scores.loss[0], scores.loss[1], atol=1e-6)
    assert torch.allclose(scores.loss[0], scores.loss[2], atol=1e-6)
    assert torch.equal(scores.loss, score(wide, Policy.load("none"), seed=5).loss)
    views = score(replace(wide, batch_size=25), Policy.load("none"), seed=4).loss
    assert torch.equal(views[0], views[2])


@pytest.mark.parametrize("reward", list(REWARDS))
def test_policies_that_harm_score_lower(bright: HeldOut, reward: Any) -> None:
    """Inverting makes dark bright: every reward prefers to leave the images as they are."""
    inverted = SubPolicies(sub_policies=((Op(op="Invert", p=1.0, magnitude=0.0),),))
    identity, harmed = (score(bright, policy, seed=0) for policy in (Policy.load("none"), inverted))
    assert float(identity.per_image(reward).mean()) > float(harmed.per_image(reward).mean())
    assert (1.0, 0.0) == (float(identity.right.mean()), float(harmed.right.mean()))


def test_best_of_views_rewards_diversity(bright: HeldOut) -> None:
    """Half of the views inverted: the mean suffers, the best of three hardly."""
    half = SubPolicies(sub_policies=((Op(op="Invert", p=0.5, magnitude=0.0),),))
    scores = score(bright, half, seed=3)
    assert 0.3 < float(scores.per_image("mean-accuracy").mean()) < 0.7
    assert 0.75 < float(scores.per_image("best-accuracy").mean()) < 1.0
