"""Trials of a search the original's way and ours: wall-clock times of the same trials with the same network, in one run.

Both do everything a trial consists of: TPE's proposal from 30 earlier trials, augmenting every held-out image in V
views, the network's forward passes, the reward; ours also writes its journal. The earlier trials are recorded, one
history for each trial to come: so which policies are tried is settled beforehand, the same for all, while TPE has its
real work; that hyperopt proposes the same for both is checked, and that accuracies agree where the work is the same.
Trials of several rounds, whose proposals do not depend on each other, are also what a search has at any moment.

The original is given the best number of loader processes, as measured in the same run, and two threads of torch. It has
no other precision than float32. It is measured as released, with gradients recorded; without; and without the crop,
flip and Cutout that ours does not add to a policy. Ours goes through the search's own code with all workers started and
images at hand. Its share outside the forward is that of its workers' time that their networks' forward passes do not
take, by hooks on the networks, so it includes proposing, writing, and waiting.

    FAA_TEST_DATA=DIR python benchmarks/search.py
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import installed, ratio, surroundings
from original_search import MANNERS, Manner, Proposals, Scoring
from ours_search import LAYOUTS, ForwardTimes, Histories, Layout, Ours, opened
from training import write_cifar10

from faa_core import FaaError, SubPolicies
from faa_search import search
from faa_search.config import SearchConfig
from faa_search.fast.bench import Bench
from faa_search.fast.proposing import Proposer, proposing_aside, proposing_here
from faa_search.samplers import tpe

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("faa-search", "faa-models", "hyperopt", "loky")
PRECISIONS = ("float32", "bfloat16")
THREADS = 2  # of the original


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What is searched on, and how many trials are timed together.

    Attributes:
        dataset: digits, or cifar10 for the reduced set of 4,000 images.
        model: timm's name.
        trials: T.
    """

    dataset: str
    model: str
    trials: int


WORKLOADS = {
    "digits/wrn16_1": Workload(dataset="digits", model="wrn16_1", trials=40),
    "cifar10/wrn16_1": Workload(dataset="cifar10", model="wrn16_1", trials=12),
    "cifar10/wrn40_2": Workload(dataset="cifar10", model="wrn40_2", trials=3),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One of the ways to do the trials.

    Attributes:
        name: Shown in tables.
        threads: Of torch in this process.
        workers: Processes with a network.
        forward: Has their forward passes' seconds.
        run: Does the trials; returns each one's share of images that are right in any view.
        seconds: Wall-clock time of each round.
        forwards: Seconds of forward passes of each round, of all workers.
        accuracies: Of each round's trials, their mean.
    """

    name: str
    threads: int
    workers: int
    forward: ForwardTimes
    run: Callable[[], Sequence[float]]
    seconds: list[float] = field(default_factory=list)
    forwards: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """Do the trials once more, timed."""
        torch.set_num_threads(self.threads)
        self.forward.clear()
        started = time.perf_counter()
        accuracies = self.run()
        self.seconds.append(time.perf_counter() - started)
        self.forwards.append(self.forward.total())
        self.accuracies.append(statistics.fmean(accuracies))

    def forget(self) -> None:
        """Forget what was measured."""
        for measured in (self.seconds, self.forwards, self.accuracies):
            measured.clear()

    def outside(self) -> list[float]:
        """Return the share of each round outside the forward passes, in 0 … 1."""
        return [
            1 - forward / (self.workers * seconds)
            for forward, seconds in zip(self.forwards, self.seconds, strict=True)
        ]


def main() -> int:
    """Run the benchmark, print its tables, write its result; return the exit status."""
    options = arguments()
    record: dict[str, Any] = {"date": date.today().isoformat(), **surroundings(), "load_before": os.getloadavg()}
    record["machine"] = str(record["machine"]).replace(", one thread used", "")
    record["packages"] |= {name: installed(name) for name in PACKAGES}
    record["workloads"] = []
    try:
        for name in options.workloads:
            with tempfile.TemporaryDirectory(prefix="faa-benchmark-") as folder, ExitStack() as stack:
                record["workloads"].append(measured(name, options, Path(folder), stack))
            print(shown(record["workloads"][-1]), flush=True)
    except FaaError as error:
        print(error, file=sys.stderr)
        return 1
    output = options.output or RESULTS / f"search-cpu-{record['date']}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(record, indent=1) + "\n")
    print(f"Wrote {output}")
    return 0


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", nargs="*", default=list(WORKLOADS)[:2], choices=tuple(WORKLOADS))
    parser.add_argument("--rounds", type=int, help="of all ways in turn, after one that warms up (default: 7)")
    parser.add_argument("--trials", type=int, help="in each round (default: the workload's)")
    parser.add_argument("--views", type=int, default=5)
    parser.add_argument("--layouts", nargs="*", default=list(LAYOUTS), choices=tuple(LAYOUTS), metavar="PxT")
    parser.add_argument("--precisions", nargs="*", default=list(PRECISIONS), choices=PRECISIONS)
    parser.add_argument("--loader-workers", nargs="*", type=int, default=[0, 1, 2], help="the original's best is taken")
    parser.add_argument("--proposing", choices=("aside", "here"), default="aside", help="in a process of its own")
    parser.add_argument("--quick", action="store_true", help="100 images, 2 trials, 2 rounds, to try the benchmark")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 7)
    return options


def measured(name: str, options: argparse.Namespace, folder: Path, stack: ExitStack) -> dict[str, Any]:
    """Return a workload's figures.

    Raises:
        FaaError: If the ways do not do the same, or CIFAR-10 is not there.
    """
    workload = WORKLOADS[name]
    trials = options.trials or (2 if options.quick else workload.trials)
    config = settings(workload, trials=trials, views=options.views, quick=options.quick)
    histories = Histories(config)
    proposals = Proposals(histories.space, [histories.known(number) for number in range(trials)])
    check_proposals(histories, proposals, trials)
    search(config.model_copy(update={"stage": "folds"}), folder)
    make = opened(config, folder)
    proposer = stack.enter_context(proposing(histories, options.proposing))
    ours = [
        our_way(Ours(make, histories, LAYOUTS[layout], precision, proposer, stack), layout, precision)
        for layout in options.layouts
        for precision in options.precisions
    ]
    scoring, forward = original_scoring(Ours.bench(make, config), folder / "original", views=options.views)
    chosen = [choose_workers(scoring, histories, proposals, manner, options.loader_workers) for manner in MANNERS]
    originals = [
        original_way(scoring, forward, histories, proposals, manner, min(times, key=lambda count: times[count]))
        for manner, times in zip(MANNERS, chosen, strict=True)
    ]
    interleaved([way for pair in _zipped(originals, ours) for way in pair], rounds=options.rounds)
    check_accuracies(originals[-1], ours, images=len(scoring.labels_N))
    return {
        "workload": name,
        "held_out_images": len(scoring.labels_N),
        "side": scoring.images_NHWC.shape[1],
        "views": options.views,
        "trials": trials,
        "earlier_trials": histories.depth,
        "rounds": options.rounds,
        "proposing": options.proposing,
        "loader_workers": {manner.name: times for manner, times in zip(MANNERS, chosen, strict=True)},
        "ways": [figures(way, trials) for way in (*originals, *ours)],
        "ratios": [compared(original, way) for original in originals for way in ours],
    }
