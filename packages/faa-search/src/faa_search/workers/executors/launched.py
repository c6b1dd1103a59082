"""Workers that a launcher has started, such as torchrun or ``accelerate launch``, on one machine or several.

Each connects to the main one, which listens at a port of its choice and tells the others through the process group.
Both ends prove that they know the run's key. While tasks run there are no collective calls, so none can time out.
"""

import multiprocessing.context
import os
import queue
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from multiprocessing.connection import Client, Connection
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator

from faa_core import FaaError
from faa_search.workers.executors.admission import LOOPBACK, admitting, listening
from faa_search.workers.executors.capacity import threads_each
from faa_search.workers.executors.crew import Crew, Hand
from faa_search.workers.executors.outcome import Outcome, WorkerLost, pack
from faa_search.workers.executors.processes import WorkerProcess
from faa_search.workers.executors.protocol import Executor, ExecutorOptions, Setup
from faa_search.workers.executors.wire import CallerGone, Follower, Wire
from faa_search.workers.executors.worker import bench_of
from faa_search.workers.meeting import on_one_machine
from faa_search.workers.processes import from_main, make_accelerator, together

JOINING = 60.0  # seconds for all processes to connect; they have just spoken to each other
GONE = "Another process of this run is gone. The same command goes on from what was done."


class _Meeting(NamedTuple):
    """Where the main process listens, and the key that proves who belongs to the run."""

    host: str
    port: int
    key: bytes


@contextmanager
def launched(setup: Setup, options: ExecutorOptions, accelerator: Accelerator) -> Iterator[Executor]:
    """Give an executor in the main process; each of the others must call `serve`.

    The main process's own share of the work is done by a process that it starts, since a thread would neither hear
    signals nor have the interpreter for itself.

    Args:
        setup: Must be the same in all processes.
        options: `processes` is set by the launcher.
        accelerator: The processes.

    Raises:
        FaaError: If another number of processes is asked for, or the others do not connect.
    """
    there = accelerator.num_processes
    if options.processes not in {None, there}:
        raise FaaError(f"--num-processes {options.processes}, but the launcher started {there}; leave it out.")
    shared: dict[str, bytes] = {}
    threads = threads_each(options, workers=1, among=torch.get_num_threads())
    own = WorkerProcess(pack(setup), _device(accelerator), threads=threads, shared=shared)
    with ExitStack() as ends:
        others = [_OtherProcess(ends.enter_context(each), shared) for each in _connections(accelerator)]
        hands: list[Hand] = [own, *others]
        crew = Crew(hands, shared.__setitem__)
        ends.callback(crew.close)
        yield crew


def serve(setup: Setup, options: ExecutorOptions, accelerator: Accelerator | None = None) -> None:
    """Do the main process's tasks, in a process that is not it, until it reports that there are no more.

    Meanwhile SIGINT and SIGTERM, which launchers send to all processes, are the main process's to answer.

    Args:
        setup: Must be the same in all processes.
        options: As given to `launched`.
        accelerator: The processes; None for those that there are.

    Raises:
        FaaError: If the main process is gone.
    """
    accelerator = accelerator or make_accelerator(options.device)
    if options.threads is not None:
        torch.set_num_threads(threads_each(options, workers=1, among=1))
    with together(accelerator):
        meeting = from_main(accelerator, _Meeting("", 0, b""))
    try:
        connection = Client((meeting.host, meeting.port), authkey=meeting.key)
    except (OSError, EOFError, multiprocessing.context.AuthenticationError) as error:
        raise FaaError(f"The main process does not answer at {meeting.host}, port {meeting.port}: {error}.") from error
    with connection:
        _keep_alive(connection)
        follower = Follower(connection)
        try:
            with _signals_to(follower):
                follower.follow(bench_of(pack(setup), _device(accelerator), follower.fetch))
        except CallerGone as gone:
            raise FaaError(GONE) from gone


def accelerate(setup: Setup, options: ExecutorOptions) -> AbstractContextManager[Executor]:
    """Give what `launched` gives, to those who know their processes by name only: Accelerate has them."""
    return launched(setup, options, make_accelerator(options.device))


def _device(accelerator: Accelerator) -> str:
    """Return this process's device; with gloo Accelerate numbers even CPUs."""
    return "cpu" if accelerator.device.type == "cpu" else str(accelerator.device)


class _OtherProcess:
    """A launched process, as the main one sees it; a `Hand`."""

    def __init__(self, connection: "Connection[Any, Any]", shared: Mapping[str, bytes]) -> None:
        self._wire = Wire(connection, shared)

    def start(self) -> None:
        """Do nothing: the launcher has started it."""

    def do(self, task: bytes) -> Outcome:
        """Return the outcome of a packed task.

        Raises:
            FaaError: If the process is gone; only the launcher could bring another.
        """
        try:
            return self._wire.do(task)
        except WorkerLost as lost:
            raise FaaError(GONE) from lost

    def stop(self) -> None:
        """Ask the current task to end."""
        self._wire.stop()

    def close(self) -> None:
        """Let it go on."""
        self._wire.over()

    def kill(self) -> None:
        """Hang up, which ends it."""
        self._wire.close()


def _connections(accelerator: Accelerator) -> "list[Connection[Any, Any]]":
    """Return a connection from each of the other processes."""
    host = LOOPBACK if on_one_machine(os.environ) else os.environ["MASTER_ADDR"]
    others, key = accelerator.num_processes - 1, secrets.token_bytes(32)
    deadline = time.monotonic() + JOINING
    with listening(host) as server, admitting(server, key) as arrived:
        port = int(server.getsockname()[1])
        with together(accelerator):
            from_main(accelerator, _Meeting(host, port, key))
        try:
            found = [arrived.get(timeout=max(0.0, deadline - time.monotonic())) for _number in range(others)]
        except queue.Empty as error:
            raise FaaError(
                f"Not all of the {others + 1} processes reached {host}, port {port}, within {JOINING:.0f} s. Processes "
                "on other machines must be able to connect to it."
            ) from error
    for connection in found:
        _keep_alive(connection)
    return found


def _keep_alive(connection: "Connection[Any, Any]") -> None:
    """Notice within about ten seconds when the machine at the other end is gone, which sends no end of file."""
    with socket.socket(fileno=os.dup(connection.fileno())) as shared_socket:
        shared_socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("TCP_KEEPIDLE", 4), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, name):
                shared_socket.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@contextmanager
def _signals_to(follower: Follower) -> Iterator[None]:
    """Let a follower answer SIGINT and SIGTERM where it is in the main thread, which alone can hear them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, follower.cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
