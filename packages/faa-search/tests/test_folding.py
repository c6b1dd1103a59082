"""The folds' networks: fitted once, where they are missing, or taken from a run that fits."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import faa_search
from faa_core import FaaError, Policy
from faa_search.data import ArraySource
from faa_search.searching import tasks
from faa_search.searching.bench import MakeBench
from faa_search.searching.folding import Beside, check_fitted, fit_folds, fit_seconds, weights_path
from faa_search.searching.folds import Fold, make_folds
from faa_search.searching.images import open_images
from faa_search.searching.tasks import FitFold, ScorePolicy
from faa_search.settings import SearchConfig
from faa_search.workers.executors.protocol import Place
from faa_search.workers.stopping import StopRequest


@pytest.fixture
def folds(noise: Callable[..., ArraySource]) -> tuple[Fold, ...]:
    """Return three folds."""
    return make_folds(noise(30).labels, class_names=("a", "b", "c"), folds=3, held_out=0.4, seed=0)


class Fits:
    """Fits nothing: each fold's weights are its name."""

    def __init__(self, *, in_process: bool) -> None:
        self.workers = 1
        self.in_process = in_process
        self.given: list[int] = []
        self.shared: dict[str, bytes] = {}

    def submit(self, task: FitFold) -> "Future[dict[str, bytes]]":
        self.given.append(task.number)
        future: Future[dict[str, bytes]] = Future()
        table = f"epoch,seconds\n0,{task.number}.5\n1,\n".encode()
        future.set_result({"summary.csv": table, "model.safetensors": f"fold {task.number}".encode()})
        return future

    def share(self, name: str, content: bytes) -> None:
        self.shared[name] = content


@pytest.mark.parametrize("in_process", [True, False])
def test_what_is_missing_is_fitted(tmp_path: Path, folds: tuple[Fold, ...], listener: Any, in_process: bool) -> None:
    """Files that a worker has written already stay; all networks are shared, fitted now or before."""
    (tmp_path / "fold1").mkdir()
    (tmp_path / "fold1" / "model.safetensors").write_bytes(b"from before")
    (tmp_path / "fold2").mkdir()
    (tmp_path / "fold2" / "summary.csv").write_text("epoch,seconds\n0,40\n")
    with pytest.raises(FaaError, match=r"The network '.*fold0/model.safetensors' is missing; --stage folds makes it"):
        check_fitted(tmp_path, folds, stage="folds")
    executor, told = Fits(in_process=in_process), listener()
    fit_folds(tmp_path, folds, executor, told, StopRequest())
    assert [0, 2] == executor.given
    assert {"fold0": b"fold 0", "fold1": b"from before", "fold2": b"fold 2"} == executor.shared
    assert 40.5 == fit_seconds(tmp_path, folds)
    assert ([] if in_process else [("Folds", 3, 1)]) == told.tracks
    with pytest.raises(FaaError, match=r"The network '.*fold0/model.safetensors' is damaged .*--stage folds makes it"):
        check_fitted(tmp_path, folds, stage="folds")
    for fold in folds:
        save_file({"weight": torch.zeros(1)}, weights_path(tmp_path, fold.index))
    check_fitted(tmp_path, folds, stage="folds")
    for fold in folds:
        weights_path(tmp_path, fold.index).write_bytes(executor.shared[f"fold{fold.index}"])
    again = Fits(in_process=in_process)
    fit_folds(tmp_path, folds, again, told, StopRequest())
    assert [] == again.given
    assert executor.shared == again.shared


@pytest.mark.parametrize("in_process", [True, False])
def test_something_beside_the_folds(tmp_path: Path, folds: tuple[Fold, ...], listener: Any, in_process: bool) -> None:
    """It comes after them, is given its own result, counts as no fold, and is done where no fold is missing, too."""
    done: list[Any] = []
    for given in ([0, 1, 2, 7], [7]):
        executor, told = Fits(in_process=in_process), listener()
        beside = Beside(FitFold(7), done.append)
        fit_folds(tmp_path, folds, executor, told, StopRequest(), beside=[beside])
        assert given == executor.given
        assert not (tmp_path / "fold7").exists()
        assert ([] if in_process else [("Folds", 3, 4 - len(given))]) == told.tracks
        assert told.units == (0 if in_process else len(given) - 1)
    assert [b"fold 7"] * 2 == [files["model.safetensors"] for files in done]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, small_search: SearchConfig) -> Path:
    """Return a run whose folds are fitted."""
    output = tmp_path_factory.mktemp("folding") / "run"
    assert faa_search.search_stage(small_search.model_copy(update={"stage": "folds"}), output) is None
    return output


def weights(directory: Path) -> list[bytes]:
    """Return the folds' weights."""
    return [(directory / f"fold{number}" / "model.safetensors").read_bytes() for number in range(2)]


def test_networks_of_another_run(finished: Path, small_search: SearchConfig, tmp_path: Path, listener: Any) -> None:
    """Taken as they are, no epoch is fitted; the search is the one that fits them itself, but for the seconds."""
    told = listener()
    given = small_search.model_copy(update={"init_models": str(finished), "depth": 1})
    assert 0.0 == faa_search.search(given, tmp_path / "taken", reporter=told).fitting
    assert ["Trials"] == [what for what, _total, _done in told.tracks]
    assert not (tmp_path / "taken" / "fold0" / "summary.csv").exists()
    assert weights(finished) == weights(tmp_path / "taken")
    assert faa_search.search(small_search.model_copy(update={"depth": 1}), tmp_path / "own").fitting > 0
    policies = [json.loads((tmp_path / name / "policy.json").read_text()) for name in ("taken", "own")]
    assert policies[0]["sub_policies"] == policies[1]["sub_policies"]
    assert finished.is_absolute()
    assert [finished.name, None] == [policy["provenance"]["init_models"] for policy in policies]  # it may be shared
    trials = [faa_search.searching.fast.read_trials(tmp_path / name) for name in ("taken", "own")]
    assert [one.metrics for one in trials[0]] == [one.metrics for one in trials[1]]
    assert sum(one.seconds for one in trials[0]) == pytest.approx(policies[0]["provenance"]["seconds"], abs=1e-3)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"seed": 1}, "has other folds or images"),
        ({"held_out": 0.3}, "has other folds or images"),
        ({"folds": 1}, "has other folds or images"),
        ({"model": "wrn28_2"}, "has model 'wrn16_1', this run 'wrn28_2'"),
        ({"model_kwargs": {"drop_rate": 0.1}}, "has model_kwargs"),
        ({"train_subset": 80}, "has train_subset 60, this run 80"),
        ({"img_size": 16}, "has img_size 8, this run 16"),
    ],
    ids=str,
)
def test_networks_that_do_not_fit(
    finished: Path, small_search: SearchConfig, tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    """Other folds would be scored on images that were fitted on; the remedy may use the same directory."""
    given = small_search.model_copy(update={"init_models": str(finished)} | settings)
    with pytest.raises(FaaError, match=words):
        faa_search.search(given, tmp_path / "run")
    assert not list(tmp_path.rglob("model.safetensors"))
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_a_run_that_has_not_fitted_all(finished: Path, small_search: SearchConfig, tmp_path: Path) -> None:
    """None is taken then; nor from what is not a run."""
    shutil.copytree(finished, tmp_path / "part")
    (tmp_path / "part" / "fold1" / "model.safetensors").unlink()
    for source, words in (("part", "no finished network of fold 1"), ("nothing", "not a run directory")):
        given = small_search.model_copy(update={"init_models": str(tmp_path / source)})
        with pytest.raises(FaaError, match=words):
            faa_search.search(given, tmp_path / "run")
    assert not (tmp_path / "run").exists() or not list((tmp_path / "run").rglob("model.safetensors"))


@pytest.mark.parametrize("content", [b"no weights", b""], ids=["other", "empty"])
def test_a_damaged_network_of_another_run(
    finished: Path, small_search: SearchConfig, tmp_path: Path, content: bytes
) -> None:
    """None is taken then, not even those before it, so the same directory serves when it is mended."""
    shutil.copytree(finished, tmp_path / "damaged")
    (tmp_path / "damaged" / "fold1" / "model.safetensors").write_bytes(content)
    given = small_search.model_copy(update={"init_models": str(tmp_path / "damaged")})
    with pytest.raises(FaaError, match=r"weights '.*fold1.*' are damaged .*put back a copy"):
        faa_search.search(given, tmp_path / "run")
    assert not list((tmp_path / "run").rglob("model.safetensors"))


def test_one_network_needs_a_split_to_score_on(finished: Path, small_search: SearchConfig, tmp_path: Path) -> None:
    """A training's network knows all training images, those that a fold holds out included."""
    given = small_search.model_copy(update={"init_models": str(finished / "fold0"), "folds": 1})
    with pytest.raises(FaaError, match="not a run directory"):
        faa_search.search(given, tmp_path / "run")


@pytest.mark.parametrize(
    ("content", "words"), [(b"no weights", "cannot be read"), (b"", "cannot be read"), (None, "another model")]
)
def test_weights_that_cannot_be_used(
    finished: Path, small_search: SearchConfig, content: bytes | None, words: str
) -> None:
    """Said by the fold; nothing in them is executed."""
    images = open_images(small_search, model_size=8, note=print)
    bad = weights(finished)[0] if content is None else content
    config = small_search if content is not None else small_search.model_copy(update={"model": "wrn28_2"})
    bench = MakeBench(config=config, directory=finished, images=images)(Place(device="cpu", fetch=lambda _name: bad))
    with pytest.raises(FaaError, match=rf"weights of fold 1 .*{words}"):
        bench.held_out(1)


def test_a_bench_elsewhere(finished: Path, small_search: SearchConfig, tmp_path: Path) -> None:
    """A worker that does not see the run opens the images itself, has the networks sent, and keeps nothing."""
    here = {f"fold{number}": content for number, content in enumerate(weights(finished))}
    config = small_search.model_copy(update={"epochs": 1})
    images = open_images(config, model_size=32, note=print)
    near = MakeBench(config=config, directory=finished, images=images)(Place(device="cpu", fetch=here.__getitem__))
    make, arguments = MakeBench(config=config, directory=tmp_path / "unseen", images=images).__reduce__()
    away = make(*arguments)(Place(device="cpu", fetch=here.__getitem__))  # type: ignore[operator, misc]
    task = ScorePolicy(policy=Policy.load("trivialaugment"), fold=1, views=2, seed=3)
    assert task(near).means == task(away).means
    assert torch.equal(near.held_out(0).images.images, away.held_out(0).images.images)
    files = FitFold(0)(away)
    assert {"summary.csv", "config.json", "model.safetensors"} == set(files)
    assert [] == list(tmp_path.iterdir())


def test_an_audits_training(
    finished: Path, small_search: SearchConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On D_M with the policy, tested on D_A without; the same every time, and nothing is left of it."""
    images = open_images(small_search, model_size=32, note=print)
    seen: list[Any] = []
    really_fit, really_evaluate = tasks.fit, tasks.evaluate_source

    def fit(job: Any, config: Any, *others: Any) -> Any:
        seen.append((job.view.source.images, job.view.policy, job.seed, config.epochs))
        return really_fit(job, config, *others)

    def evaluate(network: Any, source: Any, *others: Any, **given: Any) -> Any:
        seen.append(source.images)
        return really_evaluate(network, source, *others, **given)

    monkeypatch.setattr(tasks, "fit", fit)
    monkeypatch.setattr(tasks, "evaluate_source", evaluate)
    policy = Policy.load("trivialaugment")
    task = tasks.TrainWith(policy=policy, fold=1, seed=5, epochs=1, name="it")
    accuracies = []
    for directory in (finished, tmp_path / "unseen"):
        make = MakeBench(config=small_search, directory=directory, images=images)
        accuracies.append(task(make(Place(device="cpu", fetch=dict[str, bytes]().__getitem__))))
        fitted_on, tested_on = seen[-2:]
        assert np.array_equal(images.train.subset(images.folds[1].train).images, fitted_on[0])
        assert (policy, 5, 1) == fitted_on[1:]
        assert np.array_equal(images.train.subset(images.folds[1].held_out).images, tested_on)
    assert accuracies[0] == accuracies[1]
    assert 0 <= accuracies[0] <= 1
    assert not list(finished.rglob("it"))
    assert not (tmp_path / "unseen").exists()
