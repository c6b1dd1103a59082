"""Tasks that tell what an executor does with them. It lies apart, so that workers need not import torch for them."""

import os
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from faa_search.workers.executors.protocol import Place


class Worked(NamedTuple):
    """Who did a task: machine and process, and what the setup made there."""

    process: tuple[str, int]
    made: str


@dataclass(frozen=True)
class Bench:
    """What the tasks here work with; `made` tells one from another."""

    place: Place
    made: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True)
class Number:
    """Returns a number after some seconds."""

    value: int
    pause: float = 0.0

    def __call__(self, _bench: Bench) -> int:
        """Wait, and return it."""
        time.sleep(self.pause)
        return self.value


@dataclass(frozen=True)
class Raising:
    """Raises an exception."""

    error: Exception

    def __call__(self, _bench: Bench) -> None:
        """Raise it."""
        raise self.error


@dataclass(frozen=True)
class Fetching:
    """Returns what was shared under a name."""

    name: str

    def __call__(self, bench: Bench) -> bytes:
        """Fetch it."""
        return bench.place.fetch(self.name)


@dataclass(frozen=True)
class Dying:
    """Kills its worker; only once, and returns "done" then, if it has a folder to remember it in."""

    folder: str | None = None

    def __call__(self, _bench: Bench) -> str:
        """Kill the process, or return what comes of it."""
        if self.folder is not None:
            mark = Path(self.folder) / "died"
            if mark.exists():
                return "done"
            mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
        return "alive"


def who(bench: Bench) -> Worked:
    """Return who does it, after a moment in which the other workers get a task too."""
    time.sleep(0.02)
    return Worked((socket.gethostname(), os.getpid()), bench.made)
