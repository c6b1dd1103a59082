"""Reaching a Ray cluster, or starting one for the time of a run, and asking what there is room for."""

import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from faa_core import FaaError
from faa_search.executors.capacity import cores, gpus
from faa_search.executors.protocol import ExecutorOptions

REACHING = 10.0  # seconds for a cluster's address to answer; Ray itself tries for minutes
USAGE = "RAY_USAGE_STATS_ENABLED"


@contextmanager
def ray_cluster(options: ExecutorOptions) -> Iterator[Any]:
    """Give the module `ray`, connected; a cluster that was started here ends with the block, others stay as they are.

    Raises:
        FaaError: If Ray is not installed, or the cluster cannot be reached.
    """
    if find_spec("ray") is None:
        raise FaaError("--executor ray: Ray is not installed; pip install 'faa-search[ray]'.")
    ray: Any = import_module("ray")
    if ray.is_initialized():  # by the caller, who keeps it
        if options.ray_address not in {None, "auto"}:
            raise FaaError(f"--ray-address {options.ray_address}: connected to a Ray cluster already; leave it out.")
        yield ray
        return
    try:
        if options.ray_address is None:
            _start(ray, options)
        else:
            _join(ray, options.ray_address)
        yield ray
    finally:
        ray.shutdown()


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


def _start(ray: Any, options: ExecutorOptions) -> None:
    """Start a cluster of this machine alone, which reports to nobody."""
    device_count = gpus(options)
    before = os.environ.get(USAGE)
    os.environ[USAGE] = "0"  # read by the processes that start now
    try:
        ray.init(
            address="local",
            num_cpus=max(cores(), options.processes or 0),
            num_gpus=device_count,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except Exception as error:
        raise FaaError(f"Ray does not start: {_first_line(error)} --executor processes needs no Ray.") from error
    finally:
        if before is None:
            del os.environ[USAGE]
        else:
            os.environ[USAGE] = before


def _join(ray: Any, address: str) -> None:
    try:
        if address != "auto":
            host, _colon, port = address.rpartition("://")[2].rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), timeout=REACHING).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        raise FaaError(
            f"--ray-address {address}: no Ray cluster answers there ({_first_line(error)}). Give the HOST:PORT that "
            "`ray start --head` says, or auto on one of its machines. If it wants a token, set RAY_AUTH_MODE=token and "
            "RAY_AUTH_TOKEN as it does."
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
