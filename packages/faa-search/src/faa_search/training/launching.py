"""Starting a command in several processes, by torch's own launcher, so that nobody has to know how."""

import logging
import os
import signal
import sys
from collections.abc import Mapping
from uuid import uuid4

import torch
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from faa_core import FaaError
from faa_search.training.stopping import Stopped

REFUSED = 2  # exit code of a process that has said itself what was wrong


def is_launched(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a launcher has started this process, so that it must start no others."""
    return "WORLD_SIZE" in environment or "ACCELERATE_MIXED_PRECISION" in environment


def launch(processes: int, *, device: str) -> None:
    """Run this process's own command line in several processes on this machine, and wait for them.

    Args:
        processes: How many.
        device: auto, cpu or cuda.

    Raises:
        FaaError: If there are fewer GPUs than processes, or a process failed; the message says how.
        Stopped: If a signal stopped them; their state is kept.
        SystemExit: If they refused what was given, and have said why.
    """
    gpus = 0 if device == "cpu" else torch.cuda.device_count()
    if gpus < processes and (gpus or device == "cuda"):
        raise FaaError(f"--num-processes {processes}, but torch sees {gpus} GPUs; each process needs its own.")
    # As torchrun does it, but fair: every process gets its part of the cores instead of one.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # what it reports, `_explain` says
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        monitor_interval=0.2,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "faa_cli", *sys.argv[1:])
    except SignalException as error:
        raise Stopped(int(error.sigval)) from error
    except ChildFailedError as error:
        _explain(error)


def _explain(error: ChildFailedError) -> None:
    """Say which process failed first, and how; those that the launcher stopped for it do not count."""
    failures = error.failures.items()
    killed = [(rank, one) for rank, one in failures if one.exitcode < 0 and one.exitcode != -signal.SIGTERM]
    crashed = [(rank, one) for rank, one in failures if one.exitcode > 0 and one.exitcode != REFUSED]
    if any(one.exitcode == REFUSED for _rank, one in failures) and not (killed or crashed):
        raise SystemExit(REFUSED) from error
    rank, first = (killed or crashed or list(failures))[0]
    how = f"was killed by {first.signal_name()}" if first.exitcode < 0 else f"ended with code {first.exitcode}"
    raise FaaError(
        f"Process {rank} {how}, and the others were stopped. The same command goes on from the last saved state."
    ) from error
