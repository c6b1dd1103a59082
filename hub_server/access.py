"""Who may do what, and how the Hub refuses it."""

from hub_server.answers import Call, RefusalError
from hub_server.store import Commit, Repo, Store

NO_TOKEN = "Invalid username or password."  # noqa: S105 what the Hub says


def readable(repo: Repo, user: str | None) -> bool:
    """Tell whether somebody sees a repository."""
    return not repo.private or repo.owner == user


def signed_in(call: Call) -> str:
    """Return the user; without a token the request is refused."""
    if call.user is None:
        raise RefusalError(401, NO_TOKEN)
    return call.user


def seen(store: Store, call: Call, repo_id: str) -> Repo:
    """Return a repository; one that the user may not see is refused as if it were not there."""
    repo = store.repos.get(repo_id)
    if repo is None or not readable(repo, call.user):
        status, message = (404, "Repository not found") if call.user else (401, NO_TOKEN)
        raise RefusalError(status, message, "RepoNotFound")
    return repo


def writable(store: Store, call: Call, repo_id: str) -> Repo:
    """Return a repository that the user may change."""
    repo = seen(store, call, repo_id)
    if repo.owner != signed_in(call):
        raise RefusalError(403, f"You don't have the rights to change {repo_id}")
    return repo


def at_revision(store: Store, call: Call, repo_id: str, revision: str) -> tuple[Repo, Commit]:
    """Return a repository and the commit of a revision.

    A gated repository tells what it is, but not its files' content: see `delivering`.
    """
    repo = seen(store, call, repo_id)
    if (commit := repo.find(revision)) is None:
        raise RefusalError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
    return repo, commit
