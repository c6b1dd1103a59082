"""`faa compare` on digits: what it writes and prints, resuming, and what it refuses before training."""

import json
import shutil

import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure
from PIL import Image

from faa_cli.commands.compare import _of_a_comparison, _show
from faa_cli.comparison_plot import draw_errors, save_comparison, title_of
from faa_core import FaaError, Policy
from faa_search.measuring.comparison import summarise
from faa_search.settings import CompareConfig, TrainConfig
from faa_search.settings.resolving import Layer

TINY = "--train-subset 40 --img-size 8 --batch-size 20 --epochs 1 --hflip 0 --device cpu".split()
TWO = (*TINY, "--policies", "none,trivialaugment", "--seeds", 2, "--output", "out")


def test_a_comparison_from_end_to_end(faa, tmp_path):
    """Four runs, their errors in a file, tables, sentences and a picture; the same command again only shows them."""
    done = faa("compare", *TWO, "--seed", 3)
    assert done.code == 0
    assert "4 training runs: 2 policies × 2 seeds, each run of 1 epoch." in done.err
    assert done.err.count("Estimated time") == 1
    assert "; 4 runs: " in done.err
    out = tmp_path / "out"
    document = json.loads((out / "comparison.json").read_text())
    assert (document["seeds"], document["dataset"], document["epochs"]) == ([3, 4], "digits", 1)
    assert "torch" in document["versions"]
    for row in document["policies"]:
        runs = [json.loads((out / f"{row['name']}-{seed}" / "result.json").read_text()) for seed in (3, 4)]
        assert row["errors"] == pytest.approx([100 * (1 - run["test"]["top1"]) for run in runs])
        assert f"{max(row['low'], 0):.2f} … {min(row['high'], 100):.2f}" in done.out
    none, trivial = document["policies"]
    assert (none["name"], trivial["name"]) == ("none", "trivialaugment")
    (pair,) = document["pairs"]
    assert pair["difference"] == pytest.approx(none["mean"] - trivial["mean"])
    assert f"{pair['difference']:+.2f}" in done.out
    assert document["conclusion"] in done.out
    with Image.open(out / "comparison.png") as picture:
        assert picture.size[0] > 300
    assert yaml.safe_load((out / "none-4/config.yaml").read_text())["seed"] == 4
    assert yaml.safe_load((out / "config.yaml").read_text())["command"] == "compare"

    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.suffix in {".json", ".safetensors"}}
    again = faa("compare", *TWO, "--seed", 3)
    assert (again.code, again.out) == (0, done.out)
    assert "is finished" in again.err
    assert before == {path: path.stat().st_mtime_ns for path in before}
    refused = faa("compare", *TWO)
    assert (refused.code, "seed: 3 → 0" in refused.err) == (2, True)
    shutil.rmtree(out / "none-4")
    lost = faa("compare", *TWO, "--seed", 3)
    assert "Finished runs of it are not there: 'out/none-4'. Put back copies of them; or remove 'out/compar" in lost.err
    assert lost.out.splitlines()[-1] == "comparison.json and comparison.png are in out"


def test_a_failed_run_keeps_the_others(faa, tmp_path, monkeypatch):
    """The message names the run; the same command goes on, and comes to what an undisturbed one does."""
    from faa_search.measuring.comparison import training  # noqa: PLC0415 where the runs are started

    train, calls = training.train, []

    def fails_once(config, *arguments, **named):
        calls.append((config.policy, config.seed))
        if len(calls) == 3:
            raise FaaError("the disk is full.")
        return train(config, *arguments, **named)

    monkeypatch.setattr(training, "train", fails_once)
    failed = faa("compare", *TWO)
    assert failed.code == 2
    assert "The run of 'none' with seed 1: the disk is full. Finished runs are kept." in failed.err
    assert calls == [("none", 0), ("trivialaugment", 0), ("none", 1)]  # each seed for all before the next
    kept = tmp_path / "out/trivialaugment-0/last/model.safetensors"
    before = kept.stat().st_mtime_ns
    assert not (tmp_path / "out/comparison.json").exists()
    resumed = faa("compare", *TWO)
    assert (resumed.code, kept.stat().st_mtime_ns) == (0, before)


def test_files_of_one_name_are_told_apart(faa, tmp_path):
    """They are called by their paths; a file that changes afterwards is refused, before training and when finished."""
    for folder, name in (("a", "randaugment"), ("b", "trivialaugment")):
        Policy.load(name).save(tmp_path / folder / "policy.json")
    command = ("compare", *TINY, "--policies", "a/policy.json,b/policy.json", "--seeds", 2, "--output", "out")
    assert faa(*command).code == 0
    document = json.loads((tmp_path / "out/comparison.json").read_text())
    assert [row["name"] for row in document["policies"]] == ["a/policy.json", "b/policy.json"]
    for folder, name in (("a", "randaugment"), ("b", "trivialaugment")):
        for seed in (0, 1):
            kept = tmp_path / f"out/{folder}-policy.json-{seed}/policy.json"
            assert kept.read_text() == Policy.load(name).to_json()
    Policy.load("uniform-random").save(tmp_path / "a/policy.json")
    assert "is not the one that the run in 'out/" in faa(*command).err
    (tmp_path / "out/comparison.json").unlink()
    changed = faa(*command)
    assert (changed.code, "is not the one that the run in 'out/" in changed.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--seeds", 1), "--seeds"),
        (("--policies", "none"), "name two policies or more, each once"),
        (("--policies", "none,none"), "name two policies or more, each once"),
        (("--policies", "none,trivialaugmen"), "did you mean trivialaugment"),
        (("--policies", "none,missing.json"), "'missing.json' cannot be read: there is no such file"),
        (
            ("--policies", "none,with, comma.json"),
            "file 'with, comma.json', which has a comma, give policies",
        ),
        (("--sched", "constant", "--min-lr", 0.1), "--min-lr 0.1 is for --sched cosine"),
        (("--policies", "one.json,./one.json"), "are the same policy"),
        (("--policies", "x/one.json,x-one.json"), "would share a directory"),
        (("--policy", "none"), "--policy"),
        (("--dataset", "no-test.npz"), "needs a test split; --test-fraction"),
        (("--dataset", "digit"), "no folder 'digit'"),
        (("--model", "wrn40_3"), "did you mean wrn40_2"),
        (("--model", "wrn", "--model-kwargs", "depth=17"), "depth must be 6n + 4"),
        (("--recipe", "digits/wrn"), "digits/wrn16_1"),
        (("-c", "mine.yaml"), "mine.yaml: unknown setting 'policy'; did you mean policies"),
    ],
)
def test_mistakes_are_refused_before_anything_is_written(faa, tmp_path, arguments, said):
    (tmp_path / "mine.yaml").write_text("policy: none\n")
    for path, name in (("one.json", "randaugment"), ("x/one.json", "randaugment"), ("x-one.json", "uniform-random")):
        Policy.load(name).save(tmp_path / path)
    Policy.load("randaugment").save(tmp_path / "with, comma.json")
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "no-test.npz", images=images, labels=np.arange(20) % 2)
    outcome = faa("compare", "--output", "out", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_damaged_result_says_how_to_mend_it(faa, tmp_path):
    for text in ("{", "[]", '{"policies": [{}], "pairs": []}', '{"policies": 3}'):
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out/comparison.json").write_text(text)
        damaged = faa("compare", *TWO)
        assert damaged.code == 2
        assert "holds no comparison" in damaged.err
        assert "Delete it" in damaged.err


def test_a_recipe_of_train_serves(faa, tmp_path):
    """Its settings are used, but for its policy: the comparison names its own."""
    recipe = Layer("recipe x", {"policy": "none", "lr": 0.2, "adversarial": True, "controller-lr": 0.1})
    without = Layer("recipe x", {"lr": 0.2})
    with_controller = Layer("recipe x", {"lr": 0.2, "controller-lr": 0.1})
    for policies, left in ((None, without), ("none,randaugment", without), ("none,adversarial", with_controller)):
        assert _of_a_comparison(recipe, None, {} if policies is None else {"policies": policies}) == left
    tiny = ("--recipe", "digits/wrn16_1", *TINY[:4], "--epochs", 1, "--policies", "none,trivialaugment", "--seeds", 2)
    assert faa("compare", *tiny).code == 0
    settings = yaml.safe_load((tmp_path / "runs/compare-digits-wrn16_1/config.yaml").read_text())
    assert (settings["batch_size"], settings["policies"]) == (32, ["none", "trivialaugment"])


def test_its_flags_are_those_of_train_without_the_policy(faa):
    own = {"policies", "seeds"}
    assert (
        set(CompareConfig.model_fields) == set(TrainConfig.model_fields) - {"policy", "adversarial", "controller"} | own
    )
    text = faa("compare", "--help").out
    for name in CompareConfig.model_fields:
        assert f"--{name.replace('_', '-')}" in text
    assert "(default: none,uniform-random,trivialaugment)" in text
    assert text.index("\nComparison:") < text.index("\nData:") < text.index("\nTraining:")


def test_names_that_look_like_formulas_are_drawn(tmp_path):
    """Paths of any length and with any letters fit below their places."""
    names = ("runs/search-digits-wrn16_1-s0/policy.json", "a$\\frac{$.json")
    result = summarise({names[0]: [1.0, 2.0, 4.0], names[1]: [2.0, 2.5, 4.5]})
    settings = CompareConfig(dataset="some$where", policies=names, seeds=3)
    save_comparison(tmp_path / "picture.png", result, title=title_of(settings))
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.size[0] > 300


def test_errors_are_drawn_where_errors_can_be():
    """An interval that reaches beyond 0 … 100 % does not squeeze the points; one within is seen whole."""
    axis = Figure().subplots()
    draw_errors(axis, summarise({"one": [8.0, 40.0], "two": [9.0, 41.0]}))
    low, high = axis.get_ylim()
    assert (-4 < low < 0, 100 < high < 104) == (True, True)
    axis = Figure().subplots()
    close = summarise({"one": [8.0, 8.1, 8.2], "two": [9.0, 9.1, 9.3]})
    draw_errors(axis, close)
    low, high = axis.get_ylim()
    assert 0 < low < min(row.low for row in close.policies)
    assert max(row.high for row in close.policies) < high < 12


def test_the_table_says_what_is_adjusted_and_what_is_unknown(capsys):
    """Intervals are not adjusted for the number of pairs, p is; a gap without spread has no interval."""
    _show(summarise({"one": [1.0, 2.0, 3.0], "two": [2.0, 3.0, 4.0]}), CompareConfig(seeds=3))
    said = " ".join(capsys.readouterr().out.split())
    assert "-1.00 … -1.00" not in said
    assert "95 % interval, unadjusted" in said
    assert "p, Holm-adjusted" in said


def test_one_epoch_is_no_epochs():
    assert "1 epoch, 2 seeds" in title_of(CompareConfig(epochs=1, seeds=2))
    assert "2 epochs, 5 seeds" in title_of(CompareConfig(epochs=2))


def test_intervals_of_errors_end_where_errors_do_and_nothing_is_minus_zero(capsys):
    """Two seeds give intervals far beyond 0 and 100 %; the files keep them as they are."""
    found = summarise({"a": [1.0, 3.0], "b": [99.0, 97.0], "c": [1.001, 3.0]})
    assert found.policies[0].low < 0
    assert found.policies[1].high > 100
    _show(found, CompareConfig(seeds=2))
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line for line in lines[1:4]}
    assert "2.00           0.00 … 14.71" in rows["a"]
    assert "98.00          85.29 … 100.00" in rows["b"]
    (pair,) = [line for line in lines if line.split()[:2] == ["a", "c"]]
    assert "+0.00" in pair
    assert "-0.00 " not in pair
