"""What a run leaves behind: it goes on from any update to the bit, whatever stopped it, and survives a damaged file."""

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save
from torch import nn

from faa_core import FaaError, Policy
from faa_core.applying import Baseline
from faa_search.data import ArraySource
from faa_search.progress import Silent
from faa_search.settings import TrainConfig
from faa_search.training import FitJob, Measures, Metrics, Network, Views, fit
from faa_search.training.checkpoint import read_state
from faa_search.training.models import ModelInput
from faa_search.training.optimisation import make_optimizer
from faa_search.training.packing import pack, unpack
from faa_search.training.saving import kept_epochs
from faa_search.training.trainer import Trainer
from faa_search.workers.stopping import Stopped

Noise = Callable[..., ArraySource]
TIMES = {"seconds": 0.0, "waiting": 0.0, "waited": 0.0}
SETTINGS: dict[str, Any] = {
    "epochs": 3,
    "batch_size": 4,
    "device": "cpu",
    "lr": 0.02,
    "model_ema": True,
    "model_kwargs": {"drop_rate": 0.3},
}
EVERYTHING: dict[str, Any] = {
    "batch_size": 2,
    "grad_accum_steps": 2,
    "batch_aug": 2,
    "mixup": 0.5,
    "cutmix": 1.0,
    "smoothing": 0.1,
    "sampling": "balanced",
    "amp": True,
    "amp_dtype": "float16",
    "decay_before_clip": True,
}


@pytest.fixture
def make_job(tmp_path: Path, noise: Noise, expected: ModelInput) -> Callable[..., FitJob]:
    """Return a function that makes jobs on 20 augmented images, each in a folder of its own."""
    view = Views(source=noise(20), size=8, policy=Policy.load("trivialaugment"), baseline=Baseline(pad=1, hflip=0.5))

    def make(name: str, keep: int = 0) -> FitJob:
        folder = tmp_path / name
        return FitJob(
            view=view,
            expected=expected,
            run=folder,
            directory=folder / "last",
            summary=folder / "summary.csv",
            what="Fitting",
            seed=0,
            keep=keep,
        )

    return make


def contents(job: FitJob) -> dict[str, Any]:
    """Return all a run has written but for times: weights byte by byte, the state's tensors and figures."""
    root = job.directory.parent
    state = read_state(job.directory / "state.safetensors")
    progress = state.progress
    return {
        "weights": {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("model.safetensors")},
        "tensors": {
            f"{name}.{key}": value.numpy().tobytes()
            for name, all_ in state.modules.items()
            for key, value in all_.items()
        },
        "optimizer": {
            (number, key): value.numpy().tobytes() if isinstance(value, torch.Tensor) else value
            for number, values in state.optimizer["state"].items()
            for key, value in values.items()
        },
        "scaler": state.scaler,
        "history": [dict(row) | TIMES for row in progress.history],
        "rows": len(job.summary.read_text().splitlines()),
    }


def stop_at(monkeypatch: pytest.MonkeyPatch, update: int, what: Callable[[], None]) -> None:
    """Let something happen in the middle of the given update of a run, counted from 1."""
    really, done = Trainer._apply_gradients, []

    def counted(trainer: Trainer, updates: int) -> None:
        really(trainer, updates)
        done.append(updates)
        if len(done) == update:
            what()

    monkeypatch.setattr(Trainer, "_apply_gradients", counted)


@pytest.mark.parametrize(
    ("update", "number", "settings"),
    [
        (1, signal.SIGTERM, {}),
        (7, signal.SIGINT, {}),
        (10, signal.SIGTERM, {}),  # the last of an epoch
        (15, signal.SIGTERM, {}),  # the last of all
        (6, signal.SIGTERM, EVERYTHING),
    ],
)
def test_a_signal_stops_after_the_update_in_hand(
    make_job: Callable[..., FitJob],
    accelerator: Accelerator,
    monkeypatch: pytest.MonkeyPatch,
    update: int,
    number: int,
    settings: dict[str, Any],
) -> None:
    """The state is kept, the same call goes on from there, and the end is that of a run that was never stopped."""
    config = TrainConfig(**SETTINGS | settings)
    whole, stopped = make_job("whole"), make_job("stopped")
    fit(whole, config, accelerator, Silent())
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    with monkeypatch.context() as patch:
        stop_at(patch, update, lambda: os.kill(os.getpid(), number))
        with pytest.raises(Stopped) as raised:
            fit(stopped, config, accelerator, Silent())
    assert number == raised.value.number
    assert handlers == [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    progress = read_state(stopped.directory / "state.safetensors").progress
    assert update == progress.epochs_done * 5 + progress.part.updates
    torch.manual_seed(update)  # what other code draws meanwhile does not matter
    fit(stopped, config, accelerator, Silent())
    assert contents(whole) == contents(stopped)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # torch counts this machine's cores
def test_a_signal_to_all_processes_of_the_run(
    make_job: Callable[..., FitJob], accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Launchers and queues send it to loader processes too, which leave it to the run."""
    config = TrainConfig(**SETTINGS, workers=2)
    whole, stopped = make_job("whole"), make_job("stopped")
    fit(whole, config, accelerator, Silent())

    def everybody() -> None:
        workers = psutil.Process().children()
        assert len(workers) >= 2
        for process in (*workers, psutil.Process()):
            process.send_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        stop_at(patch, 3, everybody)
        with pytest.raises(Stopped):
            fit(stopped, config, accelerator, Silent())
    fit(stopped, config, accelerator, Silent())
    assert contents(whole) == contents(stopped)


def test_a_signal_while_measuring(make_job: Callable[..., FitJob], accelerator: Accelerator) -> None:
    """The measure in hand is finished, nothing else is begun, and it is taken again after resuming."""
    calls: list[str] = []

    def measure(name: str, *, stop_in: int = 0) -> Callable[[Network], Metrics]:
        def measured(_network: Network) -> Metrics:
            calls.append(name)
            if calls.count(name) == stop_in:
                os.kill(os.getpid(), signal.SIGTERM)
            return Metrics(images=1, loss=0.5, top1=0.25, top5=1.0, confusion=((1,),))

        return measured

    config = TrainConfig(**SETTINGS)
    whole, stopped = make_job("whole"), make_job("stopped")
    both = {"test": measure("test"), "test_every": 1}
    fit(whole, config, accelerator, Silent(), Measures(validation=measure("validation"), **both))
    calls.clear()
    with pytest.raises(Stopped):
        fit(stopped, config, accelerator, Silent(), Measures(validation=measure("validation", stop_in=2), **both))
    assert ["validation", "test", "validation"] == calls
    part = read_state(stopped.directory / "state.safetensors").progress
    assert (1, 5) == (part.epochs_done, part.part.updates)
    fit(stopped, config, accelerator, Silent(), Measures(validation=measure("validation"), **both))
    assert ["validation", "test"] * 2 == calls[3:]
    assert contents(whole) == contents(stopped)


def test_long_epochs_are_kept_before_they_are_measured(
    make_job: Callable[..., FitJob], accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill during a long validation loses the validation alone."""
    job = make_job("run")
    seen = []

    def measure(_network: Network) -> Metrics:
        path = job.directory / "state.safetensors"
        seen.append(read_state(path).progress.part.updates if path.exists() else None)
        return Metrics(images=1, loss=0.5, top1=0.25, top5=1.0, confusion=((1,),))

    for seconds in (60.0, 0.0):
        monkeypatch.setattr("faa_search.training.fitting.LONG_EPOCH", seconds)
        fit(make_job(str(seconds)) if seconds else job, TrainConfig(**SETTINGS | {"epochs": 1}), accelerator, Silent(),
            Measures(validation=measure))  # fmt: skip
    assert [None, 5] == seen


@pytest.mark.parametrize("optimizer", ["lamb", "adamw", "lion"])
def test_optimizers_resume(
    make_job: Callable[..., FitJob],
    accelerator: Accelerator,
    listener: Any,
    interruption: type[Exception],
    optimizer: str,
) -> None:
    """Whatever they keep: numbers, tensors, and tensors among their settings."""
    config = TrainConfig(**SETTINGS | {"opt": optimizer, "lr": 1e-3, "epochs": 2})
    whole, stopped = make_job("whole"), make_job("stopped")
    fit(whole, config, accelerator, Silent())
    with pytest.raises(interruption):
        fit(stopped, config, accelerator, listener(stop_after=1))
    fit(stopped, config, accelerator, Silent())
    assert contents(whole)["weights"] == contents(stopped)["weights"]


def test_an_optimizer_that_cannot_be_stored(
    make_job: Callable[..., FitJob], accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said after the first update, not after the first epoch; packing is exact where it is possible."""
    made = make_optimizer(nn.Linear(2, 2), TrainConfig())
    monkeypatch.setattr(type(made), "state_dict", lambda _self: {"state": {0: {"odd": {1, 2}}}})
    updates: list[int] = []
    with monkeypatch.context() as patch:
        stop_at(patch, 2, lambda: updates.append(2))
        with pytest.raises(FaaError, match=r"cannot be stored .*'optimizer.state.0.odd' is a set.*; choose anoth"):
            fit(make_job("run"), TrainConfig(**SETTINGS), accelerator, Silent())
    assert [] == updates
    tensors: dict[str, torch.Tensor] = {}
    value = {0: [torch.ones(2), (1, 2.5)], "a": {"b": None, "c": True}, "d": ()}
    packed = json.loads(json.dumps(pack(value, "x", tensors)))
    again = unpack(packed, tensors)
    assert again[0][0] is value[0][0]
    assert (again[0][1], again["a"], again["d"]) == ((1, 2.5), {"b": None, "c": True}, ())


def test_second_derivatives_are_not_taken() -> None:
    """An optimizer that needs them is refused before training."""
    with pytest.raises(FaaError, match="'adahessian' needs second derivatives"):
        make_optimizer(nn.Linear(2, 2), TrainConfig(opt="adahessian"))


def test_states_that_are_no_numbers_are_not_kept(make_job: Callable[..., FitJob], accelerator: Accelerator) -> None:
    """A loss that has become infinite ends the run, and leaves the states of before."""
    job = make_job("run")
    config = TrainConfig(
        **SETTINGS | {"lr": 1e30, "clip_grad": 0.0, "warmup_epochs": 2, "warmup_lr": 1e-9, "recovery_interval": 1}
    )
    with pytest.raises(FaaError, match="try a smaller --lr"):
        fit(job, config, accelerator, Silent())
    for path in job.directory.glob("*.safetensors"):
        assert all(bool(value.isfinite().all()) for value in read_state(path).modules["model"].values())


def test_a_table_that_a_kill_left_behind(make_job: Callable[..., FitJob], accelerator: Accelerator) -> None:
    """Killed after the last state and before the table: the next call brings the table and what is kept up to it."""
    job, config = make_job("run", keep=1), TrainConfig(**SETTINGS)
    fit(job, config, accelerator, Silent())
    whole = job.summary.read_text()
    job.summary.write_text("".join(whole.splitlines(keepends=True)[:-1]))
    stale = job.directory.with_name("kept") / "epoch-0001"
    stale.mkdir()
    fit(job, config, accelerator, Silent())
    assert whole == job.summary.read_text()
    assert not stale.exists()


def test_a_second_signal_acts_at_once(
    make_job: Callable[..., FitJob], accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is in a hurry is not held up."""

    def twice() -> None:
        for _time in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)  # two that come at once may be taken for one

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # shells let background jobs ignore it
    stop_at(monkeypatch, 2, twice)
    try:
        with pytest.raises(KeyboardInterrupt) as raised:
            fit(make_job("run"), TrainConfig(**SETTINGS), accelerator, Silent())
    finally:
        signal.signal(signal.SIGINT, before)
    assert not isinstance(raised.value, Stopped)


@pytest.mark.parametrize(("settings", "left"), [({"recovery_interval": 2}, 4), ({"save_every": 2}, 0), ({}, 5)])
def test_a_killed_run_goes_on_from_the_last_state(
    make_job: Callable[..., FitJob],
    accelerator: Accelerator,
    monkeypatch: pytest.MonkeyPatch,
    interruption: type[Exception],
    settings: dict[str, Any],
    left: int,
) -> None:
    """States are saved every few updates or epochs, as asked for, and what was not saved is done again."""
    config = TrainConfig(**SETTINGS | settings)
    whole, killed = make_job("whole"), make_job("killed")
    fit(whole, config, accelerator, Silent())

    def die() -> None:
        raise interruption

    with monkeypatch.context() as patch:
        stop_at(patch, 10, die)  # at the end of the second epoch, before it is saved
        with pytest.raises(interruption):
            fit(killed, config, accelerator, Silent())
    state = killed.directory / "state.safetensors"
    if left:
        progress = read_state(state).progress
        assert (1, left % 5) == (progress.epochs_done, progress.part.updates)
    else:
        assert not state.exists()
    fit(killed, config, accelerator, Silent())
    assert contents(whole) == contents(killed)


@pytest.mark.parametrize("damage", ["cut", "garbage", "bit", "header", "no header"])
def test_a_damaged_state_falls_back_to_the_one_before(
    make_job: Callable[..., FitJob],
    accelerator: Accelerator,
    listener: Any,
    interruption: type[Exception],
    damage: str,
) -> None:
    """It says so, keeps the damaged file, and ends as if nothing had happened; one bit is enough to be noticed."""
    config = TrainConfig(**SETTINGS)
    whole, job = make_job("whole"), make_job("damaged")
    fit(whole, config, accelerator, Silent())
    with pytest.raises(interruption):
        fit(job, config, accelerator, listener(stop_after=2))
    path = job.directory / "state.safetensors"
    good = path.read_bytes()
    flipped = good[:-1000] + bytes([good[-1000] ^ 1]) + good[-999:]
    header = good.replace(b'epochs_done\\": 2', b'epochs_done\\": 1')
    bare = save({"model.a": torch.zeros(1)})
    bad = {"cut": good[: len(good) // 2], "garbage": b"garbage", "bit": flipped, "header": header, "no header": bare}[
        damage
    ]
    assert bad != good
    path.write_bytes(bad)
    again = listener()
    fit(job, config, accelerator, again)
    assert [("Fitting", 3, 1)] == again.tracks
    assert f"A saved state is damaged ('{path}': " in again.notes[0]
    assert again.notes[0].endswith("going on from the one before, at epoch 2.")
    assert bad == path.with_name("damaged.safetensors").read_bytes()
    assert contents(whole) == contents(job)


def test_two_damaged_states(
    make_job: Callable[..., FitJob], accelerator: Accelerator, listener: Any, interruption: type[Exception]
) -> None:
    """What cannot be resumed is named and stays as it was, so that it can be looked at or restored."""
    job = make_job("run")
    with pytest.raises(interruption):
        fit(job, TrainConfig(**SETTINGS), accelerator, listener(stop_after=2))
    last, previous = (job.directory / f"{name}.safetensors" for name in ("state", "previous"))
    last.write_bytes(b"one")
    previous.write_bytes(b"other")
    with pytest.raises(FaaError) as raised:
        fit(job, TrainConfig(**SETTINGS), accelerator, Silent())
    assert f"No saved state can be read ('{last}': " in str(raised.value)
    assert f"; '{previous}': " in str(raised.value)
    assert f"Remove '{job.directory}' to start again" in str(raised.value)
    assert (b"one", b"other") == (last.read_bytes(), previous.read_bytes())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "wrn10_1"}, "The saved state is of another model or optimizer"),
        ({"batch_size": 5}, "made with 4 images per update, this launch has 5; start as many processes as before"),
    ],
)
def test_a_state_of_another_run(
    make_job: Callable[..., FitJob],
    accelerator: Accelerator,
    listener: Any,
    interruption: type[Exception],
    settings: dict[str, Any],
    message: str,
) -> None:
    """It is refused and left alone."""
    job = make_job("run")
    with pytest.raises(interruption):
        fit(job, TrainConfig(**SETTINGS), accelerator, listener(stop_after=1))
    before = (job.directory / "state.safetensors").read_bytes()
    with pytest.raises(FaaError, match=message):
        fit(job, TrainConfig(**SETTINGS | settings), accelerator, Silent())
    assert before == (job.directory / "state.safetensors").read_bytes()


def test_kept_epochs() -> None:
    """The best on the validation part, of equals the first; without one the latest."""
    scores = [0.5, 0.9, 0.7, 0.9, 0.1]
    history = [{"epoch": float(epoch), "val_top1": score} for epoch, score in enumerate(scores, 1)]
    assert [set(), {2}, {2, 4}, {2, 3, 4}] == [kept_epochs(history, count) for count in range(4)]
    assert {1, 2} == kept_epochs(history[:2], 5)
    plain = [{"epoch": float(epoch)} for epoch in range(1, 6)]
    assert [set(), {5}, {3, 4, 5}] == [kept_epochs(plain, count) for count in (0, 1, 3)]


def test_weights_of_epochs_are_kept(
    make_job: Callable[..., FitJob], accelerator: Accelerator, listener: Any, interruption: type[Exception]
) -> None:
    """Those in the list and no others, each as it was after its epoch, and the same ones after a stop."""
    scores = iter([0.2, 0.8, 0.1, 0.3])
    config = TrainConfig(**SETTINGS | {"epochs": 4, "model_ema": False})
    stems: list[torch.Tensor] = []

    def validate(network: Network) -> Metrics:
        stems.append(network.model.get_parameter("stem.weight").detach().clone())
        return Metrics(images=1, loss=0.0, top1=next(scores), top5=1.0, confusion=((1,),))

    job = make_job("run", keep=2)
    with pytest.raises(interruption):
        fit(job, config, accelerator, listener(stop_after=3), Measures(validation=validate))
    kept = job.directory.with_name("kept")
    assert ["epoch-0001", "epoch-0002"] == sorted(path.name for path in kept.iterdir())
    fit(job, config, accelerator, Silent(), Measures(validation=validate))
    assert ["epoch-0002", "epoch-0004"] == sorted(path.name for path in kept.iterdir())
    for epoch in (2, 4):
        saved = load_file(kept / f"epoch-{epoch:04}" / "model.safetensors")
        assert torch.equal(stems[epoch - 1], saved["stem.weight"])


def test_the_test_split_is_read_when_asked_for(make_job: Callable[..., FitJob], accelerator: Accelerator) -> None:
    """Every so many epochs, into columns of the one table; it moves neither best/ nor what is kept."""
    calls = []

    def test(network: Network) -> Metrics:
        calls.append(network)
        return Metrics(images=1, loss=0.5, top1=0.25, top5=1.0, confusion=((1,),))

    job = make_job("run")
    config = TrainConfig(**SETTINGS | {"epochs": 5})
    _network, progress = fit(job, config, accelerator, Silent(), Measures(test=test, test_every=2))
    assert 2 == len(calls)
    lines = job.summary.read_text().splitlines()
    column = lines[0].split(",").index("test_top1")
    assert ["", "0.25", "", "0.25", ""] == [line.split(",")[column] for line in lines[1:]]
    assert progress.best is None
    assert not job.directory.with_name("best").exists()


def test_the_state_says_what_it_is(make_job: Callable[..., FitJob], accelerator: Accelerator) -> None:
    """Nothing in it needs unpickling, and the one before is kept."""
    job = make_job("run")
    fit(job, TrainConfig(**SETTINGS), accelerator, Silent())
    state, previous = (read_state(job.directory / f"{name}.safetensors") for name in ("state", "previous"))
    assert (3, 2) == (state.progress.epochs_done, previous.progress.epochs_done)
    assert state.progress.history[:2] == previous.progress.history
    assert 4 == state.images_per_update
    assert json.loads(json.dumps(state.scaler)) == state.scaler == {}
    assert replace(state.progress, epochs_done=0) != state.progress
