"""How fast a CUDA device augments whole batches: ours, torchvision v2 and kornia, in one run.

A call is timed with CUDA events, after the device's cache was cleared; a figure is the median over all calls, a ratio
the median over rounds with its 95 % bootstrap interval. The bandwidth of a copy, measured in the same rounds, says how
near a figure is to what the memory allows. Before timing, the pixels are compared bit by bit with the CPU's, and a
profile must show that a call neither waits for the device nor copies anything back.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from augment import policy_of, spread
from harness import Ratio, ratio, surroundings
from images import pool
from measuring import BASELINE, NORMALIZE, Epochs
from numpy.typing import NDArray
from operations import sampled, torchvision_operation
from peers import kornia_auto
from torch import Tensor
from torch.profiler import ProfilerActivity, profile, record_function

from faa_core import FaaError, Policy
from faa_core.applying import PolicyBatch
from faa_core.engines.choosing import engine_for, missing_for

RESULTS = Path(__file__).parent / "results"
BATCHES = ((32, 512), (224, 256))  # side and images
WORKLOADS = ("random-500", "fa-reduced-cifar10", "randaugment", "trivialaugment")
WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")
CACHE = 1 << 28  # bytes that are cleared before each call: more than a device caches
CALLS = 5  # in a round
TOLD_APART = "augmenting"


def main() -> int:
    """Run the benchmark, print its tables, write its result; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS), choices=WORKLOADS)
    parser.add_argument("--output", type=Path, default=RESULTS / f"augment-gpu-{date.today().isoformat()}.json")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        needs = "This benchmark needs a CUDA device, and torch finds none; benchmarks/augment.py is for CPUs."
        print(needs, file=sys.stderr)
        return 1
    tables = []
    try:
        for workload in options.workloads:
            for side, batch in BATCHES:
                tables.append(measured(workload, side, batch, rounds=options.rounds))
                print(shown(tables[-1]), flush=True)
    except FaaError as error:
        print(error, file=sys.stderr)
        return 1
    device = torch.cuda.get_device_properties(0)
    hardware = {"gpu": device.name, "gpu_memory": device.total_memory, "cuda": torch.version.cuda}
    record = {**surroundings(), **hardware, "rounds": options.rounds, "calls_per_round": CALLS, "tables": tables}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(record, indent=1) + "\n")
    print(f"Wrote {options.output}")
    return 0


def measured(workload: str, side: int, batch: int, *, rounds: int) -> dict[str, Any]:
    """Return a table: a policy on batches of one size.

    Raises:
        FaaError: If the pixels are not the CPU's, or a call waits for the device.
    """
    policy, images = policy_of(workload), pool(side)
    images_BCHW = images.batch(batch)
    on_gpu_BCHW = images_BCHW.cuda()
    modules = {"ours, uint8": policy.to_batch(), "ours, plain torch": policy.to_batch(engine="torch")}
    if side == 32:
        modules["ours, training transform"] = policy.to_batch(baseline=BASELINE, normalize=NORMALIZE)
    runs: dict[str, Callable[[], object]] = {}
    for name, module in modules.items():
        module.cuda()
        check_bits(name, module, images_BCHW)
        runs[name] = Epochs(module, on_gpu_BCHW, torch.arange(batch))
        if name != "ours, plain torch":
            check_waits(name, runs[name])
    runs |= {name: partial(run, on_gpu_BCHW) for name, run in peers(policy).items()}
    times_RN, bandwidth = interleaved(list(runs.values()), rounds)
    return {
        "workload": workload,
        "side": side,
        "batch": batch,
        "images": images.source,
        "engine": engine_for("auto", missing_for(policy), on_gpu_BCHW),
        "copy_bytes_per_second": bandwidth,
        "rows": [
            row(name, times_RN[:, at], times_RN[:, 0], batch, images_BCHW.numel(), bandwidth)
            for at, name in enumerate(runs)
        ],
    }


def row(
    name: str, us_R: NDArray[np.float64], ours_R: NDArray[np.float64], batch: int, values: int, bandwidth: float
) -> dict[str, Any]:
    """Return the figures of one contender, from its µs per batch in every round."""
    us = float(np.median(us_R))
    moved = values * (5 if name.endswith("training transform") else 2)  # a byte read, float32 or a byte written
    return {
        "name": name,
        "equivalence": "ours" if name.startswith("ours") else "batch-shared",
        "us_per_batch": us,
        "best_us_per_batch": float(us_R.min()),
        "images_per_second": 1e6 * batch / us,
        "share_of_copy_bandwidth": 1e6 * moved / us / bandwidth,
        "behind_ours": asdict(ratio(us_R, ours_R)),
    }


def peers(policy: Policy) -> dict[str, Callable[[Tensor], Any]]:
    """Return the peers that are installed and can express a policy; both draw once for a whole batch."""
    found: dict[str, Callable[[Tensor], Any] | None] = {"torchvision v2": sampled(policy, torchvision_operation)}
    try:
        found["kornia"] = kornia_auto(policy, device="cuda")
    except ImportError:
        print("kornia is not installed")
    return {name: run for name, run in found.items() if run is not None}


def interleaved(runs: Sequence[Callable[[], object]], rounds: int) -> tuple[NDArray[np.float64], float]:
    """Return µs per call ``[R, N]`` and the bytes per second, read plus written, of a copy in the same rounds."""
    source, target = torch.empty(2, CACHE, dtype=torch.uint8, device="cuda").unbind()
    for run in runs:
        for _call in range(3):  # compiles, allocates
            run()
    times_RN, copies_R = np.empty((rounds, len(runs))), np.empty(rounds)
    for at in range(rounds):
        copies_R[at] = median_us(partial(target.copy_, source), target)
        times_RN[at] = [median_us(run, target) for run in runs]
    return times_RN, 2 * CACHE / float(np.median(copies_R)) * 1e6


def median_us(run: Callable[[], object], cache: Tensor) -> float:
    """Return the median µs between two events about a call; launching it is hidden while the cache is cleared."""
    event = partial(torch.cuda.Event, enable_timing=True)
    pairs = [(event(), event()) for _call in range(CALLS)]
    torch.cuda.synchronize()
    for start, end in pairs:
        cache.zero_()
        start.record()
        run()
        end.record()
    torch.cuda.synchronize()
    return 1e3 * float(np.median([start.elapsed_time(end) for start, end in pairs]))


def check_bits(name: str, module: PolicyBatch, images_BCHW: Tensor) -> None:
    """Compare a module's results on the device with the CPU's.

    Raises:
        FaaError: If a bit differs.
    """
    indices = torch.arange(len(images_BCHW))
    here = deepcopy(module).cpu()(images_BCHW, seed=1, epoch=2, indices=indices)
    there = module(images_BCHW.cuda(), seed=1, epoch=2, indices=indices)
    if not torch.equal(here, there.cpu()):
        share = float((here != there.cpu()).float().mean())
        raise FaaError(f"{name}: {share:.4%} of the values differ between CPU and GPU, so nothing is timed.")


def check_waits(name: str, run: Callable[[], object]) -> None:
    """Look in a profile for waiting and for copies back to the host.

    Raises:
        FaaError: If there are any.
    """
    run()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        with record_function(TOLD_APART):
            for _call in range(3):
                run()
        torch.cuda.synchronize()
    events = profiled.events() or []
    spans = [event.time_range for event in events if event.name == TOLD_APART]
    inside = {
        event.name
        for event in events
        if event.name in WAITS and any(span.start <= event.time_range.start <= span.end for span in spans)
    }
    back = {event.name for event in events if "DtoH" in event.name}
    if not spans or inside or back:
        raise FaaError(f"{name}: a call waits for the device: {', '.join(sorted(inside | back)) or 'no profile'}.")


def shown(table: dict[str, Any]) -> str:
    """Return a table for people."""
    size = f"{table['batch']}×3×{table['side']}×{table['side']}, engine {table['engine']}; {table['images']}"
    lines = [f"\n{table['workload']}, {size}; a copy moves {table['copy_bytes_per_second'] / 1e12:.2f} TB/s"]
    lines += [
        f"  {row['name']:26} {row['equivalence']:13} {row['us_per_batch']:10.1f} µs/batch "
        f"{row['images_per_second']:14,.0f} images/s {row['share_of_copy_bandwidth']:7.1%} of the copy's bandwidth, "
        f"takes {spread(Ratio(**row['behind_ours']))} × {table['rows'][0]['name']}"
        for row in table["rows"]
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
