"""Workers that are actors of a Ray cluster; Ray, an optional extra, starts those that are lost again."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from faa_core import FaaError
from faa_search.workers.executors.capacity import thread_variables, threads_each
from faa_search.workers.executors.crew import Crew
from faa_search.workers.executors.outcome import Outcome, WorkerLost, attempt, pack, unpack
from faa_search.workers.executors.protocol import Executor, ExecutorOptions, Setup
from faa_search.workers.executors.ray_cluster import free_room, ray_cluster, room, share_of_worker
from faa_search.workers.executors.worker import bench_of


@contextmanager
def on_ray(setup: Setup, options: ExecutorOptions) -> Iterator[Executor]:
    """Give an executor of Ray actors, as many as were asked for or the cluster has room for.

    Raises:
        FaaError: If Ray is not installed, the cluster cannot be reached, or it has not the room.
    """
    packed = pack(setup)
    with ray_cluster(options) as ray:
        share = share_of_worker(ray, options)
        most = room(ray, share)
        workers = most if options.processes is None else options.processes
        if not 1 <= workers <= most:
            raise FaaError(
                f"--num-processes {workers}: the Ray cluster has room for {most} workers; give 1 to that many."
            )
        free = free_room(ray, share)
        if free < workers:
            options.note(f"The Ray cluster has room for {free} of {workers} workers now; others wait until there is.")
        threads = threads_each(options, workers=workers, among=int(ray.cluster_resources().get("CPU", 1)))
        environment = {"env_vars": thread_variables(threads)}
        actors = ray.remote(max_restarts=-1, runtime_env=environment, **share)(ActorWorker)
        shared: dict[str, Any] = {}
        hands = [_Actor(ray, lambda: actors.remote(packed), shared) for _number in range(workers)]
        crew = Crew(hands, lambda name, content: shared.__setitem__(name, ray.put(content)))
        try:
            yield crew
        finally:
            crew.close()


class _Actor:
    """An actor, as the caller sees it; a `Hand`.

    Args:
        ray: The module.
        make: Returns a new actor.
        shared: References to what is shared, by name.
    """

    def __init__(self, ray: Any, make: Callable[[], Any], shared: Mapping[str, Any]) -> None:
        self._ray = ray
        self._make = make
        self._shared = shared
        self._actor: Any = None
        self._where: tuple[str, int] | None = None
        self._doing = False
        self._over = False

    def start(self) -> None:
        """Start the actor, or wait until Ray has started it again, perhaps elsewhere.

        Raises:
            FaaError: If it cannot start.
        """
        if self._actor is None:
            self._actor = self._make()
        while not self._over:
            try:
                self._where = self._ray.get(self._actor.where.remote())
                return
            except self._ray.exceptions.ActorUnavailableError:
                time.sleep(0.1)  # it is on its way
            except self._ray.exceptions.RayError as error:
                if not self._over:
                    raise FaaError(f"A Ray worker does not start: {error}") from error

    def do(self, task: bytes) -> Outcome:
        """Return the outcome of a packed task.

        Raises:
            WorkerLost: If the actor's process ended.
        """
        self._doing = True
        try:
            if self._over:
                raise WorkerLost("was stopped")
            outcome: Outcome = unpack(self._ray.get(self._actor.do.remote(task, dict(self._shared))))
        except self._ray.exceptions.RayError as error:
            raise WorkerLost(f"ended ({type(error).__name__})") from error
        finally:
            self._doing = False
        return outcome

    def stop(self) -> None:
        """Ask the current task to end, by SIGTERM to its process, on whatever machine that is."""
        self._over = True
        if self._where is None:
            self.kill()  # it waits for room in the cluster, perhaps for long
            return
        if not self._doing:
            return
        node, process = self._where
        if node == self._ray.get_runtime_context().get_node_id():
            terminate(process)
        else:
            there = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)
            self._ray.remote(num_cpus=0, scheduling_strategy=there)(terminate).remote(process)

    def close(self) -> None:
        """End the actor."""
        self.kill()

    def kill(self) -> None:
        """End the actor at once."""
        self._over = True
        if self._actor is not None:
            self._ray.kill(self._actor, no_restart=True)


class ActorWorker:
    """What an actor is: a process, found by Ray under this name.

    Args:
        setup: Packed.
    """

    def __init__(self, setup: bytes) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides what it means
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # unless a task handles it
        self._ray: Any = import_module("ray")
        self._shared: Mapping[str, Any] = {}
        self._bench = bench_of(setup, "cuda" if self._ray.get_gpu_ids() else "cpu", self._fetch)

    def where(self) -> tuple[str, int]:
        """Return this process's node and number."""
        return self._ray.get_runtime_context().get_node_id(), os.getpid()

    def do(self, task: bytes, shared: Mapping[str, Any]) -> bytes:
        """Return the packed outcome of a packed task.

        Args:
            task: Packed.
            shared: References to what was shared, by name.
        """
        self._shared = shared
        return attempt(task, self._bench)

    def _fetch(self, name: str) -> bytes:
        found: bytes = self._ray.get(self._shared[name])
        return found


def terminate(process: int) -> None:
    """Send SIGTERM to a process of this machine, if it is still there."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGTERM)
