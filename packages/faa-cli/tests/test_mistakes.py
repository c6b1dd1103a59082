"""What a person gets wrong ends in one message and exit code 2: no traceback, no wrong result."""

import numpy as np
import pytest
from PIL import Image

MISTAKES = [
    (("train", "--epochs", "many"), "'--epochs'"),
    (("train", "--epochs", 0), "--epochs"),
    (("train", "--lr", "-1"), "--lr"),
    (("train", "--lr", "nan"), "--lr"),
    (("train", "--sched", "cosin"), "--sched"),
    (("train", "--epoch", 3), "--epoch"),
    (("trian",), "trian"),
    (("train", "--model", "wrn40_3"), "did you mean wrn40_2"),
    (("train", "--opt", "sgdd"), "sgdd"),
    (("train", "--policy", "fa-reduced-cifar"), "did you mean fa-reduced-cifar10"),
    (("train", "--policy", "missing.json"), "no policy file 'missing.json'"),
    (("train", "--policy", "hf://owner/name"), "Hub"),
    (("train", "--dataset", "digit"), "no folder 'digit'"),
    (("train", "--dataset", "missing.npz"), "no file 'missing.npz'"),
    (("train", "--dataset", "torch/cifar10"), "--data-dir"),
    (("train", "--dataset", "torch/cifar10", "--data-dir", "nowhere"), "--dataset-download"),
    (("train", "--dataset", "tfds/mnist"), "stream"),
    (("train", "--train-subset", 5000), "more than the 797"),
    (("train", "--test-fraction", 0.2), "has a test split"),
    (("train", "--recipe", "cifar10/wrn40"), "did you mean cifar10/wrn40_2"),
    (("search", "--recipe", "cifar10/wrn28_10"), "not for faa search"),
    (("train", "-c", "missing.yaml"), "missing.yaml"),
    (("train", "--device", "cuda"), "no CUDA"),
    (("search", "--sampler", "cma"), "cma"),
    (("search", "--algorithm", "fst"), "did you mean fast"),
    (("search", "--algorithm", "random", "--sampler", "tpe"), "no --sampler"),
    (("search", "--folds", 100, "--train-subset", 60), "fewer than --folds"),
    (("search", "--held-out", 0.001, "--train-subset", 60), "--held-out"),
    (("search", "--reward", "accuracy"), "--reward"),
    (("eval", "--checkpoint", "nowhere"), "nowhere"),
    (("policy", "show", "nothing"), "nothing"),
    (("policy", "preview", "none", "--output", "none.png/x.png", "--dataset", "nowhere"), "nowhere"),
    (("model", "list", "nothing*"), "nothing*"),
    (("recipe", "show", "nothing"), "nothing"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=lambda value: value if isinstance(value, str) else None)
def test_mistakes_are_named(faa, arguments, said, request):
    if said == "no CUDA":
        torch = pytest.importorskip("torch")
        if torch.cuda.is_available():
            pytest.skip("there is a CUDA device")
    outcome = faa(*arguments)
    assert outcome.code == 2
    assert said in outcome.err
    assert "Traceback" not in outcome.err


def test_unknown_settings_in_a_file_are_named_with_the_file(faa, tmp_path):
    (tmp_path / "mine.yaml").write_text("weight_dacay: 1e-4\n")
    outcome = faa("train", "-c", "mine.yaml")
    assert outcome.code == 2
    assert "mine.yaml: unknown setting 'weight_dacay'; did you mean weight_decay" in outcome.err


def test_wrong_values_in_a_file_are_named_with_the_file(faa, tmp_path):
    (tmp_path / "mine.yaml").write_text("epochs: several\n")
    assert "mine.yaml: epochs" in faa("train", "-c", "mine.yaml").err


def test_one_class_is_refused(faa, tmp_path):
    (tmp_path / "photos/cat").mkdir(parents=True)
    for number in range(3):
        Image.fromarray(np.full((16, 16, 3), number, np.uint8)).save(tmp_path / f"photos/cat/{number}.png")
    outcome = faa("search", "--dataset", "photos")
    assert outcome.code == 2
    assert "one class ('cat')" in outcome.err


def test_an_unreadable_image_is_named(faa, tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(4):
            Image.fromarray(np.full((80, 80, 3), 50 * number, np.uint8)).save(tmp_path / f"photos/{name}/{number}.png")
    (tmp_path / "photos/dog/2.png").write_bytes(b"no image")
    outcome = faa("train", "--dataset", "photos", "--epochs", 1)
    assert outcome.code == 2
    assert "2.png" in outcome.err


def test_a_broken_plugin_fails_only_when_used(faa, tmp_path, monkeypatch):
    info = tmp_path / "site/broken-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[faa.commands]\nshatter = no_such_module:app\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert faa("recipe", "list").code == 0
    assert "shatter" in faa("--help").out
    used = faa("shatter")
    assert used.code == 2
    assert "no_such_module" in used.err
    report = faa("doctor")
    assert report.code == 1
    assert "no_such_module" in report.out
