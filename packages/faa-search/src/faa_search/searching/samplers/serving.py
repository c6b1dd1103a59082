"""What a process that only proposes does first. It lies apart so that such a process never imports torch."""

import signal

from faa_search.workers.parents import end_with


def serve(caller: int) -> None:
    """Leave signals to the process that waits for the proposals, and end when it is gone.

    Launchers, queues and Ctrl-C send a signal to a whole group of processes; the caller needs its proposals until it
    has stopped, and then ends its workers.

    Args:
        caller: Its process number.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    end_with(caller)
