"""How fast one CPU core augments: ours, the original's way and every peer, in one run.

Every table has one policy, one image size and one way for images to come (one by one, or in batches). Before timing,
our pixels are compared with Pillow's. Rounds interleave all contenders; a figure is the median over rounds of the CPU
time per image, a ratio the median of the rounds' ratios with its 95 % bootstrap interval. See `peers` for what each
peer does, and how far that is the same work.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from harness import Ratio, one_thread, surroundings
from images import Pool, pool
from measuring import Case, Row, measure

from faa_core import FaaError, Policy, random_policy

RESULTS = Path(__file__).parent / "results"
WORKLOADS = ("random-500", "fa-reduced-cifar10", "autoaugment-cifar10", "randaugment", "trivialaugment")
QUICK = ("random-500", "randaugment")
SIDES = (32, 224)
BATCH, QUICK_BATCH = {32: 512, 224: 64}, {32: 512, 224: 16}
OTHER_BATCHES = (64, 2048)  # of the first workload at 32 pixels
FULL = "full CIFAR transform"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A ratio to the original's way that one of ours should reach in a table."""

    says: str
    workload: str
    side: int
    batch: int
    name: str
    must: float
    want: float


GOALS = (
    Goal(says="32 px", workload=WORKLOADS[0], side=32, batch=512, name="ours, numba", must=20, want=30),
    Goal(says="224 px", workload=WORKLOADS[0], side=224, batch=64, name="ours, numba", must=2.5, want=4),
    Goal(says=FULL, workload=FULL, side=32, batch=512, name="ours, numba", must=40, want=60),
    Goal(says="32 px, plain torch", workload=WORKLOADS[0], side=32, batch=512, name="ours, torch", must=3, want=4),
)


def main() -> int:
    """Run the benchmark, print its tables, write its result; return the exit status."""
    options = arguments()
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it asks the network for its newest version when imported
    one_thread()
    started, tables = time.monotonic(), []
    try:
        for case in cases(options):
            rows = measure(case, options.engines, rounds=options.rounds, seconds=options.seconds)
            tables.append((case, rows))
            print(shown(case, rows), flush=True)
    except FaaError as error:
        print(error, file=sys.stderr)
        return 1
    verdicts = judged(tables)
    print("\n".join(verdicts))
    record = {
        **surroundings(),
        "threads": 1,
        "rounds": options.rounds,
        "seconds_per_round": options.seconds,
        "minutes": round((time.monotonic() - started) / 60, 2),
        "goals": verdicts,
        "tables": [recorded(case, rows) for case, rows in tables],
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(record, indent=1) + "\n")
    print(f"Wrote {options.output}")
    return 0


def arguments() -> argparse.Namespace:
    """Return the command line's settings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="less of everything, on made-up images: under a minute")
    parser.add_argument("--rounds", type=int, help="default: 11, quick 4")
    parser.add_argument("--seconds", type=float, help="for each contender in a round; default: 0.05, quick 0.01")
    parser.add_argument("--workloads", nargs="+", choices=(*WORKLOADS, FULL), help="default: all")
    parser.add_argument("--sides", nargs="+", type=int, default=list(SIDES), choices=SIDES)
    parser.add_argument("--engines", nargs="+", default=["numba", "torch"], choices=("numba", "torch"))
    parser.add_argument("--output", type=Path, default=RESULTS / f"augment-cpu-{date.today().isoformat()}.json")
    options = parser.parse_args()
    options.rounds = options.rounds or (4 if options.quick else 11)
    options.seconds = options.seconds or (0.01 if options.quick else 0.05)
    options.workloads = options.workloads or [*(QUICK if options.quick else WORKLOADS), FULL]
    return options


def cases(options: argparse.Namespace) -> list[Case]:
    """Return the tables to measure."""
    pools: dict[int, Pool] = {side: pool(side, real=not options.quick) for side in options.sides}
    found = []
    for workload in options.workloads:
        if workload == FULL:
            continue
        policy = policy_of(workload)
        for side, images in pools.items():
            sizes = [1, (QUICK_BATCH if options.quick else BATCH)[side]]
            if workload == WORKLOADS[0] and side == 32 and not options.quick:
                sizes += OTHER_BATCHES
            found += [Case(workload=workload, policy=policy, pool=images, batch=size) for size in sizes]
    if FULL in options.workloads and 32 in pools:
        policy = policy_of("fa-reduced-cifar10")
        found.append(Case(workload=FULL, policy=policy, pool=pools[32], batch=BATCH[32], train=True))
    return found


def policy_of(workload: str) -> Policy:
    """Return the policy of a workload."""
    return random_policy(500, seed=0) if workload == "random-500" else Policy.load(workload)


def shown(case: Case, rows: list[Row]) -> str:
    """Return a table for people."""
    best = next(row.name for row in rows if row.equivalence == "ours" and row.us is not None)
    heads = ["equivalence", "µs/image", "images/s", "× as fast as the original", f"takes × {best}"]
    lines = [
        f"\n{case.workload}, {case.side} px, {case.path}; {case.pool.source}",
        f"  {'':42} {heads[0]:18} {heads[1]:>9} {heads[2]:>9} {heads[3]:>30} {heads[4]:>30}",
    ]
    for row in rows:
        head = f"  {row.name + ' ' + row.version:42} {row.equivalence:18}"
        if row.us is None:
            lines.append(f"{head} {row.status}")
        else:
            ratios = f"{spread(row.original):>30} {spread(row.behind.get(best)):>30}"
            lines.append(f"{head} {row.us:9.2f} {1e6 / row.us:9,.0f} {ratios}")
    return "\n".join(lines)


def spread(found: Ratio | None) -> str:
    """Return a ratio with its interval."""
    return "" if found is None else f"{found.median:.2f} [{found.low:.2f}, {found.high:.2f}]"


def judged(tables: list[tuple[Case, list[Row]]]) -> list[str]:
    """Return what became of the goals, in words."""
    lines = []
    for goal in GOALS:
        for case, rows in tables:
            if (case.workload, case.side, case.batch) != (goal.workload, goal.side, goal.batch):
                continue
            for row in rows:
                if row.name == goal.name and row.original is not None:
                    reached = "wanted" if row.original.median >= goal.want else "reached"
                    verdict = reached if row.original.median >= goal.must else "MISSED"
                    lines.append(
                        f"{goal.says}: {spread(row.original)} × the original's way; "
                        f"at least {goal.must:g}, wanted {goal.want:g}: {verdict}"
                    )
    behind = [
        f"{case.workload}, {case.side} px, {case.path}: {row.name} takes {spread(ahead)} × {ours}"
        for case, rows in tables
        for row in rows
        if row.equivalence != "ours"
        for ours, ahead in list(row.behind.items())[:1]
        if ahead.low <= 1
    ]
    compared = sum(row.us is not None and row.equivalence != "ours" for _case, rows in tables for row in rows)
    return [
        *lines,
        f"The first of ours in each table is not clearly ahead of a peer in {len(behind)} of {compared} rows.",
        *behind,
    ]


def recorded(case: Case, rows: list[Row]) -> dict[str, Any]:
    """Return a table for JSON."""
    return {
        "workload": case.workload,
        "side": case.side,
        "path": case.path,
        "batch": case.batch,
        "images": case.pool.source,
        "rows": [row.record() for row in rows],
    }


if __name__ == "__main__":
    sys.exit(main())
