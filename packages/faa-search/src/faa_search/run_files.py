"""Writing the files of a run: what is not finished lies in one folder of the run, which alone is ever cleared."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

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
    with replacing(path, aside=run / UNFINISHED) as temporary:
        yield temporary


@contextmanager
def filling_folder(run: Path, folder: Path) -> Iterator[Path]:
    """Give a temporary folder to write; put its files into a run's folder, by name, when the block succeeds.

    Raises:
        OSError: If the disk refuses.
    """
    for needed in (folder, run / UNFINISHED):
        needed.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=run / UNFINISHED) as temporary:
        yield Path(temporary)
        for written in sorted(Path(temporary).iterdir()):
            put_in_place(written, folder / written.name)


def clear_unfinished(run: Path) -> None:
    """Remove what a killed process was still writing; the run must be this process's own."""
    unfinished = run / UNFINISHED
    if unfinished.is_dir() and not unfinished.is_symlink():
        shutil.rmtree(unfinished, ignore_errors=True)
