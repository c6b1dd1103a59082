"""Where the processes of one machine meet: a file in a private folder, and the loopback interface."""

import os
import socket
import time
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

import torch

from faa_core import FaaError
from faa_search.workers.following import FOLDER

SECONDS_BETWEEN_LOOKS = 0.05


def loopback_interface() -> str:
    """Return the name of the network interface that only this machine reaches.

    Raises:
        FaaError: If there is none of a known name.
    """
    names = {name for _number, name in socket.if_nameindex()}
    for known in ("lo", "lo0"):
        if known in names:
            return known
    raise FaaError(
        f"Of the network interfaces {', '.join(sorted(names))} none is the loopback interface (lo or lo0), over which "
        "the processes of one machine speak. Use one process, or start several with torchrun."
    )


def on_loopback() -> dict[str, str]:
    """Return what the environment of a process must set for gloo and NCCL to listen on this machine alone."""
    return dict.fromkeys(("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"), loopback_interface())


def on_one_machine(environment: Mapping[str, str]) -> bool:
    """Return whether all processes that a launcher has started are on this machine, as far as it tells."""
    count = environment.get("WORLD_SIZE")
    if count is not None and count == environment.get("LOCAL_WORLD_SIZE"):
        return True
    address = environment.get("MASTER_ADDR", "localhost")
    try:
        return address == "localhost" or ip_address(address).is_loopback
    except ValueError:  # a name
        return False


def meet(environment: Mapping[str, str], *, gpu: bool) -> None:
    """Make the process group of the processes that faa has started, so that Accelerate takes it over.

    Nothing is done where faa has started none, or they have met before.

    Args:
        environment: This process's.
        gpu: Whether each process has one.
    """
    folder = environment.get(FOLDER)
    if folder is None or torch.distributed.is_initialized():
        return
    rank, count = int(environment["RANK"]), int(environment["WORLD_SIZE"])
    Path(folder, f"rank{rank}").touch()
    while len(list(Path(folder).glob("rank*"))) < count:  # torch's own waiting answers no signal
        time.sleep(SECONDS_BETWEEN_LOOKS)
    store = torch.distributed.FileStore(str(Path(folder, "store")), count)  # type: ignore[attr-defined]
    torch.distributed.init_process_group("nccl" if gpu else "gloo", store=store, rank=rank, world_size=count)


def stay_on_this_machine() -> None:
    """Let gloo and NCCL listen on this machine alone if all processes are here, unless the user sets where."""
    if "WORLD_SIZE" in os.environ and on_one_machine(os.environ):
        for name, interface in on_loopback().items():
            os.environ.setdefault(name, interface)
