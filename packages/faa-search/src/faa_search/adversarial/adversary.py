"""Adversarial AutoAugment as a component: policies that are drawn, told what they cost, and drawn anew.

It knows nothing of the network, the images or the loop that it helps::

    adversary = Adversary(copies=8)
    for epoch in range(200):
        losses = train_one_epoch(network, adversary.policies)  # copy m of every image under policies[m]
        adversary.answer(losses, epoch=epoch)
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal, get_args

import numpy as np
import torch

from faa_core import FaaError, SubPolicies
from faa_core.randomness import key_of, seed_of, uniforms
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
        if not isinstance(copies, int) or copies < LEAST_COPIES:
            raise FaaError(
                f"A controller compares policies, so it needs {LEAST_COPIES} copies or more, not {copies!r:.40}."
            )
        self.config = config = config or ControllerConfig()
        if mode not in get_args(Mode) or (mode == "frozen" and config.controller_freeze_epoch < 1):
            raise FaaError(
                f"`mode` must be one of {', '.join(get_args(Mode))}, not {mode!r:.40}; a frozen controller needs a "
                "`controller_freeze_epoch` of 1 or more in its settings."
            )
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
        losses = _numbers(losses)
        if not isinstance(epoch, int) or epoch < 0:
            raise FaaError(f"`epoch` must be a whole number from 0 on, not {epoch!r:.40}.")
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
            per_epoch=self.config.controller_steps,
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
                "made_with": self._made_with,
            }
        )

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned.

        Raises:
            FaaError: If it is of a controller with other settings.
        """
        then, now = state.get("made_with"), self._made_with
        if not isinstance(then, Mapping):
            raise FaaError("That is not the state of a controller; give what `state` returned.")
        changed = [f"{name}: {then.get(name)!r} → {now[name]!r}" for name in now if then.get(name) != now[name]]
        if changed:
            raise FaaError(
                f"The state is of a controller with other settings ({'; '.join(changed)}). Make this one with the same."
            )
        state = deepcopy(dict(state))
        self.controller.load_state_dict(state["controller"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.actions = state["actions"].numpy()
        self.steps, self.entropy_weight, self.learns = state["steps"], state["entropy_weight"], state["learns"]

    @property
    def _made_with(self) -> dict[str, Any]:
        """What a state must agree with: settings, copies, seed and mode."""
        settings = self.config.model_dump(mode="json", include=set(ControllerConfig.model_fields))
        return {**settings, "copies": self.copies, "seed": self.seed, "mode": self.mode}

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


def _numbers(losses: Any) -> list[float]:
    """Return losses of any number type as floats.

    Raises:
        FaaError: If one is not a number.
    """
    try:
        return [float(loss) for loss in losses]
    except (TypeError, ValueError) as error:
        raise FaaError(f"The losses must be numbers, one for each policy, not {losses!r:.100}.") from error
