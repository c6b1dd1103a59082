"""A search that is stopped, killed or hurried along comes to what an uninterrupted one does."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import faa_search
from faa_core import FaaError, Policy
from faa_search.searching.fast import read_trials
from faa_search.settings import SearchConfig
from faa_search.workers.stopping import Stopped

UNITS = 2 * 2 + 2 * 2 * 3  # epochs of all folds, then trials of all rounds
DISORDERLY = '''
import threading, time
from concurrent.futures import Future
from contextlib import contextmanager
from faa_search.workers.executors.protocol import Place

class Disorderly:
    """One thread that does three workers' tasks, the last given first."""
    workers, in_process = 3, False
    def __init__(self, setup):
        self.shared, self.waiting, self.over = {}, [], False
        make, arguments = setup.__reduce__()  # as it travels
        self.bench = make(*arguments)(Place(device="cpu", fetch=self.shared.__getitem__))
        self.share = self.shared.__setitem__
        self.thread = threading.Thread(target=self.work)
        self.thread.start()
    def submit(self, task):
        future = Future()
        self.waiting.append((task, future))
        return future
    def stop(self):
        self.over = True
    def work(self):
        while not self.over:
            time.sleep(0.001)
            if self.waiting:
                task, future = self.waiting.pop()
                try:
                    future.set_result(task(self.bench))
                except Exception as error:
                    future.set_exception(error)

@contextmanager
def disorderly(setup, options):
    executor = Disorderly(setup)
    try:
        yield executor
    finally:
        executor.over = True
        executor.thread.join()
'''


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, small_search: SearchConfig) -> Path:
    """Return the run of an uninterrupted search."""
    output = tmp_path_factory.mktemp("search") / "run"
    faa_search.search(small_search, output)
    return output


def policy_of(directory: Path) -> dict[str, Any]:
    """Return policy.json but for the seconds."""
    document = json.loads((directory / "policy.json").read_text())
    assert document["provenance"].pop("seconds") > 0
    assert 0.0 == document["provenance"].pop("gpu_seconds")
    return document


def trials_of(directory: Path) -> list[dict[str, Any]]:
    """Return the journal but for the seconds and the order, byte for byte otherwise."""
    rows = [json.loads(line) for line in (directory / "trials.jsonl").read_text().splitlines()]
    assert all(row.pop("seconds") > 0 and row.pop("check") and row.pop("origin") for row in rows)
    return sorted(rows, key=lambda row: (row["number"], row["fold"], row["round"]))


def assert_same(one: Path, other: Path) -> None:
    """Check that two searches found the same, trial by trial and weight by weight."""
    assert trials_of(one) == trials_of(other)
    assert policy_of(one) == policy_of(other)
    results = [
        json.loads((directory / "result.json").read_text()) | {"seconds": 0, "fitting": 0} for directory in (one, other)
    ]
    assert results[0] == results[1]
    weights = [sorted(directory.glob("fold*/model.safetensors")) for directory in (one, other)]
    for path, twin in zip([one / "folds.json", *weights[0]], [other / "folds.json", *weights[1]], strict=True):
        assert path.read_bytes() == twin.read_bytes()


@pytest.mark.parametrize("stop_after", [1, 4, 5, 8, UNITS])
def test_a_stopped_search_resumes_to_the_same(
    finished: Path,
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
    assert_same(finished, tmp_path / "run")


def test_a_search_stopped_at_every_unit(
    small_search: SearchConfig, tmp_path: Path, listener: Any, interruption: type[Exception]
) -> None:
    """Each process does one epoch or one trial; the last writes the same policy."""
    config = small_search.model_copy(update={"folds": 1, "width": 1})
    for _ in range(2 + 3):
        with pytest.raises(interruption):
            faa_search.search(config, tmp_path / "run", reporter=listener(stop_after=1))
    faa_search.search(config, tmp_path / "run")
    faa_search.search(config, tmp_path / "straight")
    assert_same(tmp_path / "straight", tmp_path / "run")


def test_a_search_killed_while_writing_a_trial(
    finished: Path,
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
    assert_same(finished, tmp_path / "run")


def test_lines_removed_as_an_error_says(
    finished: Path,
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
    with pytest.raises(FaaError, match=r"Line 5 of .* is not a valid trial"):
        faa_search.search(small_search, tmp_path / "run")
    journal.write_bytes(b"".join(lines[:4]))
    faa_search.search(small_search, tmp_path / "run")
    assert_same(finished, tmp_path / "run")


def signalling(listener: Any, after: int, *, number: int = signal.SIGINT, note: str = "") -> Any:
    """Return a reporter that has the process sent a signal after so many units, or with a note."""

    class Signalling(listener):  # type: ignore[misc, valid-type]
        def note(self, message: str) -> None:
            super().note(message)
            if note and message.startswith(note):
                signal.raise_signal(number)

        def _advance(self, detail: str = "") -> None:
            super()._advance(detail)
            if self.units == after:
                signal.raise_signal(number)

    return Signalling()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_the_policy_so_far(
    finished: Path, small_search: SearchConfig, tmp_path: Path, listener: Any, number: int
) -> None:
    """It is a policy of the trials there are, says how many, and gives way to the one of all."""
    told = signalling(listener, 4 + 6, number=number)
    with pytest.raises(Stopped) as stopped:
        faa_search.search(small_search, tmp_path / "run", reporter=told)
    assert number == stopped.value.number
    assert 6 == len(read_trials(tmp_path / "run"))
    so_far = policy_of(tmp_path / "run")
    assert 6 == so_far["provenance"]["trials"]
    assert 6 * 2 == len(so_far["sub_policies"])
    assert so_far["sub_policies"] != policy_of(finished)["sub_policies"]
    assert 15 > len(Policy.load(tmp_path / "run" / "policy.json").operation_names()) > 0
    assert told.notes[-1].startswith("The policy of the 6 of 12 trials so far is '")
    assert not (tmp_path / "run" / "result.json").exists()
    assert faa_search.search(small_search, tmp_path / "run").complete
    assert_same(finished, tmp_path / "run")


def test_a_signal_while_folds_are_fitted(
    finished: Path, small_search: SearchConfig, tmp_path: Path, listener: Any
) -> None:
    """There are no trials, so there is no policy; the fold goes on where it was."""
    with pytest.raises(Stopped):
        faa_search.search(small_search, tmp_path / "run", reporter=signalling(listener, 3))
    assert not (tmp_path / "run" / "policy.json").exists()
    assert (tmp_path / "run" / "fold0" / "model.safetensors").is_file()
    faa_search.search(small_search, tmp_path / "run")
    assert_same(finished, tmp_path / "run")


def test_a_signal_while_the_policy_is_compared(
    finished: Path, small_search: SearchConfig, tmp_path: Path, listener: Any
) -> None:
    """The policy is there, the result is not, and comes with the next call."""
    with pytest.raises(Stopped):
        faa_search.search(small_search, tmp_path / "run", reporter=signalling(listener, 0, note="Comparing"))
    assert policy_of(tmp_path / "run") == policy_of(finished)
    assert not (tmp_path / "run" / "result.json").exists()
    faa_search.search(small_search, tmp_path / "run")
    assert_same(finished, tmp_path / "run")


def test_killed_before_the_result_was_written(finished: Path, small_search: SearchConfig, tmp_path: Path) -> None:
    """With the policy there already."""
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    faa_search.search(small_search, tmp_path / "run")
    assert_same(finished, tmp_path / "run")


def test_workers_that_finish_in_any_order(
    finished: Path,
    install: Callable[..., None],
    small_search: SearchConfig,
    tmp_path: Path,
    listener: Any,
    interruption: type[Exception],
) -> None:
    """An executor of a plugin with several tasks at once: the same to the bit, also if it takes over from another."""
    install(group="faa.executors", entry="disorderly = throwaway_module:disorderly", source=DISORDERLY)
    chosen = small_search.model_copy(update={"executor": "disorderly"})
    told = listener()
    faa_search.search(chosen, tmp_path / "run", reporter=told)
    assert_same(finished, tmp_path / "run")
    assert [("Folds", 2, 0), ("Trials", 12, 0)] == told.tracks
    assert 1 == sum(note.startswith("Estimated time with 3 workers: ") for note in told.notes)
    with pytest.raises(interruption):
        faa_search.search(chosen, tmp_path / "both", reporter=listener(stop_after=2 + 4))
    faa_search.search(small_search, tmp_path / "both")
    assert_same(finished, tmp_path / "both")
