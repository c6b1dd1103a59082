"""Calls from Python with something else than is asked for: refused in words, before anything is made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faa_search
from faa_core import FaaError, Policy
from faa_search import SearchConfig, TrainConfig
from faa_search.data import open_data
from faa_search.measuring.comparison import compare, compare_policies, read_comparison
from faa_search.measuring.evaluation import evaluate_checkpoint, find_weights, open_subject, weights_folder
from faa_search.searching import fast
from faa_search.searching.exporting import export_trials
from faa_search.settings import CompareConfig, EvalConfig
from faa_search.training import train

TINY = {"dataset": "digits", "train_subset": 20, "img_size": 8, "model": "wrn10_1", "epochs": 1, "device": "cpu"}
NONE = Policy.load("none")
PAIR = {"a": NONE, "b": Policy.load("trivialaugment")}
Call = Callable[[Any, Any], Any]
CALLS: dict[str, tuple[type, Call]] = {
    "search": (SearchConfig, faa_search.search),
    "search_stage": (SearchConfig, faa_search.search_stage),
    "train": (TrainConfig, train),
    "compare": (CompareConfig, compare),
    "compare_policies": (TrainConfig, lambda config, output: compare_policies(config, PAIR, output, seeds=[0, 1])),
}


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, which an empty path would mean."""
    monkeypatch.chdir(tmp_path)


def refused(call: Callable[[], Any]) -> str:
    """Return what a call is refused with; nothing is left in the current folder."""
    with pytest.raises(FaaError) as raised:
        call()
    assert [] == list(Path.cwd().iterdir())
    return str(raised.value)


@pytest.mark.parametrize("name", CALLS)
def test_settings_of_another_type(name: str) -> None:
    """A dictionary is told how to become settings; settings of another command are not taken."""
    kind, call = CALLS[name]
    words = f"The settings must be of class {kind.__name__}, not "
    assert f"{words}dict; give {kind.__name__}(**settings)." == refused(lambda: call(dict(TINY), "run"))
    for other in (None, "settings.yaml", EvalConfig(dataset="digits"), kind):
        assert refused(lambda other=other: call(other, "run")).startswith(f"{words}{type(other).__name__}; make one")


@pytest.mark.parametrize("reporter", ["x", 5, print, object])
@pytest.mark.parametrize("name", ["search", "train", "compare"])
def test_reporters_that_show_nothing(name: str, reporter: object) -> None:
    """They must have the two methods of one; nothing is made before that is known."""
    kind, _call = CALLS[name]
    call = {"search": faa_search.search, "train": train, "compare": compare}[name]
    words = "`reporter` must have the methods of faa_search.progress.Reporter, note and track; "
    assert refused(lambda: call(kind(**TINY), "run", reporter=reporter)).startswith(words)


@pytest.mark.parametrize("output", ["", "  ", None, 5, b"run", ["run"], "a\0b"])
@pytest.mark.parametrize("name", CALLS)
def test_directories_that_say_nothing(name: str, output: object) -> None:
    """An empty text is not the current folder."""
    kind, call = CALLS[name]
    text = refused(lambda: call(kind(**TINY), output))
    assert f"A directory must be a path, not {output!r}; '.' is the current folder." == text


@pytest.mark.parametrize("name", CALLS)
def test_directories_that_are_addresses(name: str) -> None:
    """No folder is made that is called so."""
    kind, call = CALLS[name]
    assert "it is an address. Give a path on this machine" in refused(lambda: call(kind(**TINY), "s3://bucket/run"))


def test_policies_by_name_where_policies_are_asked_for() -> None:
    """The remedy is the line that loads one."""
    config = TrainConfig(**TINY)
    text = refused(lambda: train(config, "run", policy="trivialaugment"))  # type: ignore[arg-type]
    assert "`policy` must be a Policy, not 'trivialaugment'; Policy.load(NAME_OR_FILE) returns one." == text
    text = refused(lambda: compare_policies(config, {"a": NONE, "b": "x"}, "run", seeds=[0, 1]))  # type: ignore[dict-item]
    assert text.startswith("`policies['b']` must be a Policy, not 'x'")
    text = refused(lambda: compare_policies(config, [NONE], "run", seeds=[0, 1]))  # type: ignore[arg-type]
    assert text.startswith("`policies` must be a dictionary of policies by name")


@pytest.mark.parametrize("seeds", [3, [0.5, 1.5], "01", None, [None, 1]])
def test_seeds_that_are_no_whole_numbers(seeds: Any) -> None:
    """Halves would be cut in silence."""
    text = refused(lambda: compare_policies(TrainConfig(**TINY), PAIR, "run", seeds=seeds))
    assert text.startswith("`seeds` must be a list of whole numbers, such as [0, 1, 2], not ")
    few = refused(lambda: compare_policies(TrainConfig(**TINY), PAIR, "run", seeds=[np.int64(4)]))
    assert "must be a list" not in few


def test_reading_what_is_not_there() -> None:
    """An empty text is not a directory, and neither is one that does not exist."""
    for call in (fast.read_trials, lambda given: export_trials(given, "hyperopt", "a.json")):
        assert refused(lambda call=call: call("")).startswith("A directory must be a path, not ''")
        assert "nothing is fetched from there" in refused(lambda call=call: call("https://example.org/run"))
    assert "There is no directory 'nowhere' of a run." == refused(lambda: fast.read_trials("nowhere"))
    assert "There is no directory 'nowhere'" in refused(lambda: read_comparison("nowhere"))
    assert "'nowhere' holds no model.safetensors" in refused(lambda: weights_folder("nowhere"))
    for given in ("", None, 5):
        assert refused(lambda given=given: find_weights(checkpoint=given)).startswith("Give either --checkpoint")  # type: ignore[arg-type]
    assert "'nowhere' holds no model.safetensors" in refused(lambda: find_weights(checkpoint=Path("nowhere")))
    assert "nothing is fetched from there" in refused(lambda: find_weights(checkpoint="https://example.org/run"))


def test_evaluation_and_data_take_settings() -> None:
    """Of their own kind."""
    weights = find_weights(model="resnet18")
    dicts = dict(TINY)
    assert "must be of class EvalConfig, not dict" in refused(lambda: open_subject(weights, dicts, note=print))  # type: ignore[arg-type]
    assert "must be of class DataConfig, not dict" in refused(lambda: open_data(dicts, model_size=8, note=print))  # type: ignore[arg-type]
    text = refused(lambda: evaluate_checkpoint("nowhere", EvalConfig(dataset="digits"), note=print))  # type: ignore[arg-type]
    assert "'nowhere' holds no model.safetensors" in text


@pytest.mark.parametrize("name", ["https://example.org/data.npz", "https://example.org/images", "gs://bucket/x"])
def test_data_sets_at_an_address(name: str) -> None:
    """It is not said that they are missing."""
    text = refused(lambda: open_data(TrainConfig(**TINY | {"dataset": name}), model_size=8, note=print))
    assert f"'{name}' cannot be read: it is an address, and nothing is fetched from there." in text
