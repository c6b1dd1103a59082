"""Runs whose files were edited, cut off, or replaced by folders: named before any training, with what to do."""

import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import faa_search
from faa_core import FaaError, Policy
from faa_search.measuring.comparison import compare, read_comparison
from faa_search.measuring.comparison.arms import arms_of
from faa_search.measuring.comparison.training import check_arms
from faa_search.measuring.evaluation.trained_on import run_of, say_unfinished
from faa_search.runs.directory import run_directory
from faa_search.runs.images import same_record
from faa_search.runs.policy import check_policy, keep_policy
from faa_search.runs.results import read_search
from faa_search.settings import CompareConfig, SearchConfig, TrainConfig
from faa_search.settings.resolving import read_layer, resolve
from faa_search.training import train

GOLDEN = Path(__file__).parents[3] / "tests" / "golden_runs"
Edit = Callable[[Any], object]


def settings(kind: type[Any], run: Path) -> Any:
    """Return what a run was made with."""
    return resolve(kind, [read_layer(run / "config.yaml")])


def again(run: Path) -> Any:
    """Give the command of a run again."""
    if run.name.startswith("train"):
        return train(settings(TrainConfig, run), run)
    if run.name.startswith("compare"):
        return compare(settings(CompareConfig, run), run)
    return faa_search.search(settings(SearchConfig, run), run)


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that copies one of the runs that are kept."""

    def copy(name: str) -> Path:
        shutil.rmtree(tmp_path / name, ignore_errors=True)
        return Path(shutil.copytree(GOLDEN / name, tmp_path / name))

    return copy


def refused(run: Path, name: str, edit: Edit) -> str:
    """Return how a run is refused whose file was edited."""
    document = json.loads((run / name).read_text())
    edit(document)
    (run / name).write_text(json.dumps(document))
    with pytest.raises(FaaError) as raised:
        again(run)
    said = str(raised.value)
    assert said.startswith(f"'{run / name}' holds no ")
    assert "Delete it, and the same command makes it again" in said
    return said


TRAININGS: dict[str, Edit] = {
    "test.top1: Input should be less than or equal to 1 (given 7)": lambda run: run["test"].update(top1=7),
    "test.top1: Input should be less than": lambda run: run["test"].update(top1=math.nan),
    "test.images: ": lambda run: run["test"].update(images=0),
    "test.confusion.0.1: ": lambda run: run["test"]["confusion"][0].__setitem__(1, -1),
    "test: its confusion matrix has 9 rows": lambda run: run["test"]["confusion"].pop(),
    "test: its confusion matrix has 10 rows": lambda run: run["test"]["confusion"][3].pop(),
    "test: its confusion matrix is not of 999 images": lambda run: run["test"].update(images=999),
    "test: by its confusion matrix, top1 is 0.0880, not 0.1880": lambda run: run["test"].update(top1=0.188),
    "test: top5 must not be less": lambda run: run["test"].update(top5=0.08),
    "nor the loss less than 0": lambda run: run["test"].update(loss=-0.1),
    "seconds: Input should be greater than or equal to 0": lambda run: run.update(seconds=-1.0),
    "seconds: Input should be a finite number": lambda run: run.update(seconds=math.inf),
    "train: epoch -4 with": lambda run: run["train"].update(epoch=-4),
    "train: epoch 4 with train_loss nan": lambda run: run["train"].update(train_loss=math.nan),
    "train: epoch None with": lambda run: run["train"].clear(),
    "validation: 'val_top1' must lie between 0 and 1, not be 1.1": lambda run: run["validation"].update(val_top1=1.1),
    "train: 'seconds' must lie between 0 and inf": lambda run: run["train"].update(seconds=-0.1),
}
SEARCHES: dict[str, Edit] = {
    "reward: Input should be less than or equal to 1": lambda run: run.update(reward=1.5),
    "trials: Input should be greater": lambda run: run.update(trials=0),
    "planned: ": lambda run: run.update(planned=-20),
    "seconds: Input should be greater": lambda run: run.update(seconds=-1.0),
    "fitting: Input should be greater": lambda run: run.update(fitting=-1.0),
    "controls.1: a reward is at most 1, and a difference lies in its interval": lambda run: run["controls"][1].update(
        low=run["controls"][1]["high"]
    ),
    "controls.2: the interval ": lambda run: run["controls"][2].update(verdict="better than"),
    "the difference from 'identity' is not that of the two rewards": lambda run: run.update(
        reward=run["reward"] + 0.01
    ),
}
COMPARISONS: dict[str, Edit] = {
    "an error must lie between 0 and 100 %": lambda run: run["policies"][0].update(errors=[91.0, 700.0]),
    "as many errors as the others": lambda run: run["policies"][1].update(errors=[91.0, 92.0, 93.0]),
    "its means, intervals or tests do not follow": lambda run: run["policies"][2].update(mean=1.0),
    "two policies or more, each once": lambda run: run["policies"][1].update(name="none"),
    "tests do not follow from its errors": lambda run: run["pairs"].pop(),
    "or tests do not follow from its errors": lambda run: run["pairs"][0].update(verdict="better"),
    "intervals or tests do not follow from": lambda run: run["pairs"][1].update(p=-0.1),
}


@pytest.mark.parametrize(
    ("name", "file", "edits"),
    [
        ("train-finished", "result.json", TRAININGS),
        ("search-finished", "result.json", SEARCHES),
        ("compare-finished", "comparison.json", COMPARISONS),
    ],
)
def test_edited_results_are_not_believed(
    copied: Callable[[str], Path], name: str, file: str, edits: dict[str, Edit]
) -> None:
    """What lies outside its range, or does not follow from the rest, is named with its place."""
    for words, edit in edits.items():
        assert words in refused(copied(name), file, edit), words


def test_losses_may_be_endless(copied: Callable[[str], Path]) -> None:
    """A network that predicts nothing finite has such a one on new images; it is shown as it is."""
    run = copied("train-finished")
    document = json.loads((run / "result.json").read_text())
    document["test"]["loss"] = math.inf
    document["validation"]["val_loss"] = math.nan
    (run / "result.json").write_text(json.dumps(document))
    found = again(run)
    assert found.test.loss == math.inf
    assert math.isnan(found.validation["val_loss"])


def test_a_comparison_of_other_policies(copied: Callable[[str], Path]) -> None:
    """It is whole in itself, but not what the directory's settings name."""
    run = copied("compare-finished")
    text = (run / "comparison.json").read_text()
    (run / "comparison.json").write_text(text.replace('"uniform-random"', '"mine"'))
    assert len(read_comparison(run).policies) == 3
    with pytest.raises(
        FaaError, match=r"its policies or seeds differ from those in the directory's settings.*Delete it"
    ):
        again(run)


FILES = {
    "train-finished": (
        "result.json", "policy.json", "data.json", "summary.csv", "environment.json", ".lock", "last/state.safetensors",
    ),
    "search-finished": ("result.json", "trials.jsonl", "rescored.jsonl", "folds.json", "fold1/model.safetensors"),
    "compare-finished": ("comparison.json", "none-3/result.json", "trivialaugment-4/policy.json"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_place_of_a_file(copied: Callable[[str], Path], name: str) -> None:
    """Found before anything is trained, whatever else is done already; nothing in it is touched."""
    for file in FILES[name]:
        run = copied(name)
        (run / ("comparison.json" if name.startswith("compare") else "result.json")).unlink()
        (run / file).unlink(missing_ok=True)
        (run / file / "theirs").mkdir(parents=True)
        with pytest.raises(FaaError) as raised:
            claimed(run, claim_of(run))
        assert str(raised.value).startswith(f"'{run / file}' is a folder, but the run in '{run}' keeps a file of")
        assert "Move it elsewhere" in str(raised.value)
        assert (run / file / "theirs").is_dir()


def claim_of(run: Path) -> tuple[str, Any]:
    """Return the command of a run, and its settings."""
    kind = {"train": TrainConfig, "search": SearchConfig, "compare": CompareConfig}[run.name.partition("-")[0]]
    return run.name.partition("-")[0], settings(kind, run)


def claimed(run: Path, claim: tuple[str, Any]) -> None:
    """Enter a run's directory, and leave it."""
    with run_directory(run, *claim):
        pass


def test_whatever_else_lies_in_place_of_a_runs_files(copied: Callable[[str], Path]) -> None:
    """A file instead of a folder, a pipe, links to nothing and to themselves; settings that are a folder."""
    run = copied("train-finished")
    claim = claim_of(run)
    shutil.rmtree(run / "best")
    (run / "best").write_text("theirs")
    with (
        pytest.raises(FaaError, match=r"best' is a file, but the run in '.*' keeps a folder"),
        run_directory(run, *claim),
    ):
        pass
    (run / "best").unlink()
    (run / "result.json").unlink()
    for make in (os.mkfifo, lambda path: path.symlink_to("nothing"), lambda path: path.symlink_to("result.json")):
        make(run / "result.json")
        with pytest.raises(FaaError, match=r"result.json' is not a regular file, or a link"):
            claimed(run, claim)
        (run / "result.json").unlink()
    claimed(run, claim)
    (run / "config.yaml").rename(run / "kept.yaml")
    (run / "config.yaml").mkdir()
    with (
        pytest.raises(FaaError, match=r"config.yaml' is not a regular file.*put that file back"),
        run_directory(run, *claim),
    ):
        pass


def test_policies_of_runs_that_are_damaged(copied: Callable[[str], Path]) -> None:
    """Not "another policy"; one that is only spaced otherwise is the same."""
    run, mine, other = copied("train-finished"), Policy.load("trivialaugment"), Policy.load("none")
    path, content = run / "policy.json", (run / "policy.json").read_text()
    for damaged in (content[:100], "", "{}", content.replace('"parametric"', '"none"')):
        path.write_text(damaged)
        for act in (lambda: keep_policy(run, mine), lambda: again(run)):
            with pytest.raises(FaaError) as raised:
                act()
            assert f"The policy that the run in '{run}' was started with is damaged: " in str(raised.value)
            assert "If it was 'trivialaugment' as it is now, delete that file" in str(raised.value)
        assert path.read_text() == damaged
    path.write_text(json.dumps(json.loads(content)))
    check_policy(run, mine)
    with pytest.raises(FaaError, match=r"The policy 'none' is not the one that the run in .* was started with"):
        check_policy(run, other)
    path.unlink()
    keep_policy(run, mine)
    assert path.read_text() == mine.to_json()
    comparison = copied("compare-finished")
    (comparison / "none-4/policy.json").write_text("{")
    with pytest.raises(FaaError, match=r"The policy that the run in '.*none-4' was started with is damaged"):
        check_arms(arms_of(TrainConfig(), {"trivialaugment": mine, "none": other}), comparison, seeds=[3, 4])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "'images' must be a whole number from 1 on, not None"),
        ('{"images": true, "labels": "a"}', "'images' must be a whole number from 1 on, not True"),
        ('{"images": 3}', "'labels' must be a text, not None"),
        ('{"images": 3, "labels": "a", "content": 7}', "'content' must be a text, not 7"),
        ("[]", "Input should be an object"),
        ('{"images": 3, "lab', "it is not JSON"),
    ],
)
def test_records_of_images_that_are_damaged(copied: Callable[[str], Path], content: str, words: str) -> None:
    """What deleting it costs is said."""
    run = copied("train-finished")
    (run / "data.json").write_text(content)
    with pytest.raises(FaaError) as raised:
        same_record(run, run)
    assert str(raised.value).startswith(f"'{run / 'data.json'}' is damaged, so it is not known which images")
    assert words in str(raised.value)
    assert "delete this file: the same command writes it again, and nothing else is lost" in str(raised.value)


def test_tables_that_are_no_text(copied: Callable[[str], Path]) -> None:
    """Evaluation only counts the epochs of a training that was stopped."""
    run, notes = copied("train-stopped"), []
    (run / "summary.csv").write_bytes(b"\xff,\n1\n2\n")
    found = run_of(run)
    assert found is not None
    say_unfinished(found, run / "last", note=notes.append)
    assert len(notes) == 1
    assert "is not finished: 2 of " in notes[0]


@pytest.mark.parametrize("cut", [b"", b"no weights", None], ids=["empty", "other", "cut off"])
def test_weights_of_folds_that_are_damaged(copied: Callable[[str], Path], listener: Any, cut: bytes | None) -> None:
    """They are made again, to the same bytes, from the state beside them; without one, what to do is said."""
    run = copied("search-finished")
    (run / "result.json").unlink()
    path = run / "fold1/model.safetensors"
    whole, other = path.read_bytes(), (run / "fold0/model.safetensors").read_bytes()
    damaged = whole[:-20] if cut is None else cut
    path.write_bytes(damaged)
    state = (run / "fold1/state.safetensors").read_bytes()
    (run / "fold1/state.safetensors").unlink()
    with pytest.raises(FaaError, match=r"fold1/model.safetensors' are damaged .*no state.safetensors .*delete it, and"):
        again(run)
    assert path.read_bytes() == damaged
    (run / "fold1/state.safetensors").write_bytes(state)
    heard = listener()
    config = settings(SearchConfig, run).model_copy(update={"stage": "folds"})
    faa_search.search_stage(config, run, reporter=heard)
    assert [note for note in heard.notes if "fold1/model.safetensors' are damaged (" in note and "made again" in note]
    assert (path.read_bytes(), (run / "fold0/model.safetensors").read_bytes()) == (whole, other)
    assert (run / "fold1/damaged-model.safetensors").read_bytes() == damaged


def test_a_stage_that_needs_a_damaged_network(copied: Callable[[str], Path]) -> None:
    """It cannot make it again, and says which stage can."""
    run = copied("search-finished")
    (run / "result.json").unlink()
    (run / "fold0/model.safetensors").write_bytes(b"")
    config = settings(SearchConfig, run).model_copy(update={"stage": "merge"})
    with pytest.raises(FaaError, match=r"fold0/model.safetensors' is damaged .+; --stage folds makes it again"):
        faa_search.search(config, run)
    assert not (run / "fold0/damaged-model.safetensors").exists()


def test_results_of_the_first_version_agree() -> None:
    """No check refuses what was written before there were checks."""
    assert read_search(GOLDEN / "search-finished") is not None
    assert len(read_comparison(GOLDEN / "compare-finished").pairs) == 3


def test_a_policy_of_somebody_elses_has_no_figures(copied: Callable[[str], Path]) -> None:
    """The figures of a finished search are of the policy that it found."""
    run = copied("search-finished")
    Policy.load("fa-reduced-cifar10").save(run / "policy.json")
    with pytest.raises(FaaError, match=r"the policy beside it does not come from the 20 trials .*Delete it"):
        again(run)
