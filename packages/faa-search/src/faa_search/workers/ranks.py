"""Which of several processes one is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """Which of the processes this one is."""

    index: int = 0
    count: int = 1


ALONE = Rank()
