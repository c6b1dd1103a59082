"""The rewards of a triple: the derivatives of a cosine, held against autograd and against differences, in doubles."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from faa_core import Policy
from faa_core.randomness import key_of
from faa_search.searching.deep.augmenting import draws_of, draws_of_each
from faa_search.searching.deep.gradients import FrozenNetwork
from faa_search.searching.deep.matching import Matching, along_cosine, cosine_of, match
from faa_search.searching.deep.pools import make_pools
from faa_search.searching.deep.space import Probabilities, space_of
from faa_search.searching.objective import Staged
from faa_search.settings import DeepSearchConfig

SIDE, CLASSES = 8, 3


class Small(nn.Module):
    """A network with batch norm, whose statistics are not 0 and 1."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5)
        self.head = nn.Linear(5, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        hidden = torch.tanh(self.norm(self.conv(images)))
        logits: Tensor = self.head(hidden.mean(dim=(2, 3)))
        return logits


def matching_of(**settings: Any) -> Matching:
    """Return a small network in double precision, with noise to match."""
    config = DeepSearchConfig(levels=3, val_images=5, gradient_draws=2, prefixes=3, **settings)
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = Small().double()
    model.norm.running_mean.copy_(torch.rand(5, generator=generator))
    model.norm.running_var.copy_(1 + torch.rand(5, generator=generator))
    network = SimpleNamespace(
        model=model,
        prepared=lambda images: (images.double() - 120) / 60,
        layout=torch.contiguous_format,
        device=torch.device("cpu"),
    )
    labels = np.arange(60) % CLASSES
    images = torch.randint(0, 256, (60, 3, SIDE, SIDE), dtype=torch.uint8, generator=generator)
    return Matching(
        config=config,
        space=space_of(config, SIDE),
        pools=make_pools(labels, np.arange(60), val_size=None, seed=0),
        staged=Staged(images, torch.from_numpy(labels), torch.arange(60)),
        network=FrozenNetwork(network, size=SIDE, batch_size=7),  # type: ignore[arg-type]
    )


def layer_of(matching: Matching, seed: int) -> Probabilities:
    """Return a layer that is neither uniform nor the start."""
    logits = torch.randn(len(matching.space), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return tuple(logits.softmax(dim=0).tolist())


def loss_gradients(matching: Matching, images: Tensor, label: int) -> Tensor:
    """Return each image's gradient as a row, by plain autograd."""
    frozen = matching.network
    rows = []
    for image in images:
        leaves = {name: tensor.clone().requires_grad_() for name, tensor in frozen.parameters.items()}
        logits = functional_call(frozen.network.model, leaves, (frozen.network.prepared(image[None]),))
        loss = cross_entropy(logits, torch.tensor([label]))
        rows.append(torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(leaves.values()))]))
    return torch.stack(rows)


def cosine(v: Tensor, g: Tensor) -> Tensor:
    return torch.nn.functional.cosine_similarity(v, g, dim=0)


def parts_of(matching: Matching, layers: Sequence[Probabilities], key: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return v, the gradient under each transform [T, P], and the mean gradient behind the cosine, all by autograd."""
    images = matching.draw(key_of(key, "images"))
    v = loss_gradients(matching, matching.staged.images[torch.from_numpy(images.validation)], images.label).mean(dim=0)
    space, image = matching.space, matching.image(images.augmented)
    before = space.policy(layers[:-1], mirror=False) if len(layers) > 1 else None
    prefixes = 1 if before is None else matching.config.prefixes
    each = draws_of_each(space, before, image, prefixes, key=key_of(key, "rewards") >> 1)
    of_images = loss_gradients(matching, each.images, images.label)
    of_transforms = of_images[each.which_R].view(prefixes, len(space), -1).mean(dim=0)
    if before is None:
        return v, of_transforms, torch.tensor(layers[0], dtype=torch.float64) @ of_transforms
    count = matching.config.gradient_draws * len(space)
    drawn = draws_of(space.policy(layers, mirror=False), image, count, key=key_of(key, "gradient") >> 1)
    return v, of_transforms, loss_gradients(matching, drawn.images, images.label)[drawn.which_R].mean(dim=0)


@pytest.mark.parametrize("key", [0, 3, 12])
def test_rewards_of_the_first_layer_are_autograds_of_the_cosine(key: int) -> None:
    """With respect to the logits, to 1e-10; and Σ p r = 0."""
    matching = matching_of()
    layer = layer_of(matching, key)
    found = match(matching, [layer], key=key)
    v, of_transforms, _g = parts_of(matching, [layer], key)
    logits = torch.tensor(layer, dtype=torch.float64).log().requires_grad_()
    value = cosine(v, logits.softmax(dim=0) @ of_transforms)
    (wanted,) = torch.autograd.grad(value, logits)
    assert found.cosine == pytest.approx(value.item(), abs=1e-12)
    p, rewards = torch.tensor(layer, dtype=torch.float64), torch.tensor(found.rewards, dtype=torch.float64)
    assert abs(float(p @ rewards)) < 1e-12
    assert float((p * (rewards - p @ rewards) - wanted).abs().max()) < 1e-10
    assert float(wanted.abs().max()) > 1e-4  # the comparison is of something


@pytest.mark.parametrize("before", [1, 2])
def test_rewards_of_later_layers_are_autograds_of_the_cosine(before: int) -> None:
    """The mean gradient's derivative with respect to a probability is that transform's mean gradient after prefixes."""
    matching = matching_of()
    layers = [layer_of(matching, seed) for seed in range(before + 1)]
    found = match(matching, layers, key=5)
    v, of_transforms, g = parts_of(matching, layers, 5)
    logits = torch.tensor(layers[-1], dtype=torch.float64).log().requires_grad_()
    p = logits.softmax(dim=0)
    value = cosine(v, g + (p - p.detach()) @ of_transforms)  # g itself is of drawn images, and does not follow p
    (wanted,) = torch.autograd.grad(value, logits)
    rewards = torch.tensor(found.rewards, dtype=torch.float64)
    fixed = p.detach()
    assert found.cosine == pytest.approx(value.item(), abs=1e-12)
    assert float((fixed * (rewards - fixed @ rewards) - wanted).abs().max()) < 1e-10
    assert float(wanted.abs().max()) > 1e-4


def test_rewards_are_slopes_of_the_cosine() -> None:
    """Central differences in the probabilities of the first layer."""
    matching = matching_of()
    layer = layer_of(matching, 1)
    rewards = match(matching, [layer], key=2).rewards
    v, of_transforms, _g = parts_of(matching, [layer], 2)
    p, step = torch.tensor(layer, dtype=torch.float64), 1e-6
    for at in (0, 4, len(layer) - 1):
        moved = [p.clone().index_add_(0, torch.tensor([at]), torch.tensor([sign * step]).double()) for sign in (1, -1)]
        ahead, behind = (cosine(v, one @ of_transforms) for one in moved)
        assert float((ahead - behind) / (2 * step)) == pytest.approx(rewards[at], rel=1e-6, abs=1e-8)


def test_forward_mode_and_differences_agree() -> None:
    """Where torch lacks the forward mode the loss is differenced instead."""
    matching = matching_of()
    layers = [layer_of(matching, seed) for seed in range(2)]
    exact = match(matching, layers, key=5)
    matching.network.lacks = "an operation"
    near = match(matching, layers, key=5)
    assert near.rewards != exact.rewards
    assert near.rewards == pytest.approx(exact.rewards, rel=1e-3, abs=1e-6)


class NoForward(torch.autograd.Function):
    """Doubles, and has no forward-mode derivative."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return 2 * values

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return 2 * gradients[0]


def test_a_network_without_forward_mode_is_recognised() -> None:
    """What its operations lack is found on two images, and the rewards are there all the same."""
    matching = matching_of()
    network = matching.network.network
    assert matching.network.lacks == ""
    plain = network.model.forward
    network.model.forward = lambda images: NoForward.apply(plain(images))  # type: ignore[method-assign,no-untyped-call]
    assert FrozenNetwork(network, size=SIDE, batch_size=7).lacks
    lacking = replace(matching, network=FrozenNetwork(network, size=SIDE, batch_size=7))
    assert np.isfinite(match(lacking, [layer_of(matching, 0)], key=1).rewards).all()


def test_batch_norm_is_left_out_of_the_gradient() -> None:
    """Its own two parameters; its running statistics are used as they are, and do not change."""
    matching = matching_of()
    assert set(matching.network.parameters) == {"conv.weight", "conv.bias", "head.weight", "head.bias"}
    before = matching.network.network.model.norm.running_mean.clone()
    match(matching, [layer_of(matching, 0)], key=1)
    assert torch.equal(before, matching.network.network.model.norm.running_mean)


def test_passes_change_nothing() -> None:
    """How many images there are in a pass, but for rounding."""
    layers = [layer_of(matching_of(), seed) for seed in range(2)]
    found = []
    for batch_size in (3, 7, 500):
        matching = matching_of()
        matching.network.batch_size = batch_size
        found.append(match(matching, layers, key=9))
    for other in found[1:]:
        assert other.rewards == pytest.approx(found[0].rewards, abs=1e-13)


def test_a_vanished_gradient_tells_nothing() -> None:
    """A network that is certain: rewards of 0, not a division by it; one that is not finite is refused."""
    matching = matching_of()
    head = matching.network.parameters["head.weight"]
    head.zero_()
    label = matching.draw(key_of(4, "images")).label
    matching.network.parameters["head.bias"].copy_(torch.full((CLASSES,), -1e6)).index_fill_(
        0, torch.tensor([label]), 1e6
    )
    found = match(matching, [layer_of(matching, 0)], key=4)
    assert (found.silent, found.cosine, set(found.rewards)) == (True, 0.0, {0.0})
    head.fill_(float("nan"))
    with pytest.raises(Exception, match="not finite"):
        match(matching, [layer_of(matching, 0)], key=4)


def test_the_angle_between_two_gradients() -> None:
    """By hand: v = (3, 4), g = (1, 0) scaled by 5 in another parameter's place."""
    v = {"a": torch.tensor([3.0]), "b": torch.tensor([4.0])}
    g = {"a": torch.tensor([5.0]), "b": torch.tensor([0.0])}
    found = along_cosine(v, g)
    assert found is not None
    value, tangent, scale = found
    assert value == pytest.approx(0.6)
    assert scale == pytest.approx(1 / 25)
    assert [float(tangent[name]) for name in "ab"] == pytest.approx([0.0, 4.0])


def test_the_cosine_of_a_policy_is_of_its_draws() -> None:
    """No policy: the gradient of the image as it is."""
    matching = matching_of()
    images = matching.draw(7)
    v = matching.target(images)
    found = cosine_of(matching, v, images, Policy.load("none"), 11, key=1)
    row = loss_gradients(matching, matching.image(images.augmented)[None], images.label)[0]
    of_images = matching.staged.images[torch.from_numpy(images.validation)]
    wanted = cosine(loss_gradients(matching, of_images, images.label).mean(dim=0), row)
    assert found == pytest.approx(float(wanted), abs=1e-12)
