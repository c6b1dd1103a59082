"""What every search algorithm keeps: a run that is stopped anywhere comes to the same, whoever does the work."""

import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from faa_core import FaaError, Policy
from faa_core.testing.expecting import expect
from faa_search.progress import Advance
from faa_search.runs.opening import SearchRun, open_run
from faa_search.runs.records.search import Found
from faa_search.searching.protocol import Searcher, load_searcher, shares_settings
from faa_search.searching.searchers import search, search_stage
from faa_search.settings import DECIDING, SharedSearchConfig
from faa_search.workers.stopping import Stopped

SMALL: dict[str, Any] = {
    "dataset": "digits", "train_subset": 40, "img_size": 8, "model": "wrn10_1", "epochs": 1, "batch_size": 20,
    "device": "cpu",
}  # fmt: skip


class _Killed(BaseException):
    """Ends a search in the middle, as a kill does; no search may handle it."""


class _Stopping:
    """A reporter that ends the search after so many units of progress."""

    def __init__(self, units: int, end: BaseException) -> None:
        self.left, self.end = units, end

    def note(self, message: str) -> None:
        """Drop the line."""

    @contextmanager
    def track(self, what: str, total: int, *, done: int = 0) -> Iterator[Advance]:
        """Count the units, and end when there were enough."""
        yield self._advance

    def _advance(self, detail: str = "") -> None:
        self.left -= 1
        if self.left < 0:
            raise self.end


class SearcherContract:
    """What every search algorithm keeps; subclass it, set `name`, and in `settings` what makes it quick.

    Attributes:
        name: Under which the package offers it.
        settings: Its own settings for a search of seconds; those of data and network are chosen, and may be replaced.
        stops: After how many units of progress a search is ended and begun again.
    """

    name: ClassVar[str]
    settings: ClassVar[Mapping[str, Any]] = {}
    stops: ClassVar[tuple[int, ...]] = (1, 5)

    def searcher(self) -> Searcher:
        """Return what is tested: the installed algorithm of the name."""
        return load_searcher(self.name)

    def config(self, **changed: Any) -> SharedSearchConfig:
        """Return the settings of a small search."""
        named = {"algorithm": self.name}  # algorithms may share a class of settings
        return self.searcher().settings(**{**SMALL, **named, **self.settings, **changed})

    def test_its_settings_say_what_they_decide(self) -> None:
        """Each has a default, a role and a description, and the algorithm is called by its own name."""
        kind = self.searcher().settings
        said = kind().algorithm
        named = said == self.name or shares_settings(self.searcher(), said)
        expect(named, f"its settings have `algorithm` {self.name!r} by default, not {said!r}")
        missing = sorted(kind.model_fields.keys() - kind.roles().keys())
        expect(not missing, f"every setting has a role; these have none: {missing}")
        silent = sorted(name for name, field in kind.model_fields.items() if not (field.description or "").strip())
        expect(not silent, f"every setting has a `description`, which --help shows; these have none: {silent}")

    def test_its_stages_come_to_the_whole(self) -> None:
        """One after the other, each ends as it declares; the last has the policy of a search without stages."""
        searcher = self.searcher()
        whole = self.found()
        with TemporaryDirectory() as folder:
            for stage in searcher.stages:
                ends = searcher.makes_policy(stage)
                rule = f"stage '{stage}' {'ends' if ends else 'does not end'} with a policy"
                try:
                    found = search_stage(self.config(stage=stage), Path(folder, "run"))
                except FaaError as error:
                    expect(False, f"{rule}: {error}")
                expect((found is not None) == ends, rule)
        assert found is not None  # noqa: S101 the last stage makes a policy
        same = _content(found.policy) == _content(whole.policy)
        expect(same, "stage after stage comes to the policy of the search without stages")

    def test_another_stage_is_refused(self) -> None:
        """In words that name the stages there are."""
        with TemporaryDirectory() as folder:
            try:
                search_stage(self.config(stage="no-such-stage"), Path(folder, "run"))
            except (FaaError, ValueError) as error:  # by the search, or by the settings themselves
                named = all(stage in str(error) for stage in self.searcher().stages)
                expect(named, f"the refusal of an unknown stage names the stages, not only: {error}")
            else:
                expect(False, "an unknown stage is refused")

    def test_its_policy_is_a_policy(self) -> None:
        """It can be written and read again, and records in its provenance how it was found."""
        with TemporaryDirectory() as folder:
            found = search(self.config(), Path(folder, "run"))
            read = Policy.load(Path(folder, "run", "policy.json"))
            expect(
                _content(read) == _content(found.policy), "the policy in the run's directory is the one that is found"
            )
            decides = self.searcher().settings.names(*DECIDING)
            missing = sorted(decides - read.provenance.keys())
            expect(not missing, f"its provenance names every setting that decides it; these are missing: {missing}")
            given = self.config().model_dump(mode="json", include=set(decides - {"dataset"}))
            kept = json.loads(read.to_json())["provenance"]
            other = sorted(name for name, value in given.items() if value is not None and kept[name] != value)
            expect(not other, f"its provenance has the settings it was found with; these are others: {other}")

    def test_its_run_is_opened_as_it_was_found(self) -> None:
        """`open_run` gives the same figures."""
        with TemporaryDirectory() as folder:
            run = Path(folder, "run")
            found = search(self.config(), run)
            opened = open_run(run)
            expect(isinstance(opened, SearchRun), "its run is opened as a search")
            kept = opened.result if isinstance(opened, SearchRun) else None
            expect(
                kept is not None and dict(kept.figures) == dict(found.figures), "its figures are kept in result.json"
            )

    def test_a_finished_search_does_nothing(self) -> None:
        """The same call again returns what was found, without any unit of work or change of a file."""
        with TemporaryDirectory() as folder:
            run = Path(folder, "run")
            found = search(self.config(), run)
            before = _files(run)
            try:
                again = search(self.config(), run, reporter=_Stopping(0, _Killed()))
            except _Killed:
                expect(False, "a finished search does no unit of work")
            expect(dict(again.figures) == dict(found.figures), "a finished search returns what it found")
            after = _files(run)
            changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
            expect(not changed, f"a finished search changes no file, and not {changed}")

    def test_it_goes_on_after_a_kill(self) -> None:
        """Ended after any unit of progress, and begun again, it comes to the policy of a search that was not ended."""
        whole = self.found()
        for units in self.stops:
            self._expect_the_same(whole, units, _Killed(), "killed")

    def test_it_ends_where_it_is_stopped(self) -> None:
        """`Stopped` ends it, as Ctrl-C does on the command line; begun again, it comes to the same policy."""
        self._expect_the_same(self.found(), self.stops[0], Stopped(signal.SIGTERM), "stopped")

    def _expect_the_same(self, whole: Found, units: int, end: BaseException, how: str) -> None:
        """Check that a search ends by an exception after so many units, and then comes to the policy of the whole."""
        with TemporaryDirectory() as folder:
            run, reporter = Path(folder, "run"), _Stopping(units, end)
            with suppress(type(end)):
                search(self.config(), run, reporter=reporter)
                expect(reporter.left >= 0, f"{how} after {units} units of progress, it ends and does not go on")
            again = search(self.config(), run)
        same = _content(again.policy) == _content(whole.policy)
        expect(same, f"{how} after {units} units of progress, it comes to the same policy")

    def test_its_workers_change_nothing(self) -> None:
        """Two processes come to the policy of one."""
        with TemporaryDirectory() as folder:
            several = search(self.config(executor="processes", num_processes=2), Path(folder, "run"), threads=1)
        same = _content(several.policy) == _content(self.found().policy)
        expect(same, "two processes come to the policy of one")

    def found(self) -> Found:
        """Return what a search comes to that is not ended."""
        with TemporaryDirectory() as folder:
            return search(self.config(), Path(folder, "run"), threads=1)


def _files(run: Path) -> dict[str, bytes]:
    """Return what lies in a run's directory."""
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}


def _content(policy: Policy) -> dict[str, Any]:
    """Return what a policy does, as its file has it."""
    document: dict[str, Any] = json.loads(policy.to_json())
    return {key: value for key, value in document.items() if key not in ("name", "provenance")}
