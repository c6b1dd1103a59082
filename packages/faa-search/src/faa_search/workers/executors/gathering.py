"""Handing tasks to an executor and taking what they return, with progress, and stopping when asked to."""

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, TypeVar

from faa_search.workers.executors.protocol import Executor, Task
from faa_search.workers.stopping import StopRequest

Key = TypeVar("Key")

LOOK_UP = 0.5  # seconds after which a wait looks whether it is to stop


def gather(
    tasks: Mapping[Key, Task],
    executor: Executor,
    finished: Callable[[Key, Any], None],
    request: StopRequest,
    *,
    resumable: bool = False,
) -> None:
    """Run tasks and hand over each result, in the order they are done.

    Args:
        tasks: By what tells them apart.
        executor: Runs them.
        finished: Given each task's key and result.
        request: Whether a signal asked to stop.
        resumable: Whether a running task can be stopped and taken up again; else it is waited for.

    Raises:
        Stopped: If a signal asked for it.
        FaaError: If a task does.
    """
    waiting = list(tasks.items())
    running: dict[Future[Any], Key] = {}
    stopping = False
    most = 1 if executor.in_process else 2 * executor.workers
    while waiting or running:
        while waiting and len(running) < most and request.number is None:
            key, task = waiting.pop(0)
            running[executor.submit(task)] = key
        if request.number is not None and not stopping:
            stopping = True
            waiting.clear()
            if resumable:
                executor.stop()
        done, _others = wait(running, timeout=LOOK_UP, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=failed):  # what was done is kept before a failure ends it all
            key = running.pop(future)
            if request.number is None or not failed(future):
                finished(key, future.result())
    if request.number is not None:
        request.stop()


def failed(future: "Future[Any]") -> bool:
    """Return whether a future that is done has no result."""
    return future.cancelled() or future.exception() is not None
