"""How sure we are that the found policy scores better than policies that need no search.

The found policy was chosen on the very images it is scored on here, though with other draws, so its reward flatters it;
only training with it on a test split it never saw decides. What this shows is the other way round: a found policy that
does not even score better than its controls was not worth its search.
"""

import math
from collections.abc import Sequence

import torch
from scipy.stats import norm, t
from torch import Tensor

from faa_core import Policy, random_policy
from faa_core.randomness import seed_of
from faa_search.runs.records.search import Control, verdict_of
from faa_search.searching.objective import mean_and_error
from faa_search.searching.tasks import ScoreImages
from faa_search.settings import RewardName

FOUND = "found"
RANDOM_CONTROLS = 5
SEARCH_FREE = ("none", "trivialaugment-standard", "trivialaugment-wide")  # controls of every search, with others
CONFIDENCE = 0.95

Key = tuple[str, int, int]  # name, number of the policy of that name, fold


def random_controls(size: int, *, ops: tuple[str, ...], num_ops: int, seed: int) -> list[Policy]:
    """Return uniform-random policies of so many sub-policies."""
    return [
        random_policy(size, seed=seed_of("control", seed, number), num_ops=num_ops, ops=ops)
        for number in range(RANDOM_CONTROLS)
    ]


def control_policies(found: Policy, randoms: Sequence[Policy]) -> dict[str, list[Policy]]:
    """Return a found policy of any kind and its controls: those of every search, and random ones of its size."""
    return {FOUND: [found], **{name: [Policy.load(name)] for name in SEARCH_FREE}, "uniform-random": list(randoms)}


def control_tasks(
    policies: dict[str, list[Policy]], *, folds: int, views: int, reward: RewardName, seed: int
) -> dict[Key, ScoreImages]:
    """Return what is to be scored: each policy on each fold, all with the same draws, which no trial had."""
    return {
        (name, number, fold): ScoreImages(
            policy=policy, fold=fold, views=views, seed=seed_of("controls", seed, fold), reward=reward
        )
        for name, several in policies.items()
        for number, policy in enumerate(several)
        for fold in range(folds)
    }


def compare(values: dict[Key, list[float]]) -> tuple[float, list[Control]]:
    """Return the found policy's mean reward, and each control's with the paired difference.

    Args:
        values: Each image's contribution to the reward, for each task.
    """
    names = list(dict.fromkeys(name for name, _number, _fold in values))
    folds = sorted({fold for _name, _number, fold in values})
    by_name = {name: [_of_images(values, name, fold) for fold in folds] for name in names}
    found = by_name.pop(FOUND)
    return _mean(found), [_control(name, found, images) for name, images in by_name.items()]


def _of_images(values: dict[Key, list[float]], name: str, fold: int) -> Tensor:
    """Return each image's contribution under each policy of a name, shape ``[P, N]``."""
    several = [torch.tensor(row) for (one, _number, at), row in sorted(values.items()) if (one, at) == (name, fold)]
    return torch.stack(several).double()


def _control(name: str, found: list[Tensor], control: list[Tensor]) -> Control:
    """Return the comparison. The folds share images, so their errors are averaged as if they moved together.

    Args:
        name: Of the control.
        found: Each fold's images under the found policy, shape ``[1, N]``.
        control: Each fold's images under the control's policies, shape ``[P, N]``.
    """
    pairs = zip(found, control, strict=True)
    parts = [mean_and_error(one.mean(dim=0) - other.mean(dim=0)) for one, other in pairs]
    difference = sum(mean for mean, _error in parts) / len(parts)
    of_images = float(norm.ppf((1 + CONFIDENCE) / 2)) * sum(error for _mean, error in parts) / len(parts)
    reach = math.hypot(of_images, _reach_of_policies(control))
    low, high = difference - reach, difference + reach
    return Control(
        name=name, reward=_mean(control), difference=difference, low=low, high=high, verdict=verdict_of(low, high)
    )


def _reach_of_policies(control: list[Tensor]) -> float:
    """Return how far one more policy of a kind may lie from the mean of P of them; 0 where there is one policy only."""
    rewards_P = torch.stack([values_PN.mean(dim=1) for values_PN in control]).mean(dim=0)
    count = len(rewards_P)
    if count == 1:
        return 0.0
    return float(t.ppf((1 + CONFIDENCE) / 2, count - 1)) * float(rewards_P.std()) * math.sqrt(1 + 1 / count)


def _mean(values: list[Tensor]) -> float:
    return sum(float(value.mean()) for value in values) / len(values)
