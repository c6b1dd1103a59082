"""Policies go to a Hub and come back, and whatever the Hub, the net or an author does ends in one sentence."""

import itertools
import json
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from faa_core import Policy, formats
from hub_server import Blob, HubServer, hub_server
from tests.hub_client import TOKEN, Client, hub_client, is_told

RUNS = Path(__file__).parent / "golden_runs"
LISTS = [[["ShearX", 0.25, 0.5], ["Invert", 0.1, 0.2]], [["Rotate", 1.0, 0.75], ["Equalize", 0.5, 0.0]]]
LEGACY = json.dumps(LISTS).encode()
NUMBERS = itertools.count()
BUILT_IN = "trivialaugment"
LOAD = "from faa_core import Policy; result = Policy.load(name).to_json()"
PUSH = "from faa_core import Policy; result = Policy.load(policy).push_to_hub(name)"
PIXELS = """
import numpy as np
from PIL import Image
from faa_core import Policy

image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
one, two = Policy.load(policy), Policy.load(name)
result = all(one.apply(image, seed=0, epoch=0, index=i) == two.apply(image, seed=0, epoch=0, index=i) for i in range(9))
"""


def document(**fields: Any) -> bytes:
    """Return a policy's document with one operation, and other fields."""
    own = {
        "schema": "faa-policy/1",
        "kind": "sub-policies",
        "sub_policies": [[{"op": "Rotate", "p": 0.5, "magnitude": 1}]],
    }
    return json.dumps({**own, **fields}).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[HubServer]:
    with hub_server(token=TOKEN) as running:
        yield running


@pytest.fixture(scope="module")
def process(server: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    home = tmp_path_factory.mktemp("home")
    with hub_client(server, home, HF_HUB_ETAG_TIMEOUT="1", HF_HUB_DOWNLOAD_TIMEOUT="1") as client:
        yield client
    assert list(home.rglob("*.incomplete")) == []


@pytest.fixture
def client(server: HubServer, process: Client, tmp_path: Path) -> Iterator[Client]:
    """The process, in an empty folder; the Hub has no fault and no requests, but what other tests left in it."""
    process.folder = tmp_path
    server.forget()
    yield process
    server.heal()


@pytest.fixture
def name() -> str:
    """Return a repository's name that no other test has."""
    return f"alice/r{next(NUMBERS)}"


@pytest.fixture
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a policy with every kind of field."""
    path = tmp_path_factory.mktemp("policy") / "mine.json"
    found = Policy.load(BUILT_IN)
    path.write_text(found.model_copy(update={"name": "mine", "fill": (1, 2, 3), "provenance": {"seed": 3}}).to_json())
    return path


def test_a_policy_goes_there_and_comes_back(server: HubServer, client: Client, name: str, policy: Path):
    assert client.run(PUSH, policy=str(policy), name=name) == f"{server.url}/{name}"
    assert set(server.repo(name).files()) == {".gitattributes", "policy.json", "README.md"}
    assert server.repo(name).files()["policy.json"].decode() == policy.read_text()
    assert client.run(LOAD, name=f"hf://{name}") == policy.read_text()
    code = "from faa_core import Policy; result = [Policy.from_pretrained(one).to_json() for one in names]"
    assert client.run(code, names=[name, f"hf://{name}"]) == [policy.read_text()] * 2
    assert client.run(PIXELS, policy=str(policy), name=f"hf://{name}")
    done = client.faa("policy", "pull", name)
    assert done.out.startswith("Wrote policy.json (mine: ")
    assert (client.folder / "policy.json").read_text() == policy.read_text()
    assert "is there already" in client.faa("policy", "pull", f"hf://{name}", code=2).err
    client.faa("policy", "pull", f"hf://{name}", "folder/other.json")
    assert (client.folder / "folder" / "other.json").read_text() == policy.read_text()
    assert client.faa("policy", "show", f"hf://{name}").out.startswith("mine: ")


def test_a_folder_has_the_same_files_as_a_repository(client: Client, server: HubServer, name: str, policy: Path):
    code = """
    from faa_core import Policy
    Policy.load(policy).save_pretrained("a/b", license="mit")
    Policy.load(policy).push_to_hub(name, license="mit")
    result = Policy.from_pretrained("a/b").to_json()
    """
    assert client.run(code, policy=str(policy), name=name) == policy.read_text()
    files = server.repo(name).files()
    assert {path.name for path in (client.folder / "a" / "b").iterdir()} == set(files) - {".gitattributes"}
    assert (client.folder / "a/b/README.md").read_text().startswith("---\nlicense: mit\n")
    load = "from faa_core import Policy; Policy.from_pretrained(name, revision=revision)"
    assert "is a folder" in client.fails(load, name="a/b", revision="v1")
    (client.folder / "alice" / "empty").mkdir(parents=True)
    server.forget()
    assert "has no policy.json" in client.fails(load, name="alice/empty", revision=None)
    assert "is not a name on the Hub" in client.fails(load, name="a" * 5000, revision=None)
    (client.folder / "policy.json").write_bytes(document())
    assert "A policy is given as" in client.fails(load, name="", revision=None)
    assert "revision" in client.fails(load, name=f"hf://{name}@v1", revision="v2")
    assert server.requests == []


def test_every_revision_stays_to_be_had(server: HubServer, client: Client, name: str):
    """What is pushed in its place leaves the earlier ones, and the other files of the repository."""
    server.put(name, {"notes.txt": b"mine", "README.md": b"# Old"})
    push = PUSH.replace("(name)", "(name, revision=revision, commit_message='Mine')")
    client.run(push, policy="none", name=name, revision=None)
    server.tag(name, "v1")
    first = server.repo(name).commits()[0].oid
    server.put(name, {}, revision="next/try")
    client.run(push, policy="randaugment-m5", name=name, revision="next/try")
    client.run(push, policy=BUILT_IN, name=name, revision=None)
    expected = {"": BUILT_IN, "@main": BUILT_IN, "@v1": "none", f"@{first}": "none", "@next/try": "randaugment-m5"}
    for revision, policy in expected.items():
        assert json.loads(client.run(LOAD, name=f"hf://{name}{revision}"))["name"] == policy
    load = "from faa_core import Policy; result = Policy.from_pretrained(name, revision='v1').name"
    assert client.run(load, name=name) == "none"
    files = server.repo(name).files()
    assert files["notes.txt"] == b"mine"
    assert b"# Old" not in files["README.md"]
    assert [commit.title for commit in server.repo(name).commits()] == ["Mine", "Mine", "Seed", "initial commit"]


def test_the_same_push_again_changes_nothing(server: HubServer, client: Client, name: str):
    first = client.faa("policy", "push", BUILT_IN, name, "--license", "mit").out
    commits = server.repo(name).commits()
    assert set(server.repo(name).files()) == {".gitattributes", "policy.json", "README.md", "policy.png"}
    assert server.repo(name).files()["policy.png"].startswith(b"\x89PNG")
    assert client.faa("policy", "push", BUILT_IN, name, "--license", "mit").out == first
    assert server.repo(name).commits() == commits
    assert not server.repo(name).private
    assert commits[0].oid in first


def test_files_in_other_formats_are_read(server: HubServer, client: Client, name: str):
    one = client.folder / "one.json"
    one.write_text(json.dumps([[["Invert", 0.5, 0.0]]]))
    albumentations = str(formats.render(Policy.load(one), "albumentations"))
    server.put(name, {
        "legacy.json": LEGACY, "lists/policy.py": b"def mine():\n    return " + LEGACY + b"\n",
        "invert.json": albumentations.encode(), "string.txt": b"rand-m9-n2",
        "policy.json": Policy.load(BUILT_IN).to_json().encode(),
        "config.json": b'{"architecture": "resnet10t"}', "model.safetensors": bytes(1000),
    })  # fmt: skip
    (client.folder / "here").mkdir()
    for file, content in server.repo(name).files().items():
        (client.folder / "here" / Path(file).name).write_bytes(content)
    same = """
    from faa_core import Policy
    result = Policy.load(name).sub_policies == Policy.load(file).sub_policies
    """
    for file in ("legacy.json", "lists/policy.py", "invert.json"):
        assert client.run(same, name=f"hf://{name}@main:{file}", file=f"here/{Path(file).name}")
    assert json.loads(client.run(LOAD, name=f"hf://{name}:string.txt"))["kind"] == "parametric"
    assert json.loads(client.run(LOAD, name=f"hf://{name}"))["name"] == BUILT_IN
    client.faa("policy", "pull", f"hf://{name}:legacy.json", "out.json")
    assert json.loads((client.folder / "out.json").read_text())["sub_policies"][0][0]["op"] == "ShearX"
    client.faa("policy", "convert", f"hf://{name}:invert.json", "again.json")
    assert json.loads((client.folder / "again.json").read_text())["sub_policies"][0][0]["op"] == "Invert"
    assert not server.sent("*model.safetensors")


def test_policies_in_other_formats_are_called_by_their_files(server: HubServer, client: Client, name: str):
    server.put(name, {"legacy.json": LEGACY})
    assert json.loads(client.run(LOAD, name=f"hf://{name}:legacy.json"))["name"] == "legacy"


def test_what_is_private_needs_a_token(server: HubServer, client: Client, name: str):
    done = client.faa("policy", "push", "none", name, "--private")
    assert server.repo(name).private
    assert client.run(LOAD, name=f"hf://{name}")
    refused = client.fails(LOAD, name=f"hf://{name}", token=False)
    assert "no such repository, or does not show it" in refused
    assert "hf auth login" in refused
    load = "from faa_core import Policy; result = Policy.from_pretrained(name, token=word).name"
    code = "import sys; word = open('word').read(); " + load
    (client.folder / "word").write_text(server.token)
    assert client.run(code, name=name, token=False) == "none"
    (client.folder / "word").write_text("hf_wrong")
    assert "log in with" in client.fails(code, name=name)
    assert "log in with" in client.fails(LOAD, name=f"hf://{name}", token="hf_wrong")  # noqa: S106
    assert "log in with" in client.faa("policy", "pull", name, token=False, code=2).err
    assert "log in with" in client.faa("policy", "push", "none", name, token=False, code=2).err
    assert server.token not in done.out + done.err


FAULTS_OF_READING: dict[str, tuple[dict[str, Any], str]] = {
    "401": ({"status": 401}, "does not know who asks"),
    "403": ({"status": 403}, "has no right"),
    "gated": ({"status": 403, "code": "GatedRepo"}, "who was accepted"),
    "no repository": ({"status": 404, "code": "RepoNotFound"}, "no such repository"),
    "no revision": ({"status": 404, "code": "RevisionNotFound"}, "no such revision"),
    "no file": ({"status": 404}, "no such file"),
    "429": ({"status": 429, "headers": {"Retry-After": "7"}}, "Wait some minutes"),
    "500": ({"status": 500}, "the Hub failed (status 500)"),
    "a teapot": ({"status": 418}, "status 418"),
}


@pytest.mark.parametrize("kind", FAULTS_OF_READING)
def test_whatever_the_hub_answers_to_a_reader_is_one_sentence(server: HubServer, client: Client, name: str, kind: str):
    fault, told = FAULTS_OF_READING[kind]
    server.put(name, {"policy.json": document()})
    server.fail(f"HEAD /{name}/*", times=None, **fault)
    assert told in client.fails(LOAD, name=f"hf://{name}")
    assert told in client.faa("policy", "pull", name, code=2).err
    server.heal()
    if fault["status"] not in (404, 418):
        server.fail(f"GET /{name}/*", times=None, **fault)
        assert f"'hf://{name}' cannot be read" in client.faa("policy", "pull", name, code=2).err
        server.heal()
    assert list(client.folder.iterdir()) == []
    client.faa("policy", "pull", name)


@pytest.mark.parametrize("kind", ["slow", "cut", "reset", "short"])
def test_a_connection_that_fails_a_reader_is_one_sentence(server: HubServer, client: Client, name: str, kind: str):
    server.put(name, {"policy.json": document()})
    client.run("import huggingface_hub; huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT = 0.2")
    if kind == "slow":
        server.slow(f"HEAD /{name}/*", 3)
        assert "cannot be reached" in client.faa("policy", "pull", name, code=2).err
        server.heal()
        server.slow(f"GET /{name}/*", 3, times=None)
    else:
        server.cut(f"GET /{name}/*", 0 if kind == "cut" else 20, times=None, reset=kind == "reset")
    found = client.faa("policy", "pull", name, code=2).err
    assert "does not answer in time" in found if kind == "slow" else "connection to the Hub failed" in found
    server.heal()
    assert list(client.folder.iterdir()) == []
    client.faa("policy", "pull", name)


@pytest.mark.parametrize("lfs", [True, False])
def test_other_content_than_announced_is_found_out_and_fetched_anew(
    server: HubServer, client: Client, name: str, lfs: bool
):
    """By its hash: huggingface_hub itself looks at the size alone."""
    server.put(name, {"policy.json": Blob(document(), lfs=lfs)})
    server.corrupt(f"GET *{'/cdn/' if lfs else ''}{name}/*")
    assert "is not what was announced" in client.faa("policy", "pull", name, code=2).err
    assert list(client.folder.iterdir()) == []
    client.faa("policy", "pull", name)
    server.put(name, {"policy.json": Blob(document(name="false"), lfs=True, announced_sha256="0" * 64)})
    assert "is not what was announced" in client.fails(LOAD, name=f"hf://{name}")


def test_what_is_too_large_is_not_fetched(server: HubServer, client: Client, name: str):
    server.put(name, {"policy.json": Blob(document(), lfs=True, announced_size=10 * 2**30)})
    assert "10,737,418,240 bytes" in client.fails(LOAD, name=f"hf://{name}")
    assert "10,737,418,240 bytes" in client.faa("policy", "pull", name, code=2).err
    server.put(name, {"policy.json": b" " * (2**22 + 1)})
    assert "4,194,305 bytes" in client.fails(LOAD, name=f"hf://{name}")
    assert not server.sent("GET *")


FAULTS_OF_WRITING: dict[str, tuple[str, dict[str, Any], str]] = {
    "401": ("POST /api/repos/create", {"status": 401}, "does not know who asks"),
    "403": ("POST /api/repos/create", {"status": 403}, "has no right"),
    "create 500": ("POST /api/repos/create", {"status": 500}, "status 500"),
    "create 429": ("POST /api/repos/create", {"status": 429, "headers": {"Retry-After": "7"}}, "Wait some minutes"),
    "no branch": ("POST */preupload/*", {"status": 404, "code": "RevisionNotFound"}, "no such revision"),
    "preupload 500": ("POST */preupload/*", {"status": 500}, "status 500"),
    "bad card": ("POST /api/validate-yaml", {"status": 500}, ""),
    "409": ("POST */commit/*", {"status": 409}, "at the same time"),
    "400": ("POST */commit/*", {"status": 400}, "did not accept"),
    "413": ("POST */commit/*", {"status": 413}, "larger than the Hub allows"),
    "429": ("POST */commit/*", {"status": 429, "headers": {"Retry-After": "7"}}, "Wait some minutes"),
    "500": ("POST */commit/*", {"status": 500}, "status 500"),
}


@pytest.mark.parametrize("kind", FAULTS_OF_WRITING)
def test_whatever_the_hub_answers_to_a_push_is_one_sentence(server: HubServer, client: Client, name: str, kind: str):
    """Nothing of the policy is visible then, and the same push again succeeds."""
    pattern, fault, told = FAULTS_OF_WRITING[kind]
    server.fail(pattern, times=None, **fault)
    if told:
        message = client.fails(PUSH, policy=BUILT_IN, name=name)
        assert message.startswith(f"'{name}' cannot be written on the Hub: ")
        assert told in message
        assert name not in server.repos or set(server.repo(name).files()) == {".gitattributes"}
    server.heal()
    client.run(PUSH, policy=BUILT_IN, name=name)


@pytest.mark.parametrize("body", [b"<html>Log in", b"{}", b"[]", b"null", b'"x"', b"7", b""])
def test_answers_that_no_hub_gives_are_one_sentence(server: HubServer, client: Client, name: str, body: bytes):
    for pattern in ("POST /api/repos/create", "POST */preupload/*", "POST */commit/*"):
        server.fail(pattern, status=200, body=body, times=None)
        assert "cannot be written on the Hub" in client.fails(PUSH, policy=BUILT_IN, name=name)
        server.heal()
        assert name not in server.repos or set(server.repo(name).files()) == {".gitattributes"}
    server.fail("GET /api/models", status=200, body=body, times=None)
    if body in (b"{}", b"[]"):
        assert client.faa("policy", "search").out == "The Hub has no such policy.\n"
    else:
        assert "The Hub cannot be searched" in client.faa("policy", "search", code=2).err
    server.heal()
    server.fail(f"/{name}/*", status=200, body=body, times=None)
    assert f"'hf://{name}' cannot be read" in client.faa("policy", "pull", name, code=2).err


def test_commits_are_not_taken_for_paths(server: HubServer, client: Client, process: Client, name: str):
    """A server's word for a commit becomes a path in the cache."""
    server.put(name, {"policy.json": document()})
    for commit in ("../../../../../escape", f"{client.folder}/escape", "main", "0" * 39):
        server.relabel(f"HEAD /{name}/*", {"X-Repo-Commit": commit})
        assert "cannot be read" in client.fails(LOAD, name=f"hf://{name}")
    assert not list(process.home.parent.rglob("escape*"))
    assert len(server.sent(f"HEAD /{name}/*")) == 4


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("pattern", ["POST /api/repos/create", "POST */preupload/*", "POST */commit/*"])
def test_an_upload_that_is_cut_leaves_nothing(server: HubServer, client: Client, name: str, pattern: str, reset: bool):
    server.cut_upload(pattern, 5, times=None, reset=reset)
    assert "connection to the Hub failed" in client.fails(PUSH, policy=BUILT_IN, name=name)
    assert name not in server.repos or set(server.repo(name).files()) == {".gitattributes"}
    server.heal()
    client.run(PUSH, policy=BUILT_IN, name=name)


def test_failures_of_a_push_at_the_command_line_are_told(server: HubServer, client: Client, name: str):
    for pattern, status in (("POST /api/repos/create", 403), ("POST */commit/*", 409)):
        server.fail(pattern, status=status, times=None)
        assert "cannot be written" in client.faa("policy", "push", "none", name, code=2).err
    server.heal()
    assert "is not a licence" in client.faa("policy", "push", "none", name, "--license", "My Own", code=2).err
    assert "has no right" in client.faa("policy", "push", "none", "bob/theirs", code=2).err
    assert "no such revision" in client.faa("policy", "push", "none", name, "--revision", "absent", code=2).err
    assert "not the name of a branch" in client.faa("policy", "push", "none", name, "--revision", "a..b", code=2).err
    assert set(server.repo(name).files()) == {".gitattributes"}


def test_without_the_hub_the_cache_has_what_was_fetched(server: HubServer, client: Client, name: str):
    """Of the newest, of a tag and of a commit; HF_HUB_OFFLINE is read at import, so this takes other processes."""
    server.put(name, {"policy.json": document(name="first"), "inner/other.json": document(name="inner")})
    server.tag(name, "v1")
    oid = server.repo(name).commits()[0].oid
    names = [f"hf://{name}", f"hf://{name}@v1", f"hf://{name}@{oid}", f"hf://{name}:inner/other.json"]
    for each in names:
        client.run(LOAD, name=each)
    server.slow(f"HEAD /{name}/*", 3)
    assert client.run(LOAD, name=names[0])
    code = """
    import sys
    from faa_core import FaaError, Policy
    for name in sys.stdin.read().split():
        try:
            print(Policy.load(name).name)
        except FaaError as error:
            print(error)
    """
    asked = "\n".join([*names, f"{names[0]}@next", f"{names[0]}:none.json", "hf://alice/never"])
    for more in ({"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        environment = {**server.environment(client.home), **more}
        command = [sys.executable, "-c", textwrap.dedent(code)]
        done = subprocess.run(command, env=environment, input=asked, capture_output=True, text=True, check=False)
        assert server.token not in done.stdout + done.stderr
        *found, revision, file, never = done.stdout.splitlines()
        assert found == ["first", "first", "first", "inner"], done
        reason = "HF_HUB_OFFLINE is set" if "HF_HUB_OFFLINE" in more else "the Hub cannot be reached"
        assert all(reason in message and is_told(message) for message in (revision, file, never))


def test_the_cache_keeps_up_with_the_hub(server: HubServer, client: Client, name: str):
    for word in ("one", "two", "two", "three"):
        server.put(name, {"policy.json": document(name=word)})
        assert json.loads(client.run(LOAD, name=f"hf://{name}"))["name"] == word
    server.put(name, {"policy.json": document(name="one")})
    assert json.loads(client.run(LOAD, name=f"hf://{name}"))["name"] == "one"


def test_what_comes_is_of_the_commit_that_was_asked_for(server: HubServer, client: Client, name: str):
    server.put(name, {"policy.json": document(name="asked")})
    later = Blob(document(name="later"), lfs=True, announced_size=10 * 2**30)
    server.after(f"HEAD /{name}/*", lambda: server.put(name, {"policy.json": later}))
    assert json.loads(client.run(LOAD, name=f"hf://{name}"))["name"] == "asked"
    assert "10,737,418,240 bytes" in client.fails(LOAD, name=f"hf://{name}")
    server.put(name, {"policy.json": document(name="there")})
    server.after(f"HEAD /{name}/*", lambda: server.remove(name))
    assert "cannot be read" in client.fails(LOAD, name=f"hf://{name}")


CONTENTS: dict[str, tuple[bytes, str]] = {
    "newer": (document(schema="faa-policy/2"), "update faa-core"),
    "unknown operation": (document().replace(b"Rotate", b"Melt"), "No operation is called 'Melt'"),
    "not JSON": (b"{" * 10, "holds no policy of a known format"),
    "words": (b"I am no policy.", "holds no policy of a known format"),
    "nested": (b"[" * 100_000, "nested too deeply"),
    "empty": (b"", "empty"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not UTF-8"),
    "a pickle": (b"\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94\x8c\x06system\x94\x93\x94", "not UTF-8"),
    "an old pickle": (b"cos\nsystem\n(S'touch planted'\ntR.", "holds no policy"),
    "a zip": (b"PK\x03\x04" + bytes(100), "read as deepaa"),
    "Python": (b"__import__('os').system('touch planted')", "holds no policy"),
    "Python in a list": (b"[[('ShearX', __import__('os').system('touch planted'), 0.5)]]", "read as legacy"),
    "escapes": (document(kind="\x1b[2J\x07| evil"), "is not a valid policy"),
    "more fields": (document(**{"\x1b]0;evil\x07": 1}), "is not a valid policy"),
    "twice": (b'{"kind": "parametric", "kind": "layers"}', "twice"),
    "a number": (document(fill=[1e999, 0, 0]), "not a valid policy"),
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_what_was_fetched_is_judged(server: HubServer, client: Client, name: str, kind: str):
    """Nothing of it is executed, and no file is written."""
    content, told = CONTENTS[kind]
    server.put(name, {"policy.json": content})
    expected = "NewerRecordError" if kind == "newer" else "FaaError"
    message = client.fails(LOAD, name=f"hf://{name}", kind=expected)
    assert told in message
    assert name in message
    assert told in client.faa("policy", "pull", name, code=2).err
    assert list(client.folder.iterdir()) == []


def test_an_unknown_operation_names_the_package_that_its_author_had(server: HubServer, client: Client, name: str):
    needs = {"needs": {"Melt": "faa-melting\x1b[2J"}}
    server.put(name, {"policy.json": document(provenance=needs).replace(b"Rotate", b"Melt")})
    message = client.fails(LOAD, name=f"hf://{name}")
    assert "'Melt' from the package faa-melting\\x1b[2J; install that only if you trust it." in message


@pytest.mark.parametrize("needs", [7, [], {"Melt": 7}, {}, None])
def test_what_an_author_needs_may_be_anything(server: HubServer, client: Client, name: str, needs: Any):
    server.put(name, {"policy.json": document(provenance={"needs": needs}).replace(b"Rotate", b"Melt")})
    assert "No operation is called 'Melt'" in client.fails(LOAD, name=f"hf://{name}")


@pytest.mark.parametrize(
    "file",
    [
        "../x",
        "/etc/passwd",
        "a/../../x",
        "..\\x",
        "C:\\x",
        "C:/x",
        "a//b",
        "a/./b",
        "",
        "a\nb",
        "a\x1b[2Jb",
        "a\0b",
        "a" * 600,
    ],
)
def test_files_outside_a_repository_are_refused(server: HubServer, client: Client, name: str, file: str):
    """Before the Hub is asked."""
    server.put(name, {"policy.json": document()})
    assert "is not a file in a repository" in client.fails(LOAD, name=f"hf://{name}:{file}")
    assert server.requests == []


def test_percent_signs_lead_nowhere(server: HubServer, client: Client, name: str):
    server.put(name, {"policy.json": document(), "%2e%2e/x": document(name="plain")})
    assert "no such file" in client.fails(LOAD, name=f"hf://{name}:%2e%2e/%2e%2e/policy.json")
    assert json.loads(client.run(LOAD, name=f"hf://{name}:%2e%2e/x"))["name"] == "plain"


@pytest.mark.parametrize(
    "given",
    [
        "", "a", "a/b/c", "/b", "a/", "a b/c", "../b", "a/..", "a--b/c", "a/b..c", "a/<b>", "a/b\x1b[2J", "a/b\n",
        "a/b\nc", "a/[b](c)", "a/`b`", "a/b?x=1", "a/b#c", "a/b%2f", "a/" + "b" * 97, "ä/b", "a/b@", "a/b@..",
        "a/b@x y", "a/b@-x", "a/b@v//1", "a/b@\x1b", "datasets:a/b", "//a/b",
    ],
)  # fmt: skip
def test_names_that_the_hub_does_not_have_are_refused(server: HubServer, client: Client, given: str):
    """Before the Hub is asked."""
    client.fails(LOAD, name=f"hf://{given}")
    client.fails("from faa_core import Policy; Policy.from_pretrained(name)", name=given)
    client.fails(PUSH, policy="none", name=given)
    for word, more in (("push", ["none"]), ("pull", [])):
        client.faa("policy", word, *more, "--", given, code=2)
    assert server.requests == []


def test_a_search_shows_what_others_wrote_harmlessly(server: HubServer, client: Client):
    """Tags, licences and data sets are anybody's; names come from the server."""
    evil = "\x1b[2J\x1b]0;owned\x07 **bold** [red]x[/red] <b> \u202eback\nnew"
    card = {"tags": ["augmentation-policy", "faa", evil, "fast"], "license": evil, "datasets": [evil, "cifar10"]}
    text = f"---\n{yaml.safe_dump(card)}---\n# Policy\n".encode()
    server.put("evil/card", {"README.md": text, "policy.json": document()})
    server.put("evil/\x1b[2Jname", {"README.md": text})
    server.put("bob/hidden", {"README.md": text}, private=True)
    server.repo("evil/card").downloads = 12345
    found = client.faa("policy", "search", "--author", "evil").out
    assert all(line.isprintable() for line in found.splitlines())
    assert len(found.splitlines()) == 1 + 2
    assert "\\x1b[2J\\x1b]0;owned\\x07 **bold** [red]x[/red] <b> \\u202eback\\nnew" in found
    assert "12,345" in found
    assert "cifar10" in found
    assert "bob/hidden" not in client.faa("policy", "search").out
    assert "evil/card" in client.faa("policy", "search", "CARD").out
    assert len(client.faa("policy", "search", "--limit", "1").out.splitlines()) == 2
    assert "no such policy" in client.faa("policy", "search", "nowhere\x1b").out
    assert "--limit" in client.faa("policy", "search", "--limit", "0", code=2).err


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_search_that_fails_is_one_sentence(server: HubServer, client: Client, status: int):
    server.fail("GET /api/models", status=status, times=None, headers={"Retry-After": "3"})
    assert "The Hub cannot be searched: " in client.faa("policy", "search", code=2).err
    server.heal()
    server.cut("GET /api/models", 3, times=None)
    assert "connection to the Hub failed" in client.faa("policy", "search", code=2).err


def test_pulled_texts_are_shown_harmlessly(server: HubServer, client: Client, name: str):
    evil = "\x1b[2J\x07**x** [red] \u202e"
    server.put(name, {"policy.json": document(name=evil, provenance={"source": evil, evil: evil})})
    for words in (("policy", "pull", name), ("policy", "show", f"hf://{name}")):
        done = client.faa(*words)
        assert all(line.isprintable() for line in done.out.splitlines())
        assert "\\x1b[2J\\x07**x**" in done.out


# What the Hub documents of the metadata of a model's card: https://huggingface.co/docs/hub/model-cards
METADATA: dict[str, tuple[type, ...]] = {
    "license": (str,),
    "library_name": (str,),
    "tags": (list,),
    "datasets": (list,),
    "pipeline_tag": (str,),
    "model-index": (list,),
}
WEIRD = "a|b `c` *d* _e_ <script>alert(1)</script> [f](http://g) # h\n| i | j |\n--- &lt; $k$ ~l~ \\\\| www.m.n"


def test_the_card_has_what_the_hub_documents(server: HubServer, client: Client, name: str):
    provenance = {"algorithm": "Fast AutoAugment", "dataset": "hfds/uoft-cs/cifar10", "seconds": 90.0, "device": "cpu"}
    server.put(name, {"policy.json": document(provenance=provenance)})
    client.run(PUSH.replace("(name)", "(name, license='cc-by-4.0')"), policy=f"hf://{name}", name=name)
    card = """
    from huggingface_hub import ModelCard
    found = ModelCard.load(name)
    result = [found.data.to_dict(), found.data.license, found.data.library_name, found.text]
    """
    data, licence, library, text = client.run(card, name=name)
    assert data.keys() <= METADATA.keys()
    assert all(isinstance(value, METADATA[key]) for key, value in data.items())
    assert (licence, library, data["datasets"]) == ("cc-by-4.0", "faa", ["uoft-cs/cifar10"])
    assert data["tags"] == ["augmentation-policy", "faa", "image-classification", "fast-autoaugment"]
    assert "* cost: 2 min on cpu" in text
    assert client.faa("policy", "search", name.split("/")[1]).out.count("fast-autoaugment") == 1
    code = "import huggingface_hub; result = huggingface_hub.metadata_load('README.md')"
    (client.folder / "README.md").write_bytes(server.repo(name).files()["README.md"])
    assert client.run(code) == data


def test_texts_of_others_are_no_markup_in_a_card(client: Client, name: str):
    """Rendered as the Hub does, with tables and links of plain text, the card has our tags only, and their texts."""
    provenance = {"algorithm": WEIRD, "dataset": WEIRD, "model": WEIRD, "source": WEIRD, "versions": {WEIRD: WEIRD},
        "seconds": 1, "device": WEIRD}  # fmt: skip
    operations = {WEIRD: {"kernel": "Rotate", "low": -30, "high": 30, "unit": "degrees", "mirrored": True}}
    rows = [[{"op": WEIRD, "p": 0.5, "magnitude": 1}, {"op": "Invert", "p": 0.5, "magnitude": 1}]]
    content = document(name=WEIRD, provenance=provenance, operations=operations, sub_policies=rows)
    code = """
    from faa_core import Policy
    open("mine.json", "w").write(content)
    Policy.load("mine.json").save_pretrained("folder")
    """
    client.run(code, content=content.decode())
    card = (client.folder / "folder" / "README.md").read_text()
    _none, front, body = card.split("---\n", 2)
    assert yaml.safe_load(front).keys() <= METADATA.keys()
    assert {"script", "a", "em", "strong", "img", "hr", "s"}.isdisjoint(tags_of(body))
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    assert sum(token.type == "tr_open" for token in tokens) == 1 + 2
    assert sum(token.type in ("td_open", "th_open") for token in tokens) == 5 * 3
    inline = [token for token in tokens if token.type == "inline"]
    shown = " ".join(WEIRD.partition("\n")[0].split())
    plain = ["".join(child.content for child in token.children or ()) for token in inline]
    assert sum(shown in text for text in plain) >= 8
    assert plain[0].startswith(shown)


def tags_of(body: str) -> set[str]:
    """Return the tags of Markdown's HTML, with raw HTML kept as the Hub keeps some; our own comment is none."""
    return set(re.findall(r"<([a-z0-9]+)", MarkdownIt("commonmark", {"html": True}).enable("table").render(body)))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a|b"),
        ("a `b` ``c``", "a `b` ``c``"),
        ("`", "`"),
        ("<b>\x1b[2J", "<b>\\x1b[2J"),
        ("a\n\n# b", "a\\n\\n# b"),
    ],
)
def test_a_command_in_a_card_is_that_command(client: Client, text: str, shown: str):
    code = "from faa_core.publishing.markdown import code; result = code(text)"
    tokens = MarkdownIt("commonmark").enable("table").parse(f"* x: {client.run(code, text=text)}")
    parts = [child for token in tokens for child in token.children or ()]
    assert [(part.type, part.content) for part in parts] == [("text", "x: "), ("code_inline", shown)]


def test_the_code_of_a_card_runs(server: HubServer, client: Client, name: str, photos: Path):
    client.run(PUSH, policy=BUILT_IN, name=name)
    card = server.repo(name).files()["README.md"].decode()
    first, second = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    server.forget()
    code = f"{first}\nbatch, labels = next(iter(loader))\n{second}\nresult = [list(batch.shape), str(batch.dtype)]"
    assert photos == client.folder / "photos"
    assert client.run(code) == [[32, 3, 224, 224], "torch.uint8"]
    assert server.sent(f"HEAD /{name}/resolve/main/policy.json")
    assert f"--policy hf://{name}" in card
    assert f"--aa faa:hf://{name}" in card
    timm = """
    from faa_search.timm.loaders import policies_in_timm
    from timm.data import create_transform
    with policies_in_timm():
        result = str(create_transform(32, is_training=True, auto_augment=given))
    """
    assert "olicy" in client.run(timm, given=f"faa:hf://{name}")


def finished(client: Client, run: str, **environment: object) -> Path:
    """Return a copy of a finished run, with other facts of what it began with."""
    place = client.folder / "runs" / run
    shutil.copytree(RUNS / f"{run}-finished", place)
    path = place / "environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **environment}))
    return place


def test_the_card_of_a_search_has_its_controls_and_its_command(server: HubServer, client: Client, name: str):
    command = ["search", "--dataset", "/home/alice/secret/photos", "--data-dir=/home/alice/secret/data",
        "-o", "runs/a|b", "--policy", "hf://bob/mine", "--note", "x:/home/alice/secret/y"]  # fmt: skip
    run = finished(client, "search", command=command)
    client.faa("policy", "push", "runs/search/policy.json", name)
    files = server.repo(name).files()
    card = files["README.md"].decode()
    assert (
        "* command: `faa search --dataset photos --data-dir=data -o 'runs/a|b' --policy hf://bob/mine --note x:y`"
        in card
    )
    assert not any(b"secret" in content for content in files.values())
    assert "## Beside policies that need no search" in card
    controls = json.loads((run / "result.json").read_text())["controls"]
    body = card.partition("## Beside")[2].partition("##")[0]
    assert body.count("\n| ") == 2 + len(controls)
    assert all(f"{row['difference']:+.4f}" in body for row in controls)
    assert "* hardware: 2 CPU cores" in card
    assert files["policy.json"].decode() == (run / "policy.json").read_text()
    shutil.copy(client.folder / "runs/search/policy.json", client.folder / "runs/search/copy.json")
    client.faa("policy", "push", "runs/search/copy.json", f"{name}b")
    assert b"need no search" not in server.repo(f"{name}b").files()["README.md"]


def test_the_card_of_a_comparison_has_its_errors(server: HubServer, client: Client, name: str):
    run = finished(client, "compare")
    client.faa("policy", "push", "trivialaugment", name, "--comparison", "runs/compare")
    card = server.repo(name).files()["README.md"].decode()
    result = json.loads((run / "comparison.json").read_text())
    body = card.partition("## Trained and compared")[2].partition("## ")[0]
    assert "Each with pyramidnet, 2 epochs, on digits." in body
    for row in result["policies"]:
        assert f"| {row['name']} | {row['mean']:.2f} | " in body
    assert body.count("\n| ") == 2 + len(result["policies"]) + 2 + len(result["pairs"])


def test_what_is_no_comparison_is_refused_before_anything_is_uploaded(server: HubServer, client: Client, name: str):
    finished(client, "train")
    (client.folder / "empty").mkdir()
    shutil.copytree(RUNS / "compare-stopped", client.folder / "runs" / "stopped")
    for folder in ("empty", "nowhere", "runs/train", "runs/stopped"):
        refused = client.faa("policy", "push", "none", name, "--comparison", folder, code=2).err
        assert folder in refused
    assert "not a finished comparison" in refused
    assert server.requests == []


def test_a_comparison_is_added_to_a_card_and_replaced(server: HubServer, client: Client, name: str):
    """What else the card holds stays; the second time, the tables are where they were."""
    finished(client, "compare")
    push = """
from faa_cli.comparison_hub import push_comparison

push_comparison("runs/compare", name, command=["faa", "compare", "--push", name])
result = None
"""
    server.put(name, {"README.md": b"---\ntags: [a]\n---\n# Mine\n\nWords of my own.\n", "policy.json": b"{}"})
    client.run(push, name=name)
    first = server.repo(name).files()["README.md"].decode()
    assert first.startswith("---\ntags: [a]\n---\n# Mine\n\nWords of my own.\n\n<!-- faa: comparison -->")
    assert first.count("## Trained and compared") == 1
    server.put(name, {"README.md": (first + "\nMore.\n").encode()})
    client.run(push, name=name)
    assert server.repo(name).files()["README.md"].decode() == first + "\nMore.\n"
    missing = client.fails(push, name=f"{name}-none")
    assert "no such repository" in missing
    assert f"`faa compare --push {name}-none` adds it to the card" in missing


def test_a_recipe_of_a_repository(server: HubServer, client: Client, name: str):
    """Its text is a recipe like ours; one that is wrong is refused with its place."""
    text = client.run(
        "from faa_search.settings.recipes import load_recipe\nresult = load_recipe('digits/wrn16_1').text"
    )
    server.put(name, {"recipe.yaml": text.encode(), "wrong.yaml": text.replace("epochs:", "epoch:").encode()})
    shown = client.faa("recipe", "show", f"hf://{name}").out
    assert text.splitlines()[0] in shown
    settings = client.run(
        "from faa_search.settings.recipes import load_recipe\n"
        "result = [load_recipe(one).sections['train']['epochs'] for one in names]",
        names=["digits/wrn16_1", f"hf://{name}"],
    )
    assert settings[0] == settings[1]
    assert "unknown setting 'epoch'" in client.faa("recipe", "show", f"hf://{name}:wrong.yaml", code=2).err
    assert "no such file" in client.faa("recipe", "show", f"hf://{name}:other.yaml", code=2).err
