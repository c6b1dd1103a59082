"""Tasks come out the same wherever they run, also when workers are killed; and no process outlives its run."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from multiprocessing.connection import Client
from multiprocessing.context import AuthenticationError
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import cloudpickle
import psutil
import pytest

from faa_core import FaaError, UnknownNameError, plugins
from faa_search.workers.executors import Executor, ExecutorOptions, Place
from faa_search.workers.executors.admission import admitting, listening
from faa_search.workers.executors.capacity import threads_each
from faa_search.workers.executors.crew import PATIENCE, Crew
from faa_search.workers.executors.launched import GONE, _connections
from faa_search.workers.executors.local import local
from faa_search.workers.executors.on_ray import on_ray
from faa_search.workers.executors.outcome import Outcome, attempt, pack, unpack
from faa_search.workers.executors.processes import processes
from faa_search.workers.executors.ray_cluster import ray_cluster, room
from faa_search.workers.stopping import Stopped, stop_requests

SECONDS = 20  # in which what must happen soon has happened, on a busy machine
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is an optional extra")
pytestmark = [
    # Ray leaves its own files and processes open, and says so of options that it will change
    pytest.mark.filterwarnings("ignore:unclosed file.*ray:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]
PROCESSES, RAY = "processes", pytest.param("ray", marks=needs_ray)


@dataclass(frozen=True)
class Bench:
    """What the tasks here work with; `made` tells one from another."""

    place: Place
    made: str = field(default_factory=lambda: uuid4().hex)


def options(**changes: Any) -> ExecutorOptions:
    given = {"device": "cpu", "processes": 2, "threads": 1}
    return ExecutorOptions(**given | changes)


@pytest.fixture(scope="module", autouse=True)
def _tasks_travel_whole() -> Iterator[None]:
    """Send this module's functions along: pytest imports it by a name that workers do not know."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def _ray() -> Iterator[None]:
    with ray_cluster(options(processes=4)):  # room for two executors
        yield


@pytest.fixture(scope="module")
def start(request) -> Callable[..., AbstractContextManager[Executor]]:
    """Start an executor of the kind of the test."""

    @contextmanager
    def run(kind: str, **changes: Any) -> Iterator[Executor]:
        if kind == "ray":
            request.getfixturevalue("_ray")
        alone = {"processes": 1} if kind == "local" else {}
        factory = {"local": local, "processes": processes, "ray": on_ray}[kind]
        with factory(Bench, options(**alone | changes)) as executor:
            yield executor

    return run


@pytest.fixture(scope="module")
def running(start, request) -> Iterator[Executor]:
    with start(request.param) as executor:
        yield executor


everywhere = pytest.mark.parametrize("running", ["local", PROCESSES, RAY], indirect=True)
elsewhere = pytest.mark.parametrize("running", [PROCESSES, RAY], indirect=True)


def raising(error: BaseException) -> Callable[[Bench], None]:
    def task(_bench: Bench) -> None:
        raise error

    return task


def dying(_bench: Bench) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def gone(process: int) -> bool:
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def soon(happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SECONDS
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize(
    ("factory", "changes", "said"),
    [
        (local, {"processes": 2}, "--executor processes"),
        (processes, {"processes": 0}, "at least 1"),
        (processes, {"threads": 0}, "at least 1"),
        pytest.param(on_ray, {"ray_address": "127.0.0.1:1"}, "no Ray cluster answers", marks=needs_ray),
        pytest.param(on_ray, {"ray_address": "nonsense"}, "no Ray cluster answers", marks=needs_ray),
    ],
)
def test_what_cannot_be_is_said(factory, changes, said):
    with pytest.raises(FaaError, match=said), factory(Bench, options(**changes)):
        pass


@everywhere
def test_each_future_has_its_own_result(running):
    """The first task takes longest where there are several workers, so the order of completion is another."""
    seconds = [0.3, 0.0, 0.1, 0.0]
    futures = [
        running.submit(lambda bench, number=number, pause=pause: (time.sleep(pause), number, bench.place.device)[1:])
        for number, pause in enumerate(seconds)
    ]
    assert [future.result(SECONDS) for future in futures] == [(number, "cpu") for number in range(4)]


@everywhere
def test_setup_is_called_once_in_each_worker(running):
    """And there are as many workers as the executor says, with the caller's own process only if it says so."""
    seen = [running.submit(lambda bench: (time.sleep(0.05), os.getpid(), bench.made)[1:]) for _ in range(12)]
    benches = {future.result(SECONDS) for future in seen}
    assert len(benches) == len({process for process, _made in benches}) == running.workers
    assert ({process for process, _made in benches} == {os.getpid()}) is running.in_process


@everywhere
def test_what_is_shared_is_there_for_later_tasks(running):
    content = os.urandom(3_000_000)
    running.share("../weights of fold 0", content)
    fetched = [running.submit(lambda bench: bench.place.fetch("../weights of fold 0")) for _ in range(3)]
    assert all(future.result(SECONDS) == content for future in fetched)
    running.share("../weights of fold 0", b"other")
    assert running.submit(lambda bench: bench.place.fetch("../weights of fold 0")).result(SECONDS) == b"other"
    with pytest.raises(KeyError, match="nothing"):
        running.submit(lambda bench: bench.place.fetch("nothing")).result(SECONDS)


@everywhere
def test_exceptions_are_the_futures(running):
    errors = [FaaError("mend it"), UnknownNameError("model", "wrn", ["wrn16_1"]), ValueError("two", 2)]
    for error in errors:
        arrived = running.submit(raising(error)).exception(SECONDS)
        assert type(arrived) is type(error)
        assert arrived.args == error.args
    assert running.submit(lambda _bench: 1).result(SECONDS) == 1


@elsewhere
def test_an_interruption_in_a_worker_is_the_futures_too(running):
    assert type(running.submit(raising(KeyboardInterrupt("asked"))).exception(SECONDS)) is KeyboardInterrupt
    before = running.submit(lambda _bench: os.getpid()).result(SECONDS)
    psutil.Process(before).send_signal(signal.SIGINT)  # as a terminal does
    time.sleep(0.2)
    assert not gone(before)


def test_an_interruption_in_this_process_goes_through(start):
    with start("local") as executor, pytest.raises(KeyboardInterrupt):
        executor.submit(raising(KeyboardInterrupt()))


def test_a_stopped_fitting_travels():
    stopped = unpack(attempt(pack(raising(Stopped(signal.SIGTERM))), lambda: None)).error
    assert isinstance(stopped, Stopped)
    assert stopped.number == signal.SIGTERM
    assert stopped.args == Stopped(signal.SIGTERM).args


def test_exceptions_that_cannot_travel_are_told():
    class AwkwardError(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} and {two}")

    def awkward(_bench: None) -> None:
        raise AwkwardError(1, 2)

    error = unpack(attempt(pack(awkward), lambda: None)).error
    assert isinstance(error, RuntimeError)
    assert "AwkwardError: 1 and 2" in str(error)
    unsendable = unpack(attempt(pack(lambda _bench: threading.Lock()), lambda: None)).error
    assert isinstance(unsendable, FaaError)
    assert "cannot be sent" in str(unsendable)


@elsewhere
def test_the_task_of_a_killed_worker_is_done_again(running, tmp_path):
    """The other worker's task, and those that wait, do not notice."""
    killed = tmp_path / "killed"

    def dies_once(bench: Bench) -> str:
        bench.place.fetch("seven")
        if not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "done"

    running.share("seven", b"7")
    other = running.submit(lambda _bench: (time.sleep(0.5), os.getpid())[1])
    futures = [running.submit(dies_once)]
    futures += [running.submit(lambda bench: bench.place.fetch("seven").decode()) for _ in range(3)]
    assert [future.result(2 * SECONDS) for future in futures] == ["done", "7", "7", "7"]
    assert other.result(SECONDS)
    assert killed.exists()


@elsewhere
def test_a_task_that_always_loses_its_worker_is_given_up(running):
    deadly = running.submit(dying)
    with pytest.raises(FaaError, match=r"lost 3 times.*memory"):
        deadly.result(3 * SECONDS)
    assert running.submit(lambda _bench: 1).result(2 * SECONDS) == 1


@pytest.mark.parametrize("kind", [PROCESSES, RAY])
def test_stop_asks_running_tasks_and_drops_the_others(start, kind, tmp_path):
    """One task handles the request, one does not and is cancelled, and one never starts."""

    def resumable(_bench: Bench) -> None:
        def stop(number: int, _frame: object) -> None:
            raise KeyboardInterrupt(number)

        signal.signal(signal.SIGTERM, stop)
        (tmp_path / "resumable").touch()
        time.sleep(2 * SECONDS)

    def deaf(_bench: Bench) -> None:
        (tmp_path / "deaf").touch()
        time.sleep(2 * SECONDS)

    with start(kind) as executor:
        pids = {future.result(SECONDS) for future in [executor.submit(slow_pid) for _ in range(6)]}
        futures: list[Future[Any]] = [executor.submit(task) for task in (resumable, deaf, deaf)]
        assert soon(lambda: (tmp_path / "resumable").exists() and (tmp_path / "deaf").exists())
        time.sleep(0.1)  # for the handler, and the sleep
        executor.stop()
        assert not wait(futures, SECONDS).not_done
        assert isinstance(futures[0].exception(), KeyboardInterrupt)
        assert isinstance(futures[1].exception(), CancelledError)
        assert futures[2].cancelled()
        assert not wait([executor.submit(dying)], SECONDS).not_done
    assert soon(lambda: all(gone(pid) for pid in pids))


class Deaf:
    """A worker that goes on with its task when it is asked to end."""

    def __init__(self) -> None:
        self.busy, self.ends = threading.Event(), threading.Event()

    def do(self, _task: bytes) -> Outcome:
        self.busy.set()
        self.ends.wait(SECONDS)
        return Outcome(value="done")

    def nothing(self) -> None:
        pass

    start = stop = close = kill = nothing


def test_stop_drops_what_waits_though_no_worker_hears():
    """No caller waits for a task that will never begin; the one that runs has its result."""
    hand = Deaf()
    crew = Crew([hand], share=lambda _name, _content: None)
    runs = crew.submit(lambda _bench: 1)
    assert hand.busy.wait(SECONDS)
    waits = [crew.submit(lambda _bench: 2) for _ in range(3)]
    crew.stop()
    assert [(False, True)] * 3 == [(one.running(), one.cancelled()) for one in waits]
    hand.ends.set()
    assert runs.result(SECONDS) == "done"
    crew.close()


def test_a_stop_after_a_signal_lets_the_task_finish_its_step(start, tmp_path):
    """As where a queue sends SIGTERM to all processes, and the caller, which has it too, then stops the executor."""

    def resumable(_bench: Bench) -> None:
        with stop_requests() as request:
            (tmp_path / "pid").write_text(str(os.getpid()))
            while request.number is None:
                time.sleep(0.01)
            time.sleep(0.5)  # the current step, in which the caller's word comes
            (tmp_path / "kept").touch()
            request.stop()

    with start("processes") as executor:
        future = executor.submit(resumable)
        assert soon(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
        time.sleep(0.1)
        executor.stop()
        assert not wait([future], SECONDS).not_done
        assert isinstance(future.exception(), Stopped)
    assert (tmp_path / "kept").exists()


def slow_pid(_bench: Bench) -> int:
    time.sleep(0.1)
    return os.getpid()


def test_local_after_stop_does_nothing(start):
    with start("local") as executor:
        executor.stop()
        late = executor.submit(raising(KeyboardInterrupt()))
        assert not wait([late], 1).not_done
        assert late.cancelled()


def test_leaving_early_ends_tasks_and_workers(start):
    """An exception in the block, such as Ctrl-C, waits for no task."""
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), start(PROCESSES) as executor:  # noqa: PT012 what is left early is the point
        pids = {future.result(SECONDS) for future in [executor.submit(slow_pid) for _ in range(6)]}
        executor.submit(lambda _bench: time.sleep(100))
        raise KeyboardInterrupt
    assert time.monotonic() - started < SECONDS
    assert all(gone(pid) for pid in pids)


def test_setup_that_fails_fails_the_tasks():
    def setup(place: Place) -> None:
        raise FaaError(f"not on {place.device}")

    for factory in (local, processes):
        with factory(setup, options(processes=1)) as executor, pytest.raises(FaaError, match="not on cpu"):
            executor.submit(lambda _bench: 1).result(SECONDS)


def test_threads_of_workers(start):
    def threads(_bench: object) -> int:
        import torch  # noqa: PLC0415 in the worker

        return torch.get_num_threads()

    with start(PROCESSES, threads=2, processes=1) as executor:
        assert executor.submit(threads).result(SECONDS) == 2
    with start("local", threads=2) as executor:
        assert executor.submit(threads).result() == 2
    assert threads(None) == 1
    assert threads_each(options(threads=None), workers=3, among=16) == 5
    assert threads_each(options(threads=None), workers=3, among=2) == 1


@needs_ray
def test_more_workers_than_the_ray_cluster_has_room_for(start):
    with pytest.raises(FaaError, match="room for"), start("ray", processes=1000):
        pass
    with pytest.raises(FaaError, match="connected to a Ray cluster already"), start("ray", ray_address="here:1"):
        pass
    with pytest.raises(FaaError, match="the Ray cluster has no GPU"), start("ray", device="cuda"):
        pass


@needs_ray
def test_a_ray_cluster_that_is_busy(start):
    """It is said that workers wait, and the end of a run does not wait for those that never started."""
    told: list[str] = []
    with start("ray", processes=3) as first:
        assert first.submit(lambda _bench: 1).result() == 1
        with start("ray", processes=4, note=told.append):
            leaving = time.monotonic()
        assert time.monotonic() - leaving < PATIENCE
    assert [True] == ["of 4 workers now; others wait" in one for one in told]


def test_ray_that_is_not_installed_is_asked_for(monkeypatch):
    monkeypatch.setattr("faa_search.workers.executors.ray_cluster.find_spec", lambda _name: None)
    with pytest.raises(FaaError, match=r"pip install 'faa-search\[ray\]'"), on_ray(Bench, options()):
        pass


def test_names():
    assert {"local", "processes", "accelerate", "ray"} <= set(plugins.names("faa.executors"))
    assert plugins.load("faa.executors", "processes", kind="executor") is processes


UNGUARDED = """
import os, sys, time
from pathlib import Path
from faa_search.workers.executors import ExecutorOptions
from faa_search.workers.executors.processes import processes

def setup(place):
    return place

with processes(setup, ExecutorOptions(device="cpu", processes=2, threads=1)) as executor:
    futures = [executor.submit(lambda bench: (time.sleep(0.1), os.getpid())[1]) for _ in range(6)]
    print(*{future.result() for future in futures}, flush=True)
    executor.submit(lambda bench: time.sleep(100))
    sys.stdin.read()
"""


@pytest.mark.parametrize("killed", [True, False])
def test_workers_of_a_script_end_with_it(tmp_path, killed):
    """Killed or not, with one worker idle and one at work; the script has no ``if __name__ == "__main__"``."""
    (tmp_path / "script.py").write_text(UNGUARDED)
    pipe = subprocess.PIPE
    command = [sys.executable, "script.py"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as script:
        pids = [int(word) for word in script.stdout.readline().split()]
        assert len(pids) == 2
        assert not any(gone(pid) for pid in pids)
        if killed:
            script.kill()
        _out, err = script.communicate(timeout=SECONDS)
        assert killed or script.returncode == 0
        assert not err
    assert soon(lambda: all(gone(pid) for pid in pids))


LAUNCHED = """
import os, sys, time
from pathlib import Path
from faa_core import FaaError
from faa_search.workers.executors import ExecutorOptions
from faa_search.workers.executors.launched import launched, serve
from faa_search.workers.processes import close, from_main, make_accelerator

def setup(place):
    return place

def told(bench, number):
    time.sleep(0.2)
    return number, bench.device, bench.fetch("weights").decode(), os.getpid(), "RANK" in os.environ

def raising(bench):
    raise FaaError("mend it")

def sleeping(bench):
    print("pid", os.getpid(), os.environ.get("RANK"), flush=True)
    time.sleep(100)

options = ExecutorOptions(device="cpu", processes=None, threads=1)
accelerator = make_accelerator("cpu")
try:
    if accelerator.is_main_process:
        with launched(setup, options, accelerator) as executor:
            print("workers", executor.workers)
            executor.share("weights", b"w" * 9_000_000)
            futures = [executor.submit(lambda bench, number=number: told(bench, number)) for number in range(6)]
            results = [future.result() for future in futures]
            assert [result[:2] for result in results] == [(number, "cpu") for number in range(6)]
            assert {len(result[2]) for result in results} == {9_000_000}
            print("processes", len({result[3] for result in results}), "of the job", {result[4] for result in results})
            print("error", repr(executor.submit(raising).exception()))
            sleepers = [executor.submit(sleeping) for _ in range(3)]
            if "stop" in sys.argv:
                time.sleep(1)
                executor.stop()
            print("ends", *[type(one.exception()).__name__ if not one.cancelled() else "dropped" for one in sleepers])
            for one in sleepers:
                one.result() if "stop" not in sys.argv else None
    else:
        serve(setup, options)
except FaaError as error:
    print("FaaError:", error, flush=True)
    os._exit(2)
went = from_main(accelerator, "went on" if accelerator.is_main_process else None)
os.write(1, f"both {went}\\n".encode())  # in one go, as two processes write
close(accelerator)
"""


def test_launched_processes_are_workers(tmp_path):
    """They take tasks and what is shared, are stopped, and can speak to each other again afterwards."""
    (tmp_path / "script.py").write_text(LAUNCHED)
    launch = "-m torch.distributed.run --standalone --nproc-per-node 2 script.py stop".split()
    done = subprocess.run(
        [sys.executable, *launch], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("workers 2", "processes 2 of the job", "error FaaError('mend it')"):
        assert said in done.stdout
    assert "ends CancelledError CancelledError dropped" in done.stdout
    assert done.stdout.count("both went on") == 2


def test_every_launched_process_but_the_main_one_is_waited_for(monkeypatch):
    """Of three processes two connect, at what the main one has told them."""
    callers: list[threading.Thread] = []
    connected = []

    def join(meeting: Any) -> None:
        connected.append(Client((meeting.host, meeting.port), authkey=meeting.key))

    def tell(_accelerator: Any, meeting: Any) -> None:
        callers.extend(threading.Thread(target=join, args=(meeting,)) for _ in range(2))
        for caller in callers:
            caller.start()

    monkeypatch.setattr("faa_search.workers.executors.launched.from_main", tell)
    monkeypatch.setattr("faa_search.workers.executors.launched.JOINING", SECONDS)
    arrived = _connections(SimpleNamespace(num_processes=3))
    for caller in callers:
        caller.join(SECONDS)
    assert (2, 2) == (len(arrived), len(connected))
    for connection in (*arrived, *connected):
        connection.close()


@pytest.mark.parametrize("lost", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_launched_processes_end_when_one_is_lost(tmp_path, lost):
    """No launcher is there to end them, as where each machine has its own."""
    (tmp_path / "script.py").write_text(LAUNCHED)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    job = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    ranks = [
        subprocess.Popen(
            [sys.executable, "script.py"],
            cwd=tmp_path,
            env=job | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    assert next(line for line in ranks[1].stdout if line.startswith("pid")).split()[1] == str(ranks[1].pid)
    workers = psutil.Process(ranks[0].pid).children(recursive=True)
    ranks[lost].kill()
    out, err = ranks[1 - lost].communicate(timeout=SECONDS)
    assert ranks[1 - lost].returncode == 2, out + err
    assert f"FaaError: {GONE}" in out
    ranks[lost].communicate(timeout=SECONDS)
    assert soon(lambda: all(gone(worker.pid) for worker in workers))


def test_strangers_are_not_served():
    """Who does not know the key gets no further, and keeps nobody else from it, whatever he says or does not say."""
    with listening("127.0.0.1") as server, admitting(server, b"ours") as arrived:
        address = server.getsockname()
        assert "127.0.0.1" == address[0]
        with pytest.raises(AuthenticationError):
            Client(address, authkey=b"theirs")
        with socket.create_connection(address) as speaking, socket.create_connection(address):
            speaking.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with Client(address, authkey=b"ours"):
                arrived.get(timeout=10).close()
        assert arrived.empty()


@pytest.mark.parametrize(
    ("address", "reason"),
    [("localhost", "it means 127.0.0.1, which other machines"), ("192.0.2.99", "cannot listen at MASTER_ADDR=192")],
)
def test_only_the_address_that_was_named_is_listened_at(address, reason):
    """An address that others do not reach, or that this machine does not have, is not replaced by all addresses."""
    with pytest.raises(FaaError, match=reason):
        listening(address)


def test_the_room_of_a_cluster_is_that_of_its_machines():
    """Whole workers on each; a machine that is gone has none."""

    class Cluster:
        def nodes(self):
            alive = [{"CPU": 4.0, "GPU": 2.5}, {"CPU": 3.0}, {"CPU": 2.0, "GPU": 1.0}]
            return [
                *({"Alive": True, "Resources": each} for each in alive),
                {"Alive": False, "Resources": {"CPU": 64.0}},
            ]

    assert room(Cluster(), {"num_cpus": 2}) == 2 + 1 + 1
    assert room(Cluster(), {"num_gpus": 1.0, "num_cpus": 0}) == 2 + 0 + 1
