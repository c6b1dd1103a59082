"""Names on the Hub: ``hf://OWNER/NAME``, with ``@REVISION`` and ``:FILE`` where they are wanted."""

import re
from dataclasses import dataclass

from faa_core.errors import FaaError
from faa_core.text import safe

PREFIX = "hf://"
PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"  # of a repository's name, as the Hub allows it
REPOSITORY = re.compile(rf"{PART}/{PART}")
REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,254}")
LONGEST_PATH = 512  # characters
FORM = "hf://OWNER/NAME, hf://OWNER/NAME@REVISION or hf://OWNER/NAME:FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class HubName:
    """A repository on the Hub, or a file in it.

    Attributes:
        repository: OWNER/NAME.
        revision: Branch, tag or commit; None for the newest.
        file: Path in the repository; None for the usual one.
    """

    repository: str
    revision: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        at = f"@{self.revision}" if self.revision else ""
        return f"{PREFIX}{self.repository}{at}{f':{self.file}' if self.file else ''}"


def is_hub_name(given: str) -> bool:
    """Return whether a text is meant as a name on the Hub."""
    return given.startswith(PREFIX)


def parse_name(given: str) -> HubName:
    """Return the parts of a name on the Hub.

    Raises:
        FaaError: If it is not such a name, or its file lies outside the repository.
    """
    rest, colon, file = given.removeprefix(PREFIX).partition(":")
    repository, at, revision = rest.partition("@")
    check_repository(repository, given=given)
    if at and not is_revision(revision):
        raise FaaError(f"'{safe(given)}' has no valid revision behind @: give a branch, a tag or a commit ({FORM}).")
    if colon:
        check_path(file, of=given)
    return HubName(repository=repository, revision=revision if at else None, file=file if colon else None)


def check_repository(repository: str, *, given: str | None = None) -> str:
    """Return the name of a repository.

    Raises:
        FaaError: If it is not OWNER/NAME as the Hub allows it.
    """
    if not REPOSITORY.fullmatch(repository) or ".." in repository or "--" in repository:
        raise FaaError(
            f"'{safe(given or repository)}' is not a name on the Hub: give {FORM if given else 'OWNER/NAME'}. A name "
            "has letters and digits, and - _ . between them."
        )
    return repository


def is_revision(revision: str) -> bool:
    """Return whether a text can be a branch, a tag or a commit."""
    return bool(REVISION.fullmatch(revision)) and ".." not in revision and "//" not in revision


def check_path(path: str, *, of: str) -> str:
    """Return the path of a file in a repository.

    Args:
        path: As somebody, or a server, has it.
        of: The repository or name, for the message.

    Raises:
        FaaError: If it is absolute, or leads out of the repository.
    """
    parts = path.split("/")
    outside = path.startswith("/") or "\\" in path or ":" in path or any(part in ("", ".", "..") for part in parts)
    if outside or len(path) > LONGEST_PATH or not path.isprintable():
        raise FaaError(
            f"'{safe(of)}': '{safe(path):.80}' is not a file in a repository. Give its path from the top, such as "
            "policies/mine.json."
        )
    return path
