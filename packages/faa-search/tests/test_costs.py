"""Costs in words: how long, until when, and what makes it shorter."""

from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from faa_search.costs import fitting_ways, until, with_shorter
from faa_search.searching.estimate import Estimate
from faa_search.searching.fast.density import DensitySearch
from faa_search.searching.fast.stages import _cost_in_words
from faa_search.settings import SearchConfig

NOW = datetime(2026, 5, 30, 15, 25)
FITTING = {"model": "resnet50", "epochs": 30, "size": 224}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.2, "under 1 s"),
        (59, "59 s"),
        (120, "2 min, until about 15:27"),
        (2 * 3600 + 45 * 60, "2 h 45 min, until about 18:10"),
        (10 * 3600, "10 h, until about 01:25 tomorrow"),
        (80 * 3600, "3 days 8 h, until about 23:25 on 2026-06-02"),
    ],
)
def test_how_long_and_until_when(seconds, expected):
    assert until(seconds, now=NOW) == expected


def test_long_work_says_what_makes_it_shorter():
    ways = fitting_ways(**FITTING, on_cpu=True)
    assert with_shorter("It takes long.", 599, ways) == "It takes long."
    assert with_shorter("It takes long.", 600, ways) == (
        "It takes long. It takes less time with fewer --epochs (now 30), a smaller --img-size (now 224), a smaller "
        "--model (now resnet50), fewer images (--train-subset), or a GPU."
    )


def test_only_what_is_possible_is_advised():
    assert "a GPU" not in fitting_ways(**FITTING, on_cpu=False)
    assert not any("--epochs" in way for way in fitting_ways(**FITTING | {"epochs": 1}, on_cpu=True))


def of_search(workers: int = 1, **settings: Any) -> DensitySearch:
    """Return as much of a search as its cost needs: 5 folds, 2 rounds of 20 trials each."""
    config = SearchConfig(width=2, depth=20, device="cpu", epochs=30, **settings)
    images = SimpleNamespace(folds=range(5), size=32)
    executor = SimpleNamespace(workers=workers)
    return cast(DensitySearch, SimpleNamespace(config=config, images=images, executor=executor, planned=200))


COST = Estimate(fold=3600.0, trial=3600 / 245)  # 200 trials and 9 policies on 5 folds: an hour


def test_the_cost_of_a_search_by_stage_and_in_all():
    said = _cost_in_words(of_search(), COST, missing=5)
    assert said.startswith(
        "Estimated time: 5 h to fit 5 folds at 32 px, 1 h to score 200 trials; in all 6 h, until about "
    )
    assert said.partition("less time with ")[2].startswith(
        "fewer --folds, less --depth, a --budget such as 30m, fewer --epochs"
    )


def test_workers_share_the_cost_of_a_search():
    """Five folds on two workers take three turns; trials are shared as far as there are rounds."""
    said = _cost_in_words(of_search(workers=2), COST, missing=5)
    assert said.startswith("Estimated time with 2 workers: 3 h to fit 5 folds at 32 px, 30 min to score 200 trials; in")
    assert "in all 3 h 30 min, until about " in said


def test_a_search_that_goes_on_or_ends_early_costs_only_what_is_left():
    fitted = _cost_in_words(of_search(), COST, missing=0)
    assert fitted.startswith("Estimated time: 1 h, until about ")
    assert fitted.partition("It ")[0].endswith(" to score 200 trials. ")
    only = _cost_in_words(of_search(stage="folds"), COST, missing=1)
    assert only.startswith("Estimated time: 1 h, until about ")
    assert only.partition("It ")[0].endswith(" to fit 1 fold at 32 px. ")
    assert "--depth" not in only


def test_the_mirror_test_costs_a_fold_unless_a_worker_is_free_for_it():
    part = "1 h for the mirror test (--no-mirror-test)"
    assert part in _cost_in_words(of_search(), COST, missing=2, tests=True)
    assert part in _cost_in_words(of_search(workers=2), COST, missing=4, tests=True)
    assert part not in _cost_in_words(of_search(workers=2), COST, missing=3, tests=True)
    assert part in _cost_in_words(of_search(), COST, missing=0, tests=True)
    assert part not in _cost_in_words(of_search(), COST, missing=2)
