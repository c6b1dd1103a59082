"""How fast one CPU core augments image by image: our per-image path and torchvision's, the same policy, one run.

Rounds of both are interleaved, so that other load on the machine meets both alike; a figure is the median over rounds
of the CPU time per image, a ratio the median of the rounds' ratios with its 95 % bootstrap interval. That the pixels
are the same is a test: `packages/faa-core/tests/test_torchvision.py`.
"""

import argparse
import json
import platform
import subprocess
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.Image import Image as PILImage
from torchvision.transforms import v2

from faa_core import Policy
from faa_search.run_directory import versions

RESULTS = Path(__file__).parent / "results"
PEERS: dict[str, Callable[[], Callable[[PILImage], object]]] = {
    "autoaugment-cifar10": lambda: v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10),
    "randaugment": v2.RandAugment,
    "trivialaugment": v2.TrivialAugmentWide,
}


def main() -> None:
    """Run the benchmark; print a table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--output", type=Path, default=RESULTS / f"augment-{date.today().isoformat()}.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [
        measure(name, side, rounds=arguments.rounds, count=arguments.images if side == 32 else arguments.images // 5)
        for side in (32, 224)
        for name in PEERS
    ]
    print(f"{'policy':20} {'side':>4} {'torchvision':>12} {'ours':>9} {'ratio':>6}  95 % interval (CPU time per image)")
    for row in rows:
        low, high = row["interval"]
        print(
            f"{row['policy']:20} {row['side']:4} {row['torchvision_us']:9.1f} µs {row['ours_us']:6.1f} µs "
            f"{row['ratio']:6.2f}  {low:.2f} … {high:.2f}"
        )
    record = {
        "rows": rows,
        "rounds": arguments.rounds,
        "machine": f"{platform.machine()}, {processor()}, one thread",
        "commit": commit(),
        "python": platform.python_version(),
        "packages": versions(),
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(record, indent=1) + "\n")
    print(f"Wrote {arguments.output}")


def processor() -> str:
    """Return the processor's name, which Linux keeps in a file of its own."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown processor")


def commit() -> str:
    """Return the commit measured, or "" outside a checkout."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip()


def measure(name: str, side: int, *, rounds: int, count: int) -> dict[str, object]:
    """Return the figures of one policy at one image side."""
    images = photographs_like(count, side)
    ours, peer = Policy.load(name).transform(), PEERS[name]()
    for transform in (ours, peer):
        seconds(transform, images[: count // 10])  # warms up
    times = np.array([(seconds(peer, images), seconds(ours, images)) for _round in range(rounds)]) / count
    ratios = times[:, 0] / times[:, 1]
    generator = np.random.default_rng(0)
    medians = np.median(generator.choice(ratios, (2000, rounds)), axis=1)
    return {
        "policy": name,
        "side": side,
        "torchvision_us": float(np.median(times[:, 0]) * 1e6),
        "ours_us": float(np.median(times[:, 1]) * 1e6),
        "ratio": float(np.median(ratios)),
        "interval": [float(end) for end in np.quantile(medians, [0.025, 0.975])],
    }


def seconds(transform: Callable[[PILImage], object], images: list[PILImage]) -> float:
    """Return the CPU seconds that a transform takes for the images."""
    started = time.process_time()
    for image in images:
        transform(image)
    return time.process_time() - started


def photographs_like(count: int, side: int) -> list[PILImage]:
    """Return smooth random images: the histogram operations depend on how many values an image has."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return [Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC) for one in coarse]


if __name__ == "__main__":
    main()
