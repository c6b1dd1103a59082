"""Density matching: how well a network that never saw a policy's images predicts them.

A good policy keeps augmented images where the network, fitted on un-augmented D_M, expects images of their class; no
network is trained per policy (Lim et al. 2019, §3).

Shapes: V = views, N = held-out images, B = batch, C = channels or classes, H = W = side.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from faa_core import Policy
from faa_search.config import RewardName
from faa_search.training.network import Network, evaluating

CPU_PIXELS = 512 * 32 * 32  # of a forward pass: larger batches gain nothing on a CPU
CUDA_PIXELS = 16 * CPU_PIXELS


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


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """Labelled images where they are scored.

    Attributes:
        images: Shape ``[N, C, H, W]``, uint8, on the device.
        labels: Shape ``[N]``, int64, on the device.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HeldOut:
    """A fold's network and the images to score policies on.

    Attributes:
        network: Fitted on D_M.
        images: D_A.
        batch_size: Images per forward pass; it changes no draw.
    """

    network: Network
    images: Staged
    batch_size: int


def score(held_out: HeldOut, policy: Policy, *, views: int, seed: int) -> Scores:
    """Return the scores of a policy, on the CPU.

    A draw is keyed by the seed, the view and the image alone. So policies of one shape that are scored with one seed
    share their random numbers (common random numbers), and differ by what they do with them.

    Args:
        held_out: Network and images.
        policy: Scored by itself: nothing else is done to the images.
        views: Draws of each image.
        seed: Keys the draws.
    """
    augment, images = policy.to_batch(), held_out.images
    count, total = len(images), views * len(images)
    losses, rights = [], []
    with torch.no_grad(), evaluating(held_out.network):
        for start in range(0, total, held_out.batch_size):
            numbers_B = torch.arange(start, min(start + held_out.batch_size, total))
            which_B = (numbers_B % count).to(images.labels.device)
            augmented_BCHW = augment(images.images[which_B], seed=seed, epoch=0, indices=numbers_B)
            logits_BC = held_out.network.logits(augmented_BCHW).float()
            targets_B = images.labels[which_B]
            losses.append(cross_entropy(logits_BC, targets_B, reduction="none"))
            rights.append((logits_BC.argmax(dim=1) == targets_B).float())
    shape = (views, count)
    return Scores(torch.cat(losses).view(shape).cpu(), torch.cat(rights).view(shape).cpu())


def scoring_batch(device: torch.device, size: int) -> int:
    """Return how many images of so many pixels a side suit a forward pass on a device."""
    pixels = CUDA_PIXELS if device.type == "cuda" else CPU_PIXELS
    return max(16, pixels // size**2)


def mean_and_error(values: Tensor) -> tuple[float, float]:
    """Return the mean of values, shape ``[N]``, and its standard error (0 for one value)."""
    if len(values) < 2:
        return float(values.double().mean()), 0.0
    return float(values.double().mean()), float(values.double().std()) / math.sqrt(len(values))
