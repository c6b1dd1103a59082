"""How the controller learns: REINFORCE on standardised losses, with a weight on its entropy; and when it collapses."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from faa_core import FaaError
from faa_search.adversarial.controller import Controller, Scores
from faa_search.adversarial.space import LEVELS, Actions

EPSILON = 1e-5  # beside the standard deviation of the losses
PULL, STRONGEST = 20.0, 5.0  # of the weight of the entropy towards a target: per nat of a choice; at most, as a power
LOW_ENTROPY, LARGE_SHARE = 0.5, 0.5  # what counts as a collapse


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a step of the controller came to.

    Attributes:
        loss: That was minimised.
        score_loss: Its part without the entropy.
        entropy: Mean entropy of the policies that were drawn, before the step, nats.
        entropy_weight: That the loss was made with.
    """

    loss: float
    score_loss: float
    entropy: float
    entropy_weight: float


def standardise(losses: Sequence[float]) -> Tensor:
    """Return the rewards of policies, ``[M]``: their losses, less the mean, over the unbiased standard deviation.

    Raises:
        FaaError: If there are fewer than two, or one is not finite.
    """
    losses_M = torch.tensor(losses, dtype=torch.float64)
    deviation = losses_M.std() if len(losses) > 1 else torch.tensor(math.nan)
    rewards_M: Tensor = (losses_M - losses_M.mean()) / (deviation + EPSILON)
    if not len(losses) or not rewards_M.isfinite().all():
        raise FaaError(f"The controller learns from two finite losses or more, not from {list(losses)!r:.200}.")
    return rewards_M.float()


def objective(scores: Scores, rewards_M: Tensor, entropy_weight: float) -> tuple[Tensor, Tensor]:
    """Return the controller's loss and its part without the entropy: -mean(log p · z) - weight · mean(entropy)."""
    score_loss = -(scores.log_probability_M * rewards_M).mean()
    return score_loss - entropy_weight * scores.entropy_M.mean(), score_loss


def learn(
    controller: Controller,
    optimizer: torch.optim.Optimizer,
    actions: Actions,
    losses: Sequence[float],
    *,
    entropy_weight: float,
) -> Step:
    """Take a step that makes policies with a higher loss likelier.

    Args:
        controller: That drew the policies.
        optimizer: Of its weights.
        actions: The policies.
        losses: What the network lost under each of them, in its mean.
        entropy_weight: In the loss.
    """
    loss, step = _measured(controller, actions, losses, entropy_weight)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return step


@torch.no_grad()
def look(controller: Controller, actions: Actions, losses: Sequence[float], *, entropy_weight: float) -> Step:
    """Return what `learn` would, and change nothing."""
    return _measured(controller, actions, losses, entropy_weight)[1]


def _measured(
    controller: Controller, actions: Actions, losses: Sequence[float], entropy_weight: float
) -> tuple[Tensor, Step]:
    """Return the controller's loss, with its gradients, and the figures of the step."""
    scores = controller.score(actions)
    loss, score_loss = objective(scores, standardise(losses), entropy_weight)
    return loss, Step(
        loss=float(loss.detach()),
        score_loss=float(score_loss.detach()),
        entropy=float(scores.entropy_M.detach().mean()),
        entropy_weight=entropy_weight,
    )


def weight_for(entropy: float, *, weight: float, target: float, choices: int) -> float:
    """Return the weight that pulls the entropy to a target: larger below it, smaller above it, `weight` at it.

    Args:
        entropy: Of the last policies, nats.
        weight: Where the entropy is at its target.
        target: Wanted, nats.
        choices: Of a policy, over which the entropy is a sum.
    """
    pull = PULL * (target - entropy) / choices
    return weight * math.exp(min(max(pull, -STRONGEST), STRONGEST))


def shares(actions: Actions, operations: int) -> tuple[list[float], list[float], float]:
    """Return the fraction of each operation and of each level among what was drawn, and the largest of any pair."""
    pairs = np.zeros((operations, LEVELS))
    np.add.at(pairs, (actions[..., 0].ravel(), actions[..., 1].ravel()), 1)
    pairs /= pairs.sum()
    return pairs.sum(axis=1).tolist(), pairs.sum(axis=0).tolist(), float(pairs.max())
