"""Testing mutants: each in a copy of the repository and in a process that has the libraries imported already."""

import hashlib
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numba
import pytest

from forked import LIBRARIES
from mutants.belonging import Belonging, files_of
from mutants.sampling import Mutant
from mutants.spent import cpu_seconds

SECONDS = 120.0  # of a processor that the tests of a mutant may take, so that a busy machine changes no outcome
PLANNED = 30.0  # of those, as the tests took before; imports, collecting and compiling anew are not in it
LEAST = 1.0  # of those that tests take in PATIENCE at the least; others wait for something that never comes
PATIENCE = 120.0  # seconds of waiting; on a busy machine tests get far more than LEAST of them
BETWEEN_LOOKS = 0.5  # seconds
MADE = (
    ".git",
    ".nox",
    ".v*",
    ".*_cache",
    ".hypothesis",
    "__pycache__",
    "kept",
    "failures",
)  # by tools, not by people
RUNS = {"runs", "quickstart"}  # of people who tried the commands, beside the sources

KILLED, SURVIVED, TIMED_OUT, UNTESTED = "killed", "survived", "timed out", "untested"


class Watching:
    """A plugin that leaves some tests out, and keeps the name of the first that fails."""

    def __init__(self, left_out: frozenset[str]) -> None:
        self.left_out = left_out
        self.failed = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the others."""
        items[:] = [item for item in items if item.nodeid not in self.left_out]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the first failure."""
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that does not import has failed, too."""
        if report.failed and not self.failed:
            self.failed = report.nodeid


@dataclass(frozen=True)
class Job:
    """A mutant and its tests.

    Attributes:
        mutant: The changed source.
        tests: Names of tests or of files of tests.
        left_out: Tests of the same files that take too long.
        is_compiled: Whether numba compiles what is changed.
        key: What the result depends on, as a digest: the source, its change, and the tests' files.
    """

    mutant: Mutant
    tests: Sequence[str]
    left_out: frozenset[str]
    is_compiled: bool
    key: str


def make_job(root: Path, mutant: Mutant, belonging: Belonging) -> Job:
    """Return a mutant with the tests that belong to it."""
    tests = belonging.tests_of(root / mutant.path, seconds=PLANNED)
    digest = hashlib.sha256(repr(mutant.change).encode())
    for name in (mutant.path, *sorted(files_of(tests))):
        digest.update((root / name).read_bytes())
    return Job(
        mutant, tests, belonging.too_long(tests), root / mutant.path in belonging.compiled, digest.hexdigest()[:16]
    )


def test_mutants(root: Path, kept: Path, jobs: Sequence[Job], results: Path) -> None:
    """Test one mutant after the other in a copy of the repository and write a line of each."""
    for library in LIBRARIES:
        importlib.import_module(library)
    copy = kept / "copy"  # at the same place every time, where compiled code is found again
    shutil.rmtree(copy, ignore_errors=True)  # the tool's own, from the last time
    made = shutil.ignore_patterns(*MADE)
    shutil.copytree(
        root, copy, symlinks=True, ignore=lambda at, names: made(at, names) | (RUNS if at == str(root) else set())
    )
    for job in jobs:
        outcome, test = _test(copy, job) if job.tests else (UNTESTED, "")
        line = {"key": job.key, "outcome": outcome, "test": test, "mutant": str(job.mutant)}
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _test(copy: Path, job: Job) -> tuple[str, str]:
    """Return what became of a mutant, and the test that noticed it.

    A test that fails on the unchanged source too, alone, has noticed nothing: it is left out.
    """
    path = copy / job.mutant.path
    source, times = path.read_bytes(), path.stat()
    left_out = job.left_out
    while True:
        try:
            path.write_bytes(job.mutant.change.made_in(source))
            outcome, test = run_tests(copy, job.tests, left_out, own_compiled_code=job.is_compiled)
        finally:
            path.write_bytes(source)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        again = [test] if "::" in test else job.tests
        if outcome != KILLED or run_tests(copy, again, left_out)[0] != KILLED:
            return outcome, test
        if "::" not in test:
            return UNTESTED, f"the tests end without the change, too: {test}"
        left_out |= {test}


def run_tests(
    copy: Path, tests: Sequence[str], left_out: frozenset[str] = frozenset(), *, own_compiled_code: bool = False
) -> tuple[str, str]:
    """Run tests in a process of their own and return what became of them, and the first that failed.

    numba does not see that a callee in another file has changed. So code that is compiled from a changed source is kept
    apart from that of the unchanged one, and thrown away.
    """
    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(copy, tests, left_out, own_compiled_code, sender))
    process.start()
    sender.close()
    try:
        answered = _answers(receiver, process.pid or 0)
        failed = receiver.recv() if answered else ""
    except EOFError:  # the tests ended the process
        process.join()
        failed = f"the process ended with {process.exitcode}"
    with suppress(ProcessLookupError):
        os.killpg(process.pid or 0, signal.SIGKILL)  # with whatever the tests have started
    process.join()
    return (TIMED_OUT if not answered else KILLED if failed else SURVIVED), failed


def _answers(receiver: Connection, process: int) -> bool:
    """Wait for what a process sends, or for its end; return False if it takes too long or does nothing any more."""
    spent, waited = 0.0, 0.0  # not by the clock, which goes on while all of it is suspended
    while not receiver.poll(BETWEEN_LOOKS):
        now, waited = cpu_seconds(process), waited + BETWEEN_LOOKS
        if abs(now - spent) >= LEAST:  # less, too: of a process that has ended before its children
            spent, waited = now, 0.0
        if now > SECONDS or waited > PATIENCE:
            return False
    return True


def _run(
    copy: Path, tests: Sequence[str], left_out: frozenset[str], own_compiled_code: bool, sender: Connection
) -> None:
    os.setsid()  # so that everything the tests start can be ended with them
    os.chdir(copy)
    with tempfile.TemporaryDirectory() as own, Path(os.devnull).open("w") as output:
        for stream in (1, 2):  # not to a file: a test may lower how large files may be
            os.dup2(output.fileno(), stream)
        compiled = Path(own if own_compiled_code else copy.parent) / "numba"
        sys.path[:0] = sources = [str(path) for path in sorted(copy.glob("packages/*/src"))]
        os.environ |= {"TMPDIR": own, "PYTHONPATH": os.pathsep.join(sources), "NUMBA_CACHE_DIR": str(compiled)}
        numba.config.reload_config()
        watching = Watching(left_out)
        named = files_of(tests) if len(tests) > 1 else tests  # a name may be of one test
        options = ("-x", "--timeout=0", "--assert=plain", "-p", "no:cacheprovider")
        code = pytest.main([*named, *options], plugins=[watching])
        sender.send(watching.failed or ("" if code == 0 else f"pytest ended with {code}"))
    os._exit(0)  # what the tests registered for the end of a process is not of interest
