"""How exploring ends before it is complete: on a signal, without time, or because something failed."""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from faa_core import FaaError
from faa_search.runs.journal import Journal
from faa_search.runs.records.trials import Trial
from faa_search.searching.fast.explore import Exploration, explore
from faa_search.searching.fast.proposing import Proposer, proposing_here
from faa_search.searching.fast.rounds import Round
from faa_search.searching.objective import REWARDS
from faa_search.searching.samplers import Params, PolicySpace
from faa_search.searching.samplers.uniform import suggest
from faa_search.searching.tasks import PolicyScores, ScorePolicy
from faa_search.settings import SearchConfig
from faa_search.workers.stopping import Stopped, StopRequest

SPACE = PolicySpace(ops=("Rotate", "Invert"), sub_policies=1, num_ops=1)
TOTAL = 2 * 4


def scores(task: ScorePolicy) -> PolicyScores:
    """Score a policy by its probability."""
    time.sleep(0.002)
    values = dict.fromkeys(REWARDS, task.policy.sub_policies[0][0].p)
    return PolicyScores(values, dict.fromkeys(REWARDS, 0.0), 1.0)


class Threads:
    """Has one thread for two workers' tasks; the task of the number `fails_at` fails."""

    workers = 2
    in_process = False

    def __init__(self, *, fails_at: int = -1) -> None:
        self.given = 0
        self._fails_at = fails_at
        self._pool = ThreadPoolExecutor(1)

    def submit(self, task: ScorePolicy) -> "Future[PolicyScores]":
        self.given += 1
        return self._pool.submit(self._fail if self.given - 1 == self._fails_at else scores, task)

    def _fail(self, _task: ScorePolicy) -> PolicyScores:
        raise FaaError("a task failed")

    def close(self) -> None:
        self._pool.shutdown()


class Local(Threads):
    """Does each task inside `submit`, and may be told to stop by a signal in the middle of one."""

    workers = 1
    in_process = True

    def submit(self, task: ScorePolicy) -> "Future[PolicyScores]":
        future = super().submit(task)
        future.exception()
        return future


@pytest.fixture(params=[Local, Threads])
def executor(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Return an executor, in this process and not."""
    made = request.param()
    yield made
    made.close()


def started(
    path: Path,
    executor: Any,
    *,
    proposer: Proposer | None = None,
    finished: Callable[[Trial], None] = lambda _trial: None,
    out_of_time: Callable[[], bool] = lambda: False,
    request: StopRequest | None = None,
) -> bool:
    """Explore from a journal, and return what exploring returns."""
    config = SearchConfig(dataset="digits", depth=4)
    journal = Journal(path, Trial)
    done = journal.read()
    rounds = [Round(0, at, depth=4, batch=1, first=(), done=done) for at in range(2)]
    with proposing_here(SPACE, suggest) as here:
        exploration = Exploration(
            config=config,
            space=SPACE,
            executor=executor,
            proposer=proposer or here,
            journal=journal,
            finished=finished,
            out_of_time=out_of_time,
            request=request or StopRequest(),
        )
        return explore(exploration, rounds)


def lines(path: Path) -> list[Trial]:
    """Return the journal's trials, sorted."""
    return sorted(Journal(path, Trial).read(), key=lambda trial: trial.key)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Trial]:
    """Return the lines of an exploration that nothing ended."""
    path = tmp_path_factory.mktemp("whole") / "trials.jsonl"
    made = Local()
    assert started(path, made)
    made.close()
    assert TOTAL == len(lines(path))
    return lines(path)


@pytest.mark.parametrize("after", [1, 3, TOTAL])
def test_a_signal_ends_it_after_what_is_being_scored(
    executor: Any, whole: list[Trial], tmp_path: Path, after: int
) -> None:
    """Every trial that was begun is written down, none is begun any more; the rest is done the next time."""
    path, request, begun = tmp_path / "trials.jsonl", StopRequest(), list[int]()

    def finished(_trial: Trial) -> None:
        if len(lines(path)) == after:
            request.number = signal.SIGTERM
            begun.append(executor.given)

    with pytest.raises(Stopped, match="SIGTERM"):
        started(path, executor, finished=finished, request=request)
    assert begun == [executor.given] == [len(lines(path))]
    assert after <= executor.given <= min(TOTAL, after + 2 * executor.workers)
    assert started(path, executor)
    assert whole == lines(path)
    assert TOTAL == executor.given


def test_a_signal_before_the_first_trial(executor: Any, tmp_path: Path) -> None:
    """Nothing is scored."""
    request = StopRequest()
    request.number = signal.SIGINT
    with pytest.raises(Stopped, match="SIGINT"):
        started(tmp_path / "trials.jsonl", executor, request=request)
    assert 0 == executor.given


@pytest.mark.parametrize("after", [1, 3, TOTAL - 1])
def test_without_time_no_trial_begins(executor: Any, whole: list[Trial], tmp_path: Path, after: int) -> None:
    """What was begun is finished; with more time the same trials follow."""
    path = tmp_path / "trials.jsonl"
    count: list[int] = []

    def finished(_trial: Trial) -> None:
        count.append(executor.given)

    complete = started(path, executor, finished=finished, out_of_time=lambda: len(count) >= after)
    assert len(lines(path)) == executor.given == len(count)
    assert after <= executor.given <= after + 2 * executor.workers
    assert complete == (executor.given == TOTAL)
    if isinstance(executor, Local):
        assert after == executor.given
    assert started(path, executor)
    assert whole == lines(path)


def test_time_that_ends_with_the_last_trial_was_enough(executor: Any, tmp_path: Path) -> None:
    """All trials are there, so it is complete."""
    path = tmp_path / "trials.jsonl"
    assert started(path, executor, out_of_time=lambda: path.is_file() and len(lines(path)) == TOTAL)


@pytest.mark.parametrize("kind", [Local, Threads])
def test_a_task_that_fails(kind: type[Threads], whole: list[Trial], tmp_path: Path) -> None:
    """Its error ends exploring; what was written down is, and the next try goes on from there."""
    failing, path = kind(fails_at=3), tmp_path / "trials.jsonl"
    with pytest.raises(FaaError, match="a task failed"):
        started(path, failing)
    failing.close()
    assert 1 <= len(lines(path)) <= TOTAL - 1
    assert all(trial in whole for trial in lines(path))
    again = kind()
    assert started(path, again)
    again.close()
    assert whole == lines(path)


def test_what_was_done_beside_a_failure_is_kept(tmp_path: Path) -> None:
    """Two tasks finished at the same moment, one by failing: the other's trial is written down."""
    path = tmp_path / "trials.jsonl"

    class Both(Threads):
        def submit(self, task: ScorePolicy) -> "Future[PolicyScores]":
            self.given += 1
            future: Future[PolicyScores] = Future()
            if self.given == 1:
                self.first = future
            else:  # both are done before anybody looks
                self.first.set_result(scores(task))
                future.set_exception(FaaError("a task failed"))
            return future

    executor = Both()
    with pytest.raises(FaaError, match="a task failed"):
        started(path, executor)
    executor.close()
    assert 1 == len(lines(path))


def test_a_sampler_that_fails(executor: Any, tmp_path: Path) -> None:
    """Its error is what exploring ends with."""

    class Failing:
        def submit(self, _history: Any, _seed: int) -> "Future[Params]":
            future: Future[Params] = Future()
            future.set_exception(FaaError("the sampler failed"))
            return future

    with pytest.raises(FaaError, match="the sampler failed"):
        started(tmp_path / "trials.jsonl", executor, proposer=Failing())
    assert 0 == executor.given
