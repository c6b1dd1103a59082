"""What a person sees while long work runs: a live bar in a terminal, plain lines elsewhere; all on standard error."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from faa_cli.showing import say, shown, terminal_width
from faa_core.text import duration
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

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 slow to import

        self.console = Console(stderr=True, width=terminal_width(), markup=False, emoji=False, highlight=False)

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
            bars.TimeRemainingColumn(),
            bars.TextColumn("{task.fields[detail]}", style="dim", markup=False, table_column=Column(overflow="fold")),
        )
        with bars.Progress(*columns, console=self.console) as progress:
            label = shown(what, sys.stderr)
            task = progress.add_task(label, total=total, completed=done, rate="", detail="")
            started = time.perf_counter()

            def advance(detail: str = "") -> None:
                new = progress.tasks[0].completed + 1 - done
                speed = rate(new, time.perf_counter() - started)
                progress.update(task, advance=1, rate=speed, detail=shown(detail, sys.stderr))

            yield advance


class Plain:
    """A line every few seconds, and one at the end."""

    def note(self, message: str) -> None:
        """Show one line."""
        say(message, err=True)

    @contextmanager
    def track(self, what: str, total: int, *, done: int = 0) -> Iterator[Advance]:
        """Show lines while the block runs."""
        started = shown_at = time.perf_counter()
        count = done

        def advance(detail: str = "") -> None:
            nonlocal count, shown_at
            count += 1
            now = time.perf_counter()
            if count == total or now - shown_at >= PLAIN_INTERVAL:
                shown_at = now
                parts = [f"{count}/{total}", rate(count - done, now - started)]
                if count < total:
                    parts.append(f"{duration((total - count) * (now - started) / (count - done))} left")
                self.note(f"{what}: {', '.join(filter(None, [*parts, detail]))}")

        yield advance


def rate(count: float, seconds: float) -> str:
    """Return a rate for people: per second, or the time of each when slow."""
    if count == 0 or seconds == 0:
        return ""
    if count >= seconds:
        return f"{count / seconds:.1f}/s"
    each = seconds / count
    return f"{each:.1f} s each" if each < 59.95 else f"{duration(each)} each"
