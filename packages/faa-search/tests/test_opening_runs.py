"""Opening runs: of this version, of the first, and of versions to come; nothing good is ever thought to be damaged."""

import json
import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

import faa_search
from faa_core import FaaError, Policy
from faa_core.errors import NewerRecordError
from faa_search.measuring.comparison import read_comparison
from faa_search.runs.opening import ComparisonRun, SearchRun, TrainingRun, open_run
from faa_search.runs.policy import keep_policy
from faa_search.runs.records.trials import Trial
from faa_search.runs.results import read_search
from faa_search.settings import CompareConfig, SearchConfig, TrainConfig

GOLDEN = Path(__file__).parents[3] / "tests" / "golden_runs"


@pytest.fixture
def copied(tmp_path: Path) -> Any:
    """Return a function that copies a run of the first version."""
    return lambda name: Path(shutil.copytree(GOLDEN / name, tmp_path / name))


def test_a_training_of_the_first_version() -> None:
    """Settings that came later mean what was done then; figures are those of the file."""
    run = open_run(GOLDEN / "train-finished")
    assert isinstance(run, TrainingRun)
    assert isinstance(run.settings, TrainConfig)
    assert run.settings.input_key is None
    assert [row["epoch"] for row in run.epochs] == [1, 2, 3, 4]
    assert run.epochs[0]["train_loss"] == 2.338778495788574
    assert run.result is not None
    assert dict(run.result.train) == dict(run.epochs[-1]) | {"waiting": run.result.train["waiting"]}
    assert run.policy is not None
    assert run.policy.name == run.result.policy
    assert run.evaluations == ()
    assert run.others == {}
    assert run.environment["packages"]["faa-search"] == "0.1.0"


def test_a_search_of_the_first_version() -> None:
    """With its trials in the order of the file, and without what was not written then."""
    run = open_run(GOLDEN / "search-finished")
    assert isinstance(run, SearchRun)
    assert run.settings.seed == 3
    lines = [json.loads(line) for line in (GOLDEN / "search-finished/trials.jsonl").read_text().splitlines()]
    assert [trial.reward for trial in run.trials] == [line["reward"] for line in lines]
    assert {trial.origin for trial in run.trials} == {None}
    assert run.stages == ()
    assert run.result is not None
    assert run.result.trials == len(run.trials) == 20
    assert run.result.policy == run.policy
    assert run.images == {"images": 120, "labels": "3e6f6bf192e8bc2b2c7ebb934f79540a"}


def test_a_comparison_of_the_first_version() -> None:
    """And where its trainings are."""
    run = open_run(GOLDEN / "compare-finished")
    assert isinstance(run, ComparisonRun)
    assert isinstance(run.settings, CompareConfig)
    assert run.result == read_comparison(GOLDEN / "compare-finished")
    assert [path.name for path in run.runs] == [
        f"{name}-{seed}" for name in ("none", "trivialaugment", "uniform-random") for seed in (3, 4)
    ]
    assert all(isinstance(open_run(path), TrainingRun) for path in run.runs)


@pytest.mark.parametrize("name", ["search-stopped-in-folds", "search-stopped-in-trials", "train-stopped"])
def test_what_is_not_finished_has_no_result(name: str) -> None:
    """But all that is there."""
    run = open_run(GOLDEN / name)
    assert isinstance(run, SearchRun | TrainingRun)
    assert run.result is None
    if isinstance(run, SearchRun):
        assert len(run.trials) == (11 if name == "search-stopped-in-trials" else 0)


def test_a_search_of_this_version(small_search: SearchConfig, tmp_path: Path) -> None:
    """Trials say where and when; stages how long, once for each process that did a part."""
    began = time.time()
    faa_search.search_stage(small_search.model_copy(update={"stage": "folds"}), tmp_path / "run")
    result = faa_search.search(small_search, tmp_path / "run")
    run = open_run(tmp_path / "run")
    assert isinstance(run, SearchRun)
    assert run.result == result or run.result is not None
    assert run.settings == small_search.model_copy(update={"stage": "folds"})  # as it was begun
    assert [stage.name for stage in run.stages] == ["folds", "folds", "explore", "merge"]
    assert [stage.began for stage in run.stages] == sorted(stage.began for stage in run.stages)
    assert sum(stage.seconds for stage in run.stages) < time.time() - began
    assert run.stages[0].seconds > run.stages[1].seconds  # nothing was left to fit
    origins = [trial.origin for trial in run.trials]
    assert all(origin is not None and origin.device == "cpu" and "/" in origin.worker for origin in origins)
    times = [origin.at for origin in origins if origin is not None]
    assert began <= min(times) <= max(times) <= time.time()
    assert times == sorted(times)


RECORDS = {
    "train-finished": "result.json",
    "search-finished": "result.json",
    "compare-finished": "comparison.json",
}


@pytest.mark.parametrize("name", RECORDS)
def test_records_of_a_newer_version(copied: Any, name: str) -> None:
    """A new field is passed over. A new number of the schema is refused, and nobody is told to delete anything."""
    run = copied(name)
    path = run / RECORDS[name]
    before, document = open_run(run), json.loads(path.read_text())
    kind = {"train-finished": "training", "search-finished": "search"}.get(name, "comparison")
    path.write_text(json.dumps({"schema": f"faa-{kind}/1", **document, "later": {"a": 1}}))
    assert open_run(run).result == before.result
    path.write_text(json.dumps({"schema": f"faa-{kind}/2", **document}))
    with pytest.raises(NewerRecordError, match="keep it: update faa-search") as raised:
        open_run(run)
    assert "elete" not in str(raised.value)
    assert f"its schema is 'faa-{kind}/2', and this version knows 'faa-{kind}/1'" in str(raised.value)
    for wrong in (f"faa-{kind}/0", "faa-other/1", f"faa-{kind}/x", 1, None):
        path.write_text(json.dumps({**document, "schema": wrong}))
        with pytest.raises(FaaError, match="its schema is") as damaged:
            open_run(run)
        assert not isinstance(damaged.value, NewerRecordError)


def test_lines_of_a_newer_version(copied: Any) -> None:
    """Of a journal, too."""
    run = copied("search-finished")
    path = run / "trials.jsonl"
    lines = path.read_text().splitlines()
    newer = json.loads(lines[3]) | {"schema": "faa-trial/7"}
    path.write_text("\n".join([*lines[:3], json.dumps(newer), *lines[4:]]) + "\n")
    with pytest.raises(NewerRecordError, match="its schema is 'faa-trial/7'"):
        open_run(run)


@pytest.mark.parametrize("name", ["train-finished", "search-finished"])
def test_a_policy_of_a_newer_version(copied: Any, name: str) -> None:
    """Whoever reads it says that it is good, and names no other file."""
    run = copied(name)
    path = run / "policy.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": "faa-policy/2"}))
    keep = partial(keep_policy, policy=Policy.load("none"))
    for read in (open_run, read_search if name == "search-finished" else keep):
        with pytest.raises(NewerRecordError, match=r"policy\.json was written by .+ keep it: update faa-") as raised:
            read(run)
        assert "elete" not in str(raised.value)
        assert "result.json" not in str(raised.value)


@pytest.mark.parametrize("content", ["", "{", '{"cuda": NaN}', "[1]", "\0", "[" * 100_000])
def test_a_damaged_environment_is_an_empty_one(copied: Any, content: str) -> None:
    """No result depends on it."""
    run = copied("search-finished")
    (run / "environment.json").write_text(content)
    opened = open_run(run)
    assert opened.environment == {}
    assert opened.result is not None


def test_a_damaged_policy_is_not_a_damaged_result(copied: Any) -> None:
    """The file that is to be made again is the one that is damaged."""
    run = copied("search-finished")
    (run / "policy.json").write_text("{}")
    with pytest.raises(FaaError, match=r"policy\.json' holds no policy .+ Delete it, and the same command") as raised:
        read_search(run)
    assert "result.json" not in str(raised.value)


def test_a_newer_setting_is_kept(copied: Any) -> None:
    """By its name; the others are as they were."""
    run = copied("train-finished")
    settings = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump(settings | {"colours": 7}))
    opened = open_run(run)
    assert opened.others == {"colours": 7}
    assert opened.settings == open_run(GOLDEN / "train-finished").settings


def test_no_run_is_opened_where_there_is_none(tmp_path: Path) -> None:
    """Nor another program's."""
    with pytest.raises(FaaError, match="is not a run directory"):
        open_run(tmp_path)
    (tmp_path / "config.yaml").mkdir()
    with pytest.raises(FaaError, match=r"config\.yaml' is not a regular file, .+ put that file back\.$"):
        open_run(tmp_path)
    (tmp_path / "config.yaml").rmdir()
    (tmp_path / "config.yaml").write_text("command: serve\n")
    with pytest.raises(FaaError, match=r"has a config\.yaml that is not a run's"):
        open_run(tmp_path)


def test_a_damaged_table_is_named(copied: Any) -> None:
    """It follows from the state, so it may be removed."""
    run = copied("train-finished")
    table = run / "summary.csv"
    table.write_text(table.read_text().replace("0.04,", "often,"))
    with pytest.raises(
        FaaError, match=r"summary\.csv' is not a table of epochs .*Remove it, and the command of the run"
    ):
        open_run(run)


@pytest.mark.parametrize(
    ("name", "file", "again"),
    [
        ("train-finished", "evaluations.jsonl", "faa eval makes an evaluation anew"),
        ("search-finished", "stages.jsonl", "only the seconds of this stage are lost"),
        ("search-finished", "rescored.jsonl", Trial.again),
    ],
)
def test_a_damaged_line_says_what_its_loss_costs(copied: Any, name: str, file: str, again: str) -> None:
    """Of each kind of journal what is true of it."""
    run = copied(name)
    (run / file).write_text("[]\n")
    with pytest.raises(FaaError, match="it is not a JSON object") as raised:
        open_run(run)
    assert f"Line 1 of '{run / file}'" in str(raised.value)
    assert f"Put back a copy of the file. Or remove this line alone: {again}, and every other" in str(raised.value)
