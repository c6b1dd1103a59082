"""How files get to clients: small ones from the Hub itself, large ones from another host, whole or from a byte on."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from hub_server.access import at_revision
from hub_server.answers import Answer, Call, RefusalError
from hub_server.store import Blob, Store


def resolve(store: Store, call: Call, repo_id: str, revision: str, path: str) -> Answer:
    """Answer with a small file's content, or with where a large one is."""
    repo, commit = at_revision(store, call, repo_id, revision)
    headers = {"X-Repo-Commit": commit.oid}
    if repo.gated and repo.owner != call.user:
        raise RefusalError(403 if call.user else 401, f"Access to model {repo_id} is restricted", "GatedRepo", headers)
    if (blob := commit.files.get(path)) is None:
        raise RefusalError(404, "Entry not found", "EntryNotFound", headers)
    headers["ETag"] = f'"{blob.etag}"'
    if not blob.lfs:
        return _content(call, blob, headers)
    headers |= {"X-Linked-Size": str(blob.size), "X-Linked-ETag": f'"{blob.etag}"'}
    headers["Location"] = f"{call.elsewhere}/cdn/{repo_id}/{blob.sha256}/{quote(path, safe='')}"
    return Answer(302, b"", headers)


def deliver(store: Store, call: Call, _repo_id: str, sha256: str, _path: str) -> Answer:
    """Answer with a large file's content; its address is all that a client needs."""
    if (blob := store.objects.get(sha256)) is None:
        raise RefusalError(403, "Access Denied")
    return _content(call, blob, {"ETag": f'"{blob.etag}"'})


def _content(call: Call, blob: Blob, headers: Mapping[str, str]) -> Answer:
    kept = {**headers, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", call.headers.get("Range", ""))
    if asked is None or asked[0] == "bytes=-":
        return Answer(200, blob.content, kept, length=blob.size)
    first, last = asked[1], asked[2]
    start = int(first) if first else max(0, blob.size - int(last))
    stop = min(blob.size, int(last) + 1) if first and last else blob.size
    if start >= stop:
        raise RefusalError(416, "Range Not Satisfiable", headers={"Content-Range": f"bytes */{blob.size}"})
    kept["Content-Range"] = f"bytes {start}-{stop - 1}/{blob.size}"
    return Answer(206, blob.content[start:stop], kept, length=stop - start)
