"""A process whose parent is killed without warning ends as well, whatever it was started for."""

import importlib.util
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from forked import ForkedPython

TINY = "--dataset digits --train-subset 60 --img-size 8 --hflip 0 --model wrn10_1 --device cpu".split()
SEARCH = ["search", *TINY, *"--batch-size 20 --folds 2 --depth 4000 --threads 1 --num-processes 1".split()]
TORCHRUN = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "faa_cli"]
FAA = ["-m", "faa_cli"]
KINDS = {  # launcher, command, the file that shows that work is under way, how many processes there are then at least
    "ranks with loaders": (FAA, ["compare", *TINY, *"--epochs 9000 --batch-size 20 --workers 1 --num-processes 2 "
                                 "--policies none,trivialaugment".split()], "*/summary.csv", 4),
    "workers with loaders": (FAA, [*SEARCH, *"--executor processes --epochs 9000 --workers 1".split()],
                             "fold0/summary.csv", 2),
    "proposals": (FAA, [*SEARCH, *"--executor local --epochs 2".split()], "trials.jsonl", 1),
    "actors": (FAA, [*SEARCH, *"--executor ray --epochs 2".split()], "trials.jsonl", 4),
    "launched": (TORCHRUN, ["search", *TINY, *"--batch-size 20 --folds 2 --depth 4000 --epochs 2".split()],
                 "trials.jsonl", 3),
}  # fmt: skip
SECONDS = 20.0  # to end; most take one, a busy machine more


@pytest.fixture
def started(tmp_path: Path, environment: dict[str, str]) -> Iterator[dict[str, ForkedPython]]:
    """Start all kinds, side by side: each waits for most of its start for the disk, not for a processor."""
    running = {}
    for kind, (launcher, command, _file, _count) in KINDS.items():
        if kind == "actors" and importlib.util.find_spec("ray") is None:
            continue
        whole = [*launcher, *command, "--output", tmp_path / kind]
        running[kind] = ForkedPython(whole, directory=tmp_path, environment=environment)
    yield running
    for process in running.values():
        process.kill()
        process.wait()


def test_nobody_outlives_a_killed_parent(started, tmp_path):
    """Neither ranks, workers, loaders, proposals, actors nor Ray's own processes."""
    below, waiting = {}, dict(started)
    while waiting:  # each is killed when it is at work, so that it is in the way of no other
        time.sleep(0.1)
        for kind, process in list(waiting.items()):
            assert process.poll() is None, process.communicate()
            _launcher, _command, file, count = KINDS[kind]
            if any(map(filled, (tmp_path / kind).glob(file))):
                below[kind] = psutil.Process(process.pid).children(recursive=True)
                assert len(below[kind]) >= count, (kind, below[kind])
                waiting.pop(kind).kill()
                process.wait()
    left = {kind: psutil.wait_procs(processes, timeout=SECONDS)[1] for kind, processes in below.items()}
    assert not {kind: [shown(each) for each in alive] for kind, alive in left.items() if alive}


def filled(path: Path) -> bool:
    return path.read_bytes().count(b"\n") > 2


def shown(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return "gone"
