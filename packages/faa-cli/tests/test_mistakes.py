"""What a person gets wrong ends in one message and exit code 2: no traceback, no wrong result."""

import json
import re

import numpy as np
import pytest
from PIL import Image
from typer.main import get_command

from faa_cli.main import FIRST, app

MISTAKES = [
    (("train", "--epochs", "many"), "Error: --epochs: "),
    (("train", "--epochs", "many"), "'many'"),
    (("train", "--threads", 0), "Error: --threads: "),
    (("train", "--scale", 0.5), "'--scale' requires 2 arguments"),
    (("train", "stray"), "(stray)"),
    (("train", "--epochs", 0), "--epochs"),
    (("train", "--lr", "-1"), "--lr"),
    (("train", "--lr", "nan"), "--lr: a number is written in decimals, such as 0.5 or 1e-3 (given 'nan')."),
    (("train", "--lr", "1e999"), "--lr: the number is too large (given '1e999')."),
    (("train", "--lr", "1e308"), "--lr: it must be at most 1e+300 (given 1e+308)."),
    (("train", "--threads", 1025), "--threads: it must be at most 1,024 (given 1025)."),
    (("train", "--pretrained"), "--pretrained: timm has no published weights of 'wrn16_1'; leave it out"),
    (("train", "--policy", "-"), "--policy: '-' is not supported"),
    (("train", "--output", "-"), "--output: '-' is not supported"),
    (("train", "-c", "-"), "--config: '-' is not supported"),
    (("train", "--dataset", "-"), "--dataset: '-' is not supported"),
    (("policy", "show", "-"), "POLICY: '-' is not supported"),
    (("policy", "convert", "-", "-"), "IN: '-' is not supported"),
    (("model", "convert", "-", "out"), "OLD.pth: '-' is not supported"),
    (("policy", "preview", "none", "--output", "q.gif"), "--output writes a .png file; 'q.gif' has another ending"),
    (("policy", "preview", "none", "--output", "config.yaml"), "--output writes a .png file"),
    (("policy", "preview", "none", "--images", 31), "--images: it must be at most 30 (given 31)."),
    (("policy", "preview", "none", "--draws", 10**9), "--draws: it must be at most 30 (given 1000000000)."),
    (("policy", "preview", "none", "--img-size", 4097), "--img-size: it must be at most 4,096 (given 4097)."),
    (("policy", "preview", "none", "--seed", -1), "--seed: it must be at least 0 (given -1)."),
    (("train", "--sched", "cosin"), "--sched"),
    (("train", "--epoch", 3), "faa train has no option --epoch; did you mean --epochs"),
    (("train", "--batch_size", 3), "did you mean --batch-size"),
    (("train", "-x"), "faa train has no option -x"),
    (("trian",), "faa has no command 'trian'; did you mean train or trials? `faa --help`"),
    (("policy", "shwo", "none"), "faa policy has no command 'shwo'; did you mean show or push?"),
    (("policy", "nothing"), "known: list, show, preview, convert"),
    (("policy", "show"), "faa policy show needs POLICY: Built-in name, policy file of any format, or timm string."),
    (("train", "--model", "wrn40_3"), "did you mean wrn40_2"),
    (("train", "--opt", "sgdd"), "sgdd"),
    (("train", "--policy", "fa-reduced-cifar"), "did you mean fa-reduced-cifar10"),
    (("train", "--policy", "missing.json"), "'missing.json' cannot be read: there is no such file"),
    (
        ("train", "--policy", "https://a.org/p.json"),
        "'https://a.org/p.json' cannot be read: it is an address",
    ),
    (("train", "-c", "https://a.org/c.yaml"), "'https://a.org/c.yaml' cannot be read: it is an address, and nothing"),
    (("train", "--dataset", "https://a.org/d.npz"), "'https://a.org/d.npz' cannot be read: it is an address"),
    (("eval", "--checkpoint", "https://a.org/run"), "'https://a.org/run' cannot be read: it is an address"),
    (("policy", "show", "https://a.org/p.json"), "Download the file, and give its path."),
    (("policy", "convert", "none", "https://a.org/p.json"), "cannot be written: it is an address."),
    (
        ("model", "convert", "https://a.org/w.pth", "out"),
        "Addresses are not fetched: download the file, and",
    ),
    (("train", "--policy", "http://a.org/p.json"), "nothing is fetched from there. Download the file, and give its"),
    (("train", "--policy", "hf://owner"), "is not a name on the Hub: give hf://OWNER/NAME"),
    (("train", "--policy", "hf://owner/name"), "it is not in the cache, and HF_HUB_OFFLINE is set. Unset it"),
    (("train", "--dataset", "digit"), "no folder 'digit'"),
    (("train", "--dataset", "missing.npz"), "'missing.npz' cannot be read: there is no such file"),
    (("train", "--dataset", "torch/cifar10"), "--data-dir"),
    (("train", "--dataset", "torch/cifar10", "--data-dir", "nowhere"), "--dataset-download"),
    (("train", "--dataset", "tfds/mnist"), "stream"),
    (("train", "--dataset", "torch/cifar10", "--data-dir", ".", "--train-split", "trian"), "--train-split trian"),
    (("train", "--dataset", "torch/cifar10", "--data-dir", ".", "--test-split", "training"), "--test-split training"),
    (("train", "--dataset", "torch/image_folder", "--data-dir", "."), "same images in both splits"),
    (("train", "--data-dir", "photos"), "digits is embedded"),
    (("train", "--model", "wrn", "--model-kwargs", "depth"), "--model-kwargs: give name=value pairs"),
    (("train", "--model", "wrn", "--model-kwargs", "depth=17"), "depth must be 6n + 4"),
    (("train", "--model", "wrn", "--model-kwargs", "breadth=2"), "breadth"),
    (("train", "--model", "wrn", "--model-kwargs", "num_classes=3"), "the data and the run set num_classes"),
    (("search", "--model", "wrn", "--model-kwargs", "device=meta,pretrained_x=1"), "set device, pretrained_x; leave"),
    (("train", "--model", "wrn", "--model-kwargs", "global_pool=''"), "the data and the run set global_pool"),
    (
        ("train", "--model", "wrn", "--model-kwargs", "global_pool=foo"),
        "cannot be made with global_pool=foo: Assertion",
    ),
    (("search", "--model", "wrn", "--model-kwargs", "depth=17"), "depth must be 6n + 4"),
    (("train", "--model", "resnet10t", "--model-kwargs", "act_layer=foo"), "made with act_layer=foo: KeyError: 'foo'"),
    (("train", "--model", "resnet10t", "--model-kwargs", "output_stride=7"), "with output_stride=7: AssertionError"),
    (("train", "--model", "resnet10t", "--model-kwargs", "block=foo"), "with block=foo: AttributeError"),
    (("train", "--model", "test_vit", "--model-kwargs", "patch_size=0"), "with patch_size=0: ZeroDivisionError"),
    (("train", "--model", "wrn", "--model-kwargs", "drop-rate=0.1"), "names are words"),
    (("train", "--model", "wrn", "--model-kwargs", "depth=10,depth=16"), "give each name once"),
    (("train", "--model", "wrn", "--model-kwargs", "drop_rate=nan"), "finite numbers"),
    (("train", "--model", "wrn", "--model-kwargs", "drop_rate=-1e999"), "finite numbers"),
    (("train", "--model", "wrn", "--model-kwargs", "depth=b'a'"), "values are true, false, finite"),
    (("train", "--model", "wrn", "--model-kwargs", "depth=None"), "values are true, false, finite"),
    (("train", "--model", "wrn", "--model-kwargs", "depth=" + "(" * 100_000), "at most 100 characters"),
    (("train", "--model", "inception_v3"), "does not take images of 8 px"),
    (("train", "--scale", 0.5, 2.0), "--scale"),
    (("train", "--decay-milestones", "30,x"), "--decay-milestones"),
    (("train", "--sampling", "even"), "--sampling"),
    (("train", "--log-with", "tensorbord"), "--log-with tensorbord: Accelerate knows no such tracker"),
    (("train", "--num-processes", 0), "--num-processes"),
    (("train", "--num-processes", 2, "--device", "cuda"), "--num-processes 2, but torch sees 0 GPUs"),
    (("train", "--gate-price", 0.1), "'wrn16_1' has none"),
    (("train", "--sync-bn"), "for CUDA devices only"),
    (("train", "--resident", "--color-jitter", 0.4), "--resident is for small images"),
    (("train", "--train-subset", 60, "--grad-accum-steps", 100), "60 training images are too few"),
    (("train", "--opt", "momentum", "--opt-eps", 0.1), "opt"),
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
    (("search", "--budget", "soon"), "--budget: a budget is a time such as 90s, 30m or 2h"),
    (("search", "--budget", "0m"), "--budget: a budget is a time"),
    (("search", "--budget", "1s", "--epochs", 1000), "fitting 5 folds alone is estimated at"),
    (("search", "--preset", "birds"), "No preset of operations is called 'birds'"),
    (("search", "--preset", "digits"), "give --hflip 0"),
    (("search", "--exclude-ops", "Rotat"), "did you mean Rotate"),
    (("search", "--executor", "processess"), "did you mean processes"),
    (("search", "--executor", "accelerate"), "accelerate launch"),
    (("search", "--executor", "local", "--num-processes", 2), "--num-processes 2"),
    (("search", "--stage", "explore"), "--stage folds makes it"),
    (("search", "--stage", "merge"), "--stage folds makes it"),
    (("search", "--stage", "folds", "--audit", 9), "--stage folds ends before there is one"),
    (("search", "--audit", 3), "--audit 3: a rank correlation needs 4 trials or more"),
    (("search", "--audit", 9, "--width", 1, "--depth", 8), "the first fold has 8"),
    (("search", "--rescore", 4), "--rescore 4 is fewer than --top 10"),
    (("search", "--warm-start", "trivialaugment"), "only a list of sub-policies"),
    (("search", "--warm-start", "fa-reduced-cifar10", "--ops", 1), "--ops 2"),
    (("search", "--warm-start", "fa-reduced-cifar10", "--exclude-ops", "Invert"), "Invert"),
    (("search", "--init-models", "nowhere"), "'nowhere' is not a run directory"),
    (("search", "--val-split", "train"), "--val-split"),
    (("search", "--dataset", "torch/cifar10", "--val-split", "test"), "never reads"),
    (("search", "--dataset", "torch/cifar10", "--val-split", "extra"), "has a training and a test split only"),
    (("compare", "--policies", "RandAugment(num_ops=2, magnitude=9)"), "name two policies or more"),
    (("eval", "--checkpoint", "nowhere"), "nowhere"),
    (("policy", "show", "nothing"), "nothing"),
    (("policy", "preview", "none", "--output", "none.png/x.png", "--dataset", "nowhere"), "nowhere"),
    (("policy", "convert", "nothing", "-"), "No policy is called 'nothing'"),
    (("policy", "convert", "nowhere.json", "-"), "'nowhere.json' cannot be read: there is no such file"),
    (("policy", "convert", "none", "-", "--to", "pickle"), "No policy format is called 'pickle'"),
    (("policy", "convert", "none", "-", "--from", "korna"), "did you mean kornia"),
    (("policy", "convert", "none", "-", "--to", "deepaa"), "'none' has no layers"),
    (("policy", "convert", "fa-reduced-svhn", "-", "--to", "albumentations"), "no transform for: 'TranslateX'"),
    (("policy", "convert", "trivialaugment", "-", "--to", "legacy"), "not a table of sub-policies"),
    (("policy", "convert", "rand-m9-x2", "-"), "rand-m9-x2"),
    (("policy", "convert", "rand-m9", "-", "--table", "nope"), "leave out the table 'nope'"),
    (("policy", "convert", "rand-m9-tweights", "-"), "'-n1' is exact"),
    (("policy", "convert", "none", "/dev/stdout"), "give - as OUT"),
    (("policy", "convert", "none", "."), "OUT: '.' is a folder"),
    (
        ("policy", "convert", "none", "a.py"),
        "The suffix of 'a.py' belongs to no format. Give a name that ends in .json (faa)",
    ),
    (("policy", "convert", "none", "a"), "or .npz (deepaa), or the format by --to: faa, legacy, deepaa, albument"),
    (("policy", "convert", "none", "a.json.gz"), "The suffix of 'a.json.gz' belongs to no format"),
    (("policy", "show", "rand9"), "a timm string such as rand-m9-n2"),
    (("model", "list", "nothing*"), "nothing*"),
    (("model", "convert", "nowhere.pth", "out"), "'nowhere.pth' cannot be read"),
    (("model", "convert", ".", "out"), "it is a folder"),
    (("model", "convert", "nowhere.pth"), "OUTPUT_DIR"),
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
    last = outcome.err.splitlines()[-1]
    assert last.startswith("Error: ")
    assert last.endswith((".", "?", "!")), "no full stop"
    assert not re.search(r"\w\.\.$", last), "two full stops"
    assert not set("╭│╰") & set(outcome.err)


def test_unknown_settings_in_a_file_are_named_with_the_file(faa, tmp_path):
    (tmp_path / "mine.yaml").write_text("weight_dacay: 1e-4\n")
    outcome = faa("train", "-c", "mine.yaml")
    assert outcome.code == 2
    assert "mine.yaml: unknown setting 'weight_dacay'; did you mean weight_decay" in outcome.err


def test_wrong_values_in_a_file_are_named_with_the_file(faa, tmp_path):
    (tmp_path / "mine.yaml").write_text("epochs: several\n")
    assert "mine.yaml: epochs" in faa("train", "-c", "mine.yaml").err


@pytest.mark.parametrize("value", ["[1, 2]", ".nan", "-.inf", "null", "{a: 1}", "'a,b'", "nan"])
def test_values_that_are_no_arguments_of_a_model(faa, tmp_path, value):
    (tmp_path / "mine.yaml").write_text(f"model_kwargs: {{depth: {value}}}\n")
    said = faa("train", "-c", "mine.yaml").err
    assert "mine.yaml: model_kwargs: names are words" in said
    assert said.count("model_kwargs") == 1


def test_arguments_that_only_a_forward_pass_refuses_are_pointed_at(faa):
    said = faa("train", "--model", "inception_v3", "--model-kwargs", "drop_rate=0.5").err
    assert "give another --img-size, or other --model-kwargs than drop_rate=0.5." in said


@pytest.mark.parametrize("command", [("train",), ("search", "--folds", 1, "--width", 1, "--depth", 1, "--top", 1)])
def test_a_refused_model_does_not_block_the_corrected_command(faa, tmp_path, command):
    rest = ("--train-subset", 40, "--epochs", 1, "--model", "wrn", "--output", "run", "--model-kwargs")
    assert faa(*command, *rest, "depth=11,width=1").code == 2
    assert not (tmp_path / "run").exists()
    assert faa(*command, *rest, "depth=10,width=1").code == 0


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


def test_an_unreadable_image_in_a_loader_process_is_named_without_its_traceback(faa, tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(4):
            pixels = np.random.default_rng(number).integers(0, 256, (80, 80, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"photos/{name}/{number}.png")
    damaged = tmp_path / "photos/dog/2.png"
    damaged.write_bytes(damaged.read_bytes()[:5000])  # its header is whole, its pixels are not
    outcome = faa(
        "train", "--dataset", "photos", "--epochs", 1, "--img-size", 16, "--workers", 1, "--model", "resnet10t"
    )
    assert outcome.code == 2
    assert "2.png" in outcome.err
    assert "Traceback" not in outcome.err


def test_one_folder_cannot_be_both_splits(faa, tmp_path):
    for folder in ("train/cat", "train/dog", "val/cat", "val/dog"):
        (tmp_path / "photos" / folder).mkdir(parents=True)
        Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / "photos" / folder / "0.png")
    outcome = faa("train", "--dataset", "photos", "--train-split", "val")
    assert outcome.code == 2
    assert "cannot be both" in outcome.err


def test_loose_and_hidden_images_are_no_classes(faa, tmp_path):
    for name in ("cat", "dog", ".thumbnails", "."):
        (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
        for number in range(4):
            Image.fromarray(np.full((16, 16, 3), 50 * number, np.uint8)).save(tmp_path / f"photos/{name}/{number}.png")
    assert faa("train", "--dataset", "photos", "--epochs", 1, "--output", "run").code == 0
    names = json.loads((tmp_path / "run/last/config.json").read_text())["label_names"]
    assert names == ["cat", "dog"]


def test_a_data_set_that_changed_does_not_resume(faa, tmp_path):
    labels = np.arange(40) % 2
    np.savez(tmp_path / "some.npz", images=np.zeros((40, 8, 8), np.uint8), labels=labels)
    small = (
        "--dataset",
        "some.npz",
        "--epochs",
        1,
        "--folds",
        2,
        "--width",
        1,
        "--depth",
        1,
        "--top",
        1,
        "--output",
        "run",
    )
    assert faa("search", *small).code == 0
    (tmp_path / "run/result.json").unlink()
    np.savez(tmp_path / "some.npz", images=np.zeros((41, 8, 8), np.uint8), labels=np.append(labels, 0))
    outcome = faa("search", *small)
    assert outcome.code == 2
    assert "had 40 training images, now 41" in outcome.err


def test_commands_come_in_the_order_in_which_one_meets_them(tmp_path, monkeypatch):
    """Then those of plugins, by name."""
    info = tmp_path / "site" / "more-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: more\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[faa.commands]\nbench = json:dumps\nall = json:dumps\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    listed = get_command(app).list_commands(None)
    assert listed == [*FIRST, "all", "bench"]
    assert listed[:3] == ["search", "train", "eval"]


def test_a_command_plugin_that_is_none_spares_the_others(faa, tmp_path, monkeypatch):
    info = tmp_path / "site/strange-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[faa.commands]\nodd = json:dumps\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert faa("--help").code == 0
    assert "must be a Typer app" in faa("odd").err


def test_paths_that_the_system_refuses(faa, tmp_path):
    """One line with the path, the reason and the next step, before any work; nothing is made."""
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "loop.json").symlink_to("loop.json")
    (tmp_path / "nothing").symlink_to("nowhere")
    (tmp_path / "nothing.json").symlink_to("nowhere.json")
    (tmp_path / "file").write_text("")
    long = "a" * 300
    words = {
        "loop": "links on its way lead in a circle. Remove the link",
        "nothing": "it is a link that leads to nothing. Remove the link",
        "file/x": "on its way, a file is in place of a folder. Give another path",
        long: "a name in it is longer than the file system allows. Give a shorter path",
    }
    before = sorted(tmp_path.iterdir())
    for path, reason in words.items():
        for command in (
            ("train", "--dataset", "digits", "--output", f"{path}/x"),
            ("train", "--config", path),
            ("eval", "--checkpoint", "nowhere", "--output", f"{path}.json"),
            ("policy", "convert", "none", f"{path}/y.json"),
            ("policy", "show", f"./{path}"),
            ("policy", "convert", path, "-", "--from", "legacy"),
        ):
            done = faa(*command)
            assert done.code == 2, command
            assert reason in done.err.splitlines()[-1], command
            assert "Errno" not in done.err
    assert "/dev/null' cannot be read: it is not a regular file" in faa("policy", "convert", "/dev/null", "-").err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (
            PermissionError(13, "Permission denied", "a\x1bb/c"),
            2,
            "Error: 'a\\x1bb/c' cannot be used: this user",
        ),
        (OSError(28, "No space left on device"), 1, "Error: The system refuses: the disk is full. Make room on it"),
    ],
)
def test_whatever_else_the_system_refuses(faa, monkeypatch, error, code, words):
    """Of a path, it is a mistake like any other."""

    def refuse(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr("faa_cli.commands.policy.Policy.load", refuse)
    done = faa("policy", "show", "none")
    assert (done.code, done.err.startswith(words)) == (code, True)


def test_a_yaml_word_that_is_a_truth_value_is_explained(faa, tmp_path):
    (tmp_path / "mine.yaml").write_text("policy: no\n")
    assert faa("train", "-c", "mine.yaml").err == (
        "Error: mine.yaml: policy: it must be a text; put quotes around it, as YAML takes yes, no, on, off, true and "
        "false for yes or no (given False).\n"
    )


def test_a_policy_that_mixes_in_other_images_is_refused_in_words_of_the_command(faa, tmp_path):
    use = {"op": "SamplePairing", "p": 1.0, "magnitude": 0.2}
    document = {"name": "pairs", "kind": "sub-policies", "sub_policies": [[use], [use, use]]}
    (tmp_path / "pairs.json").write_text(json.dumps(document))
    outcome = faa("policy", "preview", "pairs.json", "--images", 1)
    assert outcome.code == 2
    assert "(SamplePairing). Only `faa train` and `faa compare` give it some" in outcome.err
    assert not (tmp_path / "preview.png").exists()


@pytest.mark.parametrize("name", ["config.yaml", "result.json", "policy.json", "picture.png"])
def test_no_file_of_a_run_is_replaced(faa, tmp_path, name):
    run = tmp_path / "run"
    run.mkdir()
    for each in ("config.yaml", "result.json", "policy.json", "picture.png"):
        (run / each).write_text("command: train\nepochs: 3\n")
    for command in (
        ("policy", "convert", "none", f"run/{name}"),
        ("policy", "preview", "none", "--output", f"run/{name}"),
    ):
        outcome = faa(*command)
        assert outcome.code == 2
        assert ("would replace one" in outcome.err) or (command[1] == "preview" and "writes a .png" in outcome.err)
    assert (run / name).read_text() == "command: train\nepochs: 3\n"


def test_files_that_are_no_runs_are_replaced(faa, tmp_path):
    assert faa("policy", "convert", "randaugment", "policy.json").code == 0
    assert faa("policy", "convert", "none", "policy.json").code == 0
    assert json.loads((tmp_path / "policy.json").read_text())["name"] == "none"
