"""`faa eval` says, writes and draws the same figures."""

import json

import numpy as np
import pytest
from PIL import Image

from faa_cli.plots import save_confusion
from faa_search.corruptions import CORRUPTIONS

FIT = "--dataset small.npz --epochs 2 --batch-size 10 --hflip 0 --crop-pad 0 --model wrn10_1 --seed 4".split()
EVAL = ("eval", "--checkpoint", "run")


@pytest.fixture
def run(faa, tmp_path):
    """Return the command line beside a finished run on 12 test images of 3 classes."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (24, 8, 8, 3), dtype=np.uint8)
    labels = np.arange(24) % 3
    arrays = {"images": images, "labels": labels, "test_images": images[:12], "test_labels": labels[:12]}
    np.savez(tmp_path / "small.npz", **arrays, class_names=np.array(["a", "b[x]", "$c$"]))
    assert faa("train", *FIT, "--output", "run").code == 0
    return faa


def test_all_figures_are_written(run, tmp_path):
    done = run(
        *EVAL, "--output", "all.json", "--confusion", "c.png", "--corruptions", "make", "--corruption-plot", "k.png"
    )
    assert done.code == 0
    written = json.loads((tmp_path / "all.json").read_text())
    confusion = np.array(written["confusion"])
    assert (confusion.sum(), confusion.shape) == (12, (3, 3))
    assert written["top1"] == pytest.approx(np.trace(confusion) / 12)
    assert f"top-1 error {100 * (1 - written['top1']):.2f} %" in done.out
    assert [row["name"] for row in written["classes"]] == ["a", "b[x]", "$c$"]
    for number, row in enumerate(written["classes"]):
        assert row["images"] == 4
        assert row["error"] == pytest.approx(1 - confusion[number, number] / 4)
        assert row["taken_for_it"] == confusion[:, number].sum() - confusion[number, number]
    table = written["corruptions"]
    names = [row.name for row in CORRUPTIONS if row.name != "frost"]
    assert list(table["errors"]) == names
    assert table["missing"] == ["frost"]
    mean = np.mean([table["errors"][name] for name in names])
    assert table["mean_corruption_error"] == pytest.approx(mean)
    assert f"(un-normalised, over 14 corruptions × 5 severities): {100 * mean:.2f} %" in done.out
    assert "made here, seed 0; network trained with seed 4" in done.out
    assert "not in the mean: frost; --frost FOLDER" in done.out
    assert (written["training_seed"], table["seed"]) == (4, 0)
    assert "Corruptions: 70/70" in done.err
    for name in ("c.png", "k.png"):
        with Image.open(tmp_path / name) as image:
            assert min(image.size) > 200


def test_published_and_frosty_images(run, tmp_path):
    folder = tmp_path / "C"
    folder.mkdir()
    np.save(folder / "labels.npy", np.tile(np.arange(12) % 3, 5))
    clean = np.load(tmp_path / "small.npz")["test_images"]
    np.save(folder / "fog.npy", np.tile(clean, (5, 1, 1, 1)))
    read = run(*EVAL, "--corruptions", "C", "--output", "read.json")
    written = json.loads((tmp_path / "read.json").read_text())
    assert written["corruptions"]["errors"] == {"fog": pytest.approx([1 - written["top1"]] * 5)}
    assert "over 1 corruptions × 5 severities" in read.out
    assert "from 'C'" in read.out
    assert "gaussian_noise, " in read.out
    (tmp_path / "ice").mkdir()
    Image.new("RGB", (60, 60), "white").save(tmp_path / "ice/one.png")
    made = run(*EVAL, "--corruptions", "make", "--frost", "ice", "--seed", 2)
    assert "over 15 corruptions" in made.out
    assert "seed 2" in made.out
    assert "Missing" not in made.out


def test_a_local_folder_as_timm_names_it(run):
    named = run("eval", "--model", "local-dir:run/last", "--dataset", "small.npz")
    assert named.code == 0
    assert named.out == run(*EVAL).out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Give either --checkpoint"),
        (["--checkpoint", "run", "--model", "resnet18"], "Give either --checkpoint"),
        (["--model", "resnett18"], "timm has no model 'resnett18'"),
        (["--model", "wrn16_1"], "Nobody publishes weights of 'wrn16_1'"),
        (["--model", "local-dir:nowhere"], "'nowhere' holds no model.safetensors"),
        (["--checkpoint", "run", "--corruptions", "nowhere"], "There is no folder 'nowhere'"),
        (["--checkpoint", "run", "--corruptions", "make", "--frost", "run"], "holds 0 photographs"),
        (["--checkpoint", "run", "--frost", "run"], "--frost is for --corruptions make"),
        (["--checkpoint", "run", "--corruption-plot", "k.png"], "give both"),
        (["--checkpoint", "run", "--output", "run"], "is a folder"),
        (["--checkpoint", "run", "--output", "one", "--confusion", "one"], "give each its own"),
    ],
)
def test_mistakes_are_one_message(run, arguments, words):
    done = run("eval", *arguments)
    assert done.code == 2
    assert words in done.err
    assert "top-1" not in done.out


@pytest.mark.parametrize("classes", [3, 150])
def test_a_matrix_is_drawn_the_right_way_round(tmp_path, classes):
    """True classes go down and answers to the right: right answers are a dark line that falls, at any size."""
    names = [f"${n}" for n in range(classes)]
    for counts, sign in ((np.diag([9] * classes), 1), (np.fliplr(np.diag([9] * classes)), -1)):
        save_confusion(tmp_path / "c.png", counts.tolist(), names, title="$t")
        with Image.open(tmp_path / "c.png") as image:
            assert max(image.size) <= 1700
            dark = np.asarray(image.convert("L")) < 100
        rows, columns = np.nonzero(dark[50:-80, : dark.shape[1] * 3 // 4])
        assert sign * np.corrcoef(rows, columns)[0, 1] > 0.2
