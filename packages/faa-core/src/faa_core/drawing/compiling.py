"""Compiling by numba, with the compiled code kept in whatever folder can be written."""

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba
from numba import njit

NOWHERE = "cannot cache function"  # numba's message where it finds no folder


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that has numba compile a function when it is first called, without the interpreter's lock.

    Compiled code is kept where numba keeps it: in ``NUMBA_CACHE_DIR``, beside the source, or in the user's cache. Where
    none can be written, as in a container that runs as another user, it is kept in a folder of the user's own below the
    temporary folder, and where that fails too, in memory: every process then compiles anew.

    Args:
        options: Of numba's ``njit``.
    """
    return lambda function: kept(lambda **kept_or_not: njit(nogil=True, **options, **kept_or_not)(function))


def kept(compile_it: Callable[..., Any]) -> Any:
    """Return what a function compiles, given ``cache=True`` or nothing, with the code kept where it can be."""
    try:
        return compile_it(cache=True)
    except (RuntimeError, OSError) as error:
        if isinstance(error, RuntimeError) and NOWHERE not in str(error):
            raise
    if (folder := own_folder(Path(tempfile.gettempdir()))) is not None:
        with _kept_in(folder):
            return compile_it(cache=True)
    return compile_it()


def own_folder(parent: Path) -> Path | None:
    """Return a folder below a shared one that only this user can write, or None where there is none.

    What numba reads from it becomes code of this process. So a folder that somebody else made, or can write, or a link
    to one, is not taken.
    """
    if not hasattr(os, "getuid"):
        return None
    folder = parent / f"faa-numba-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return None
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077
    return folder if private else None


@contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    """Have numba look at a folder first while the block runs, which decides for the functions that it decorates."""
    settings: Any = numba.config
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        settings.CACHE_DIR = before
