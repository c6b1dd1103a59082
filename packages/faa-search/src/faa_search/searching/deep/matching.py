"""A triple: how a layer's transforms change the cosine between two gradients of a frozen network.

One is the mean over images of a class as they are, v. The other is the mean over draws of one image of that class, g.
The reward of transform t is the derivative of cos(v, g) with respect to its probability (Zheng et al. 2022, eq. 5, with
the factor 1 / |v| of the released code, which counts where rewards of different triples are averaged).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from faa_core import FaaError, Policy
from faa_core.randomness import key_of
from faa_search.searching.deep.augmenting import draws_of, draws_of_each
from faa_search.searching.deep.gradients import FrozenNetwork, Gradient, dot
from faa_search.searching.deep.pools import Pools, TripleImages
from faa_search.searching.deep.space import Probabilities, Space
from faa_search.searching.objective import Staged
from faa_search.settings import DeepSearchConfig


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Matching:
    """What triples are made of in a worker.

    Attributes:
        config: The search's settings.
        space: What a layer picks from.
        pools: Images by class.
        staged: All images, on the device.
        network: Frozen.
    """

    config: DeepSearchConfig
    space: Space
    pools: Pools
    staged: Staged
    network: FrozenNetwork

    def draw(self, key: int) -> TripleImages:
        """Return the images of a triple."""
        return self.pools.draw(key, self.config.val_images)

    def image(self, position: int) -> Tensor:
        """Return an image, uint8 ``[C, H, W]``, on the device."""
        return self.staged.images[position]

    def target(self, images: TripleImages) -> Gradient:
        """Return v: the mean gradient of the images as they are."""
        positions = torch.from_numpy(images.validation).to(self.staged.images.device)
        weights = torch.full((len(positions),), 1 / len(positions), dtype=torch.float64)
        return self.network.mean_gradient(self.staged.images[positions], images.label, weights)


class Match(NamedTuple):
    """What a triple came to.

    Attributes:
        rewards: Of each transform.
        cosine: Between the two gradients.
        repeated: Images to match that were there a second time.
        silent: Whether a gradient vanished, as where the network is certain: then nothing is known, and all are 0.
        images: How many different images passed the network, once or several times.
    """

    rewards: list[float]
    cosine: float
    repeated: int
    silent: bool
    images: int


def match(matching: Matching, layers: Sequence[Probabilities], *, key: int) -> Match:
    """Return the rewards of a triple.

    Args:
        matching: Images and network.
        layers: Those found, and as the last the one that is being found.
        key: Of the triple's draws.

    Raises:
        FaaError: If a gradient is not finite.
    """
    config, space, network = matching.config, matching.space, matching.network
    images = matching.draw(key_of(key, "images"))
    image_CHW, label = matching.image(images.augmented), images.label
    of_images, of_rewards = key_of(key, "gradient") >> 1, key_of(key, "rewards") >> 1
    v, passed = matching.target(images), len(images.validation)
    if len(layers) == 1:
        each = draws_of_each(space, None, image_CHW, 1, key=of_rewards)
        g = network.mean_gradient(each.images, label, each.weights(torch.tensor(layers[0], dtype=torch.float64)))
    else:
        count = config.gradient_draws * len(space)
        drawn = draws_of(space.policy(layers, mirror=False), image_CHW, count, key=of_images)
        g = network.mean_gradient(
            drawn.images, label, drawn.weights(torch.full((count,), 1 / count, dtype=torch.float64))
        )
        before = space.policy(layers[:-1], mirror=False)
        each = draws_of_each(space, before, image_CHW, config.prefixes, key=of_rewards)
        passed += len(drawn.images)
    passed += len(each.images)
    found = along_cosine(v, g)
    if found is None:
        return Match(rewards=[0.0] * len(space), cosine=0.0, repeated=images.repeated, silent=True, images=passed)
    cosine, tangent, scale = found
    changes_N = network.change_along(tangent, each.images, label).cpu().double()
    rewards_T = changes_N[each.which_R].view(-1, len(space)).mean(dim=0) * scale
    return Match(rewards=rewards_T.tolist(), cosine=cosine, repeated=images.repeated, silent=False, images=passed)


def along_cosine(v: Gradient, g: Gradient) -> tuple[float, Gradient, float] | None:
    """Return cos(v, g), the part of v at right angles to g, and 1 / (|v| |g|): the derivative is their product.

    Returns:
        None if one of the two is zero, so that there is no angle between them.

    Raises:
        FaaError: If one of them is not finite.
    """
    vv, gg, vg = dot(v, v), dot(g, g), dot(v, g)
    if not math.isfinite(vv + gg):
        raise FaaError(
            "A gradient of the network is not finite, so its fitting must have diverged: choose another --output, and "
            "a smaller --lr."
        )
    lengths = math.sqrt(vv) * math.sqrt(gg)
    if lengths == 0:
        return None
    tangent = {name: tensor - g[name] * (vg / gg) for name, tensor in v.items()}
    return vg / lengths, tangent, 1 / lengths


def cosine_of(matching: Matching, v: Gradient, images: TripleImages, policy: Policy, count: int, *, key: int) -> float:
    """Return the cosine between v and the mean gradient of a policy's draws of the triple's image.

    Args:
        matching: Images and network.
        v: Of the triple.
        images: Of the triple.
        policy: Of any kind.
        count: Draws.
        key: Of the draws, 63 bits.
    """
    drawn = draws_of(policy, matching.image(images.augmented), count, key=key)
    found = along_cosine(v, matching.network.mean_gradient(drawn.images, images.label, drawn.shares()))
    return 0.0 if found is None else found[0]
