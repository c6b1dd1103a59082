"""Python as a fresh interpreter runs it, without the seconds in which every interpreter imports the same libraries."""

import multiprocessing
import os
import runpy
import shutil
import signal
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess, Popen, TimeoutExpired

LIBRARIES = (  # none of them is ours, so our modules are imported anew
    "accelerate",
    "datasets",
    "hyperopt",
    "matplotlib.pyplot",
    "numba",
    "sklearn.model_selection",
    "timm",
    "torch._dynamo",
    "torchvision.transforms.v2",
    "typer",
)


class ForkedPython:
    """`python ARGUMENTS` in a process forked from one that has imported the libraries, with what Popen has.

    Args:
        arguments: A script, `-m` and a module, or `-c` and code; then the arguments of these.
        directory: Where it runs.
        environment: Its whole environment; what libraries read at import they have read already.
    """

    def __init__(self, arguments: Sequence[object], *, directory: Path, environment: Mapping[str, str]) -> None:
        self.args = [str(word) for word in arguments]
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(LIBRARIES))
        folder = tempfile.mkdtemp()
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)  # made above, for this process alone
        self._outputs = [Path(folder) / name for name in ("stdout", "stderr")]
        for path in self._outputs:
            path.touch()
        given = (self.args, directory, dict(environment), self._outputs)
        self._process = context.Process(target=_run, args=given)
        self._process.start()
        self.pid = self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        """The exit code, or minus the signal; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit code, or minus the signal; None while it runs."""
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, if it still runs."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once it has ended.

        Raises:
            TimeoutExpired: If it has not ended after so many seconds; it is killed then.
        """
        self._process.join(timeout)
        if (code := self.returncode) is None:
            self._process.kill()
            self._process.join()
            raise TimeoutExpired(self.args, timeout or 0)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Return what it wrote, once it has ended."""
        self.wait(timeout)
        out, err = (path.read_text(encoding="utf-8", errors="backslashreplace") for path in self._outputs)
        return out, err


def run_python(
    arguments: Sequence[object], *, directory: Path, environment: Mapping[str, str], seconds: float = 280.0
) -> CompletedProcess[str]:
    """Run `python ARGUMENTS` so, and return what it wrote; it is killed after so many seconds."""
    process = ForkedPython(arguments, directory=directory, environment=environment)
    out, err = process.communicate(seconds)
    return CompletedProcess(process.args, process.returncode or 0, out, err)


def _run(words: list[str], directory: Path, environment: dict[str, str], outputs: list[Path]) -> None:
    for number, path in enumerate(outputs, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), number)
    sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))  # noqa: SIM115
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    kind, *rest = words
    try:
        if kind == "-m":
            sys.argv = rest
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        elif kind == "-c":
            sys.argv = ["-c", *rest[1:]]
            exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 as python does
        else:
            sys.argv = words
            sys.path.insert(0, str(Path(kind).resolve().parent))
            runpy.run_path(kind, run_name="__main__")
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()


Running = Popen[str] | ForkedPython


def lines(path: Path) -> int:
    """Return how many whole lines a file has; 0 before it is there."""
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def wait_until(happened: Callable[[], bool], process: Running) -> None:
    """Wait for something that a process does; fail if it ends before."""
    while not happened():
        if process.poll() is not None:
            raise AssertionError(process.communicate())
        time.sleep(0.005)
