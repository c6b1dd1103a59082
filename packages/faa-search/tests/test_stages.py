"""Stages by themselves, budgets, and other settings of a whole search, each against the plain one."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import faa_search
from faa_core import FaaError, Policy, SubPolicies, UnknownNameError
from faa_search.data import open_data
from faa_search.searching import fast, images, searchers
from faa_search.searching.fast import read_trials
from faa_search.settings import SearchConfig
from faa_search.workers.stopping import Stopped

OF_NO_INTEREST = {"seconds": 0, "check": "", "origin": None}  # in a comparison of trials


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, small_search: SearchConfig) -> Path:
    """Return the run of a search of all stages."""
    output = tmp_path_factory.mktemp("stages") / "run"
    faa_search.search(small_search, output)
    return output


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def fitted(run: Path) -> Path:
    """Return a copy of it, as it was when the folds were fitted."""
    for name in ("trials.jsonl", "policy.json", "result.json"):
        (run / name).unlink()
    return run


@pytest.fixture
def search(small_search: SearchConfig) -> Callable[..., Any]:
    """Return a function that searches with some settings changed."""

    def changed(directory: Path, *, reporter: Any = None, **settings: Any) -> Any:
        return faa_search.search_stage(small_search.model_copy(update=settings), directory, reporter=reporter)

    return changed


def contents(directory: Path) -> dict[str, Any]:
    """Return what a search found, but for the seconds and the budget."""
    policy, result = (json.loads((directory / f"{name}.json").read_text()) for name in ("policy", "result"))
    for name in ("seconds", "gpu_seconds"):
        del policy["provenance"][name]
    del result["seconds"], result["fitting"], result["budget"]
    trials = [json.loads(line) | OF_NO_INTEREST for line in (directory / "trials.jsonl").read_text().splitlines()]
    return {"policy": policy, "result": result, "trials": trials}


def sub_policies(directory: Path) -> int:
    """Return how many sub-policies the policy of a run has."""
    policy = Policy.load(directory / "policy.json")
    assert isinstance(policy, SubPolicies)
    return len(policy.sub_policies)


def test_one_stage_after_the_other(finished: Path, search: Callable[..., Any], tmp_path: Path, listener: Any) -> None:
    """Each does its own work only; together they are the whole."""
    told = [listener() for _ in range(4)]
    assert search(tmp_path / "run", reporter=told[0], stage="folds") is None
    assert search(tmp_path / "run", reporter=told[1], stage="explore") is None
    assert not (tmp_path / "run" / "policy.json").exists()
    assert search(tmp_path / "run", reporter=told[2], stage="merge").complete
    assert [["Fold 1 of 2", "Fold 2 of 2"], ["Trials"], [], []] == [[what for what, *_ in one.tracks] for one in told]
    assert contents(finished) == contents(tmp_path / "run")
    assert search(tmp_path / "run", reporter=told[3]).complete
    assert told[3].notes == [f"'{tmp_path / 'run'}' is finished."]


@pytest.mark.parametrize("stage", ["explore", "merge"])
def test_stages_that_need_the_folds(search: Callable[..., Any], tmp_path: Path, stage: str) -> None:
    """Refused with the remedy, and as if it had not been tried."""
    with pytest.raises(FaaError, match=r"The network '.+fold0/model.safetensors' is missing; --stage folds makes it"):
        search(tmp_path / "run", stage=stage)
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_merging_needs_trials(fitted: Path, search: Callable[..., Any]) -> None:
    """Likewise."""
    with pytest.raises(FaaError, match=r"has no trials to choose from; --stage explore makes them"):
        search(fitted, stage="merge")
    assert not (fitted / "policy.json").exists()


def test_merging_with_another_choice(run: Path, finished: Path, search: Callable[..., Any]) -> None:
    """Another policy of the same trials, which is then what the run is of; and back again."""
    journal = (run / "trials.jsonl").read_bytes()
    result = search(run, stage="merge", top=1)
    assert 2 * 2 * 2 == len(result.policy.sub_policies) == sub_policies(run)
    assert 1 == yaml.safe_load((run / "config.yaml").read_text())["top"]
    assert journal == (run / "trials.jsonl").read_bytes()
    assert result.verdict == search(run, top=1).verdict
    with pytest.raises(FaaError, match=r"other settings \(top: 1 → 2\)"):
        search(run, top=2)
    search(run, stage="merge", top=2)
    assert contents(finished) == contents(run)
    with pytest.raises(FaaError, match=r"other settings \(depth: 3 → 2\)"):
        search(run, stage="merge", depth=2)


def test_merging_that_is_stopped(run: Path, search: Callable[..., Any], listener: Any) -> None:
    """The result before is not taken for that of the new choice."""

    class Stopping(listener):  # type: ignore[misc, valid-type]
        def note(self, message: str) -> None:
            if message.startswith("Comparing"):
                raise Stopped(2)

    with pytest.raises(Stopped):
        search(run, reporter=Stopping(), stage="merge", top=1)
    assert 8 == len(search(run, top=1).policy.sub_policies)


def whole(directory: Path) -> dict[str, bytes]:
    """Return what a run's directory says of its settings and of what it found."""
    return {name: (directory / name).read_bytes() for name in ("config.yaml", "policy.json", "result.json")}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("fold0/model.safetensors", None, "' is missing; --stage folds makes it"),
        ("fold0/model.safetensors", b"no weights", r"is damaged .+; --stage folds makes it again"),
        ("fold0/summary.csv", b"no,table\n1", "is not a table of epochs"),
        ("trials.jsonl", None, "has no trials to choose from"),
    ],
)
def test_merging_that_cannot_be_done(
    run: Path, search: Callable[..., Any], name: str, content: bytes | None, message: str
) -> None:
    """What was found before, and the settings that it was found with, are as they were."""
    before = whole(run)
    (run / name).unlink()
    if content is not None:
        (run / name).write_bytes(content)
    with pytest.raises(FaaError, match=message):
        search(run, stage="merge", top=1)
    assert before == whole(run)
    assert search(run).complete


@pytest.mark.parametrize("content", [None, b"no weights"])
def test_stages_of_a_finished_search(
    run: Path, finished: Path, search: Callable[..., Any], content: bytes | None
) -> None:
    """Asked for by its name, each makes again what was removed or damaged."""
    (run / "fold0" / "model.safetensors").unlink()
    if content is not None:
        (run / "fold0" / "model.safetensors").write_bytes(content)
    lines = (run / "trials.jsonl").read_text().splitlines(keepends=True)
    (run / "trials.jsonl").write_text("".join(lines[:3] + lines[4:]))
    assert search(run, stage="folds") is None
    assert search(run, stage="explore") is None
    trials, wanted = ({trial.key: trial for trial in read_trials(each)} for each in (run, finished))
    assert wanted.keys() == trials.keys()
    assert all(trial.params == wanted[key].params for key, trial in trials.items())
    assert search(run, stage="merge").complete
    assert contents(finished)["policy"] == contents(run)["policy"]


def test_merging_with_second_scores(run: Path, search: Callable[..., Any], listener: Any) -> None:
    """The best of each round by their rewards on more and other draws, which are kept."""
    told = listener()
    search(run, reporter=told, stage="merge", top=1, rescore=2, rescore_views=3)
    assert [("Second scores", 8, 0)] == told.tracks
    rows = [json.loads(line) for line in (run / "rescored.jsonl").read_text().splitlines()]
    again = {(row["fold"], row["round"], row["number"]): row["reward"] for row in rows}
    assert {3} == {row["views"] for row in rows}
    chosen = []
    for fold, number in [(0, 0), (0, 1), (1, 0), (1, 1)]:
        trials = [one for one in read_trials(run) if (one.fold, one.round) == (fold, number)]
        assert {one.key for one in sorted(trials, key=lambda one: -one.reward)[:2]} == {
            key for key in again if key[:2] == (fold, number)
        }
        chosen.append(max((one for one in trials if one.key in again), key=lambda one: again[one.key]))
    policy = Policy.load(run / "policy.json")
    assert isinstance(policy, SubPolicies)
    assert [one.params["p_0_0"] for one in chosen] == [two[0].p for two in policy.sub_policies[::2]]


def test_a_budget_too_small_for_the_folds(search: Callable[..., Any], tmp_path: Path) -> None:
    """Refused in words before anything is fitted; the advice can be followed with the same directory."""
    for budget in ("0.001s", "0.001gpu-s"):
        with pytest.raises(FaaError, match=rf"--budget {budget}: fitting 2 folds alone is estimated at"):
            search(tmp_path / "run", budget=budget)
    assert not (tmp_path / "run" / "fold0").exists()
    assert search(tmp_path / "run", budget="1h", folds=1).complete


@pytest.mark.parametrize("budget", ["0.001s", "0.001gpu-s"])
def test_a_budget_that_is_used_up(
    fitted: Path, finished: Path, search: Callable[..., Any], listener: Any, budget: str
) -> None:
    """There is a trial at least, and so a valid policy; with more budget the search goes on to the whole."""
    told = listener()
    result = search(fitted, reporter=told, budget=budget)
    assert (1, 12, False, budget) == (result.trials, result.planned, result.complete, result.budget)
    assert 2 == len(result.policy.sub_policies) == sub_policies(fitted)
    assert 4 == len(result.controls)
    assert f"--budget {budget} is used up after 1 of 12 trials." in told.notes
    assert result.verdict == search(fitted, budget=budget).verdict  # the same budget: finished
    assert 1 == search(fitted, budget="0.002s").trials
    assert search(fitted, budget="2gpu-h").complete
    assert contents(finished) == contents(fitted)
    assert search(fitted, budget=budget).complete  # which no smaller budget takes back


def test_a_budget_is_no_result_of_another_policy(fitted: Path, search: Callable[..., Any], listener: Any) -> None:
    """Stopped after the budget was raised, the result of before is not that of the policy so far."""
    search(fitted, budget="0.001s")

    class Stopping(listener):  # type: ignore[misc, valid-type]
        def _advance(self, detail: str = "") -> None:
            raise Stopped(15)

    with pytest.raises(Stopped):
        search(fitted, reporter=Stopping())
    assert 4 == sub_policies(fitted)
    result = search(fitted, budget="0.001s")
    assert 2 == result.trials == result.policy.provenance["trials"]
    assert 4 == len(result.policy.sub_policies)


def test_a_known_policy_comes_first(search: Callable[..., Any], tmp_path: Path) -> None:
    """In every round; what follows knows it."""
    policy = Policy.load("fa-reduced-cifar10")
    assert isinstance(policy, SubPolicies)
    policy = policy.model_copy(update={"sub_policies": policy.sub_policies[:8], "name": "known"})
    policy.save(tmp_path / "known.json")
    search(tmp_path / "run", warm_start=str(tmp_path / "known.json"), depth=2)
    first = [one for one in read_trials(tmp_path / "run") if one.number == 0]
    assert 4 == len(first)
    assert [one.p for two in policy.sub_policies for one in two] == [
        trial.params[f"p_{at}_{op}"] for trial in first for at in range(2) for op in range(2)
    ]


def test_a_split_of_its_own(
    write_images: Callable[..., Path], search: Callable[..., Any], tmp_path: Path, listener: Any
) -> None:
    """One network of all training images; rewards of the other split's images; the test split cannot be read."""
    root = write_images({"a": 8, "b": 8}, root="data/train").parent
    write_images({"a": 5, "b": 4}, root="data/val")
    write_images({"a": 3, "b": 3}, root="data/test")
    for path in (root / "test").rglob("*.png"):
        path.write_bytes(b"no image")
    told = listener()
    given = {"dataset": str(root), "train_subset": None, "val_split": "val", "batch_size": 8, "reward": "mean-accuracy"}
    result = search(tmp_path / "run", reporter=told, **given)
    assert ["Network", "Trials"] == [what for what, *_ in told.tracks]
    assert (6, 6) == (result.trials, result.planned)
    (fold,) = json.loads((tmp_path / "run" / "folds.json").read_text())
    assert (16, 9) == (len(fold["train"]), len(fold["held_out"]))
    for one in read_trials(tmp_path / "run"):
        assert round(one.reward * 2 * 9, 4).is_integer()
    other = search(tmp_path / "other", **given, init_models=str(tmp_path / "run" / "fold0"))
    assert result.policy.sub_policies == other.policy.sub_policies


def test_an_audit_of_a_whole_search(
    run: Path, search: Callable[..., Any], listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trainings with four trials and with no policy, once; the policy stays as it is, and the test split unread."""

    def without_test(*args: Any, **given: Any) -> Any:
        return replace(open_data(*args, **given), open_test=lambda: pytest.fail("the test split was opened"))

    monkeypatch.setattr(images, "open_data", without_test)
    policy = (run / "policy.json").read_bytes()
    told = [listener(), listener()]
    result = search(run, reporter=told[0], audit=4, audit_epochs=1)
    assert (4, 1, 1) == (result.audit.policies, result.audit.seeds, result.audit.epochs)
    assert 0 <= result.audit.lowest <= result.audit.highest <= 1
    assert policy == (run / "policy.json").read_bytes()
    assert result.audit == search(run, reporter=told[1], audit=4, audit_epochs=1).audit
    assert [[("Audit", 5, 0)], [("Audit", 5, 5)]] == [one.tracks for one in told]
    assert [5, 0] == [one.units for one in told]
    assert [] == list((run / "audit").iterdir())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"algorithm": "fats"}, "No search algorithm is called 'fats'; did you mean fast"),
        ({"sampler": "tpee"}, "No sampler is called 'tpee'; did you mean tpe"),
        ({"model": "wrn16-1"}, "timm has no model 'wrn16-1'; did you mean"),
        ({"algorithm": "random", "sampler": "tpe"}, "it takes no --sampler tpe"),
        ({"executor": "lcoal"}, "No executor is called 'lcoal'; did you mean local"),
        ({"preset": "digit"}, "No preset of operations is called 'digit'; did you mean digits"),
        ({"exclude_ops": ("Invrt",)}, "No operation of the search is called 'Invrt'; did you mean Invert"),
        ({"preset": "digits", "hflip": 0.5}, "give --hflip 0"),
        ({"audit": 3}, "--audit 3"),
        ({"audit": 7}, "--audit 7"),
        ({"warm_start": "trivialaugment", "img_size": 8}, "is of the kind parametric"),
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


@pytest.mark.parametrize("stage", ["folds", "explore"])
def test_what_must_return_a_policy_takes_no_stage_before_it(
    stage: str, small_search: SearchConfig, tmp_path: Path
) -> None:
    """Nothing is begun; `search_stage` is named, which does it."""
    with pytest.raises(FaaError, match=rf"Stage '{stage}' ends before there is a policy .* faa_search\.search_stage"):
        faa_search.search(small_search.model_copy(update={"stage": stage}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_algorithm_without_a_result_is_named(
    small_search: SearchConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searchers, "load_searcher", lambda _name: replace(fast.FAST, run=lambda _search: None))
    with pytest.raises(FaaError, match="algorithm 'fast' ended without a result"):
        faa_search.search(small_search, tmp_path / "run")
