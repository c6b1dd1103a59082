"""Journals: one JSON line for each finished piece of work, only ever appended to.

A process killed while writing leaves an incomplete last line, which is dropped and its work done again. Lines are given
to the system; only `sync` forces them onto the disk, which may take as long as a trial: where the power fails, the last
may be lost.
"""

import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Generic, Protocol, TypeVar

from faa_core import FaaError
from faa_search.samplers import Params

BLOCK = 4096  # bytes read at once from the end of a journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One candidate policy and how it did.

    Attributes:
        fold: Which fold's network and held-out images.
        round: Which of the fold's independent rounds.
        number: Position in its round.
        seed: Keys the proposal; follows from the search's seed, fold, round and number.
        params: See `faa_search.samplers.PolicySpace`.
        reward: What the round maximises.
        standard_error: Of the reward, over the held-out images.
        metrics: Every reward's value, by name.
        errors: Every reward's standard error, by name.
        views: Draws of each held-out image.
        draws: Keys these draws; trials with the same key share their random numbers.
        seconds: To score it.
    """

    fold: int
    round: int
    number: int
    seed: int
    params: Params
    reward: float
    standard_error: float
    metrics: dict[str, float]
    errors: dict[str, float]
    views: int
    draws: int
    seconds: float

    @property
    def key(self) -> tuple[int, int, int]:
        """Which trial of the search it is."""
        return self.fold, self.round, self.number


class Entry(Protocol):
    """A dataclass of what JSON can hold."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def key(self) -> tuple[int, ...]:
        """What tells entries apart."""


Kind = TypeVar("Kind", bound=Entry)


class Journal(Generic[Kind]):
    """A file of entries of one kind."""

    def __init__(self, path: Path, kind: type[Kind]) -> None:
        self.path = path
        self.kind = kind

    def read(self) -> list[Kind]:
        """Return the entries, of those with one key the last; a last line that is not finished does not count.

        Raises:
            FaaError: If any other line is no entry.
        """
        if not self.path.is_file():
            return []
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        entries = [self._parse(line, number) for number, line in enumerate(whole.splitlines(), start=1)]
        return list({entry.key: entry for entry in entries}.values())

    def append(self, entry: Kind) -> None:
        """Add an entry, in place of a last line that was not finished; it outlives this process."""
        line = json.dumps({field.name: getattr(entry, field.name) for field in fields(entry)})
        with self.path.open("a+b") as file:
            file.truncate(_end_of_lines(file))
            file.write(line.encode() + b"\n")

    def sync(self) -> None:
        """Have the entries so far on the disk, as for what is made of them."""
        if self.path.is_file():
            with self.path.open("ab") as file:
                os.fsync(file.fileno())

    def _parse(self, line: bytes, number: int) -> Kind:
        try:
            return self.kind(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise FaaError(
                f"Line {number} of '{self.path}' is no {self.kind.__name__.lower()}: {error}. Remove it and all lines "
                "after it to have them done again."
            ) from error


def _end_of_lines(file: BinaryIO) -> int:
    """Return where the last whole line of a file ends."""
    at = file.seek(0, os.SEEK_END)
    while at > 0:
        start = max(0, at - BLOCK)
        file.seek(start)
        found = file.read(at - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        at = start
    return 0
