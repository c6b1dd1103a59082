"""What a process that a launcher has started does first; nothing heavy is imported here."""

import os
import shutil
import signal
import threading
from collections.abc import Mapping

from faa_search.workers.parents import end_with

FOLDER = "FAA_MEETING_FOLDER"  # variable of the environment: where processes that faa itself has started meet

STANDARD_INPUT = 0  # a pipe from our own launcher


def follow_launcher(environment: Mapping[str, str]) -> bool:
    """Stop when the launcher asks for it, and end soon after it is gone; nothing where none has started this process.

    Args:
        environment: This process's.

    Returns:
        Whether faa itself is the launcher, which then shows what has happened.
    """
    folder = environment.get(FOLDER)
    if folder is not None:
        threading.Thread(target=_follow, args=(STANDARD_INPUT, folder), daemon=True).start()
    elif "TORCHELASTIC_RUN_ID" in environment:  # torchrun's, or `accelerate launch`'s
        end_with(os.getppid())
    return folder is not None


def _follow(pipe: int, folder: str) -> None:
    """Read numbers of signals from our own launcher, and raise them."""
    while number := os.read(pipe, 1):
        # Where all processes were sent it, as queues do, a second one would end this process at once.
        if not getattr(signal.getsignal(signal.SIGTERM), "noted", False):
            os.kill(os.getpid(), number[0])
    shutil.rmtree(folder, ignore_errors=True)  # the launcher, which removes it otherwise, is gone
    os._exit(1)
