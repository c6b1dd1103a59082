"""Rounds: independent runs of the sampler on one fold. Which trial comes next in a round, and what it may know."""

from collections.abc import Sequence
from dataclasses import dataclass

from faa_core.randomness import seed_of
from faa_search.runs.records.trials import Trial
from faa_search.searching.samplers import Params, Scored


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """The place of a trial. Ordered so that all rounds advance together.

    Attributes:
        number: Position in its round.
        fold: Which fold.
        round: Which of the fold's rounds.
    """

    number: int
    fold: int
    round: int


class Round:
    """A round under way: B trials in batches, each batch proposed from all those before it.

    With batches of one this is the paper's sequential optimisation. The original has up to 80 trials under way, as its
    cluster allows; here the batch is a setting, so that workers change nothing.
    """

    def __init__(
        self, fold: int, number: int, *, depth: int, batch: int, first: Sequence[Params], done: Sequence[Trial]
    ) -> None:
        """Take up a round.

        Args:
            fold: Which fold.
            number: Which of its rounds.
            depth: Trials, B.
            batch: Trials that are proposed together.
            first: What the first trials are, instead of the sampler's.
            done: The search's finished trials; others' are passed over.
        """
        self.fold, self.number, self.depth, self.batch = fold, number, depth, batch
        self.first = tuple(first)[:depth]
        self._done = {trial.number: trial for trial in done if (trial.fold, trial.round) == (fold, number)}
        self._asked: set[int] = set()

    def due(self) -> list[Slot]:
        """Return the trials that can be proposed now, each once."""
        left = [number for number in range(self.depth) if number not in self._done]
        if not left:
            return []
        start = left[0] // self.batch * self.batch
        numbers = [number for number in left if number < start + self.batch and number not in self._asked]
        self._asked.update(numbers)
        return [Slot(number, self.fold, self.number) for number in numbers]

    def known(self, slot: Slot) -> list[Scored]:
        """Return what a trial's proposal may know: all batches before its own, in order."""
        trials = [self._done[number] for number in range(slot.number // self.batch * self.batch)]
        return [Scored(trial.params, trial.reward) for trial in trials]

    def add(self, trial: Trial) -> None:
        """Take in a finished trial."""
        self._done[trial.number] = trial

    def trials(self) -> list[Trial]:
        """Return the finished trials, in order."""
        return [self._done[number] for number in sorted(self._done)]


def proposal_seed(seed: int, slot: Slot) -> int:
    """Return what keys a trial's proposal."""
    return seed_of("trial", seed, slot.fold, slot.round, slot.number)


def draws_seed(seed: int, slot: Slot, *, common: bool) -> int:
    """Return what keys a trial's views: the fold, or with draws of its own the trial."""
    return seed_of("views", seed, slot.fold) if common else seed_of("views", seed, slot.fold, slot.round, slot.number)
