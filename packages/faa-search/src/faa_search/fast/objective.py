"""Density matching: how well a network that never saw a policy's images predicts them.

A good policy keeps augmented images where the network, fitted on un-augmented D_M, expects images of their class; no
network is trained per policy (Lim et al. 2019, §3).

Shapes: V = views, N = held-out images, C = classes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from faa_core import Policy
from faa_search.config import RewardName
from faa_search.data import ImageSource
from faa_search.training.loading import OrderedBatches, load
from faa_search.training.network import Network, evaluating
from faa_search.training.plan import Rank
from faa_search.training.views import View


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What a network makes of every view of every held-out image.

    Attributes:
        loss: Shape ``[V, N]``, float32: cross-entropy in nats.
        right: Shape ``[V, N]``, float32: 1 where the class is right, else 0.
    """

    loss: Tensor
    right: Tensor

    def per_image(self, reward: RewardName) -> Tensor:
        """Return each image's contribution to a reward, shape ``[N]``; higher is better, and their mean counts."""
        return REWARDS[reward](self)


def _mean_loss(scores: Scores) -> Tensor:
    return -scores.loss.mean(dim=0)  # the paper: expected loss of the augmented images


def _mean_accuracy(scores: Scores) -> Tensor:
    return scores.right.mean(dim=0)


def _best_accuracy(scores: Scores) -> Tensor:
    return scores.right.amax(dim=0)  # the original code: right in any view


def _best_loss(scores: Scores) -> Tensor:
    return -scores.loss.amin(dim=0)  # what the original code meant to log: it took the minimum over the batch


REWARDS: dict[RewardName, Callable[[Scores], Tensor]] = {
    "mean-loss": _mean_loss,
    "mean-accuracy": _mean_accuracy,
    "best-accuracy": _best_accuracy,
    "best-loss": _best_loss,
}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HeldOut:
    """A fold's network and the images to score policies on.

    Attributes:
        network: Fitted on D_M.
        source: D_A.
        size: Side of the images in pixels.
        views: Augmented draws per image.
        batch_size: Images per forward pass.
        workers: Loader processes.
    """

    network: Network
    source: ImageSource
    size: int
    views: int
    batch_size: int
    workers: int


@torch.no_grad()
def score(held_out: HeldOut, policy: Policy, *, seed: int) -> Scores:
    """Return the scores of a policy; all draws are keyed by the seed, the view and the image."""
    view = View(source=held_out.source, size=held_out.size, policy=policy, seed=seed)
    order = OrderedBatches(len(view), held_out.batch_size, views=held_out.views, rank=Rank())
    losses, rights = [], []
    with evaluating(held_out.network):
        for images, labels_B in load(view, order, workers=held_out.workers):
            logits_BC = held_out.network.logits(images).float()
            targets_B = labels_B.to(logits_BC.device)
            losses.append(cross_entropy(logits_BC, targets_B, reduction="none"))
            rights.append((logits_BC.argmax(dim=1) == targets_B).float())
    shape = (held_out.views, len(view))
    return Scores(torch.cat(losses).view(shape).cpu(), torch.cat(rights).view(shape).cpu())


def mean_and_error(values: Tensor) -> tuple[float, float]:
    """Return the mean of values, shape ``[N]``, and its standard error (0 for one value)."""
    if len(values) < 2:
        return float(values.double().mean()), 0.0
    return float(values.double().mean()), float(values.double().std()) / math.sqrt(len(values))
