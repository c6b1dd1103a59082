"""`faa eval` says, writes and draws the same figures."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from faa_cli.commands import evaluate as command
from faa_cli.plots import save_confusion
from faa_search.measuring.corruptions import CORRUPTIONS
from faa_search.measuring.evaluation import checkpoints, top5
from faa_search.runs.opening import open_run
from faa_search.settings import TrainConfig
from faa_search.training import Metrics, train

EVAL = ("eval", "--checkpoint", "run")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a folder with a finished run on 24 images of 3 classes, 12 of them for testing too."""
    folder = tmp_path_factory.mktemp("trained")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (24, 8, 8, 3), dtype=np.uint8)
    labels = np.arange(24) % 3
    arrays = {"images": images, "labels": labels, "test_images": images[:12], "test_labels": labels[:12]}
    np.savez(folder / "small.npz", **arrays, class_names=np.array(["a", "b[x]", "$c$"]))
    fit = {"epochs": 2, "batch_size": 10, "hflip": 0, "crop_pad": 0, "model": "wrn10_1", "seed": 4, "device": "cpu"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        train(TrainConfig(dataset="small.npz", **fit), "run")
    return folder


@pytest.fixture
def run(faa, trained, tmp_path):
    """Return the command line beside a copy of the finished run."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
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
    shown = [
        line.split() for line in done.out.splitlines() if line.split()[:2] in (["a", "4"], ["b[x]", "4"], ["$c$", "4"])
    ]
    assert [int(cells[2]) for cells in shown] == [row["recognised"] for row in written["classes"]]
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
    assert "over 1 corruption × 5 severities" in read.out
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
        (["--model", "wrn16_1"], "There are no published weights of 'wrn16_1'"),
        (["--model", "local-dir:nowhere"], "'nowhere' holds no model.safetensors"),
        (["--checkpoint", "run", "--corruptions", "nowhere"], "There is no folder 'nowhere'"),
        (["--checkpoint", "run", "--corruptions", "make", "--frost", "run"], "holds 0 photographs"),
        (["--checkpoint", "run", "--frost", "run"], "--frost is for --corruptions make"),
        (["--checkpoint", "run", "--corruption-plot", "k.png"], "give both"),
        (["--checkpoint", "run", "--output", "run"], "is a folder"),
        (["--checkpoint", "run", "--output", "one"], "--output writes a .json file; 'one' has another ending"),
        (["--checkpoint", "run", "--confusion", "one.json"], "--confusion writes a .png file"),
        (["--checkpoint", "run", "--confusion", "a.png", "--corruption-plot", "run/../a.png"], "give each its own"),
        (["--checkpoint", "run", "--output", "run/result.json"], "would replace one"),
        (["--checkpoint", "run", "--output", "run/last/config.json"], "would replace one"),
        (["--checkpoint", "run", "--output", "small.npz/a.json"], "on its way, a file is in place of a folder"),
        (["--checkpoint", "run", "--output", f"{'a' * 300}.json"], "cannot be written: a name in it is longer"),
        (["--checkpoint", "run", "--test-fraction", "0.5"], "'run' was trained on 'small.npz' with nothing held out"),
        (["--model", "local-dir:run/last", "--test-fraction", "0.5"], "with nothing held out"),
        (["--checkpoint", "run", "--train-subset", "6"], "--train-subset is for --split train"),
    ],
)
def test_mistakes_are_one_message(run, arguments, words):
    done = run("eval", *arguments)
    assert done.code == 2
    assert words in done.err
    assert "top-1" not in done.out


def test_a_runs_own_files_stay(run, tmp_path):
    """What is new may lie in a run's directory; what it keeps, or will keep, may not be written."""
    assert run(*EVAL, "--output", "run/new/figures.json").code == 0
    (tmp_path / "half").mkdir()
    (tmp_path / "half/config.yaml").write_text("command: train\n")
    (tmp_path / "link").symlink_to("run/last")
    before = (tmp_path / "run/last/config.json").read_bytes()
    for path in ("half/result.json", "link/config.json", "run/new/figures.json"):
        done = run(*EVAL, "--output", path)
        assert (done.code, "would replace one" in done.err) == (2, True)
    assert before == (tmp_path / "run/last/config.json").read_bytes()
    assert not (tmp_path / "half/result.json").exists()
    (tmp_path / "config.yaml").write_text("theme: dark\n")  # not a run's
    for _time in range(2):
        assert run(*EVAL, "--output", "figures.json").code == 0
    assert not list(tmp_path.glob("**/.*.tmp"))


def test_a_stopped_evaluation_does_not_go_on(run, tmp_path, monkeypatch):
    """It keeps nothing, and says so."""

    def stop(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "evaluate_subject", stop)
    done = run(*EVAL, "--output", "new/figures.json")
    assert done.code == 130
    assert "Nothing was written" in done.err
    assert "goes on" not in done.err
    assert not (tmp_path / "new").exists()


def test_the_likeliest_five_of_three_are_no_figure(run, tmp_path):
    done = run(*EVAL, "--output", "figures.json")
    assert "top-5 error –," in done.out
    assert json.loads((tmp_path / "figures.json").read_text())["top5"] is None
    for classes, figure in ((4, None), (5, 1)):
        assert top5(Metrics(images=1, loss=0, top1=1, top5=1, confusion=((0,),) * classes)) == figure


@pytest.mark.parametrize(("classes", "shown"), [(40, 40), (41, 20)])
def test_of_many_classes_the_worst_are_shown(capsys, classes, shown):
    """From the worst on; a class without images is last."""
    confusion = np.diag(np.arange(classes)).tolist()
    confusion[1][0] = 9
    confusion[3][0] = 1
    metrics = Metrics(images=1, loss=0, top1=1, top5=1, confusion=tuple(map(tuple, confusion)))
    rows = command._classes(metrics, tuple(f"class{number}" for number in range(classes)))
    command._show_classes(rows, written=False)
    lines = capsys.readouterr().out.splitlines()
    assert shown == sum(line.startswith("class") for line in lines) - 1
    if shown < classes:
        assert ["class1", "class3"] == [line.split()[0] for line in lines[1:3]]
        assert "These are the 20 worst of 41 classes; --output FILE.json writes all." == lines[-1]
        assert not any(line.startswith("class0 ") for line in lines)


@pytest.mark.parametrize("classes", [3, 150])
def test_a_matrix_is_drawn_the_right_way_round(tmp_path, classes):
    """True classes go down and answers to the right: right answers are a dark line that falls, at any size."""
    names = [f"${n}" for n in range(classes)]
    for counts, sign in ((np.diag([9] * classes), 1), (np.fliplr(np.diag([9] * classes)), -1)):
        save_confusion(tmp_path / "c.png", counts.tolist(), names, title="$t")
        with Image.open(tmp_path / "c.png") as image:
            assert max(image.size) <= 2000
            dark = np.asarray(image.convert("L")) < 100
        rows, columns = np.nonzero(dark[50:-80, : dark.shape[1] * 3 // 4])
        assert sign * np.corrcoef(rows, columns)[0, 1] > 0.2


@pytest.mark.parametrize("name", ["c", "a class whose name has forty letters {}!", "猫の種類と名前 {}", "two\nlines"])
def test_names_take_nothing_from_the_matrix(tmp_path, name):
    """Few classes have cells of the same size below long names; what the font has not is not a warning."""
    save_confusion(tmp_path / "c.png", [[9, 0, 0], [0, 9, 0], [0, 0, 9]], [name.format(n) for n in range(3)], title="t")
    with Image.open(tmp_path / "c.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    blue = (pixels[..., 2] - pixels[..., 0] > 60) & (pixels.sum(axis=-1) < 330)
    columns = np.flatnonzero(blue[:, : pixels.shape[1] - 110].sum(axis=0) > 20)
    assert np.ptp(columns) > 150


def test_a_run_keeps_its_evaluations(run, tmp_path):
    """One entry for each, and nothing else of it is touched; weights of no run keep none."""

    def contents():
        files = (path for path in (tmp_path / "run").rglob("*") if path.is_file())
        return {str(path): path.read_bytes() for path in files if path.name != "evaluations.jsonl"}

    before = contents()
    assert run(*EVAL).code == 0
    assert run("eval", "--checkpoint", "run/last", "--split", "train").code == 0
    first, second = open_run(tmp_path / "run").evaluations
    assert (first.split, first.images) == ("test", 12)
    assert (second.split, second.images, second.weights) == ("train", 24, "last")
    assert first.top1 == json.loads((tmp_path / "run/result.json").read_text())["test"]["top1"]
    assert (first.top5, first.corrupted) == (None, None)  # of three classes
    assert first.at < second.at
    assert before == contents()
    shutil.copytree(tmp_path / "run/last", tmp_path / "alone")
    assert run("eval", "--checkpoint", "alone", "--dataset", "small.npz").code == 0
    assert not (tmp_path / "alone/evaluations.jsonl").exists()


def test_a_run_that_cannot_keep_an_evaluation_says_so(run, tmp_path):
    """The figures are shown all the same."""
    (tmp_path / "run/evaluations.jsonl").mkdir()
    done = run(*EVAL)
    assert done.code == 0
    assert "top-1 error" in done.out
    assert "The run does not keep this evaluation: 'run/evaluations.jsonl' cannot be written" in done.err


@pytest.mark.parametrize(
    ("output", "where"), [((), "--output FILE.json writes all"), (("--output", "a.json"), "has all")]
)
def test_where_the_classes_are_that_are_not_shown(run, monkeypatch, output, where):
    """In the file, or nowhere yet."""
    monkeypatch.setattr(command, "TABULATED", 2)
    assert f"{where}." in run(*EVAL, *output).out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[]", "Line 1 of 'run/evaluations.jsonl' is not a valid evaluation"),
        ('{"schema": "faa-evaluation/2"}', "'run/evaluations.jsonl' was written by a newer version"),
    ],
)
def test_evaluations_that_cannot_be_read(run, tmp_path, line, said):
    """A word says so; the evaluation is shown and kept."""
    (tmp_path / "run" / "evaluations.jsonl").write_text(f"{line}\n")
    done = run(*EVAL)
    assert done.code == 0
    assert f"This evaluation is kept, but those of the run cannot be read. {said}" in done.err
    assert len((tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()) == 2
