"""Where proposals are made: in this process, or in others while this one's device scores.

A sampler is a pure function, so the proposals are the same, and one whose process was lost is simply made again.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from loky import ProcessPoolExecutor
from loky.process_executor import BrokenProcessPool, ShutdownExecutorError

from faa_search.searching.samplers import Params, PolicySpace, Sampler, Scored
from faa_search.searching.samplers.serving import serve

HISTORY = 25  # trials before the timed proposal: TPE starts to cost after its first 20
START_SECONDS = 2.0  # of a core, until a process that proposes has imported hyperopt (torch it never does)
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Proposer(Protocol):
    """Makes proposals for the rounds of a search."""

    def submit(self, history: Sequence[Scored], seed: int) -> "Future[Params]":
        """Return the future proposal of the sampler; an exception of the sampler is its exception.

        Args:
            history: The round's trials so far, as they are now; later changes do not matter.
            seed: Of the trial.
        """


@contextmanager
def proposing_here(space: PolicySpace, sampler: Sampler) -> Iterator[Proposer]:
    """Give a proposer that makes each proposal inside `submit`."""
    yield _Here(space, sampler)


@contextmanager
def proposing_aside(
    space: PolicySpace, sampler: Sampler, *, processes: int, note: Callable[[str], object]
) -> Iterator[Proposer]:
    """Give a proposer that makes proposals in other processes, which compute with one thread each.

    They start with the first proposal, ignore SIGINT and SIGTERM, and end with the block or with this process. When one
    is lost, the proposals that were asked for and all later ones are made in this process. Proposals that nobody waited
    for are cancelled at the end of the block.

    Args:
        space: Of policies.
        sampler: Sent by reference, if it is a module's function.
        processes: How many.
        note: Told once, in the caller's thread, that processes were lost.
    """
    pool = ProcessPoolExecutor(max_workers=processes, initializer=serve, initargs=(os.getpid(),), env=ONE_THREAD)
    try:
        yield _Aside(space, sampler, pool, note)
    finally:
        pool.shutdown(wait=True, kill_workers=True)


def worth_aside(*, proposals: int, seconds_each: float) -> bool:
    """Return whether so many proposals take longer than it takes to start a process for them.

    Args:
        proposals: How many are left to make.
        seconds_each: What one takes.
    """
    return proposals * seconds_each > START_SECONDS


def proposal_seconds(space: PolicySpace, sampler: Sampler, *, depth: int) -> float:
    """Return the seconds of a proposal in the middle of a round.

    Args:
        space: Of policies.
        sampler: Proposes.
        depth: Trials of a round.
    """
    history = [Scored(sampler(space, [], number), 0.0) for number in range(min(HISTORY, depth - 1))]
    started = time.perf_counter()
    sampler(space, history, 0)
    return time.perf_counter() - started


class _Here:
    def __init__(self, space: PolicySpace, sampler: Sampler) -> None:
        self._space, self._sampler = space, sampler

    def submit(self, history: Sequence[Scored], seed: int) -> "Future[Params]":
        proposal: Future[Params] = Future()
        _settle(proposal, partial(self._sampler, self._space, history, seed))
        return proposal


class _Aside:
    def __init__(
        self, space: PolicySpace, sampler: Sampler, pool: ProcessPoolExecutor, note: Callable[[str], object]
    ) -> None:
        self._space, self._sampler, self._pool, self._note = space, sampler, pool, note
        self._noted = False

    def submit(self, history: Sequence[Scored], seed: int) -> "Future[Params]":
        proposal: Future[Params] = Future()
        make = partial(self._sampler, self._space, tuple(history), seed)
        try:
            asked = self._pool.submit(make)
        except BrokenProcessPool:
            if not self._noted:
                self._note("A process that made proposals was lost; from here on they are made in this one.")
                self._noted = True
            _settle(proposal, make)
        else:
            asked.add_done_callback(partial(_pass_on, proposal, make))
        return proposal


def _pass_on(proposal: "Future[Params]", make: Callable[[], Params], asked: "Future[Params]") -> None:
    """Settle a proposal as another process did, or by making it here, where its errors have their whole trace."""
    error = asked.exception()
    if isinstance(error, ShutdownExecutorError):
        proposal.cancel()
        proposal.set_running_or_notify_cancel()
    else:
        _settle(proposal, make if error else asked.result)


def _settle(proposal: "Future[Params]", make: Callable[[], Params]) -> None:
    if not proposal.set_running_or_notify_cancel():
        return
    try:
        proposal.set_result(make())
    except BaseException as error:  # noqa: BLE001 it belongs to the process that waits
        proposal.set_exception(error)
