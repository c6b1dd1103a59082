"""What the system refuses of a path, in plain words and with what to do next."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from faa_core.errors import FaaError
from faa_core.text import safe

# Of each number of the system: the reason, and what to do.
WORDS = {
    errno.ENOENT: ("there is no such file or folder", "Check the path"),
    errno.EEXIST: ("on its way, a file is in place of a folder", "Give another path, or move that file"),
    errno.ELOOP: ("links on its way lead in a circle", "Remove the link, or give the path of what it should lead to"),
    errno.ENAMETOOLONG: ("a name in it is longer than the file system allows", "Give a shorter path"),
    errno.ENOTDIR: ("on its way, a file is in place of a folder", "Give another path, or move that file"),
    errno.EISDIR: ("it is a folder", "Give the path of a file"),
    errno.EACCES: ("this user has no permission", "Change the permissions, or give another path"),
    errno.EPERM: ("the system does not permit it", "Change the permissions, or give another path"),
    errno.EROFS: ("it lies where nothing can be written", "Give a path elsewhere"),
    errno.ENOSPC: ("the disk is full", "Make room on it, and give the same command again"),
    errno.EDQUOT: ("this user's part of the disk is full", "Make room in it, and give the same command again"),
    errno.EFBIG: ("the file would be larger than the system allows", "Raise the limit (ulimit -f), or write elsewhere"),
    errno.EMFILE: ("too many files are open", "Raise the limit (ulimit -n), and give the same command again"),
    errno.EIO: ("the disk failed, or what it is connected by", "Check the disk, and give the same command again"),
    errno.ESTALE: ("the network's disk has lost it", "Connect the disk again, and give the same command again"),
}  # fmt: skip

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # as a path it has one slash less
NOT_FETCHED = ("it is an address, and nothing is fetched from there", "Download the file, and give its path")


def refuse_address(given: str, *, written: bool = False) -> None:
    """Refuse an address such as https://… where a path is asked for; a folder may be called so.

    Args:
        given: As it was typed.
        written: Whether something is to be written there.

    Raises:
        FaaError: If it is one.
    """
    if ADDRESS.match(given) and not os.path.lexists(given.partition("/")[0]):
        if written:
            raise FaaError(f"'{safe(given)}' cannot be written: it is an address. Give a path on this machine.")
        raise FaaError(f"'{safe(given)}' cannot be read: {NOT_FETCHED[0]}. {NOT_FETCHED[1]}.")


def refusal(error: OSError, what: str) -> FaaError:
    """Return what the system refused as an error that gives the reason in plain words, and what to do.

    Args:
        error: As Python raised it.
        what: Begins the sentence, such as "'a/b' cannot be written".
    """
    if error.errno in (errno.ENOENT, errno.EEXIST) and error.filename and os.path.islink(error.filename):  # noqa: PTH114 or bytes
        reason, remedy = "it is a link that leads to nothing", "Remove the link, or give another path"
    elif error.errno in (errno.ENOENT, errno.ENAMETOOLONG) and ADDRESS.match(os.fsdecode(error.filename or "")):
        reason, remedy = NOT_FETCHED
    else:
        reason, remedy = WORDS.get(error.errno or 0, (safe(error.strerror or error).rstrip("."), "Check the path"))
    return FaaError(f"{what}: {reason}. {remedy}.")


@contextmanager
def refused_as(what: str) -> Iterator[None]:
    """Raise what the system refuses of a path in the block as `refusal` says it.

    Raises:
        FaaError: If something is refused. An end of a pipe or connection that is gone is no matter of a path.
    """
    try:
        yield
    except ConnectionError:
        raise
    except OSError as error:
        raise refusal(error, what) from error
