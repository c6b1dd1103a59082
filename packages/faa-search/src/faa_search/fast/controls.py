"""How sure we are that the found policy scores better than policies that nobody had to search for.

The found policy was chosen on the very images it is scored on here, so its reward flatters it; only training with it
on a test split it never saw decides. What this shows is the other way round: a found policy that does not even score
better than its controls was not worth its search.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from scipy.stats import norm
from torch import Tensor

from faa_core import Policy, SubPolicies, random_policy
from faa_core.randomness import seed_of
from faa_search.config import RewardName
from faa_search.fast.objective import HeldOut, mean_and_error, score

RANDOM_CONTROLS = 3
LEVEL = 0.95

Verdict = Literal["better than", "worse than", "not significantly different from"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """How one control compares with the found policy.

    Attributes:
        name: Which control.
        reward: Mean over folds and, of random policies, over several of them.
        difference: Found minus control, on the same images.
        low: Lower end of the difference's 95 % interval.
        high: Upper end.
        verdict: The found policy is … the control.
    """

    name: str
    reward: float
    difference: float
    low: float
    high: float
    verdict: Verdict


def control_policies(found: SubPolicies, *, ops: tuple[str, ...], num_ops: int, seed: int) -> dict[str, list[Policy]]:
    """Return the controls: identity, uniform-random policies of the found one's size, and TrivialAugment."""
    size = len(found.sub_policies)
    randoms: list[Policy] = [
        random_policy(size, seed=seed_of("control", seed, number), num_ops=num_ops, ops=ops)
        for number in range(RANDOM_CONTROLS)
    ]
    return {
        "identity": [Policy.load("none")],
        "uniform-random": randoms,
        "trivialaugment": [Policy.load("trivialaugment")],
    }


def compare(
    found: Policy, controls: dict[str, list[Policy]], folds: list[HeldOut], *, reward: RewardName, seed: int
) -> tuple[float, list[Control]]:
    """Return the found policy's mean reward, and each control's with the paired difference."""
    found_values = [_values(held_out, [found], reward, seed, fold) for fold, held_out in enumerate(folds)]
    rows = []
    for name, policies in controls.items():
        values = [_values(held_out, policies, reward, seed, fold) for fold, held_out in enumerate(folds)]
        rows.append(_control(name, found_values, values))
    return _mean(found_values), rows


def _values(held_out: HeldOut, policies: list[Policy], reward: RewardName, seed: int, fold: int) -> Tensor:
    """Return each image's mean reward over the policies, shape ``[N]``; the draws are the same for all policies."""
    key = seed_of("controls", seed, fold)
    return torch.stack([score(held_out, policy, seed=key).per_image(reward) for policy in policies]).mean(dim=0)


def _control(name: str, found: list[Tensor], control: list[Tensor]) -> Control:
    """Return the comparison. The folds share images, so their errors are averaged as if they moved together."""
    parts = [mean_and_error(one - other) for one, other in zip(found, control, strict=True)]
    difference = sum(mean for mean, _error in parts) / len(parts)
    reach = float(norm.ppf((1 + LEVEL) / 2)) * sum(error for _mean, error in parts) / len(parts)
    low, high = difference - reach, difference + reach
    verdict: Verdict = "better than" if low > 0 else "worse than" if high < 0 else "not significantly different from"
    return Control(name=name, reward=_mean(control), difference=difference, low=low, high=high, verdict=verdict)


def _mean(values: list[Tensor]) -> float:
    return sum(float(value.double().mean()) for value in values) / len(values)
