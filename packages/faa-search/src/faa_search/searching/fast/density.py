"""A search by density matching under way: what its stages share beside what every search has."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from faa_core import Policy, SubPolicies, plugins
from faa_search.runs.files import RESCORED, TRIALS
from faa_search.runs.journal import Journal
from faa_search.runs.records.trials import Trial
from faa_search.searching.audit import check_audit
from faa_search.searching.fast.warm_start import first_trials
from faa_search.searching.samplers import Params, PolicySpace, Sampler
from faa_search.searching.search import Search
from faa_search.searching.spaces import space_of
from faa_search.settings import SearchConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class DensitySearch(Search[SearchConfig]):
    """A search under way.

    Attributes:
        space: Of policies.
        sampler: Proposes.
        first: What each round begins with, instead of the sampler's proposals; empty for none.
    """

    space: PolicySpace
    sampler: Sampler
    first: Sequence[Sequence[Params]]

    @property
    def trials(self) -> Journal[Trial]:
        """All trials."""
        return Journal(self.directory / TRIALS, Trial)

    @property
    def rescored(self) -> Journal[Trial]:
        """Second scores of the best."""
        return Journal(self.directory / RESCORED, Trial)

    @property
    def planned(self) -> int:
        """How many trials there are to be."""
        return len(self.images.folds) * self.config.width * self.config.depth

    def policy_of(self, trial: Trial) -> Policy:
        """Return the policy of a trial."""
        return SubPolicies(sub_policies=self.space.decode(trial.params))


def density_search(search: Search[SearchConfig]) -> DensitySearch:
    """Return a search with what density matching needs.

    Raises:
        FaaError: If the policy to start from is none of the space's.
    """
    config = search.config
    space, sampler, warm = _means(config)
    rounds = len(search.images.folds) * config.width
    return DensitySearch(
        **{field.name: getattr(search, field.name) for field in fields(Search)},
        space=space,
        sampler=sampler,
        first=() if warm is None else first_trials(warm, space, rounds=rounds, depth=config.depth),
    )


def check_density_search(config: SearchConfig) -> None:
    """Refuse settings of a search that cannot be made, before anything is.

    Raises:
        FaaError: If a name is unknown, or settings do not go together.
    """
    check_audit(config)
    space, _sampler, warm = _means(config)
    if warm is not None:
        first_trials(warm, space, rounds=1, depth=config.depth)


def _means(config: SearchConfig) -> tuple[PolicySpace, Sampler, Policy | None]:
    """Return the space, the sampler, and the policy to start from."""
    sampler: Sampler = plugins.load("faa.samplers", config.proposer, kind="sampler")
    return space_of(config), sampler, None if config.warm_start is None else Policy.load(config.warm_start)
