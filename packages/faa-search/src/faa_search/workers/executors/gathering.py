"""Handing tasks to an executor and taking what they return, with progress, and stopping when asked to."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Protocol, TypeVar

from faa_search.workers.executors.protocol import Executor, Task
from faa_search.workers.stopping import StopRequest

Key = TypeVar("Key")
Supplied_co = TypeVar("Supplied_co", covariant=True)

LOOK_UP = 0.5  # seconds after which a wait looks whether it is to stop


class Supply(Protocol[Supplied_co]):
    """Tasks that are there, or come while others are done."""

    def take(self) -> tuple[Supplied_co, Task] | None:
        """Return the next task by what tells it apart, in its own order; None if there is none now."""

    def awaited(self) -> "Sequence[Future[Any]]":
        """Return what has to end before there is another task; empty if none comes by itself."""


class Ready:
    """Tasks that are all there."""

    def __init__(self, tasks: Mapping[Any, Task]) -> None:
        self._left = deque(tasks.items())

    def take(self) -> tuple[Any, Task] | None:
        """Return the next of the tasks, in their order."""
        return self._left.popleft() if self._left else None

    def awaited(self) -> "Sequence[Future[Any]]":
        """Return nothing."""
        return ()


def gather(
    tasks: Mapping[Key, Task],
    executor: Executor,
    finished: Callable[[Key, Any], None],
    request: StopRequest,
    *,
    resumable: bool = False,
) -> None:
    """Run tasks and hand over each result, in the order they are done; see `gather_from`."""
    gather_from(Ready(tasks), executor, finished, request, resumable=resumable)


def gather_from(
    supply: Supply[Key],
    executor: Executor,
    finished: Callable[[Key, Any], None],
    request: StopRequest,
    *,
    resumable: bool = False,
) -> None:
    """Run the tasks of a supply and hand over each result, in the order they are done.

    Args:
        supply: Of tasks; those that are handed over may make more of them.
        executor: Runs them.
        finished: Given each task's key and result.
        request: Whether a signal asked to stop.
        resumable: Whether a running task can be stopped and taken up again; else it is waited for.

    Raises:
        Stopped: If a signal asked for it.
        FaaError: If a task does.
    """
    running: dict[Future[Any], Key] = {}
    stopping = False
    most = 1 if executor.in_process else 2 * executor.workers
    while True:
        while request.number is None and len(running) < most and (given := supply.take()) is not None:
            key, task = given
            running[executor.submit(task)] = key
        if request.number is not None and resumable and not stopping:
            stopping = True
            executor.stop()
        awaited = supply.awaited() if request.number is None else ()
        if not running and not awaited:
            break
        if not any(future.done() for future in running):
            wait([*running, *awaited], timeout=LOOK_UP, return_when=FIRST_COMPLETED)
        # What was done is kept before a failure ends it all.
        for future in sorted((one for one in running if one.done()), key=failed):
            key = running.pop(future)
            if request.number is None or not failed(future):
                finished(key, future.result())
    if request.number is not None:
        request.stop()


def failed(future: "Future[Any]") -> bool:
    """Return whether a future that is done has no result."""
    return future.cancelled() or future.exception() is not None
