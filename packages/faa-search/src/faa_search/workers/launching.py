"""Starting a command in several processes of this machine, so that users need not know how.

They meet in a private folder and speak over the loopback interface. The standard input of each is a pipe from this
process, which tells it to stop; when this process is gone, however it went, the pipe's end ends them.
"""

import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import torch

from faa_core import FaaError
from faa_search.workers.following import FOLDER
from faa_search.workers.meeting import on_loopback
from faa_search.workers.stopping import Stopped, StopRequest, stop_requests

REFUSED = 2  # exit code of a process that has shown itself what was wrong
PATIENCE = 30.0  # seconds that processes have to end when another has ended
SECONDS_BETWEEN_LOOKS = 0.1
TOLD = {128 + number: number for number in (signal.SIGINT, signal.SIGTERM)}  # exit codes of those that were stopped


def is_launched(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a launcher has started this process, so that it must start no others."""
    return "WORLD_SIZE" in environment or "ACCELERATE_MIXED_PRECISION" in environment


def launch(processes: int, *, device: str) -> None:
    """Run this process's own command line in several processes on this machine, and wait for them.

    Args:
        processes: How many.
        device: auto, cpu or cuda.

    Raises:
        FaaError: If there are fewer GPUs than processes, or a process failed; the message states how.
        Stopped: If a signal stopped them; their state is kept.
        SystemExit: If they refused what was given, and have shown why.
    """
    gpus = 0 if device == "cpu" else torch.cuda.device_count()
    if gpus < processes and (gpus or device == "cuda"):
        raise FaaError(f"--num-processes {processes}, but torch sees {gpus} GPUs; each process needs its own.")
    command = [sys.executable, "-m", "faa_cli", *sys.argv[1:]]
    with tempfile.TemporaryDirectory(prefix="faa-", ignore_cleanup_errors=True) as folder, stop_requests() as request:
        failed = run_ranks(command, [environment_of(rank, processes, folder) for rank in range(processes)], request)
    explain(failed)


def environment_of(rank: int, count: int, folder: str) -> dict[str, str]:
    """Return the environment of one of several processes: which it is, where they meet, and its part of the cores."""
    threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // count))}
    here = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    return {**threads, **os.environ, **on_loopback(), **here, FOLDER: folder}


def run_ranks(
    command: Sequence[str], environments: Sequence[Mapping[str, str]], request: StopRequest
) -> dict[int, int]:
    """Run a command once in each environment until all have ended; when one fails, the others are stopped.

    Args:
        command: Each reads the numbers of signals from its standard input.
        environments: By rank.
        request: Passed on to them.

    Returns:
        Exit codes other than 0, by rank, of those that were not stopped for another.
    """
    ranks: list[_Rank] = []
    try:
        for environment in environments:
            ranks.append(_Rank(command, environment))  # noqa: PERF401 those that are started must end
        return _wait(ranks, request)
    finally:
        for rank in ranks:
            rank.end()


class _Rank:
    """A process, in its own session: Ctrl-C comes from here, and once."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        told, self._tell = os.pipe()
        try:
            self._process = subprocess.Popen(command, env=environment, stdin=told, start_new_session=True)  # noqa: S603 our own
        except BaseException:
            os.close(self._tell)
            raise
        finally:
            os.close(told)

    def code(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._process.poll()

    def tell(self, number: int) -> None:
        """Pass on a signal."""
        with suppress(OSError):  # it has ended, and needs not be told
            os.write(self._tell, bytes([number]))

    def end(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        os.close(self._tell)


def _wait(ranks: Sequence[_Rank], request: StopRequest) -> dict[int, int]:
    failed: dict[int, int] = {}
    told, deadline = False, math.inf
    while None in (codes := [rank.code() for rank in ranks]) and time.monotonic() < deadline:
        if not told and (any(codes) or request.number is not None):
            failed, told = _failed(ranks), True  # looked at once more: the first to be seen need not be the first
            for rank in ranks:
                rank.tell(request.number or signal.SIGTERM)
        if told and deadline == math.inf and any(code is not None for code in codes):
            deadline = time.monotonic() + PATIENCE
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return failed if told else _failed(ranks)


def _failed(ranks: Sequence[_Rank]) -> dict[int, int]:
    return {number: code for number, rank in enumerate(ranks) if (code := rank.code())}


def explain(failed: Mapping[int, int]) -> None:
    """Say which process failed first, and how.

    Args:
        failed: Exit codes other than 0, by rank.

    Raises:
        FaaError: If one was killed, or ended in an error.
        Stopped: If they were stopped by a signal that one of them got.
        SystemExit: If they refused what was given.
    """
    killed = [rank for rank, code in failed.items() if code < 0 and code != -signal.SIGTERM]
    crashed = [rank for rank, code in failed.items() if code > 0 and code != REFUSED and code not in TOLD]
    if not failed:
        return
    if not (killed or crashed):
        if REFUSED in failed.values():
            raise SystemExit(REFUSED)
        for code in failed.values():
            if code in TOLD:
                raise Stopped(TOLD[code])
    rank = (killed or crashed or list(failed))[0]
    code = failed[rank]
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    raise FaaError(
        f"Process {rank} {how}, and the others were stopped. The same command goes on from the last saved state."
    )
