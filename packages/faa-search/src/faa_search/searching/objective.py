"""Density matching: how well a network that never saw a policy's images predicts them.

A good policy keeps augmented images where the network, fitted on un-augmented D_M, expects images of their class; no
network is trained per policy (Lim et al. 2019, §3).

Shapes: V = views, N = held-out images, R = V·N draws, D = different ones, S = instructions, B = batch, C = channels or
classes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from faa_core import Policy
from faa_core.applying import UNTOUCHED, sort_alike
from faa_search.settings import RewardName
from faa_search.training.network import Network, evaluating

CPU_PIXELS = 128 * 32 * 32  # of a forward pass: in a larger one each layer waits for fresh memory from the system
CUDA_PIXELS = 8192 * 32 * 32


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
    """Labelled images where they are scored; folds are different positions in the same ones.

    Attributes:
        images: Shape ``[M, C, H, W]``, uint8, on the device.
        labels: Shape ``[M]``, int64, on the device.
        positions: Shape ``[N]``, int64, on the device: which of them these are.
    """

    images: Tensor
    labels: Tensor
    positions: Tensor

    def __len__(self) -> int:
        return len(self.positions)

    def batch(self, numbers_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images and labels of some draws, on the device: draw number r is of image r modulo N."""
        which_B = self.positions[(numbers_B % len(self)).to(self.positions.device)]
        return self.images[which_B], self.labels[which_B]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class HeldOut:
    """A fold's network and the images to score policies on.

    Attributes:
        network: Fitted on D_M.
        images: D_A.
        batch_size: Images per forward pass; it changes no draw.
        untouched: What the network makes of the images as they are, with one view: most trials need it.
    """

    network: Network
    images: Staged
    batch_size: int
    untouched: Scores


def held_out(network: Network, images: Staged, *, batch_size: int) -> HeldOut:
    """Return a network and images ready to score policies with.

    Args:
        network: Fitted on D_M.
        images: D_A.
        batch_size: Images per forward pass.
    """
    everything = torch.arange(len(images))
    untouched = _passed(network, images, everything, batch_size, lambda images_BCHW, _numbers_B: images_BCHW)
    return HeldOut(network=network, images=images, batch_size=batch_size, untouched=untouched)


def score(held: HeldOut, policy: Policy, *, views: int, seed: int) -> Scores:
    """Return the scores of a policy, on the CPU.

    A draw is keyed by the seed, the view and the image alone. So policies of one shape that are scored with one seed
    share their random numbers (common random numbers), and differ by what they do with them. Draws that give the same
    pixels are passed once, and images that are left alone not at all: a third of all is saved, and nothing changes.

    Args:
        held: Network and images.
        policy: Scored by itself: nothing else is done to the images.
        views: Draws of each image.
        seed: Keys the draws.

    Raises:
        FaaError: If the policy has operations whose pixels exist one image at a time only.
    """
    augment, images = policy.to_batch(), held.images
    numbers_R = torch.arange(views * len(images))
    which_R = numbers_R % len(images)
    instructions_RS8 = augment.instructions(images.images, seed=seed, epoch=0, indices=numbers_R)
    alike = sort_alike(instructions_RS8, which_R)

    def augmented(images_BCHW: Tensor, numbers_B: Tensor) -> Tensor:
        return augment.carry_out(images_BCHW, instructions_RS8[numbers_B])

    changed = _passed(held.network, images, numbers_R[alike.first], held.batch_size, augmented)
    shape = (views, len(images))
    return Scores(
        loss=_of_draws(changed.loss, held.untouched.loss, alike.kind, which_R).view(shape),
        right=_of_draws(changed.right, held.untouched.right, alike.kind, which_R).view(shape),
    )


def _passed(
    network: Network,
    images: Staged,
    numbers_D: Tensor,
    batch_size: int,
    augmented: Callable[[Tensor, Tensor], Tensor],
) -> Scores:
    """Return what a network makes of some draws, shapes ``[1, D]``, on the CPU."""
    losses, rights = [torch.empty(0)], [torch.empty(0)]
    with torch.no_grad(), evaluating(network):
        for start in range(0, len(numbers_D), batch_size):
            count = min(batch_size, len(numbers_D) - start)
            numbers_B = numbers_D[start : start + count]
            size = min(few_sizes(count), batch_size)
            numbers_B = torch.cat([numbers_B, numbers_B[:1].expand(size - count)])
            images_BCHW, targets_B = images.batch(numbers_B)
            logits_BC = network.logits(augmented(images_BCHW, numbers_B)).float()
            losses.append(cross_entropy(logits_BC, targets_B, reduction="none")[:count])
            rights.append((logits_BC.argmax(dim=1) == targets_B).float()[:count])
    return Scores(*(torch.cat([part.cpu() for part in parts]).unsqueeze(0) for parts in (losses, rights)))


def few_sizes(count: int) -> int:
    """Return the next number of five binary digits and zeros: convolutions are tuned for each size they meet."""
    step = 1 << max(0, count.bit_length() - 5)
    return -(-count // step) * step


def _of_draws(changed_1D: Tensor, untouched_1N: Tensor, kind_R: Tensor, which_R: Tensor) -> Tensor:
    """Return a figure of every draw, shape ``[R]``: its kind's, or its image's where that is left alone."""
    values_R = untouched_1N[0, which_R]
    changed_R = kind_R != UNTOUCHED
    values_R[changed_R] = changed_1D[0, kind_R[changed_R]]
    return values_R


def scoring_batch(device: torch.device, size: int) -> int:
    """Return how many images of so many pixels a side suit a forward pass on a device."""
    pixels = CUDA_PIXELS if device.type == "cuda" else CPU_PIXELS
    return max(16, pixels // size**2)


def mean_and_error(values: Tensor) -> tuple[float, float]:
    """Return the mean of values, shape ``[N]``, and its standard error (0 for one value)."""
    if len(values) < 2:
        return float(values.double().mean()), 0.0
    return float(values.double().mean()), float(values.double().std()) / math.sqrt(len(values))
