"""Running cases: each in an empty folder, within a time and within memory; what is not allowed is written down."""

import json
import math
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import numpy as np

from faa_core import FaaError
from faa_core.randomness import key_of
from fuzz.changing import changed
from fuzz.targets import Target

SECONDS = 10.0  # a case may take
MEMORY = 3 << 30  # bytes of address space beyond what the process has to begin with
PIECES = Path(__file__).parent / "pieces.json"
FAILURES = Path(__file__).parent / "failures"


class TookTooLong(BaseException):
    """A case that does not end."""


@dataclass
class Outcome:
    """What the cases of a target came to."""

    target: str
    cases: int = 0
    accepted: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    slowest: float = 0.0

    @property
    def row(self) -> str:
        """A line of the table; the peak is of the process, from before the first case."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
        rate = self.cases / max(self.seconds, 1e-9)
        return (
            f"{self.target:<10}{self.cases:>8,}{self.accepted:>10,}{self.refused:>9,}{len(self.failures):>10,}"
            f"{self.seconds:>9.1f}{rate:>9.0f}{1000 * self.slowest:>13.0f}{peak:>10.0f}"
        )


HEADING = "target       cases  accepted  refused  failures  seconds  cases/s  slowest, ms  peak, MB"


def cases(target: Target, number: int, *, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield every input of the corpus as it is, then changed samples, to a number in all."""
    kept = {path.name: path.read_bytes() for path in target.kept()}
    yield from kept.items()
    samples = [*kept.values(), *target.made()]
    pieces = [piece for kind in target.pieces for piece in _pieces(kind)]
    for at in range(number - len(kept)):
        draw = np.random.default_rng(key_of("fuzz", target.name, seed, at))
        content = changed(samples, pieces, draw)
        yield f"{seed}-{at}", target.mend(content) if draw.random() < 0.5 else content


def _pieces(kind: str) -> Iterator[bytes]:
    """Yield pieces; of those that are pairs, the first is repeated as often as the second says."""
    for piece in json.loads(PIECES.read_text(encoding="utf-8"))[kind]:
        text, times = piece if isinstance(piece, list) else (piece, 1)
        yield text.encode("utf-8", "surrogateescape") * times


def run(target: Target, number: int, *, seed: int) -> Outcome:
    """Read that many cases; a failure is written to ``fuzz/failures`` with what was raised."""
    outcome = Outcome(target.name)
    started = time.monotonic()
    for name, content in cases(target, number, seed=seed):
        begun = time.monotonic()
        failure = read(target, content, outcome)
        outcome.slowest = max(outcome.slowest, time.monotonic() - begun)
        if failure is not None:
            path = FAILURES / target.name / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.with_name(f"{name}.txt").write_text(failure, encoding="utf-8", errors="backslashreplace")
            last = failure.strip().splitlines()[-1]
            outcome.failures.append(f"{last:.200}\n  again: python -m fuzz {target.name} {path}")
    outcome.seconds = time.monotonic() - started
    return outcome


def read(target: Target, content: bytes, outcome: Outcome) -> str | None:
    """Read one case and count it; return the traceback of an outcome that is not allowed, else None."""
    outcome.cases += 1
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        with _limits():
            target.read(content, folder)
    except FaaError as error:
        outcome.refused += 1
        return None if str(error).strip() else "refused without a word"
    except (Exception, TookTooLong):  # noqa: BLE001 whatever it is, it is what is looked for
        return traceback.format_exc()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    outcome.accepted += 1
    return None


@contextmanager
def _limits() -> Iterator[None]:
    """Interrupt the block after some seconds, and refuse it more memory."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TookTooLong(f"over {SECONDS:g} s")

    before, (soft, hard) = signal.signal(signal.SIGALRM, stop), resource.getrlimit(resource.RLIMIT_AS)
    ceiling = _address_space() + MEMORY
    if ceiling < math.inf:
        resource.setrlimit(resource.RLIMIT_AS, (int(ceiling), hard))
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _address_space() -> float:
    """Return the bytes of address space in use; endless where the system does not say."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[0]) * resource.getpagesize() if statm.is_file() else math.inf
