"""A layer while it is learnt: from the rewards of its triples to its probabilities.

The state of a layer follows from the rewards of its updates, which are kept; so nothing else is written down.

Shapes: N triples, T transforms.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from faa_search.searching.deep.space import Probabilities

EPSILON = 1e-7  # Adam's, as Keras has it: the original's


class Layer:
    """A layer that is being learnt by Adam."""

    def __init__(self, start: Probabilities, *, lr: float) -> None:
        """Start.

        Args:
            start: Probabilities of its transforms, none of them 0.
            lr: Adam's learning rate.
        """
        logits_T = torch.tensor(start, dtype=torch.float64).log()
        self._logits = (logits_T - logits_T.mean()).requires_grad_()
        self._optimizer = torch.optim.Adam([self._logits], lr=lr, eps=EPSILON)

    @property
    def probabilities(self) -> Probabilities:
        """Of its transforms."""
        return tuple(self._logits.detach().softmax(dim=0).tolist())

    def update(self, rewards: Sequence[float]) -> None:
        """Take a step towards transforms with a higher reward.

        Args:
            rewards: Of each transform, length T.
        """
        self._optimizer.zero_grad()
        expected = torch.tensor(rewards, dtype=torch.float64) @ self._logits.softmax(dim=0)
        (-expected).backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()


def reward_of(rewards: Sequence[Sequence[float]], *, penalty: float) -> list[float]:
    """Return the rewards of an update: their mean over the triples, less some of their standard deviations.

    Args:
        rewards: N rows of length T.
        penalty: How many (population) standard deviations are taken off; 0 in the first layer.
    """
    rewards_NT = torch.tensor(rewards, dtype=torch.float64)
    found: Tensor = rewards_NT.mean(dim=0) - penalty * rewards_NT.std(dim=0, correction=0)
    return [float(one) for one in found]


def entropy_of(layer: Probabilities) -> float:
    """Return the entropy of a layer in nats: 0 for a single transform, log T for equal probabilities."""
    return -sum(p * math.log(p) for p in layer if p > 0)
