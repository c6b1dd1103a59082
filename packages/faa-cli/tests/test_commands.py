"""Each command does what it says, on digits."""

import json
import re
import shlex
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from faa_core import Op, Policy, SubPolicies

TINY = ("--dataset", "digits", "--train-subset", 60, "--img-size", 8, "--batch-size", 20, "--hflip", 0)
FIT = (*TINY, "--epochs", 2)
SEARCH = (*FIT, "--folds", 2, "--width", 1, "--depth", 2, "--top", 1)


def test_search_then_train_then_eval(faa, tmp_path):
    searched = faa("search", *SEARCH, "--output", "found")
    assert searched.code == 0
    assert "Estimated time" in searched.err
    assert searched.out.splitlines()[2].startswith("none ")
    assert "identity" not in searched.out
    assert len(Policy.load(tmp_path / "found/policy.json").sub_policies) == 10
    assert len((tmp_path / "found/trials.jsonl").read_text().splitlines()) == 4

    trained = faa("train", *FIT, "--policy", "found/policy.json", "--output", "trained")
    assert trained.code == 0
    assert "on 1,000 images" in trained.out
    for name in (
        "config.yaml",
        "environment.json",
        "policy.json",
        "summary.csv",
        "result.json",
        "last/model.safetensors",
    ):
        assert (tmp_path / "trained" / name).is_file()
    assert (tmp_path / "found/policy.json").read_text() == (tmp_path / "trained/policy.json").read_text()

    evaluated = faa("eval", "--checkpoint", "trained")
    error = 100 * (1 - json.loads((tmp_path / "trained/result.json").read_text())["test"]["top1"])
    assert evaluated.code == 0
    assert f"top-1 error {error:.2f} %" in evaluated.out


def test_default_outputs_tell_runs_apart(faa, tmp_path):
    assert faa("train", *FIT, "--policy", "trivialaugment", "--seed", 3).code == 0
    assert (tmp_path / "runs/train-digits-wrn16_1-trivialaugment-s3/result.json").is_file()


def test_a_finished_run_is_not_repeated(faa, tmp_path):
    first = faa("train", *FIT, "--output", "run")
    before = (tmp_path / "run/last/model.safetensors").stat().st_mtime_ns
    again = faa("train", *FIT, "--output", "run")
    assert "is finished" in again.err
    assert first.out == again.out
    assert before == (tmp_path / "run/last/model.safetensors").stat().st_mtime_ns


@pytest.mark.parametrize("damaged", [False, True])
def test_a_finished_run_without_its_weights(faa, tmp_path, damaged):
    """It says so, and what makes them again."""
    faa("train", *FIT, "--output", "run")
    weights = tmp_path / "run/last/model.safetensors"
    good = weights.read_bytes()
    weights.unlink()
    if damaged:
        weights.write_bytes(good[:100])
    lost = faa("train", *FIT, "--output", "run")
    assert lost.code == 0
    assert f"The weights 'run/last/model.safetensors' are {'damaged' if damaged else 'not there'}." in lost.err
    assert "remove 'run/result.json', and the same command makes them again, in a moment, from the state" in lost.err
    assert "Settings and figures are in run" in lost.out
    assert "Weights, " not in lost.out
    (tmp_path / "run/result.json").unlink()
    assert "Weights, settings and figures are in run" in faa("train", *FIT, "--output", "run").out
    assert weights.read_bytes() == good


def test_a_training_that_only_lacks_its_result(faa, tmp_path):
    """Its weights are not called those of a training that was stopped."""
    faa("train", *FIT, "--output", "run")
    (tmp_path / "run/result.json").unlink()
    evaluated = faa("eval", "--checkpoint", "run")
    assert "has had all of its 2 epochs, but has no result.json; its own command makes that" in evaluated.err
    assert "stopped" not in evaluated.err


def test_other_settings_do_not_touch_a_run(faa, tmp_path):
    faa("train", *FIT, "--output", "run")
    before = (tmp_path / "run/result.json").read_text()
    refused = faa("train", *FIT, "--lr", 0.5, "--output", "run")
    assert refused.code == 2
    assert "lr: 0.1 → 0.5" in refused.err
    assert before == (tmp_path / "run/result.json").read_text()


def test_precedence_is_default_recipe_file_flag(faa, tmp_path):
    (tmp_path / "mine.yaml").write_text("lr: 2e-2\nweight-decay: 0.25\nepochs: 1\n")
    faa("train", "--recipe", "digits/wrn16_1", "-c", "mine.yaml", "--lr", 0.03, "--img-size", 8, "--output", "run")
    settings = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
    assert settings["lr"] == 0.03  # flag over file
    assert settings["weight_decay"] == 0.25  # file over recipe
    assert settings["batch_size"] == 32  # recipe over default
    assert settings["momentum"] == 0.9  # default


def test_policy_list_names_every_built_in(faa):
    listed = faa("policy", "list").out
    for name in ("none", "uniform-random", "trivialaugment", "randaugment", "autoaugment-svhn", "fa-reduced-cifar10"):
        assert name in listed


def test_policy_show_counts_uses(faa):
    Policy.load("fa-reduced-svhn")
    shown = faa("policy", "show", "fa-reduced-svhn")
    assert "497 sub-policies" in shown.out
    assert "licence MIT" in shown.out.splitlines()[-5]
    assert next(line for line in shown.out.splitlines() if line.startswith("Cutout")).split()[-3:] == [
        "95",
        "0.45",
        "0.53",
    ]


def test_policy_show_json_is_the_document(faa, tmp_path):
    (tmp_path / "copy.json").write_text(faa("policy", "show", "randaugment", "--json").out)
    assert Policy.load("randaugment").to_json() == Policy.load(tmp_path / "copy.json").to_json()


def test_policy_preview_draws_the_policy(faa, tmp_path):
    shown = faa("policy", "preview", "none", "--images", 2, "--draws", 3, "--output", "same.png")
    assert (shown.code, "Wrote same.png" in shown.out) == (0, True)
    assert (
        faa("policy", "preview", "fa-reduced-cifar10", "--images", 2, "--draws", 3, "--output", "other.png").code == 0
    )
    same, other = (np.asarray(Image.open(tmp_path / name).convert("L")) for name in ("same.png", "other.png"))
    assert same.shape == other.shape
    cells = np.array_split(same[40:], 4, axis=1)  # below the title: the image and three draws that change nothing
    assert abs(cells[1].mean() - cells[2].mean()) < 5
    assert np.abs(same.astype(int) - other).mean() > 1


def test_model_list_shows_ours_and_timms(faa):
    ours = faa("model", "list").out
    assert "wrn40_2" in ours
    assert re.search(r"wrn40_2 +3×32×32 +10 +2,246,474 +356 M +–", ours)
    assert re.search(r"pyramidnet272_a200_shakedrop +3×32×32 +10 +26,210,842 +4,489 M", ours)
    assert "resnet10t" not in ours
    timms = faa("model", "list", "resnet1*").out
    assert re.search(r"resnet10t +3×176×176 +1000 +5,4\d\d,\d{3} +[\d,]+ M +c3_in1k", timms)
    assert re.search(r"resnet18 .* a1_in1k, a2_in1k, a3_in1k and \d+ more", timms)


def test_recipes_are_listed_and_shown(faa):
    rows = [line.split()[0] for line in faa("recipe", "list").out.splitlines()[1:]]
    assert rows[0] == "digits/wrn16_1"
    first = [rows.index(name) for name in ("cifar10/wrn40_2", "cifar100/wrn40_2", "svhn/wrn28_10", "imagenet/resnet50")]
    assert first == sorted(first)
    assert rows.index("cifar10/shakeshake26_2x96d") < rows.index("cifar10/shakeshake26_2x112d")
    assert re.search("^source: .*\n.*arXiv:1905.00397", faa("recipe", "show", "cifar10/wrn40_2").out, re.MULTILINE)
    assert json.loads(faa("recipe", "schema").out)["title"] == "RecipeFile"


def test_doctor_lists_versions_and_plugins(faa):
    report = faa("doctor")
    assert report.code == 0
    assert "torch 2." in report.out
    assert "trivialaugment" in report.out
    taken = "numba" if find_spec("numba") else "torch"
    assert f"Batches of usual policies on cpu: {taken}\n" in report.out


def test_version_and_help(faa):
    assert faa("--version").out.startswith("faa ")
    helped = faa("--help").out
    assert helped.index("\n  search") < helped.index("\n  train") < helped.index("\n  doctor")


@pytest.mark.parametrize("command", ["search", "train"])
def test_ctrl_c_says_how_to_go_on(faa, monkeypatch, command):
    def interrupt(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("faa_search.training.network.Network.logits", interrupt)
    stopped = faa(command, *(SEARCH if command == "search" else FIT), "--output", "run")
    assert stopped.code == 130
    assert "same command" in stopped.err


@pytest.mark.parametrize("command", ["search", "train"])
def test_too_little_memory_says_what_helps(faa, monkeypatch, command):
    """Wherever it happens, be it while the cost is estimated; and what was done is kept."""

    def full(*_arguments: object, **_named: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

    given = (*(SEARCH if command == "search" else FIT), "--output", "run")
    with monkeypatch.context() as patched:
        patched.setattr("torch.nn.functional.conv2d", full)
        stopped = faa(command, *given)
    assert stopped.code == 1
    assert "does not suffice" in stopped.err
    assert "--no-resident" in stopped.err
    assert stopped.err.rstrip().endswith("Tried to allocate 2 GiB.")
    assert faa(command, *given).code == 0


def test_evaluating_weights_alone(faa, tmp_path):
    faa("train", *FIT, "--output", "run")
    (tmp_path / "run/last").rename(tmp_path / "weights")
    assert "797 images" in faa("eval", "--checkpoint", "weights", "--dataset", "digits", "--split", "train").out


def test_arguments_of_a_model_reach_training_search_and_evaluation(faa, tmp_path):
    wrn = ("--model", "wrn", "--model-kwargs", "depth=10, width=2,bn_momentum=0.2")
    assert faa("train", *FIT, *wrn, "--output", "run").code == 0
    kept = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
    assert kept["model_kwargs"] == {"depth": 10, "width": 2, "bn_momentum": 0.2}
    described = json.loads((tmp_path / "run/last/config.json").read_text())
    assert {"depth": 10, "width": 2}.items() <= described["model_args"].items()
    error = 100 * (1 - json.loads((tmp_path / "run/result.json").read_text())["test"]["top1"])
    assert f"error {error:.2f} %" in faa("eval", "--checkpoint", "run").out
    assert faa("search", *SEARCH, *wrn, "--output", "found").code == 0
    assert load_file(tmp_path / "found/fold0/model.safetensors")["stages.0.0.conv1.weight"].shape[0] == 32
    (tmp_path / "mine.yaml").write_text("model: wrn\nmodel_kwargs: {depth: 10, width: 2}\n")
    assert faa("train", *FIT, "-c", "mine.yaml", "--output", "by-file").code == 0


def test_run_directory_is_complete(faa, tmp_path):
    faa("search", *SEARCH, "--output", "found")
    names = {
        str(path.relative_to(tmp_path / "found")) for path in Path(tmp_path / "found").rglob("*") if path.is_file()
    }
    assert {"config.yaml", "environment.json", "folds.json", "trials.jsonl", "policy.json", "result.json"} <= names
    assert {"fold0/model.safetensors", "fold1/model.safetensors", "fold0/summary.csv"} <= names
    (tmp_path / "found/fold1/model.safetensors").unlink()
    lost = faa("search", *SEARCH, "--output", "found").out
    assert "There is no 'found/fold1/model.safetensors'. Put back a copy of it; or the same command with" in lost
    assert "--stage folds makes it." in lost
    assert "The policy, trials and trials.png are in found" in lost
    assert faa("search", *SEARCH, "--output", "found", "--stage", "folds").code == 0
    assert "The policy, trials, networks and trials.png are in found" in faa("search", *SEARCH, "--output", "found").out


def test_the_environment_of_accelerate_is_not_passed_over(faa, tmp_path, monkeypatch):
    """`accelerate launch` sets these from a person's configuration; a run's own settings decide, so they must agree."""
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    refused = faa("train", *FIT, "--output", "launched")
    assert refused.code == 2
    assert "Accelerate is set to the precision bf16, which is a setting of the run here: give --amp" in refused.err
    assert not (tmp_path / "launched").exists()
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    assert faa("train", *FIT, "--output", "launched").code == 0


def test_the_settings_of_a_run_can_be_used_again(faa, tmp_path):
    faa("train", *FIT, "--lr", 0.07, "--output", "first")
    assert faa("train", "-c", "first/config.yaml", "--output", "again").code == 0
    assert yaml.safe_load((tmp_path / "again/config.yaml").read_text())["lr"] == 0.07


def test_search_prints_a_training_without_the_settings_of_a_search(faa, tmp_path):
    (tmp_path / "mine.yaml").write_text("train-subset: 60\ndepth: 2\n")
    printed = faa("search", *SEARCH[:2], *SEARCH[4:], "-c", "mine.yaml", "--output", "found").out
    command = next(line.split() for line in printed.splitlines() if line.startswith("  faa train"))
    assert "--train-subset" in command
    assert faa(*command[1:], "--epochs", 1, "--output", "trained").code == 0


@pytest.mark.parametrize("by_file", [False, True])
def test_search_prints_the_arguments_of_the_model(faa, tmp_path, by_file):
    """From a file or a flag, as the shell takes them; the printed training and the policy's origin have them."""
    (tmp_path / "mine.yaml").write_text("model: wrn\nmodel_kwargs: {depth: 10, width: 2, global_pool: avg}\n")
    typed = ("--model", "wrn", "--model-kwargs", "depth=10, width=2, global_pool=avg")
    given = ("-c", "mine.yaml") if by_file else typed
    printed = faa("search", *SEARCH, *given, "--output", "found").out
    command = shlex.split(next(line for line in printed.splitlines() if line.startswith("  faa train")))
    arguments = {"depth": 10, "width": 2, "global_pool": "avg"}
    assert Policy.load(tmp_path / "found/policy.json").provenance["model_kwargs"] == arguments
    assert faa(*command[1:], "--epochs", 1, "--output", "trained").code == 0
    assert yaml.safe_load((tmp_path / "trained/config.yaml").read_text())["model_kwargs"] == arguments
    if by_file:
        assert "--model-kwargs depth=10,width=2,global_pool=avg " in printed


def test_a_policy_is_found_again_by_what_it_says_of_itself(faa, tmp_path):
    """And a flag wins over it; a policy that was not found by a search cannot be."""
    faa("search", *SEARCH, "--lr", 0.07, "--output", "found")
    again = faa("search", "--like", "found/policy.json", "--output", "again")
    assert "It is the same policy as 'digits-wrn16_1-fast'." in again.out
    assert "faa train --train-subset 60 --img-size 8" in again.out
    assert "--lr 0.07" in again.out
    for usual in ("--momentum", "--scale", "--ratio", "--decay-milestones"):
        assert usual not in again.out  # as by default
    same = faa("search", "--like", "found/policy.json", "--output", "found")
    assert "'found' is finished" in same.out + same.err
    other = faa("search", "--like", "found/policy.json", "--algorithm", "random", "--output", "random")
    assert "algorithm was 'fast', now 'random'; sampler was 'tpe', now 'random'" in other.out
    document = json.loads((tmp_path / "found/policy.json").read_text())
    document["provenance"]["exclude_ops"] = ["Nope"]
    (tmp_path / "edited.json").write_text(json.dumps(document))
    edited = faa("search", "--like", "edited.json", "--output", "no")
    assert "This is from the policy: --like 'edited.json' has exclude_ops Nope. Give another --excl" in edited.err
    other = faa("search", "--like", "found/policy.json", "--seed", 5, "--output", "other")
    assert "It is another policy than 'digits-wrn16_1-fast': seed was 0, now 5." in other.out
    assert yaml.safe_load((tmp_path / "other/config.yaml").read_text())["lr"] == 0.07
    refused = faa("search", "--like", "trivialaugment", "--output", "no")
    assert refused.code == 2
    assert "--like 'trivialaugment': the policy does not record how it was found" in refused.err
    assert not (tmp_path / "no").exists()
    shown = faa("policy", "show", "found/policy.json").out
    assert "lr 0.07" in shown
    assert "momentum" not in shown
    assert "other settings as by default; --json shows all" in shown


def test_search_prints_the_training_that_goes_with_it(faa):
    printed = faa("search", *SEARCH, "--output", "found").out
    settings = "--dataset digits --train-subset 60 --img-size 8 --hflip 0.0 --epochs 2 --batch-size 20"
    assert f"faa train {settings} --policy found/policy.json" in printed


def test_policy_preview_has_a_cell_for_each_draw_and_tells_how_far_it_is(faa, tmp_path):
    """Rows are images, spread over the data set; columns the image itself and each of its draws, in their order."""
    inverted = SubPolicies(sub_policies=((Op(op="Invert", p=1, magnitude=0),),))
    inverted.save(tmp_path / "invert.json")
    colours = {"a": (250, 20, 20), "b": (20, 200, 20), "c": (20, 20, 250)}
    for name, colour in colours.items():
        (tmp_path / "photos" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), colour).save(tmp_path / "photos" / name / "1.png")
    shown = faa(
        "policy", "preview", "invert.json", "--dataset", "photos", "--images", 3, "--draws", 2, "--output", "a.png"
    )
    assert (shown.code, "Images: 3/3" in shown.err) == (0, True)
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).reshape(-1, 3)
    for colour in colours.values():
        opposite = tuple(255 - value for value in colour)
        own, others = ((np.abs(pixels - np.array(one)).max(axis=1) == 0).sum() for one in (colour, opposite))
        assert own > 1000
        assert others == pytest.approx(2 * own, rel=0.1)


def test_policy_preview_of_as_many_images_as_there_may_be(faa):
    """Takes seconds: a panel for each draw would take half a minute."""
    began = time.perf_counter()
    assert faa("policy", "preview", "none", "--images", 30, "--draws", 30, "--output", "a.png").code == 0
    assert time.perf_counter() - began < 15
