"""The contract of search algorithms: ours keep it, and faults are found."""

import time
from typing import Any, ClassVar

import pytest
from pydantic import Field

from faa_core import random_policy
from faa_search.searching.protocol import Found, Searcher
from faa_search.searching.search import Search
from faa_search.settings import FoldedSearchConfig, Role
from faa_search.settings.base import Text
from faa_search.testing import SearcherContract


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


def contract(run: Any, *, stages: tuple[str, ...] = ("all",), name: str = "faulty") -> SearcherContract:
    """Return the contract of an algorithm that is not installed."""
    made = Searcher(name=name, settings=FaultyConfig, stages=stages, run=run)

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
