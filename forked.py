"""Python as a fresh interpreter runs it, without the seconds in which every interpreter imports the same libraries."""

import multiprocessing
import os
import runpy
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

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


def run_python(
    arguments: Sequence[object], *, directory: Path, environment: Mapping[str, str], seconds: float = 280.0
) -> CompletedProcess[str]:
    """Run `python ARGUMENTS` in a process forked from one that has imported the libraries, and return what it wrote.

    Args:
        arguments: A script, `-m` and a module, or `-c` and code; then the arguments of these.
        directory: Where it runs.
        environment: Its whole environment; what libraries read at import they have read already.
        seconds: After which it is ended.
    """
    words = [str(word) for word in arguments]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(LIBRARIES))
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder) / name for name in ("stdout", "stderr")]
        process = context.Process(target=_run, args=(words, directory, dict(environment), outputs))
        process.start()
        process.join(seconds)
        if process.is_alive():
            process.kill()
            process.join()
            raise TimeoutExpired(words, seconds)
        written = [path.read_text(encoding="utf-8", errors="backslashreplace") for path in outputs]
        return CompletedProcess(words, process.exitcode or 0, *written)


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
