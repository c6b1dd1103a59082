"""How long work tells what it does: a caller passes a `Reporter`; the default is silent."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Advance(Protocol):
    """Called after each unit of work."""

    def __call__(self, detail: str = "") -> None:
        """Count one unit; `detail` says how it went."""


class Reporter(Protocol):
    """Shows notes and progress."""

    def note(self, message: str) -> None:
        """Show one line."""

    def track(self, what: str, total: int, *, done: int = 0) -> AbstractContextManager[Advance]:
        """Return a context that gives an `Advance`; `done` of the `total` units were finished before."""


class Silent:
    """Shows nothing."""

    def note(self, message: str) -> None:
        """Drop the line."""

    @contextmanager
    def track(self, what: str, total: int, *, done: int = 0) -> Iterator[Advance]:
        """Give an `Advance` that shows nothing."""
        yield lambda detail="": None
