"""Adversarial AutoAugment as a component: policies that are drawn, told what they cost, and drawn anew.

It knows nothing of the network, the images or the loop that it helps::

    adversary = Adversary(copies=8)
    for epoch in range(200):
        losses = train_one_epoch(network, adversary.policies)  # copy m of every image under policies[m]
        adversary.answer(losses, epoch=epoch)
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal

import numpy as np
import torch

from faa_core import FaaError, SubPolicies
from faa_core.randomness import key_of, seed_of, uniforms
from faa_core.text import one_line
from faa_search.adversarial import learning
from faa_search.adversarial.controller import Controller
from faa_search.adversarial.space import (
    OPERATIONS,
    SUB_POLICIES,
    Actions,
    allowed_choices,
    make_space,
    policy_of,
)
from faa_search.adversarial.steps import ControllerStep, as_drawn
from faa_search.keyed_torch import torch_seeded
from faa_search.settings.adversarial import COPIES, LEAST_COPIES, ControllerConfig

Mode = Literal["learned", "uniform", "frozen"]
CHOICES = SUB_POLICIES * OPERATIONS * 2  # of a policy


class Adversary:
    """A controller, the policies that it drew last, and how it learns from what they cost.

    Attributes:
        config: Settings of the controller.
        space: What it chooses from.
        controller: The network that chooses.
        actions: What it chose last, int64 ``[M, Q, OPERATIONS, 2]``: numbers of operations, and levels.
        steps: How often it was told what policies cost.
        learns: Whether it still changes its weights.
    """

    def __init__(
        self,
        config: ControllerConfig | None = None,
        *,
        copies: int = COPIES,
        seed: int = 0,
        mode: Mode = "learned",
        share: Callable[[Actions], Actions] = lambda drawn: drawn,
    ) -> None:
        """Make a controller, and let it draw the first policies.

        Args:
            config: Its settings; all by default where None.
            copies: M: how many policies it draws, one for each copy of the images; at least 2.
            seed: Keys its first weights and all that it draws.
            mode: ``learned``; ``uniform``, which chooses everything equally often and never learns; or ``frozen``,
                which learns until the settings' epoch.
            share: Given what was drawn here, returns what every process of the training uses.

        Raises:
            FaaError: If there are too few copies.
        """
        if copies < LEAST_COPIES:
            raise FaaError(f"A controller compares policies, so it needs {LEAST_COPIES} copies or more, not {copies}.")
        self.config = config = config or ControllerConfig()
        self.copies, self.seed, self.mode = copies, seed, mode
        self.space = make_space(config.controller_space, sample_pairing=config.controller_sample_pairing)
        allowed_OL = allowed_choices(self.space, config.controller_max_strength)
        with torch_seeded(seed_of("controller", seed)):
            self.controller = Controller(allowed_OL, carry_state=config.controller_carry_state)
        if mode == "uniform":
            self.controller.be_uniform()
        self.optimizer = torch.optim.Adam(self.controller.parameters(), lr=config.controller_lr)
        self.learns = mode != "uniform"
        self.steps, self.entropy_weight = 0, config.entropy_weight
        self._share = share
        self.actions = self._drawn()

    @property
    def policies(self) -> tuple[SubPolicies, ...]:
        """The policies that were drawn last: one for each copy of the images."""
        return tuple(policy_of(self.space, actions) for actions in self.actions)

    def answer(self, losses: Sequence[float], *, epoch: int) -> ControllerStep:
        """Learn from what the last policies cost, and draw the next; return what happened.

        Args:
            losses: Mean loss of the network under each policy, in the order of `policies`.
            epoch: Of the training, from 0.

        Raises:
            FaaError: If the losses are not as many finite numbers as there are policies.
        """
        losses = [float(loss) for loss in losses]
        if len(losses) != self.copies:
            raise FaaError(f"The controller drew {self.copies} policies and was told {len(losses)} losses.")
        if self.mode == "frozen" and epoch >= self.config.controller_freeze_epoch:
            self.learns = False
        actions, learned, weight = self.actions, self.learns, self.entropy_weight
        if learned:
            step = learning.learn(self.controller, self.optimizer, actions, losses, entropy_weight=weight)
        else:
            step = learning.look(self.controller, actions, losses, entropy_weight=weight)
        self.steps += 1
        self.entropy_weight = self._next_weight(step.entropy)
        self.actions = self._drawn()
        return ControllerStep(
            epoch=epoch + 1,
            number=self.steps,
            space=self.config.controller_space,
            policies=as_drawn(self.space, actions),
            losses=tuple(losses),
            loss=step.loss,
            score_loss=step.score_loss,
            entropy=step.entropy,
            entropy_weight=weight,
            strength=self._strength(actions),
            largest_share=learning.shares(actions, len(self.space.operations))[2],
            learned=learned,
        )

    def has_collapsed(self, step: ControllerStep) -> str | None:
        """Return how the policies of a step have become too much alike, in words; None if they have not."""
        most = self.controller.most_entropy
        if step.entropy < learning.LOW_ENTROPY * most:
            return f"the entropy is {step.entropy:.1f} of at most {most:.1f} nats"
        if step.largest_share > learning.LARGE_SHARE:
            return f"one operation at one level is {step.largest_share:.0%} of all that was drawn"
        return None

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as it is now: tensors, numbers, in dictionaries and lists."""
        return deepcopy(
            {
                "controller": dict(self.controller.state_dict()),
                "optimizer": self.optimizer.state_dict(),
                "actions": torch.from_numpy(self.actions),
                "steps": self.steps,
                "entropy_weight": self.entropy_weight,
                "learns": self.learns,
            }
        )

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned.

        Raises:
            FaaError: If it is of a controller with other settings.
        """
        state = deepcopy(dict(state))
        actions = state["actions"].numpy()
        if actions.shape != self.actions.shape:
            raise FaaError(f"The state is of a controller with {len(actions)} copies, and this one has {self.copies}.")
        try:
            self.controller.load_state_dict(state["controller"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise FaaError(f"The state is of a controller with other settings: {one_line(error, most=200)}.") from error
        self.actions = actions
        self.steps, self.entropy_weight, self.learns = state["steps"], state["entropy_weight"], state["learns"]

    def _drawn(self) -> Actions:
        key = key_of("controller", self.seed, self.steps)
        drawn = self.controller.draw(
            uniforms(key, np.arange(self.copies), CHOICES).reshape(self.copies, SUB_POLICIES, OPERATIONS, 2)
        )
        return self._share(drawn)

    def _next_weight(self, entropy: float) -> float:
        target = self.config.controller_target_entropy
        if target is None:
            return self.entropy_weight
        wanted = target * self.controller.most_entropy
        return learning.weight_for(entropy, weight=self.config.entropy_weight, target=wanted, choices=CHOICES)

    def _strength(self, actions: Actions) -> float | None:
        drawn = self.space.strengths[actions[..., 0], actions[..., 1]]
        return float(np.nanmean(drawn)) if np.isfinite(drawn).any() else None
