"""Ending with the process that started this one, however that ended; nothing heavy is imported here."""

import os
import threading
import time
from multiprocessing.connection import Connection, wait
from typing import Any

SECONDS_BETWEEN_LOOKS = 1.0


def end_with(parent: int, *, grace: float = 0.0) -> None:
    """End this process soon after another is no longer its parent.

    Args:
        parent: The other's process number.
        grace: Seconds that this process then has to end by itself.
    """
    threading.Thread(target=_watch, args=(parent, grace), daemon=True).start()


def end_when_told(told: "Connection[Any, Any]") -> None:
    """End this process when something comes through a connection or its other end is closed, or the parent is gone.

    Args:
        told: Only looked at, so that several processes may share it.
    """
    threading.Thread(target=_listen, args=(told, os.getppid()), daemon=True).start()


def _watch(parent: int, grace: float) -> None:
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    time.sleep(grace)
    os._exit(1)


def _listen(told: "Connection[Any, Any]", parent: int) -> None:
    # The other end may be held open by a process that was forked from the parent, so the parent is looked at as well.
    while not wait([told], timeout=SECONDS_BETWEEN_LOOKS) and os.getppid() == parent:
        pass
    os._exit(0)
