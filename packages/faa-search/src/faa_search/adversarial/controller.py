"""The network that chooses policies: an LSTM over operations and levels, as AutoAugment's.

Shapes: M policies, Q sub-policies of each, O operations, L levels.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from faa_search.adversarial.space import LEVELS, OPERATIONS, SUB_POLICIES, Actions

EMBEDDING, HIDDEN = 32, 100
SPREAD = 0.1  # weights begin uniformly in ± this

Choose = Callable[[int, Tensor], Tensor]  # from the number of a step and its log-probabilities to what is chosen


class Scores(NamedTuple):
    """What a controller says of policies.

    Attributes:
        log_probability_M: Sum of the log-probabilities of all choices.
        entropy_M: Sum of the entropies of the distributions that they were drawn from, nats.
    """

    log_probability_M: Tensor
    entropy_M: Tensor


class Controller(nn.Module):
    """Chooses each sub-policy's operation, its level, the second operation, its level; always on the CPU, in float32.

    Without `carry_state` it begins every sub-policy anew, so all of them are drawn alike; with it, each follows from
    those before. There is neither a temperature nor a bound on the logits.
    """

    allowed_OL: Tensor

    def __init__(self, allowed_OL: NDArray[np.bool_], *, carry_state: bool = False) -> None:
        """Make one with weights from torch's generator.

        Args:
            allowed_OL: Which level of which operation may be chosen; of each operation one at least.
            carry_state: Whether it remembers the sub-policies before.
        """
        super().__init__()
        operations = len(allowed_OL)
        self.carry_state = carry_state
        self.embedding = nn.Embedding(operations + LEVELS, EMBEDDING)  # the levels' vectors follow the operations'
        self.cell = nn.LSTMCell(EMBEDDING, HIDDEN)
        self.operation_head = nn.Linear(HIDDEN, operations)
        self.level_head = nn.Linear(HIDDEN, LEVELS)
        self.register_buffer("allowed_OL", torch.from_numpy(allowed_OL), persistent=False)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -SPREAD, SPREAD)
        for head in (self.operation_head, self.level_head):
            nn.init.zeros_(head.bias)

    @property
    def most_entropy(self) -> float:
        """The entropy of a policy whose sub-policies are uniform over what is allowed, nats."""
        return SUB_POLICIES * OPERATIONS * float(np.log(int(self.allowed_OL.sum())))

    @torch.no_grad()
    def be_uniform(self) -> None:
        """Choose every operation, and every allowed level of it, equally often."""
        for head in (self.operation_head, self.level_head):
            nn.init.zeros_(head.weight)

    @torch.no_grad()
    def draw(self, uniforms: NDArray[np.float64]) -> Actions:
        """Return policies.

        Args:
            uniforms: In [0, 1), shape ``[M, Q, OPERATIONS, 2]``: a number decides a choice.

        Returns:
            Operations and levels, int64, of the same shape.
        """
        given = torch.from_numpy(uniforms.reshape(len(uniforms), -1))
        actions, _scores = self._walk(lambda step, log_p: _drawn(log_p, self._column(given, step)), len(uniforms))
        return actions.view(uniforms.shape).numpy()

    def score(self, actions: Actions) -> Scores:
        """Return the log-probabilities of policies and the entropies, with their gradients.

        Args:
            actions: As `draw` returns them.
        """
        given = torch.from_numpy(actions.reshape(len(actions), -1))
        return self._walk(lambda step, _log_p: self._column(given, step), len(actions))[1]

    def _column(self, given: Tensor, step: int) -> Tensor:
        """Return what belongs to a step, of numbers ``[M, Q · 4]``."""
        if self.carry_state:
            return given[:, step]
        return given.reshape(-1, 2 * OPERATIONS)[:, step]

    def _walk(self, choose: Choose, policies: int) -> tuple[Tensor, Scores]:
        """Make all choices of some policies; return them, ``[M, Q · 4]``, and their scores."""
        rows, steps = policies * SUB_POLICIES, 2 * OPERATIONS
        if self.carry_state:
            rows, steps = policies, SUB_POLICIES * 2 * OPERATIONS
        operations = self.operation_head.out_features
        hidden = cell = torch.zeros(rows, HIDDEN)
        shown = torch.zeros(rows, EMBEDDING)
        chosen: list[Tensor] = []
        log_probabilities, entropies = [], []
        for step in range(steps):
            hidden, cell = self.cell(shown, (hidden, cell))
            level = step % 2 == 1
            logits = self.level_head(hidden) if level else self.operation_head(hidden)
            if level:
                logits = logits.masked_fill(~self.allowed_OL[chosen[-1]], -torch.inf)
            log_p = log_softmax(logits, dim=1)
            choice = choose(step, log_p.detach())
            chosen.append(choice)
            log_probabilities.append(log_p.gather(1, choice[:, None])[:, 0])
            entropies.append(-(log_p.exp() * log_p.masked_fill(log_p == -torch.inf, 0.0)).sum(dim=1))
            shown = self.embedding(choice + operations if level else choice)
        scores = (torch.stack(each, dim=1).reshape(policies, -1).sum(dim=1) for each in (log_probabilities, entropies))
        return torch.stack(chosen, dim=1).reshape(policies, -1), Scores(*scores)


def _drawn(log_p: Tensor, uniforms: Tensor) -> Tensor:
    """Return the choice in whose part of [0, 1) each number lies; one without a part is never chosen."""
    ends = log_p.double().exp().cumsum(dim=1)
    return torch.searchsorted(ends, (uniforms * ends[:, -1])[:, None], right=True)[:, 0]
