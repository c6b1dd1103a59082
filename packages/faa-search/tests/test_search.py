"""A whole search, end to end on digits: the same whatever happens on the way."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from accelerate import Accelerator

import faa_search
from faa_core import SEARCH_LIST, FaaError, Policy, UnknownNameError
from faa_search.config import SearchConfig
from faa_search.data import ImageSource, OpenedData, open_data
from faa_search.fast import SearchResult, random_search
from faa_search.fast import run as fast_run
from faa_search.fast.estimate import estimate
from faa_search.fast.journal import Journal
from faa_search.fast.merge import merge
from faa_search.samplers import PolicySpace
from faa_search.samplers.tpe import suggest
from faa_search.training import View, make_accelerator
from faa_search.training.models import ModelInput
from faa_search.training.views import baseline_of

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

    monkeypatch.setattr(fast_run, "open_data", guarded)


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
    assert all(row.pop("seconds") > 0 for row in rows)
    return rows


def assert_same(one: Path, other: Path) -> None:
    """Check that two searches found the same, trial by trial and weight by weight."""
    assert trials_of(one) == trials_of(other)
    assert policy_of(one) == policy_of(other)
    results = [json.loads((directory / "result.json").read_text()) | {"seconds": 0} for directory in (one, other)]
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
            "policy.json",
            "result.json",
            "trials.jsonl",
        }
        >= {path.name for path in output.iterdir()}
        >= {"policy.json", "trials.jsonl"}
    )
    assert 12 == result.trials == len(Journal(output / "trials.jsonl").read())
    assert result.policy == Policy.load(output / "policy.json").model_copy(update={"operations": {}})
    assert [("Fold 1 of 2", 2, 0), ("Fold 2 of 2", 2, 0), ("Trials", 12, 0)] == told.tracks
    assert UNITS == told.units
    assert ["identity", "uniform-random", "trivialaugment"] == [row.name for row in result.controls]
    for row in result.controls:
        assert result.reward - row.reward == pytest.approx(row.difference)


def test_a_search_announces_its_cost(finished: tuple[Path, SearchResult, Any]) -> None:
    """Once, before anything else."""
    _output, _result, told = finished
    assert told.notes[0].startswith("60 images of 10 classes at 8 px. Estimated cost: ")
    assert told.notes[0].endswith(" for 12 trials.")
    assert 1 == sum("Estimated" in note for note in told.notes)


def test_the_policy_is_the_best_of_every_round(
    finished: tuple[Path, SearchResult, Any], small_search: SearchConfig
) -> None:
    """Read from the journal, merged by hand: fold by fold, round by round."""
    output, result, _told = finished
    space = PolicySpace(ops=tuple(row.name for row in SEARCH_LIST), sub_policies=2, num_ops=2)
    trials = Journal(output / "trials.jsonl").read()
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
    held_out: list[Any] = []
    really_fit, really_explore = fast_run.fit, fast_run.explore

    def watched_fit(job: Any, *args: Any) -> Any:
        jobs.append(job)
        return really_fit(job, *args)

    def watched_explore(exploration: Any, this: Any, scored_on: Any, done: Any) -> Any:
        held_out.append(scored_on)
        return really_explore(exploration, this, scored_on, done)

    monkeypatch.setattr(fast_run, "fit", watched_fit)
    monkeypatch.setattr(fast_run, "explore", watched_explore)
    faa_search.search(small_search, tmp_path / "run")
    output, _result, _told = finished
    folds = json.loads((output / "folds.json").read_text())
    data = open_data(small_search, model_size=32, note=print)
    for number, fold in enumerate(folds):
        assert jobs[number].view.policy is None
        assert (4, 0.0) == (jobs[number].view.baseline.pad, jobs[number].view.baseline.hflip)
        assert np.array_equal(data.train.subset(np.array(fold["train"])).images, jobs[number].view.source.images)
        for scored_on in held_out[2 * number : 2 * number + 2]:
            assert np.array_equal(data.train.subset(np.array(fold["held_out"])).images, scored_on.source.images)
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


@pytest.mark.parametrize("stop_after", [1, 3, 4, 5, 8, UNITS])
def test_a_stopped_search_resumes_to_the_same(
    finished: tuple[Path, SearchResult, Any],
    small_search: SearchConfig,
    tmp_path: Path,
    listener: Any,
    interruption: type[Exception],
    stop_after: int,
) -> None:
    """Stopped while fitting, between, and while scoring; finished work is not done again."""
    with pytest.raises(interruption):
        faa_search.search(small_search, tmp_path / "run", reporter=listener(stop_after=stop_after))
    again = listener()
    faa_search.search(small_search, tmp_path / "run", reporter=again)
    assert UNITS - stop_after == again.units
    assert_same(finished[0], tmp_path / "run")


def test_a_search_stopped_at_every_unit(
    finished: tuple[Path, SearchResult, Any],
    small_search: SearchConfig,
    tmp_path: Path,
    listener: Any,
    interruption: type[Exception],
) -> None:
    """Each process does one epoch or one trial; the last writes the same policy."""
    for _ in range(UNITS):
        with pytest.raises(interruption):
            faa_search.search(small_search, tmp_path / "run", reporter=listener(stop_after=1))
    faa_search.search(small_search, tmp_path / "run")
    assert_same(finished[0], tmp_path / "run")


def test_a_search_killed_while_writing_a_trial(
    finished: tuple[Path, SearchResult, Any],
    small_search: SearchConfig,
    tmp_path: Path,
    listener: Any,
    interruption: type[Exception],
) -> None:
    """Half a line at the end of the journal is scored again."""
    with pytest.raises(interruption):
        faa_search.search(small_search, tmp_path / "run", reporter=listener(stop_after=9))
    journal = tmp_path / "run" / "trials.jsonl"
    journal.write_bytes(journal.read_bytes()[:-40])
    faa_search.search(small_search, tmp_path / "run")
    assert_same(finished[0], tmp_path / "run")


def test_lines_removed_as_an_error_says(
    finished: tuple[Path, SearchResult, Any],
    small_search: SearchConfig,
    tmp_path: Path,
    listener: Any,
    interruption: Any,
) -> None:
    """A damaged line and all after it taken out, the search goes on to the same."""
    with pytest.raises(interruption):
        faa_search.search(small_search, tmp_path / "run", reporter=listener(stop_after=12))
    journal = tmp_path / "run" / "trials.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:4]) + b"damaged\n" + b"".join(lines[5:]))
    with pytest.raises(FaaError, match=r"Line 5 of .* is no trial"):
        faa_search.search(small_search, tmp_path / "run")
    journal.write_bytes(b"".join(lines[:4]))
    faa_search.search(small_search, tmp_path / "run")
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


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"algorithm": "fats"}, "No search algorithm is called 'fats'; did you mean fast"),
        ({"sampler": "tpee"}, "No sampler is called 'tpee'; did you mean tpe"),
        ({"model": "wrn16-1"}, "timm has no model 'wrn16-1'; did you mean"),
        ({"algorithm": "random", "sampler": "tpe"}, "it takes no --sampler tpe"),
    ],
)
def test_names_are_checked_first(
    small_search: SearchConfig, tmp_path: Path, settings: dict[str, str], words: str
) -> None:
    """A misspelt name costs nothing and makes no directory."""
    with pytest.raises(FaaError, match=words) as raised:
        faa_search.search(small_search.model_copy(update=settings), tmp_path / "run")
    assert isinstance(raised.value, UnknownNameError) == ("called" in words)
    assert not (tmp_path / "run").exists()


def test_other_settings_are_refused(finished: tuple[Path, SearchResult, Any], small_search: SearchConfig) -> None:
    """A finished search is not returned for settings it was not made with; worker processes are no matter."""
    with pytest.raises(FaaError, match=r"holds a run with other settings \(depth: 3 → 4\)"):
        faa_search.search(small_search.model_copy(update={"depth": 4}), finished[0])
    assert 12 == faa_search.search(small_search.model_copy(update={"workers": 1}), finished[0]).trials


def test_a_search_is_one_process(small_search: SearchConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a launcher it would write one journal from several processes."""
    monkeypatch.setattr(Accelerator, "num_processes", 2)
    with pytest.raises(FaaError, match="A search runs in one process"):
        faa_search.search(small_search, tmp_path / "run", accelerator=make_accelerator("cpu"))


def test_a_sampler_of_a_plugin(install: Callable[..., None], small_search: SearchConfig, tmp_path: Path) -> None:
    """Ten lines in an installed package are a sampler; it sees the history of its own round only."""
    install(
        group="faa.samplers",
        entry="mutate = throwaway_module:mutate",
        source=(
            "from faa_search.samplers.uniform import suggest\n"
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

    assert [0, 1, 2] * 4 == throwaway_module.seen[-12:]
    rows = trials_of(tmp_path / "run")
    ops = [{key: value for key, value in row["params"].items() if key.startswith("op_")} for row in rows[:3]]
    assert ops[0] == ops[1] == ops[2]


def test_random_search_is_a_python_call(small_search: SearchConfig, tmp_path: Path) -> None:
    """As any algorithm it can be called by itself."""
    chosen = small_search.model_copy(update={"algorithm": "random", "folds": 1, "width": 1, "depth": 1})
    assert 1 == random_search(chosen, tmp_path / "run").trials


def test_the_estimate_is_of_the_right_size(
    tmp_path: Path, small_search: SearchConfig, accelerator: Accelerator, expected: ModelInput
) -> None:
    """Positive, and within a factor of five of what the search then takes."""
    config = small_search.model_copy(
        update={"train_subset": 300, "img_size": 16, "epochs": 3, "folds": 1, "width": 1, "depth": 10, "views": 4}
    )
    data = open_data(config, model_size=32, note=print)
    view = View(source=data.train, size=16, baseline=baseline_of(config, data.train, expected.mean))
    space = PolicySpace(ops=tuple(row.name for row in SEARCH_LIST), sub_policies=2, num_ops=2)
    cost = estimate(config, view, expected, accelerator, space=space, sampler=suggest)
    faa_search.search(config, tmp_path / "run")
    table = (tmp_path / "run" / "fold0" / "summary.csv").read_text().splitlines()
    fitting = sum(float(row["seconds"]) for row in csv.DictReader(table))
    scoring = sum(trial.seconds for trial in Journal(tmp_path / "run" / "trials.jsonl").read())
    assert fitting / 5 < cost.fitting < 5 * fitting
    assert scoring / 5 < cost.scoring < 5 * scoring
