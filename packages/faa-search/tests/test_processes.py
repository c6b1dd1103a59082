"""Launchers: what was asked for must be there, a failure is told in words; trackers: they get every epoch."""

import signal
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from accelerate import Accelerator

from faa_core import FaaError
from faa_search.settings import TrainConfig
from faa_search.training import train
from faa_search.training.tracking import check_trackers
from faa_search.workers import launching
from faa_search.workers.following import FOLDER
from faa_search.workers.meeting import on_one_machine
from faa_search.workers.processes import any_process, close, from_main, launched_alone, make_accelerator, together
from faa_search.workers.stopping import Stopped, StopRequest

SIMPLE = {"ACCELERATE_MIXED_PRECISION": "no", "MASTER_ADDR": "127.0.0.1"}


@pytest.mark.parametrize(
    ("environment", "alone"),
    [
        ({}, False),
        ({"MASTER_ADDR": "127.0.0.1"}, False),  # a cluster's own
        ({"ACCELERATE_MIXED_PRECISION": "no"}, False),  # one process was asked for
        (SIMPLE, True),
        (SIMPLE | {"WORLD_SIZE": "2"}, False),
    ],
)
def test_processes_that_were_not_started(environment: dict[str, str], alone: bool) -> None:
    """Accelerate's simple launcher sets a meeting place for several and starts one."""
    assert alone is launched_alone(environment)


@pytest.mark.parametrize(
    ("name", "value", "flag"),
    [
        ("ACCELERATE_MIXED_PRECISION", "bf16", "--amp, and launch with --mixed_precision no"),
        ("ACCELERATE_DYNAMO_BACKEND", "INDUCTOR", "--torchcompile, and launch with --dynamo_backend no"),
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4", "--grad-accum-steps"),
    ],
)
def test_settings_of_the_launcher(monkeypatch: pytest.MonkeyPatch, name: str, value: str, flag: str) -> None:
    """What it would set and a run sets for itself is refused, not passed over."""
    monkeypatch.setenv(name, value)
    with pytest.raises(
        FaaError, match=rf"Accelerate is set to .* {value}, which is a setting of the run here: give {flag}"
    ):
        make_accelerator("cpu")
    monkeypatch.setenv(name, "NO" if value != "4" else "1")
    assert make_accelerator("cpu").num_processes == 1


def test_one_process_needs_nobody(accelerator: Accelerator) -> None:
    """What several would agree on is what the one finds."""
    assert {"a": 1} == from_main(accelerator, {"a": 1})
    assert (True, False) == (any_process(accelerator, True), any_process(accelerator, False))
    assert make_accelerator("cpu", processes=1).num_processes == 1
    with pytest.raises(FaaError, match="--num-processes 3, but the launcher started 1; leave it out, or make them agr"):
        make_accelerator("cpu", processes=3)
    close(accelerator)


def test_a_launcher_that_started_one_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    """As accelerate launch does on a CPU: an error, not a run of another batch size."""
    for name, value in SIMPLE.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(FaaError, match="was asked for several processes and started one"):
        make_accelerator("cpu")


class Two:
    """Stands for the accelerator of a run in two processes."""

    num_processes = 2


@pytest.mark.parametrize("message", ["Connection closed by peer [127.0.0.1]:1", "[gloo] connection reset"])
def test_a_lost_process_is_told_in_words(accelerator: Accelerator, message: str) -> None:
    """Only where there are others, and only for what such errors say."""
    with pytest.raises(FaaError, match=r"Another process of this run is gone .* goes on from the last saved"):
        _raise_within(Two(), RuntimeError(message))
    with pytest.raises(FaaError, match="Another process"):
        _raise_within(Two(), torch.distributed.DistBackendError("NCCL"))
    for who, error in ((accelerator, RuntimeError(message)), (Two(), RuntimeError("shapes"))):
        with pytest.raises(RuntimeError, match=r"onnection|shapes"):
            _raise_within(who, error)


def _raise_within(accelerator: Any, error: Exception) -> None:
    with together(accelerator):
        raise error


@pytest.mark.parametrize(
    ("environment", "launched"),
    [({}, False), ({"WORLD_SIZE": "2"}, True), ({"ACCELERATE_MIXED_PRECISION": "no"}, True), ({"RANK": "0"}, False)],
)
def test_who_was_launched_launches_nobody(environment: dict[str, str], launched: bool) -> None:
    """Else processes would start processes without end."""
    assert launched is launching.is_launched(environment)


@pytest.mark.parametrize(
    ("exitcodes", "says"),
    [
        ({0: 2, 1: -signal.SIGKILL}, "Process 1 was killed by SIGKILL, and the others were stopped. The same command"),
        ({0: 3, 1: -signal.SIGTERM}, "Process 0 ended with code 3, and the others were stopped"),
        ({0: 1, 1: -signal.SIGSEGV}, "Process 1 was killed by SIGSEGV"),
        ({0: 143, 1: 1, 2: 2}, "Process 1 ended with code 1"),
        ({0: -signal.SIGTERM}, "Process 0 was killed by SIGTERM"),
    ],
)
def test_how_processes_failed(exitcodes: dict[int, int], says: str) -> None:
    """The one that was killed or crashed is named; those that were stopped for it, or have spoken, are not."""
    with pytest.raises(FaaError, match=says):
        launching.explain(exitcodes)


@pytest.mark.parametrize("exitcodes", [{0: 2, 1: -signal.SIGTERM}, {0: 2}, {0: 143, 1: 2}])
def test_processes_that_have_spoken(exitcodes: dict[int, int]) -> None:
    """What they refused, they have said; there is nothing to add."""
    with pytest.raises(SystemExit) as raised:
        launching.explain(exitcodes)
    assert 2 == raised.value.code
    launching.explain({})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_one_process_is_one_to_the_run(number: signal.Signals) -> None:
    """They agree to stop, and end alike."""
    with pytest.raises(Stopped) as raised:
        launching.explain({0: 128 + number, 1: 128 + number})
    assert number == raised.value.number


SPEAKING = """
import os, signal, sys
from faa_search.workers.following import follow_launcher
class Noted:
    noted = False
    def __call__(self, number, _frame):
        open(os.environ["FAA_MEETING_FOLDER"] + "/told" + os.environ["RANK"], "w").close()
        sys.exit(100 + number)
signal.signal(signal.SIGTERM, Noted())
follow_launcher(os.environ)
%s
"""


def run(tmp_path: Path, code: str, request: StopRequest) -> dict[int, int]:
    """Run two processes, which know which they are, as ranks of one run."""
    (tmp_path / "meeting").mkdir(exist_ok=True)
    command = [sys.executable, "-c", SPEAKING % code]
    environments = [launching.environment_of(rank, 2, str(tmp_path / "meeting")) for rank in range(2)]
    return launching.run_ranks(command, environments, request)


def test_ranks_that_end_and_fail(tmp_path: Path) -> None:
    """One that fails has the others stopped, and theirs is not a failure; all get their part of the environment."""
    told = "assert os.environ['WORLD_SIZE'] == '2' and os.environ['GLOO_SOCKET_IFNAME'] in ('lo', 'lo0')"
    assert {} == run(tmp_path, told, StopRequest())
    fails = "import time; time.sleep(60) if os.environ['RANK'] == '0' else sys.exit(7)"
    started = time.monotonic()
    assert {1: 7} == run(tmp_path, fails, StopRequest())
    assert time.monotonic() - started < 30


def test_ranks_are_told_of_a_signal(tmp_path: Path) -> None:
    """Its number reaches them through their standard input."""
    request = StopRequest()
    request.number = signal.SIGTERM
    assert {} == run(tmp_path, "import time; time.sleep(60)", request)
    assert {"told0", "told1"} == {path.name for path in (tmp_path / "meeting").iterdir()}


def test_every_process_needs_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two on one would wait for each other in vain; a CPU carries any number."""
    started: list[Any] = []
    monkeypatch.setattr(launching, "run_ranks", lambda *given: started.append(given) or {})
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(FaaError, match="--num-processes 2, but torch sees 1 GPUs"):
        launching.launch(2, device="auto")
    launching.launch(2, device="cpu")
    ((command, environments, _request),) = started
    assert ["-m", "faa_cli"] == command[1:3]
    assert ["0", "1"] == [environment["RANK"] for environment in environments]
    folders = {environment[FOLDER] for environment in environments}
    assert not any(Path(folder).exists() for folder in folders)
    assert len(folders) == 1


@pytest.mark.parametrize(
    ("environment", "here"),
    [
        ({}, True),
        ({"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "node7"}, True),
        ({"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "node7"}, False),
        ({"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "192.0.2.7"}, False),
        ({"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}, True),
        ({"WORLD_SIZE": "4", "MASTER_ADDR": "::1"}, True),
        ({"WORLD_SIZE": "4", "MASTER_ADDR": "localhost"}, True),
        ({"WORLD_SIZE": "4", "MASTER_ADDR": "localhost.example"}, False),
    ],
)
def test_processes_of_one_machine(environment: dict[str, str], here: bool) -> None:
    """Only then are sockets bound to the loopback interface; others would not reach them."""
    assert here is on_one_machine(environment)


class Diary:
    """A tracker that remembers."""

    requires_logging_directory = False
    entries: ClassVar[list[Any]] = []

    def __init__(self, name: str) -> None:
        self.entries.clear()
        self.entries.append(name)

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self.entries.append(values)

    def log(self, values: dict[str, Any], step: int) -> None:
        self.entries.append((step, values))

    def finish(self) -> None:
        self.entries.append("finished")


def test_trackers_get_settings_and_epochs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each epoch once, without what was not measured; the settings as plain values; and the end."""
    for module in ("faa_search.training.tracking",):
        monkeypatch.setattr(f"{module}.LOGGER_TYPE_TO_CLASS", {"diary": Diary})
        monkeypatch.setattr(f"{module}.get_available_trackers", lambda: ["diary"])
    config = TrainConfig(train_subset=20, img_size=8, epochs=3, batch_size=10, device="cpu", test_every=2,
                         log_with=("diary",))  # fmt: skip
    train(config, tmp_path / "run")
    name, settings, *epochs, end = Diary.entries
    assert ("faa", "finished", "none", 3) == (name, end, settings["policy"], settings["epochs"])
    assert all(isinstance(value, bool | int | float | str) for value in settings.values())
    assert [1, 2, 3] == [step for step, _values in epochs]
    assert [False, True, False] == ["test_top1" in values for _step, values in epochs]
    assert all("train_loss" in values and None not in values.values() for _step, values in epochs)


def test_tensorboard(tmp_path: Path) -> None:
    """Its files are in the run's logs, and hold the curve."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: PLC0415

    config = TrainConfig(train_subset=20, img_size=8, epochs=2, batch_size=10, device="cpu", log_with=("tensorboard",))
    result = train(config, tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run" / "logs" / "run"))
    events.Reload()
    curve = events.Scalars("train_loss")
    assert [1, 2] == [point.step for point in curve]
    assert result.train["train_loss"] == pytest.approx(curve[1].value)
    assert time.time() > curve[0].wall_time


def test_trackers_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Said before anything is made or trained."""
    with pytest.raises(FaaError, match=r"--log-with tensorbord: Accelerate knows no such tracker; it knows .*tensorb"):
        train(TrainConfig(device="cpu", log_with=("tensorbord",)), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr("faa_search.training.tracking.get_available_trackers", list)
    with pytest.raises(FaaError, match=r"--log-with wandb: it is not installed \(pip install wandb\); installed: none"):
        check_trackers(["wandb"])
