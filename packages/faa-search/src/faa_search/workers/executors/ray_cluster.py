"""Reaching a Ray cluster, or starting one for the time of a run, and asking what there is room for."""

import logging
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from faa_core import FaaError
from faa_search.workers.executors.capacity import cores, gpus
from faa_search.workers.executors.guard import guarded
from faa_search.workers.executors.protocol import ExecutorOptions

REACHING = 10.0  # seconds for a cluster's address to answer; Ray itself tries for minutes
QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
TOKEN = "RAY_AUTH_TOKEN"  # noqa: S105 the variable's name
LOOPBACK = "127.0.0.1"
LOCAL = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # at 0, Ray takes this machine's address for the loopback's, on any system
OLDEST = "2.52"  # Ray with tokens


@contextmanager
def ray_cluster(options: ExecutorOptions) -> Iterator[Any]:
    """Give the module `ray`, connected; a cluster that was started here ends with the block, others stay as they are.

    Raises:
        FaaError: If Ray is not installed, or the cluster cannot be reached.
    """
    if find_spec("ray") is None:
        raise FaaError("--executor ray: Ray is not installed; pip install 'faa-search[ray]'.")
    with _variables({LOCAL: "0"} if options.ray_address is None else {}):
        ray: Any = import_module("ray")
    if ray.is_initialized():  # by the caller, who keeps it
        if options.ray_address not in {None, "auto"}:
            raise FaaError(f"--ray-address {options.ray_address}: connected to a Ray cluster already; leave it out.")
        yield ray
        return
    with _started(ray, options) if options.ray_address is None else _joined(ray, options.ray_address):
        yield ray


def share_of_worker(ray: Any, options: ExecutorOptions) -> dict[str, float]:
    """Return what each worker reserves: GPUs if there are any and they may be used, else a core.

    Raises:
        FaaError: If there is no GPU and CUDA was asked for, or the share of one is impossible.
    """
    there = ray.cluster_resources().get("GPU", 0)
    if options.device == "cuda" and not there:
        raise FaaError("--device cuda: the Ray cluster has no GPU; use --device auto or cpu.")
    if options.device == "cpu" or not there:
        return {"num_cpus": 1}
    share = options.gpus_per_worker
    if not 0 < share <= 1 and not (share > 1 and share.is_integer()):
        raise FaaError(f"--gpus-per-worker {share}: allowed are fractions up to 1, and whole numbers.")
    return {"num_gpus": share, "num_cpus": 0}


def room(ray: Any, share: dict[str, float]) -> int:
    """Return how many workers fit on the cluster's machines, each of which has whole workers only."""
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(_fitting(resources, share) for resources in alive)


def free_room(ray: Any, share: dict[str, float]) -> int:
    """Return how many workers at most can start now, beside what else the cluster does."""
    return _fitting(ray.available_resources(), share)


def _fitting(resources: Mapping[str, float], share: dict[str, float]) -> int:
    kind, each = ("GPU", share["num_gpus"]) if "num_gpus" in share else ("CPU", share["num_cpus"])
    return int(resources.get(kind, 0) / each + 1e-6)


@contextmanager
def _started(ray: Any, options: ExecutorOptions) -> Iterator[None]:
    """Start a cluster of this machine alone, which reports nothing and serves only those who know its token."""
    device_count, token = gpus(options), secrets.token_hex(32)
    with _variables({**QUIET, "RAY_AUTH_MODE": "token", TOKEN: token}):
        _read_variables(ray)  # Ray reads them once, and gives them to the processes that it starts now
        try:
            ray.init(
                address="local",
                num_cpus=max(cores(), options.processes or 0),
                num_gpus=device_count,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _node_ip_address=LOOPBACK,
            )
        except Exception as error:
            ray.shutdown()
            raise FaaError(f"Ray does not start: {_first_line(error)} --executor processes needs no Ray.") from error
    try:
        address = ray.nodes()[0]["NodeManagerAddress"]
        if address != LOOPBACK:  # where the caller imported Ray before
            options.note(
                f"The Ray cluster of this run listens on all network interfaces of this machine (it is at {address}); "
                f"it serves only those who know its token. Set {LOCAL}=0 before Ray is imported, and it listens on "
                f"{LOOPBACK} only."
            )
        with guarded(_of_cluster(token)):
            yield
            ray.shutdown()
    finally:
        ray.shutdown()
        _read_variables(ray)


def _of_cluster(token: str) -> Iterator[int]:
    """Give the numbers of this process's children that were given a token, and of all processes below these."""
    psutil: Any = import_module("psutil")
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # it has ended
            if child.environ().get(TOKEN) == token:
                yield from (process.pid for process in (child, *child.children(recursive=True)))


def _read_variables(ray: Any) -> None:
    """Let Ray forget the environment's settings of tokens, and read it anew.

    Raises:
        FaaError: If this Ray knows no tokens.
    """
    raylet = ray._raylet  # Ray's own set-up does it so, and offers no other way
    if not hasattr(raylet, "AuthenticationTokenLoader"):
        raise FaaError(
            f"Ray {ray.__version__} serves everyone who reaches it: it knows no tokens. Install Ray {OLDEST} or newer "
            "(pip install -U 'faa-search[ray]'), or use --executor processes."
        )
    raylet.Config.initialize("")
    raylet.AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment while the block runs."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _joined(ray: Any, address: str) -> Iterator[None]:
    try:
        if address != "auto":
            host, _colon, port = address.rpartition("://")[2].rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), timeout=REACHING).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        ray.shutdown()
        raise FaaError(
            f"--ray-address {address}: no Ray cluster answers there ({_first_line(error)}). Give the HOST:PORT that "
            "`ray start --head` prints, or auto on one of its machines. If it wants a token, set RAY_AUTH_MODE=token "
            "and RAY_AUTH_TOKEN as it does."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
