"""Whose directory it is, with which settings, and one process at a time."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from faa_core import FaaError
from faa_search.config import TrainConfig
from faa_search.run_directory import read_config, run_directory, versions

HOLD = """
import sys, filelock
with filelock.FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def claim(output: Path, command: str = "train", **settings: object) -> None:
    """Enter and leave a run's directory."""
    with run_directory(output, command, TrainConfig(**settings)):
        pass


def test_a_new_directory_says_what_it_is(tmp_path: Path) -> None:
    """The resolved settings and the environment are written first."""
    output = tmp_path / "deep" / "run"
    claim(output, lr=1e-05, scale=(0.25, 1.0), dataset="007")
    settings = read_config(output)
    assert ("train", 1e-05, [0.25, 1.0], "007") == tuple(settings[key] for key in ("command", "lr", "scale", "dataset"))
    del settings["command"]
    assert TrainConfig(lr=1e-05, scale=(0.25, 1.0), dataset="007") == TrainConfig(**settings)
    environment = json.loads((output / "environment.json").read_text())
    assert versions() == environment["packages"]
    assert version("faa-search") == versions()["faa-search"]
    assert "not installed" not in {versions()[name] for name in ("torch", "timm", "hyperopt", "pillow")}


def test_the_same_settings_find_it_again(tmp_path: Path) -> None:
    """config.yaml stays as it was."""
    claim(tmp_path / "run", lr=0.3)
    before = (tmp_path / "run" / "config.yaml").read_bytes()
    claim(tmp_path / "run", lr=0.3)
    assert before == (tmp_path / "run" / "config.yaml").read_bytes()


def test_other_settings_are_refused_and_named(tmp_path: Path) -> None:
    """Each difference, old → new; nothing in the directory changes."""
    claim(tmp_path / "run", lr=0.1)
    before = (tmp_path / "run" / "config.yaml").read_bytes()
    with pytest.raises(FaaError) as raised:
        claim(tmp_path / "run", lr=0.2, epochs=7)
    assert "holds a run with other settings (epochs: 30 → 7; lr: 0.1 → 0.2)" in str(raised.value)
    assert before == (tmp_path / "run" / "config.yaml").read_bytes()
    with pytest.raises(FaaError, match="command: 'train' → 'search'"):
        claim(tmp_path / "run", "search", lr=0.1)


def test_workers_may_change(tmp_path: Path) -> None:
    """They change no result."""
    claim(tmp_path / "run", workers=0)
    claim(tmp_path / "run", workers=3)


def test_a_directory_with_other_things_is_refused(tmp_path: Path) -> None:
    """Nothing is written among somebody's files."""
    (tmp_path / "photo.png").write_bytes(b"")
    with pytest.raises(FaaError, match=r"is not empty \('photo.png'\) and no run directory"):
        claim(tmp_path)
    assert {".lock", "photo.png"} >= {path.name for path in tmp_path.iterdir()}


def test_a_run_killed_at_its_start_can_begin_again(tmp_path: Path) -> None:
    """What it had not yet put in place does not stand in the way."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".config.yaml.x1y2.tmp").write_text("data")
    claim(tmp_path / "run")
    assert (tmp_path / "run" / "config.yaml").is_file()


def test_a_file_in_its_place(tmp_path: Path) -> None:
    """An output that is a file cannot be a directory."""
    (tmp_path / "run").write_text("")
    with pytest.raises(FaaError, match="cannot be made"):
        claim(tmp_path / "run")


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    """A place that takes no files is said."""
    (tmp_path / "run" / ".lock").mkdir(parents=True)
    with pytest.raises(FaaError, match="cannot be written to"):
        claim(tmp_path / "run")


def test_another_process_has_it(tmp_path: Path) -> None:
    """Two processes never write into one directory; when the other ends, it is free."""
    claim(tmp_path / "run")
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run" / ".lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdout is not None
        assert "held\n" == other.stdout.readline()
        with pytest.raises(FaaError, match="Another process is using"):
            claim(tmp_path / "run")
        other.communicate()
    claim(tmp_path / "run")


def test_only_the_main_process_claims(tmp_path: Path) -> None:
    """The other processes of a distributed run use the directory as it is."""
    with (
        run_directory(tmp_path / "run", "train", TrainConfig()),
        run_directory(tmp_path / "run", "train", TrainConfig(), main_process=False) as directory,
    ):
        assert tmp_path / "run" == directory


@pytest.mark.parametrize("content", ["", "- 1\n", "{", None])
def test_a_directory_that_is_no_run(tmp_path: Path, content: str | None) -> None:
    """config.yaml is missing or holds no settings."""
    if content is not None:
        (tmp_path / "config.yaml").write_text(content)
    with pytest.raises(FaaError, match=r"is no run directory|holds no settings|must hold 'key|is no YAML"):
        read_config(tmp_path)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"lr": 0.1}))
    assert {"lr": 0.1} == read_config(tmp_path)


def refuse(output: Path, *produced: str) -> None:
    """Enter a run's directory, write some files, and find that the run cannot be."""
    with run_directory(output, "train", TrainConfig()) as directory:
        for name in ("policy.json", "data.json", *produced):
            (directory / name).write_text("{}")
        raise FaaError("no")


def test_a_refused_run_leaves_nothing_behind(tmp_path: Path) -> None:
    """Not the directory if it made it, and not its own files; an old run and anything produced stay."""
    with pytest.raises(FaaError, match="no"):
        refuse(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(FaaError, match="no"):
        refuse(tmp_path / "empty")
    assert [] == list((tmp_path / "empty").iterdir())
    with pytest.raises(FaaError, match="no"):
        refuse(tmp_path / "produced", "summary.csv")
    assert (tmp_path / "produced" / "config.yaml").is_file()
    claim(tmp_path / "old")
    with pytest.raises(FaaError, match="no"):
        refuse(tmp_path / "old")
    assert (tmp_path / "old" / "config.yaml").is_file()
