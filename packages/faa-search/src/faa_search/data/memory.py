"""How much memory data may take."""

import os
import resource
from contextlib import suppress
from pathlib import Path

from faa_core import FaaError

MOST_MEMORY = 0.5  # of what this process may have, for one data set's images
FEWER = "Give fewer images, or a folder of image files."
LIMIT_OF_CONTAINER = Path("/sys/fs/cgroup/memory.max")


def memory() -> int:
    """Return the bytes of memory that this process may have: the machine's, its container's, or its own limit."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    soft, _hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        limits.append(soft)
    with suppress(OSError, ValueError):  # not in a container, or in one without a limit ("max")
        limits.append(int(LIMIT_OF_CONTAINER.read_text(encoding="ascii")))
    return min(limits)


def check_memory(needed: int, what: str, remedy: str) -> None:
    """Refuse what would not fit, before any memory is taken.

    Args:
        needed: In bytes.
        what: That takes it, such as "'images' of 'data.npz'".
        remedy: A sentence that states what to do instead.

    Raises:
        FaaError: If it is more than half of the memory.
    """
    there = memory()
    if needed > MOST_MEMORY * there:
        raise FaaError(
            f"{what} would take {needed / 2**30:,.1f} GiB; this process may have {there / 2**30:,.1f} GiB, of which "
            f"images get at most half. {remedy}"
        )
