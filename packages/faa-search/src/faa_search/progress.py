"""How long work reports what it does: a caller passes a `Reporter`; the default is silent."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from faa_core import FaaError
from faa_core.text import safe


class Advance(Protocol):
    """Called after each unit of work."""

    def __call__(self, detail: str = "") -> None:
        """Count one unit; `detail` describes how it went."""


class Reporter(Protocol):
    """Shows notes and progress."""

    def note(self, message: str) -> None:
        """Show one line."""

    def track(self, what: str, total: int, *, done: int = 0) -> AbstractContextManager[Advance]:
        """Return a context that gives an `Advance`; `done` of the `total` units were finished before."""


def reporter_of(given: Any) -> Reporter:
    """Return what shows notes and progress: what was given, or nothing.

    Raises:
        FaaError: If it is not a `Reporter`.
    """
    if given is None:
        return Silent()
    if not all(callable(getattr(given, name, None)) for name in ("note", "track")):
        raise FaaError(
            "`reporter` must have the methods of faa_search.progress.Reporter, note and track; "
            f"{safe(repr(given)):.80} has not. Leave it out to show nothing."
        )
    reporter: Reporter = given
    return reporter


class Silent:
    """Shows nothing."""

    def note(self, message: str) -> None:
        """Drop the line."""

    @contextmanager
    def track(self, what: str, total: int, *, done: int = 0) -> Iterator[Advance]:
        """Give an `Advance` that shows nothing."""
        yield lambda detail="": None
