"""From trials to a policy, and the controls it is held against."""

from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from faa_core import Op, Policy, SubPolicies
from faa_core.randomness import seed_of
from faa_search.config import TrainConfig
from faa_search.data import ArraySource
from faa_search.fast.controls import Control, compare, control_policies
from faa_search.fast.journal import Trial
from faa_search.fast.merge import best, merge
from faa_search.fast.objective import HeldOut, score
from faa_search.samplers import PolicySpace
from faa_search.training import Network
from faa_search.training.models import ModelInput

SPACE = PolicySpace(ops=("Rotate", "Invert"), sub_policies=2, num_ops=1)


def trial(number: int, reward: float, *ps: float) -> Trial:
    """Return a trial of two sub-policies that rotate with the given probabilities."""
    params: dict[str, Any] = {}
    for index, p in enumerate(ps):
        params |= {f"op_{index}_0": "Rotate", f"p_{index}_0": p, f"magnitude_{index}_0": 0.5}
    return Trial(
        fold=0,
        round=0,
        number=number,
        seed=0,
        params=params,
        reward=reward,
        standard_error=0.0,
        metrics={},
        seconds=0.0,
    )


def merged(rounds: list[list[Trial]], top: int) -> list[float]:
    """Return the probabilities of the merged sub-policies."""
    return [sub_policy[0].p for sub_policy in merge(rounds, SPACE, top=top)]


def test_the_best_have_the_highest_reward() -> None:
    """The best first; of equals the earlier."""
    trials = [trial(0, -3.0), trial(1, -1.0), trial(2, -2.0), trial(3, -1.0)]
    assert [1, 3, 2] == [one.number for one in best(trials, 3)]
    assert [1, 3, 2, 0] == [one.number for one in best(trials[::-1], 10)]


def test_rounds_are_merged_in_order() -> None:
    """The best of each round, not of all; within a round the best first."""
    rounds = [
        [trial(0, 0.1, 0.1, 0.2), trial(1, 0.9, 0.3, 0.4), trial(2, 0.5, 0.5, 0.6)],
        [trial(0, 0.0, 0.7, 0.8), trial(1, -1.0, 0.9, 1.0)],
    ]
    assert [0.3, 0.4, 0.7, 0.8] == merged(rounds, 1)
    assert [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0] == merged(rounds, 2)


def test_only_exact_repetitions_go() -> None:
    """The same operations with another p stay; the first of equal sub-policies keeps its place."""
    rounds = [[trial(0, 1.0, 0.5, 0.5)], [trial(0, 1.0, 0.25, 0.5)], [trial(0, 1.0, 0.5 + 1e-12, 0.25)]]
    assert [0.5, 0.25, 0.5 + 1e-12] == merged(rounds, 1)


class Brightness(nn.Module):
    """Class 1 is bright, class 0 dark."""

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [B, 2]."""
        mean = images.mean(dim=(1, 2, 3))
        return torch.stack([-mean, mean], dim=1)


@pytest.fixture(scope="module")
def folds(accelerator: Accelerator) -> list[HeldOut]:
    """Return two folds of dark and bright images, and a network that tells them apart."""
    rng = np.random.default_rng(1)
    expected = ModelInput(size=6, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    made = []
    for _ in range(2):
        labels = np.arange(60, dtype=np.int64) % 2
        images = (rng.integers(0, 90, (60, 6, 6, 3)) + 150 * labels[:, None, None, None]).astype(np.uint8)
        network = Network(Brightness(), expected, TrainConfig(), accelerator)
        source = ArraySource(images, labels, ("dark", "bright"))
        made.append(HeldOut(network=network, source=source, size=6, views=2, batch_size=60, workers=0))
    return made


def invert(p: float) -> SubPolicies:
    """Return a policy that turns dark into bright so often."""
    return SubPolicies(sub_policies=((Op(op="Invert", p=p, magnitude=0.0),),))


def compared(found: Policy, control: Policy, folds: list[HeldOut]) -> tuple[float, Control]:
    """Return the found policy's reward and the comparison with one control."""
    reward, (row,) = compare(found, {"control": [control]}, folds, reward="mean-loss", seed=0)
    return reward, row


def test_a_policy_equals_itself(folds: list[HeldOut]) -> None:
    """Identity against identity: no difference, and so no significant one."""
    reward, row = compared(Policy.load("none"), Policy.load("none"), folds)
    assert (0.0, 0.0, 0.0) == (row.difference, row.low, row.high)
    assert "not significantly different from" == row.verdict
    assert reward == row.reward


@pytest.mark.parametrize(
    ("found", "control", "sign", "verdict"), [(0.1, 0.9, 1, "better than"), (0.9, 0.1, -1, "worse than")]
)
def test_the_sign_of_a_difference(folds: list[HeldOut], found: float, control: float, sign: int, verdict: str) -> None:
    """Found minus control, so a policy that harms less than its control is better, with its interval above 0."""
    reward, row = compared(invert(found), invert(control), folds)
    assert reward - row.reward == pytest.approx(row.difference)
    assert sign == np.sign(row.difference) == np.sign(row.low) == np.sign(row.high)
    assert row.low < row.difference < row.high
    assert verdict == row.verdict


def test_luck_is_not_significant(folds: list[HeldOut]) -> None:
    """Two ways to invert half of the images differ by their draws alone: the interval holds 0, both ways round."""
    by_gate = invert(0.5)
    by_choice = SubPolicies(sub_policies=((Op(op="Invert", p=1.0, magnitude=0.0),), ()))
    for found, control in ((by_gate, by_choice), (by_choice, by_gate)):
        _reward, row = compared(found, control, folds)
        assert row.low < 0 < row.high
        assert row.difference != 0
        assert "not significantly different from" == row.verdict


def test_the_interval_by_hand(folds: list[HeldOut]) -> None:
    """The mean of the folds' differences, ± 1.96 times the mean of their standard errors: folds share images."""
    _reward, row = compared(invert(0.5), invert(0.6), folds)
    means, errors = [], []
    for number, fold in enumerate(folds):
        key = seed_of("controls", 0, number)
        one, other = (
            score(fold, policy, seed=key).per_image("mean-loss").double() for policy in (invert(0.5), invert(0.6))
        )
        gap = (one - other).numpy()
        means.append(gap.mean())
        errors.append(gap.std(ddof=1) / np.sqrt(60))
    assert np.mean(means) == pytest.approx(row.difference, rel=1e-5)
    assert np.mean(means) - 1.959964 * np.mean(errors) == pytest.approx(row.low, rel=1e-4)
    assert np.mean(means) + 1.959964 * np.mean(errors) == pytest.approx(row.high, rel=1e-4)


def test_the_controls() -> None:
    """Identity, three random policies of the found one's size from the same operations, and TrivialAugment."""
    found = SubPolicies(sub_policies=tuple((Op(op="Rotate", p=p, magnitude=0.5),) for p in (0.1, 0.2, 0.3)))
    controls = control_policies(found, ops=("Rotate", "Solarize"), num_ops=2, seed=4)
    assert ["identity", "uniform-random", "trivialaugment"] == list(controls)
    assert [1, 3, 1] == [len(policies) for policies in controls.values()]
    randoms = controls["uniform-random"]
    for policy in randoms:
        assert isinstance(policy, SubPolicies)
        assert [2, 2, 2] == [len(sub_policy) for sub_policy in policy.sub_policies]
        assert {"Rotate", "Solarize"} >= set(policy.operation_names())
    assert randoms[0] != randoms[1]
    assert randoms == control_policies(found, ops=("Rotate", "Solarize"), num_ops=2, seed=4)["uniform-random"]
    assert randoms != control_policies(found, ops=("Rotate", "Solarize"), num_ops=2, seed=5)["uniform-random"]


def test_random_controls_are_averaged(folds: list[HeldOut]) -> None:
    """Several policies of one control count as their mean."""
    found = Policy.load("none")
    reward, (row,) = compare(found, {"two": [found, invert(1.0)]}, folds, reward="mean-accuracy", seed=0)
    assert (1.0, 0.5, 0.5) == pytest.approx((reward, row.reward, row.difference))
