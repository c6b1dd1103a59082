"""How files get to the Hub: large ones first, by their hash; then a commit, which names these and holds the others."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import yaml

from hub_server.access import at_revision, signed_in, writable
from hub_server.answers import Answer, Call, RefusalError, as_json
from hub_server.store import Blob, Store, goes_to_lfs

Files = dict[str, Blob]


def validate_yaml(_store: Store, call: Call) -> Answer:
    """Answer whether the head of a README.md can be read."""
    head = str(call.json().get("content", "")).replace("\r\n", "\n").split("---\n")
    try:
        yaml.safe_load(head[1] if len(head) > 2 else "")
    except yaml.YAMLError as error:
        return as_json({"errors": [{"message": str(error)}], "warnings": []}, 400)
    return as_json({"errors": [], "warnings": []})


def preupload(store: Store, call: Call, repo_id: str, revision: str) -> Answer:
    """Answer how each file is to be uploaded, and what is there under its name."""
    writable(store, call, repo_id)
    _, commit = at_revision(store, call, repo_id, revision)
    found = []
    for file in call.json()["files"]:
        there = commit.files.get(file["path"])
        mode = "lfs" if goes_to_lfs(file["path"], file["size"]) else "regular"
        oid = there.etag if there else None
        found.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
    return as_json({"files": found, "commitOid": commit.oid})


def batch(store: Store, call: Call, repo_id: str) -> Answer:
    """Answer where large files are to be sent; one whose content is here already is not."""
    writable(store, call, repo_id)
    found = []
    for file in call.json()["objects"]:
        entry = {"oid": file["oid"], "size": file["size"], "authenticated": True}
        if file["oid"] not in store.objects:
            entry["actions"] = {
                "upload": {"href": f"{call.elsewhere}/lfs/{repo_id}/{file['oid']}"},
                "verify": {"href": f"{call.url}/{repo_id}.git/info/lfs/objects/verify"},
            }
        found.append(entry)
    answer = as_json({"transfer": "basic", "objects": found})
    return Answer(answer.status, answer.body, {"Content-Type": "application/vnd.git-lfs+json"})


def receive(store: Store, call: Call, _repo_id: str, sha256: str) -> Answer:
    """Keep a large file, if it is the one that was announced."""
    if hashlib.sha256(call.body).hexdigest() != sha256:
        raise RefusalError(400, "The content does not have the hash of its address")
    store.objects[sha256] = Blob(call.body, lfs=True)
    return Answer()


def verify(store: Store, call: Call, repo_id: str) -> Answer:
    """Answer whether a large file has arrived."""
    writable(store, call, repo_id)
    asked = call.json()
    blob = store.objects.get(asked["oid"])
    if blob is None or blob.size != asked["size"]:
        raise RefusalError(404, "The file has not arrived")
    return Answer()


def commit(store: Store, call: Call, repo_id: str, revision: str) -> Answer:
    """Make a commit; one that changes nothing is answered with the one before."""
    repo = writable(store, call, repo_id)
    _, before = at_revision(store, call, repo_id, revision)
    lines = [json.loads(line) for line in call.body.splitlines() if line.strip()]
    if not lines or lines[0].get("key") != "header" or not lines[0]["value"].get("summary"):
        raise RefusalError(400, "A commit begins with a header that has a summary")
    header = lines[0]["value"]
    if header.get("parentCommit") not in (None, before.oid):
        raise RefusalError(412, "A commit has happened since. Please refresh and try again.")
    files = dict(before.files)
    for line in lines[1:]:
        OPERATIONS[line["key"]](store, files, line["value"])
    target = f"refs/pr/{len(repo.pulls) + 1}" if call.flag("create_pr") else revision
    if target == revision and revision not in {*repo.branches, *repo.pulls}:
        raise RefusalError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
    made = before
    if files != before.files or target != revision:
        if target not in repo.branches:
            repo.pulls[target] = before.oid
        words = {"title": header["summary"], "description": header.get("description", "")}
        made = repo.record(target, files, **words, author=signed_in(call))
    answer: dict[str, Any] = {"success": True, "commitOid": made.oid, "hookOutput": ""}
    answer["commitUrl"] = f"{call.url}/{repo_id}/commit/{made.oid}"
    if call.flag("create_pr"):
        answer["pullRequestUrl"] = f"{call.url}/{repo_id}/discussions/{target.removeprefix('refs/pr/')}"
    return as_json(answer)


def _file(_store: Store, files: Files, value: dict[str, Any]) -> None:
    content = value["content"].encode()
    files[_safe(value["path"])] = Blob(base64.b64decode(content) if value.get("encoding") == "base64" else content)


def _lfs_file(store: Store, files: Files, value: dict[str, Any]) -> None:
    if value["oid"] not in store.objects:
        raise RefusalError(400, f"{value['path']} points to a large file that has not been uploaded")
    files[_safe(value["path"])] = store.objects[value["oid"]]


def _deleted_file(_store: Store, files: Files, value: dict[str, Any]) -> None:
    if files.pop(value["path"], None) is None:
        raise RefusalError(404, "A file with this name doesn't exist", "EntryNotFound")


def _deleted_folder(_store: Store, files: Files, value: dict[str, Any]) -> None:
    inside = [path for path in files if path.startswith(f"{value['path'].rstrip('/')}/")]
    if not inside:
        raise RefusalError(404, "A folder with this name doesn't exist", "EntryNotFound")
    for path in inside:
        del files[path]


def _safe(path: str) -> str:
    if path.startswith("/") or {"", ".", "..", ".git"} & set(path.split("/")) or str(PurePosixPath(path)) != path:
        raise RefusalError(400, f"Invalid path: {path}")
    return path


OPERATIONS: dict[str, Callable[[Store, Files, dict[str, Any]], None]] = {
    "file": _file,
    "lfsFile": _lfs_file,
    "deletedFile": _deleted_file,
    "deletedFolder": _deleted_folder,
}
