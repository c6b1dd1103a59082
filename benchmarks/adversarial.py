"""What Adversarial AutoAugment costs: an update with eight copies against eight updates with one, in one run.

All three see as many augmented images: eight updates of one copy each, under one of the controller's policies; one
update of eight copies, each under its own policy, one after the other; and the same, all at once. Rounds interleave
them; a figure is the median over rounds of the CPU time of one thread, a ratio the median of the rounds' ratios with
its 95 % interval. Beside them: the part of it in which images are made, a step of the controller, which comes once an
epoch or as often as is asked for, and the memory that a process needs.

    python benchmarks/adversarial.py
"""

import argparse
import json
import multiprocessing
import resource
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import Contender, Ratio, interleave, one_thread, ratio, surroundings

from faa_core.applying import Baseline
from faa_search.adversarial import Adversary
from faa_search.data import ArraySource
from faa_search.settings import TrainConfig
from faa_search.training import Views
from faa_search.training.checkpoint import EpochPart
from faa_search.training.loading import TrainingBatches
from faa_search.training.models import model_input
from faa_search.training.network import make_network
from faa_search.training.plan import make_plan
from faa_search.training.policies import Drawn
from faa_search.training.trainer import EpochTally, Trainer
from faa_search.training.views import Batch
from faa_search.workers.processes import Alone
from faa_search.workers.ranks import Rank

RESULTS = Path(__file__).parent / "results"
COPIES, SIDE, CLASSES = 8, 32, 10
ALONE, AFTER, AT_ONCE = "8 updates of 1 copy", "8 copies, one after the other", "8 copies at once"
SETTINGS: dict[str, dict[str, int]] = {
    ALONE: {},
    AFTER: {"batch_aug": COPIES},
    AT_ONCE: {"batch_aug": COPIES, "copies_per_pass": COPIES},
}


def main() -> int:
    """Run the benchmark, print its table, write its result."""
    options = arguments()
    one_thread()
    memory = {name: megabytes(name, options) for name in SETTINGS}
    adversary = Adversary(copies=COPIES)
    parts = {name: updating(name, adversary, options) for name in SETTINGS}
    images = COPIES * options.batch_size
    contenders = [Contender(name, update, images) for name, (update, _make) in parts.items()]
    contenders += [Contender(f"images of {name}", make, images) for name, (_update, make) in parts.items()]
    losses = [2.0 + 0.1 * copy for copy in range(COPIES)]
    contenders.append(Contender("step of the controller", lambda: adversary.answer(losses, epoch=0), 1))
    times_RN = interleave(contenders, rounds=options.rounds, seconds=options.seconds)
    medians = dict(zip((one.name for one in contenders), np.median(times_RN, axis=0).tolist(), strict=True))
    ratios = {name: ratio(times_RN[:, at], times_RN[:, 0]) for at, name in enumerate(SETTINGS)}
    rows = [row(name, medians, ratios[name], memory[name]) for name in SETTINGS]
    step = medians["step of the controller"]
    print(f"A step of the controller takes {1000 * step:.1f} ms")
    result = {
        "about": "Adversarial AutoAugment: an update of eight copies against eight of one, CPU time of one thread",
        **surroundings(),
        "model": options.model,
        "batch_size": options.batch_size,
        "rounds": options.rounds,
        "rows": rows,
        "controller_step_seconds": step,
    }
    path = options.output or RESULTS / f"adversarial-cpu-{date.today()}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"Written to {path}")
    return 0


def arguments() -> argparse.Namespace:
    """Return the command's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.5, help="about how long each is timed in a round")
    parser.add_argument("--model", default="wrn16_1")
    parser.add_argument("--batch-size", type=int, default=32, help="different images in an update")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def updating(
    name: str, adversary: Adversary, options: argparse.Namespace
) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return what trains on eight copies of a batch, or on as many images, and what only makes these images."""
    config = TrainConfig(model=options.model, batch_size=options.batch_size, device="cpu", **SETTINGS[name])
    source, processes = noise(options.batch_size), Alone(torch.device("cpu"))
    plan = make_plan(config, len(source), Rank())
    network = make_network(config, model_input(config.model), processes, classes=CLASSES, size=SIDE, seed=0)
    trainer = Trainer(network, config, processes, plan=plan, classes=CLASSES)
    baseline = Baseline(pad=4, hflip=0.5, cutout=16)
    view = Views(
        source=source, size=SIDE, policy=Drawn(adversary.policies), baseline=baseline, seed=1, copies=plan.copies
    )
    order = TrainingBatches(plan, source.labels, sampling="shuffle", epochs=range(10**6), seed=0)
    batches = made(view, order)
    tally = EpochTally(network.device, EpochPart(), copies=plan.copies)
    updates = COPIES // plan.copies

    def update() -> None:
        for _update in range(updates):
            trainer.update(batches, 0, 0, tally)

    keys = iter(order)

    def make() -> None:
        for _pass in range(updates * plan.passes):
            view.__getitems__(next(keys))

    network.model.train()
    return update, make


def made(view: Views, order: TrainingBatches) -> Iterator[Batch]:
    """Give the batches, made here and now."""
    for keys in order:
        yield view.__getitems__(keys)


def noise(images: int) -> ArraySource:
    """Return as many images as an update has; nothing here depends on what they show."""
    pixels_NHWC = np.random.default_rng(0).integers(0, 256, (images, SIDE, SIDE, 3), dtype=np.uint8)
    return ArraySource(pixels_NHWC, np.arange(images) % CLASSES, tuple(map(str, range(CLASSES))))


def megabytes(name: str, options: argparse.Namespace) -> float:
    """Return the most memory that a fresh process needs beyond what it has before its first update, in MB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return float(pool.apply(partial(needed, name, options)))


def needed(name: str, options: argparse.Namespace) -> float:
    """Train a little; return the growth of this process's largest size, in MB."""
    one_thread()
    update, _make = updating(name, Adversary(copies=COPIES), options)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _time in range(3):
        update()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def row(name: str, medians: dict[str, float], found: Ratio, memory: float) -> dict[str, Any]:
    """Print a row, and return it for JSON."""
    share = medians[f"images of {name}"] / medians[name]
    print(
        f"{name}: {1000 * medians[name]:.2f} ms an image; takes {found.median:.3f} [{found.low:.3f}, {found.high:.3f}] "
        f"times as long; {share:.1%} of it makes images; {memory:.0f} MB more"
    )
    return {
        "name": name,
        "seconds_per_image": medians[name],
        "times_as_long": asdict(found),
        "share_of_augmenting": share,
        "megabytes": memory,
    }


if __name__ == "__main__":
    raise SystemExit(main())
