"""Workers that are processes of this machine.

They are started by loky's start method: a fresh interpreter that does not run the caller's script again, so a script
needs no ``if __name__ == "__main__"``. Each has its own connection, so that losing one disturbs no other.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import loky  # noqa: F401 it gives multiprocessing its start method

from faa_search.workers.executors.capacity import cores, devices, thread_variables, threads_each
from faa_search.workers.executors.crew import PATIENCE, Crew
from faa_search.workers.executors.outcome import Outcome, WorkerLost, pack
from faa_search.workers.executors.protocol import Executor, ExecutorOptions, Setup
from faa_search.workers.executors.wire import Wire
from faa_search.workers.executors.worker import work


@contextmanager
def processes(setup: Setup, options: ExecutorOptions) -> Iterator[Executor]:
    """Give an executor of processes: one for each GPU or, without any, for each core; more may share them.

    Raises:
        FaaError: If a device is asked for that is not there, or the setup cannot be pickled.
    """
    places = devices(options)
    threads = threads_each(options, workers=len(places), among=cores())
    shared: dict[str, bytes] = {}
    packed = pack(setup)
    crew = Crew(
        [WorkerProcess(packed, device, threads=threads, shared=shared) for device in places], shared.__setitem__
    )
    try:
        yield crew
    finally:
        crew.close()


class WorkerProcess:
    """A process and the connection to it; a `Hand`.

    Args:
        setup: Packed.
        device: The process's.
        threads: CPU threads of torch in it.
        shared: What is shared, by name.
    """

    def __init__(self, setup: bytes, device: str, *, threads: int, shared: Mapping[str, bytes]) -> None:
        self._setup = setup
        self._device = device
        self._threads = threads
        self._shared = shared
        self._process: Any = None
        self._wire: Wire | None = None

    def start(self) -> None:
        """Start the process, or another one."""
        self._end()
        context: Any = multiprocessing.get_context("loky")
        ours, theirs = context.Pipe()
        self._process = context.Process(
            target=work, args=(theirs, self._setup, self._device), env=thread_variables(self._threads)
        )
        self._process.start()
        theirs.close()  # so that the worker's end is the only one, and closed when it is gone
        self._wire = Wire(ours, self._shared)

    def do(self, task: bytes) -> Outcome:
        """Return the outcome of a packed task.

        Raises:
            WorkerLost: If the process ended; the message states how.
        """
        if self._wire is None:
            raise WorkerLost("was not started")
        try:
            return self._wire.do(task)
        except WorkerLost as lost:
            self._process.join(PATIENCE)
            raise WorkerLost(_how(self._process.exitcode)) from lost

    def stop(self) -> None:
        """Ask the current task to end, by SIGTERM."""
        if self._wire is not None:
            self._wire.stop()

    def close(self) -> None:
        """End the process, which has no task."""
        if self._wire is not None:
            self._wire.over()
            self._process.join(PATIENCE)
        self._end()

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None and self._process.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows has no SIGKILL

    def _end(self) -> None:
        if self._wire is not None:
            self.kill()
            self._process.join()
            self._wire.close()
            self._wire = None


def _how(code: int | None) -> str:
    if code is None:
        return "hung up"
    return f"ended with code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
