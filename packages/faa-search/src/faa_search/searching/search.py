"""A search under way: what every algorithm is given."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from faa_core import Policy
from faa_search.progress import Reporter
from faa_search.runs.directory import renew_settings
from faa_search.runs.files import POLICY, RESULT, STAGES, write_file
from faa_search.runs.journal import Journal
from faa_search.runs.records.search import Found, Stage
from faa_search.runs.results import write_search
from faa_search.searching.clock import Clock
from faa_search.searching.found import Kind, found_policy
from faa_search.searching.images import SearchImages
from faa_search.settings import Budget, SharedSearchConfig
from faa_search.workers.executors.protocol import Executor
from faa_search.workers.stopping import StopRequest

Config = TypeVar("Config", bound=SharedSearchConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search(Generic[Config]):
    """A search under way.

    Attributes:
        config: Its settings.
        directory: The run's.
        images: What it is made on.
        executor: Does the work; a task is called with the worker's `Bench`.
        reporter: Shown notes and progress.
        request: Whether a signal asked to stop.
        before: Result of the finished search that something is only to be added to; else None.
    """

    config: Config
    directory: Path
    images: SearchImages
    executor: Executor
    reporter: Reporter
    request: StopRequest
    before: Found | None = None

    @property
    def stages(self) -> Journal[Stage]:
        """How long the stages took, in each process that did a part of them."""
        return Journal(self.directory / STAGES, Stage)

    def does(self, stage: str) -> bool:
        """Return whether a stage is asked for: by its name, or because all are."""
        return self.config.stage in (None, stage)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Write down how long a stage takes, also where it is stopped."""
        began, started = time.time(), time.monotonic()
        try:
            yield
        finally:
            seconds = round(time.monotonic() - started, 3)
            self.stages.append(Stage(name=stage, began=round(began, 6), seconds=seconds))

    def clock(self, *, before: float) -> Clock:
        """Return a clock that is started, for the budget.

        Args:
            before: Device seconds that earlier processes of this search used.
        """
        budget = None if self.config.budget is None else Budget.parse(self.config.budget)
        return Clock(budget, before=before, workers=self.executor.workers)

    def named(self, policy: Kind, *, seconds: float, facts: Mapping[str, Any] | None = None) -> Kind:
        """Return a found policy with its name and where it comes from.

        Args:
            policy: Of any kind.
            seconds: Of all devices so far.
            facts: What else is to be known of where it comes from.
        """
        return found_policy(self.config, self.directory, policy, seconds=seconds, facts=facts or {})

    def keep_policy(self, policy: Policy) -> None:
        """Write a policy that there is so far, as where the search is stopped.

        A result of before goes, as it is about another policy, and the run is from then on of this search's settings.

        Args:
            policy: As `named` returns it.
        """
        (self.directory / RESULT).unlink(missing_ok=True)
        renew_settings(self.directory, self.config)
        write_file(self.directory, POLICY, policy.to_json())

    def keep(self, found: Found) -> None:
        """Write what was found. Done after `Searcher.run`, too; before, where more is to come that may be stopped."""
        self.keep_policy(found.policy)
        write_search(self.directory, found)
