"""A search's trials for Optuna and hyperopt: what these libraries load, and what is refused."""

import json
import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from hyperopt import trials_from_docs

from faa_core import FaaError, UnknownNameError
from faa_search.searching.exporting import export_trials
from faa_search.searching.fast import read_trials

GOLDEN = Path(__file__).parents[3] / "tests" / "golden_runs"
FOUND = GOLDEN / "search-finished"


@pytest.fixture(autouse=True)
def _loggers_kept() -> Iterator[None]:
    """Where the root has no handler, what Optuna opens sets up logging anew, and disables every logger there is."""
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)
    yield
    root.removeHandler(handler)


def storage_of(path: Path) -> optuna.storages.BaseStorage:
    """Return what Optuna opens a file as."""
    if path.suffix == ".log":
        return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    return optuna.storages.RDBStorage(f"sqlite:///{path}")


@pytest.mark.parametrize("name", ["trials.db", "trials.log"])
def test_optuna_loads_the_study(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Every trial with its parameters, distributions, value, state and place; the best is the best."""
    entries = sorted(read_trials(FOUND), key=lambda trial: trial.key)
    assert len(entries) == export_trials(FOUND, "optuna", tmp_path / name)
    assert [name] == [path.name for path in tmp_path.iterdir()]
    assert not logging.getLogger("optuna.storages._in_memory").disabled  # nor any other logger of the process
    assert "study" not in "".join(capfd.readouterr()).lower()  # Optuna announces none
    study = optuna.load_study(study_name="faa-search-finished", storage=storage_of(tmp_path / name))
    assert optuna.study.StudyDirection.MAXIMIZE == study.direction
    assert "digits" == study.user_attrs["dataset"]
    for trial, kept in zip(entries, study.trials, strict=True):
        assert (dict(trial.params), trial.reward) == (kept.params, kept.value)
        assert optuna.trial.TrialState.COMPLETE == kept.state
        place = tuple(kept.user_attrs[key] for key in ("fold", "round", "number"))
        assert trial.key == place
        assert trial.seconds == pytest.approx(kept.duration.total_seconds(), abs=1e-5)
    first = study.trials[0].distributions
    assert ("Cutout", 15) == (first["op_0_0"].choices[-1], len(first["op_0_0"].choices))
    assert (0.0, 1.0) == (first["p_1_1"].low, first["magnitude_0_1"].high)
    assert max(trial.reward for trial in entries) == study.best_value


def test_hyperopt_takes_the_documents(tmp_path: Path) -> None:
    """Losses are negative rewards, operations their numbers; the best is the best."""
    entries = sorted(read_trials(FOUND), key=lambda trial: trial.key)
    assert len(entries) == export_trials(FOUND, "hyperopt", tmp_path / "trials.json")
    trials = trials_from_docs(json.loads((tmp_path / "trials.json").read_text()))
    assert [-trial.reward for trial in entries] == trials.losses()
    assert {"ok"} == set(trials.statuses())
    best = max(entries, key=lambda trial: trial.reward)
    ops = trials.best_trial["result"]["ops"]
    values = {label: ops[value] if label.startswith("op_") else value for label, value in trials.argmin.items()}
    assert dict(best.params) == values
    assert [entries[7].params["p_0_1"]] == trials.trials[7]["misc"]["vals"]["p_0_1"]


def test_a_search_that_was_stopped_has_some(tmp_path: Path) -> None:
    """And one without any says so."""
    stopped = GOLDEN / "search-stopped-in-trials"
    assert len(read_trials(stopped)) == export_trials(stopped, "hyperopt", tmp_path / "some.json")
    with pytest.raises(FaaError, match="has no trials yet"):
        export_trials(GOLDEN / "search-stopped-in-folds", "hyperopt", tmp_path / "none.json")


DAMAGES = [
    ("search-stopped-in-trials", "", "has no trials yet"),
    ("search-stopped-in-trials", "\n\n", "has 2 bytes, but no whole line: the search was stopped while it wrote its"),
    ("search-stopped-in-trials", '{"fold": 0', "has 10 bytes, but no whole line"),
    ("search-stopped-in-trials", "\0" * 4096, "has 4,096 bytes, but no whole line"),
    ("search-stopped-in-trials", "\0\n", "Line 1 of .* is not a valid trial: .* Put back a copy of the file"),
    ("search-finished", "", "has 0 whole trials, but the search made its policy of"),
    ("search-finished", None, "has 0 whole trials, but the search made its policy of"),
    ("search-finished", "\0" * 4096, "has 0 whole trials, but the search made its policy of"),
]


@pytest.mark.parametrize(("run", "content", "words"), DAMAGES)
def test_trials_that_are_damaged_are_not_called_missing(
    run: str, content: str | None, words: str, tmp_path: Path
) -> None:
    """What is wrong is said, and what to do with which command."""
    shutil.copytree(GOLDEN / run, tmp_path / "run")
    if content is None:
        (tmp_path / "run/trials.jsonl").unlink()
    else:
        (tmp_path / "run/trials.jsonl").write_text(content)
    with pytest.raises(FaaError, match=words):
        export_trials(tmp_path / "run", "hyperopt", tmp_path / "a.json")
    assert not (tmp_path / "a.json").exists()


def test_a_finished_search_that_has_lost_its_last_trial(tmp_path: Path) -> None:
    """Its last line without an end is not left out in silence; in a search that goes on, it is."""
    for run in ("search-finished", "search-stopped-in-trials"):
        shutil.copytree(GOLDEN / run, tmp_path / run)
        path = tmp_path / run / "trials.jsonl"
        path.write_bytes(path.read_bytes().rstrip(b"\n"))
    number = len(read_trials(FOUND))
    with pytest.raises(FaaError, match=f"has {number - 1} whole trials, but the search made its policy of {number}: "):
        export_trials(tmp_path / "search-finished", "hyperopt", tmp_path / "a.json")
    left = len(read_trials(GOLDEN / "search-stopped-in-trials")) - 1
    assert left == export_trials(tmp_path / "search-stopped-in-trials", "hyperopt", tmp_path / "b.json")


def test_nothing_is_replaced_or_left_behind(tmp_path: Path) -> None:
    """Neither a file nor a link, not even one to nowhere."""
    (tmp_path / "mine.json").write_text("precious")
    (tmp_path / "link.db").symlink_to(tmp_path / "nowhere.db")
    for tool, name in (("hyperopt", "mine.json"), ("optuna", "link.db")):
        with pytest.raises(FaaError, match=f"{name}' is there already, and is not replaced"):
            export_trials(FOUND, tool, tmp_path / name)
    assert "precious" == (tmp_path / "mine.json").read_text()
    assert ["link.db", "mine.json"] == sorted(path.name for path in tmp_path.iterdir())


def test_what_is_wrong_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tool, the suffix, the directory, a missing package, a trial of another space."""
    with pytest.raises(UnknownNameError, match="'optun'; did you mean optuna"):
        export_trials(FOUND, "optun", tmp_path / "a.db")
    with pytest.raises(FaaError, match=r"must end in \.db or .* or \.log for optuna"):
        export_trials(FOUND, "optuna", tmp_path / "a.json")
    with pytest.raises(FaaError, match="is not a search's directory"):
        export_trials(GOLDEN / "train-finished", "hyperopt", tmp_path / "a.json")
    with pytest.raises(FaaError, match="is not a run directory"):
        export_trials(tmp_path, "hyperopt", tmp_path / "a.json")
    other = shutil.copytree(FOUND, tmp_path / "other")
    config = (other / "config.yaml").read_text()
    (other / "config.yaml").write_text(config.replace("exclude_ops: []", "exclude_ops: [Cutout]"))
    assert config != (other / "config.yaml").read_text()
    with pytest.raises(FaaError, match=r"of another search space than its config\.yaml has"):
        export_trials(other, "hyperopt", tmp_path / "a.json")
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(FaaError, match=r"pip install 'faa-search\[optuna\]'.*--to hyperopt"):
        export_trials(FOUND, "optuna", tmp_path / "a.db")
    assert ["other"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize(
    "name", ["lab?seed=1/t.db", "exp?v2.db", "a%20b.db", "a%20b/t.db", "50%.db", "a#b.db", "a@b:c.db"]
)
def test_a_path_is_no_address(name: str, tmp_path: Path) -> None:
    """Whatever it holds, that file is made and no other."""
    (tmp_path / "lab").write_bytes(b"somebody's")
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    number = export_trials(FOUND, "optuna", path)
    assert b"somebody's" == (tmp_path / "lab").read_bytes()
    assert {"lab", name.split("/", maxsplit=1)[0]} == {made.name for made in tmp_path.iterdir()}
    with closing(sqlite3.connect(path)) as database:
        assert [(number,)] == database.execute("select count(*) from trials").fetchall()


@pytest.mark.parametrize(
    ("change", "words"),
    [({"fold": 9}, "another number of folds than"), ({"reward": -0.5}, "another reward than")],
    ids=str,
)
def test_trials_of_other_settings(change: dict[str, float], words: str, tmp_path: Path) -> None:
    """Old journals have no checksums, so they are held against the settings."""
    run = shutil.copytree(FOUND, tmp_path / "run")
    lines = [json.loads(line) for line in (run / "trials.jsonl").read_text().splitlines()]
    assert all("check" not in line for line in lines)
    lines[3] |= change
    (run / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(FaaError, match=f"is of {words} its config.yaml has. Put back the config.yaml and"):
        export_trials(run, "hyperopt", tmp_path / "t.json")
