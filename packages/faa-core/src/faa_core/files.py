"""Writing files so that a reader, or a run that was killed, never sees half of one."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faa_core.errors import FaaError
from faa_core.paths import refuse_address, refused_as
from faa_core.text import safe

LONGEST = 40  # characters of a file's name that its temporary file is called by


@contextmanager
def replacing(path: Path, *, aside: Path | None = None) -> Iterator[Path]:
    """Give a temporary path to write; put it in place of `path`, flushed to disk, when the block succeeds.

    Args:
        path: The file.
        aside: Folder of the temporary file, on the same disk; made if missing (default: the file's own folder).

    Raises:
        FaaError: If something other than a regular file is at `path`, or the system refuses to write.
    """
    _check_target(path)
    folder = aside or path.parent
    with refused_as(f"'{safe(path)}' cannot be written"):
        for needed in (path.parent, folder):
            needed.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=_prefix(path), suffix=".tmp")
        os.close(descriptor)
        temporary = Path(name)
        try:
            yield temporary
            put_in_place(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def try_to_write(path: Path) -> None:
    """Find out whether a file can be put at a path, before there is work in it; nothing is left behind.

    Raises:
        FaaError: If it cannot.
    """
    _check_target(path)
    with refused_as(f"'{safe(path)}' cannot be written"):
        folder = path.absolute().parent
        while not os.path.lexists(folder):  # those are made when the file is written
            folder = folder.parent
        folder.stat()  # of a link, what it leads to
        with tempfile.NamedTemporaryFile(dir=folder, prefix=_prefix(path), suffix=".tmp"):
            pass


@contextmanager
def creating(path: Path) -> Iterator[Path]:
    """Give a temporary path of the same suffix, where nothing is yet; when the block succeeds, it becomes `path`.

    Other files that the block leaves beside the temporary one are removed.

    Args:
        path: Of a file that must not be there.

    Raises:
        FaaError: If something is at `path`, or the disk refuses.
    """
    taken = FaaError(f"'{path}' is there already, and is not replaced; choose another name, or remove it.")
    if path.exists() or path.is_symlink():
        raise taken
    with refused_as(f"'{safe(path)}' cannot be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=_prefix(path)) as folder:
            temporary = Path(folder) / f"new{path.suffix}"
            yield temporary
            _make_public(temporary)
            try:
                os.link(temporary, path)  # unlike a move, it replaces nothing
            except FileExistsError as error:
                raise taken from error


def put_in_place(written: Path, path: Path) -> None:
    """Move a finished file to `path` on the same disk, flushed, readable as the umask allows.

    Raises:
        FaaError: If something other than a regular file is at `path`, or the system refuses.
    """
    _check_target(path)
    with refused_as(f"'{safe(path)}' cannot be written"):
        _make_public(written)
        written.replace(path)


def write_text(path: Path, text: str, *, aside: Path | None = None) -> None:
    """Write a whole UTF-8 text file, atomically; `aside` is as in `replacing`.

    Raises:
        FaaError: As `replacing`.
    """
    with replacing(path, aside=aside) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _prefix(path: Path) -> str:
    """Return what temporary files of a path begin with; with its whole name, they could be longer than allowed."""
    return f".{path.name[:LONGEST]}."


def _make_public(written: Path) -> None:
    """Make a finished temporary file readable as the umask allows, and have it on the disk."""
    umask = os.umask(0)
    os.umask(umask)
    written.chmod(0o666 & ~umask)  # temporary files are private; a run directory is shared like any other
    with written.open("rb") as content:
        os.fsync(content.fileno())


def _check_target(path: Path) -> None:
    """Refuse to rename a file over a device, pipe, socket or folder, or over a link to one."""
    refuse_address(str(path), written=True)
    with refused_as(f"'{safe(path)}' cannot be written"):
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            mode = stat.S_IFREG  # nothing is there, or the way to it is wrong, which is told when it is made
    if stat.S_ISDIR(mode):
        raise FaaError(f"'{path}' cannot be written: it is a folder; give the path of a file.")
    # What a link of /dev leads to, such as /dev/stdout, can be a file; the link itself would be lost.
    if not stat.S_ISREG(mode) or path.absolute().parent == Path("/dev"):
        raise FaaError(f"'{path}' cannot be written: it is not a regular file, and would be replaced by one.")
