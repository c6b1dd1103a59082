"""Weights of a training go to a Hub, and timm itself and `faa eval` load them from there."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from hub_server import HubServer, hub_server
from tests.hub_client import TOKEN, Client, hub_client

RUNS = Path(__file__).parent / "golden_runs"
FILES = {
    ".gitattributes", "README.md", "config.json", "model.safetensors", "policy.json", "result.json", "summary.csv",
    "training.yaml",
}  # fmt: skip
LOGITS = """
import timm, torch

images_NCHW = torch.linspace(-1, 1, 2 * 3 * side * side).reshape(2, 3, side, side)
with torch.no_grad():
    one, two = (timm.create_model(name, pretrained=True).eval()(images_NCHW) for name in names)
result = [torch.equal(one, two), list(one.shape)]
"""


@pytest.fixture(scope="module")
def server() -> Iterator[HubServer]:
    with hub_server(token=TOKEN) as running:
        yield running


@pytest.fixture(scope="module")
def process(server: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A process that runs commands."""
    with hub_client(server, tmp_path_factory.mktemp("home")) as client:
        yield client


@pytest.fixture(scope="module")
def stranger(server: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A process of somebody who has timm, with a cache of its own."""
    with hub_client(server, tmp_path_factory.mktemp("stranger")) as client:
        yield client


@pytest.fixture
def client(server: HubServer, process: Client, tmp_path: Path) -> Iterator[Client]:
    process.folder = tmp_path
    server.forget()
    yield process
    server.heal()


def put_run(client: Client, run: str = "train-finished", **environment: object) -> Path:
    """Return a copy of a run at runs/train in the folder of the process, with other facts of what it began with."""
    place = client.folder / "runs" / "train"
    shutil.copytree(RUNS / run, place)
    path = place / "environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **environment}))
    return place


def card_of(server: HubServer, name: str) -> str:
    return server.repo(name).files()["README.md"].decode()


def code_of(card: str) -> str:
    """Return a card's Python."""
    found = re.search(r"```python\n(.*?)```", card, re.DOTALL)
    assert found
    return found[1]


def test_a_timm_network_is_trained_pushed_and_loaded_by_timm_alone(server: HubServer, client: Client, stranger: Client):
    """No module of ours is imported there."""
    words = "--dataset digits --model test_resnet --epochs 1 --train-subset 100 --img-size 32 --policy randaugment-m5"
    client.faa("train", *words.split(), "--output", "runs/timm", "--device", "cpu")
    done = client.faa("model", "push", "runs/timm", "alice/timm", "--license", "apache-2.0")
    assert done.out.startswith(f"Pushed {server.url}/alice/timm\nRevision ")
    assert set(server.repo("alice/timm").files()) == FILES
    code = code_of(card_of(server, "alice/timm"))
    assert code.startswith("import timm\n")
    strange = "import sys\nresult = [name for name in sys.modules if name.startswith('faa_')]"
    assert stranger.run(f"{code}\n{strange}", token=False) == []
    last = f"local-dir:{client.folder}/runs/timm/last"
    assert stranger.run(LOGITS, names=["hf-hub:alice/timm", last], side=32) == [True, [2, 10]]
    tested = client.faa("eval", "--model", "hf-hub:alice/timm", "--dataset", "digits", "--img-size", "32")
    here = client.faa("eval", "--checkpoint", "runs/timm", "--dataset", "digits", "--img-size", "32")
    assert re.findall(r"[0-9.]+ %", tested.out) == re.findall(r"[0-9.]+ %", here.out) != []
    kept = yaml.safe_load(server.repo("alice/timm").files()["training.yaml"])
    assert kept["model"] == "test_resnet"
    (client.folder / "again.yaml").write_bytes(server.repo("alice/timm").files()["training.yaml"])
    client.faa("train", "-c", "again.yaml", "--output", "runs/again")
    weights = [(client.folder / "runs" / run / "last/model.safetensors").read_bytes() for run in ("timm", "again")]
    assert weights[0] == weights[1]


def test_a_network_of_ours_needs_its_package_and_the_card_says_so(server: HubServer, client: Client, stranger: Client):
    run = put_run(client)
    client.faa("model", "push", "runs/train", "alice/ours")
    files = server.repo("alice/ours").files()
    assert set(files) == FILES
    assert files["model.safetensors"] == (run / "best/model.safetensors").read_bytes()
    code = code_of(card_of(server, "alice/ours"))
    assert code.splitlines()[:2] == ["import faa_models", "import timm"]
    names = ["hf-hub:alice/ours", f"local-dir:{run}/best"]
    assert stranger.run(f"{code}\n{LOGITS}", token=False, names=names, side=8) == [True, [2, 10]]
    tested = client.faa("eval", "--model", "hf-hub:alice/ours", "--dataset", "digits")
    assert "91.20" in tested.out
    policy = "from faa_core import Policy; result = Policy.load('hf://alice/ours').to_json()"
    assert client.run(policy) == (run / "policy.json").read_text()
    assert "faa train --dataset photos --policy hf://alice/ours" in card_of(server, "alice/ours")


def test_the_card_has_what_the_hub_documents_and_nothing_private(server: HubServer, client: Client):
    command = ["train", "--dataset", "/home/alice/secret/photos", "--data-dir=/home/alice/secret/data"]
    run = put_run(client, "photos-finished", command=command, cuda="A <b>GPU</b> | *fast*")
    config = run / "config.yaml"
    settings = yaml.safe_load(config.read_text())
    settings |= {"dataset": "/home/alice/secret/pho|tos", "data_dir": "/home/alice/secret/data"}
    config.write_text(yaml.safe_dump(settings))
    client.faa("model", "push", "runs/train", "alice/card", "--license", "mit")
    files = server.repo("alice/card").files()
    assert not [name for name, content in files.items() if b"secret" in content]
    card = """
    from huggingface_hub import ModelCard
    from huggingface_hub.repocard_data import EvalResult
    found = ModelCard.load("alice/card").data
    result = [found.license, found.library_name, found.pipeline_tag, found.tags, found.datasets, found.model_name]
    result += [[one.task_type, one.dataset_type, one.dataset_name, one.dataset_split, one.metric_type, one.metric_value]
        for one in found.eval_results if isinstance(one, EvalResult)]
    """
    *known, scored = client.run(card)
    assert known == ["mit", "timm", "image-classification", ["image-classification", "timm", "faa"], None, "alice/card"]
    tested = json.loads((run / "result.json").read_text())["test"]
    assert scored == ["image-classification", "pho|tos", "pho|tos", "test", "accuracy", round(tested["top1"], 6)]
    text = card_of(server, "alice/card")
    assert "* command: `faa train --dataset photos --data-dir=data`" in text
    assert r"* hardware: A \<b\>GPU\</b\> \| \*fast\*" in text
    assert r"* data set: pho\|tos" in text
    assert f"{100 * (1 - tested['top1']):.2f} %" in text
    assert "*fast*" not in text.replace(r"\*fast\*", "")


def test_results_have_the_interval_of_the_images_that_were_tested(client: Client):
    code = "from faa_search.runs.model_card import wilson; result = [wilson(*one) for one in asked]"
    low, none, every = client.run(code, asked=[[88, 1000], [0, 10], [10, 10]])
    assert low == pytest.approx([0.07195, 0.10720], abs=1e-4)  # statsmodels' proportion_confint(method="wilson")
    assert none == pytest.approx([0.0, 0.27753], abs=1e-4)
    assert every == pytest.approx([0.72247, 1.0], abs=1e-4)


@pytest.mark.parametrize(
    "lost", ["result.json", "best/model.safetensors", "best/config.json", "config.yaml", "best", "broken", "list"]
)
def test_a_run_that_has_lost_something_is_refused_before_the_hub_is_asked(server: HubServer, client: Client, lost: str):
    run = put_run(client)
    if lost in ("broken", "list"):
        (run / "best/config.json").write_text("{" if lost == "broken" else "[1]")
    elif lost == "best":
        shutil.rmtree(run / lost)
    else:
        (run / lost).unlink()
    assert "runs/train" in client.faa("model", "push", "runs/train", "alice/lost", code=2).err
    assert server.requests == []


@pytest.mark.parametrize("run", ["train-stopped", "search-finished", "compare-finished", None])
def test_what_is_no_finished_training_is_refused(server: HubServer, client: Client, run: str | None):
    if run is None:
        (client.folder / "runs/train").mkdir(parents=True)
    else:
        put_run(client, run)
    refused = client.faa("model", "push", "runs/train", "alice/none", code=2).err
    assert run is None or "is not a finished training" in refused
    assert "not a name" in client.faa("model", "push", "runs/train", "alice", code=2).err
    assert "not a licence" in client.faa("model", "push", "runs/train", "alice/none", "--license", "a b", code=2).err
    assert server.requests == []


def test_only_safetensors_and_what_describes_them_go_up(server: HubServer, client: Client):
    run = put_run(client)
    for name in ("pytorch_model.bin", "model.pth", "secret.txt", "best/optimizer.pt", "best/notes.md"):
        (run / name).write_bytes(b"private")
    (run / "policy.json").unlink()
    client.faa("model", "push", "runs/train", "alice/only", "--private")
    assert set(server.repo("alice/only").files()) == FILES - {"policy.json"}
    assert server.repo("alice/only").private
    assert "--policy hf://" not in card_of(server, "alice/only")
    commits = server.repo("alice/only").commits()
    client.faa("model", "push", "runs/train", "alice/only")
    assert server.repo("alice/only").commits() == commits
    server.put("alice/only", {"notes.txt": b"mine"})
    client.faa("model", "push", "runs/train", "alice/only", "--license", "mit")
    assert server.repo("alice/only").files()["notes.txt"] == b"mine"


FAULTS: dict[str, tuple[str, int | None]] = {  # the status that is answered; None for a connection that ends
    "create": ("POST /api/repos/create", 401),
    "preupload": ("POST */preupload/*", 500),
    "batch": ("POST */lfs/objects/batch", 403),
    "weights": ("PUT /lfs/*", 500),
    "weights-429": ("PUT /lfs/*", 429),
    "weights-cut": ("PUT /lfs/*", None),
    "verify": ("POST */lfs/objects/verify", 404),
    "commit": ("POST */commit/*", 409),
    "commit-cut": ("POST */commit/*", None),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_an_upload_that_fails_leaves_nothing_visible_and_goes_on(server: HubServer, client: Client, kind: str):
    run, name = put_run(client), f"alice/fail-{kind}"
    weights = bytearray((run / "best/model.safetensors").read_bytes())
    weights[-1] ^= 1 + list(FAULTS).index(kind)  # so that nobody has uploaded them
    (run / "best/model.safetensors").write_bytes(weights)
    pattern, status = FAULTS[kind]
    if status is None:
        server.cut_upload(pattern, 100, times=None)
    else:
        server.fail(pattern, status=status, times=None)
    refused = client.faa("model", "push", "runs/train", name, code=2).err
    assert f"'{name}' cannot be written on the Hub: " in refused
    assert name not in server.repos or set(server.repo(name).files()) == {".gitattributes"}
    server.heal()
    client.faa("model", "push", "runs/train", name)
    assert server.repo(name).files()["model.safetensors"] == bytes(weights)


def test_a_training_is_pushed_at_its_end(server: HubServer, client: Client):
    """The same files as by `faa model push`; where that fails, the run is whole and the message has the command."""
    words = ["train", "--dataset", "digits", "--train-subset", 20, "--model", "wrn10_1", "--epochs", 1, "--batch-size",
             10, "--device", "cpu", "--output", "runs/small"]  # fmt: skip
    assert "--hub-private is for --push-to-hub" in client.faa(*words, "--hub-private", code=2).err
    server.fail("POST */api/repos/create", status=500, times=9)
    push = list(map(str, [*words, "--push-to-hub", "alice/at-the-end", "--hub-private"]))
    told = client.run("result = faa(*words)", words=push)
    refused = told["err"].splitlines()[-1]
    assert told["code"] == 2
    assert "The run in 'runs/small' is whole; `faa model push runs/small alice/at-the-end` uploads it." in refused
    server.heal()
    done = client.faa(*push)
    assert "Pushed " in done.out
    pushed = server.repo("alice/at-the-end")
    assert pushed.private
    assert {"model.safetensors", "config.json", "README.md", "training.yaml", "policy.json"} < set(pushed.files())
