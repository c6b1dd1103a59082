"""A whole search, end to end on digits: the same whatever happens on the way."""

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faa_search
from faa_core import SEARCH_LIST, FaaError, Policy
from faa_search.data import ImageSource, OpenedData, open_data
from faa_search.searching import images, tasks
from faa_search.searching.bench import MakeBench
from faa_search.searching.estimate import EstimateCost
from faa_search.searching.fast import SearchResult, read_trials
from faa_search.searching.fast.merge import merge
from faa_search.searching.samplers import PolicySpace
from faa_search.settings import SearchConfig
from faa_search.workers.executors.protocol import Place

UNITS = 2 * 2 + 2 * 2 * 3  # epochs of all folds, then trials of all rounds


def never() -> ImageSource:
    """Stand in for the test split."""
    raise AssertionError("a search opened the test split")


@pytest.fixture(autouse=True)
def _no_test_split(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make opening the test split fail in every search of this file."""

    def guarded(*args: Any, **kwargs: Any) -> OpenedData:
        data = open_data(*args, **kwargs)
        assert data.open_test is not None
        return replace(data, open_test=never)

    monkeypatch.setattr(images, "open_data", guarded)


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, small_search: SearchConfig, listener: Any
) -> tuple[Path, SearchResult, Any]:
    """Return a finished search, what it came to, and what it told."""
    output = tmp_path_factory.mktemp("search") / "run"
    told = listener()
    return output, faa_search.search(small_search, output, reporter=told), told


def policy_of(directory: Path) -> dict[str, Any]:
    """Return policy.json but for the seconds."""
    document = json.loads((directory / "policy.json").read_text())
    assert document["provenance"].pop("seconds") > 0
    assert 0.0 == document["provenance"].pop("gpu_seconds")
    return document


def trials_of(directory: Path) -> list[dict[str, Any]]:
    """Return the journal but for the seconds, byte for byte otherwise."""
    rows = [json.loads(line) for line in (directory / "trials.jsonl").read_text().splitlines()]
    assert all(row.pop("seconds") > 0 and row.pop("check") and row.pop("origin") for row in rows)
    return rows


def assert_same(one: Path, other: Path) -> None:
    """Check that two searches found the same, trial by trial and weight by weight."""
    assert trials_of(one) == trials_of(other)
    assert policy_of(one) == policy_of(other)
    results = [
        json.loads((directory / "result.json").read_text()) | {"seconds": 0, "fitting": 0} for directory in (one, other)
    ]
    assert results[0] == results[1]
    for name in ("folds.json", "fold0/model.safetensors", "fold1/model.safetensors"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_what_a_search_leaves(finished: tuple[Path, SearchResult, Any]) -> None:
    """Settings, folds, their networks, every trial, the policy and the result."""
    output, result, told = finished
    assert (
        {
            ".lock",
            "config.yaml",
            "data.json",
            "environment.json",
            "fold0",
            "fold1",
            "folds.json",
            "mirrors.json",
            "policy.json",
            "result.json",
            "stages.jsonl",
            "trials.jsonl",
        }
        >= {path.name for path in output.iterdir()}
        >= {"policy.json", "trials.jsonl"}
    )
    assert 12 == result.trials == len(read_trials(output))
    assert result.policy == Policy.load(output / "policy.json").model_copy(update={"operations": {}})
    assert [("Fold 1 of 2", 2, 0), ("Fold 2 of 2", 2, 0), ("Trials", 12, 0)] == told.tracks
    assert UNITS == told.units
    assert ["none", "trivialaugment-standard", "trivialaugment-wide", "uniform-random"] == [
        row.name for row in result.controls
    ]
    for row in result.controls:
        assert result.reward - row.reward == pytest.approx(row.difference)


def test_a_search_announces_its_cost(finished: tuple[Path, SearchResult, Any]) -> None:
    """Once, before anything else but what the images are."""
    _output, _result, told = finished
    (said,) = [note for note in told.notes if note.startswith("Estimated time: ")]
    assert re.search(r"s to fit 2 folds at 8 px, .* to score 12 trials; in all .*\d s\.$", said)
    assert 1 == sum("Estimated" in note for note in told.notes)


def test_the_policy_is_the_best_of_every_round(
    finished: tuple[Path, SearchResult, Any], small_search: SearchConfig
) -> None:
    """Read from the journal, merged by hand: fold by fold, round by round."""
    output, result, _told = finished
    space = PolicySpace(ops=tuple(row.name for row in SEARCH_LIST), sub_policies=2, num_ops=2)
    trials = read_trials(output)
    rounds = [
        [one for one in trials if (one.fold, one.round) == (fold, number)] for fold in range(2) for number in range(2)
    ]
    assert [[0, 1, 2]] * 4 == [[one.number for one in trials] for trials in rounds]
    assert merge(rounds, space, top=2) == result.policy.sub_policies
    assert 16 == len(result.policy.sub_policies)
    assert 12 == len({one.seed for one in trials})
    assert all(one.reward == one.metrics["mean-loss"] < 0 < one.standard_error for one in trials)


def test_the_policy_says_where_it_comes_from(finished: tuple[Path, SearchResult, Any]) -> None:
    """Enough to run the search again."""
    output, _result, _told = finished
    document = policy_of(output)
    provenance = document["provenance"]
    assert "digits-wrn16_1-fast" == document["name"]
    assert ("fast", "tpe", "digits", 60, 0, "cpu") == tuple(
        provenance[key] for key in ("algorithm", "sampler", "dataset", "train_subset", "seed", "device")
    )
    assert "faa-search" in provenance["versions"]


def test_folds_are_fitted_on_their_own_images(
    finished: tuple[Path, SearchResult, Any],
    small_search: SearchConfig,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """D_M without a policy to fit on, D_A to score on: disjoint, and each fold's networks and seeds differ."""
    jobs: list[Any] = []
    scored_on: list[Any] = []
    really_fit, really_score = tasks.fit, tasks.score

    def watched_fit(job: Any, *args: Any) -> Any:
        jobs.append(job)
        return really_fit(job, *args)

    def watched_score(held_out: Any, *args: Any, **given: Any) -> Any:
        scored_on.append(held_out.images.images[held_out.images.positions])
        return really_score(held_out, *args, **given)

    monkeypatch.setattr(tasks, "fit", watched_fit)
    monkeypatch.setattr(tasks, "score", watched_score)
    faa_search.search(small_search, tmp_path / "run")
    output, _result, _told = finished
    folds = json.loads((output / "folds.json").read_text())
    data = open_data(small_search, model_size=32, note=print)
    for number, fold in enumerate(folds):
        assert jobs[number].view.policy is None
        assert (4, 0.0) == (jobs[number].view.baseline.pad, jobs[number].view.baseline.hflip)
        assert np.array_equal(data.train.subset(np.array(fold["train"])).images, jobs[number].view.source.images)
    held_out = [data.train.subset(np.array(fold["held_out"])).images.transpose(0, 3, 1, 2) for fold in folds]
    mirrors, trials = scored_on[:4], scored_on[4:16]  # mirrored and plain images come first, as there are no flips
    for number, shown in enumerate(mirrors):
        assert np.array_equal(held_out[number % 2], shown.numpy())
    for number, shown in enumerate(trials):  # in turn: two rounds of a fold, then those of the next
        assert np.array_equal(held_out[number % 4 // 2], shown.numpy())
    assert 4 + 12 + 9 * 2 == len(scored_on)
    assert [0, 1] == [job.seed for job in jobs]
    assert_same(output, tmp_path / "run")


def test_a_finished_search_returns_its_result(
    finished: tuple[Path, SearchResult, Any], small_search: SearchConfig, listener: Any
) -> None:
    """The same call again reads it, and scores nothing."""
    output, result, _told = finished
    again = listener()
    read = faa_search.search(small_search, output, reporter=again)
    assert [] == again.tracks
    assert [f"'{output}' is finished."] == again.notes
    assert (result.reward, result.controls, result.trials, result.seconds) == (
        read.reward,
        read.controls,
        read.trials,
        read.seconds,
    )
    assert result.policy == read.policy.model_copy(update={"operations": {}})


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # torch counts this machine's cores
def test_loader_processes_change_nothing(
    finished: tuple[Path, SearchResult, Any], small_search: SearchConfig, tmp_path: Path
) -> None:
    """Two loader processes find the same policy as none."""
    faa_search.search(small_search.model_copy(update={"workers": 2}), tmp_path / "run")
    assert_same(finished[0], tmp_path / "run")


def test_random_search(finished: tuple[Path, SearchResult, Any], small_search: SearchConfig, tmp_path: Path) -> None:
    """--algorithm random is the same search with random trials, and --sampler random the same by its other name."""
    chosen = small_search.model_copy(update={"algorithm": "random"})
    faa_search.search(chosen, tmp_path / "run")
    document = policy_of(tmp_path / "run")
    assert ("digits-wrn16_1-random", "random", "random") == (
        document["name"],
        document["provenance"]["algorithm"],
        document["provenance"]["sampler"],
    )
    faa_search.search(small_search.model_copy(update={"sampler": "random"}), tmp_path / "sampler")
    assert trials_of(tmp_path / "run") == trials_of(tmp_path / "sampler")
    assert trials_of(tmp_path / "run") != trials_of(finished[0])
    faa_search.search(chosen, tmp_path / "run")  # finished


def test_seeds_and_rewards_matter(
    finished: tuple[Path, SearchResult, Any], small_search: SearchConfig, tmp_path: Path
) -> None:
    """Another seed, other folds and trials; another reward is what the trials then report."""
    faa_search.search(
        small_search.model_copy(update={"seed": 1, "reward": "best-accuracy", "folds": 1, "width": 1}), tmp_path / "run"
    )
    trials = trials_of(tmp_path / "run")
    assert trials[0]["params"] != trials_of(finished[0])[0]["params"]
    assert all(row["reward"] == row["metrics"]["best-accuracy"] for row in trials)
    folds = [json.loads((directory / "folds.json").read_text())[0] for directory in (finished[0], tmp_path / "run")]
    assert folds[0] != folds[1]


def test_other_settings_are_refused(finished: tuple[Path, SearchResult, Any], small_search: SearchConfig) -> None:
    """A finished search is not returned for settings it was not made with; worker processes are no matter."""
    with pytest.raises(FaaError, match=r"holds a run with other settings \(depth: 3 → 4\)"):
        faa_search.search(small_search.model_copy(update={"depth": 4}), finished[0])
    assert 12 == faa_search.search(small_search.model_copy(update={"workers": 1}), finished[0]).trials


def test_a_sampler_of_a_plugin(install: Callable[..., None], small_search: SearchConfig, tmp_path: Path) -> None:
    """Ten lines in an installed package are a sampler; it sees the history of its own round only."""
    install(
        group="faa.samplers",
        entry="mutate = throwaway_module:mutate",
        source=(
            "from faa_search.searching.samplers.uniform import suggest\n"
            "seen = []\n"
            "def mutate(space, history, seed):\n"
            "    seen.append(len(history))\n"
            "    params = dict(suggest(space, history, seed))\n"
            "    if history:\n"
            "        best = max(history, key=lambda scored: scored.reward)\n"
            "        params |= {k: v for k, v in best.params.items() if k.startswith('op_')}\n"
            "    return params\n"
        ),
    )
    faa_search.search(small_search.model_copy(update={"sampler": "mutate"}), tmp_path / "run")
    import throwaway_module  # type: ignore[import-not-found]  # noqa: PLC0415 there since a moment

    assert [0] * 4 + [1] * 4 + [2] * 4 == throwaway_module.seen[-12:]
    rows = [row for row in trials_of(tmp_path / "run") if (row["fold"], row["round"]) == (1, 0)]
    ops = [{key: value for key, value in row["params"].items() if key.startswith("op_")} for row in rows[:3]]
    assert ops[0] == ops[1] == ops[2]


def test_the_estimate_is_of_the_right_size(tmp_path: Path, small_search: SearchConfig) -> None:
    """Positive, and within a factor of five of what the search then takes."""
    config = small_search.model_copy(
        update={"train_subset": 200, "img_size": 16, "epochs": 2, "folds": 1, "width": 1, "depth": 6, "views": 3}
    )
    bench = MakeBench(config=config, directory=tmp_path)(Place(device="cpu", fetch=dict[str, bytes]().__getitem__))
    space = PolicySpace(ops=tuple(row.name for row in SEARCH_LIST), sub_policies=2, num_ops=2)
    cost = EstimateCost(space)(bench)
    faa_search.search(config, tmp_path / "run")
    table = (tmp_path / "run" / "fold0" / "summary.csv").read_text().splitlines()
    fitting = sum(float(row["seconds"]) for row in csv.DictReader(table))
    scoring = sum(trial.seconds for trial in read_trials(tmp_path / "run"))
    assert fitting / 5 < cost.fold < 5 * fitting
    assert scoring / 5 < 6 * cost.trial < 5 * scoring
