"""Policies in the formats of other tools: reading, writing, and telling them apart.

A format is a module with ``parse`` and ``write``, imported when it is used. What a format cannot express is an error
that names it; if that is asked for, the nearest is taken and noted instead. Nothing is rounded or left out silently,
and nothing that a file holds is executed or unpickled.
"""

import importlib
import os
from pathlib import Path
from typing import Any

from faa_core.errors import FaaError, UnknownNameError
from faa_core.files import replacing
from faa_core.formats.hub import explain_unknown, fetch_policy
from faa_core.formats.leeway import Leeway
from faa_core.formats.literals import read_table
from faa_core.formats.registry import FORMATS, Format, find_format, guess_format, string_format, suffix_format
from faa_core.hub import HubName, is_hub_name, parse_name
from faa_core.policies.loading import MOST_BYTES, as_given, is_name, load_policy, parse_policy
from faa_core.policies.policy import Policy
from faa_core.reading import as_text, read_content
from faa_core.text import safe

__all__ = [
    "FORMATS",
    "Format",
    "Leeway",
    "find_format",
    "guess_format",
    "is_rendered",
    "parse",
    "read_hub_policy",
    "read_policy",
    "render",
    "resolve_policy",
    "suffix_format",
    "write_content",
    "write_policy",
]

NAMELESS = ("unnamed", "deepaa")  # names of policies whose files have none


def resolve_policy(name_or_path: str | Path) -> Policy:
    """Return the policy of a name, of a file in any format, or of a timm or torchvision string, as `Policy.load`.

    A document of ours is returned as it is; a policy in another format is called by its file or string.

    Raises:
        UnknownNameError: If it is neither a known name, a file nor a string.
        FaaError: If the file is damaged, in no known format, or needs what our operations cannot do.
    """
    given = as_given(name_or_path)
    if is_hub_name(given):
        return read_hub_policy(parse_name(given))
    if is_name(given):
        return load_policy(given)
    if os.path.isfile(given):  # noqa: PTH113 a path that no system allows is not a file, and no error
        content = read_content(Path(given), most=MOST_BYTES)
        own = _guess(Path(given), content)
        return load_policy(given) if own.name == "faa" else read_policy(given)
    return read_policy(given) if string_format(given) else load_policy(given)


def read_hub_policy(
    name: HubName,
    *,
    format: str | None = None,  # noqa: A002
    table: str | None = None,
    leeway: Leeway | None = None,
    token: str | None = None,
) -> Policy:
    """Return the policy of a repository on the Hub: its ``policy.json``, or the file of the name in any format.

    Args:
        name: Of the repository.
        format: As in `read_policy`.
        table: As in `read_policy`.
        leeway: As in `read_policy`.
        token: In place of the one that the user is logged in with.

    Raises:
        NewerRecordError: If a newer version wrote it.
        FaaError: If it cannot be fetched, or is no policy; nothing of it is executed.
    """
    content = fetch_policy(name, token=token)
    chosen = _guess(str(name), content) if format is None else find_format(format)
    if chosen.name != "faa":
        policy = _parsed(content, str(name), chosen, table, leeway)
        own = table or Path(name.file or "").stem
        return policy.model_copy(update={"name": own}) if policy.name in NAMELESS and own else policy
    try:
        return parse_policy(as_text(content), source=f"'{name}'")
    except FaaError as error:
        if isinstance(error.__cause__, UnknownNameError):
            raise explain_unknown(error, content) from error
        raise


def read_policy(
    name_or_path: str | Path,
    *,
    format: str | None = None,  # noqa: A002
    table: str | None = None,
    name: str | None = None,
    leeway: Leeway | None = None,
) -> Policy:
    """Return the policy of a name, of a file in any format, or of a timm or torchvision string.

    Args:
        name_or_path: Of a policy (see `Policy.load`), a file, or a string.
        format: Name of the file's format; None tells it by the content.
        table: Which list of a Python file that holds several ("legacy", "kornia" and "mmpretrain").
        name: Of the policy returned, not empty; None takes the file's, else the table's or the file's.
        leeway: How exact reading must be; strict when None. Its notes are kept in the policy's provenance too.

    Raises:
        UnknownNameError: If there is no such format, or neither a policy nor a file of that name.
        FaaError: If the file is damaged, in no known format, or needs what our operations cannot do; or if a table is
            given for what has none.
    """
    if name == "":
        raise FaaError("The name of a policy must not be empty.")
    chosen = None if format is None else find_format(format)
    given, path = as_given(name_or_path), Path(name_or_path)
    if is_hub_name(given):
        policy = read_hub_policy(parse_name(given), format=format, table=table, leeway=leeway)
        return policy if name is None else policy.model_copy(update={"name": name})
    installed = is_name(given)
    text = (None if installed else string_format(given)) if chosen is None else chosen
    if os.path.isfile(path) and not installed:  # noqa: PTH113 a path that no system allows is not a file, and no error
        policy = _read(path, chosen, table, leeway)
        own = policy.name if policy.name not in NAMELESS else table or path.stem
    elif table is not None:
        raise FaaError(f"'{given}' is not a file of several lists; leave out the table '{table}'.")
    elif text is not None and text.name in ("timm", "torchvision"):
        policy, own = parse(given, text.name, leeway=leeway), given
    elif chosen is not None and chosen.name != "faa":
        read_content(path, most=MOST_BYTES)  # which says why not: a folder, a link to nothing, no such file
        raise FaaError(f"There is no file '{given}' to read as {chosen.name}.")
    else:
        policy = load_policy(given)
        own = policy.name
    return policy if policy.name == (name or own) else policy.model_copy(update={"name": name or own})


def parse(
    content: str | bytes,
    format: str,  # noqa: A002
    *,
    table: str | None = None,
    leeway: Leeway | None = None,
) -> Policy:
    """Return the policy of a file's content.

    Args:
        content: Text, or bytes where the format is binary.
        format: Its name.
        table: Which list of a Python file that holds several ("legacy", "kornia" and "mmpretrain").
        leeway: How exact reading must be; strict when None.

    Raises:
        FaaError: If the content is not in the format, or needs what our operations cannot do.
    """
    found = find_format(format)
    if isinstance(content, bytes) != found.binary:
        raise FaaError(f"Format {found.name} is {'bytes' if found.binary else 'text'}.")
    if table is not None and not found.tables:
        raise FaaError(f"Format {found.name} has no tables to choose from; leave out the table '{table}'.")
    if found.name == "faa":
        return parse_policy(str(content), source="The document")
    allowed = leeway or Leeway()
    options: dict[str, Any] = {"table": table} if table is not None else {}
    policy: Policy = _module(found).parse(content, **options, **({"leeway": allowed} if found.loose else {}))
    notes = [*policy.provenance.get("notes", ()), *allowed.notes]
    return policy.model_copy(update={"provenance": {**policy.provenance, "notes": notes}}) if notes else policy


def render(policy: Policy, format: str, *, leeway: Leeway | None = None) -> str | bytes:  # noqa: A002
    """Return a policy as the content of a file; bytes where the format is binary.

    Args:
        policy: To be written.
        format: Name of the format.
        leeway: How exact it must be; strict when None. Its notes are in the content too where the format has room.

    Raises:
        FaaError: If the format cannot express it; what it cannot express is named.
    """
    if not isinstance(policy, Policy):
        raise FaaError(
            f"What is written is a Policy, not {safe(repr(policy)):.80}; Policy.load(NAME_OR_FILE) returns one."
        )
    found = find_format(format)
    if not found.written:
        others = ", ".join(known.name for known in FORMATS if known.written)
        raise FaaError(f"Format {found.name} is read, not written; written are {others}.")
    if found.name == "faa":
        return policy.to_json()
    content: str | bytes = _module(found).write(policy, leeway=leeway or Leeway())
    return content


def is_rendered(content: bytes) -> bool:
    """Return whether content is a policy and nothing else, as `render` returns it: no script or log with one in it."""
    # What is only near to a policy says so in notes or comments, and is not read strictly.
    leeway = Leeway(nearest=b'"notes"' in content or content.startswith(b"#"))
    try:
        found = guess_format(content)
        given = content if found.binary else as_text(content)
        parse(given, found.name, leeway=leeway)
        if not found.tables:
            return found.written
        table = read_table(str(given))
    except FaaError:
        return False
    return found.written and table.name is None and isinstance(table.value, list)


def write_policy(policy: Policy, path: str | Path, format: str = "faa", *, leeway: Leeway | None = None) -> None:  # noqa: A002
    """Write a policy to a file, atomically; `leeway` is as in `render`.

    Raises:
        FaaError: If the format cannot express it, or the file cannot be written; a file that is there must be a
            regular one.
    """
    if not isinstance(path, str | Path) or not str(path):
        raise FaaError(
            f"The path of the file to write must not be empty, nor anything but a path: {safe(repr(path)):.80}."
        )
    write_content(render(policy, format, leeway=leeway), path)


def write_content(content: str | bytes, path: str | Path) -> None:
    """Write what `render` returned to a file, atomically.

    Raises:
        FaaError: If the file cannot be written; what is there already must be a regular file.
    """
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(content if isinstance(content, bytes) else content.encode())


def _read(path: Path, chosen: Format | None, table: str | None, leeway: Leeway | None) -> Policy:
    """Return the policy of a file; errors name the file."""
    return _parsed(read_content(path, most=MOST_BYTES), str(path), chosen, table, leeway)


def _parsed(content: bytes, source: str, chosen: Format | None, table: str | None, leeway: Leeway | None) -> Policy:
    """Return the policy of the content of a file; errors name the file, `source`."""
    found = chosen or _guess(source, content)
    try:
        given = content if found.binary else as_text(content)
        if not given.strip():
            raise FaaError("It is empty.")
        return parse(given, found.name, table=table, leeway=leeway)
    except FaaError as error:
        told = "" if chosen else ", which its content looks like"
        raise FaaError(f"{safe(source)} (read as {found.name}{told}): {error}") from error


def _guess(source: str | Path, content: bytes) -> Format:
    try:
        return guess_format(content)
    except FaaError as error:
        raise FaaError(f"'{safe(source)}' cannot be read: {error}") from error


def _module(found: Format) -> Any:
    """Return the module of a format, imported when first used."""
    return importlib.import_module(f"faa_core.formats.{found.module}")
