"""The files of a run: what they are called, and how they are written.

What is not finished lies in one folder of the run, which alone is ever cleared.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from faa_core import FaaError
from faa_core.files import put_in_place, replacing, write_text
from faa_core.paths import refused_as
from faa_core.text import safe

UNFINISHED = ".unfinished"
COMPARISON = "comparison.json"
EVALUATIONS = "evaluations.jsonl"
MIRRORS = "mirrors.json"
POLICIES = "policies.jsonl"
POLICY = "policy.json"
RESCORED = "rescored.jsonl"
RESULT = "result.json"
STAGES = "stages.jsonl"
SUMMARY = "summary.csv"
TRIALS = "trials.jsonl"
UPDATES = "updates.jsonl"
FILES = frozenset({  # what is called so in a run's directory, or in a folder of it, is a file of the run
    COMPARISON, EVALUATIONS, MIRRORS, POLICIES, POLICY, RESCORED, RESULT, STAGES, SUMMARY, TRIALS, UPDATES,
    ".lock", "audit.json", "audit.jsonl", "config.json", "config.yaml", "data.json", "environment.json", "folds.json",
    "model.safetensors", "previous.safetensors", "state.safetensors",
})  # fmt: skip
FOLDERS = re.compile(r"best|kept|last|audit|mirrors|fold[0-9]+")  # and a folder, directly in a run's directory


def write_file(run: Path, name: str, text: str) -> None:
    """Write a text file of a run, atomically.

    Args:
        run: The run's directory.
        name: Of the file, relative to it.
        text: The content.

    Raises:
        FaaError: If the system refuses.
    """
    write_text(run / name, text, aside=run / UNFINISHED)


@contextmanager
def replacing_file(run: Path, path: Path) -> Iterator[Path]:
    """Give a temporary path to write; put it in place of a run's file when the block succeeds.

    Raises:
        FaaError: If the system refuses, or a link leads out of the run's directory.
    """
    check_inside(run, path.parent)
    with replacing(path, aside=run / UNFINISHED) as temporary:
        yield temporary


@contextmanager
def filling_folder(run: Path, folder: Path) -> Iterator[Path]:
    """Give a temporary folder to write; put its files into a run's folder, by name, when the block succeeds.

    Raises:
        FaaError: If the system refuses, or a link leads out of the run's directory.
    """
    check_inside(run, folder)
    with refused_as(f"'{safe(folder)}' cannot be written"):
        for needed in (folder, run / UNFINISHED):
            needed.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=run / UNFINISHED) as temporary:
            yield Path(temporary)
            for written in sorted(Path(temporary).iterdir()):
                put_in_place(written, folder / written.name)


def check_inside(run: Path, folder: Path) -> None:
    """Refuse a folder of a run that a link leads out of the run's directory.

    Raises:
        FaaError: If it does.
    """
    if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(run)):
        raise FaaError(
            f"'{folder}' is a link that leads out of the run's directory, where other files would be replaced. Remove "
            "the link, and the same command goes on."
        )


def check_kinds(run: Path) -> None:
    """Refuse a run in which a folder lies in place of a file, or a file in place of a folder.

    A comparison's runs lie in its directory, so theirs are looked at, too.

    Raises:
        FaaError: If so, with the first.
    """
    for name, folders, files in os.walk(run):
        place = Path(name)
        for child in sorted(FILES.intersection(folders + files)):
            if not (place / child).is_file():
                raise FaaError(_misplaced(run, place / child, "a file"))
        for child in sorted(filter(FOLDERS.fullmatch, files)):
            if "config.yaml" in files:
                raise FaaError(_misplaced(run, place / child, "a folder"))


def _misplaced(run: Path, path: Path, wanted: str) -> str:
    """Return the message about something that lies where a run has something of another kind."""
    found = "a folder" if path.is_dir() else "a file" if path.is_file() else "not a regular file, or a link to nothing"
    return (
        f"'{safe(path)}' is {found}, but the run in '{safe(run)}' keeps {wanted} of that name. Move it elsewhere, put "
        "back what was there if you have it, and give the same command again; or choose another --output."
    )


def clear_unfinished(run: Path) -> None:
    """Remove what a killed process was still writing; the run must be this process's own."""
    unfinished = run / UNFINISHED
    if unfinished.is_dir() and not unfinished.is_symlink():
        shutil.rmtree(unfinished, ignore_errors=True)
