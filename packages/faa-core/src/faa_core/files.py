"""Writing files so that a reader, or a run that was killed, never sees half of one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write; put it in place, flushed to disk, when the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        put_in_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def put_in_place(written: Path, path: Path) -> None:
    """Move a finished file to `path` on the same disk, flushed, readable as the umask allows."""
    umask = os.umask(0)
    os.umask(umask)
    written.chmod(0o666 & ~umask)  # temporary files are private; a run directory is shared like any other
    with written.open("rb") as content:
        os.fsync(content.fileno())
    written.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a whole UTF-8 text file, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
