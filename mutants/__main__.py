"""`python -m mutants [N [SEED [FOLDER]]]`: N changes of the sources, each against the tests that belong to it."""

import json
import sys
import tomllib
from collections import Counter, defaultdict
from multiprocessing import get_context
from pathlib import Path

from mutants.belonging import Belonging, read_times
from mutants.running import KILLED, SURVIVED, TIMED_OUT, UNTESTED, Job, make_job, test_mutants
from mutants.sampling import Mutant, sample
from mutants.timing import TIMES

ROOT = Path(__file__).parent.parent
EQUIVALENT = Path(__file__).parent / "equivalent.toml"
LANES = 2  # mutants at once
EQUAL = "equivalent"


def main(arguments: list[str]) -> int:
    """Return the exit code: 1 if a mutant was not killed in time and has no reason in `equivalent.toml`."""
    number, seed, folder = (*arguments, *("120", "0", "")[len(arguments) :])
    belonging = Belonging(ROOT, read_times(TIMES))
    reasons = read_reasons(EQUIVALENT)
    mutants = sample(ROOT, int(number), seed=int(seed), folder=folder)
    jobs = [make_job(ROOT, mutant, belonging) for mutant in mutants]
    results = TIMES.with_name("results.jsonl")
    done = read_outcomes(results)
    test_all([job for job in jobs if job.key not in done and _changed(job.mutant) not in reasons], results)
    done = read_outcomes(results)
    outcomes = [EQUAL if _changed(job.mutant) in reasons else done[job.key] for job in jobs]
    print(table(list(zip(mutants, outcomes, strict=True))))
    return int(any(outcome not in (KILLED, EQUAL) for outcome in outcomes))


def test_all(jobs: list[Job], results: Path) -> None:
    """Test mutants in a few processes; each has its own copy of the repository."""
    context = get_context("fork")
    kept = [results.parent / str(lane) for lane in range(LANES)]
    parts = [(ROOT, kept[lane], jobs[lane::LANES], results) for lane in range(LANES)]
    lanes = [context.Process(target=test_mutants, args=part) for part in parts if part[2]]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()


def read_outcomes(path: Path) -> dict[str, str]:
    """Return what became of each mutant, by its job's key."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {line["key"]: line["outcome"] for line in map(json.loads, lines)}


def read_reasons(path: Path) -> dict[tuple[str, str, str], str]:
    """Return why a changed source does what the unchanged one does, by path and line before and after."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", ())
    return {(entry["path"], entry["before"], entry["after"]): entry["reason"] for entry in entries}


def table(outcomes: list[tuple[Mutant, str]]) -> str:
    """Return rows of counts per folder, then each mutant that was not noticed."""
    kinds = (KILLED, EQUAL, TIMED_OUT, SURVIVED, UNTESTED)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant, outcome in outcomes:
        parts = Path(mutant.path).parts[3:-1]  # below packages/faa-search/src
        counts["/".join(parts[:2])][outcome] += 1
    counts["all"] = Counter(outcome for _, outcome in outcomes)
    rows = [f"{'':<28}" + "".join(f"{kind:>12}" for kind in kinds)]
    rows += [f"{name:<28}" + "".join(f"{found[kind]:>12}" for kind in kinds) for name, found in counts.items()]
    return "\n".join([*rows, *(f"\n{outcome}: {mutant}" for mutant, outcome in outcomes if outcome in kinds[2:])])


def _changed(mutant: Mutant) -> tuple[str, str, str]:
    return mutant.path, mutant.before, mutant.after


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
