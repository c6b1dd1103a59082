"""Writing the files of a run: what is not finished lies in one folder of the run, which alone is ever cleared."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from faa_core import FaaError
from faa_core.files import put_in_place, replacing, write_text

UNFINISHED = ".unfinished"


def write_file(run: Path, name: str, text: str) -> None:
    """Write a text file of a run, atomically.

    Args:
        run: The run's directory.
        name: Of the file, relative to it.
        text: The content.

    Raises:
        OSError: If the disk refuses.
    """
    write_text(run / name, text, aside=run / UNFINISHED)


@contextmanager
def replacing_file(run: Path, path: Path) -> Iterator[Path]:
    """Give a temporary path to write; put it in place of a run's file when the block succeeds.

    Raises:
        OSError: If the disk refuses.
    """
    check_inside(run, path.parent)
    with replacing(path, aside=run / UNFINISHED) as temporary:
        yield temporary


@contextmanager
def filling_folder(run: Path, folder: Path) -> Iterator[Path]:
    """Give a temporary folder to write; put its files into a run's folder, by name, when the block succeeds.

    Raises:
        OSError: If the disk refuses.
    """
    check_inside(run, folder)
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
    if not folder.resolve().is_relative_to(run.resolve()):
        raise FaaError(
            f"'{folder}' is a link that leads out of the run's directory, where other files would be replaced. Remove "
            "the link, and the same command goes on."
        )


def clear_unfinished(run: Path) -> None:
    """Remove what a killed process was still writing; the run must be this process's own."""
    unfinished = run / UNFINISHED
    if unfinished.is_dir() and not unfinished.is_symlink():
        shutil.rmtree(unfinished, ignore_errors=True)
