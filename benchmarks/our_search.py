"""Our way of doing the trials that the benchmark of the search times: the search's own code, workers started."""

from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from search_timing import ForwardTimes, Way
from search_trials import EARLIER, Done, Recorded

from faa_search.runs.journal import Journal
from faa_search.runs.records.trials import Trial
from faa_search.searching.bench import Bench, MakeBench
from faa_search.searching.fast.explore import Exploration, explore
from faa_search.searching.fast.proposing import Proposer, proposing_aside, proposing_here
from faa_search.searching.fast.rounds import Round
from faa_search.searching.folding import weights_path
from faa_search.searching.images import SearchImages
from faa_search.searching.samplers.tpe import suggest as tpe
from faa_search.settings import SearchConfig
from faa_search.workers.executors.local import local
from faa_search.workers.executors.processes import processes
from faa_search.workers.executors.protocol import Executor, ExecutorOptions, Place
from faa_search.workers.stopping import StopRequest


class Layout(NamedTuple):
    """How the cores are used: worker processes, and threads of each."""

    processes: int
    threads: int

    def __str__(self) -> str:
        return f"{self.processes}x{self.threads}"


LAYOUTS = {str(layout): layout for layout in (Layout(1, 2), Layout(1, 1), Layout(2, 1))}


@dataclass(frozen=True, slots=True)
class Hooked:
    """Makes a worker's bench, whose network's forward passes are timed."""

    make: MakeBench
    forward: ForwardTimes

    def __call__(self, place: Place) -> Bench:
        """Return the bench."""
        bench = self.make(place)
        self.forward.attach(bench.held_out(0).network.model)
        return bench


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What our ways share.

    Attributes:
        config: The search's settings, in float32.
        directory: Of the run, with the fold's network.
        images: Of the search.
        recorded: The trials to come.
        proposer: Proposes them.
    """

    config: SearchConfig
    directory: Path
    images: SearchImages
    recorded: Recorded
    proposer: Proposer


def proposing(recorded: Recorded, *, aside: bool) -> AbstractContextManager[Proposer]:
    """Give a proposer: in one process of its own, as a search of the default size on two cores has it, or here."""
    if not aside:
        return proposing_here(recorded.space, tpe)
    return proposing_aside(recorded.space, tpe, processes=1, note=print)


def our_way(means: Means, layout: Layout, precision: str, stack: ExitStack) -> Way:
    """Return a way of ours, with its workers, which the stack ends."""
    name = f"ours, {precision}, {layout}"
    forward = ForwardTimes(means.directory / f"forward-{precision}-{layout}")
    config = means.config.model_copy(update={"amp": precision == "bfloat16"})
    setup = Hooked(MakeBench(config=config, directory=means.directory, images=means.images), forward)
    options = ExecutorOptions(device="cpu", processes=layout.processes, threads=layout.threads)
    executor = stack.enter_context((local if layout.processes == 1 else processes)(setup, options))
    executor.share("fold0", weights_path(means.directory, 0).read_bytes())
    run = partial(trials, means, config, executor, means.directory / f"trials-{precision}-{layout}.jsonl")
    return Way(name=name, threads=layout.threads, workers=layout.processes, forward=forward, run=run)


def trials(means: Means, config: SearchConfig, executor: Executor, journal: Path) -> list[Done]:
    """Do the next trial of each round, written to a new journal."""
    journal.unlink(missing_ok=True)
    found: list[Trial] = []
    exploration = Exploration(
        config=config,
        space=means.recorded.space,
        executor=executor,
        proposer=means.proposer,
        journal=Journal(journal, Trial),
        finished=found.append,
        out_of_time=lambda: False,
        request=StopRequest(),
    )
    rounds = [
        Round(0, number, depth=EARLIER + 1, batch=1, first=(), done=done)
        for number, done in enumerate(means.recorded.earlier)
    ]
    explore(exploration, rounds)
    found.sort(key=lambda trial: trial.round)
    return [Done(trial.params, trial.metrics["best-accuracy"]) for trial in found]
