"""The trial journal: exact, append-only, and safe against a process that was killed."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from faa_core import FaaError
from faa_search.fast import read_trials
from faa_search.fast.audit import Training
from faa_search.fast.journal import Journal, Trial


def trial(number: int, **fields: Any) -> Trial:
    """Return a trial whose floats have no short decimal form."""
    return Trial(
        **{
            "fold": 0,
            "round": 0,
            "number": number,
            "seed": 2**31 - 1,
            "params": {"op_0_0": "Rotate", "p_0_0": 0.1 + 0.2, "magnitude_0_0": math.pi / 4},
            "reward": -math.e,
            "standard_error": 1 / 3,
            "metrics": {"mean-loss": -math.e, "best-loss": -5e-324},
            "errors": {"mean-loss": 1 / 3, "best-loss": 1 / 7},
            "views": 5,
            "draws": 2**31 - 2,
            "seconds": 0.1234,
        }
        | fields
    )


@pytest.fixture
def journal(tmp_path: Path) -> Journal[Trial]:
    """Return a journal of three trials."""
    made = Journal(tmp_path / "trials.jsonl", Trial)
    for number in range(3):
        made.append(trial(number))
    return made


def test_no_file_no_trials(tmp_path: Path) -> None:
    """Before the first trial there is nothing."""
    assert [] == Journal(tmp_path / "trials.jsonl", Trial).read()


def test_trials_come_back_to_the_bit(journal: Journal[Trial]) -> None:
    """One line each; every float as it was."""
    assert [trial(0), trial(1), trial(2)] == journal.read()
    lines = journal.path.read_text().splitlines()
    assert 3 == len(lines)
    assert math.pi / 4 == json.loads(lines[1])["params"]["magnitude_0_0"]


@pytest.mark.parametrize("cut", [1, 10, 200])
def test_a_torn_last_line_is_dropped(journal: Journal[Trial], cut: int) -> None:
    """What a killed process did not finish writing is cut off, and the next trial starts a line of its own."""
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[:-cut])
    assert [trial(0), trial(1)] == journal.read()
    assert whole[:-cut] == journal.path.read_bytes()  # reading changes nothing: somebody may be writing
    journal.append(trial(2))
    assert whole == journal.path.read_bytes()


def test_a_torn_only_line(tmp_path: Path) -> None:
    """Nothing is left of it once something is written."""
    path = tmp_path / "trials.jsonl"
    path.write_bytes(b'{"fold": 0, "rou')
    assert [] == Journal(path, Trial).read()
    Journal(path, Trial).append(trial(0))
    assert [trial(0)] == Journal(path, Trial).read()


@pytest.mark.parametrize("line", [b"nonsense", b"{}", b"[1]", b'{"fold": 0}', b"\xff"])
def test_a_bad_line_in_the_middle(journal: Journal[Trial], line: bytes) -> None:
    """Its number is named, and the file is left for the user to look at."""
    lines = journal.path.read_bytes().splitlines()
    lines[1] = line
    content = b"\n".join(lines) + b"\n"
    journal.path.write_bytes(content)
    with pytest.raises(FaaError, match=r"Line 2 of '.*trials.jsonl' is no trial: .*Remove it and all lines after it"):
        journal.read()
    assert content == journal.path.read_bytes()


def test_of_one_trial_the_last_line_counts(journal: Journal[Trial]) -> None:
    """As where second scores with other draws replace those before; it keeps the first one's place."""
    journal.append(trial(1, reward=0.5, views=20))
    assert [trial(0), trial(1, reward=0.5, views=20), trial(2)] == journal.read()
    journal.append(trial(1, fold=1))
    journal.append(trial(1, round=1))
    assert 5 == len(journal.read())


def test_other_kinds_of_entry(journal: Journal[Trial], tmp_path: Path) -> None:
    """Each journal holds one kind; another kind's line is none of its own."""
    audits = Journal(tmp_path / "audit.jsonl", Training)
    entries = [Training(round=-1, number=-1, seed=seed, epochs=3, accuracy=1 / 3) for seed in range(2)]
    for entry in entries:
        audits.append(entry)
    assert entries == audits.read()
    with pytest.raises(FaaError, match="is no training"):
        Journal(journal.path, Training).read()


def test_trials_of_a_run_by_its_directory(journal: Journal[Trial]) -> None:
    """For plots: all that the search wrote down."""
    assert journal.read() == read_trials(journal.path.parent) == read_trials(str(journal.path.parent))
