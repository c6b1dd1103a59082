"""What all stages of a search share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from faa_core import SEARCH_LIST, FaaError
from faa_search.progress import Reporter
from faa_search.runs.files import RESCORED, STAGES, TRIALS
from faa_search.runs.journal import Journal
from faa_search.runs.records.search import Stage
from faa_search.runs.records.trials import Trial
from faa_search.searching.images import SearchImages
from faa_search.searching.samplers import Params, PolicySpace, Sampler
from faa_search.searching.samplers.presets import PRESETS, chosen_operations
from faa_search.settings import SearchConfig
from faa_search.workers.executors.protocol import Executor
from faa_search.workers.stopping import StopRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search under way.

    Attributes:
        config: Its settings.
        directory: The run's.
        images: What it is made on.
        space: Of policies.
        sampler: Proposes.
        first: What each round begins with, instead of the sampler's proposals; empty for none.
        executor: Does the work.
        reporter: Shown notes and progress.
        request: Whether a signal asked to stop.
    """

    config: SearchConfig
    directory: Path
    images: SearchImages
    space: PolicySpace
    sampler: Sampler
    first: Sequence[Sequence[Params]]
    executor: Executor
    reporter: Reporter
    request: StopRequest

    @property
    def trials(self) -> Journal[Trial]:
        """All trials."""
        return Journal(self.directory / TRIALS, Trial)

    @property
    def rescored(self) -> Journal[Trial]:
        """Second scores of the best."""
        return Journal(self.directory / RESCORED, Trial)

    @property
    def stages(self) -> Journal[Stage]:
        """How long the stages took, in each process that did a part of them."""
        return Journal(self.directory / STAGES, Stage)

    @property
    def planned(self) -> int:
        """How many trials there are to be."""
        return len(self.images.folds) * self.config.width * self.config.depth


def space_of(config: SearchConfig) -> PolicySpace:
    """Return the policies to search among.

    Raises:
        FaaError: If a name is unknown, nothing is left, or the images are flipped that must not be.
    """
    names = [row.name for row in SEARCH_LIST]
    ops = chosen_operations(names, preset=config.preset, exclude=config.exclude_ops)
    if config.preset is not None and config.hflip and not PRESETS[config.preset].flips:
        raise FaaError(
            f"--preset {config.preset}: a left-right flip changes what such images mean, and --hflip is "
            f"{config.hflip:g}; give --hflip 0."
        )
    return PolicySpace(ops=ops, sub_policies=config.sub_policies, num_ops=config.ops)
