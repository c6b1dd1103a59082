"""A process that takes a loopback Hub for the real one: it runs snippets and commands, one after the other.

huggingface_hub reads its environment at import, and torch takes seconds to import, so one process serves a whole file
of tests.
"""

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_server import HubServer

TOKEN = "hf_SeCrEtOfAlIcE0123456789"  # noqa: S105 of no Hub but the one of tests; nothing that is shown may hold it
WORKER = """
import contextlib, io, json, os, sys, time, traceback

sleep = time.sleep
time.sleep = lambda seconds: sleep(min(seconds, 0.01))  # what huggingface_hub waits for before it tries again


def faa(*words):
    from faa_cli.main import main

    sys.argv, out, err, code = ["faa", *words], io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


for line in sys.stdin:
    asked = json.loads(line)
    os.chdir(asked["folder"])
    os.environ.pop("HF_TOKEN", None)
    os.environ.update({"HF_TOKEN": asked["token"]} if asked["token"] else {})
    names = {**asked["given"], "faa": faa}
    told = {}
    try:
        with contextlib.redirect_stdout(sys.stderr):
            exec(asked["code"], names)
        told = {"result": names.get("result")}
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        told = {"kinds": kinds, "message": str(error), "trace": traceback.format_exc()}
    print(json.dumps(told), flush=True)
"""


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


class Client:
    """The process, and how it is asked.

    Attributes:
        server: The Hub.
        home: Its cache, and the folder that it began in.
        folder: Where it runs; a test sets it.
    """

    def __init__(self, server: HubServer, process: "subprocess.Popen[str]", home: Path) -> None:
        self.server, self.home, self._process = server, home, process
        self.folder = home

    def run(self, code: str, *, token: bool | str = True, **given: object) -> Any:
        """Run code, and return its `result`.

        Args:
            code: Python.
            token: Whether HF_TOKEN is the user's, or what it is.
            given: Names for it, of what JSON can hold.
        """
        told = self._ask(code, token, given)
        assert "message" not in told, told["trace"]
        return told["result"]

    def fails(self, code: str, *, token: bool | str = True, kind: str = "FaaError", **given: object) -> str:
        """Run code that ends in an error of ours, and return its message."""
        told = self._ask(code, token, given)
        assert "message" in told, told
        assert {kind, "FaaError"} <= set(told["kinds"]), told["trace"]
        message: str = told["message"]
        assert message.isprintable(), message
        return message

    def faa(self, *words: object, token: bool | str = True, code: int = 0) -> Outcome:
        """Run `faa WORDS`, which ends with an exit code; where that is 2, with one message and nothing else."""
        told = self._ask("result = faa(*words)", token, {"words": list(map(str, words))})
        assert "message" not in told, told["trace"]
        done = Outcome(**told["result"])
        assert done.code == code, done
        if code:
            *before, last = done.err.splitlines()
            assert all(line.startswith(("Starting", "Images: ")) for line in before), done.err
            assert is_told(last), done.err
            assert last.startswith("Error: "), done.err
            assert done.out == "", done.out
        return done

    def _ask(self, code: str, token: bool | str, given: Mapping[str, object]) -> dict[str, Any]:
        word = self.server.token if token is True else token or ""
        asked = {"code": textwrap.dedent(code), "folder": str(self.folder), "token": word, "given": given}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        told = self._process.stdout.readline()
        assert self.server.token not in told
        found: dict[str, Any] = json.loads(told)
        return found


def is_told(message: str) -> bool:
    """Return whether a message is one line, ends as a sentence does, and acts on no terminal."""
    return message.isprintable() and message.endswith((".", "?")) and "Traceback" not in message


@contextmanager
def hub_client(server: HubServer, home: Path, **more: str) -> Iterator[Client]:
    """Run the process until the block ends.

    Args:
        server: The Hub.
        home: Its cache, and what it and its libraries log; the token may not be in that.
        more: Of its environment.
    """
    environment = {**server.environment(home, token=False), "COLUMNS": "200", "OMP_NUM_THREADS": "1", **more}
    log = home / "log"
    with log.open("w") as errors:
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors}
        process = subprocess.Popen([sys.executable, "-c", WORKER], env=environment, text=True, **pipes)
        yield Client(server, process, home)
        process.communicate(timeout=60)
    assert server.token not in log.read_text()
    assert server.leaked() == []
