"""Exploring with executors and proposers that do their worst: the trials are always the same."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from faa_core.randomness import key_of
from faa_search.runs.journal import Journal
from faa_search.runs.records.trials import Trial
from faa_search.searching.fast.explore import Exploration, explore
from faa_search.searching.fast.proposing import Proposer, proposing_aside, proposing_here
from faa_search.searching.fast.rounds import Round
from faa_search.searching.objective import REWARDS
from faa_search.searching.samplers import Params, PolicySpace, Scored
from faa_search.searching.samplers.tpe import suggest as tpe
from faa_search.searching.samplers.uniform import suggest as uniform
from faa_search.searching.tasks import PolicyScores, ScorePolicy
from faa_search.settings import SearchConfig
from faa_search.workers.stopping import StopRequest

SPACE = PolicySpace(ops=("Rotate", "Invert"), sub_policies=1, num_ops=1)
PLACES = [(fold, at) for fold in range(2) for at in range(2)]
DEPTH = 5


def chained(space: PolicySpace, history: Sequence[Scored], seed: int) -> Params:
    """Propose from a digest of everything that is known, so that any other history is another proposal."""
    digest = key_of("test", seed, *(f"{sorted(scored.params.items())} {scored.reward!r}" for scored in history))
    return uniform(space, [], digest & 0x7FFFFFFF)


def scores(task: ScorePolicy) -> PolicyScores:
    """Score a policy by a function of the task alone."""
    (op,) = task.policy.sub_policies[0]
    value = op.p * (1 if op.op == "Rotate" else -1) + op.magnitude + task.fold + (task.seed % 1000) / 7
    means = {name: value * number for number, name in enumerate(REWARDS, 1)}
    return PolicyScores(means, {name: abs(mean) / 10 for name, mean in means.items()}, 0.25)


class Here:
    """Does a task inside `submit`."""

    workers = 1
    in_process = True

    def __init__(self) -> None:
        self.given: list[ScorePolicy] = []

    def submit(self, task: ScorePolicy) -> "Future[PolicyScores]":
        self.given.append(task)
        future: Future[PolicyScores] = Future()
        future.set_result(scores(task))
        return future


class Disorderly:
    """Has several tasks at once and finishes them in an order that a generator picks."""

    in_process = False

    def __init__(self, *, workers: int, seed: int) -> None:
        self.workers = workers
        self.given: list[ScorePolicy] = []
        self.most = 0
        self._seed = seed
        self._waiting: list[tuple[ScorePolicy, Future[PolicyScores]]] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def submit(self, task: ScorePolicy) -> "Future[PolicyScores]":
        future: Future[PolicyScores] = Future()
        with self._lock:
            self._waiting.append((task, future))
            self.given.append(task)
            self.most = max(self.most, len(self._waiting))
        return future

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._over.is_set():
            time.sleep(0.0005)
            with self._lock:
                which = key_of("order", self._seed, len(self.given)) % max(1, len(self._waiting))
                picked = self._waiting.pop(which) if self._waiting else None
            if picked is not None:
                task, future = picked
                future.set_result(scores(task))


class Late:
    """Makes proposals in another thread, each after a while of its own."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def submit(self, history: Sequence[Scored], seed: int) -> "Future[Params]":
        future: Future[Params] = Future()
        known = list(history)
        seconds = key_of("late", self._seed, seed) % 30 / 10_000
        make = threading.Timer(seconds, lambda: future.set_result(chained(SPACE, known, seed)))
        make.daemon = True
        make.start()
        return future


@contextmanager
def disorderly(**given: Any) -> Iterator[Disorderly]:
    """Give a disorderly executor, and end its thread."""
    made = Disorderly(**given)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def exploration(
    path: Path,
    executor: Any,
    *,
    proposer: Proposer | None = None,
    finished: Callable[[Trial], None] = lambda _trial: None,
    **settings: Any,
) -> Iterator[tuple[Exploration, list[Round]]]:
    """Give an exploration that is taken up from a journal, and its rounds."""
    first = settings.pop("first", ())
    config = SearchConfig(dataset="digits", depth=settings.pop("depth", DEPTH), views=3, seed=8, **settings)
    journal = Journal(path, Trial)
    done = journal.read()
    rounds = [
        Round(fold, at, depth=config.depth, batch=config.batch_proposals, first=first, done=done) for fold, at in PLACES
    ]
    with proposing_here(SPACE, chained) as here:
        yield (
            Exploration(
                config=config,
                space=SPACE,
                executor=executor,
                proposer=here if proposer is None else proposer,
                journal=journal,
                finished=finished,
                out_of_time=lambda: False,
                request=StopRequest(),
            ),
            rounds,
        )


def explored(path: Path, executor: Any, **given: Any) -> list[Trial]:
    """Explore to the end and return the journal's trials, sorted."""
    with exploration(path, executor, **given) as (means, rounds):
        assert explore(means, rounds)
    assert [list(range(means.config.depth))] * 4 == [[one.number for one in each.trials()] for each in rounds]
    return sorted(Journal(path, Trial).read(), key=lambda trial: trial.key)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[Trial]]:
    """Return the sorted journal of a search in this process, by the size of a batch."""
    folder = tmp_path_factory.mktemp("straight")
    return {batch: explored(folder / f"{batch}.jsonl", Here(), batch_proposals=batch) for batch in (1, 2, 3)}


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("workers", [1, 2, 7])
def test_neither_workers_nor_their_order_matter(
    straight: dict[int, list[Trial]], tmp_path: Path, workers: int, batch: int
) -> None:
    """Proposals that come late and scores that come in any order: every line of the journal is the same."""
    for seed in range(2):
        with disorderly(workers=workers, seed=seed) as executor:
            path = tmp_path / f"{seed}.jsonl"
            assert straight[batch] == explored(path, executor, proposer=Late(seed), batch_proposals=batch)
            assert 1 <= executor.most <= 2 * workers
            assert 4 * DEPTH == len(executor.given)


def test_proposals_of_another_process(tmp_path: Path) -> None:
    """TPE beyond its random trials, here and aside."""
    with proposing_here(SPACE, tpe) as here:
        one = explored(tmp_path / "here.jsonl", Here(), proposer=here, depth=22)
    with proposing_aside(SPACE, tpe, processes=2, note=print) as aside, disorderly(workers=2, seed=3) as executor:
        assert one == explored(tmp_path / "aside.jsonl", executor, proposer=aside, depth=22)


@pytest.mark.parametrize("batch", [1, 3])
def test_killed_after_any_trial(straight: dict[int, list[Trial]], tmp_path: Path, batch: int) -> None:
    """Whatever was done when a search was killed, it goes on to the same trials, and does none twice."""

    class Killed(Exception):  # noqa: N818
        pass

    def killing(after: int) -> Callable[[Trial], None]:
        left = iter(range(after - 1, -1, -1))

        def finished(_trial: Trial) -> None:
            if next(left) == 0:
                raise Killed

        return finished

    for after in range(1, 4 * DEPTH + 1, 2):
        path = tmp_path / f"{after}.jsonl"
        with (
            disorderly(workers=2, seed=after) as executor,
            exploration(path, executor, finished=killing(after), batch_proposals=batch) as (means, rounds),
            pytest.raises(Killed),
        ):
            explore(means, rounds)
        assert after == len(path.read_bytes().splitlines())
        again = Here()
        assert straight[batch] == explored(path, again, batch_proposals=batch)
        assert 4 * DEPTH - after == len(again.given)


def test_a_finished_exploration_has_nothing_to_do(straight: dict[int, list[Trial]], tmp_path: Path) -> None:
    """Called again it neither proposes nor scores."""
    path = tmp_path / "trials.jsonl"
    explored(path, Here())
    again = Here()
    assert straight[1] == explored(path, again, proposer=object())
    assert [] == again.given
    one, two, three = straight.values()
    assert one != two != three != one  # while another size of a batch is another search


def test_rounds_advance_together(tmp_path: Path) -> None:
    """In one process trial by trial; with more, the least advanced round is next among those that are proposed."""
    path = tmp_path / "trials.jsonl"
    explored(path, Here())
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(n, *place) for n in range(DEPTH) for place in PLACES] == [
        (row["number"], row["fold"], row["round"]) for row in rows
    ]


def test_what_a_trial_is_given_and_writes_down(tmp_path: Path) -> None:
    """The policy of its parameters, its fold's draws, all rewards; the reward is the chosen one."""
    executor, path = Here(), tmp_path / "trials.jsonl"
    explored(path, executor, reward="best-accuracy", common_draws=False)
    for task, one in zip(executor.given, trials := Journal(path, Trial).read(), strict=True):
        (op,) = task.policy.sub_policies[0]
        assert {"op_0_0": op.op, "p_0_0": op.p, "magnitude_0_0": op.magnitude} == one.params
        assert (task.fold, task.views, task.seed) == (one.fold, one.views, one.draws)
        assert (one.metrics["best-accuracy"], one.errors["best-accuracy"]) == (one.reward, one.standard_error)
        assert scores(task).means == one.metrics
    assert 4 * DEPTH == len({one.draws for one in trials}) == len({one.seed for one in trials})


def test_common_draws(tmp_path: Path) -> None:
    """All trials of a fold have the same."""
    explored(tmp_path / "trials.jsonl", executor := Here())
    assert {0: 1, 1: 1} == {fold: len({one.seed for one in executor.given if one.fold == fold}) for fold in (0, 1)}
    assert 2 == len({one.seed for one in executor.given})


def test_batches_know_what_came_before_them(tmp_path: Path) -> None:
    """The sampler's histories, against the journal."""
    seen: dict[int, list[Scored]] = {}

    def watching(space: PolicySpace, history: Sequence[Scored], seed: int) -> Params:
        seen[seed] = list(history)
        return chained(space, history, seed)

    path = tmp_path / "trials.jsonl"
    with proposing_here(SPACE, watching) as proposer, disorderly(workers=3, seed=1) as executor:
        explored(path, executor, proposer=proposer, batch_proposals=2)
    trials = {one.key: one for one in Journal(path, Trial).read()}
    for one in trials.values():
        before = [trials[one.fold, one.round, number] for number in range(one.number // 2 * 2)]
        assert [Scored(each.params, each.reward) for each in before] == seen[one.seed]


def test_given_trials_come_first(tmp_path: Path) -> None:
    """Each round begins with them; the sampler is first asked afterwards, and knows them."""
    first = [{"op_0_0": "Invert", "p_0_0": 0.5, "magnitude_0_0": number / 4} for number in range(2)]
    asked: list[int] = []

    def watching(space: PolicySpace, history: Sequence[Scored], seed: int) -> Params:
        asked.append(len(history))
        assert first == [dict(scored.params) for scored in history[:2]]
        return chained(space, history, seed)

    path = tmp_path / "trials.jsonl"
    with proposing_here(SPACE, watching) as proposer:
        explored(path, Here(), proposer=proposer, first=first)
    assert [2, 3, 4] == sorted(set(asked))
    assert 4 * 3 == len(asked)
    assert all(one.params == first[one.number] for one in Journal(path, Trial).read() if one.number < 2)
