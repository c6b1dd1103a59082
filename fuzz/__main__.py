"""`python -m fuzz [CASES [SEED]]`: every target, in a process each; `python -m fuzz TARGET FILE`: one case again."""

import logging
import sys
import warnings
from multiprocessing import get_context
from pathlib import Path

from fuzz.running import HEADING, Outcome, read, run
from fuzz.targets import TARGETS

CASES = 5_000
PROCESSES = 2


def main(arguments: list[str]) -> int:
    """Return the exit code: 1 where anything failed."""
    known = {target.name: target for target in TARGETS}
    warnings.simplefilter("ignore")  # decoders warn and log of damaged images
    logging.disable()
    if arguments and arguments[0] in known:
        failure = read(known[arguments[0]], Path(arguments[1]).read_bytes(), Outcome(arguments[0]))
        print(failure or "as it should be: read, or refused in words")
        return int(failure is not None)
    number, seed = (*map(int, arguments), *(CASES, 0)[len(arguments) :])
    failed = False
    print(HEADING, flush=True)
    with get_context("fork").Pool(PROCESSES, maxtasksperchild=1) as pool:  # after the imports, which take seconds
        for outcome, row in pool.imap(_run, [(at, number, seed) for at in range(len(TARGETS))], chunksize=1):
            print(row, *outcome.failures, sep="\n", flush=True)
            failed |= bool(outcome.failures)
    return int(failed)


def _run(job: tuple[int, int, int]) -> tuple[Outcome, str]:
    at, number, seed = job
    outcome = run(TARGETS[at], number, seed=seed)
    return outcome, outcome.row  # the row has this process's peak of memory


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
