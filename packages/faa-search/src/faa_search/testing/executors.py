"""What every executor keeps: tasks come out as they would anywhere else, and nothing is left behind."""

import os
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from typing import ClassVar

from faa_core import FaaError, plugins
from faa_core.testing.expecting import expect
from faa_search.testing.tasks import Bench, Dying, Fetching, Number, Raising, Worked, who
from faa_search.workers.executors.protocol import Executor, ExecutorFactory, ExecutorOptions

SECONDS = 60.0  # in which what must happen has happened, on a busy machine
TASKS = 8


class ExecutorContract:
    """What every executor keeps; subclass it and set `name`.

    Attributes:
        name: Under which the package offers it.
        processes: How many workers are asked for.
    """

    name: ClassVar[str]
    processes: ClassVar[int | None] = 2

    def options(self) -> ExecutorOptions:
        """Return what the executor is started with."""
        return ExecutorOptions(device="cpu", processes=self.processes, threads=1)

    @contextmanager
    def start(self) -> Iterator[Executor]:
        """Give the installed executor of the name."""
        factory: ExecutorFactory = plugins.load("faa.executors", self.name, kind="executor")
        with factory(Bench, self.options()) as executor:
            yield executor

    def test_its_tasks_come_out_as_anywhere(self) -> None:
        """Results, exceptions, shared bytes and setups: all in one executor, as starting it takes long."""
        with self.start() as executor:
            self.check_results(executor)
            self.check_exceptions(executor)
            self.check_sharing(executor)
            self.check_setups(executor)

    def test_lost_tasks_are_done_again(self) -> None:
        """By another worker, when one is killed; a task that always kills its worker ends in a FaaError."""
        with tempfile.TemporaryDirectory() as folder, self.start() as executor:
            if executor.in_process:
                return
            executor.share("seven", b"7")
            futures = [executor.submit(Dying(folder)), *(executor.submit(Fetching("seven")) for _ in range(TASKS))]
            results = [future.result(SECONDS) for future in futures]
            expect(results == ["done", *[b"7"] * TASKS], "a killed worker's task is done again, and no other suffers")
            given_up = executor.submit(Dying()).exception(3 * SECONDS)
            expect(isinstance(given_up, FaaError), f"a task that kills each worker is given up, not {given_up!r}")
            expect(executor.submit(Number(4)).result(SECONDS) == 4, "there is a worker after one was lost")

    def test_stop_drops_what_waits(self) -> None:
        """After stop a future ends without its task's result, and no caller waits forever; then the workers end."""
        with self.start() as executor:
            done = _workers(executor)
            executor.stop()
            late = executor.submit(Number(2))
            expect(not wait([late], SECONDS).not_done, "a future of a task that comes after stop() ends")
            expect(late.cancelled() or late.exception() is not None, "a task that comes after stop() is not done")
        _expect_ended(done, "with the block")

    def test_an_exception_ends_its_workers(self) -> None:
        """As when a block is left by Ctrl-C."""
        done: list[Worked] = []
        try:
            with self.start() as executor:
                done = _workers(executor)
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
        _expect_ended(done, "with a block that Ctrl-C ends")

    def check_results(self, executor: Executor) -> None:
        """Each future has its own, also where the first task takes longest, so that the order is another."""
        expect(executor.workers >= 1, f"it has one worker or more, not {executor.workers}")
        futures = [executor.submit(Number(at, pause=0.2 if at == 0 else 0.0)) for at in range(TASKS)]
        results = [future.result(SECONDS) for future in futures]
        expect(results == [*range(TASKS)], f"each future has the result of its task, not {results}")

    def check_exceptions(self, executor: Executor) -> None:
        """They are the futures', with type and message; the worker does the next task all the same."""
        for error in (FaaError("mend it"), ValueError("two", 2)):
            found = executor.submit(Raising(error)).exception(SECONDS)
            same = type(found) is type(error) and found.args == error.args
            expect(same, f"a task's exception is its future's: {error!r}, not {found!r}")
        expect(executor.submit(Number(3)).result(SECONDS) == 3, "a worker goes on after a task that raised")

    def check_sharing(self, executor: Executor) -> None:
        """Bytes arrive whole under any name, the newest of a name; a name that nobody shared is a KeyError."""
        content, name = bytes(range(256)) * 4096, "../weights of fold 0"
        executor.share(name, content)
        fetched = [executor.submit(Fetching(name)) for _ in range(TASKS)]
        whole = all(future.result(SECONDS) == content for future in fetched)
        expect(whole, f"{len(content):,} shared bytes arrive whole in every task")
        executor.share(name, b"newer")
        newer = {executor.submit(Fetching(name)).result(SECONDS) for _ in range(TASKS)}
        expect(newer == {b"newer"}, "what is shared again under a name takes the place of the older")
        missing = executor.submit(Fetching("nothing")).exception(SECONDS)
        expect(isinstance(missing, KeyError), f"fetching what nobody shared is a KeyError, not {missing!r}")

    def check_setups(self, executor: Executor) -> None:
        """Each worker is set up once, in the caller's process only if the executor's `in_process` is true."""
        here, done = (socket.gethostname(), os.getpid()), _workers(executor)
        benches, processes = {one.made for one in done}, {one.process for one in done}
        once = len(benches) == len(processes) <= executor.workers
        counted = f"{len(benches)} times in {len(processes)} processes of {executor.workers} workers"
        expect(once, f"the setup is called once in each worker, not {counted}")
        expect((processes == {here}) is executor.in_process, "in_process is true where tasks run in the caller's")


def _workers(executor: Executor) -> list[Worked]:
    """Return who does tasks."""
    return [future.result(SECONDS) for future in [executor.submit(who) for _ in range(4 * TASKS)]]


def _expect_ended(done: Sequence[Worked], how: str) -> None:
    """Wait until the workers of this machine have ended."""
    here, deadline = socket.gethostname(), time.monotonic() + SECONDS
    left = {one.process[1] for one in done if one.process[0] == here} - {os.getpid()}
    while any(_runs(process) for process in left) and time.monotonic() < deadline:
        time.sleep(0.05)
    expect(not any(_runs(process) for process in left), f"workers end {how}; one of {sorted(left)} still runs")


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, PermissionError):  # another user's has the number now
        return False
    return True
