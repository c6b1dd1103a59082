"""What a person sees while long work runs: a live bar in a terminal, plain lines elsewhere; all on standard error."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from faa_search.progress import Advance, Reporter

PLAIN_INTERVAL = 10.0  # seconds between lines where no bar can be drawn


def make_reporter(*, quiet: bool = False) -> Reporter:
    """Return a reporter for where standard error goes; a quiet one for the processes that do not speak."""
    console = Console(stderr=True, quiet=quiet)
    return Live(console) if console.is_terminal else Plain(console)


class Live:
    """A bar with rate and time left."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def note(self, message: str) -> None:
        """Show one line."""
        self.console.print(escape(message), highlight=False)

    @contextmanager
    def track(self, what: str, total: int, *, done: int = 0) -> Iterator[Advance]:
        """Show a bar while the block runs."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}", style="dim"),
        )
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task(what, total=total, completed=done, rate="", detail="")
            started = time.perf_counter()

            def advance(detail: str = "") -> None:
                new = progress.tasks[0].completed + 1 - done
                progress.update(task, advance=1, rate=rate(new, time.perf_counter() - started), detail=detail)

            yield advance


class Plain:
    """A line at the start, at the end, and every few seconds between."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def note(self, message: str) -> None:
        """Show one line."""
        self.console.print(escape(message), highlight=False, soft_wrap=True)

    @contextmanager
    def track(self, what: str, total: int, *, done: int = 0) -> Iterator[Advance]:
        """Show lines while the block runs."""
        started = shown = time.perf_counter()
        count = done

        def advance(detail: str = "") -> None:
            nonlocal count, shown
            count += 1
            now = time.perf_counter()
            if count == total or now - shown >= PLAIN_INTERVAL:
                shown = now
                left = (total - count) * (now - started) / (count - done)
                self.note(
                    f"{what}: {count}/{total}, {rate(count - done, now - started)}, {duration(left)} left"
                    f"{', ' + detail if detail else ''}"
                )

        yield advance


def show_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: ruled in a terminal, aligned columns of plain text elsewhere. The first column is never cut."""
    console = Console(highlight=False)
    lines = [tuple(headers), *(tuple(row) for row in rows)]
    if not console.is_terminal:
        widths = [max(len(line[column]) for line in lines) for column in range(len(headers))]
        for line in lines:
            print("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())  # noqa: T201
        return
    table = Table()
    for column, header in enumerate(headers):
        table.add_column(header, no_wrap=column == 0)
    for line in lines[1:]:
        table.add_row(*(escape(cell) for cell in line))
    console.print(table)


def rate(count: float, seconds: float) -> str:
    """Return a rate for people: per second, or seconds each when slow."""
    if count == 0 or seconds == 0:
        return ""
    return f"{count / seconds:.1f}/s" if count >= seconds else f"{seconds / count:.1f} s each"


def duration(seconds: float) -> str:
    """Return a duration for people."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
