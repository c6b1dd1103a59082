"""Which request is answered by which function."""

import re
from collections.abc import Callable
from urllib.parse import unquote

from hub_server import changing, delivering, looking, uploading
from hub_server.access import seen, signed_in
from hub_server.answers import Answer, Call, RefusalError, as_json
from hub_server.store import Store


def whoami(_store: Store, call: Call) -> Answer:
    """Answer whose token it is."""
    user = signed_in(call)
    token = {"displayName": "test", "role": "write", "createdAt": "2026-01-01T00:00:00.000Z"}
    found = {"type": "user", "id": "0" * 24, "name": user, "fullname": user, "isPro": False, "orgs": []}
    return as_json({**found, "auth": {"type": "access_token", "accessToken": token}})


def auth_check(store: Store, call: Call, repo_id: str) -> Answer:
    """Answer whether the user may read a repository."""
    seen(store, call, repo_id)
    return as_json({"ok": True})


REPO = r"([^/]+/[^/]+)"
REVISION = PART = r"([^/]+)"
ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("GET", "/api/whoami-v2", whoami),
    ("POST", "/api/validate-yaml", uploading.validate_yaml),
    ("POST", "/api/repos/create", changing.create),
    ("DELETE", "/api/repos/delete", changing.delete),
    ("POST", "/api/repos/move", changing.move),
    ("GET", "/api/models", looking.list_models),
    ("GET", f"/api/models/{REPO}", looking.model_info),
    ("GET", f"/api/models/{REPO}/revision/{REVISION}", looking.model_info),
    ("GET", f"/api/models/{REPO}/tree/{REVISION}", looking.tree),
    ("GET", f"/api/models/{REPO}/tree/{REVISION}/(.+)", looking.tree),
    ("POST", f"/api/models/{REPO}/paths-info/{REVISION}", looking.paths_info),
    ("GET", f"/api/models/{REPO}/refs", looking.refs),
    ("GET", f"/api/models/{REPO}/commits/{REVISION}", looking.commits),
    ("GET", f"/api/models/{REPO}/auth-check", auth_check),
    ("PUT", f"/api/models/{REPO}/settings", changing.settings),
    ("POST|DELETE", f"/api/models/{REPO}/branch/{PART}", changing.branch),
    ("POST|DELETE", f"/api/models/{REPO}/tag/{PART}", changing.tag),
    ("POST", f"/api/models/{REPO}/preupload/{REVISION}", uploading.preupload),
    ("POST", f"/api/models/{REPO}/commit/{REVISION}", uploading.commit),
    ("POST", rf"/{REPO}\.git/info/lfs/objects/batch", uploading.batch),
    ("POST", rf"/{REPO}\.git/info/lfs/objects/verify", uploading.verify),
    ("PUT", f"/lfs/{REPO}/{PART}", uploading.receive),
    ("GET|HEAD", f"/{REPO}/resolve/{REVISION}/(.+)", delivering.resolve),
    ("GET|HEAD", f"/cdn/{REPO}/{PART}/(.+)", delivering.deliver),
]


def answer(store: Store, call: Call) -> Answer:
    """Answer a request, or refuse it."""
    for methods, pattern, function in ROUTES:
        if call.method in methods.split("|") and (found := re.fullmatch(pattern, call.path)):
            try:
                with store.lock:
                    return function(store, call, *map(unquote, found.groups()))
            except RefusalError as refused:
                return refused.answer
    return RefusalError(404, f"Nothing is at {call.method} {call.path}").answer
