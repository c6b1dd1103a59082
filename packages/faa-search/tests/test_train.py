"""One training run from settings to a result, and evaluating what it left."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faa_core import FaaError, Op, Policy, SubPolicies
from faa_search.data import ImageSource, OpenedData, open_data
from faa_search.measuring.evaluation import evaluate_checkpoint
from faa_search.measuring.evaluation.trained_on import run_layer
from faa_search.measuring.evaluation.weights import weights_folder
from faa_search.progress import Advance, Silent
from faa_search.settings import EvalConfig, TrainConfig
from faa_search.settings.resolving import Layer, resolve
from faa_search.training import TrainResult, run, train
from faa_search.workers.processes import close
from faa_search.workers.stopping import Stopped

SETTINGS: dict[str, Any] = {
    "train_subset": 60,
    "img_size": 8,
    "epochs": 3,
    "batch_size": 16,
    "hflip": 0.0,
    "device": "cpu",
}
ROTATE = SubPolicies(name="mine", sub_policies=((Op(op="Rotate", p=0.5, magnitude=0.8),),))


def config(**settings: Any) -> TrainConfig:
    """Return a run of a fraction of a second."""
    return TrainConfig(**SETTINGS | settings)


def timeless(row: Any) -> dict[str, Any]:
    """Return an epoch's figures without its times."""
    return {**row, "seconds": 0.0, "waiting": 0.0}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainResult]:
    """Return a finished run with a validation part."""
    output = tmp_path_factory.mktemp("train") / "run"
    return output, train(config(val_fraction=0.2), output, policy=ROTATE)


@pytest.fixture
def opened_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """Return a list that receives the count of finished epochs each time the test split is opened."""
    calls: list[int] = []

    def watched(*args: Any, **kwargs: Any) -> OpenedData:
        data = open_data(*args, **kwargs)
        really = data.open_test

        def open_test() -> ImageSource:
            assert really is not None
            summary = tmp_path / "run" / "summary.csv"
            calls.append(len(summary.read_text().splitlines()) - 1 if summary.is_file() else 0)
            return really()

        return replace(data, open_test=open_test)

    monkeypatch.setattr(run, "open_data", watched)
    return calls


def test_what_a_run_leaves(finished: tuple[Path, TrainResult]) -> None:
    """Settings, policy, table, weights of the best and the last epoch, and the result."""
    output, result = finished
    names = {path.name for path in output.iterdir()} - {".lock"}
    assert {
        "best",
        "config.yaml",
        "data.json",
        "environment.json",
        "last",
        "policy.json",
        "result.json",
        "summary.csv",
    } == names
    assert ROTATE == Policy.load(output / "policy.json").model_copy(update={"operations": {}})
    assert ("mine", 3) == (result.policy, result.train["epoch"])
    assert result.test is not None
    assert 1000 == result.test.images == sum(sum(row) for row in result.test.confusion)
    assert result.validation is not None
    assert 0 <= result.validation["val_top1"] <= 1


def test_a_finished_run_returns_its_result(finished: tuple[Path, TrainResult], listener: Any) -> None:
    """The same call again reads, and trains nothing."""
    output, result = finished
    again = listener()
    assert result == train(config(val_fraction=0.2), output, policy=ROTATE, reporter=again)
    assert [f"'{output}' is finished."] == again.notes
    assert [] == again.tracks


@pytest.mark.parametrize("val_fraction", [0.0, 0.2])
def test_the_test_split_is_opened_once_at_the_end(tmp_path: Path, opened_at: list[int], val_fraction: float) -> None:
    """Never before all epochs are done, with or without a validation part to choose by."""
    train(config(val_fraction=val_fraction), tmp_path / "run")
    assert [3] == opened_at


def test_a_stopped_run_never_opened_the_test_split(
    tmp_path: Path, opened_at: list[int], listener: Any, interruption: type[Exception]
) -> None:
    """Stopped after any epoch, resumed, and equal to the run without a stop."""
    whole = train(config(), tmp_path / "whole")
    opened_at.clear()
    with pytest.raises(interruption):
        train(config(), tmp_path / "run", reporter=listener(stop_after=2))
    assert [] == opened_at
    again = train(config(), tmp_path / "run")
    assert [3] == opened_at
    assert whole.test == again.test
    assert timeless(whole.train) == timeless(again.train)
    weights = [(tmp_path / name / "last" / "model.safetensors").read_bytes() for name in ("whole", "run")]
    assert weights[0] == weights[1]


def test_another_policy_is_refused(tmp_path: Path, listener: Any, interruption: type[Exception]) -> None:
    """A run goes on with the policy it was started with, even if the file it came from has changed."""
    path = tmp_path / "policy.json"
    ROTATE.save(path)
    with pytest.raises(interruption):
        train(config(policy=str(path)), tmp_path / "run", reporter=listener(stop_after=1))
    SubPolicies(name="mine", sub_policies=((Op(op="Rotate", p=0.5, magnitude=0.9),),)).save(path)
    with pytest.raises(FaaError, match=r"The policy 'mine' is not the one that the run in .* was started with"):
        train(config(policy=str(path)), tmp_path / "run")
    ROTATE.save(path)
    assert 3 == train(config(policy=str(path)), tmp_path / "run").train["epoch"]


def test_policies_change_the_training(tmp_path: Path) -> None:
    """Images are augmented: with Invert on every image the training loss is another."""
    inverted = SubPolicies(name="inverted", sub_policies=((Op(op="Invert", p=1.0, magnitude=0.0),),))
    plain = train(config(epochs=1), tmp_path / "plain")
    other = train(config(epochs=1), tmp_path / "inverted", policy=inverted)
    assert plain.train["train_loss"] != other.train["train_loss"]


def test_the_best_epochs_weights_are_tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listener: Any) -> None:
    """With a validation part the test error is of best/, as evaluating that checkpoint confirms."""
    result = train(config(val_fraction=0.3, epochs=4, lr=0.5), tmp_path / "run")
    evaluated = evaluate_checkpoint(tmp_path / "run", EvalConfig(img_size=8, device="cpu"), note=print)
    assert tmp_path / "run" / "best" == weights_folder(tmp_path / "run")
    assert result.test == evaluated


def test_the_validation_part_is_not_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training and validation images are disjoint, stratified, and together the training images."""
    images: list[ImageSource] = []
    fitted_on: list[ImageSource] = []
    scored: list[ImageSource] = []
    really_fit, really_score = run.fit, run.evaluate_source

    def watched_open(*args: Any, **kwargs: Any) -> OpenedData:
        data = open_data(*args, **kwargs)
        images.append(data.train)
        return data

    def watched_fit(job: Any, *args: Any, **kwargs: Any) -> Any:
        fitted_on.append(job.view.source)
        return really_fit(job, *args, **kwargs)

    def watched_score(network: Any, source: ImageSource, *args: Any, **kwargs: Any) -> Any:
        scored.append(source)
        return really_score(network, source, *args, **kwargs)

    monkeypatch.setattr(run, "open_data", watched_open)
    monkeypatch.setattr(run, "fit", watched_fit)
    monkeypatch.setattr(run, "evaluate_source", watched_score)
    train(config(train_subset=None, epochs=1, batch_size=64, val_fraction=0.25), tmp_path / "run")
    parts = [*rows(fitted_on[0]), *rows(scored[0])]
    assert sorted(rows(images[0])) == sorted(parts)
    assert (797 - 199, 199) == (len(fitted_on[0]), len(scored[0]))
    shares = np.bincount(scored[0].labels) / np.bincount(images[0].labels)
    assert 0.23 < shares.min() <= shares.max() < 0.27


def rows(source: ImageSource) -> list[bytes]:
    """Return each image's pixels."""
    return [source.image(index).tobytes() for index in range(len(source))]


def test_no_test_split(tmp_path: Path, write_images: Callable[..., Path], listener: Any) -> None:
    """Said in a note, and the result has no test figures; a finished run reads back alike."""
    root = write_images({"a": 6, "b": 6})
    settings = {"dataset": str(root), "train_subset": None, "batch_size": 6}
    told = listener()
    result = train(config(**settings), tmp_path / "run", reporter=told)
    assert result.test is None
    assert "no test error; --test-fraction holds a part out" in told.notes[-1]
    assert 1 == sum(note.startswith("Beside the policy each training image is ") for note in told.notes)
    assert result == train(config(**settings), tmp_path / "run")


def test_names_that_do_not_exist(tmp_path: Path) -> None:
    """Model and policy are checked before a directory is made."""
    for settings, words in (
        ({"model": "wrn16"}, "timm has no model 'wrn16'"),
        ({"policy": "nonee"}, "did you mean none"),
    ):
        with pytest.raises(FaaError, match=words):
            train(config(**settings), tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_closing_one_process_is_nothing(accelerator: Any) -> None:
    """Only distributed runs have something to close."""
    close(accelerator)


def test_evaluating_a_run_as_it_was_trained(finished: tuple[Path, TrainResult]) -> None:
    """With the run's own data settings, but for its subset, the test figures are the run's."""
    output, result = finished
    settings = dict(run_layer(output).settings)
    assert ("digits", 8) == (settings["dataset"], settings["img_size"])
    assert "train_subset" not in settings
    evaluated = evaluate_checkpoint(output, EvalConfig(**settings, device="cpu"), note=print)
    assert result.test == evaluated


def test_evaluating_without_being_told_the_size(finished: tuple[Path, TrainResult]) -> None:
    """The size the weights were trained at is in their own description."""
    output, result = finished
    weights = output / "best" / "model.safetensors"
    for checkpoint in (output / "best", weights):
        assert result.test == evaluate_checkpoint(checkpoint, EvalConfig(device="cpu"), note=print)
    assert "digits" == run_layer(weights.parent).settings["dataset"]  # of the run it lies in


def test_evaluating_the_training_images(finished: tuple[Path, TrainResult]) -> None:
    """--split train is the subset that the run was trained on, and no other."""
    output, _result = finished
    notes: list[str] = []
    settings = EvalConfig(split="train", device="cpu")
    assert 60 == evaluate_checkpoint(output, settings, note=notes.append).images
    assert f"The training images are the 60 that '{output}' was trained on." in notes
    assert any("(--val-fraction 0.2) to choose the best epoch; it is among these" in line for line in notes)
    other = settings.model_copy(update={"train_subset": 50})
    with pytest.raises(FaaError, match="was trained on 60 of the images; --train-subset 50 would draw others"):
        evaluate_checkpoint(output, other, note=print)


def test_evaluation_faults(
    finished: tuple[Path, TrainResult], tmp_path: Path, write_images: Callable[..., Path]
) -> None:
    """No weights, damaged weights, another network's, another number of classes, no test split."""
    output, _result = finished
    copy = shutil.copytree(output / "best", tmp_path / "copy")

    def fault(checkpoint: Path, **settings: Any) -> str:
        with pytest.raises(FaaError) as raised:
            evaluate_checkpoint(checkpoint, EvalConfig(device="cpu", **settings), note=print)
        return str(raised.value)

    assert f"'{tmp_path / 'no'}' holds no model.safetensors" in fault(tmp_path / "no")
    root = write_images({"a": 2, "b": 2})
    assert "has no test split" in fault(copy, dataset=str(root))
    assert "have 10 classes" in fault(copy, dataset=str(root), split="train")
    described = json.loads((copy / "config.json").read_text())
    for content, words in (
        (described | {"architecture": "wrn40_2"}, "is damaged or of another model"),
        (described | {"architecture": "wrn10_1"}, "are of another model"),
        (described | {"architecture": "nothing"}, "timm has no model 'nothing'"),
        ({"num_classes": 10}, "is not a model's configuration: architecture: Field required"),
        ([1], "is not a model's configuration"),
    ):
        (copy / "config.json").write_text(json.dumps(content))
        assert words in fault(copy)
    (copy / "config.json").write_text("{")
    assert "is not a model's configuration: it is not JSON: " in fault(copy)
    (copy / "config.json").write_text(json.dumps(described))
    whole = (copy / "model.safetensors").read_bytes()
    for damaged in (b"12345678", b"\xff" * len(whole)):
        (copy / "model.safetensors").write_bytes(damaged)
        assert "damaged" in fault(copy) or "cannot be read" in fault(copy)


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("model_args", {"global_pool": "foo"}, "cannot be made with width=1,global_pool=foo: AssertionError"),
        ("model_args", {"device": "meta"}, "the data and the run set device"),
        ("model_args", {"depth": 1_000_000}, "a whole number in model_args is above 10,000"),
        ("model_args", {"layers": [2, {"a": 10_001}]}, "a whole number in model_args is above 10,000"),
        ("model_args", {"width": 5000}, "cannot hold its 4,268,"),
        ("model_args", {"in_chans": 1}, "the weights take 1 channels, and faa evaluates RGB images"),
        ("pretrained_cfg", {"input_size": [4, 8, 8]}, "the weights take 4 channels"),
        ("pretrained_cfg", {"input_size": [3, 0, 0]}, "pretrained_cfg.input_size.1: Input should be greater"),
        ("pretrained_cfg", {"mean": "abc"}, "pretrained_cfg.mean: "),
        ("pretrained_cfg", {"mean": [1, 2]}, "pretrained_cfg.mean.2: Field required"),
        ("pretrained_cfg", {"mean": [0, 0, float("nan")]}, "it holds NaN, which is not a number"),
        ("pretrained_cfg", {"std": [0, 0, 0]}, "pretrained_cfg.std.0: Input should be greater"),
    ],
)
def test_descriptions_of_strangers(
    finished: tuple[Path, TrainResult], tmp_path: Path, part: str, change: dict[str, Any], words: str
) -> None:
    """A config.json may hold anything; what cannot be is one error that names it, and never a wrong result."""
    copy = shutil.copytree(finished[0] / "best", tmp_path / "copy")
    described = json.loads((copy / "config.json").read_text()) | {"architecture": "wrn"}
    described["model_args"] = {"width": 1}
    described[part] |= change
    (copy / "config.json").write_text(json.dumps(described))
    with pytest.raises(FaaError) as raised:
        evaluate_checkpoint(copy, EvalConfig(device="cpu"), note=print)
    assert words in str(raised.value)
    assert f"'{copy / 'config.json'}'" in str(raised.value)


def test_what_a_description_repeats_is_the_datas(finished: tuple[Path, TrainResult], tmp_path: Path) -> None:
    """Classes, channels and side in the model's arguments, as timm writes them, do no harm."""
    output, result = finished
    copy = shutil.copytree(output / "best", tmp_path / "copy")
    described = json.loads((copy / "config.json").read_text())
    described["model_args"] = {"num_classes": 21_843, "in_chans": 3, "img_size": 8, "global_pool": None}
    (copy / "config.json").write_text(json.dumps(described))
    assert result.test == evaluate_checkpoint(copy, EvalConfig(device="cpu"), note=print)


def test_a_damaged_result(tmp_path: Path) -> None:
    """It is named, and what to do; the same call makes it anew from the weights."""
    whole = train(config(epochs=1), tmp_path / "run")
    path = tmp_path / "run" / "result.json"
    for text in ("{", "[]", '{"x": 1}'):
        path.write_text(text)
        with pytest.raises(FaaError, match=r"result.json' holds no result .*Delete it, and the same command"):
            train(config(epochs=1), tmp_path / "run")
    path.unlink()
    assert whole.test == train(config(epochs=1), tmp_path / "run").test
    (tmp_path / "run" / "data.json").write_text("{}")
    path.unlink()
    with pytest.raises(FaaError, match=r"data.json' is damaged, so it is not known which images"):
        train(config(epochs=1), tmp_path / "run")


class StopsAfterAnEpoch(Silent):
    """A reporter that sends this process SIGTERM after the first epoch."""

    @contextmanager
    def track(self, what: str, total: int, *, done: int = 0) -> Iterator[Advance]:
        """Count epochs."""
        counted = iter(range(total))

        def advance(detail: str = "") -> None:
            if next(counted) == 0:
                os.kill(os.getpid(), signal.SIGTERM)

        yield advance


def test_a_stopped_run_has_weights_and_says_what_they_are(tmp_path: Path) -> None:
    """They can be evaluated; the evaluation says how far the run was; afterwards it goes on."""
    output = tmp_path / "run"
    with pytest.raises(Stopped):
        train(config(), output, reporter=StopsAfterAnEpoch())
    notes: list[str] = []
    evaluate_checkpoint(output, EvalConfig(img_size=8, device="cpu"), note=notes.append)
    said = (
        f"The training in '{output}' is not finished: 1 of 3 epochs are done. These are the weights it had when it was "
        "stopped."
    )
    assert said in notes
    result = train(config(), output)
    notes.clear()
    metrics = evaluate_checkpoint(output, EvalConfig(img_size=8, device="cpu"), note=notes.append)
    assert not any("finished" in note for note in notes)
    assert metrics == result.test


def test_weights_are_evaluated_in_the_precision_they_were_trained_in(tmp_path: Path) -> None:
    """Both say the same figures, to the bit; what is given by hand goes before it."""
    result = train(config(amp=True, lr=0.3), tmp_path / "run")
    layer = run_layer(tmp_path / "run")
    same, other = (resolve(EvalConfig, [layer, Layer("flags", given)]) for given in ({}, {"amp": False}))
    assert [same.precision, other.precision] == ["bfloat16", "float32"]
    evaluated = [evaluate_checkpoint(tmp_path / "run", each, note=str) for each in (same, other)]
    assert evaluated[0] == result.test
    assert evaluated[1] != result.test
