"""What the Hub tells of repositories: lists of models, one model, its files, commits and references."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlencode

import yaml

from hub_server.access import at_revision, readable
from hub_server.answers import Answer, Call, RefusalError, as_json
from hub_server.store import Blob, Commit, Repo, Store

SORTING: dict[str, Callable[[Repo], Any]] = {
    "createdAt": lambda repo: repo.created,
    "downloads": lambda repo: repo.downloads,
    "lastModified": lambda repo: repo.commits()[0].date,
    "likes": lambda repo: repo.likes,
    "trendingScore": lambda repo: repo.likes,
}
PREFIXED = ("datasets", "base_model", "license")
ALWAYS = ("_id", "id", "modelId", "private", "downloads", "likes", "tags", "createdAt", "pipeline_tag", "library_name")


def list_models(store: Store, call: Call) -> Answer:
    """Answer which models there are, of those that the user may see."""
    repos = [repo for repo in store.repos.values() if readable(repo, call.user)]
    if author := call.value("author"):
        repos = [repo for repo in repos if repo.owner == author]
    if words := call.value("search"):
        repos = [repo for repo in repos if words.lower() in repo.id.lower()]
    wanted = {tag for value in call.query.get("filter", []) for tag in value.split(",")}
    wanted |= set(call.query.get("pipeline_tag", []))
    repos = [repo for repo in repos if wanted <= set(describe(repo, repo.commits()[0])["tags"])]
    key = call.value("sort") or "trendingScore"
    if key not in SORTING:
        raise RefusalError(400, f'"sort" must be one of {", ".join(sorted(SORTING))}')
    repos.sort(key=SORTING[key], reverse=call.value("direction") != "1")
    return pages(store, call, repos, lambda repo: _row(repo, call))


def model_info(store: Store, call: Call, repo_id: str, revision: str = "main") -> Answer:
    """Answer everything about a model at a revision."""
    repo, commit = at_revision(store, call, repo_id, revision)
    found = describe(repo, commit, sizes=call.flag("blobs"))
    if kept := _expanded(call):
        found = {name: value for name, value in found.items() if name in {*kept, "_id", "id"}}
    return as_json(found)


def tree(store: Store, call: Call, repo_id: str, revision: str, folder: str = "") -> Answer:
    """Answer which files and folders there are in one, or also in those below it."""
    repo, commit = at_revision(store, call, repo_id, revision)
    start = f"{folder.strip('/')}/" if folder.strip("/") else ""
    found: set[str] = set()
    for path in commit.files:
        if path.startswith(start):
            parts = path.removeprefix(start).split("/")
            found |= {start + "/".join(parts[: n + 1]) for n in range(len(parts) if call.flag("recursive") else 1)}
    if start and not found:
        raise RefusalError(404, f"{folder} does not exist on {revision}", "EntryNotFound")
    return pages(store, call, sorted(found - {""}), lambda path: _entry(repo, commit, path, expand=call.flag("expand")))


def paths_info(store: Store, call: Call, repo_id: str, revision: str) -> Answer:
    """Answer what the named files and folders are; names of nothing are passed over."""
    repo, commit = at_revision(store, call, repo_id, revision)
    form: dict[str, Any] = {}
    if call.headers.get("Content-Type", "").startswith("application/json"):
        form = call.json()
    else:
        form = parse_qs(call.body.decode())
    folders = {path.rsplit("/", n)[0] for path in commit.files for n in range(1, path.count("/") + 1)}
    expand = str(form.get("expand", "")).strip("[]'").lower() == "true"
    known = [path for path in form.get("paths", []) if path in commit.files or path in folders]
    return as_json([_entry(repo, commit, path, expand=expand) for path in known])


def refs(store: Store, call: Call, repo_id: str) -> Answer:
    """Answer which branches and tags there are."""
    repo, _ = at_revision(store, call, repo_id, "main")

    def listed(names: dict[str, str], folder: str) -> list[dict[str, str]]:
        return [{"name": name, "ref": f"{folder}{name}", "targetCommit": oid} for name, oid in names.items()]

    found = {"branches": listed(repo.branches, "refs/heads/"), "tags": listed(repo.tags, "refs/tags/"), "converts": []}
    if call.flag("include_prs"):
        found["pullRequests"] = listed(repo.pulls, "")
    return as_json(found)


def commits(store: Store, call: Call, repo_id: str, revision: str) -> Answer:
    """Answer a revision's commits, the newest first."""
    repo, commit = at_revision(store, call, repo_id, revision)
    history = repo.commits(commit.oid)
    answer = pages(store, call, history, _commit)
    return Answer(answer.status, answer.body, {**answer.headers, "X-Total-Count": str(len(history))})


def pages(store: Store, call: Call, items: Sequence[Any], shown: Callable[[Any], object]) -> Answer:
    """Answer one page of a list, and where the next one is."""
    size = min(store.page_size, int(call.value("limit") or store.page_size))
    start = int(call.value("cursor") or 0)
    headers = {}
    if start + size < len(items):
        query = {**call.query, "cursor": [str(start + size)]}
        headers["Link"] = f'<{call.url}{call.path}?{urlencode(query, doseq=True)}>; rel="next"'
    return as_json([shown(item) for item in items[start : start + size]], headers=headers)


def card_of(commit: Commit) -> dict[str, Any] | None:
    """Return the metadata at the head of README.md; None without any that can be read."""
    text = commit.files.get("README.md", Blob(b"")).content.decode(errors="replace").replace("\r\n", "\n")
    if not text.startswith("---\n") or "\n---" not in text[3:]:
        return None
    try:
        card = yaml.safe_load(text[4:].split("\n---", 1)[0])
    except yaml.YAMLError:
        return None
    return json.loads(json.dumps(card, default=str)) if isinstance(card, dict) else None


def describe(repo: Repo, commit: Commit, *, sizes: bool = False) -> dict[str, Any]:
    """Return all that is told of a model at a commit."""
    card = card_of(commit)
    return {
        "_id": f"{sum(repo.id.encode()):024x}",
        "id": repo.id,
        "modelId": repo.id,
        "author": repo.owner,
        "sha": commit.oid,
        "lastModified": _written(repo.commits()[0].date),
        "createdAt": _written(repo.created),
        "private": repo.private,
        "gated": repo.gated,
        "disabled": False,
        "downloads": repo.downloads,
        "likes": repo.likes,
        "tags": _tags(card or {}, commit),
        **{name: (card or {})[name] for name in ("pipeline_tag", "library_name") if (card or {}).get(name)},
        **({"cardData": card} if card is not None else {}),
        "siblings": [_sibling(path, blob, sizes=sizes) for path, blob in sorted(commit.files.items())],
        "spaces": [],
    }


def _row(repo: Repo, call: Call) -> dict[str, Any]:
    found = describe(repo, repo.commits()[0])
    kept = {"_id", "id", "modelId", *_expanded(call)} if _expanded(call) else set(ALWAYS)
    if call.flag("full"):
        kept |= {"author", "sha", "lastModified", "gated", "siblings"}
    if call.flag("cardData"):
        kept.add("cardData")
    return {name: value for name, value in found.items() if name in kept}


def _expanded(call: Call) -> list[str]:
    return [*call.query.get("expand", []), *call.query.get("expand[]", [])]


def _tags(card: dict[str, Any], commit: Commit) -> list[str]:
    """Return the card's tags and those that the Hub makes of its other fields."""

    def several(name: str) -> list[str]:
        value = card.get(name) or []
        return [str(each) for each in value] if isinstance(value, list) else [str(value)]

    found = [*several("library_name"), *several("tags"), *several("pipeline_tag"), *several("language")]
    found += [f"{name.removesuffix('s')}:{each}" for name in PREFIXED for each in several(name)]
    if any(path.endswith(".safetensors") for path in commit.files):
        found.append("safetensors")
    return list(dict.fromkeys([*found, "region:us"]))


def _sibling(path: str, blob: Blob, *, sizes: bool) -> dict[str, Any]:
    if not sizes:
        return {"rfilename": path}
    found: dict[str, Any] = {"rfilename": path, "size": blob.size, "blobId": blob.oid}
    if blob.lfs:
        found["lfs"] = {"sha256": blob.sha256, "size": blob.size, "pointerSize": len(blob.pointer)}
    return found


def _entry(repo: Repo, commit: Commit, path: str, *, expand: bool) -> dict[str, Any]:
    blob = commit.files.get(path)
    if blob is None:
        found: dict[str, Any] = {"type": "directory", "path": path, "size": 0, "oid": f"{sum(path.encode()):040x}"}
    else:
        found = {"type": "file", "path": path, "size": blob.size, "oid": blob.oid}
        if blob.lfs:
            found["lfs"] = {"oid": blob.sha256, "size": blob.size, "pointerSize": len(blob.pointer)}
    if expand:
        last = repo.changed(commit, path)
        found["lastCommit"] = {"id": last.oid, "title": last.title, "date": _written(last.date)}
    return found


def _commit(commit: Commit) -> dict[str, Any]:
    return {
        "id": commit.oid,
        "title": commit.title,
        "message": commit.description,
        "authors": [{"user": commit.author}],
        "date": _written(commit.date),
    }


def _written(date: datetime) -> str:
    return date.strftime("%Y-%m-%dT%H:%M:%S.000Z")
