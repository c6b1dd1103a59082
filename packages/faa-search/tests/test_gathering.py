"""Handing out tasks: every result once, never more under way than asked for, and orderly ends."""

import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from faa_core import FaaError
from faa_search.workers.executors.gathering import gather
from faa_search.workers.executors.local import Local
from faa_search.workers.executors.protocol import Place
from faa_search.workers.stopping import Stopped, StopRequest

Task = Callable[[Any], Any]


class Elsewhere:
    """Has tasks done by a thread, the last given first; `stop` cancels what can be stopped after some seconds."""

    in_process = False

    def __init__(self, *, workers: int, takes: float = 0.001, stops_in: float | None = None) -> None:
        self.workers = workers
        self.takes = takes
        self.stops_in = stops_in
        self.given = 0
        self.most = 0
        self.stops = 0
        self.running: list[Future[Any]] = []
        self._lock = threading.Lock()

    def submit(self, task: Task) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            self.given += 1
            self.running.append(future)
            self.most = max(self.most, len(self.running))
        if self.takes:
            self._after(self.takes * (self.given % 3 + 1), future, lambda: future.set_result(task(None)))
        return future

    def stop(self) -> None:
        self.stops += 1
        if self.stops_in is not None and self.stops == 1:
            for future in list(self.running):
                self._after(self.stops_in, future, lambda at=future: at.set_exception(Stopped(signal.SIGTERM)))

    def _after(self, seconds: float, future: "Future[Any]", then: Callable[[], None]) -> None:
        def settle() -> None:
            with self._lock:
                if future in self.running:
                    self.running.remove(future)
                    then()

        timer = threading.Timer(seconds, settle)
        timer.daemon = True
        timer.start()


def here() -> Local:
    """Return an executor in this process."""
    return Local(lambda _place: None, "cpu")


def answers(count: int) -> dict[str, Task]:
    """Return tasks by name, each of which returns its square."""
    return {str(number): lambda _bench, number=number: number**2 for number in range(count)}


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_every_result_comes_once_with_its_key(workers: int) -> None:
    """Whatever the order; never more than two tasks for each worker are under way."""
    executor = Elsewhere(workers=workers) if workers else here()
    results: dict[str, int] = {}
    seen: list[str] = []

    def finished(key: str, result: int) -> None:
        seen.append(key)
        results[key] = result

    gather(answers(11), executor, finished, StopRequest())
    assert {str(number): number**2 for number in range(11)} == results
    assert sorted(results) == sorted(seen)
    if isinstance(executor, Elsewhere):
        assert executor.most <= 2 * workers
    else:
        assert list(answers(11)) == seen


def test_nothing_to_do() -> None:
    """No task, no result, no wait."""
    gather({}, here(), pytest.fail, StopRequest())


def test_in_this_process_a_result_is_taken_before_the_next_task_begins() -> None:
    """So what is done is on disk before anything else can fail."""
    order: list[str] = []

    def noted(name: str) -> Task:
        return lambda _bench: order.append(f"do {name}")

    gather({name: noted(name) for name in "ab"}, here(), lambda key, _: order.append(f"take {key}"), StopRequest())
    assert ["do a", "take a", "do b", "take b"] == order


def fail(_bench: Any) -> None:
    """Stand for a task that cannot be done."""
    raise FaaError("out of order")


def test_a_tasks_error_is_raised() -> None:
    """Results until then have been handed over; nothing later begins."""
    results: list[str] = []
    tasks: dict[str, Task] = {"good": lambda _bench: 1, "bad": fail, "never": lambda _bench: pytest.fail("begun")}
    with pytest.raises(FaaError, match="out of order"):
        gather(tasks, here(), lambda key, _: results.append(key), StopRequest())
    assert ["good"] == results


def test_what_was_done_beside_a_failure_is_handed_over() -> None:
    """All are done before anybody looks; the one that failed ends it afterwards."""

    class AtOnce(Local):
        in_process = False
        workers = 4

    results: list[int] = []
    tasks: dict[int, Task] = {number: (fail if number == 3 else lambda _bench: 1) for number in range(8)}
    with pytest.raises(FaaError, match="out of order"):
        gather(tasks, AtOnce(lambda _place: None, "cpu"), lambda key, _: results.append(key), StopRequest())
    assert [0, 1, 2, 4, 5, 6, 7] == sorted(results)


def test_a_signal_waits_for_what_is_running() -> None:
    """Its results are handed over; nothing else begins, and nothing is told to stop."""
    executor, request, results = Elsewhere(workers=2), StopRequest(), list[str]()

    def finished(key: str, _result: int) -> None:
        results.append(key)
        request.number = signal.SIGINT

    with pytest.raises(Stopped, match="SIGINT"):
        gather(answers(20), executor, finished, request)
    assert executor.given == len(results) <= 5
    assert 0 == executor.stops


def test_a_signal_in_the_middle_of_a_task_here() -> None:
    """The task is finished and its result handed over."""
    request, results = StopRequest(), list[str]()

    def signalled(_bench: Any) -> None:
        request.number = signal.SIGTERM

    with pytest.raises(Stopped, match="SIGTERM"):
        gather({"a": signalled, "b": lambda _bench: None}, here(), lambda key, _: results.append(key), request)
    assert ["a"] == results


def test_what_can_be_resumed_is_told_to_stop_once() -> None:
    """A task that is told twice is killed while it keeps its state; this one takes a second to do that."""
    executor, request = Elsewhere(workers=1, takes=0, stops_in=1.2), StopRequest()
    request_soon = threading.Timer(0.05, lambda: setattr(request, "number", signal.SIGTERM))
    request_soon.start()
    with pytest.raises(Stopped):
        gather(answers(6), executor, lambda _key, _result: None, request, resumable=True)
    assert 2 == executor.given
    assert 1 == executor.stops


def test_a_signal_before_anything_begins() -> None:
    """Nothing does."""
    request = StopRequest()
    request.number = signal.SIGTERM
    executor = Elsewhere(workers=1)
    with pytest.raises(Stopped):
        gather(answers(3), executor, lambda _key, _result: None, request)
    assert 0 == executor.given


def test_the_bench_is_made_once_where_it_is_needed() -> None:
    """In this process: at the first task."""
    made: list[Place] = []
    executor = Local(lambda place: made.append(place) or len(made), "cpu")
    assert [] == made
    results: list[int] = []
    gather(
        {n: (lambda bench: bench) for n in range(3)}, executor, lambda _key, bench: results.append(bench), StopRequest()
    )
    assert ["cpu"] == [place.device for place in made]
    assert [1, 1, 1] == results
