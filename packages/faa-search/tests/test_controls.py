"""The controls a found policy is held against: who they are, what is the difference, and what is said of it."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from faa_core import Op, Policy, SubPolicies
from faa_search.runs.records.search import Control, in_words
from faa_search.searching.controls import Key, compare, control_policies, control_tasks, random_controls

FOUND = SubPolicies(sub_policies=tuple((Op(op="Rotate", p=p, magnitude=0.5),) for p in (0.1, 0.2, 0.3)))
IMAGES = 60


def noisy(mean: float, seed: int) -> list[float]:
    """Return images' contributions about a mean."""
    return (mean + np.random.default_rng(seed).normal(0, 0.1, IMAGES)).tolist()


def compared(found: float, control: float) -> tuple[float, Control]:
    """Return the comparison of two policies on two folds."""
    values: dict[Key, list[float]] = {}
    for fold in range(2):
        values["found", 0, fold] = noisy(found, fold)
        values["control", 0, fold] = noisy(control, 10 + fold)
    reward, (row,) = compare(values)
    return reward, row


@pytest.mark.parametrize(
    ("found", "control", "sign", "verdict"), [(-1.0, -1.2, 1, "better than"), (-1.2, -1.0, -1, "worse than")]
)
def test_the_sign_of_a_difference(found: float, control: float, sign: int, verdict: str) -> None:
    """Found minus control, and higher is better, so the one with the higher reward is better."""
    reward, row = compared(found, control)
    assert sign == np.sign(row.difference) == np.sign(row.low) == np.sign(row.high)
    assert row.low < row.difference < row.high
    assert verdict == row.verdict
    assert reward - row.reward == pytest.approx(row.difference, abs=1e-6)


def test_luck_is_not_significant() -> None:
    """The same mean with other noise: the interval holds 0."""
    for number in (-0.5, -0.501):
        _reward, row = compared(-0.5, number)
        assert row.low < 0 < row.high
        assert "not significantly different from" == row.verdict


def test_a_policy_equals_itself() -> None:
    """No difference, and no interval; so none that is significant."""
    values: dict[Key, list[float]] = {("found", 0, 0): noisy(0, 1), ("same", 0, 0): noisy(0, 1)}
    reward, (row,) = compare(values)
    assert (0.0, 0.0, 0.0, reward) == (row.difference, row.low, row.high, row.reward)
    assert "not significantly different from" == row.verdict


def test_differences_are_paired() -> None:
    """What makes images differ from each other cancels: a small difference on every image is certain."""
    images = np.random.default_rng(0).normal(0, 5, IMAGES)
    values: dict[Key, list[float]] = {
        ("found", 0, 0): images.tolist(),
        ("control", 0, 0): (images - 0.01 - 0.001 * np.random.default_rng(1).random(IMAGES)).tolist(),
    }
    _reward, (row,) = compare(values)
    assert 0 < row.low < 0.0105 < row.high < 0.012


def test_the_interval_by_hand() -> None:
    """The mean of the folds' differences, ± 1.96 times the mean of their standard errors: folds share images."""
    _reward, row = compared(0.1, 0.13)
    gaps = [np.array(noisy(0.1, fold)) - np.array(noisy(0.13, 10 + fold)) for fold in range(2)]
    reach = 1.959964 * np.mean([gap.std(ddof=1) / np.sqrt(IMAGES) for gap in gaps])
    middle = np.mean([gap.mean() for gap in gaps])
    assert [middle, middle - reach, middle + reach] == pytest.approx([row.difference, row.low, row.high], rel=1e-4)
    assert norm.ppf(0.975) == pytest.approx(1.959964)


def test_random_controls_are_averaged_image_by_image() -> None:
    """Several policies of one control count as their mean."""
    values: dict[Key, list[float]] = {("found", 0, 0): [1.0, 1.0]}
    values |= {("two", 0, 0): [1.0, 0.0], ("two", 1, 0): [0.0, 1.0]}
    reward, (row,) = compare(values)
    assert (1.0, 0.5, 0.5, 0.5, 0.5) == (reward, row.reward, row.difference, row.low, row.high)


def test_one_more_random_policy_is_not_better_than_random_ones() -> None:
    """Five policies stand for their kind: the found one must lie beyond where a sixth would."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=400)
    verdicts = []
    for draw in range(40):
        rewards = np.random.default_rng(draw).normal(size=6)  # six policies of one kind, one of which is "found"
        values: dict[Key, list[float]] = {("found", 0, 0): (images + rewards[0]).tolist()}
        values |= {("random", number, 0): (images + rewards[1 + number]).tolist() for number in range(5)}
        verdicts.append(compare(values)[1][0].verdict)
    assert verdicts.count("not significantly different from") >= 36
    values["found", 0, 0] = (images + 9).tolist()
    row = compare(values)[1][0]
    assert row.verdict == "better than"
    spread = np.std(rewards[1:], ddof=1)
    assert row.high - row.difference == pytest.approx(2.7764 * spread * np.sqrt(1 + 1 / 5), rel=1e-4)


def controls_of(*ops: str, num_ops: int, seed: int) -> dict[str, list[Policy]]:
    """Return the found policy with its controls, random ones of these operations among them."""
    return control_policies(FOUND, random_controls(len(FOUND.sub_policies), ops=ops, num_ops=num_ops, seed=seed))


def test_the_controls() -> None:
    """Identity, five random policies of the found one's size from the same operations, and TrivialAugment."""
    policies = controls_of("Rotate", "Solarize", num_ops=2, seed=4)
    assert ["found", "none", "trivialaugment-standard", "trivialaugment-wide", "uniform-random"] == list(policies)
    assert [1, 1, 1, 1, 5] == [len(several) for several in policies.values()]
    assert [FOUND, Policy.load("none")] == [policies["found"][0], policies["none"][0]]
    randoms = policies["uniform-random"]
    for policy in randoms:
        assert isinstance(policy, SubPolicies)
        assert [2, 2, 2] == [len(sub_policy) for sub_policy in policy.sub_policies]
        assert {"Rotate", "Solarize"} >= set(policy.operation_names())
    assert 5 == len({policy.model_dump_json() for policy in randoms})
    assert randoms == controls_of("Rotate", "Solarize", num_ops=2, seed=4)["uniform-random"]
    assert randoms != controls_of("Rotate", "Solarize", num_ops=2, seed=5)["uniform-random"]


def test_all_are_scored_with_the_same_draws() -> None:
    """Each on every fold, with the reward that was searched for; a fold's draws are the same for all policies."""
    policies = controls_of("Rotate", num_ops=1, seed=0)
    tasks = control_tasks(policies, folds=2, views=7, reward="best-loss", seed=3)
    assert 9 * 2 == len(tasks)
    for (name, number, fold), task in tasks.items():
        assert task.policy is policies[name][number]
        assert (fold, 7, "best-loss") == (task.fold, task.views, task.reward)
        assert tasks["found", 0, fold].seed == task.seed
    assert 2 == len({task.seed for task in tasks.values()})
    assert (
        tasks["found", 0, 0].seed
        != control_tasks(policies, folds=1, views=7, reward="best-loss", seed=4)["found", 0, 0].seed
    )


def said(**verdicts: Any) -> str:
    """Return the sentence for verdicts by name of the control."""
    rows = [
        Control(name=name, reward=0, difference=0, low=0, high=0, verdict=verdict) for name, verdict in verdicts.items()
    ]
    return in_words(rows)


def test_the_verdict_in_words() -> None:
    """One sentence, whatever the mixture, and whoever is named first."""
    same = "not significantly different from"
    start = "On the images it was chosen on, the found policy scores "
    assert said(a="better than", b="better than", c="better than") == f"{start}better than a, b and c."
    assert said(a=same, b="worse than", c="better than") == f"{start}better than c, worse than b, {same} a."
    assert said(a=same, b=same) == f"{start}{same} a and b."
