"""Trains on CIFAR-10 as a recipe says, with several policies and seeds: errors, images per second, time spent waiting.

Times are those of the loop as its user has it: of `train`, from the table of epochs that it writes. Where they are
known, the seconds that an epoch of 50,000 images should take on one H200 (worked out on paper from the network's
arithmetic), and the published errors, are set beside what was measured. The same command again resumes.

    FAA_TEST_DATA=DIR python benchmarks/training.py --recipe cifar10/wrn40_2 --runs runs/benchmark
"""

import argparse
import csv
import json
import statistics
import sys
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import torch
import yaml
from cifar10 import cifar10
from harness import surroundings

from faa_core import FaaError
from faa_search.settings import TrainConfig
from faa_search.settings.lists import parts_of
from faa_search.settings.recipes import load_recipe
from faa_search.settings.resolving import Layer, resolve
from faa_search.training import train

RESULTS = Path(__file__).parent / "results"
ON_PAPER = {  # seconds per epoch on one H200: arithmetic at 400 TFLOP/s, roofline, estimate
    "wrn40_2": (0.27, 0.57, 1.1),
    "wrn28_10": (4.5, 5.3, 6.6),
    "shakeshake26_2x32d": (0.32, 0.72, 1.4),
}
PUBLISHED = {"wrn40_2": {"none": 5.3, "fa-reduced-cifar10": 3.6}}  # errors in per cent, arXiv:1905.00397


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training run.

    Attributes:
        policy: Its name.
        seed: Of the run.
        error: On the test split, last epoch, in per cent.
        epochs: How many.
        epoch_seconds: Median over the epochs but the first, which also loads and compiles.
        images_per_second: In such an epoch.
        waiting: Share of the time spent waiting for images, median over the same.
    """

    policy: str
    seed: int
    error: float
    epochs: int
    epoch_seconds: float
    images_per_second: float
    waiting: float


def main() -> int:
    """Do the trainings, print a table, write the result; return the exit status."""
    options = arguments()
    try:
        data = cifar10()
    except FaaError as error:
        print(error, file=sys.stderr)
        return 1
    changes = {key: yaml.safe_load(value) for key, value in (pair.split("=", 1) for pair in options.set)}
    print(f"{'policy':24} {'seed':>4} {'error %':>8} {'s/epoch':>8} {'images/s':>9} {'waiting':>8}")
    runs = []
    for seed in range(options.seeds):
        for policy in parts_of(options.policies):
            own = {"dataset": str(data), "policy": policy, "seed": seed, "device": options.device}
            layers = [load_recipe(options.recipe).layer("train"), Layer("benchmark", own), Layer("--set", changes)]
            config = resolve(TrainConfig, layers)
            runs.append(measured(config, options.runs / f"{policy}-{seed}"))
            print(shown(runs[-1]), flush=True)
    cuda = torch.cuda.is_available() and options.device != "cpu"
    device = torch.cuda.get_device_name() if cuda else "cpu"
    record = {"date": date.today().isoformat(), **surroundings(), "device": device, "threads": torch.get_num_threads()}
    record |= {"recipe": options.recipe, "changes": changes, "runs": [asdict(run) for run in runs]}
    record |= {"published_errors": PUBLISHED.get(config.model), "seconds_on_paper_h200": ON_PAPER.get(config.model)}
    name = f"training-{options.recipe.replace('/', '-')}-{'cuda' if cuda else 'cpu'}-{record['date']}.json"
    output = options.output or RESULTS / name
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(record, indent=1) + "\n")
    print(f"Wrote {output}")
    return 0


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="cifar10/wrn40_2")
    parser.add_argument("--policies", default="none,fa-reduced-cifar10,trivialaugment")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings to change, such as epochs=5"
    )
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def measured(config: TrainConfig, directory: Path) -> Run:
    """Do a training, or what is left of it, and return its figures."""
    result = train(config, directory)
    assert result.test is not None  # noqa: S101 the data set has a test split
    with (directory / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    later = rows[1:] or rows
    seconds = statistics.median(float(row["seconds"]) for row in later)
    images = (config.train_subset or 50_000) // config.batch_size * config.batch_size
    return Run(
        policy=config.policy,
        seed=config.seed,
        error=100 * (1 - result.test.top1),
        epochs=config.epochs,
        epoch_seconds=seconds,
        images_per_second=images / seconds,
        waiting=statistics.median(float(row["waiting"]) for row in later),
    )


def shown(run: Run) -> str:
    """Return a run as a line of the table."""
    return (
        f"{run.policy:24} {run.seed:4} {run.error:8.2f} {run.epoch_seconds:8.2f} {run.images_per_second:9,.0f} "
        f"{100 * run.waiting:6.2f} %"
    )


if __name__ == "__main__":
    sys.exit(main())
