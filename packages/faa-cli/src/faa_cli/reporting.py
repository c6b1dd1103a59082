"""What a person sees while long work runs: a live bar in a terminal, plain lines elsewhere; all on standard error."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from faa_cli.pace import Pace
from faa_cli.showing import say, shown, terminal_width
from faa_search.progress import Advance, Reporter, Silent

PLAIN_INTERVAL = 10.0  # seconds between lines where no bar can be drawn
NARROWEST = 60  # columns of a terminal in which a bar has room


def make_reporter(*, quiet: bool = False) -> Reporter:
    """Return a reporter for where standard error goes; a quiet one for the processes that do not speak."""
    if quiet:
        return Silent()
    draws = sys.stderr.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}
    return Live() if draws and terminal_width() >= NARROWEST else Plain()


class Live:
    """A bar with rate and time left."""

    def __init__(self, *, clock: Callable[[], float] = time.perf_counter) -> None:
        """Make one that takes the time, in seconds, from a clock."""
        from rich.console import Console  # noqa: PLC0415 slow to import

        self.console = Console(stderr=True, width=terminal_width(), markup=False, emoji=False, highlight=False)
        self.clock = clock

    def note(self, message: str) -> None:
        """Show one line."""
        from rich.text import Text  # noqa: PLC0415 slow to import

        self.console.print(Text(shown(message, sys.stderr)), soft_wrap=True)

    @contextmanager
    def track(self, what: str, total: int, *, done: int = 0) -> Iterator[Advance]:
        """Show a bar while the block runs."""
        from rich import progress as bars  # noqa: PLC0415 slow to import
        from rich.table import Column  # noqa: PLC0415

        columns = (
            bars.TextColumn("{task.description}", markup=False),
            bars.BarColumn(bar_width=10),
            bars.MofNCompleteColumn(),
            bars.TextColumn("{task.fields[rate]}", markup=False),
            bars.TimeElapsedColumn(),
            bars.TextColumn("{task.fields[left]}", markup=False),
            bars.TextColumn("{task.fields[detail]}", style="dim", markup=False, table_column=Column(overflow="fold")),
        )
        with bars.Progress(*columns, console=self.console) as progress:
            label = shown(what, sys.stderr)
            task = progress.add_task(label, total=total, completed=done, rate="", left="", detail="")
            pace = Pace(total, done=done, started=self.clock())

            def advance(detail: str = "") -> None:
                pace.finish(self.clock())
                progress.update(task, advance=1, rate=pace.rate, left=pace.left, detail=shown(detail, sys.stderr))

            yield advance


class Plain:
    """A line every few seconds, and one at the end."""

    def __init__(self, *, clock: Callable[[], float] = time.perf_counter) -> None:
        """Make one that takes the time, in seconds, from a clock."""
        self.clock = clock

    def note(self, message: str) -> None:
        """Show one line."""
        say(message, err=True)

    @contextmanager
    def track(self, what: str, total: int, *, done: int = 0) -> Iterator[Advance]:
        """Show lines while the block runs."""
        shown_at = self.clock()
        pace = Pace(total, done=done, started=shown_at)

        def advance(detail: str = "") -> None:
            nonlocal shown_at
            now = self.clock()
            pace.finish(now)
            if pace.done == total or now - shown_at >= PLAIN_INTERVAL:
                shown_at = now
                parts = (f"{pace.done}/{total}", pace.rate, pace.left, detail)
                self.note(f"{what}: {', '.join(filter(None, parts))}")

        yield advance
