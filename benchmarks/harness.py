"""Timing contenders against each other: interleaved rounds in one process, CPU time of one thread, ratios with spread.

Other load on the machine meets all contenders of a round alike, so a ratio within a round means more than a time, and
the median over rounds more than either. Shapes: R rounds, N contenders.
"""

import gc
import os
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

Timer = Callable[[Callable[[], object], int], float]

RESAMPLES = 2000
PACKAGES = (
    "faa-core",
    "numpy",
    "pillow",
    "torch",
    "torchvision",
    "numba",
    "triton",
    "timm",
    "kornia",
    "albumentations",
    "opencv-python-headless",
)


@dataclass(frozen=True, slots=True)
class Contender:
    """Something to be timed.

    Attributes:
        name: Shown in tables.
        run: Augments `images` images.
        images: How many that are.
        share: How many times as long as others it is timed in a round; more for what varies more.
    """

    name: str
    run: Callable[[], object]
    images: int
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as long one takes as another.

    Attributes:
        median: Over the rounds.
        low: Lower end of the median's 95 % bootstrap interval.
        high: Upper end of it.
        best: Ratio of the two shortest times of all rounds.
    """

    median: float
    low: float
    high: float
    best: float


def one_thread() -> None:
    """Keep torch and OpenCV to one thread; the rest has only one."""
    torch.set_num_threads(1)
    try:
        import cv2  # noqa: PLC0415 an optional peer needs it
    except ImportError:
        return
    cv2.setNumThreads(0)


def interleave(
    contenders: Sequence[Contender], *, rounds: int, seconds: float, timer: Timer | None = None
) -> NDArray[np.float64]:
    """Return seconds per image, ``[R, N]``: every round times each contender once, in the same order.

    Args:
        contenders: N of them.
        rounds: R, without the one that warms up.
        seconds: About how long a contender is timed in a round.
        timer: Returns the seconds of a number of calls; CPU seconds of this process if None.
    """
    timer = timer or timed
    calls = [calibrated(contender, seconds * contender.share, timer) for contender in contenders]
    times_RN = np.empty((rounds, len(contenders)))
    collecting = gc.isenabled()
    gc.disable()
    try:
        for row_N in times_RN:
            for at, (contender, count) in enumerate(zip(contenders, calls, strict=True)):
                row_N[at] = timer(contender.run, count) / (count * contender.images)
            gc.collect()
    finally:
        if collecting:
            gc.enable()
    return times_RN


def calibrated(contender: Contender, seconds: float, timer: Timer) -> int:
    """Return how many calls take about the given seconds, after one that warms up; no two need take the same."""
    timer(contender.run, 1)  # compiles, allocates, fills caches
    count, spent = 1, timer(contender.run, 1)
    while spent < seconds / 2:
        spent += timer(contender.run, count)
        count *= 2
    return max(1, round(count * seconds / spent))


def timed(run: Callable[[], object], count: int) -> float:
    """Return the CPU seconds of this process for a number of calls."""
    started = time.process_time()
    for _call in range(count):
        run()
    return time.process_time() - started


def ratio(times_R: NDArray[np.float64], base_R: NDArray[np.float64]) -> Ratio:
    """Return how many times as long as the base something takes, round by round."""
    ratios_R = times_R / base_R
    generator = np.random.default_rng(0)
    medians = np.median(generator.choice(ratios_R, (RESAMPLES, len(ratios_R))), axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return Ratio(float(np.median(ratios_R)), float(low), float(high), float(times_R.min() / base_R.min()))


def surroundings() -> dict[str, object]:
    """Return where and with what something is measured: hardware, commit and versions."""
    return {
        "machine": f"{platform.machine()}, {processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}",
        "commit": commit(),
        "python": platform.python_version(),
        "packages": {name: installed(name) or "not installed" for name in PACKAGES},
    }


def installed(package: str) -> str | None:
    """Return the version of an installed package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """Return the processor's name, which Linux keeps in a separate file."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown processor")


def commit() -> str:
    """Return the commit measured, with "-dirty" if files differ from it; "" outside a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip()
