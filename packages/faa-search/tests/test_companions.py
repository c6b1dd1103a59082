"""Policies that change while a network is trained, and companions that are told what the copies of the images cost."""

import csv
import importlib.util
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import cross_entropy

from faa_core import FaaError, Op, Policy, SubPolicies
from faa_core.applying import Baseline
from faa_search.data import ArraySource
from faa_search.progress import Silent
from faa_search.runs.records.figures import check_row
from faa_search.settings import TrainConfig
from faa_search.training import FitJob, Measures, Metrics, Network, Views, fit, train
from faa_search.training.checkpoint import read_state
from faa_search.training.copy_losses import CopyLosses
from faa_search.training.loading import OrderedBatches, load
from faa_search.training.models import ModelInput
from faa_search.training.trainer import Trainer
from faa_search.training.views import Key, resident
from faa_search.training.warmup import GrowingShare, PolicyWarmup
from faa_search.workers.launching import environment_of, run_ranks
from faa_search.workers.ranks import Rank
from faa_search.workers.stopping import Stopped, stop_requests
from forked import run_python

Noise = Callable[..., ArraySource]
CHASER = Path(__file__).with_name("chaser.py")
INVERT = SubPolicies(sub_policies=((Op(op="Invert", p=1.0, magnitude=0.0),),))
EVERYTHING = Baseline(pad=1, hflip=0.5, cutout=3)


@pytest.fixture(scope="module")
def chasing() -> ModuleType:
    """Return the module with the companion that follows the costs, where loader processes find it again."""
    spec = importlib.util.spec_from_file_location("chaser", CHASER)
    assert spec is not None and spec.loader is not None  # noqa: PT018
    module = sys.modules["chaser"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def chased(tmp_path: Path, chasing: ModuleType, accelerator: Accelerator) -> Callable[..., Path]:
    """Return a function that trains with that companion, whole, and returns the folder."""

    def run(name: str, parts: int = 1, **settings: Any) -> Path:
        folder = tmp_path / name
        config = TrainConfig(**chasing.SETTINGS | settings)
        fit(chasing.job_in(folder), config, accelerator, Silent(), companions=[chasing.Chaser(parts)])
        return folder

    return run


def contents(folder: Path) -> dict[str, Any]:
    """Return what a training has written, but for times: weights, all of the state, and the table."""
    state = read_state(folder / "last/state.safetensors")
    rows = list(csv.DictReader((folder / "summary.csv").read_text().splitlines()))
    return {
        "weights": (folder / "last/model.safetensors").read_bytes(),
        "modules": {key: value.numpy().tobytes() for key, value in state.modules["model"].items()},
        "companions": repr(state.companions),
        "rows": [{key: value for key, value in row.items() if key not in ("seconds", "waiting")} for row in rows],
    }


def test_the_policies_follow_from_what_the_copies_cost(chased: Callable[..., Path], chasing: ModuleType) -> None:
    """Costs of copies differ, move every policy every epoch, and are in the table and in the state."""
    folder = chased("run")
    state = read_state(folder / "last/state.safetensors").companions["chaser"]
    told = np.array(state["told"])
    assert told.shape == (3, chasing.COPIES)
    assert len(np.unique(told)) == told.size
    rows = contents(folder)["rows"]
    assert [float(rows[-1][f"magnitude{copy}"]) for copy in (1, 2, 3, 4)] == state["tensors"][0].tolist()
    assert [float(row["train_loss"]) for row in rows] == pytest.approx(told.mean(axis=1).tolist())
    assert len({row["magnitude1"] for row in rows}) == 3


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("settings", [{"resident": True}, {"workers": 1}, {"workers": 2}])
def test_new_policies_reach_whoever_makes_the_batches(
    chased: Callable[..., Path], settings: dict[str, Any], parts: int
) -> None:
    """Resident images and processes that stay over all epochs get the policies of each part: the same to the bit."""
    assert contents(chased("here", parts)) == contents(chased("there", parts, **settings))


def test_parts_of_an_epoch_are_told_of_what_was_in_them(chased: Callable[..., Path], chasing: ModuleType) -> None:
    """Of four updates in three parts, the last has two; each part has its own costs, and policies that follow."""
    told = {parts: read_state(chased(str(parts), parts) / "last/state.safetensors").companions["chaser"]["told"]
            for parts in (1, 2, 3, 4)}  # fmt: skip
    assert {parts: len(costs) for parts, costs in told.items()} == {1: 3, 2: 6, 3: 9, 4: 12}
    assert told[3][0] == told[4][0]  # one update each
    assert all(len(np.unique(costs)) == len(costs) * chasing.COPIES for costs in told.values())
    with pytest.raises(FaaError, match="An epoch has 4 updates, and cannot be divided into the 5 parts of chaser"):
        chased("5", 5)


def test_new_policies_reach_processes_that_are_spawned(tmp_path: Path, chased: Callable[..., Path]) -> None:
    """They have nothing but what they are sent."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    arguments = [tmp_path / "spawned", json.dumps({"workers": 2}), "spawn", 0, 1]
    done = run_python([CHASER, *arguments], directory=tmp_path, environment=environment)
    assert done.returncode == 0, done.stderr
    assert contents(chased("here")) == contents(tmp_path / "spawned")


@pytest.mark.parametrize(
    ("update", "workers", "parts"),
    [(1, 0, 1), (4, 0, 1), (6, 2, 1), (8, 0, 1), (11, 0, 1), (12, 2, 1), (2, 0, 2), (5, 0, 3), (6, 2, 3), (8, 0, 3)],
)
def test_a_companion_goes_on_where_it_was(
    tmp_path: Path,
    chased: Callable[..., Path],
    chasing: ModuleType,
    accelerator: Accelerator,
    monkeypatch: pytest.MonkeyPatch,
    update: int,
    workers: int,
    parts: int,
) -> None:
    """Stopped in any update, the last of an epoch or of a part too: as if nothing had happened, to the bit."""
    whole = contents(chased("whole", parts))
    job, config = chasing.job_in(tmp_path / "stopped"), TrainConfig(**chasing.SETTINGS, workers=workers)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_apply_gradients", Trainer._apply_gradients)  # put back afterwards
        chasing.stop_in(update)
        with pytest.raises(Stopped):
            fit(job, config, accelerator, Silent(), companions=[chasing.Chaser(parts)])
    fit(job, config, accelerator, Silent(), companions=[chasing.Chaser(parts)])
    assert whole == contents(tmp_path / "stopped")


def test_an_epoch_is_told_once(
    tmp_path: Path, chased: Callable[..., Path], chasing: ModuleType, accelerator: Accelerator
) -> None:
    """A run that is stopped while an epoch is measured keeps a state in which nobody was told of that epoch."""
    whole = read_state(chased("whole") / "last/state.safetensors").companions["chaser"]["told"]
    job, config, measured = chasing.job_in(tmp_path / "run"), TrainConfig(**chasing.SETTINGS), list[int]()

    def validate(_network: Network) -> Metrics:
        measured.append(0)
        if len(measured) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return Metrics(images=1, loss=0.0, top1=1.0, top5=1.0, confusion=((1,),))

    measures = Measures(validation=validate)
    with pytest.raises(Stopped):
        fit(job, config, accelerator, Silent(), measures, companions=[chasing.Chaser()])
    state = read_state(job.directory / "state.safetensors")
    assert (1, 4, 1) == (state.progress.epochs_done, state.progress.part.updates, state.companions["chaser"]["epoch"])
    fit(job, config, accelerator, Silent(), measures, companions=[chasing.Chaser()])
    assert whole == read_state(job.directory / "state.safetensors").companions["chaser"]["told"]


def ranks_of(chaser: Sequence[str]) -> dict[int, int]:
    """Run the script in two processes; return the exit codes that are not 0."""
    with tempfile.TemporaryDirectory() as folder, stop_requests() as request:
        environments = [{**environment_of(rank, 2, folder), "OMP_NUM_THREADS": "1"} for rank in range(2)]
        return run_ranks([sys.executable, *chaser], environments, request)


@pytest.mark.parametrize("parts", [1, 2])
def test_two_processes_are_told_the_same(tmp_path: Path, chased: Callable[..., Path], parts: int) -> None:
    """Each makes every other copy, and both hear what all copies cost; stopped and resumed, they end the same."""
    one = chased("one", parts)
    for folder, stops in (("two", [0]), ("again", [6, 0])):
        for stop in stops:
            assert {} == ranks_of([str(CHASER), str(tmp_path / folder), "{}", "fork", str(stop), str(parts)])
    wanted = read_state(one / "last/state.safetensors").companions["chaser"]["told"]
    told = [json.loads((tmp_path / "two" / f"told-{rank}.json").read_text()) for rank in range(2)]
    assert told[0] == told[1]
    assert np.allclose(wanted, told[0], rtol=1e-4)
    assert contents(tmp_path / "two") == contents(tmp_path / "again")
    weights, others = (load_file(folder / "last/model.safetensors") for folder in (one, tmp_path / "two"))
    learnt = [
        key for key in weights if "running" not in key and "tracked" not in key
    ]  # batch norm's are each process's
    assert all(torch.allclose(weights[key], others[key], atol=1e-3) for key in learnt)


@dataclass(frozen=True)
class Silently:
    """A companion that does nothing; or decides the policies, or keeps what no file can."""

    name: str = "silently"
    source: GrowingShare | None = None
    wants_costs: bool = False
    kept: Any = None
    parts_per_epoch: int = 1

    def after_part(self, epoch: int, costs: Sequence[float]) -> None:
        assert costs == ()

    def after_epoch(self, epoch: int, costs: Sequence[float]) -> dict[str, float | None]:
        assert costs == ()
        return {}

    def state(self) -> Any:
        return self.kept

    def restore(self, state: object) -> None:
        raise AssertionError(state)


def job_of(root: Path, noise: Noise, expected: ModelInput) -> FitJob:
    """Return a job on 24 augmented images."""
    view = Views(source=noise(24), size=8, policy=Policy.load("trivialaugment"), baseline=EVERYTHING)
    return FitJob(view=view, expected=expected, run=root, directory=root / "last", summary=root / "summary.csv",
                  what="", seed=0)  # fmt: skip


def test_companions_that_cannot_be(
    tmp_path: Path, noise: Noise, expected: ModelInput, accelerator: Accelerator, listener: Any, interruption: Any
) -> None:
    """Two of a name, two that decide, one that keeps what no file can, one that the saved state knows nothing of."""
    job, config = job_of(tmp_path, noise, expected), TrainConfig(epochs=2, batch_size=8, device="cpu")
    growing = GrowingShare(policy=INVERT, epochs=2)
    for companions, message in (
        ([Silently(), Silently()], "need different names; given silently, silently"),
        ([Silently("a", growing), Silently("b", growing)], "Only one can decide the policies .* a and b"),
        (
            [Silently("a", parts_per_epoch=2), Silently("b", parts_per_epoch=3)],
            "need equal parts of an epoch; given a, b",
        ),
        ([Silently(kept=object())], "state of a companion cannot be stored .*'companions.silently' is a object"),
    ):
        with pytest.raises(FaaError, match=message):
            fit(job, config, accelerator, Silent(), companions=companions)
    with pytest.raises(interruption):
        fit(job, config, accelerator, listener(stop_after=1), companions=[Silently()])
    with pytest.raises(FaaError, match="of a training without 'silently'"):
        fit(job, config, accelerator, Silent(), companions=[Silently(kept=3)])


def test_counting_copies_changes_no_weight(
    tmp_path: Path, noise: Noise, expected: ModelInput, accelerator: Accelerator
) -> None:
    """The loss that is minimised is the same number whether somebody asks for its parts or not."""
    config = TrainConfig(epochs=2, batch_size=8, grad_accum_steps=2, batch_aug=3, device="cpu")
    histories = []
    for name, companions in (("without", []), ("with", [CopyLosses()])):
        job = job_of(tmp_path / name, noise, expected)
        histories.append(fit(job, config, accelerator, Silent(), companions=companions)[1].history)
    without, counted = ((tmp_path / name / "last/model.safetensors").read_bytes() for name in ("without", "with"))
    assert without == counted
    assert [row["train_loss"] for row in histories[0]] == [row["train_loss"] for row in histories[1]]
    for row in histories[1]:
        costs = [row[f"train_loss_copy{copy}"] or 0.0 for copy in (1, 2, 3)]
        assert len(set(costs)) == 3
        assert sum(costs) / 3 == pytest.approx(row["train_loss"], rel=1e-12)


@pytest.mark.parametrize("accumulation", [1, 2])
def test_each_copy_has_its_own_loss(
    tmp_path: Path, noise: Noise, expected: ModelInput, accelerator: Accelerator, accumulation: int
) -> None:
    """What a network that does not move loses on the draws of one copy, by hand: epoch · copies + copy."""
    job = job_of(tmp_path, noise, expected)
    config = TrainConfig(epochs=2, batch_size=12 // accumulation, grad_accum_steps=accumulation, batch_aug=3, lr=1e-30,
                         model="test_nfnet", device="cpu")  # fmt: skip
    network, progress = fit(job, config, accelerator, Silent(), companions=[CopyLosses()])
    for epoch, row in enumerate(progress.history):
        for copy in range(3):
            images, labels = job.view.__getitems__([(3 * epoch + copy, 0, number) for number in range(24)])
            with torch.no_grad():
                loss = float(cross_entropy(network.logits(images), labels))
            assert row[f"train_loss_copy{copy + 1}"] == pytest.approx(loss, rel=1e-4)


def test_an_epoch_that_an_older_version_began(
    tmp_path: Path, noise: Noise, expected: ModelInput, accelerator: Accelerator, chasing: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Its copies were not counted: nothing is said of them, and the table has the columns from the next epoch on."""
    job, config = job_of(tmp_path, noise, expected), TrainConfig(epochs=4, batch_size=8, batch_aug=2, device="cpu")
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_apply_gradients", Trainer._apply_gradients)
        chasing.stop_in(5)
        with pytest.raises(Stopped):
            fit(job, config, accelerator, Silent())
    fit(job, config, accelerator, Silent(), companions=[CopyLosses()])
    rows = list(csv.DictReader(job.summary.read_text().splitlines()))
    assert [True, True, False, False] == [row["train_loss_copy2"] == "" for row in rows]
    assert all(float(row["train_loss"]) > 0 for row in rows)


def test_figures_of_a_companion_may_be_negative() -> None:
    """A run is read again whatever a companion has said; the training's own figures keep their limits."""
    row = {"epoch": 1, "train_loss": 0.5, "controller": -3.5, "seconds": 1.0}
    assert row == check_row(row)
    with pytest.raises(ValueError, match="'seconds' must lie between 0 and inf"):
        check_row(row | {"seconds": -1.0})


def keys_of(epoch: int, count: int, copy: int = 0) -> list[Key]:
    """Return the keys of the first images."""
    return [(epoch, copy, number) for number in range(count)]


def test_the_share_grows(noise: Noise) -> None:
    """Of 4000 images none are inverted in the first epoch, then a quarter more each, all from the fifth on."""
    view = Views(source=noise(4000), size=8, policy=GrowingShare(policy=INVERT, epochs=4), seed=1, copies=2)
    original = torch.from_numpy(np.ascontiguousarray(noise(4000).images.transpose(0, 3, 1, 2)))

    def inverted(epoch: int, copy: int) -> Tensor:
        shown = view.__getitems__(keys_of(epoch, 4000, copy))[0]
        changed = (shown != original).flatten(1).any(dim=1)
        assert torch.equal(torch.where(changed[:, None, None, None], 255 - original, original), shown)
        return changed

    counts = [int(inverted(epoch, 0).sum()) for epoch in (0, 1, 2, 3, 4, 9)]
    assert (0, 4000, 4000) == (counts[0], counts[4], counts[5])
    assert counts[1:4] == pytest.approx([1000, 2000, 3000], abs=4 * (4000 * 0.25) ** 0.5)
    both = int((inverted(2, 0) & inverted(2, 1)).sum())  # copies are chosen independently
    assert both == pytest.approx(1000, abs=150)
    other = replace(view, seed=2).__getitems__(keys_of(2, 4000))[0]
    assert not torch.equal(other, view.__getitems__(keys_of(2, 4000))[0])


def test_images_without_the_policy_get_the_baseline(noise: Noise) -> None:
    """Each image is as with the policy, or as without one, whatever batch it comes in and whoever makes it."""
    policy = Policy.load("trivialaugment")
    view = Views(source=noise(60), size=8, policy=GrowingShare(policy=policy, epochs=2), baseline=EVERYTHING, seed=1)
    keys = [(epoch, 0, number) for epoch in (0, 1, 2) for number in range(60)]
    shown = view.__getitems__(keys)[0]
    plain, whole = (replace(view, policy=kind).__getitems__(keys)[0] for kind in (None, policy))
    same_as_plain, same_as_whole = ((shown == each).flatten(1).all(dim=1) for each in (plain, whole))
    assert bool((same_as_plain | same_as_whole).all())
    assert bool(same_as_plain[:60].all() and same_as_whole[120:].all())
    assert min(int((~same_as_plain[60:120]).sum()), int((~same_as_whole[60:120]).sum())) > 10
    assert torch.equal(shown, resident(view, torch.device("cpu")).__getitems__(keys)[0])
    for workers, batch_size in ((0, 7), (2, 7)):
        with load(view, OrderedBatches(60, batch_size, views=3, rank=Rank()), workers=workers) as batches:
            assert torch.equal(shown, torch.cat([images for images, _labels in batches]))


def test_a_warm_up_is_the_same_whoever_makes_the_batches(
    tmp_path: Path, noise: Noise, expected: ModelInput, accelerator: Accelerator, listener: Any, interruption: Any
) -> None:
    """Resident, here, in two processes, stopped and resumed; its share is in the table; it is not the policy's run."""
    job = job_of(tmp_path / "here", noise, expected)
    assert isinstance(job.view.policy, Policy)
    warmup = PolicyWarmup(GrowingShare(policy=job.view.policy, epochs=2))
    base = {"epochs": 3, "batch_size": 8, "batch_aug": 2, "device": "cpu"}
    companions = [warmup, CopyLosses()]
    fit(job, TrainConfig(**base), accelerator, Silent(), companions=companions)
    for name, settings in (("resident", {"resident": True}), ("workers", {"workers": 2}), ("stopped", {"workers": 2})):
        other = job_of(tmp_path / name, noise, expected)
        if name == "stopped":
            with pytest.raises(interruption):
                fit(other, TrainConfig(**base, **settings), accelerator, listener(stop_after=2), companions=companions)
        fit(other, TrainConfig(**base, **settings), accelerator, Silent(), companions=companions)
        assert contents(tmp_path / "here") == contents(tmp_path / name)
    assert ["0.0", "0.5", "1.0"] == [row["policy_share"] for row in contents(tmp_path / "here")["rows"]]
    fit(job_of(tmp_path / "policy", noise, expected), TrainConfig(**base), accelerator, Silent())
    assert contents(tmp_path / "policy")["weights"] != contents(tmp_path / "here")["weights"]


def test_the_settings_of_a_training_reach_it(tmp_path: Path) -> None:
    """--policy-warmup and --batch-aug make the columns; in the first epoch of a warm-up only the baseline is seen."""
    settings: dict[str, Any] = {"dataset": "digits", "train_subset": 40, "batch_size": 20, "img_size": 8, "epochs": 1,
                                "device": "cpu"}  # fmt: skip
    weights = []
    for policy, warmup in (("none", 0), ("trivialaugment", 1), ("trivialaugment", 0)):
        folder = tmp_path / f"{policy}-{warmup}"
        train(TrainConfig(**settings, policy=policy, policy_warmup=warmup), folder)
        weights.append((folder / "last/model.safetensors").read_bytes())
        assert ("policy_share" in (folder / "summary.csv").read_text()) is bool(warmup)
    assert weights[0] == weights[1] != weights[2]
    result = train(TrainConfig(**settings, batch_aug=2), tmp_path / "copies")
    assert {"train_loss_copy1", "train_loss_copy2"} < result.train.keys()
    with pytest.raises(ValueError, match="--policy-warmup 2 is longer than the run, --epochs 1"):
        TrainConfig(**settings, policy_warmup=2)
    with pytest.raises(
        FaaError, match="--policy-warmup 1 is for a policy whose share grows, and this training has none"
    ):
        train(TrainConfig(**settings, policy_warmup=1), tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    train(TrainConfig(**settings, policy_warmup=1), tmp_path / "compared", policy=Policy.load("none"))
