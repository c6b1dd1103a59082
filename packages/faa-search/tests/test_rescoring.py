"""Second scores: fresh draws for the best, which then count alone."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import yaml

from faa_core import FaaError
from faa_search.data import ArraySource
from faa_search.progress import Silent
from faa_search.runs.records.trials import Trial
from faa_search.searching.fast.choose import choose, choosing_cost
from faa_search.searching.fast.density import DensitySearch
from faa_search.searching.fast.rescoring import rescore
from faa_search.searching.fast.rounds import Slot, draws_seed
from faa_search.searching.folds import make_folds
from faa_search.searching.images import SearchImages
from faa_search.searching.objective import REWARDS
from faa_search.searching.samplers import PolicySpace
from faa_search.searching.samplers.uniform import suggest
from faa_search.searching.tasks import PolicyScores, ScoreImages, ScorePolicy
from faa_search.settings import SearchConfig
from faa_search.workers.stopping import Stopped, StopRequest

SPACE = PolicySpace(ops=("Rotate", "Invert"), sub_policies=1, num_ops=1)
REWARD = "mean-accuracy"


def trial(number: int, *, fold: int) -> Trial:
    """Return a trial that is the better the higher its number, as is its policy's p."""
    values = dict.fromkeys(REWARDS, number / 10)
    return Trial(
        fold=fold,
        round=0,
        number=number,
        seed=number,
        params={"op_0_0": "Rotate", "p_0_0": number / 10 + fold / 100, "magnitude_0_0": 0.5},
        reward=number / 10,
        standard_error=0.1,
        metrics=values,
        errors=values,
        views=5,
        draws=draws_seed(0, Slot(number, fold, 0), common=True),
        seconds=1.0,
    )


ROUNDS = [[trial(number, fold=fold) for number in range(6)] for fold in range(2)]


class Flips:
    """Scores turned round: what was best is now worst."""

    workers = 1
    in_process = True

    def __init__(self) -> None:
        self.given: list[ScorePolicy] = []
        self.controls = 0

    def submit(self, task: ScorePolicy | ScoreImages) -> "Future[Any]":
        future: Future[Any] = Future()
        if isinstance(task, ScoreImages):
            self.controls += 1
            future.set_result([0.25, 0.5, 0.75])
            return future
        self.given.append(task)
        means = {name: -task.policy.sub_policies[0][0].p - at / 8 for at, name in enumerate(REWARDS)}
        future.set_result(PolicyScores(means, {name: 0.01 * at for at, name in enumerate(REWARDS)}, 2.0))
        return future


@pytest.fixture
def make_search(tmp_path: Path, noise: Callable[..., ArraySource]) -> Callable[..., DensitySearch]:
    """Return a function that makes a search of two folds."""
    source = noise(30)
    folds = make_folds(source.labels, class_names=source.class_names, folds=2, held_out=0.4, seed=0)
    base = {"dataset": "digits", "reward": REWARD, "top": 2, "rescore": 3, "rescore_views": 20, "folds": 2, "width": 1}

    def make(executor: Any, request: StopRequest | None = None, **settings: Any) -> DensitySearch:
        config = SearchConfig(**base | {"ops": 1, "sub_policies": 1, "depth": 6} | settings)
        (tmp_path / "config.yaml").write_text(yaml.safe_dump({"command": "search", **config.model_dump(mode="json")}))
        return DensitySearch(
            config=config,
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


def test_the_best_are_scored_again_on_fresh_draws(make_search: Callable[..., DensitySearch]) -> None:
    """As many of each round as asked for, with more views and random numbers no trial had."""
    executor = Flips()
    again = rescore(make_search(executor), ROUNDS)
    assert [[5, 4, 3]] * 2 == [[one.number for one in trials] for trials in again]
    assert 6 == len(executor.given)
    assert {20} == {task.views for task in executor.given}
    assert 2 == len({(task.fold, task.seed) for task in executor.given}) == len({task.seed for task in executor.given})
    assert not {task.seed for task in executor.given} & {one.draws for trials in ROUNDS for one in trials}
    for one in (one for trials in again for one in trials):
        assert one.reward == one.metrics[REWARD] == pytest.approx(-one.params["p_0_0"] - 1 / 8)
        assert one.standard_error == one.errors[REWARD] == 0.01
        assert (20, 2.0) == (one.views, one.seconds)
        before = ROUNDS[one.fold][one.number]
        assert (before.params, before.seed) == (one.params, one.seed)


def test_the_second_score_decides(make_search: Callable[..., DensitySearch]) -> None:
    """Of the three that were best, the two that are best now; without second scores the two that were."""
    executor = Flips()
    found = choose(make_search(executor), ROUNDS)
    assert [0.3, 0.4, 0.31, 0.41] == pytest.approx([one[0].p for one in found.policy.sub_policies])
    assert 9 * 2 == executor.controls
    assert (12, 12, True) == (found.trials, found.planned, found.complete)
    assert 6 * 2.0 == found.seconds
    plain = choose(make_search(Flips(), rescore=0), ROUNDS)
    assert [0.5, 0.4, 0.51, 0.41] == pytest.approx([one[0].p for one in plain.policy.sub_policies])


def test_a_trial_is_not_scored_again_twice(make_search: Callable[..., DensitySearch], tmp_path: Path) -> None:
    """Stopped in the middle, it goes on; with other views all is scored anew."""
    request = StopRequest()

    class Stopping(Flips):
        def submit(self, task: Any) -> "Future[Any]":
            request.number = 15 if len(self.given) == 1 else None
            return super().submit(task)

    first, rest, again, other = Stopping(), Flips(), Flips(), Flips()
    with pytest.raises(Stopped):
        rescore(make_search(first, request), ROUNDS)
    assert 2 == len(first.given) == len((tmp_path / "rescored.jsonl").read_text().splitlines())
    found = rescore(make_search(rest), ROUNDS)
    assert 4 == len(rest.given)
    assert found == rescore(make_search(again), ROUNDS)
    assert [] == again.given
    rescore(make_search(other, rescore_views=7), ROUNDS)
    assert [7] * 6 == [task.views for task in other.given]
    assert found == rescore(make_search(rest), ROUNDS)


def test_more_candidates_add_to_those_there_are(make_search: Callable[..., DensitySearch]) -> None:
    """Only the new ones are scored."""
    rescore(make_search(Flips()), ROUNDS)
    more = Flips()
    again = rescore(make_search(more, rescore=5), ROUNDS)
    assert 4 == len(more.given)
    assert [[5, 4, 3, 2, 1]] * 2 == [[one.number for one in trials] for trials in again]


def test_fewer_candidates_than_are_kept() -> None:
    """They could not be chosen among."""
    with pytest.raises(ValueError, match=r"--rescore 5 is fewer than --top 10"):
        SearchConfig(dataset="digits", rescore=5)


def test_no_trials(make_search: Callable[..., DensitySearch]) -> None:
    """Said with the remedy."""
    with pytest.raises(FaaError, match=r"has no trials to choose from; --stage explore makes them"):
        choose(make_search(Flips()), [[], []])


def test_what_choosing_costs(make_search: Callable[..., DensitySearch]) -> None:
    """Second scores in trials' seconds by their views, and six policies on every fold."""
    assert 10.0 * (2 * 3 * 4 + 9 * 2) == choosing_cost(make_search(Flips()), 10.0)
    assert 10.0 * 9 * 2 == choosing_cost(make_search(Flips(), rescore=0), 10.0)
