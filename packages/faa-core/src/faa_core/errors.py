"""The errors a person can mend: what was given, what is allowed, what to do next.

FaaError
├── UnknownNameError
└── NewerRecordError
"""

import difflib
from collections.abc import Iterable
from typing import Any


class FaaError(Exception):
    """A mistake in what was given to us; the command line prints its message and exits with code 2."""


class NewerRecordError(FaaError):
    """A file of a schema that only a newer version of faa knows; it is good, and must be kept."""


class UnknownNameError(FaaError):
    """An unknown name; the message lists the closest known names."""

    def __init__(self, kind: str, given: str, known: Iterable[str], *, hint: str = "") -> None:
        names = sorted(known)
        close = difflib.get_close_matches(given, names, n=3, cutoff=0.5)
        allowed = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(names) or 'none'}."
        super().__init__(f"No {kind} is called '{given}'; {allowed}{' ' + hint if hint else ''}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).__new__, (type(self), *self.args)  # so that it crosses process borders with its message
