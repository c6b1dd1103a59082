"""Fitting a network: it learns, it resumes to the bit, and it keeps its best."""

import csv
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from accelerate import Accelerator
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from faa_core import FaaError, Policy
from faa_core.applying import Baseline
from faa_search.data import ArraySource, DatasetRequest
from faa_search.data.digits import open_digits
from faa_search.keyed_torch import torch_seeded
from faa_search.progress import Silent
from faa_search.settings import TrainConfig
from faa_search.training import FitJob, Measures, Metrics, Network, Views, fit
from faa_search.training.checkpoint import Progress
from faa_search.training.models import ModelInput, Normalise, make_model
from faa_search.training.saving import save_model

Noise = Callable[..., ArraySource]
SETTINGS: dict[str, Any] = {"epochs": 4, "batch_size": 8, "device": "cpu"}


@pytest.fixture
def job(tmp_path: Path, noise: Noise, expected: ModelInput) -> FitJob:
    """Return a job on 20 augmented images."""
    view = Views(source=noise(20), size=8, policy=Policy.load("trivialaugment"), baseline=Baseline(pad=1, hflip=0.5))
    return at(
        FitJob(
            view=view, expected=expected, run=tmp_path, directory=tmp_path, summary=tmp_path, what="Fitting", seed=0
        ),
        tmp_path,
    )


def at(job: FitJob, root: Path) -> FitJob:
    """Return a job in another directory."""
    return FitJob(
        view=job.view,
        expected=job.expected,
        run=root,
        directory=root / "last",
        summary=root / "summary.csv",
        what=job.what,
        seed=job.seed,
    )


def state(directory: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a state file's tensors, and its header without times."""
    path = directory / "state.safetensors"
    with safe_open(path, framework="pt") as opened:
        header = {key: json.loads(value) for key, value in opened.metadata().items()}
    for row in (*header["progress"]["history"], header["progress"]["best"] or {}):
        for time in ("seconds", "waiting"):
            row.pop(time, None)
    del header["checksum"]  # of the times too
    return load_file(path), header


def assert_equal(one: Path, other: Path) -> None:
    """Check that two state files, and the weights beside them, are the same to the bit."""
    (tensors, header), (other_tensors, other_header) = state(one), state(other)
    assert header == other_header
    assert tensors.keys() == other_tensors.keys()
    assert [] == [key for key, value in tensors.items() if not torch.equal(value, other_tensors[key])]
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()


def with_dropout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make networks with dropout inside their blocks and before the classifier."""
    create = partial(timm.create_model, block_drop_rate=0.3, drop_rate=0.2)
    monkeypatch.setattr("faa_search.training.models.timm.create_model", create)


def test_it_learns_a_tiny_set_by_heart(tmp_path: Path, expected: ModelInput, accelerator: Accelerator) -> None:
    """Twenty digits without augmentation are soon all right, and the loss falls."""
    digits = open_digits(DatasetRequest(name="digits")).train
    view = Views(source=digits.subset(torch.arange(20).numpy()), size=8)
    job = at(
        FitJob(view=view, expected=expected, run=tmp_path, directory=tmp_path, summary=tmp_path, what="", seed=0),
        tmp_path,
    )
    config = TrainConfig(epochs=25, batch_size=10, lr=0.1, warmup_epochs=1, device="cpu")
    _network, progress = fit(job, config, accelerator, Silent())
    assert 1.0 == progress.history[-1]["train_top1"]
    assert progress.history[0]["train_loss"] > 10 * progress.history[-1]["train_loss"]
    assert (25, None) == (progress.epochs_done, progress.best)


@pytest.mark.parametrize("others", [{"model_ema": True, "opt": "sgd"}, {"model_ema": False, "opt": "adamw"}])
def test_resuming_after_any_epoch_is_the_same_to_the_bit(
    tmp_path: Path,
    job: FitJob,
    accelerator: Accelerator,
    monkeypatch: pytest.MonkeyPatch,
    listener: Any,
    interruption: type[Exception],
    others: dict[str, Any],
) -> None:
    """Weights, average, optimizer and history, with dropout and augmentation, stopped once after each epoch."""
    with_dropout(monkeypatch)
    config = TrainConfig(**SETTINGS | {"lr": 0.01}, **others)
    fit(at(job, tmp_path / "whole"), config, accelerator, Silent())
    for stopped_after in (1, 2, 3, 4):
        resumed = at(job, tmp_path / f"after {stopped_after}")
        with pytest.raises(interruption):
            fit(resumed, config, accelerator, listener(stop_after=stopped_after))
        torch.manual_seed(stopped_after)  # what other code drew meanwhile does not matter
        again = listener()
        fit(resumed, config, accelerator, again)
        assert [("Fitting", 4, stopped_after)] == again.tracks
        assert 4 - stopped_after == again.units
        assert_equal(tmp_path / "whole" / "last", resumed.directory)
    names = {name.split(".")[0] for name in state(tmp_path / "whole" / "last")[0]}
    assert {"model", "optimizer"} | ({"average"} if config.model_ema else set()) == names


def test_shaken_networks_resume_to_the_bit(
    tmp_path: Path, job: FitJob, accelerator: Accelerator, listener: Any, interruption: type[Exception]
) -> None:
    """ShakeDrop draws anew in each step; a run that was stopped draws what the whole one drew."""
    arguments = {"depth": 8, "alpha": 6, "shake_drop": 0.5}
    model = {"model": "pyramidnet", "model_kwargs": arguments}
    config = TrainConfig(**SETTINGS | model)
    fit(at(job, tmp_path / "whole"), config, accelerator, Silent())
    resumed = at(job, tmp_path / "resumed")
    with pytest.raises(interruption):
        fit(resumed, config, accelerator, listener(stop_after=2))
    torch.manual_seed(1)
    fit(resumed, config, accelerator, Silent())
    assert_equal(tmp_path / "whole" / "last", resumed.directory)
    plain = config.model_copy(update={"model_kwargs": arguments | {"shake_drop": 0.0}})
    fit(at(job, tmp_path / "plain"), plain, accelerator, Silent())
    one, other = (state(tmp_path / name / "last")[0]["model.stem.conv.weight"] for name in ("whole", "plain"))
    assert not torch.equal(one, other)


def test_dropout_matters(
    tmp_path: Path, job: FitJob, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resumed runs above would not show a lost generator if dropout did nothing."""
    config = TrainConfig(**SETTINGS | {"epochs": 1})
    fit(at(job, tmp_path / "without"), config, accelerator, Silent())
    with_dropout(monkeypatch)
    fit(at(job, tmp_path / "with"), config, accelerator, Silent())
    one, other = (state(tmp_path / name / "last")[0]["model.stem.weight"] for name in ("without", "with"))
    assert not torch.equal(one, other)


def one_step(job: FitJob, root: Path, accelerator: Accelerator, **settings: Any) -> tuple[nn.Module, nn.Module, float]:
    """Return the network before and after one step on all 20 images at rate 1, and that step's loss."""
    plain: dict[str, Any] = {"epochs": 1, "batch_size": 20, "momentum": 0.5, "weight_decay": 0.0}
    before = make_model("wrn16_1", classes=3, pretrained=False, size=8, seed=0)
    network, progress = fit(at(job, root), TrainConfig(**plain, lr=1.0, **settings), accelerator, Silent())
    return before, network.model, progress.history[0]["train_loss"]


@pytest.mark.parametrize("norm", [0.01, 0.1])
def test_gradients_are_clipped(tmp_path: Path, job: FitJob, accelerator: Accelerator, norm: float) -> None:
    """The weights move as by a gradient of the largest norm that is allowed; Nesterov's first step is 1 + momentum."""
    before, after, _loss = one_step(job, tmp_path, accelerator, clip_grad=norm)
    pairs = zip(after.parameters(), before.parameters(), strict=True)
    moved = sum(float((new - old).detach().double().square().sum()) for new, old in pairs) ** 0.5
    assert 1.5 * norm == pytest.approx(moved, rel=1e-3)


def test_no_clipping(tmp_path: Path, job: FitJob, accelerator: Accelerator) -> None:
    """0 lets gradients through whole."""
    before, after, _loss = one_step(job, tmp_path, accelerator, clip_grad=0)
    pairs = zip(after.parameters(), before.parameters(), strict=True)
    assert sum(float((new - old).detach().double().square().sum()) for new, old in pairs) ** 0.5 > 0.1


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_labels_are_smoothed(tmp_path: Path, job: FitJob, accelerator: Accelerator, smoothing: float) -> None:
    """The loss is torch's with that smoothing, on the augmented images of the first epoch."""
    before, _after, loss = one_step(job, tmp_path, accelerator, smoothing=smoothing)
    images, labels = job.view.__getitems__([(0, 0, index) for index in range(20)])
    with torch.no_grad():
        logits = before.train()(Normalise(job.expected)(images))
    assert float(cross_entropy(logits, labels, label_smoothing=smoothing)) == pytest.approx(loss, rel=1e-4)


def test_every_update_drops_out_others(job: FitJob, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The layers' generator is seeded anew for each update, and for each seed of the settings."""
    seeds: list[int] = []

    def watched(seed: int, **others: Any) -> Any:
        seeds.append(seed)
        return torch_seeded(seed, **others)

    monkeypatch.setattr("faa_search.training.trainer.torch_seeded", watched)
    for seed in (0, 1):
        fit(at(job, job.directory / str(seed)), TrainConfig(**SETTINGS, seed=seed), accelerator, Silent())
    assert 16 == len(set(seeds)) == len(seeds)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # torch counts this machine's cores
def test_loader_processes_change_nothing(tmp_path: Path, job: FitJob, accelerator: Accelerator) -> None:
    """Two loader processes give the same weights as none."""
    for workers in (0, 2):
        config = TrainConfig(**SETTINGS | {"epochs": 2}, workers=workers)
        fit(at(job, tmp_path / str(workers)), config, accelerator, Silent())
    assert_equal(tmp_path / "0" / "last", tmp_path / "2" / "last")


def test_an_average_is_what_is_evaluated_and_kept(tmp_path: Path, job: FitJob, accelerator: Accelerator) -> None:
    """The weights that are saved and returned are the average's, not the last step's."""
    config = TrainConfig(**SETTINGS | {"epochs": 2}, model_ema=True, model_ema_decay=0.9)
    shown: list[Tensor] = []

    def validate(network: Network) -> Metrics:
        shown.append(network.model.get_parameter("stem.weight").detach().clone())
        return Metrics(images=1, loss=0.0, top1=0.5, top5=0.5, confusion=((1,),))

    network, _progress = fit(job, config, accelerator, Silent(), Measures(validation=validate))
    tensors, _header = state(job.directory)
    assert not torch.equal(tensors["model.stem.weight"], tensors["average.stem.weight"])
    saved = load_file(job.directory / "model.safetensors")
    for weights in (shown[-1], network.model.get_parameter("stem.weight"), saved["stem.weight"]):
        assert torch.equal(tensors["average.stem.weight"], weights)


def test_the_best_epoch_is_kept(tmp_path: Path, job: FitJob, accelerator: Accelerator) -> None:
    """best/ holds the weights of the epoch with the highest validation accuracy, of equals the first."""
    accuracies = iter([0.2, 0.9, 0.5, 0.9])
    stems: list[Tensor] = []

    def validate(network: Network) -> Metrics:
        stems.append(network.model.get_parameter("stem.weight").detach().clone())
        return Metrics(images=10, loss=1.0, top1=next(accuracies), top5=1.0, confusion=((10,),))

    _network, progress = fit(job, TrainConfig(**SETTINGS), accelerator, Silent(), Measures(validation=validate))
    assert progress.best is not None
    assert (2, 0.9) == (progress.best["epoch"], progress.best["val_top1"])
    assert torch.equal(stems[1], load_file(tmp_path / "best" / "model.safetensors")["stem.weight"])
    assert torch.equal(stems[3], load_file(tmp_path / "last" / "model.safetensors")["stem.weight"])


def test_the_best_epoch_survives_a_stop(
    tmp_path: Path, job: FitJob, accelerator: Accelerator, listener: Any, interruption: type[Exception]
) -> None:
    """A worse epoch after resuming does not replace the best of before."""

    def validate_with(top1: float) -> Callable[[Network], Metrics]:
        return lambda _network: Metrics(images=10, loss=1.0, top1=top1, top5=1.0, confusion=((10,),))

    better = Measures(validation=validate_with(0.8))
    with pytest.raises(interruption):
        fit(job, TrainConfig(**SETTINGS), accelerator, listener(stop_after=2), better)
    kept = (tmp_path / "best" / "model.safetensors").read_bytes()
    _network, progress = fit(
        job, TrainConfig(**SETTINGS), accelerator, Silent(), Measures(validation=validate_with(0.7))
    )
    assert progress.best is not None
    assert 1 == progress.best["epoch"]
    assert kept == (tmp_path / "best" / "model.safetensors").read_bytes()


def test_the_table_of_epochs(job: FitJob, accelerator: Accelerator) -> None:
    """summary.csv has a row for every epoch, with the rate it ended at."""
    _network, progress = fit(job, TrainConfig(**SETTINGS, lr=0.05), accelerator, Silent())
    with job.summary.open() as file:
        rows = list(csv.DictReader(file))
    assert ["1", "2", "3", "4"] == [row["epoch"] for row in rows]
    assert [row["train_loss"] for row in progress.history] == [float(row["train_loss"]) for row in rows]
    rates = [float(row["lr"]) for row in rows]
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < rates[0] <= 0.05


def test_a_loss_that_is_no_number(job: FitJob, accelerator: Accelerator) -> None:
    """Training stops, says what to change, and leaves no state of that epoch behind."""
    config = TrainConfig(**SETTINGS, lr=1e30, clip_grad=0)
    with pytest.raises(FaaError, match=r"training loss of epoch \d is (nan|inf); try a smaller --lr \(now 1e\+30\)"):
        fit(job, config, accelerator, Silent())
    assert not (job.directory / "model.safetensors").exists()


def test_a_stop_while_saving_leaves_the_epoch_before(
    job: FitJob, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch, listener: Any, interruption: type[Exception]
) -> None:
    """The state file is whole at any moment: a write that fails leaves the old one."""
    with pytest.raises(interruption):
        fit(job, TrainConfig(**SETTINGS), accelerator, listener(stop_after=2))
    before = (job.directory / "state.safetensors").read_bytes()

    def half(_tensors: Any, path: Path, _header: Any) -> None:
        path.write_bytes(before[:100])
        raise interruption

    with monkeypatch.context() as patch:
        patch.setattr("faa_search.training.checkpoint.save_file", half)
        with pytest.raises(interruption):
            fit(job, TrainConfig(**SETTINGS), accelerator, Silent())
    assert before == (job.directory / "state.safetensors").read_bytes()
    assert ["previous.safetensors", "state.safetensors"] == sorted(path.name for path in job.directory.iterdir())
    _network, progress = fit(job, TrainConfig(**SETTINGS), accelerator, Silent())
    assert 4 == progress.epochs_done


def test_timm_loads_what_was_saved(tmp_path: Path, job: FitJob, accelerator: Accelerator) -> None:
    """timm.create_model("local-dir:…") gives the same network, with our normalisation and class names."""
    network, _progress = fit(job, TrainConfig(**SETTINGS | {"epochs": 1}), accelerator, Silent())
    loaded = timm.create_model(f"local-dir:{job.directory}", pretrained=True).eval()
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(network.model.eval()(images), loaded(images), atol=1e-6)
    assert ((3, 8, 8), job.expected.mean) == (
        tuple(loaded.pretrained_cfg["input_size"]),
        tuple(loaded.pretrained_cfg["mean"]),
    )
    assert ["class 0", "class 1", "class 2"] == json.loads((job.directory / "config.json").read_text())["label_names"]


def test_saving_leaves_the_model_as_it_was(job: FitJob) -> None:
    """Only a copy is brought into the layout that files want."""
    model: nn.Module = make_model("wrn16_1", classes=3, pretrained=False, size=8, seed=0)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    save_model(job.directory, model, job, TrainConfig())
    assert model.get_parameter("stem.weight").is_contiguous(memory_format=torch.channels_last)
    assert ["config.json", "model.safetensors"] == sorted(path.name for path in job.directory.iterdir())
    assert {job.directory.name, ".unfinished"} == {path.name for path in job.directory.parent.iterdir()}
    assert [] == list((job.run / ".unfinished").iterdir())


def test_progress_begins_with_nothing() -> None:
    """A run that has not begun."""
    assert (0, (), None) == (Progress().epochs_done, Progress().history, Progress().best)
