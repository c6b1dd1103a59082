"""The processor's time that a process and all it has started took; a busy machine does not change it."""

from contextlib import suppress

import psutil


def cpu_seconds(process: int) -> float:
    """Return the seconds so far of a process and of its children, theirs and so on; those that have ended count too.

    A process whose parent has ended before it is left out.
    """
    seconds = 0.0
    with suppress(psutil.NoSuchProcess):
        first = psutil.Process(process)
        for each in (first, *first.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                seconds += sum(each.cpu_times()[:4])  # its own and its ended children's, each in two parts
    return seconds
