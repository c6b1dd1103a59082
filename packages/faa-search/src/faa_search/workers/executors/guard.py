"""A process that ends others when the one that started it is gone; a separate script, so that it starts at once.

Ray's agents look on for another minute when their cluster's processes were killed.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def guarded(processes: Iterable[int]) -> Iterator[None]:
    """End some processes at the end of the block, or when this process is gone, however it went.

    Only Linux names a process so that its number cannot come to mean another one; elsewhere nothing is done.

    Args:
        processes: Their numbers.
    """
    if not hasattr(os, "pidfd_open"):
        yield
        return
    command = [sys.executable, "-I", "-S", __file__, *map(str, processes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True):  # noqa: S603 our own
        yield  # its end closes the pipe, and waits


def main() -> None:
    """Hold on to the processes whose numbers are the arguments, and end them at the end of the standard input."""
    held = []
    for number in sys.argv[1:]:
        with suppress(OSError):  # it has ended
            held.append(os.pidfd_open(int(number)))
    sys.stdin.read()
    for process in held:
        with suppress(OSError):
            signal.pidfd_send_signal(process, signal.SIGKILL)


if __name__ == "__main__":
    main()
