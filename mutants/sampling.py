"""Choosing changes over all modules: evenly over the sources' text, so that long modules have more of them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mutants.changes import Change, changed_lines, changes


@dataclass(frozen=True)
class Mutant:
    """A source with one change.

    Attributes:
        path: Of the source, below the repository's root.
        change: The change.
        line: Where it is, counted from 1.
        before: The changed lines, as one, as they are.
        after: What they become.
    """

    path: str
    change: Change
    line: int
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}\n    {self.before}\n    {self.after}"


def sample(root: Path, number: int, *, seed: int, folder: str = "") -> list[Mutant]:
    """Return that many mutants of the sources whose path contains a folder's name.

    Every so-many-th change is taken, from a place that the seed decides: the same seed and number give the same ones.
    """
    found = [
        (path, change)
        for path in sorted(root.glob("packages/*/src/**/*.py"))
        if folder in str(path.relative_to(root))
        for change in changes(path.read_bytes())
    ]
    number = min(number, len(found))
    first = np.random.default_rng(seed).random()
    places = [int((first + at) * len(found) / number) for at in range(number)]
    return [_mutant(root, *found[place]) for place in places]


def _mutant(root: Path, path: Path, change: Change) -> Mutant:
    source = path.read_bytes()
    line = source.count(b"\n", 0, change.start) + 1
    return Mutant(str(path.relative_to(root)), change, line, *changed_lines(source, change))
