"""Whose directory it is, with which settings, and one process at a time."""

import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

import pytest
import yaml
from pydantic import Field

from faa_core import FaaError
from faa_search.runs.directory import read_config, run_directory
from faa_search.runs.environment import versions
from faa_search.runs.files import filling_folder, replacing_file
from faa_search.settings import CompareConfig, Role, SearchConfig, Settings, TrainConfig
from faa_search.settings.resolving import Layer, resolve

GOLDEN = Path(__file__).parents[3] / "tests" / "golden_runs"
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


def test_a_directory_of_another_command_is_called_what_it_is(tmp_path: Path) -> None:
    """One sentence, not the settings of two commands."""
    claim(tmp_path / "run", lr=0.1)
    with pytest.raises(FaaError) as raised:
        claim(tmp_path / "run", "search", lr=0.2)
    said = f"'{tmp_path / 'run'}' holds a training (faa train), and this is a search (faa search). Choose another"
    assert said in str(raised.value)
    assert "0.1" not in str(raised.value)


def test_workers_may_change(tmp_path: Path) -> None:
    """They change no result."""
    claim(tmp_path / "run", workers=0)
    claim(tmp_path / "run", workers=3)


def test_a_directory_with_other_things_is_refused(tmp_path: Path) -> None:
    """Nothing is written among somebody's files."""
    (tmp_path / "photo.png").write_bytes(b"")
    with pytest.raises(FaaError, match=r"is not empty \('photo.png'\) and is not a run directory"):
        claim(tmp_path)
    assert {"photo.png"} == {path.name for path in tmp_path.iterdir()}


def tree(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return all there is in a folder: content, and when it was last changed."""
    paths = [folder, *sorted(folder.rglob("*"))]
    return {
        str(path): (path.lstat().st_mtime_ns, path.is_symlink(), path.read_bytes() if path.is_file() else None)
        for path in paths
    }


STRANGERS = {
    "what an older version would have removed": {".important.tmp": "a", "sub/.saving-x/c1": "a", "readme": "x"},
    "hidden files only": {".bashrc": "alias", ".ssh/key": "secret", ".notes.tmp": "a"},
    "a lock of somebody else's": {".lock": "not empty"},
    "a folder called as ours is": {".unfinished/precious": "a", "readme": "x"},
    "only that folder": {".unfinished/precious": "a"},
    "settings of another program": {"config.yaml": "command: serve\nport: 80\n", ".a.tmp": "b", ".unfinished/c": "d"},
    "settings without a command": {"config.yaml": "lr: 0.1\n", ".saving-1/c": "d"},
    "settings with an odd command": {"config.yaml": "command: [train]\n", ".saving-1/c": "d"},
    "settings that are not mapping": {"config.yaml": "- 1\n", ".a.tmp": "b"},
    "a search": {"config.yaml": "command: search\n", ".unfinished/c": "d", ".x.tmp": "e"},
    "a training with other settings": {"config.yaml": "command: train\nlr: 0.3\n", ".unfinished/c": "d", ".x.tmp": "e"},
}


@pytest.mark.parametrize("what", STRANGERS)
def test_a_refused_directory_stays_as_it_is(tmp_path: Path, what: str) -> None:
    """Not a byte and not a time changes, whatever is in it."""
    home = tmp_path / "home"
    for name, content in STRANGERS[what].items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(content)
    before = tree(home)
    with pytest.raises(FaaError):
        claim(home)
    assert before == tree(home)


def test_a_link_to_a_lock_is_not_followed(tmp_path: Path) -> None:
    """What is locked is emptied, so a link could empty any file."""
    (tmp_path / "precious").write_text("a")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(FaaError, match="is not empty"):
        claim(tmp_path / "run")
    assert "a" == (tmp_path / "precious").read_text()


def test_a_run_removes_nothing_but_its_own(tmp_path: Path) -> None:
    """Only the folder that holds what is not finished is cleared; other hidden files in a run's directory stay."""
    run = tmp_path / "run"
    claim(run)
    theirs = (".notes.tmp", "sub/.saving-x/c1", ".config.yaml.mine.tmp", "kept/epoch-notes/text")
    for name in (*theirs, ".unfinished/.state.safetensors.abc.tmp", ".unfinished/tmp1/model.safetensors"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("a")
    claim(run)
    assert [True] * len(theirs) == [(run / name).is_file() for name in theirs]
    assert not (run / ".unfinished").exists()


def test_a_link_in_place_of_what_is_not_finished_is_not_followed(tmp_path: Path) -> None:
    """Clearing stays inside the run's directory."""
    claim(tmp_path / "run")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("a")
    (tmp_path / "run" / ".unfinished").symlink_to(tmp_path / "precious")
    claim(tmp_path / "run")
    assert (tmp_path / "precious" / "file").is_file()


class Later(TrainConfig):
    """Settings of a version to come: one that says what runs did before it was there."""

    role: ClassVar[Role] = Role.RESULT

    colours: int = Field(default=7, json_schema_extra={"formerly": 3})


def test_a_setting_that_an_old_run_lacks_means_what_the_old_version_did(tmp_path: Path) -> None:
    """Not today's default."""
    claim(tmp_path / "run", lr=0.1)
    with (
        pytest.raises(FaaError, match="colours: 3 → 7"),
        run_directory(tmp_path / "run", "train", Later(lr=0.1)),
    ):
        pass
    with run_directory(tmp_path / "run", "train", Later(lr=0.1, colours=3)):
        pass


@pytest.mark.parametrize("kind", [TrainConfig, SearchConfig, CompareConfig])
def test_every_setting_is_of_the_first_version_or_says_what_was_before_it(kind: type[Settings]) -> None:
    """Runs of commit 5313f79 lack the others."""
    name = {TrainConfig: "train", SearchConfig: "search", CompareConfig: "compare"}[kind]
    first = read_config(GOLDEN / f"{name}-finished")
    assert first.keys() - {"command"} <= kind.model_fields.keys()
    assert kind.model_fields.keys() - first.keys() == kind.formerly().keys()


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
    claim(tmp_path / "run")
    (tmp_path / "run" / ".lock").unlink()
    (tmp_path / "run" / ".lock").mkdir()
    with pytest.raises(FaaError, match=r"lock' is a folder, but the run in '.*run' keeps a file of that name"):
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
    with pytest.raises(FaaError, match=r"is not a run directory|holds no settings|must hold 'key|is not YAML"):
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


def test_a_folder_of_a_run_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    """Somebody else's weights lie at its end."""
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "model.safetensors").write_text("a")
    claim(tmp_path / "run")
    (tmp_path / "run" / "last").symlink_to(tmp_path / "victim")
    target = tmp_path / "run" / "last" / "model.safetensors"
    with pytest.raises(FaaError, match="leads out of the run"), replacing_file(tmp_path / "run", target):
        pass
    with pytest.raises(FaaError, match="leads out of the run"), filling_folder(tmp_path / "run", target.parent):
        pass
    assert "a" == (tmp_path / "victim" / "model.safetensors").read_text()


@pytest.mark.parametrize(
    ("cuda_then", "began", "cuda_now", "now", "goes_on"),
    [
        (False, "auto", False, "cpu", True),
        (False, "cpu", False, "auto", True),
        (True, "auto", True, "cuda", True),
        (True, "cuda", True, "auto", True),
        (False, "auto", True, "cpu", True),  # on another machine, as it was computed before
        (True, "cuda", False, "auto", False),
        (True, "auto", False, "cpu", False),
        (False, "auto", True, "cuda", False),
        (False, "cpu", True, "auto", False),
        (False, "cpu", True, "cuda", False),
        (True, "auto", False, "auto", True),  # whatever each machine has
        (False, "auto", True, "auto", True),
    ],
)
def test_what_a_device_came_to_counts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    cuda_then: bool,
    began: str,
    cuda_now: bool,
    now: str,
    goes_on: bool,
) -> None:
    """Not the word for it; the run's own file keeps the word it began with."""
    claim(tmp_path / "run", device=began)
    file = tmp_path / "run" / "environment.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"cuda": "a GPU" if cuda_then else None}))
    before = (tmp_path / "run" / "config.yaml").read_bytes()
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda_now)
    if goes_on:
        claim(tmp_path / "run", device=now)
    else:
        with pytest.raises(FaaError, match=f"device: '{began}' → '{now}'"):
            claim(tmp_path / "run", device=now)
    assert before == (tmp_path / "run" / "config.yaml").read_bytes()


@pytest.mark.parametrize("content", [None, "", "[]", "{}", "{"])
def test_a_run_that_does_not_say_where_it_began_keeps_to_the_word(tmp_path: Path, content: str | None) -> None:
    """As one that was killed while it was made."""
    claim(tmp_path / "run", device="auto")
    (tmp_path / "run" / "environment.json").unlink()
    if content is not None:
        (tmp_path / "run" / "environment.json").write_text(content)
    claim(tmp_path / "run", device="auto")
    with pytest.raises(FaaError, match="device: 'auto' → 'cpu'"):
        claim(tmp_path / "run", device="cpu")


def test_a_golden_run_goes_on_with_another_word_for_its_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Version 0.1.0 wrote what it began with, too."""
    shutil.copytree(GOLDEN / "train-stopped", tmp_path / "run")
    settings = read_config(tmp_path / "run")
    del settings["command"]
    config = resolve(TrainConfig, [Layer("run", TrainConfig.formerly() | settings | {"device": "auto"})])
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with run_directory(tmp_path / "run", "train", config):
        pass
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    with pytest.raises(FaaError, match="device: 'cpu' → 'auto'"), run_directory(tmp_path / "run", "train", config):
        pass
