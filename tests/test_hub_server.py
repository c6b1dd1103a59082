"""The Hub that tests use speaks to huggingface_hub and timm as the real one does, and has the faults asked of it."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from hub_server import Blob, HubServer, hub_server

CLIENT = """
import contextlib, json, sys, traceback
from pathlib import Path
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

for line in sys.stdin:
    asked = json.loads(line)
    names = {**globals(), **asked["given"], "hub": HfApi(endpoint=asked["url"], token=asked["token"])}
    names["cache"] = Path(asked["given"]["folder"]) / "cache"
    try:
        with contextlib.redirect_stdout(sys.stderr):
            exec(asked["code"], names)
        told = {"result": names.get("result")}
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        told = {"error": [type(error).__name__, status], "trace": traceback.format_exc()}
    print(json.dumps(told), flush=True)
"""
CARD = (
    b"---\ntags: [image-classification, faa]\nlibrary_name: timm\nlicense: mit\ndatasets: cifar10\n---\n# A network\n"
)
WEIGHTS = bytes(range(256)) * 4096  # a megabyte

Run = Callable[..., Any]


@pytest.fixture
def server() -> Iterator[HubServer]:
    with hub_server() as running:
        yield running


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator["subprocess.Popen[str]"]:
    """A process with huggingface_hub, which reads its environment at import; it serves all tests here."""
    home = tmp_path_factory.mktemp("client")
    with hub_server() as unused:  # every call names its own
        environment = unused.environment(home, token=False)
    with (home / "log").open("w") as log:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
        process = subprocess.Popen([sys.executable, "-c", CLIENT], env=environment, text=True, **pipes)
        yield process
        process.communicate(timeout=60)


@pytest.fixture
def run(server: HubServer, client: "subprocess.Popen[str]", tmp_path: Path) -> Run:
    return partial(run_code, server, client, tmp_path)


def run_code(
    server: HubServer,
    client: "subprocess.Popen[str]",
    folder: Path,
    code: str,
    *,
    token: str | bool = True,
    fails: bool = False,
    **given: object,
) -> Any:
    """Run code with `hub`, an HfApi; return its `result`, or where it fails its exception's name and HTTP status."""
    asked = {"code": textwrap.dedent(code), "url": server.url, "token": server.token if token is True else token}
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(json.dumps({**asked, "given": {**given, "folder": str(folder)}}) + "\n")
    client.stdin.flush()
    told = json.loads(client.stdout.readline())
    assert ("error" in told) == fails, told
    return tuple(told["error"]) if fails else told["result"]


FETCH = "result = open(hub.hf_hub_download('alice/net', name, cache_dir=cache), 'rb').read().hex()"


def test_a_repository_comes_changes_and_goes(server: HubServer, run: Run):
    assert run("result = hub.whoami()['name']") == "alice"
    assert run("result = hub.whoami()", token="hf_wrong", fails=True) == ("HfHubHTTPError", 401)  # noqa: S106
    assert run("result = str(hub.create_repo('net'))") == f"{server.url}/alice/net"
    assert run("result = hub.create_repo('alice/net')", fails=True) == ("HfHubHTTPError", 409)
    assert run("result = hub.create_repo('alice/net', exist_ok=True).repo_id") == "alice/net"
    assert run("result = hub.create_repo('bob/net')", fails=True) == ("HfHubHTTPError", 403)
    assert run("result = hub.create_repo('alice/two', token=False)", fails=True) == ("HfHubHTTPError", 401)
    assert not server.repo("alice/net").private
    run("hub.update_repo_settings('alice/net', private=True)")
    assert server.repo("alice/net").private
    run("hub.move_repo('alice/net', 'alice/other')")
    assert server.repos == ["alice/other"]
    run("hub.delete_repo('alice/other')")
    assert server.repos == []
    assert run("hub.delete_repo('alice/other')", fails=True) == ("RepositoryNotFoundError", 404)


def test_what_is_uploaded_is_there_and_comes_back(server: HubServer, run: Run, tmp_path: Path):
    """Small files in the commit itself, large ones by their hash and without the token, at another host."""
    source = tmp_path / "source"
    (source / "inner").mkdir(parents=True)
    files = {"README.md": CARD, "inner/config.json": b"{}", "model.safetensors": WEIGHTS, "empty.bin": b""}
    for name, content in files.items():
        (source / name).write_bytes(content)
    code = """
    hub.create_repo('alice/net', private=True)
    made = hub.upload_folder(repo_id='alice/net', folder_path=folder + '/source', commit_message='All')
    again = hub.upload_folder(repo_id='alice/net', folder_path=folder + '/source', commit_message='Again')
    one = hub.upload_file(path_or_fileobj=b'[1]', path_in_repo='inner/more.json', repo_id='alice/net')
    copy = Path(hub.snapshot_download('alice/net', cache_dir=cache))
    found = {str(path.relative_to(copy)): path.read_bytes().hex() for path in copy.rglob('*') if path.is_file()}
    result = [made.oid, again.oid, one.oid, copy.name, found]
    """
    made, again, one, copy, found = run(code)
    expected = {**files, "inner/more.json": b"[1]"}
    repo = server.repo("alice/net")
    assert {name: bytes.fromhex(content) for name, content in found.items()} == repo.files()
    assert {name: content for name, content in repo.files().items() if name != ".gitattributes"} == expected
    assert made == again != one == copy
    assert [commit.oid for commit in repo.commits()[:2]] == [one, made]
    assert len(repo.commits()) == 3
    assert [request.path.split("/")[1] for request in server.sent("PUT *")] == ["lfs"]
    assert len(server.sent("POST */lfs/objects/verify")) == 1
    assert server.sent("GET /cdn/alice/net/*/model.safetensors")[0].status == 200
    assert server.sent("POST /api/models/alice/net/commit/main")[0].token
    assert server.leaked() == []


def test_others_do_not_see_what_is_private(server: HubServer, run: Run):
    server.put("alice/net", {"config.json": b"{}"}, private=True)
    server.put("bob/net", {"config.json": b"{}"}, private=True)
    server.put("bob/open", {"config.json": b"{}"})
    download = "hub.hf_hub_download(repo, 'config.json', cache_dir=cache)"
    assert run(download, repo="alice/net", token=False, fails=True)[0] == "RepositoryNotFoundError"
    assert run("hub.model_info('alice/net')", token=False, fails=True) == ("RepositoryNotFoundError", 401)
    assert run("hub.model_info('bob/net')", fails=True) == ("RepositoryNotFoundError", 404)
    assert run("hub.model_info('bob/none')", fails=True) == ("RepositoryNotFoundError", 404)
    assert run("result = hub.model_info('alice/net').private") is True
    assert run("result = [model.id for model in hub.list_models()]") == ["alice/net", "bob/open"]
    assert run("result = [model.id for model in hub.list_models()]", token=False) == ["bob/open"]
    run(download, repo="bob/open", token=False)
    assert not server.sent("HEAD /bob/open/resolve/*")[-1].token
    upload = "hub.upload_file(path_or_fileobj=b'', path_in_repo='a', repo_id='bob/open')"
    assert run(upload, fails=True) == ("HfHubHTTPError", 403)


def test_branches_tags_and_commits_are_revisions(server: HubServer, run: Run):
    first = server.put("alice/net", {"config.json": b"1", "model.safetensors": b"old"})
    server.tag("alice/net", "v1")
    code = """
    def read(revision):
        return Path(hub.hf_hub_download('alice/net', 'config.json', revision=revision, cache_dir=cache)).read_text()

    hub.create_branch('alice/net', branch='next/try')
    operations = [CommitOperationAdd('config.json', b'2'), CommitOperationDelete('model.safetensors')]
    made = hub.create_commit('alice/net', operations, commit_message='Two', revision='next/try')
    hub.create_tag('alice/net', tag='v2', revision='next/try')
    refs = hub.list_repo_refs('alice/net')
    result = [made.oid, [read(name) for name in ('main', 'v1', first, 'next/try', 'v2', made.oid)],
        [ref.name for ref in refs.branches], [ref.name for ref in refs.tags],
        [commit.title for commit in hub.list_repo_commits('alice/net', revision='v2')],
        hub.model_info('alice/net', revision='v2').sha, hub.list_repo_files('alice/net', revision='v2')]
    """
    made, read, branches, tags, titles, sha, files = run(code, first=first.oid)
    assert read == ["1", "1", "1", "2", "2", "2"]
    assert (branches, tags) == (["main", "next/try"], ["v1", "v2"])
    assert titles == ["Two", "Seed", "initial commit"]
    assert sha == made == server.repo("alice/net").tags["v2"]
    assert files == [".gitattributes", "config.json"]
    assert run("hub.create_tag('alice/net', tag='v1')", fails=True) == ("HfHubHTTPError", 409)
    run("hub.create_tag('alice/net', tag='v1', exist_ok=True)")
    run("hub.delete_tag('alice/net', tag='v1'); hub.delete_branch('alice/net', branch='next/try')")
    assert run("hub.model_info('alice/net', revision='v1')", fails=True) == ("RevisionNotFoundError", 404)
    missing = "hub.hf_hub_download('alice/net', 'none', cache_dir=cache)"
    assert run(missing, fails=True) == ("RemoteEntryNotFoundError", 404)


def test_a_commit_may_ask_for_the_one_before(server: HubServer, run: Run):
    old = server.put("alice/net", {"a": b"1"})
    server.put("alice/net", {"a": b"2"})
    code = "hub.create_commit('alice/net', [CommitOperationAdd('a', b'3')], commit_message='3', parent_commit=old)"
    assert run(code, old=old.oid, fails=True) == ("HfHubHTTPError", 412)
    assert server.repo("alice/net").files()["a"] == b"2"
    pull = (
        "result = hub.create_commit('alice/net', [CommitOperationAdd('a', b'3')], commit_message='3', create_pr=True)"
    )
    assert run(f"{pull}.pr_revision") == "refs/pr/1"
    assert server.repo("alice/net").files("refs/pr/1")["a"] == b"3"
    gone = "hub.delete_file('none', repo_id='alice/net')"
    assert run(gone, fails=True) == ("RemoteEntryNotFoundError", 404)
    bad = "hub.upload_file(path_or_fileobj=b'---\\na: [\\n---\\n', path_in_repo='README.md', repo_id='alice/net')"
    assert run(bad, fails=True)[0] == "ValueError"


def test_models_are_found_by_what_their_cards_have(run: Run, server: HubServer):
    for number, name in enumerate(("wrn", "pyramid", "other")):
        card = CARD if name != "other" else b"# No head"
        server.put(f"alice/{name}", {"README.md": card, "model.safetensors": b"w"})
        server.repo(f"alice/{name}").downloads = number
    code = """
    def ids(**how):
        return [model.id for model in hub.list_models(**how)]

    model, = hub.list_models(search='WRN', full=True, cardData=True)
    info = hub.model_info('alice/wrn', files_metadata=True)
    tree = hub.list_repo_tree('alice/wrn', expand=True)
    result = [ids(filter='faa'), ids(filter=['faa', 'timm', 'license:mit']), ids(filter='none'), ids(author='bob'),
        ids(sort='downloads', limit=2), model.tags, model.card_data.to_dict(), len(model.siblings),
        [(each.rfilename, each.size, bool(each.lfs)) for each in info.siblings],
        [(each.path, each.last_commit.title) for each in tree],
        [each.path for each in hub.get_paths_info('alice/wrn', ['README.md', 'none'])],
        hub.model_info('alice/wrn', expand=['downloads', 'sha']).downloads]
    """
    one, all_of_them, none, bob, most, tags, card, siblings, sizes, tree, paths, downloads = run(code)
    assert one == all_of_them == ["alice/wrn", "alice/pyramid"]
    assert none == bob == []
    assert most == ["alice/other", "alice/pyramid"]
    assert {"faa", "timm", "image-classification", "license:mit", "dataset:cifar10", "safetensors"} <= set(tags)
    assert card["library_name"] == "timm"
    assert siblings == 3
    assert [name[0] for name in sizes] == [".gitattributes", "README.md", "model.safetensors"]
    assert sizes[1:] == [["README.md", len(CARD), False], ["model.safetensors", 1, True]]
    assert tree == [[".gitattributes", "initial commit"], ["README.md", "Seed"], ["model.safetensors", "Seed"]]
    assert (paths, downloads) == (["README.md"], 0)


def test_lists_come_in_pages(client: "subprocess.Popen[str]", tmp_path: Path):
    with hub_server(page_size=3) as server:
        for number in range(7):
            server.put(f"alice/{number}", {"a": b""})
        server.put("alice/many", {f"folder/{number}": b"" for number in range(10)})
        run = partial(run_code, server, client, tmp_path)
        assert len(run("result = [model.id for model in hub.list_models()]")) == 8
        assert len(run("result = hub.list_repo_files('alice/many')")) == 11
        assert len(server.sent("GET /api/models")) == 3


def test_a_cut_download_goes_on_where_it_ended(server: HubServer, run: Run):
    """huggingface_hub writes 10 MiB at a time and goes on from the last it has written."""
    weights = WEIGHTS * 12
    server.put("alice/net", {"model.safetensors": weights})
    server.cut("GET /cdn/*", 11 * 2**20)
    assert bytes.fromhex(run(FETCH, name="model.safetensors")) == weights
    whole, rest = server.sent("GET /cdn/*")
    assert (whole.range, rest.range) == ("", f"bytes={10 * 2**20}-")
    assert (whole.status, rest.status) == (200, 206)


@pytest.mark.parametrize(
    ("asked", "status", "content", "part"),
    [
        ("bytes=2-4", 206, b"cde", "bytes 2-4/10"),
        ("bytes=7-", 206, b"hij", "bytes 7-9/10"),
        ("bytes=-2", 206, b"ij", "bytes 8-9/10"),
        ("bytes=8-99", 206, b"ij", "bytes 8-9/10"),
        ("bytes=10-", 416, None, "bytes */10"),
        ("lines=1-2", 200, b"abcdefghij", None),
    ],
)
def test_parts_of_files_are_sent(server: HubServer, asked: str, status: int, content: bytes | None, part: str | None):
    server.put("alice/net", {"a.txt": b"abcdefghij"})
    connection = HTTPConnection(server.url.removeprefix("http://"))
    with closing(connection):
        connection.request("GET", "/alice/net/resolve/main/a.txt", headers={"Range": asked})
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Content-Range"]) == (status, part)
        assert content in (None, answer.read())


def test_a_cut_upload_is_sent_again(server: HubServer, run: Run):
    run("hub.create_repo('alice/net')")
    server.cut_upload("PUT /lfs/*", 300_000)
    run("hub.upload_file(path_or_fileobj=bytes(10**6), path_in_repo='model.safetensors', repo_id='alice/net')")
    assert [request.length for request in server.sent("PUT /lfs/*")] == [300_000, 10**6]
    assert server.repo("alice/net").files()["model.safetensors"] == bytes(10**6)
    server.cut_upload("POST */commit/main", 10, reset=True)
    code = "hub.upload_file(path_or_fileobj=b'2', path_in_repo='a', repo_id='alice/net')"
    assert run(code, fails=True)[0] in ("RemoteProtocolError", "ReadError", "WriteError")
    assert "a" not in server.repo("alice/net").files()


def test_too_many_requests_are_tried_again_where_the_client_does(server: HubServer, run: Run):
    server.put("alice/net", {"config.json": b"{}", "model.safetensors": b"w"})
    server.fail("GET /cdn/*", status=429, headers={"Retry-After": "0"})
    assert run(FETCH, name="model.safetensors") == b"w".hex()
    assert [request.status for request in server.sent("GET /cdn/*")] == [429, 200]
    server.fail("/api/models/alice/net", status=429, times=2, headers={"Retry-After": "1"})
    server.fail("/api/models/alice/net", status=500)
    for status in (429, 429, 500):
        assert run("hub.model_info('alice/net')", fails=True) == ("HfHubHTTPError", status)
    run("hub.model_info('alice/net')")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 401}, ("HfHubHTTPError", 401)),
        ({"status": 403}, ("HfHubHTTPError", 403)),
        ({"status": 404, "code": "RepoNotFound"}, ("RepositoryNotFoundError", 404)),
        ({"status": 409}, ("HfHubHTTPError", 409)),
        ({"status": 200, "body": b"<html>Log in to this network"}, ("JSONDecodeError", None)),
    ],
)
def test_answers_can_be_anything(server: HubServer, run: Run, fault: dict[str, Any], error: tuple[str, int | None]):
    server.put("alice/net", {"a": b""})
    server.fail("/api/models/*", times=None, **fault)
    assert run("hub.model_info('alice/net')", fails=True) == error
    server.heal()
    run("hub.model_info('alice/net')")


def test_a_slow_answer_comes_late(server: HubServer, run: Run):
    server.put("alice/net", {"a": b""})
    server.slow("/api/models/*", 60)
    assert run("hub.model_info('alice/net', timeout=0.1)", fails=True) == ("ReadTimeout", None)


def test_wrong_content_and_wrong_sizes_are_delivered(server: HubServer, run: Run):
    """huggingface_hub looks at sizes only, so that the content is for its users to check."""
    etag = "result = Path(hub.hf_hub_download('alice/net', name, cache_dir=cache)).resolve().name"
    server.put("alice/net", {"model.safetensors": WEIGHTS, "config.json": b"{}"})
    server.corrupt("GET /cdn/*")
    assert bytes.fromhex(run(FETCH, name="model.safetensors")) == bytes(255 - byte for byte in WEIGHTS)
    server.put("alice/net", {"false.bin": Blob(b"false", lfs=True, announced_sha256="0" * 64)})
    assert run(etag, name="false.bin") == "0" * 64
    server.relabel("*/resolve/main/config.json", {"ETag": '"beef"'})
    assert run(etag, name="config.json") == "beef"
    server.put("alice/net", {"huge.bin": Blob(b"x", lfs=True, announced_size=10 * 2**30)})
    sizes = "result = [each.size for each in hub.model_info('alice/net', files_metadata=True).siblings]"
    assert 10 * 2**30 in run(sizes)
    head = "result = hub.get_hf_file_metadata(url=hub.endpoint + '/alice/net/resolve/main/huge.bin').size"
    assert run(head) == 10 * 2**30


def test_a_repository_changes_between_list_and_fetch(server: HubServer, run: Run):
    old = server.put("alice/net", {"config.json": b"1"})
    server.after("/api/models/alice/net*", lambda: server.put("alice/net", {"config.json": b"2"}))
    assert run("result = hub.model_info('alice/net').sha") == old.oid
    assert bytes.fromhex(run(FETCH, name="config.json")) == b"2"


@pytest.mark.parametrize(
    "name", ["../../outside", "/absolute", "..\\..\\outside", "C:\\outside", "a/../../../b", "a\nb"]
)
def test_names_that_lead_elsewhere_are_delivered(server: HubServer, run: Run, name: str):
    """No client could upload them, and every client must refuse or contain them."""
    server.put("alice/net", {name: b"planted"})
    assert name in run("result = [each.rfilename for each in hub.model_info('alice/net').siblings]")
    assert name in run("result = hub.list_repo_files('alice/net')")
    fetch = """
    import httpx2, urllib.parse
    url = hub.endpoint + '/alice/net/resolve/main/' + urllib.parse.quote(name, safe='')
    result = httpx2.get(url).text
    """
    assert run(fetch, name=name) == "planted"
    upload = "hub.create_commit('alice/net', [CommitOperationAdd('a', b'')], commit_message='a')"
    run(upload)


def test_a_redirect_to_another_host_takes_no_token_along(server: HubServer, run: Run):
    server.put("alice/net", {"config.json": b"{}"})
    server.redirect("HEAD *", times=None)
    server.redirect("GET /api/*")
    assert run("result = hub.model_info('alice/net').id") == "alice/net"
    before, after = server.sent("GET /api/*")
    assert before.token
    assert not after.token
    assert after.host == server.elsewhere.removeprefix("http://")
    assert run(FETCH, name="config.json", fails=True)[0] == "LocalEntryNotFoundError"
    assert server.leaked() == []


def test_timm_models_go_there_and_back(server: HubServer, tmp_path: Path):
    code = """
    import timm, torch
    model = timm.create_model("test_vit", num_classes=3).eval()
    timm.models.push_to_hf_hub(model, "net", safe_serialization=True, model_config={"faa": {"policy": "a"}})
    copy = timm.create_model("hf-hub:alice/net", pretrained=True).eval()
    images_NCHW = torch.randn(2, 3, 160, 160)
    assert torch.equal(model(images_NCHW), copy(images_NCHW))
    """
    environment = server.environment(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    files = server.repo("alice/net").files()
    assert {"README.md", "config.json", "model.safetensors"} <= set(files)
    assert json.loads(files["config.json"])["faa"] == {"policy": "a"}
    assert server.leaked() == []


def test_only_the_servers_settings_reach_a_process(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN", "HF_HUB_CACHE", "HTTPS_PROXY", "TRANSFORMERS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    given = server.environment(tmp_path, token=False)
    assert given["HF_HUB_OFFLINE"] == "0"
    assert given["PATH"] == os.environ["PATH"]
    assert not {"HF_TOKEN", "HF_HUB_CACHE", "HTTPS_PROXY", "TRANSFORMERS_OFFLINE"} & set(given)
    assert server.environment(tmp_path)["HF_TOKEN"] == server.token
