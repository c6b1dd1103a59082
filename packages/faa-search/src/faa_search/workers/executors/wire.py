"""Both ends of the connection between the caller and one of its workers.

The caller sends ``task``, answers ``fetch``, and may send ``stop`` at any time; at the end it sends ``over``. The
worker sends ``done``, and ``fetch`` while it does a task. An end that is gone shows at the other, as an end of file.
"""

import os
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import FrameType
from typing import Any

from faa_search.workers.executors.crew import PATIENCE
from faa_search.workers.executors.outcome import Outcome, WorkerLost, attempt, pack, unpack

Message = tuple[str, Any]


class CallerGone(Exception):  # noqa: N818 not a mistake of anybody's
    """The process that gives the tasks has ended without a word."""


class Wire:
    """The caller's end; `do` is called by one thread, the rest by any.

    Args:
        connection: To the worker.
        shared: What is shared, by name; looked at whenever the worker asks.
    """

    def __init__(self, connection: "Connection[Any, Any]", shared: Mapping[str, bytes]) -> None:
        self._connection = connection
        self._shared = shared
        self._sending = threading.Lock()

    def do(self, task: bytes) -> Outcome:
        """Return the outcome of a packed task.

        Raises:
            WorkerLost: If the worker is gone.
        """
        try:
            self._send("task", task)
            while (message := self._connection.recv())[0] == "fetch":
                self._send("shared", self._shared.get(message[1]))
        except (EOFError, OSError) as error:
            raise WorkerLost(f"ended ({type(error).__name__})") from error
        outcome: Outcome = unpack(message[1])
        return outcome

    def stop(self) -> None:
        """Ask the current task to end."""
        self._tell("stop")

    def over(self) -> None:
        """Say that there are no more tasks."""
        self._tell("over")

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _tell(self, kind: str) -> None:
        with suppress(OSError):  # a worker that is gone needs not be told
            self._send(kind, None)

    def _send(self, kind: str, content: Any) -> None:
        with self._sending:
            self._connection.send((kind, content))


class Follower:
    """The worker's end: does tasks in the thread that calls `follow`, and listens in another meanwhile."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self._connection = connection
        self._inbox: SimpleQueue[Message] = SimpleQueue()
        self._ended = threading.Event()
        self.doing = False
        self.stopping = False

    def follow(self, bench: Callable[[], Any]) -> None:
        """Do tasks until told that there are no more.

        A task is told to stop by SIGTERM, unless its handler has an attribute `noted`, which shows that it was told.
        What a signal does where the task does not handle it is for the caller of this to settle: `cancel` may be the
        handler.

        Args:
            bench: Returns what tasks work with.

        Raises:
            CallerGone: If the caller is.
        """
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            while (message := self._inbox.get())[0] == "task":
                self._send("done", self._attempt(message[1], bench))
            if message[0] == "gone":
                raise CallerGone
        finally:
            self._ended.set()

    def cancel(self, _number: int, _frame: FrameType | None) -> None:
        """Handle SIGTERM and SIGINT: end the current task if it was to be stopped, and ignore them otherwise.

        Raises:
            CancelledError: In the task.
        """
        if self.doing and self.stopping:
            raise CancelledError

    def fetch(self, name: str) -> bytes:
        """Return what was shared under a name; to be called by tasks.

        Raises:
            KeyError: If nothing was.
            CallerGone: If the caller is.
        """
        self._send("fetch", name)
        kind, content = self._inbox.get()
        if kind != "shared":
            self._inbox.put((kind, content))
            raise CallerGone
        if content is None:
            raise KeyError(name)
        found: bytes = content
        return found

    def _send(self, kind: str, content: Any) -> None:
        try:
            self._connection.send((kind, content))
        except OSError as error:
            raise CallerGone from error

    def _attempt(self, task: bytes, bench: Callable[[], Any]) -> bytes:
        try:
            self.doing = True
            outcome = pack(Outcome(error=CancelledError())) if self.stopping else attempt(task, bench)
            self.doing = False
        except CancelledError as error:  # of `cancel`, just before or after the task
            self.doing = False
            outcome = pack(Outcome(error=error))
        return outcome

    def _listen(self) -> None:
        """Pass on what comes; stop the current task when told to, or when the caller is gone."""
        kind = ""
        while kind not in {"over", "gone"}:
            try:
                kind, content = self._connection.recv()
            except (EOFError, OSError):
                kind, content = "gone", None
            if kind != "stop":
                self._inbox.put((kind, content))
            if kind in {"stop", "gone"}:
                self.stopping = True
                # Where all processes were sent it, as queues do, a second one would end the task at once.
                if self.doing and not getattr(signal.getsignal(signal.SIGTERM), "noted", False):
                    os.kill(os.getpid(), signal.SIGTERM)
        if kind == "gone" and not self._ended.wait(PATIENCE):
            os._exit(1)  # nobody is left who could end it
