"""Stopping on a signal after the current update, by all processes at the same one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from faa_search.workers.processes import Processes, any_process

AGREE_EVERY = 8  # updates between the moments at which several processes ask each other; asking waits for the device


class Stopped(KeyboardInterrupt):
    """A run was told to stop, and has kept its state.

    Attributes:
        number: The signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.number,)  # so that it crosses process borders


class StopRequest:
    """Whether a signal has asked this process to stop."""

    def __init__(self) -> None:
        self.number: int | None = None

    def due(self, accelerator: Processes, updates: int) -> bool:
        """Return whether to stop now; every process must ask after every update.

        Args:
            accelerator: The processes.
            updates: How many were done in all; the processes agree on it.
        """
        if accelerator.num_processes == 1:
            return self.number is not None
        return updates % AGREE_EVERY == 0 and any_process(accelerator, self.number is not None)

    def stop(self) -> None:
        """End the run.

        Raises:
            Stopped: Always.
        """
        raise Stopped(self.number or signal.SIGTERM)  # another process may have got the signal


class _Noting:
    """A signal's handler: notes it as a request, for the blocks further out as well; the second signal acts at once."""

    def __init__(self, request: StopRequest, before: Any) -> None:
        self.request = request
        self.before = before
        self.noted = False
        if isinstance(before, _Noting) and before.noted:  # asked before this block was opened
            self.note(before.request.number)

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.noted:
            signal.signal(number, self._outermost())
            signal.raise_signal(number)
        else:
            self.note(number)

    def note(self, number: int | None) -> None:
        """Ask this block and those further out to stop."""
        self.request.number, self.noted = number, True
        if hasattr(self.before, "note"):  # another block's, or the command line's
            self.before.note(number)

    def _outermost(self) -> Any:
        before = self.before
        while isinstance(before, _Noting):
            before = before.before
        return before


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into requests while the block runs; the same signal a second time acts at once.

    Blocks may be nested: one signal is a request to them all, and to those that are opened afterwards. Signals can only
    be received in the main thread: elsewhere they do what they did before.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    # A handler that is not Python's is None here, and cannot be put back.
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in (signal.SIGINT, signal.SIGTERM)}
    ours = {number: _Noting(request, handler) for number, handler in before.items()}
    try:
        for number, noting in ours.items():
            signal.signal(number, noting)
        yield request
    finally:
        for number, noting in ours.items():
            if signal.getsignal(number) is noting:  # after a second signal it is the outermost one already
                signal.signal(number, before[number])
    if request.number is not None:  # it came after the last update
        request.stop()
