"""Records of runs: each names its schema, and is written and read here.

A schema's number grows only when an earlier version would misread the record. A field may be added at any time: it has
a default for records that lack it, and code that does not know it passes over it. Records of the first versions name no
schema; they are of number 1.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from faa_core import FaaError
from faa_core.reading import as_text, parse_json, parse_json_as, read_content, refuse_newer, validate_json
from faa_core.text import one_line, safe
from faa_search.runs.files import write_file

SCHEMA = "schema"
Kind = TypeVar("Kind")


def write_record(run: Path, name: str, schema: str, document: Mapping[str, Any]) -> None:
    """Write a record of a run, atomically.

    Raises:
        FaaError: If the system refuses.
    """
    write_file(run, name, record_text(schema, document))


def record_text(schema: str, document: Mapping[str, Any]) -> str:
    """Return what a record's file holds."""
    return json.dumps({SCHEMA: schema, **document}, indent=1, ensure_ascii=False) + "\n"


def check_record(kind: TypeAdapter[Any], schema: str, document: Mapping[str, Any]) -> None:
    """Refuse what could not be read again as a record once it is written.

    Raises:
        FaaError: If it could not; the message states what.
    """
    try:
        text = record_text(schema, document)
    except (TypeError, ValueError, RecursionError) as error:
        raise FaaError(f"something that JSON cannot hold: {one_line(error)}") from error
    as_text(text.encode("utf-8", "surrogatepass"))
    parse_json_as(kind, text)


def read_record(path: Path, kind: TypeAdapter[Kind], schema: str, *, finite: bool = True) -> Kind:
    """Return a record, as the type that holds it.

    Args:
        path: The file.
        kind: Of its content.
        schema: The newest that is known here.
        finite: Whether NaN and endless numbers are refused.

    Raises:
        NewerRecordError: If a newer version wrote it.
        FaaError: If it cannot be read, or is not of that kind; the message states what, not in which file.
    """
    text = as_text(read_content(path))
    check_schema(parse_json(text, finite=finite), schema, path)
    return validate_json(kind, text)


def said_kind(path: Path) -> str | None:
    """Return the schema that a record names, without its number; None if it names none.

    Raises:
        FaaError: If it cannot be read.
    """
    content = parse_json(as_text(read_content(path)), finite=False)
    said = content.get(SCHEMA) if isinstance(content, dict) else None
    return said.partition("/")[0] if isinstance(said, str) else None


def check_schema(content: Any, schema: str, path: Path) -> None:
    """Refuse content that names another schema than the one that is known here.

    Raises:
        NewerRecordError: If it is of the same kind, and of a larger number.
        FaaError: If it is of another kind.
    """
    said = content.get(SCHEMA, schema) if isinstance(content, dict) else schema
    refuse_newer(said, schema, source=f"'{safe(path)}'", packages="faa-search and faa-cli")
    if said != schema:
        raise FaaError(f"its schema is {said!r:.60}, and not '{schema}'")
