"""Reading files of anybody's making: only regular files, of a size, and JSON without repeated names."""

import codecs
import json
import math
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from faa_core.errors import FaaError, NewerRecordError
from faa_core.paths import refused_as
from faa_core.text import safe

Kind = TypeVar("Kind")
MOST_DIGITS = 100  # of a whole number; with 310, no float is as large
MOST_FAULTS = 5  # that a message names
TOO_DEEP = "it is nested too deeply"


class NotJsonError(FaaError):
    """A text that is not JSON at all, so that it may be something else."""


def read_content(path: Path, *, most: int | None = None) -> bytes:
    """Return the content of a regular file.

    Args:
        path: The file.
        most: Bytes it may have; None where it is a run's own, which may be of any size.

    Raises:
        FaaError: If it cannot be read, is not a regular file, or has more bytes.
    """
    size = size_of(path)
    if most is not None and size > most:
        raise FaaError(f"'{safe(path)}' has {size:,} bytes; of such a file at most {most:,} are read.")
    with refused_as(f"'{safe(path)}' cannot be read"):
        return path.read_bytes() if size else b""


def size_of(path: Path) -> int:
    """Return the bytes of a regular file, or of what a link leads to; a pipe or a device could be endless.

    What the system makes while it is read, as below /proc, says it has 0 bytes, and may wait forever. It is refused;
    an empty file elsewhere may be such a one too, and is not to be opened.

    Raises:
        FaaError: If it cannot be looked at, or is not a regular file that holds its bytes.
    """
    with refused_as(f"'{safe(path)}' cannot be read"):
        try:
            found = path.stat()
        except ValueError as error:  # it holds a zero byte
            raise FaaError(f"'{safe(path)}' cannot be read: {safe(error)}.") from error
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "not a regular file (a pipe or a device)"
        raise FaaError(f"'{safe(path)}' cannot be read: it is {what}; give the path of a file.")
    if found.st_size == 0 and Path(os.path.realpath(path)).is_relative_to("/proc"):
        raise FaaError(
            f"'{safe(path)}' cannot be read: the system makes it while it is read. Copy what it holds into a file, and "
            "give that."
        )
    return found.st_size


def as_text(content: bytes) -> str:
    """Return content as text, in UTF-8, or in UTF-16 where it has that byte order mark; the mark is dropped.

    Raises:
        FaaError: If it is neither; the encoding is named, or the first byte that cannot be read.
    """
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise FaaError("it is UTF-32 text; save it as UTF-8")
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        what = "begins as UTF-16 text and is damaged" if wide else "is not UTF-8 text"
        where = f"the first bad byte is 0x{content[error.start]:02X}, at byte {error.start:,}"
        raise FaaError(f"it {what} ({where}); if it is text, save it as UTF-8") from error


def parse_json(text: str, *, finite: bool = True) -> Any:
    """Return the value of a JSON text that means the same to every reader.

    Args:
        text: JSON.
        finite: Whether NaN and endless numbers are refused.

    Raises:
        NotJsonError: If it is not JSON.
        FaaError: If it has a name twice in one object, such a number, or is nested too deeply; the message states what,
            not in which file.
    """
    numbers: dict[str, Any] = {"parse_constant": _no_number, "parse_float": _finite, "parse_int": _whole}
    try:
        return json.loads(text, object_pairs_hook=_object, **(numbers if finite else {}))
    except RecursionError as error:
        raise FaaError(TOO_DEEP) from error
    except json.JSONDecodeError as error:
        raise NotJsonError(f"it is not JSON: {error}") from error
    except ValueError as error:  # a whole number of more digits than Python reads
        raise FaaError("a number in it has too many digits") from error


def parse_json_as(kind: TypeAdapter[Kind], text: str, *, finite: bool = True) -> Kind:
    """Return the value of a JSON text as a dataclass or another type that pydantic knows; unknown fields are ignored.

    Types are strict: true is not a number, and "1" neither. Numbers come back to the bit.

    Raises:
        FaaError: As `parse_json`; or if it does not fit the type: the message names up to five faults.
    """
    parse_json(text, finite=finite)
    return validate_json(kind, text)


def refuse_newer(said: Any, schema: str, *, source: str, packages: str) -> None:
    """Refuse a schema of the kind that is known here and of a larger number.

    Args:
        said: The schema that a file names.
        schema: The newest that is known here, such as ``faa-policy/1``.
        source: What the file is called in the message.
        packages: Whose newer versions know more.

    Raises:
        NewerRecordError: If it is newer.
    """
    kind, _, known = schema.rpartition("/")
    before, _, number = said.rpartition("/") if isinstance(said, str) else ("", "", "")
    if before == kind and number.isdecimal() and len(number) < 10 and int(number) > int(known):
        raise NewerRecordError(
            f"{source} was written by a newer version of faa: its schema is '{safe(said)}', and this version knows "
            f"'{schema}'. The file is good, so keep it: update {packages}, and give the same command again."
        )


def validate_json(kind: TypeAdapter[Kind], text: str) -> Kind:
    """Return the value of a JSON text that `parse_json` has read already; see `parse_json_as`.

    Raises:
        FaaError: If it does not fit the type.
    """
    try:
        return kind.validate_json(text, strict=True)
    except ValidationError as error:
        raise FaaError("; ".join(faults(error))) from error


def faults(error: ValidationError, *, skip: int = 0) -> list[str]:
    """Return each fault that pydantic found as "where: what (given …)"; of many the first five.

    A list that pydantic calls too short because its items are faulty is not counted as a fault.

    Args:
        error: What it raised.
        skip: Parts of each place to leave out.
    """
    details = error.errors()
    inner = {fault["loc"][:depth] for fault in details for depth in range(1, len(fault["loc"]))}
    own = [fault for fault in details if fault["loc"] not in inner]
    said = [_placed(fault, fault["loc"][skip:]) for fault in own[:MOST_FAULTS]]
    return said + ([f"and {len(own) - MOST_FAULTS} more"] if len(own) > MOST_FAULTS else [])


def _placed(fault: Any, parts: Sequence[int | str]) -> str:
    """Return a fault with its place; what is wrong with the whole has none, but for its kind."""
    if not parts and fault["type"] == "value_error":
        return _said(fault)
    return f"{safe('.'.join(map(str, parts)) or 'kind')[:200]}: {_said(fault)}"


def _said(fault: Any) -> str:
    given = "" if isinstance(fault["input"], dict) else f" (given {fault['input']!r:.80})"
    return safe(fault["msg"].removeprefix("Value error, ") + given)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise FaaError(f"it has '{safe(twice)[:80]}' twice in one object")
    return found


def _no_number(name: str) -> Any:
    raise FaaError(f"it holds {name}, which is not a number")


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise FaaError("a number in it has too many digits")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise FaaError(f"the number {text[:40]} in it is too large")
    return number
