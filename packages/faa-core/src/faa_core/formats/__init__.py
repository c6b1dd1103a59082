"""Policies in the formats of other tools: reading, writing, and telling them apart.

A format is a module with ``parse`` and ``write``, imported when it is used. What a format cannot say is an error that
names it; nothing is rounded or left out silently, and nothing that a file holds is executed or unpickled.
"""

import importlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faa_core import plugins
from faa_core.errors import FaaError, UnknownNameError
from faa_core.files import replacing
from faa_core.policies.loading import MOST_BYTES, load_policy, parse_policy
from faa_core.policies.policy import Policy
from faa_core.reading import NotJsonError, as_text, parse_json, read_content

TIMM = re.compile(r"(rand|augmix|original|originalr|v0|v0r|3a)(-\S*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format that policies are read from and written to.

    Attributes:
        name: As given to `read_policy`.
        says: What it is, for people.
        binary: Whether its content is bytes; else text.
    """

    name: str
    says: str
    binary: bool = False


FORMATS = (
    Format(name="faa", says="this project's JSON documents"),
    Format(name="legacy", says="Fast AutoAugment's lists: JSON, a Python literal, or a Python file"),
    Format(name="deepaa", says="Deep AutoAugment's .npz", binary=True),
    Format(name="albumentations", says="JSON of albumentations' A.save"),
    Format(name="kornia", says="lists of kornia.augmentation.auto"),
    Format(name="timm", says="timm's strings, such as rand-m9-mstd0.5"),
)


def read_policy(
    name_or_path: str | Path,
    *,
    format: str | None = None,  # noqa: A002
    table: str | None = None,
    name: str | None = None,
) -> Policy:
    """Return the policy of a name, of a file in any format, or of a timm string.

    Args:
        name_or_path: Of a policy (see `Policy.load`), a file, or a timm string.
        format: Name of the file's format; None tells it by the content.
        table: Which list of a Python file that holds several ("legacy" and "kornia").
        name: Of the policy returned, not empty; None takes what the file says, else the table's or the file's.

    Raises:
        UnknownNameError: If there is no such format, or neither a policy nor a file of that name.
        FaaError: If the file is damaged, in no known format, or says what our operations cannot do; or if a table is
            given for what has none.
    """
    if name == "":
        raise FaaError("The name of a policy must not be empty.")
    chosen = None if format is None else find_format(format)
    given, path = str(name_or_path), Path(name_or_path)
    installed = given in plugins.names("faa.policies")
    is_file = os.path.isfile(path) and not installed  # noqa: PTH113 a path that no system allows is no file
    if is_file or (chosen is not None and chosen.name not in ("faa", "timm")):
        policy = _read(path, chosen, table)
        own = policy.name if policy.name not in ("unnamed", "deepaa") else table or path.stem
    elif table is not None:
        raise FaaError(f"'{given}' is no file of several lists; leave the table '{table}' away.")
    elif not installed and TIMM.fullmatch(given) if chosen is None else chosen.name == "timm":
        policy, own = _module("timm").parse(given), given
    else:
        policy = load_policy(given)
        own = policy.name
    return policy if policy.name == (name or own) else policy.model_copy(update={"name": name or own})


def parse(content: str | bytes, format: str, *, table: str | None = None) -> Policy:  # noqa: A002
    """Return the policy of a file's content.

    Args:
        content: Text, or bytes where the format is binary.
        format: Its name.
        table: Which list of a Python file that holds several ("legacy" and "kornia").

    Raises:
        FaaError: If the content is not in the format, or says what our operations cannot do.
    """
    found = find_format(format)
    if isinstance(content, bytes) != found.binary:
        raise FaaError(f"Format {found.name} is {'bytes' if found.binary else 'text'}.")
    if table is not None and found.name not in ("legacy", "kornia"):
        raise FaaError(f"Format {found.name} has no tables to choose from; leave '{table}' away.")
    if found.name == "faa":
        return parse_policy(str(content), source="The document")
    options = {} if table is None else {"table": table}
    policy: Policy = _module(found.name).parse(content, **options)
    return policy


def render(policy: Policy, format: str) -> str | bytes:  # noqa: A002
    """Return a policy as the content of a file; bytes where the format is binary.

    Raises:
        FaaError: If the format cannot say it; what it cannot say is named.
    """
    found = find_format(format)
    if found.name == "faa":
        return policy.to_json()
    content: str | bytes = _module(found.name).write(policy)
    return content


def write_policy(policy: Policy, path: str | Path, format: str = "faa") -> None:  # noqa: A002
    """Write a policy to a file, atomically.

    Raises:
        FaaError: If the format cannot say it, or the file cannot be written; what is there already must be a regular
            file.
    """
    if not str(path):
        raise FaaError("The path of the file to write must not be empty.")
    content = render(policy, format)
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(content if isinstance(content, bytes) else content.encode())


def find_format(name: str) -> Format:
    """Return the format of a name.

    Raises:
        UnknownNameError: If there is none; the known ones are listed.
    """
    known = {found.name: found for found in FORMATS}
    if name not in known:
        raise UnknownNameError("policy format", name, known)
    return known[name]


def guess_format(content: bytes) -> Format:
    """Return the format that a file's content is in.

    Raises:
        FaaError: If it is in none that can be told; the formats are listed.
    """
    if content.startswith(b"PK"):
        return find_format("deepaa")
    try:
        text = as_text(content)
    except FaaError as error:
        raise FaaError(f"It is neither text nor an .npz file. {_listed()}") from error
    if TIMM.fullmatch(text.strip()):
        return find_format("timm")
    try:
        document = parse_json(text, finite=False)
    except NotJsonError:
        document = None
    if isinstance(document, dict):
        if "kind" in document or "schema" in document:
            return find_format("faa")
        if "transform" in document or "__class_fullname__" in document:
            return find_format("albumentations")
    elif "[" not in text:
        raise FaaError(f"It holds no policy of a known format. {_listed()}")
    return find_format("kornia" if re.search(r"""[(\[]\s*["'][a-z]+(_[a-z]+)?["']\s*,""", text) else "legacy")


def _read(path: Path, chosen: Format | None, table: str | None) -> Policy:
    """Return the policy of a file; errors say which file."""
    content = read_content(path, most=MOST_BYTES)
    try:
        found = chosen or guess_format(content)
    except FaaError as error:
        raise FaaError(f"{path}: {error}") from error
    try:
        return parse(content if found.binary else as_text(content).strip(), found.name, table=table)
    except FaaError as error:
        told = "" if chosen else ", which its content looks like"
        raise FaaError(f"{path} (read as {found.name}{told}): {error}") from error


def _listed() -> str:
    return f"Formats: {'; '.join(f'{found.name} ({found.says})' for found in FORMATS)}."


def _module(name: str) -> Any:
    """Return the module of a format, imported when first used."""
    return importlib.import_module(f"faa_core.formats.{name}")
