"""Fetching a file from the Hub into its cache: of a size, at one commit, without running or unpickling anything."""

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faa_core.errors import FaaError
from faa_core.files import write_text
from faa_core.hub.failures import explained, import_hub, shown_name
from faa_core.hub.names import HubName, check_path
from faa_core.reading import size_of

COMMIT = re.compile(r"[0-9a-f]{40}")
NEWEST = "main"  # branch


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file of a repository that lies in the cache.

    Attributes:
        path: Where.
        revision: The commit that it is of.
    """

    path: Path
    revision: str


def fetch(name: HubName, file: str, *, most: int, token: str | None = None) -> Fetched:
    """Return a file of a repository, from the cache where it is the newest or the Hub cannot be asked.

    ``HF_HOME``, ``HF_TOKEN``, ``HF_ENDPOINT`` and ``HF_HUB_OFFLINE`` are those of huggingface_hub.

    Args:
        name: The repository, and the revision.
        file: Path in the repository, in place of the name's.
        most: Bytes it may have; of a larger one, nothing is fetched.
        token: In place of the one that the user is logged in with.

    Raises:
        FaaError: If there is no such file, it is too large, or the Hub refuses or fails.
    """
    hub = import_hub()
    check_path(file, of=str(name))
    with explained(f"{shown_name(name)} cannot be read"):
        found = _asked(hub, name, file, most, token)
        commit = None if found is None else found.commit_hash
        path = Path(
            hub.hf_hub_download(
                name.repository,
                file,
                revision=commit or name.revision,
                token=token,
                local_files_only=commit is None,
            )
        )
    size = size_of(path)
    if size > most:
        raise _too_large(name, file, size, most)
    if found is not None and not _is_whole(path, found.etag):
        for place in (path.resolve(), path):  # in the cache, a file and a link to it; next time it is fetched anew
            place.unlink(missing_ok=True)
        raise FaaError(
            f"{shown_name(name)}: what came as '{file}' is not what was announced. Give the same command again; if it "
            "stays so, tell the owner."
        )
    if commit is not None:
        _remember(path, file, name.revision or NEWEST, commit)
    return Fetched(path=path, revision=commit or _commit_in(path, file))


def _asked(hub: Any, name: HubName, file: str, most: int, token: str | None) -> Any:
    """Return what the Hub states of a file: commit, size, checksum; None where it cannot be asked: the cache decides.

    Raises:
        FaaError: If the file is too large.
    """
    url = hub.hf_hub_url(name.repository, file, revision=name.revision)
    try:
        found = hub.get_hf_file_metadata(url, token=token or hub.get_token())
    except Exception as error:
        if getattr(error, "response", None) is not None:  # it was asked, and answered
            raise
        return None
    if not COMMIT.fullmatch(found.commit_hash or ""):  # not the Hub, but a network that asks to log in
        return None
    if found.size is not None and found.size > most:
        raise _too_large(name, file, found.size, most)
    return found


def _is_whole(path: Path, checksum: str | None) -> bool:
    """Return whether a file has the checksum of git (SHA-1 of a blob) or of large files (SHA-256); others tell nothing.

    huggingface_hub itself compares sizes only.
    """
    content = path.read_bytes()
    kinds = {
        64: lambda: hashlib.sha256(content),
        40: lambda: hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False),
    }
    if checksum is None or len(checksum) not in kinds:
        return True
    return kinds[len(checksum)]().hexdigest() == checksum


def _too_large(name: HubName, file: str, size: int, most: int) -> FaaError:
    return FaaError(f"{shown_name(name)}: its file '{file}' has {size:,} bytes; at most {most:,} are fetched.")


def _remember(path: Path, file: str, revision: str, commit: str) -> None:
    """Note in the cache which commit a branch or a tag is at, for when the Hub cannot be asked.

    huggingface_hub does so only where it is asked for the branch, and not for a commit.
    """
    if revision != commit:
        with suppress(FaaError):  # a cache that is only read
            write_text(path.parents[file.count("/") + 2] / "refs" / revision, commit)


def _commit_in(path: Path, file: str) -> str:
    """Return the commit in the path of a cached file: …/snapshots/COMMIT/FILE."""
    return path.parts[-1 - len(file.split("/"))]
