"""What an executor is: it runs tasks in workers, which may be this process, others, or other machines.

Tasks are pure: what one returns depends on the task and on what was shared alone. So a task of a worker that was lost
is simply done again, and results do not depend on the executor. It decides where and when, never what.
"""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Fetch = Callable[[str], bytes]
Task = Callable[[Any], Any]  # picklable; called in a worker with what the setup made there


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a worker works.

    Attributes:
        device: cpu, cuda or cuda:N, as torch names it.
        fetch: Returns what was shared under a name; raises KeyError if nothing was.
    """

    device: str
    fetch: Fetch


Setup = Callable[[Place], Any]  # picklable; makes what a worker's tasks work with, once in each worker


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorOptions:
    """What a user can set about workers.

    Attributes:
        device: Kind of device.
        processes: How many workers; None for as many as suit the executor.
        threads: CPU threads of torch in each worker; None for an equal part of the machine's cores.
        ray_address: Of a Ray cluster, auto, or None for one of our own.
        gpus_per_worker: GPUs of each Ray worker; a fraction lets several share one.
        note: Told what the user should know.
    """

    device: Literal["auto", "cpu", "cuda"]
    processes: int | None
    threads: int | None
    ray_address: str | None = None
    gpus_per_worker: float = 1.0
    note: Callable[[str], object] = str


class Executor(Protocol):
    """Runs tasks.

    Attributes:
        workers: How many tasks can run at the same time.
        in_process: Whether tasks run in the caller's own process, inside `submit`, so that they may show progress.
    """

    workers: int
    in_process: bool

    def share(self, name: str, content: bytes) -> None:
        """Make bytes available to all later tasks under a name."""

    def submit(self, task: Task) -> "Future[Any]":
        """Return the future result of a task; an exception of the task is its exception.

        A task whose worker is lost is done again by another, a few times; then its exception is a FaaError.
        """

    def stop(self) -> None:
        """Ask the tasks that are running to end where they can be resumed, and drop those that wait."""


class ExecutorFactory(Protocol):
    """What an entry point of ``faa.executors`` names."""

    def __call__(self, setup: Setup, options: ExecutorOptions) -> AbstractContextManager[Executor]:
        """Return a context that gives an executor, and ends its workers.

        Raises:
            FaaError: If it cannot work here, as where a package or a device is missing.
        """
