"""An executor of workers that are elsewhere: a thread for each of them passes it one task after another."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from faa_core import FaaError
from faa_search.workers.executors.outcome import Outcome, WorkerLost, pack
from faa_search.workers.executors.protocol import Task

TRIES = 3  # of a task whose workers are lost
PATIENCE = 10.0  # seconds that a worker has to end by itself


class Hand(Protocol):
    """A worker, as its thread sees it; only `stop` and `kill` are called by others, and at any time."""

    def start(self) -> None:
        """Bring the worker, or a new one in the place of one that was lost.

        Raises:
            FaaError: If that cannot be; then all tasks fail with the same.
        """

    def do(self, task: bytes) -> Outcome:
        """Return the outcome of a packed task.

        Raises:
            WorkerLost: If the worker ended; `start` brings another.
            FaaError: If it ended for good; then all other tasks fail with the same.
        """

    def stop(self) -> None:
        """Ask the current task, if there is one, to end."""

    def close(self) -> None:
        """Let the worker end."""

    def kill(self) -> None:
        """End the worker at once."""


@dataclass(slots=True)
class _Job:
    """A task that waits or runs, with the number of workers that were lost doing it."""

    task: bytes
    future: "Future[Any]"
    lost: int = 0


class Crew:
    """Hands that take tasks from one queue; an `Executor`."""

    in_process = False

    def __init__(self, hands: Sequence[Hand], share: Callable[[str, bytes], None]) -> None:
        self.workers = len(hands)
        self.share = share
        self._hands = hands
        self._waiting: SimpleQueue[_Job | None] = SimpleQueue()
        self._stopped = threading.Event()
        self._broken: BaseException | None = None
        self._threads = [threading.Thread(target=self._serve, args=(hand,), daemon=True) for hand in hands]
        for thread in self._threads:
            thread.start()

    def submit(self, task: Task) -> "Future[Any]":
        """Return the future result of a task; cancelled if `stop` was called.

        Raises:
            FaaError: If the task cannot be pickled.
        """
        job = _Job(pack(task), Future())
        self._waiting.put(job)
        if self._over:  # looked at afterwards, so that none is left lying when both happen at once
            self._drop_waiting()
        return job.future

    def stop(self) -> None:
        """Ask the running tasks to end, and cancel those that wait; what ends without a result is cancelled, too."""
        self._stopped.set()
        self._drop_waiting()
        for hand in self._hands:
            hand.stop()

    def close(self) -> None:
        """End the workers; those that do not end by themselves are killed."""
        self.stop()
        for _thread in self._threads:
            self._waiting.put(None)
        deadline = time.monotonic() + PATIENCE
        for thread, hand in zip(self._threads, self._hands, strict=True):
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                hand.kill()
                thread.join(PATIENCE)

    @property
    def _over(self) -> bool:
        return self._stopped.is_set() or self._broken is not None

    def _serve(self, hand: Hand) -> None:
        self._start(hand)
        while (job := self._waiting.get()) is not None:
            if self._over:
                self._waiting.put(job)
                self._drop_waiting()
            elif _begun(job):
                self._do(job, hand)
        hand.close()

    def _start(self, hand: Hand) -> None:
        if self._stopped.is_set():
            return
        try:
            hand.start()
        except Exception as error:  # noqa: BLE001 whatever it is, this worker is gone
            self._break(error)

    def _do(self, job: _Job, hand: Hand) -> None:
        try:
            outcome = hand.do(job.task)
        except WorkerLost as lost:
            self._again(job, lost)
            self._start(hand)
        except BaseException as error:  # noqa: BLE001 a thread's exceptions are not seen
            job.future.set_exception(CancelledError() if self._stopped.is_set() else error)
            if isinstance(error, FaaError):
                self._break(error)
        else:
            self._settle(job.future, outcome)

    def _settle(self, future: "Future[Any]", outcome: Outcome) -> None:
        if outcome.error is None:
            future.set_result(outcome.value)
        elif isinstance(outcome.error, CancelledError):
            future.set_exception(self._broken or outcome.error)
        else:
            future.set_exception(outcome.error)

    def _again(self, job: _Job, lost: WorkerLost) -> None:
        """Let a lost worker's task be done again, by any."""
        job.lost += 1
        if job.lost == TRIES:
            job.future.set_exception(CancelledError() if self._stopped.is_set() else _given_up(lost))
            return
        self._waiting.put(job)
        if self._over:
            self._drop_waiting()

    def _break(self, error: BaseException) -> None:
        """Give up: without this worker the run cannot go on, so the other tasks end, too."""
        self._broken = error
        self._drop_waiting()
        for hand in self._hands:
            hand.stop()

    def _drop_waiting(self) -> None:
        """Cancel all tasks that wait, or let them fail as the run did."""
        ends = 0
        while True:
            try:
                job = self._waiting.get_nowait()
            except Empty:
                break
            if job is None:
                ends += 1
                continue
            if self._stopped.is_set():
                job.future.cancel()  # which one that has run before does not take
            if _begun(job):
                job.future.set_exception(self._broken or CancelledError())
        for _end in range(ends):
            self._waiting.put(None)


def _begun(job: _Job) -> bool:
    """Return whether a job's future waits for its result; one that was cancelled does not."""
    return job.lost > 0 or job.future.set_running_or_notify_cancel()


def _given_up(lost: WorkerLost) -> FaaError:
    return FaaError(
        f"A worker was lost {TRIES} times while doing the same task; the last time it {lost}. Check that there is "
        "enough memory, or use fewer --num-processes or smaller batches. The same command goes on from what was done."
    )
