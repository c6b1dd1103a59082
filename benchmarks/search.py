"""Trials of a search the original's way and ours: wall-clock times of the same trials of the same network, in one run.

Both do all that a trial consists of: TPE's proposal from 30 earlier trials, augmenting every held-out image in several
views, the network's forward passes, the rewards; ours also writes its journal. The earlier trials are recorded, others
for each trial to come, as if each were the next one of a round of its own. So which policies are tried is settled
beforehand, while TPE has its real work: hyperopt proposes for the original, our sampler for ours, and that they propose
the same is checked, as is that accuracies agree where the same is done to the images.

The original gets the number of loader processes and of torch's threads that is fastest for it in the same run (0+2: no
loader processes, two threads). It is measured as released, with gradients recorded; without them; and without the crop,
flip and Cutout that ours does not add to a policy. It has no bfloat16; ours in it is set beside the original's float32
all the same, in lines of its own. It is spared reading data set and network anew for each trial.

Ours is the search's own code: PxT are P worker processes of T threads each, all started, their images and network at
hand, as the original's are. What ours spends outside the forward is its workers' time less that of the network's
forward passes, by hooks on the network: proposing, augmenting, normalising, rewards, journal, and waiting.

    FAA_TEST_DATA=DIR python benchmarks/search.py
"""

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import torch
from cifar10 import cifar10
from harness import installed, surroundings
from original_search import MANNERS, Manner, Proposals, Scoring, trials
from our_search import LAYOUTS, Means, our_way, proposing
from search_timing import ForwardTimes, Way, alternating, check_accuracies, compared, figures, interleaved, table
from search_trials import EARLIER, Recorded

from faa_core import FaaError
from faa_search import search_stage
from faa_search.data import ArraySource
from faa_search.progress import Silent
from faa_search.searching.bench import MakeBench
from faa_search.searching.folding import weights_path
from faa_search.searching.images import open_images
from faa_search.settings import SearchConfig
from faa_search.training.models import model_input
from faa_search.workers.executors.protocol import Place

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("faa-search", "faa-models", "hyperopt", "loky")
SPEED_VARIABLES = ("MALLOC_", "OMP_", "MKL_")  # these change how fast both are
PRECISIONS = ("float32", "bfloat16")
TRIED = 2  # times that a trial is done, for the choice of the original's loader processes and threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What is searched on.

    Attributes:
        data: digits, or cifar10 for a stratified subset of 4,000 images.
        model: timm's name.
        trials: Timed together.
        epochs: That the network is fitted for; enough to be right more often than by chance.
    """

    data: str
    model: str
    trials: int
    epochs: int


WORKLOADS = {
    "digits/wrn16_1": Workload(data="digits", model="wrn16_1", trials=40, epochs=20),
    "cifar10/wrn16_1": Workload(data="cifar10", model="wrn16_1", trials=4, epochs=5),
    "cifar10/wrn40_2": Workload(data="cifar10", model="wrn40_2", trials=2, epochs=2),
}


class Setup(NamedTuple):
    """What the original's speed depends on: processes of each loader, and threads of torch."""

    workers: int
    threads: int

    def __str__(self) -> str:
        return f"{self.workers}+{self.threads}"


def main() -> int:
    """Run the benchmark, print its tables, write its result; return the exit status."""
    options = arguments()
    record: dict[str, Any] = {"date": date.today().isoformat(), **surroundings(), "load_before": os.getloadavg()}
    record["packages"] |= {name: installed(name) for name in PACKAGES}
    record["environment"] = {name: value for name, value in os.environ.items() if name.startswith(SPEED_VARIABLES)}
    record |= {"rounds": options.rounds, "proposing": options.proposing, "workloads": []}
    try:
        for name in options.workloads:
            with tempfile.TemporaryDirectory(prefix="faa-benchmark-") as folder:
                record["workloads"].append(measured(name, options, Path(folder)))
            print("\n".join(table(record["workloads"][-1])), flush=True)
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
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS)[:2], choices=tuple(WORKLOADS))
    parser.add_argument("--rounds", type=int, help="of all ways in turn, after one that warms up (default: 5)")
    parser.add_argument("--trials", type=int, help="in each round (default: the workload's)")
    parser.add_argument("--views", type=int, default=5)
    parser.add_argument("--layouts", nargs="+", default=list(LAYOUTS), choices=tuple(LAYOUTS))
    parser.add_argument("--precisions", nargs="+", default=list(PRECISIONS), choices=PRECISIONS)
    parser.add_argument("--loader-workers", nargs="+", type=int, default=(0, 1, 2), help="the best is taken")
    parser.add_argument("--original-threads", nargs="+", type=int, default=(1, 2), help="the best is taken")
    parser.add_argument("--proposing", choices=("aside", "here"), default="aside", help="ours in a separate process")
    parser.add_argument("--quick", action="store_true", help="few images and trials, 2 rounds, to try the benchmark")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    return options


def measured(name: str, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return a workload's figures.

    Raises:
        FaaError: If the ways do not do the same, or CIFAR-10 is not there.
    """
    config = settings(WORKLOADS[name], options)
    search_stage(config.model_copy(update={"stage": "folds"}), folder)
    images = open_images(config, model_size=model_input(config.model).size, note=Silent().note)
    recorded = Recorded(config)
    with ExitStack() as stack:
        proposer = stack.enter_context(proposing(recorded, aside=options.proposing == "aside"))
        means = Means(config=config, directory=folder, images=images, recorded=recorded, proposer=proposer)
        scoring, forward = original_scoring(means)
        proposals = Proposals(recorded)
        setups = [Setup(*pair) for pair in product(options.loader_workers, options.original_threads)]
        tried = {one.name: setup_times(proposals, scoring, one, setups) for one in MANNERS}
        originals = [
            original_way(proposals, scoring, forward, manner, fastest(tried[manner.name])) for manner in MANNERS
        ]
        pairs = [(layout, precision) for precision in options.precisions for layout in options.layouts]
        ours = [our_way(means, LAYOUTS[layout], precision, stack) for layout, precision in pairs]
        samples = interleaved(alternating(originals, ours), rounds=options.rounds)
    check_accuracies(samples, originals[-1].name, images=len(scoring.labels_N))
    return {
        "workload": name,
        "held_out_images": len(scoring.labels_N),
        "side": scoring.images_NHWC.shape[1],
        "views": config.views,
        "trials": config.width,
        "earlier_trials": EARLIER,
        "original_setups": {
            name: {str(setup): seconds for setup, seconds in times.items()} for name, times in tried.items()
        },
        "ways": [figures(samples, way.name, trials=config.width) for way in (*originals, *ours)],
        "ratios": [compared(samples, original.name, way.name) for original in originals for way in ours],
    }


def settings(workload: Workload, options: argparse.Namespace) -> SearchConfig:
    """Return the settings of a search whose next trials are timed.

    Raises:
        FaaError: If CIFAR-10 is not there.
    """
    subset = 100 if options.quick else (None if workload.data == "digits" else 4000)
    return SearchConfig(
        dataset="digits" if workload.data == "digits" else str(cifar10()),
        train_subset=subset,
        model=workload.model,
        epochs=1 if options.quick else workload.epochs,
        device="cpu",
        folds=1,
        width=options.trials or (2 if options.quick else workload.trials),
        depth=EARLIER + 1,
        views=options.views,
    )


def original_scoring(means: Means) -> tuple[Scoring, ForwardTimes]:
    """Return what the original scores with: the fold's own weights and images, in the layout it has them."""
    weights = {"fold0": weights_path(means.directory, 0).read_bytes()}
    make = MakeBench(config=means.config, directory=means.directory, images=means.images)
    bench = make(Place(device="cpu", fetch=weights.__getitem__))
    model = bench.held_out(0).network.model.eval().to(memory_format=torch.contiguous_format)
    forward = ForwardTimes(means.directory / "forward-original")
    forward.attach(model)
    source = means.images.scored.subset(means.images.folds[0].held_out)
    assert isinstance(source, ArraySource)  # noqa: S101 these images are small
    scoring = Scoring(
        model=model,
        images_NHWC=source.images,
        labels_N=source.labels,
        mean=bench.expected.mean,
        std=bench.expected.std,
        views=means.config.views,
    )
    return scoring, forward


def setup_times(proposals: Proposals, scoring: Scoring, manner: Manner, setups: Sequence[Setup]) -> dict[Setup, float]:
    """Return the seconds of a trial in each setup, the best of some rounds in turn."""
    best = dict.fromkeys(setups, math.inf)
    for _time in range(TRIED):
        for setup in setups:
            torch.set_num_threads(setup.threads)
            started = time.perf_counter()
            trials(proposals, scoring, manner, workers=setup.workers, count=1)
            best[setup] = min(best[setup], time.perf_counter() - started)
    return best


def fastest(times: dict[Setup, float]) -> Setup:
    """Return the setup that takes the shortest time."""
    return min(times, key=lambda setup: times[setup])


def original_way(proposals: Proposals, scoring: Scoring, forward: ForwardTimes, manner: Manner, setup: Setup) -> Way:
    """Return a way of the original."""
    run = partial(trials, proposals, scoring, manner, workers=setup.workers, count=len(proposals))
    return Way(name=f"{manner.name}, {setup}", threads=setup.threads, workers=1, forward=forward, run=run)


if __name__ == "__main__":
    sys.exit(main())
