"""The trials that the benchmark of the search has done in all ways: what is known before them, and what they give."""

from typing import NamedTuple

from faa_core import SEARCH_LIST
from faa_core.randomness import seed_of
from faa_search.runs.records.trials import Trial
from faa_search.searching.fast.rounds import Slot, proposal_seed
from faa_search.searching.samplers import Params, PolicySpace, Scored
from faa_search.searching.samplers.uniform import suggest as uniform
from faa_search.settings import SearchConfig

EARLIER = 30  # trials of each round: more than the 20 that TPE draws at random, so that it has its whole work


class Done(NamedTuple):
    """A trial that was timed.

    Attributes:
        params: What was proposed.
        accuracy: Share of images that are right in any view, in 0 … 1.
    """

    params: Params
    accuracy: float


class Recorded:
    """T rounds of a search, each with earlier trials and about to have one more.

    So each proposal follows from what is recorded, and from nothing that is computed while it is timed. The rewards
    are arbitrary: then what TPE proposes is about as strong, and as costly, as policies are on average.

    Args:
        config: The search's settings; its width is T.
    """

    def __init__(self, config: SearchConfig) -> None:
        ops = tuple(row.name for row in SEARCH_LIST)
        self.space = PolicySpace(ops=ops, sub_policies=config.sub_policies, num_ops=config.ops)
        self.seed = config.seed
        self.earlier = [[self._trial(Slot(at, 0, number)) for at in range(EARLIER)] for number in range(config.width)]

    def __len__(self) -> int:
        return len(self.earlier)

    def known(self, number: int) -> list[Scored]:
        """Return what the proposal of a round knows."""
        return [Scored(trial.params, trial.reward) for trial in self.earlier[number]]

    def proposal_seed(self, number: int) -> int:
        """Return what keys a round's proposal."""
        return proposal_seed(self.seed, Slot(EARLIER, 0, number))

    def _trial(self, slot: Slot) -> Trial:
        return Trial(
            fold=slot.fold,
            round=slot.round,
            number=slot.number,
            seed=proposal_seed(self.seed, slot),
            params=uniform(self.space, [], proposal_seed(self.seed, slot)),
            reward=seed_of("reward", slot.round, slot.number) % 1000 / 1000,
            standard_error=0.0,
            metrics={},
            errors={},
            views=0,
            draws=0,
            seconds=0.0,
        )
