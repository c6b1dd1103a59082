"""Tasks in this process, one after another."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch

from faa_core import FaaError
from faa_search.workers.executors.capacity import devices, threads_each
from faa_search.workers.executors.protocol import Executor, ExecutorOptions, Place, Setup, Task


class Local:
    """Does a task when it is submitted; an `Executor`."""

    workers = 1
    in_process = True

    def __init__(self, setup: Setup, device: str) -> None:
        shared: dict[str, bytes] = {}
        self._shared = shared
        self._bench = cache(lambda: setup(Place(device=device, fetch=shared.__getitem__)))
        self._stopped = False

    def share(self, name: str, content: bytes) -> None:
        """Keep bytes under a name."""
        self._shared[name] = content

    def submit(self, task: Task) -> "Future[Any]":
        """Do a task, and return its result as a future that is done.

        Raises:
            BaseException: What the task raises, if it is not an `Exception`, such as a KeyboardInterrupt.
        """
        future: Future[Any] = Future()
        if self._stopped:
            future.cancel()
            future.set_running_or_notify_cancel()  # who waits for it is told only by this
            return future
        try:
            future.set_result(task(self._bench()))
        except Exception as error:  # noqa: BLE001 it is the future's
            future.set_exception(error)
        return future

    def stop(self) -> None:
        """Cancel what is submitted from now on."""
        self._stopped = True


@contextmanager
def local(setup: Setup, options: ExecutorOptions) -> Iterator[Executor]:
    """Give an executor that works in this process.

    Raises:
        FaaError: If several processes are asked for, or a device that is not there.
    """
    if options.processes not in {None, 1}:
        raise FaaError(
            f"--executor local works in this process, and --num-processes {options.processes} was given; give "
            "--executor processes, or leave --num-processes out."
        )
    before = torch.get_num_threads()
    torch.set_num_threads(threads_each(options, workers=1, among=before))
    try:
        yield Local(setup, _device(options))
    finally:
        torch.set_num_threads(before)


def _device(options: ExecutorOptions) -> str:
    first = devices(options)[0]
    return "cuda" if first.startswith("cuda") else first
