"""The JSON files and tables of runs, damaged: each is named, with what deleting it costs; no traceback, no belief."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faa_core import FaaError
from faa_search.measuring.comparison import read_comparison
from faa_search.measuring.evaluation.weights import find_weights
from faa_search.runs.results import read_search
from faa_search.searching.folding import fit_seconds
from faa_search.searching.folds import make_folds
from faa_search.settings import CompareConfig, SearchConfig, TrainConfig
from faa_search.settings.resolving import read_layer, resolve

GOLDEN = Path(__file__).parents[3] / "tests" / "golden_runs"
CONTENTS: dict[str, bytes] = {
    "empty": b"",
    "cut off": b'{"reward": 1.5, "con',
    "deep": b"[" * 100_000,
    "zero bytes": b"\0" * 100,
    "another encoding": "{}".encode("utf-16"),
    "no object": b"[1]",
    "nothing in it": b"{}",
    "many digits": b'{"reward": ' + b"9" * 5000 + b"}",
    "a key twice": b'{"reward": 1, "reward": 2}',
    "not a number": b'{"reward": NaN}',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the files of a finished search, a comparison and weights."""
    for name in ("search-finished/result.json", "search-finished/policy.json", "compare-finished/comparison.json"):
        shutil.copy(GOLDEN / name, tmp_path)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(GOLDEN / "train-finished/best" / name, tmp_path)
    return tmp_path


READERS: dict[str, Callable[[Path], Any]] = {
    "result.json": read_search,
    "comparison.json": read_comparison,
    "config.json": lambda folder: find_weights(checkpoint=str(folder)),
}


@pytest.mark.parametrize("name", READERS)
def test_whole_files_are_read(folder: Path, name: str) -> None:
    """As 5313f79 wrote them; what only a newer version knows is passed over."""
    before = READERS[name](folder)
    assert before is not None
    document = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(document | {"newer": [{"a": 1}]}))
    if name != "config.json":  # whose result holds a function
        assert before == READERS[name](folder)


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
@pytest.mark.parametrize("name", READERS)
def test_files_that_are_damaged(folder: Path, name: str, content: bytes) -> None:
    """In one line; who is told to delete a file is told what is kept."""
    (folder / name).write_bytes(content)
    with pytest.raises(FaaError) as raised:
        READERS[name](folder)
    said = str(raised.value)
    assert said.startswith(f"'{folder / name}' ")
    assert said.isprintable()
    assert ("which are kept" in said) == ("Delete it" in said) == (name != "config.json")


@pytest.mark.parametrize(
    ("name", "place", "value", "words"),
    [
        ("result.json", ("reward",), "x", "reward: Input should be a valid number (given 'x')"),
        ("result.json", ("trials",), True, "trials: Input should be a valid integer (given True)"),
        ("result.json", ("controls", 0, "low"), "1", "controls.0.low: "),
        ("result.json", ("controls",), {}, "controls: "),
        ("result.json", ("budget",), 30, "budget: "),
        ("comparison.json", ("policies", 1, "errors", 0), "1", "policies.1.errors.0: "),
        ("comparison.json", ("policies", 0, "name"), None, "policies.0.name: "),
        ("comparison.json", ("pairs", 0, "verdict"), "good", "pairs.0.verdict: Input should be 'better'"),
        ("config.json", ("num_classes",), "10", "num_classes: "),
        ("config.json", ("architecture",), 3, "architecture: "),
    ],
)
def test_fields_of_another_type(folder: Path, name: str, place: tuple[Any, ...], value: Any, words: str) -> None:
    """The place is named."""
    document = json.loads((folder / name).read_text())
    inner = document
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    (folder / name).write_text(json.dumps(document))
    with pytest.raises(FaaError) as raised:
        READERS[name](folder)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    "table", [b"seconds\nx\n", b"seconds\nnan\n", b"seconds\n-1\n", b"seconds\ninf\n", b"\xff\n", b"seconds\n\0\n"]
)
def test_tables_of_epochs(tmp_path: Path, table: bytes) -> None:
    """Only the time that a fold took is lost with one."""
    folds = make_folds(np.arange(20) % 2, class_names=("a", "b"), folds=2, held_out=0.5, seed=0)
    for number, content in enumerate((b"epoch,seconds\n1,1.5\n2,2\n", b"epoch,seconds\n1,4\n")):
        (tmp_path / f"fold{number}").mkdir()
        (tmp_path / f"fold{number}/summary.csv").write_bytes(content)
    assert fit_seconds(tmp_path, folds) == 7.5
    (tmp_path / "fold1/summary.csv").write_bytes(table)
    with pytest.raises(
        FaaError, match=r"fold1/summary.csv' is not a table of epochs .*Remove it, and the same command"
    ):
        fit_seconds(tmp_path, folds)
    (tmp_path / "fold1/summary.csv").unlink()
    assert fit_seconds(tmp_path, folds) == 3.5


@pytest.mark.parametrize(
    ("run", "config"),
    [("train-finished", TrainConfig), ("compare-finished", CompareConfig), ("search-finished", SearchConfig)],
)
def test_settings_of_old_runs_can_be_used_again(run: str, config: Any) -> None:
    """As `-c RUN/config.yaml`."""
    layer = read_layer(GOLDEN / run / "config.yaml")
    found = resolve(config, [layer]).model_dump(mode="json")
    assert layer.settings == {key: found[key] for key in layer.settings}
