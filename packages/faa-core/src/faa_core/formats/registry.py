"""The formats that there are, and telling them apart by a file's content."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faa_core.errors import FaaError, UnknownNameError
from faa_core.reading import NotJsonError, as_text, parse_json
from faa_core.text import safe

TIMM = re.compile(r"(rand|augmix|original|originalr|v0|v0r|3a)(-\S*)?")
TORCHVISION = re.compile(r"ra|ta_wide|([A-Za-z0-9_]+\.)*(AutoAugment|RandAugment|TrivialAugmentWide)\([^\n]*\)")
PADDLE = re.compile(r"^\s*-?\s*(transform_ops|TimmAutoAugment|(Auto|Rand)Augment(V[0-9])?)\s*:", re.MULTILINE)
MMPRETRAIN = re.compile(r"""\bdict\(\s*type\s*=|["']type["']\s*:""")
KORNIA = re.compile(r"""[(\[]\s*["'][a-z]+(_[a-z]+)?["']\s*,""")
PARAMETER = re.compile(r"policy_[0-9]+_ ?[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format that policies are read from, and most are written to.

    Attributes:
        name: As given to `read_policy`.
        says: What it is, for people.
        suffix: Of a file's name, where it means this format; else empty.
        module: Of `faa_core.formats`, with ``parse`` and, if it is written, ``write``; empty for our own documents.
        binary: Whether its content is bytes; else text.
        tables: Whether a file may hold several, of which one is chosen by its name.
        written: Whether policies are written in it too.
        loose: Whether reading takes the nearest where it is allowed to.
    """

    name: str
    says: str
    suffix: str = ""
    module: str = ""
    binary: bool = False
    tables: bool = False
    written: bool = True
    loose: bool = False


FORMATS = (
    Format(name="faa", says="this project's JSON documents", suffix=".json"),
    Format(
        name="legacy",
        says="Fast AutoAugment's lists: JSON, a Python literal, a Python file, a search's log",
        module="legacy",
        tables=True,
    ),
    Format(name="deepaa", says="Deep AutoAugment's .npz", suffix=".npz", module="deepaa", binary=True),
    Format(name="albumentations", says="JSON of albumentations' A.save", module="albumentations", loose=True),
    Format(name="kornia", says="lists of kornia.augmentation.auto", module="kornia", tables=True, loose=True),
    Format(name="mmpretrain", says="mmpretrain's configs", module="mmpretrain", tables=True, written=False, loose=True),
    Format(name="paddleclas", says="PaddleClas's YAML", module="paddleclas", written=False, loose=True),
    Format(name="timm", says="timm's strings, such as rand-m9-mstd0.5", module="timm", loose=True),
    Format(
        name="torchvision", says="its transforms as text, such as RandAugment(num_ops=2)", module="torchvision_text"
    ),
)


def find_format(name: str) -> Format:
    """Return the format of a name.

    Raises:
        UnknownNameError: If there is none; the known ones are listed.
    """
    known = {found.name: found for found in FORMATS}
    if name not in known:
        raise UnknownNameError("policy format", name, known)
    return known[name]


def suffix_format(path: Path) -> Format:
    """Return the format that a file to write has by the suffix of its name, in any case.

    Raises:
        FaaError: If the suffix means none; those that do are listed, and all formats that are written.
    """
    meaning = {found.suffix: found for found in FORMATS if found.suffix}
    if path.suffix.lower() not in meaning:
        known = " or ".join(f"{suffix} ({found.name})" for suffix, found in meaning.items())
        written = ", ".join(found.name for found in FORMATS if found.written)
        raise FaaError(
            f"The suffix of '{safe(path)}' belongs to no format. Give a name that ends in {known}, or the "
            f"format by --to: {written}."
        )
    return meaning[path.suffix.lower()]


def string_format(text: str) -> Format | None:
    """Return the format in which a text without a file is a policy; None if it is none."""
    if TIMM.fullmatch(text):
        return find_format("timm")
    return find_format("torchvision") if TORCHVISION.fullmatch(text) else None


def guess_format(content: bytes) -> Format:
    """Return the format that a file's content is in.

    Raises:
        FaaError: If it is empty, no text, or in no format that can be told; the formats are listed.
    """
    if not content.strip():
        raise FaaError(f"It is empty. {_listed()}")
    if content.startswith(b"PK"):
        return find_format("deepaa")
    try:
        text = as_text(content)
    except FaaError as error:
        raise FaaError(f"It is no .npz file, and {error}. {_listed()}") from error
    if not text.strip():
        raise FaaError("It is empty.")
    if "\0" in text:
        raise FaaError(
            f"It is not a text, since it has a zero byte. If it is UTF-16 text without its mark, save it as UTF-8. "
            f"{_listed()}"
        )
    if found := string_format(text.strip()):
        return found
    try:
        name = _name_of_document(parse_json(text, finite=False), text)
    except NotJsonError:
        name = _name_of_text(text)
    if not name:
        raise FaaError(f"It holds no policy of a known format. {_listed()}")
    return find_format(name)


def _name_of_document(document: Any, text: str) -> str:
    """Return the format of a JSON document; empty where there is none."""
    if isinstance(document, dict):
        if "kind" in document or "schema" in document:
            return "faa"
        if "transform" in document or "__class_fullname__" in document:
            return "albumentations"
        numbered = bool(document) and all(isinstance(part, dict) for part in document.values())
        listed = "sub_policies" in document and '"magnitude"' not in text
        return "legacy" if numbered or listed or PARAMETER.search(text) else "faa"
    return _name_of_lists(text) if isinstance(document, list) else ""


def _name_of_text(text: str) -> str:
    """Return the format of a text that is not JSON; empty where there is none."""
    if "__class_fullname__:" in text:
        return "albumentations"
    if PADDLE.search(text):
        return "paddleclas"
    return _name_of_lists(text) if "[" in text or PARAMETER.search(text) else ""


def _name_of_lists(text: str) -> str:
    if MMPRETRAIN.search(text):
        return "mmpretrain"
    return "kornia" if KORNIA.search(text) else "legacy"


def _listed() -> str:
    return f"Formats: {'; '.join(f'{found.name} ({found.says})' for found in FORMATS)}."
