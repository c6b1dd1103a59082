"""The trial journal: exact, append-only, and safe against a process that was killed."""

import json
import math
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from faa_core import FaaError
from faa_search.runs.journal import Journal
from faa_search.runs.records.trials import Trial
from faa_search.searching.audit import Training
from faa_search.searching.fast import read_trials


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
            "metrics": {"mean-loss": -math.e, "mean-accuracy": 0.1, "best-accuracy": 2 / 3, "best-loss": -5e-324},
            "errors": {"mean-loss": 1 / 3, "mean-accuracy": 0.0, "best-accuracy": 1e-300, "best-loss": 1 / 7},
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


LINES = {  # in place of the second of three, and what is said of it
    b"nonsense": "it is not JSON",
    b"{}": "fold: Field required",
    b"[1]": "it is not a JSON object",
    b'{"fold": 0}': "round: Field required",
    b"\xff": "it is not UTF-8",
    b"\0\0\0": "it is not JSON",
    b"[" * 100_000: "it is nested too deeply",
    b'{"fold": ' + b"9" * 5000 + b"}": "a number in it has too many digits",
    b'{"fold": 0, "fold": 1}': "it has 'fold' twice",
    b'{"check": "0"}': "its checksum is wrong",
    b'{"check": null}': "its checksum is wrong",
}


@pytest.mark.parametrize(("line", "said"), LINES.items(), ids=LINES.values())
def test_a_bad_line_in_the_middle(journal: Journal[Trial], line: bytes, said: str) -> None:
    """Its number and its fault are named; no other line is to be removed, and the file is left as it is."""
    lines = journal.path.read_bytes().splitlines()
    lines[1] = line
    content = b"\n".join(lines) + b"\n"
    journal.path.write_bytes(content)
    with pytest.raises(FaaError) as raised:
        journal.read()
    assert str(raised.value).startswith(f"Line 2 of '{journal.path}' is not a valid trial: {said}")
    assert "Put back a copy of the file. Or remove this line alone: the command of a search that" in str(raised.value)
    assert content == journal.path.read_bytes()
    journal.path.write_bytes(lines[0] + b"\n" + lines[2] + b"\n")  # as the message says
    assert [trial(0), trial(2)] == journal.read()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"reward": "x"}, "reward: Input should be a valid number (given 'x')"),
        ({"reward": True}, "reward: Input should be a valid number (given True)"),
        ({"reward": None}, "reward: "),
        ({"reward": math.nan}, "it holds NaN"),
        ({"reward": -math.inf}, "it holds -Infinity"),
        ({"fold": True}, "fold: Input should be a valid integer"),
        ({"fold": 0.5}, "fold: "),
        ({"fold": -1}, "fold: Input should be greater than or equal to 0"),
        ({"number": "1"}, "number: "),
        ({"views": 0}, "views: "),
        ({"standard_error": -1.0}, "standard_error: "),
        ({"seconds": -1.0}, "seconds: "),
        ({"metrics": {"mean-loss": 1.0}}, "metrics: 'mean-accuracy' is missing"),
        ({"metrics": [1.0]}, "metrics: "),
        ({"params": {"op_0_0": 1.0}}, "params: 'op_0_0' with 1.0 is not a parameter of a policy"),
        ({"params": {"p_0_0": "1"}}, "params: 'p_0_0' with '1' is not a parameter"),
        ({"params": {"p_0_0": True}}, "params.p_0_0"),
        ({"params": {"p_0_0": 1.5}}, "params: 'p_0_0' must lie between 0 and 1, not be 1.5"),
        ({"params": {"magnitude_0": 0.5}}, "params: 'magnitude_0' with 0.5 is not a parameter"),
    ],
)
def test_fields_of_a_wrong_kind(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    """As an old version, which wrote no checksum, or another program could have written them."""
    path = tmp_path / "trials.jsonl"
    path.write_text(json.dumps(asdict(trial(0))) + "\n" + json.dumps(asdict(trial(1)) | fields) + "\n")
    with pytest.raises(FaaError, match=r"Line 2 of '.*trials.jsonl' is not a valid trial: ") as raised:
        Journal(path, Trial).read()
    assert f"is not a valid trial: {said}" in str(raised.value)
    assert "remove this line alone" in str(raised.value)


def test_every_digit_counts(tmp_path: Path) -> None:
    """Whichever figure of a line flips: no other trial is read from it."""
    path = tmp_path / "trials.jsonl"
    Journal(path, Trial).append(trial(7))
    line = path.read_bytes()
    digits = [at for at, letter in enumerate(line) if letter in b"0123456789"]
    assert len(digits) > 150
    for at in digits:
        path.write_bytes(line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :])
        try:
            found = Journal(path, Trial).read()
        except FaaError:
            continue
        assert [trial(7)] == found, line[at - 20 : at + 20]  # as where the last of 17 digits says no more


def test_lines_of_other_versions(journal: Journal[Trial]) -> None:
    """Those without a checksum are believed; fields that only a newer one knows are passed over, and kept."""
    old = [json.loads(line) for line in journal.path.read_text().splitlines()]
    for line in old:
        del line["check"]
    newer = asdict(trial(3)) | {"worker": {"name": "a", "seconds": [1.5]}}
    newer["check"] = f"{zlib.crc32(json.dumps(newer, sort_keys=True).encode()):08x}"
    old[1]["note"] = "kept"
    journal.append(trial(0))
    added = json.loads(journal.path.read_text().splitlines()[-1]) | {"note": "its checksum is of the fields before"}
    lines = [json.dumps(line) for line in (*old, newer, added)]
    journal.path.write_text("\n".join(lines) + "\n")
    assert [trial(number) for number in range(4)] == journal.read()
    journal.append(trial(4))
    assert lines == journal.path.read_text().splitlines()[:5]


def test_a_line_that_a_newer_version_wrote_is_to_be_kept(journal: Journal[Trial]) -> None:
    """Its checksum shows that it is whole, though it does not fit: nobody is told to remove it."""
    line = asdict(trial(3)) | {"reward": {"mean": 0.5}}
    line["check"] = f"{zlib.crc32(json.dumps(line, sort_keys=True).encode()):08x}"
    with journal.path.open("a") as file:
        file.write(json.dumps(line) + "\n")
    with pytest.raises(
        FaaError, match=r"Line 4 .* is not a valid trial: reward: .*another version of faa wrote it so"
    ) as raised:
        journal.read()
    assert "emove" not in str(raised.value)


def test_blank_lines_and_line_ends_of_other_systems(journal: Journal[Trial]) -> None:
    """As editors leave them; spaces between a line's fields change no checksum."""
    lines = [
        json.dumps(json.loads(line), indent=None, separators=(" , ", " : "))
        for line in journal.path.read_text().splitlines()
    ]
    journal.path.write_bytes("\n\r\n  \n".join(["\ufeff" + lines[0], *lines[1:], ""]).encode())
    assert [trial(0), trial(1), trial(2)] == journal.read()
    journal.append(trial(3))
    assert 4 == len(journal.read())


def test_what_is_not_finite_is_not_written(journal: Journal[Trial]) -> None:
    """It could not be read again."""
    before = journal.path.read_bytes()
    with pytest.raises(FaaError, match="two held-out images"):
        journal.append(trial(3, standard_error=math.nan))
    assert before == journal.path.read_bytes()


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
    with pytest.raises(FaaError, match="is not a valid training"):
        Journal(journal.path, Training).read()


def test_trials_of_a_run_by_its_directory(journal: Journal[Trial]) -> None:
    """For plots: all that the search wrote down."""
    assert journal.read() == read_trials(journal.path.parent) == read_trials(str(journal.path.parent))
