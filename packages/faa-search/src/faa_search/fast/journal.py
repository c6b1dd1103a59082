"""The trial journal: one JSON line per finished trial, only ever appended to.

A line is written, flushed and synced after its trial; a process killed while writing leaves an incomplete last line,
which is dropped and scored again.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from faa_core import FaaError
from faa_search.samplers import Params


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One candidate policy and how it did.

    Attributes:
        fold: Which fold's network and held-out images.
        round: Which of the fold's independent rounds.
        number: Position in its round.
        seed: Keys the proposal and the views; follows from the search's seed, fold, round and number.
        params: See `faa_search.samplers.PolicySpace`.
        reward: What the round maximises.
        standard_error: Of the reward, over the held-out images.
        metrics: Every reward's value, by name.
        seconds: To propose and score.
    """

    fold: int
    round: int
    number: int
    seed: int
    params: Params
    reward: float
    standard_error: float
    metrics: dict[str, float]
    seconds: float


class Journal:
    """The file of a search's trials."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Trial]:
        """Return the finished trials; cuts off a last line that was not finished.

        Raises:
            FaaError: If any other line is no trial.
        """
        if not self.path.is_file():
            return []
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(self.path, len(whole))
        return [self._parse(line, number) for number, line in enumerate(whole.splitlines(), start=1)]

    def append(self, trial: Trial) -> None:
        """Add a trial; it is on disk when this returns."""
        with self.path.open("ab") as file:
            file.write(json.dumps(asdict(trial)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _parse(self, line: bytes, number: int) -> Trial:
        try:
            return Trial(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise FaaError(
                f"Line {number} of '{self.path}' is no trial: {error}. Remove it and all lines after it "
                "to score them again."
            ) from error
