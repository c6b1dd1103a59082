"""The audit of the reward: which trials, how they are trained, and what the correlation says."""

import json
import math
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faa_core import FaaError, Policy
from faa_search.data import ArraySource
from faa_search.progress import Silent
from faa_search.runs.records.search import Audit
from faa_search.runs.records.trials import Trial
from faa_search.searching.audit import audit, check_audit, chosen, rank_correlation
from faa_search.searching.fast.density import DensitySearch
from faa_search.searching.folds import make_folds
from faa_search.searching.images import SearchImages
from faa_search.searching.objective import REWARDS
from faa_search.searching.samplers import PolicySpace
from faa_search.searching.samplers.uniform import suggest
from faa_search.searching.tasks import TrainWith
from faa_search.settings import SearchConfig
from faa_search.workers.stopping import Stopped, StopRequest

SPACE = PolicySpace(ops=("Rotate", "Invert"), sub_policies=1, num_ops=1)


def trial(number: int, *, fold: int = 0, at: int = 0, **metrics: float) -> Trial:
    """Return a trial whose rewards are its number unless they are given."""
    values = {name: metrics.get(name.replace("-", "_"), float(number)) for name in REWARDS}
    return Trial(
        fold=fold,
        round=at,
        number=number,
        seed=0,
        params={"op_0_0": "Rotate", "p_0_0": number / 40, "magnitude_0_0": 0.5},
        reward=values["mean-loss"],
        standard_error=0.0,
        metrics=values,
        errors=values,
        views=1,
        draws=0,
        seconds=0.0,
    )


@pytest.mark.parametrize("count", [4, 5, 8, 12, 20])
def test_trials_are_spread_over_the_range(count: int) -> None:
    """From the lowest to the highest, with no wide gap."""
    trials = [trial(number) for number in range(41)]
    numbers = sorted(one.number for one in chosen(trials[::-1], count))
    assert count == len(set(numbers))
    assert (0, 40) == (numbers[0], numbers[-1])
    assert max(np.diff(numbers)) <= 40 / (count - 1) + 1


def test_trials_are_spread_over_every_rewards_range() -> None:
    """Where rewards disagree, each has its share of its own low and high ones."""
    rng = np.random.default_rng(0)
    names = [name.replace("-", "_") for name in REWARDS]
    trials = [trial(number, **dict(zip(names, rng.random(4).tolist(), strict=True))) for number in range(200)]
    taken = chosen(trials, 24)
    for name in REWARDS:
        values = sorted(one.metrics[name] for one in taken)
        assert values[0] < 0.1
        assert values[-1] > 0.9
        assert max(np.diff(values)) < 0.3


def test_only_the_first_folds_trials_are_audited() -> None:
    """Rewards of two networks are not comparable."""
    trials = [trial(number, fold=fold) for fold in range(2) for number in range(5)]
    assert {0} == {one.fold for one in chosen(trials, 5)}
    with pytest.raises(FaaError, match=r"--audit 6, but the first fold has 5 trials"):
        chosen(trials, 6)


def test_rank_correlation_by_hand() -> None:
    """Spearman of five: 1 − 6 Σd² / (n (n² − 1)), with Bonett and Wright's interval."""
    one, other = [1.0, 2.0, 3.0, 4.0, 5.0], [10.0, 11.0, 15.0, 14.0, 12.0]  # d = 0, 0, 2, 0, 2
    found, low, high = rank_correlation(one, other)
    assert 0.6 == pytest.approx(found)
    reach = 1.959964 * math.sqrt((1 + 0.36 / 2) / 2)
    assert math.tanh(math.atanh(0.6) - reach) == pytest.approx(low, abs=1e-6)
    assert math.tanh(math.atanh(0.6) + reach) == pytest.approx(high, abs=1e-6)
    assert found is not None
    assert low is not None
    assert high is not None
    assert low < 0 < found < high < 1


def test_the_sign_of_a_correlation() -> None:
    """Turned round, everything turns round; only the order matters."""
    rng = np.random.default_rng(3)
    one = rng.normal(size=20)
    other = one + rng.normal(size=20)
    found, low, high = rank_correlation(one.tolist(), other.tolist())
    turned = rank_correlation(one.tolist(), (-other).tolist())
    assert found is not None
    assert low is not None
    assert high is not None
    assert found > 0.4
    assert [-found, -high, -low] == pytest.approx(list(turned))
    assert found == pytest.approx(rank_correlation(np.exp(one).tolist(), other.tolist())[0])


@pytest.mark.parametrize("values", [[1.0, 1.0, 1.0, 1.0], []], ids=str)
def test_what_does_not_vary_correlates_with_nothing(values: list[float]) -> None:
    """Neither way round, and without a warning."""
    others = [1.0, 2.0, 3.0, 4.0][: len(values)]
    assert (None, None, None) == rank_correlation(values, others) == rank_correlation(others, values)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_perfect_order_is_not_a_certain_one(sign: int) -> None:
    """The interval of four points in order would have no width."""
    assert (pytest.approx(sign), None, None) == rank_correlation([1, 2, 3, 4], [sign * value for value in (5, 6, 7, 9)])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"audit": 3}, r"--audit 3: a rank correlation needs 4 trials or more"),
        ({"audit": 13, "width": 2, "depth": 6}, r"--audit 13: .* the first fold has 12"),
        ({"audit": 4, "stage": "explore"}, r"--stage explore ends before"),
    ],
)
def test_an_audit_that_cannot_be_made(settings: dict[str, Any], words: str) -> None:
    """It is refused before anything is done."""
    with pytest.raises(FaaError, match=words):
        check_audit(SearchConfig(dataset="digits", **settings))


class Trains:
    """Trains nothing: the accuracy is the policy's p, plus the number of the training in thousandths."""

    workers = 1
    in_process = True

    def __init__(self, *, sign: int = 1) -> None:
        self.given: list[TrainWith] = []
        self.sign = sign

    def submit(self, task: TrainWith) -> "Future[float]":
        self.given.append(task)
        future: Future[float] = Future()
        bare = task.policy == Policy.load("none")
        seed = int(task.name.split("-")[-2])
        future.set_result(0.5 if bare else 0.5 + self.sign * task.policy.sub_policies[0][0].p / 4 + seed / 1000)
        return future


@pytest.fixture
def make_search(tmp_path: Path, noise: Callable[..., ArraySource]) -> Callable[..., DensitySearch]:
    """Return a function that makes a search of one fold."""
    source = noise(30)
    folds = make_folds(source.labels, class_names=source.class_names, folds=1, held_out=0.4, seed=0)

    def make(executor: Any, request: StopRequest | None = None, **settings: Any) -> DensitySearch:
        return DensitySearch(
            config=SearchConfig(**{"dataset": "digits", "audit": 5, "audit_seeds": 2, "epochs": 7} | settings),
            directory=tmp_path,
            images=SearchImages(train=source, scored=source, folds=folds, size=8, own_size=8),
            space=SPACE,
            sampler=suggest,
            first=(),
            executor=executor,
            reporter=Silent(),
            request=request or StopRequest(),
        )

    return make


ROUNDS = [[trial(number) for number in range(21)], [trial(number, fold=1) for number in range(21)]]


def audited(search: DensitySearch) -> Audit:
    """Return the audit of these rounds."""
    return audit(search, ROUNDS, search.policy_of)


@pytest.mark.parametrize("sign", [1, -1])
def test_what_an_audit_finds(make_search: Callable[..., DensitySearch], tmp_path: Path, sign: int) -> None:
    """Rewards that rise with the accuracy, or fall; every trial and no policy, trained as often as asked for."""
    executor = Trains(sign=sign)
    found = audited(make_search(executor))
    assert (5, 2, 7) == (found.policies, found.seeds, found.epochs)
    assert [sign] * 4 == pytest.approx([row.spearman for row in found.correlations])
    assert list(REWARDS) == [row.reward for row in found.correlations]
    ends = sorted([0.5005, 0.5005 + sign * 20 / 160])
    assert ends == pytest.approx([found.lowest, found.highest])
    assert 0.5 == found.accuracy_without
    assert 6 * 2 == len(executor.given)
    assert {0} == {task.fold for task in executor.given}
    assert {7} == {task.epochs for task in executor.given}
    assert 2 == len({task.seed for task in executor.given})
    assert 12 == len({task.name for task in executor.given})
    assert json.loads((tmp_path / "audit.json").read_text())["correlations"][0]["spearman"] == pytest.approx(sign)


def test_an_audit_goes_on_where_it_was_stopped(make_search: Callable[..., DensitySearch], tmp_path: Path) -> None:
    """No training is made twice; more of them add to those there are, other epochs do not."""
    request = StopRequest()

    class Stopping(Trains):
        def submit(self, task: TrainWith) -> "Future[float]":
            request.number = 15 if len(self.given) == 4 else None
            return super().submit(task)

        def stop(self) -> None:
            self.stopped = True

    first, rest = Stopping(), Trains()
    with pytest.raises(Stopped):
        audited(make_search(first, request))
    assert 5 == len(first.given)
    assert first.stopped
    assert not (tmp_path / "audit.json").exists()
    found = audited(make_search(rest))
    assert 12 == len(first.given) + len(rest.given) == len({task.name for task in first.given + rest.given})
    again, more, longer = Trains(), Trains(), Trains()
    assert found == audited(make_search(again))
    assert [] == again.given
    assert found != audited(make_search(more, audit_seeds=3))
    assert 6 == len(more.given)
    assert found == replace(audited(make_search(longer, audit_epochs=2)), epochs=7)
    assert {2} == {task.epochs for task in longer.given}
    assert 12 == len(longer.given)
