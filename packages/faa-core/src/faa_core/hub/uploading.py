"""Uploading files to a repository of the Hub: all of them in one commit, or none."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from faa_core.errors import FaaError
from faa_core.hub.failures import explained, import_hub
from faa_core.hub.names import check_path, check_repository, is_revision
from faa_core.text import safe

Content = bytes | Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """What was uploaded.

    Attributes:
        repository: OWNER/NAME.
        address: Of the repository's page.
        revision: The commit that was made, or the newest one where nothing was new.
    """

    repository: str
    address: str
    revision: str


def upload(
    files: Mapping[str, Content],
    repository: str,
    *,
    message: str,
    private: bool | None = None,
    revision: str | None = None,
    token: str | None = None,
) -> Uploaded:
    """Make a repository if there is none, and write files to it in one commit; other files of it stay.

    The same call again after one that broke ends the same: what the Hub has already is not sent again.

    Args:
        files: Content, or the path of a file, by path in the repository.
        repository: OWNER/NAME.
        message: Of the commit.
        private: Whether a repository that is made is private; None for the owner's usual choice. One that is there and
            public is refused where it is to be private.
        revision: Branch to write to; None for the main one.
        token: In place of the one that the user is logged in with.

    Raises:
        FaaError: If the Hub refuses or fails; then none of the files is visible there.
    """
    check_repository(repository)
    if revision is not None and not is_revision(revision):
        raise FaaError(f"'{safe(revision)}' is not the name of a branch.")
    for path in files:
        check_path(path, of=repository)
    hub = import_hub()
    api = hub.HfApi(token=token)
    with explained(f"'{repository}' cannot be written on the Hub"):
        additions = [
            hub.CommitOperationAdd(path, content if isinstance(content, bytes) else str(content))
            for path, content in files.items()
        ]
        api.create_repo(repository, private=private, exist_ok=True)
        if private and not api.repo_info(repository).private:
            raise FaaError(
                f"'{repository}' is there already, and public, so nothing is uploaded as private. Make it private on "
                "its page first, or give another name."
            )
        done = api.create_commit(repository, additions, commit_message=message, revision=revision)
    return Uploaded(repository=repository, address=f"{api.endpoint.rstrip('/')}/{repository}", revision=str(done.oid))
