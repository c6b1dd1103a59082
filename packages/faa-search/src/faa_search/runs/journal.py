"""Journals: one JSON line for each finished piece of work, appended as the work goes on.

A process killed while writing leaves an incomplete last line, which is dropped and its work done again. Lines are given
to the system; only `sync` forces them onto the disk, which may take as long as a trial: where the power fails, the last
may be lost. Each line ends with a checksum of its fields, so a digit that flipped is not believed. Lines of versions
before it have none.
"""

import json
import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, BinaryIO, ClassVar, Generic, Protocol, TypeVar

from pydantic import Field, TypeAdapter

from faa_core import FaaError
from faa_core.errors import NewerRecordError
from faa_core.files import write_text
from faa_core.paths import refused_as
from faa_core.reading import as_text, parse_json, read_content, validate_json
from faa_core.text import safe
from faa_search.runs.files import UNFINISHED
from faa_search.runs.schemas import SCHEMA, check_schema

BLOCK = 4096  # bytes read at once from the end of a journal
CHECK = "check"
AGAIN = "the command that made this run does the work anew if it is not finished"

Natural = Annotated[int, Field(ge=0, lt=2**63)]


class Entry(Protocol):
    """A dataclass of what JSON can hold.

    It may have more class attributes, for messages: `what`, what it is called where that is not its class's name;
    `again`, what becomes of an entry that is removed, where it is not the command of its run that does the work anew;
    `not_finite`, what makes a figure of it not finite.

    Attributes:
        schema: See `runs.schemas`.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    schema: ClassVar[str]

    @property
    def key(self) -> tuple[int, ...]:
        """What tells entries apart."""


Kind = TypeVar("Kind", bound=Entry)


class Journal(Generic[Kind]):
    """A file of entries of one kind."""

    def __init__(self, path: Path, kind: type[Kind]) -> None:
        self.path = path
        self.kind = kind
        self._adapter = TypeAdapter(kind)
        self._what = getattr(kind, "what", kind.__name__.lower())

    def read(self) -> list[Kind]:
        """Return the entries, of those with one key the last; a last line that is not finished does not count.

        Blank lines are passed over, and so are fields that only a newer version knows.

        Raises:
            FaaError: If any other line is not an entry, or was changed after it was written.
        """
        return [entry for entry, _line in self._entries()]

    def append(self, entry: Kind) -> None:
        """Add an entry, in place of a last line that was not finished; it outlives this process.

        Raises:
            FaaError: If a figure of it is not finite, so that it could not be read again; or the system refuses.
        """
        line = self._line(entry)
        with refused_as(f"'{safe(self.path)}' cannot be written"), self.path.open("a+b") as file:
            file.truncate(_end_of_lines(file))
            file.write(line.encode())

    def keep(self, wanted: Callable[[Kind], bool]) -> None:
        """Remove the entries that are not wanted, if there are any.

        Raises:
            FaaError: As `read`, or if the system refuses.
        """
        entries = self._entries()
        kept = [line for entry, line in entries if wanted(entry)]
        if len(kept) < len(entries):
            text = "".join(f"{as_text(line)}\n" for line in kept)
            write_text(self.path, text, aside=self.path.parent / UNFINISHED)

    def sync(self) -> None:
        """Have the entries so far on the disk, as for what is made of them."""
        if self.path.is_file():
            with self.path.open("ab") as file:
                os.fsync(file.fileno())

    def _entries(self) -> list[tuple[Kind, bytes]]:
        """Return the entries with their lines, of those with one key the last."""
        if not self.path.is_file():
            return []
        content = read_content(self.path)
        lines = content[: content.rfind(b"\n") + 1].split(b"\n")
        entries = [(self._parse(line, number), line) for number, line in enumerate(lines, start=1) if line.strip()]
        return list({entry.key: (entry, line) for entry, line in entries}.values())

    def _line(self, entry: Kind) -> str:
        """Return the line of an entry.

        Raises:
            FaaError: If a figure of it is not finite.
        """
        content = {SCHEMA: self.kind.schema, **asdict(entry)}
        try:
            return json.dumps(content | {CHECK: _checksum(content)}, allow_nan=False) + "\n"
        except ValueError as error:
            why = getattr(self.kind, "not_finite", "")
            told = f"A figure of a {self._what} is not finite, so '{safe(self.path)}' does not get it. {why}"
            raise FaaError(told.rstrip()) from error

    def _parse(self, line: bytes, number: int) -> Kind:
        what = self._what
        place = f"Line {number} of '{safe(self.path)}'"
        again = getattr(self.kind, "again", AGAIN)
        alone = f"Put back a copy of the file. Or remove this line alone: {again}, and every other line stays good."
        try:
            text = as_text(line)
            content = parse_json(text)
            check_schema(content, self.kind.schema, self.path)
            written = _unchanged(content, {SCHEMA, *(field.name for field in fields(self.kind))})
        except NewerRecordError:
            raise
        except FaaError as error:
            raise FaaError(f"{place} is not a valid {what}: {error}. {alone}") from error
        try:
            return validate_json(self._adapter, text)
        except FaaError as error:
            newer = "Its checksum is correct, so another version of faa wrote it so; use that, and keep the line."
            raise FaaError(f"{place} is not a valid {what}: {error}. {newer if written else alone}") from error


def _unchanged(content: Any, known: set[str]) -> bool:
    """Return whether a line has a checksum, which is correct; lines before there were checksums have none.

    It is of all other fields, or of those that we know: a newer version may have added to them.

    Raises:
        FaaError: If the line is not an object, or its checksum is wrong.
    """
    if not isinstance(content, dict):
        raise FaaError("it is not a JSON object")
    if CHECK not in content:
        return False
    check = content.pop(CHECK)
    if check not in (_checksum(content), _checksum({name: content[name] for name in known & content.keys()})):
        raise FaaError("its checksum is wrong, so something in it was changed")
    return True


def _checksum(content: Mapping[str, Any]) -> str:
    """Return a number that changes with any field, however the line is spaced."""
    return f"{zlib.crc32(json.dumps(content, sort_keys=True).encode()):08x}"


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
