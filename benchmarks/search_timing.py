"""Timing ways of doing the same trials in turn, checking that they do the same, and setting them side by side."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from harness import ratio
from search_trials import Done
from torch import nn

from faa_core import FaaError

LIMIT = 5.0  # standard errors by which accuracies may differ where the same is done to the images


@dataclass(frozen=True, slots=True)
class ForwardTimes:
    """Seconds of forward passes, in a file that several processes write to.

    Attributes:
        path: Of the file: a line for each pass.
    """

    path: Path

    def attach(self, model: nn.Module) -> None:
        """Have a network's passes timed from now on."""
        began: list[float] = []

        def begin(_model: nn.Module, _given: Any) -> None:
            began.append(time.perf_counter())

        def end(_model: nn.Module, _given: Any, _returned: Any) -> None:
            seconds = time.perf_counter() - began.pop()
            with self.path.open("a") as file:
                file.write(f"{seconds}\n")

        model.register_forward_pre_hook(begin)
        model.register_forward_hook(end)

    def clear(self) -> None:
        """Forget all passes."""
        self.path.unlink(missing_ok=True)

    def total(self) -> float:
        """Return the sum of all passes."""
        return sum(map(float, self.path.read_text().split())) if self.path.is_file() else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One of the ways to do the trials.

    Attributes:
        name: Shown in tables.
        threads: Of torch in this process.
        workers: Processes with a network.
        forward: Has their forward passes' seconds.
        run: Does the trials, and returns them in the order of their rounds.
    """

    name: str
    threads: int
    workers: int
    forward: ForwardTimes
    run: Callable[[], Sequence[Done]]


class Sample(NamedTuple):
    """A round of a way.

    Attributes:
        seconds: Wall-clock time of all trials.
        outside: Share of its workers' time that was not forward passes, in 0 … 1.
        accuracy: Mean over the trials.
    """

    seconds: float
    outside: float
    accuracy: float


Samples = dict[str, list[Sample]]  # by way


def alternating(some: Sequence[Way], others: Sequence[Way]) -> list[Way]:
    """Return ways of two kinds in turn; those of the longer kind that are left come last."""
    pairs = zip_longest(some, others)
    return [way for way in chain.from_iterable(pairs) if way is not None]


def interleaved(ways: Sequence[Way], *, rounds: int) -> Samples:
    """Return the samples of some rounds; in each, as in one before that warms up, every way has its turn.

    Raises:
        FaaError: If the ways do not try the same policies.
    """
    samples: Samples = {way.name: [] for way in ways}
    tried = [[done.params for done in timed(way)[1]] for way in ways]
    for way, params in zip(ways, tried, strict=True):
        if params != tried[0]:
            raise FaaError(f"'{way.name}' tries other policies than '{ways[0].name}', so their times say nothing.")
    for _round in range(rounds):
        for way in ways:
            samples[way.name].append(timed(way)[0])
    return samples


def timed(way: Way) -> tuple[Sample, Sequence[Done]]:
    """Do the trials once, on the clock."""
    torch.set_num_threads(way.threads)
    way.forward.clear()
    started = time.perf_counter()
    done = way.run()
    seconds = time.perf_counter() - started
    outside = 1 - way.forward.total() / (way.workers * seconds)
    return Sample(seconds, outside, statistics.fmean(one.accuracy for one in done)), done


def check_accuracies(samples: Samples, original: str, *, images: int) -> None:
    """Compare ours with the original where it does the same to the images, so that only the draws differ.

    Args:
        samples: Of all ways; ours begin with "ours".
        original: Which way of the original.
        images: Held out.

    Raises:
        FaaError: If an accuracy is too far off for that.
    """
    expected = statistics.fmean(sample.accuracy for sample in samples[original])
    reach = LIMIT * math.sqrt(0.5 / images)  # at most: draws of one image are independent, those of trials need not be
    for name, several in samples.items():
        found = statistics.fmean(sample.accuracy for sample in several)
        if name.startswith("ours") and abs(found - expected) > reach:
            raise FaaError(f"'{name}' is right about {found:.3f} of the images, '{original}' about {expected:.3f}.")


def figures(samples: Samples, name: str, *, trials: int) -> dict[str, Any]:
    """Return what was measured of a way."""
    several = samples[name]
    return {
        "name": name,
        "seconds": [sample.seconds for sample in several],
        "seconds_per_trial": statistics.median(sample.seconds for sample in several) / trials,
        "outside_forward": [sample.outside for sample in several],
        "accuracy": statistics.fmean(sample.accuracy for sample in several),
    }


def compared(samples: Samples, original: str, ours: str) -> dict[str, Any]:
    """Return how many times as long as ours the original takes."""
    slow, quick = (np.array([sample.seconds for sample in samples[name]]) for name in (original, ours))
    return {"original": original, "ours": ours, **asdict(ratio(slow, quick))}


def table(record: dict[str, Any]) -> list[str]:
    """Return a workload's figures as lines: all ways, then the ratios to the fastest of ours in each precision."""
    size = f"{record['held_out_images']:,} images of {record['side']} px × {record['views']} views"
    lines = [
        f"\n{record['workload']}: {record['trials']} trials of {size}, {len(record['ways'][0]['seconds'])} rounds",
        f"{'way':38} {'s/trial':>9} {'outside the forward [range]':>29} {'right':>7}",
    ]
    for way in record["ways"]:
        outside = way["outside_forward"]
        share = f"{statistics.median(outside):.1%} [{min(outside):.1%}, {max(outside):.1%}]"
        lines.append(f"{way['name']:38} {way['seconds_per_trial']:9.4f} {share:>29} {way['accuracy']:7.3f}")
    for ours in fastest_of_ours(record):
        for row in record["ratios"]:
            if row["ours"] == ours:
                spread = f"{row['median']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
                lines.append(f"{row['original']} takes {spread} times as long as {ours}")
    return lines


def fastest_of_ours(record: dict[str, Any]) -> list[str]:
    """Return the name of our fastest way in each precision."""
    fastest: dict[str, dict[str, Any]] = {}
    for way in record["ways"]:
        if way["name"].startswith("ours"):
            precision = way["name"].split(", ")[1]
            best = fastest.setdefault(precision, way)
            fastest[precision] = min(best, way, key=lambda one: float(one["seconds_per_trial"]))
    return [way["name"] for way in fastest.values()]
