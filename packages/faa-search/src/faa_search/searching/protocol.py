"""What a search algorithm is, and so what an entry point of ``faa.searchers`` names.

An algorithm brings its settings, its stages and what it does; a search under way (`Search`) has everything else. This
module imports little, since a command asks for the settings before it shows its help; `run` may import what is heavy.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faa_core import FaaError
from faa_core.text import safe
from faa_search.runs.records.pictures import Panel, Picture, Trace
from faa_search.runs.records.search import Control, Found
from faa_search.settings import SharedSearchConfig
from faa_search.settings.algorithms import GROUP, load_algorithm, settings_of_algorithm

if TYPE_CHECKING:
    from faa_search.searching.search import Search

__all__ = ["Control", "Found", "Panel", "Picture", "Searcher", "SharedSearchConfig", "Trace", "load_searcher"]

PLAIN = re.compile(r"[a-z][a-z0-9-]*", re.ASCII)  # what a stage is called


def as_given(config: Any) -> Any:
    """Return settings as they are."""
    return config


def nothing(config: Any) -> bool:
    """Return that nothing is added to a finished search."""
    return False


def none(directory: Path) -> Sequence[Picture]:
    """Return no pictures."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Searcher:
    """A search algorithm.

    Attributes:
        name: As ``--algorithm`` has it; the entry point's.
        settings: Class of its settings: extends `SharedSearchConfig` (or `FoldedSearchConfig`, for the networks of
            folds), and declares a ``role``, its own fields, and ``algorithm`` with its name as the default.
        stages: Names in order; ``--stage`` takes one of them. Each takes up what is there, and leaves its result.
        run: Does the stages that are asked for (`Search.does`). Returns what was found, or None after a stage that ends
            before there is a policy. Called again after a stop or a kill, it goes on from what it has left in the
            run's directory, and comes to the same. Raises Stopped where a signal asks for it.
        policy_from: The first stage that ends with a policy; None for the last one.
        settle: Returns the settings as the run keeps them, or refuses them by a FaaError, before anything is made.
        adds: Whether settings ask for something to be added to a finished search: then `run` is called with its result
            in `Search.before`, and keeps itself what it adds.
        pictures: Returns pictures of a run, given its directory, as data; `faa search` draws them into it at its end.
    """

    name: str
    settings: type[SharedSearchConfig]
    stages: tuple[str, ...]
    run: "Callable[[Search[Any]], Found | None]"
    policy_from: str | None = None
    settle: Callable[[Any], Any] = as_given
    adds: Callable[[Any], bool] = nothing
    pictures: Callable[[Path], Sequence[Picture]] = none

    @property
    def before_a_policy(self) -> tuple[str, ...]:
        """The stages that end before there is a policy."""
        return self.stages[: self.stages.index(self.policy_from or self.stages[-1])]

    def check_stage(self, stage: str | None) -> None:
        """Refuse what is none of the stages.

        Raises:
            FaaError: If it is none.
        """
        if stage is not None and stage not in self.stages:
            raise FaaError(
                f"--stage {safe(stage)}: the search algorithm '{self.name}' has the stages {', '.join(self.stages)}."
            )

    def makes_policy(self, stage: str | None) -> bool:
        """Return whether there is a policy after a stage, or after all of them (None)."""
        return stage not in self.before_a_policy


def load_searcher(name: str) -> Searcher:
    """Return an installed algorithm.

    Raises:
        UnknownNameError: If no installed package offers it.
        FaaError: If it does not load, or is not a `Searcher` of that name with stages and settings.
    """
    found = load_algorithm(name)
    if not isinstance(found, Searcher):
        raise FaaError(f"The plugin '{name}' of group {GROUP} must be a Searcher, not {safe(repr(found)):.80}.")
    fault = _fault(found, name)
    if fault is not None:
        raise FaaError(f"The plugin '{name}' of group {GROUP} {fault}.")
    return found


def _fault(searcher: Searcher, name: str) -> str | None:
    """Return what keeps an algorithm from being used under a name."""
    given, stages, first = searcher.name, searcher.stages, searcher.policy_from
    if given != name:
        return f"has the name {safe(repr(given)):.80}; it must be the entry point's"
    plain = isinstance(stages, tuple) and all(isinstance(each, str) and PLAIN.fullmatch(each) for each in stages)
    if not plain or not stages or len(set(stages)) < len(stages):
        return (
            f"has the stages {safe(repr(stages)):.80}; there must be a stage or more, in a tuple of different words of "
            "small letters, digits and hyphens, such as ('folds', 'score')"
        )
    if first is not None and first not in stages:
        return f"has the first policy after {safe(repr(first)):.40}, which is none of its stages {', '.join(stages)}"
    said = searcher.settings().algorithm
    if said != name and not shares_settings(searcher, said):
        return f"has settings whose `algorithm` is {safe(repr(said)):.80} by default; it must be '{name}'"
    return None


def shares_settings(searcher: Searcher, other: str) -> bool:
    """Return whether another algorithm has the same class of settings, whose default can name but one of the two."""
    try:
        return settings_of_algorithm(other) is searcher.settings
    except FaaError:
        return False
