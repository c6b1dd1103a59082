"""What becomes of a task in a worker, and how tasks and results travel.

They are pickled, which runs code when they are read: so only between processes that one run has started itself, over
pipes or connections that both ends have proved to belong to. Nothing that is pickled is ever written to a file.
"""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cloudpickle

from faa_core import FaaError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a task returned, or the exception that it ended with."""

    value: Any = None
    error: BaseException | None = None


class WorkerLost(Exception):  # noqa: N818 not a mistake of anybody's
    """A worker ended in the middle of a task; the message states how."""


def pack(thing: Any) -> bytes:
    """Return anything picklable as bytes; functions and classes of a script's own are taken along.

    Raises:
        FaaError: If it cannot be pickled.
    """
    try:
        content: bytes = cloudpickle.dumps(thing)
    except Exception as error:
        raise FaaError(
            f"A {type(thing).__qualname__} cannot be sent to or from a worker ({type(error).__name__}: {error}); use "
            "picklable tasks and results, or --executor local."
        ) from error
    return content


def unpack(content: bytes) -> Any:
    """Return what `pack` was given, in another process of the same run."""
    return cloudpickle.loads(content)


def attempt(task: bytes, bench: Callable[[], Any]) -> bytes:
    """Do a task in a worker, and return its outcome, packed.

    Args:
        task: Packed.
        bench: Returns what the tasks work with; what it raises counts as raised by the task.
    """
    try:
        return pack(Outcome(value=unpack(task)(bench())))
    except BaseException as error:  # noqa: BLE001 whatever it is, it is the caller's
        return _pack_error(error)


def _pack_error(error: BaseException) -> bytes:
    """Pack an exception so that it arrives as it was, with where it came from."""
    trace = "".join(traceback.format_exception(error))
    if not isinstance(error, FaaError):
        error.add_note(f"In a worker:\n{trace}")
    try:
        content = pack(Outcome(error=error))
        unpack(content)  # an exception with unusual arguments may be written and not be read
    except Exception:  # noqa: BLE001 neither way documents what it may raise
        return pack(Outcome(error=RuntimeError(f"A task failed with an exception that cannot travel.\n{trace}")))
    return content
