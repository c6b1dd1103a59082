"""What runs in a worker; it imports no torch, which tasks may do without."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from multiprocessing.connection import Connection
from typing import Any

from faa_search.workers.executors.crew import PATIENCE
from faa_search.workers.executors.outcome import unpack
from faa_search.workers.executors.protocol import Fetch, Place
from faa_search.workers.executors.wire import CallerGone, Follower
from faa_search.workers.parents import end_with

# What torchrun and Accelerate tell a process about its job, which a process that it starts has no part in.
LAUNCHED = {
    "RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "ROLE_NAME", "MASTER_ADDR", "MASTER_PORT",
    "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "ROLE_WORLD_SIZE",
}  # fmt: skip


def work(connection: "Connection[Any, Any]", setup: bytes, device: str) -> None:
    """Be a worker process: do tasks until there are no more, or until the process that gives them is gone.

    Args:
        connection: To the caller.
        setup: Packed.
        device: This worker's.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the caller decides what it means
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    multiprocessing.set_start_method(None, force=True)  # it is loky's here, with which no loader process starts
    end_with(os.getppid(), grace=PATIENCE)  # where something else holds the connection open
    for name in LAUNCHED & os.environ.keys():
        del os.environ[name]
    follower = Follower(connection)
    with suppress(CallerGone):
        follower.follow(bench_of(setup, device, follower.fetch))


def bench_of(setup: bytes, device: str, fetch: Fetch) -> Callable[[], Any]:
    """Return a function that calls a packed setup the first time it is called, and then returns what that returned."""
    return cache(lambda: unpack(setup)(Place(device=device, fetch=fetch)))
