"""How repositories come, go and get settings, branches and tags."""

import re

from hub_server.access import at_revision, signed_in, writable
from hub_server.answers import Answer, Call, RefusalError, as_json
from hub_server.store import Repo, Store

NAME = re.compile(r"(?!.*(--|\.\.))[\w\-.]{1,96}", re.ASCII)


def create(store: Store, call: Call) -> Answer:
    """Make a repository."""
    asked = call.json()
    repo_id = _own(call, asked)
    answer = {"url": f"{call.url}/{repo_id}", "name": repo_id, "id": repo_id}
    if repo_id in store.repos:
        return as_json({**answer, "error": "You already created this model repo"}, 409)
    store.create(repo_id, private=_private(asked) or False)
    return as_json(answer)


def delete(store: Store, call: Call) -> Answer:
    """Remove a repository."""
    repo = writable(store, call, _own(call, call.json()))
    del store.repos[repo.id]
    return Answer()


def move(store: Store, call: Call) -> Answer:
    """Give a repository another id, in the user's own name."""
    asked = call.json()
    repo = writable(store, call, str(asked.get("fromRepo")))
    owner, _, name = str(asked.get("toRepo")).partition("/")
    new_id = _own(call, {"organization": owner, "name": name})
    if new_id in store.repos:
        raise RefusalError(409, f"{new_id} already exists")
    store.repos[new_id] = store.repos.pop(repo.id)
    repo.id = new_id
    return Answer()


def settings(store: Store, call: Call, repo_id: str) -> Answer:
    """Set who sees a repository."""
    repo, asked = writable(store, call, repo_id), call.json()
    if (private := _private(asked)) is not None:
        repo.private = private
    repo.gated = asked.get("gated", repo.gated)
    return as_json({"private": repo.private, "gated": repo.gated})


def branch(store: Store, call: Call, repo_id: str, name: str) -> Answer:
    """Begin a branch at a revision, or remove one."""
    repo = writable(store, call, repo_id)
    if call.method == "DELETE":
        if name == "main":
            raise RefusalError(403, "The main branch cannot be deleted")
        return _dropped(repo.branches, name)
    _, commit = at_revision(store, call, repo_id, str(call.json().get("startingPoint") or "main"))
    return _referred(repo, repo.branches, name, commit.oid)


def tag(store: Store, call: Call, repo_id: str, name: str) -> Answer:
    """Tag a revision, or remove a tag; the address has the revision for the one, the tag for the other."""
    repo = writable(store, call, repo_id)
    if call.method == "DELETE":
        return _dropped(repo.tags, name)
    _, commit = at_revision(store, call, repo_id, name)
    return _referred(repo, repo.tags, str(call.json().get("tag")), commit.oid)


def _referred(repo: Repo, names: dict[str, str], name: str, oid: str) -> Answer:
    if name in names:
        raise RefusalError(409, f"Reference {name} already exists in {repo.id}")
    names[name] = oid
    return as_json({"name": name, "targetCommit": oid})


def _dropped(names: dict[str, str], name: str) -> Answer:
    if names.pop(name, None) is None:
        raise RefusalError(404, f"Invalid rev id: {name}", "RevisionNotFound")
    return Answer()


def _own(call: Call, asked: dict[str, object]) -> str:
    """Return the id of a repository that is asked for, in the user's own name."""
    user = signed_in(call)
    owner, name = asked.get("organization") or user, str(asked.get("name"))
    if asked.get("type") not in (None, "model"):
        raise RefusalError(400, "Only models are kept here")
    if not NAME.fullmatch(name):
        raise RefusalError(400, f"Invalid repo name: {name}")
    if owner != user:
        raise RefusalError(403, f"You don't have the rights to create a model under the namespace {owner!r}")
    return f"{owner}/{name}"


def _private(asked: dict[str, object]) -> bool | None:
    if "visibility" in asked:
        return asked["visibility"] == "private"
    private = asked.get("private")
    return None if private is None else bool(private)
