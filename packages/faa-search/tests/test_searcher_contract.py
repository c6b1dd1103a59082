"""The contract of search algorithms: ours keep it, and faults are found."""

import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import Field

from faa_core import random_policy
from faa_search.searching.protocol import Found, Searcher
from faa_search.searching.search import Search
from faa_search.searching.searchers import search
from faa_search.settings import FoldedSearchConfig, Role, SharedSearchConfig
from faa_search.settings.base import Count, Text
from faa_search.testing import SearcherContract
from faa_search.workers.stopping import Stopped


class TestOurs(SearcherContract):
    """Both of our own."""

    settings: ClassVar = {
        "folds": 2, "width": 1, "depth": 4, "top": 2, "views": 1, "sub_policies": 1, "warmup_epochs": 0,
    }  # fmt: skip
    stops: ClassVar = (1, 4)

    @pytest.fixture(autouse=True, params=["fast", pytest.param("random", marks=pytest.mark.slow)])
    def _choose(self, request: pytest.FixtureRequest) -> None:
        self.name = request.param


class FaultyConfig(FoldedSearchConfig):
    """Settings of the algorithms below."""

    role: ClassVar[Role] = Role.RESULT

    algorithm: Text = Field(default="faulty", description="It has a fault.")


def by_the_clock(search: Search[Any]) -> Found:
    """Return another policy each time."""
    with search.reporter.track("Steps", 3) as advance:
        for _step in range(3):
            advance()
    policy = random_policy(3, seed=time.perf_counter_ns())
    return Found(policy=policy, seconds=0.0, figures={"reward": 1.0})


def contract(
    run: Any,
    *,
    stages: tuple[str, ...] = ("all",),
    name: str = "faulty",
    settings: type[FaultyConfig] = FaultyConfig,
    **parts: Any,
) -> SearcherContract:
    """Return the contract of an algorithm that is not installed."""
    made = Searcher(name=name, settings=settings, stages=stages, run=run, **parts)

    class Faulty(SearcherContract):
        def searcher(self) -> Searcher:
            return made

    faulty = Faulty()
    faulty.name = name
    return faulty


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let a faulty algorithm be found as an installed one is."""
    from faa_search.searching import searchers  # noqa: PLC0415

    def installed(made: SearcherContract) -> SearcherContract:
        monkeypatch.setattr(searchers, "load_searcher", lambda _name: made.searcher())
        return made

    return installed


def test_a_policy_that_depends_on_the_clock_is_found_out(install: Any) -> None:
    """Killed and begun again, it comes to another one."""
    faulty = install(contract(by_the_clock))
    with pytest.raises(AssertionError, match="killed after 1 units of progress, it comes to the same policy"):
        faulty.test_it_goes_on_after_a_kill()
    with pytest.raises(AssertionError, match="stage after stage comes to the policy"):
        faulty.test_its_stages_come_to_the_whole()


def test_settings_under_another_name_are_found_out() -> None:
    """`--algorithm` would not find them."""
    with pytest.raises(AssertionError, match="`algorithm` 'other' by default, not 'faulty'"):
        contract(by_the_clock, name="other").test_its_settings_say_what_they_decide()


def test_a_stage_that_returns_nothing_is_found_out(install: Any) -> None:
    """The last one must end with a policy."""
    faulty = install(contract(by_the_clock, stages=("first", "second")))
    with pytest.raises(AssertionError, match="stage 'first' does not end with a policy"):
        faulty.test_its_stages_come_to_the_whole()


class SilentConfig(FaultyConfig):
    """With a field that `--help` says nothing of."""

    role: ClassVar[Role] = Role.RESULT

    tries: Count = Field(default=1)


def test_a_setting_without_a_description_is_found_out() -> None:
    """`--help` would show the flag and not what it is for."""
    with pytest.raises(AssertionError, match=r"every setting has a `description`.*these have none: \['tries'\]"):
        contract(by_the_clock, settings=SilentConfig).test_its_settings_say_what_they_decide()


def of_a_seed(search: Search[Any], *, provenance: dict[str, Any] | None = None, units: int = 3) -> Found:
    """Return the same policy each time."""
    with search.reporter.track("Steps", units) as advance:
        for _step in range(units):
            advance()
    policy = random_policy(3, seed=0).model_copy(update={"provenance": provenance or {}})
    return Found(policy=policy, seconds=0.0, figures={"reward": 1.0})


def test_a_provenance_that_lacks_settings_is_found_out(install: Any) -> None:
    """The policy could not be found again with it."""
    faulty = install(contract(partial(of_a_seed, provenance={"algorithm": "faulty"})))
    with pytest.raises(AssertionError, match=r"names every setting that decides it; these are missing: \['amp'"):
        faulty.test_its_policy_is_a_policy()


def test_a_run_that_keeps_another_policy_is_found_out(install: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where an algorithm has written the file itself."""
    faulty = install(contract(of_a_seed))

    def elsewhere(config: SharedSearchConfig, output: Path) -> Any:
        return replace(search(config, output), policy=random_policy(3, seed=1))

    monkeypatch.setattr("faa_search.testing.searchers.search", elsewhere)
    with pytest.raises(AssertionError, match="the policy in the run's directory is the one that is found"):
        faulty.test_its_policy_is_a_policy()


@pytest.mark.parametrize(
    ("units", "words"),
    [(3, "a finished search does no unit of work"), (0, r"a finished search changes no file, and not \['work'\]")],
)
def test_a_finished_search_that_works_is_found_out(install: Any, units: int, words: str) -> None:
    """Its units are seen, and what it writes."""

    def run(search: Search[Any]) -> Found:
        with (search.directory / "work").open("a") as file:
            file.write("more\n")
        return of_a_seed(search, units=units)

    faulty = install(contract(run, adds=lambda _config: True))
    with pytest.raises(AssertionError, match=words):
        faulty.test_a_finished_search_does_nothing()


def test_a_search_that_does_not_stop_is_found_out(install: Any) -> None:
    """Ctrl-C would only be answered when it is finished."""

    def run(search: Search[Any]) -> Found:
        with suppress(Stopped):
            return of_a_seed(search)
        return of_a_seed(search, units=0)

    with pytest.raises(AssertionError, match="stopped after 1 units of progress, it ends and does not go on"):
        install(contract(run)).test_it_ends_where_it_is_stopped()
    install(contract(of_a_seed)).test_it_ends_where_it_is_stopped()
