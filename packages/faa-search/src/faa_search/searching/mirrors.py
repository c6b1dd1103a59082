"""Whether a left-right mirror changes the class: tested by networks that were fitted without flips.

Where the search fits its folds without flips, their networks are asked. Networks that were fitted with flips would lose
nothing, whatever a mirror means, so there one more network is fitted without, for as many epochs: with half of them a
network may know the images too little.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from faa_core import FaaError, Op, Policy, SubPolicies
from faa_core.policies.document import OperationRow
from faa_core.text import duration
from faa_search.runs.directory import read_config
from faa_search.runs.files import SUMMARY
from faa_search.runs.records.mirrors import MirrorTest
from faa_search.runs.results import read_mirrors, write_mirrors
from faa_search.searching.bench import Bench, training_view
from faa_search.searching.clock import Clock
from faa_search.searching.controls import CONFIDENCE, FOUND, Key, compare, control_tasks
from faa_search.searching.folding import Beside, table_seconds
from faa_search.searching.objective import score
from faa_search.searching.search import Search
from faa_search.settings import FoldedSearchConfig
from faa_search.training.fitting import fit
from faa_search.training.saving import FitJob
from faa_search.workers.executors.gathering import gather

Folded = TypeVar("Folded", bound=FoldedSearchConfig)
FOLDER = "mirrors"  # of the network, in the run, while it is fitted
AFFORDABLE = 0.1  # of what a budget leaves after the folds
MUCH = 0.1  # of the accuracy; less may come from images that mostly face one way
ENOUGH = 0.5  # a network that hardly knows the images has little to lose

MIRRORED = SubPolicies(
    name="mirrored",
    operations={"Mirror": OperationRow(kernel="Flip", low=-1.0, high=-1.0)},
    sub_policies=((Op(op="Mirror", p=1.0, magnitude=0.0),),),
)


class Recognised(NamedTuple):
    """Which held-out images of the first fold a network recognises: 1 or 0 for each.

    Attributes:
        mirrored: As mirror images.
        plain: As they are.
        seconds: That the network was fitted for.
    """

    mirrored: list[float]
    plain: list[float]
    seconds: float


@dataclass(frozen=True, slots=True)
class FitUnflipped:
    """Fits a network without flips on the first fold; resumes where the worker sees the run's directory."""

    def __call__(self, bench: Bench) -> Recognised:
        """Return what the network makes of the held-out images."""
        config, images = bench.config.model_copy(update={"hflip": 0.0}), bench.images
        with bench.run_folder() as run:
            job = FitJob(
                view=training_view(config, images, bench.expected, images.folds[0]),
                expected=bench.expected,
                run=run,
                directory=run / FOLDER,
                summary=run / FOLDER / SUMMARY,
                what="Mirror test",
                seed=config.seed,
            )
            network, progress = fit(job, config, bench.processes, bench.reporter)
        held = bench.held_out_for(network, 0)
        mirrored = score(held, MIRRORED, views=1, seed=config.seed)
        return Recognised(
            mirrored=mirrored.right[0].tolist(),
            plain=held.untouched.right[0].tolist(),
            seconds=sum(row["seconds"] or 0.0 for row in progress.history),
        )


def needs_network(search: Search[Folded]) -> bool:
    """Return whether a network is to be fitted for the test; a search that takes networks (--init-models) fits none."""
    config = search.config
    wanted = config.mirror_test and config.hflip > 0 and config.init_models is None
    return wanted and read_mirrors(search.directory) is None


def fitted_seconds(directory: Path) -> float:
    """Return the device seconds that the test's network has taken so far, in a run.

    Raises:
        FaaError: If the record of the test, or the table of its epochs, is damaged.
    """
    test = read_mirrors(directory)
    return table_seconds(directory / FOLDER / SUMMARY) if test is None else test.seconds


def affords(search: Search[Folded], clock: Clock, *, folds: float, fold: float) -> bool:
    """Return whether the budget has room for the test's network; where it has not, that is noted.

    Args:
        search: Under way.
        clock: Of the budget.
        folds: Device seconds that the folds still take.
        fold: Device seconds that one takes; the test's network takes as long.
    """
    if clock.has(folds + fold / AFFORDABLE):
        return True
    if clock.has(folds):  # else the folds are what is too long
        search.reporter.note(
            f"The mirror test is left out: it would take {duration(fold)}, more than {AFFORDABLE:.0%} of what --budget "
            f"{search.config.budget} leaves after the folds."
        )
    return False


def fitting_beside(search: Search[Folded]) -> Sequence[Beside]:
    """Return what is to be fitted beside the folds for the test: one network, or nothing."""

    def finished(done: Recognised) -> None:
        values = {(FOUND, 0, 0): done.mirrored, ("none", 0, 0): done.plain}
        _keep(search, values, networks=1, seconds=done.seconds)

    return [Beside(FitUnflipped(), finished)] if needs_network(search) else []


def tell_of_mirrors(search: Search[Folded], *, tests: bool) -> None:
    """Note what is known of mirrored images, once the folds' networks are there.

    Args:
        search: Under way; `fit_folds` had what `fitting_beside` returns.
        tests: Whether to ask the folds' networks where nothing is known, which takes one pass over their images.

    Raises:
        Stopped: If a signal asked for it.
        FaaError: If the record of a test is damaged.
    """
    test = read_mirrors(search.directory)
    if test is None and tests and search.config.mirror_test:
        test = _taken_over(search) or _asked(search)
    if test is not None:
        if (search.directory / FOLDER).is_dir():  # only now, as the record is worth a fitting
            shutil.rmtree(search.directory / FOLDER)
        search.reporter.note(in_words(test, hflip=search.config.hflip))


def _taken_over(search: Search[Folded]) -> MirrorTest | None:
    """Return, and keep, what the search knows that the folds' networks come from."""
    source = search.config.init_models
    known = None if source is None else read_mirrors(Path(source))
    if known is None:
        return None
    known = replace(known, seconds=0.0)
    write_mirrors(search.directory, known)
    return known


def _asked(search: Search[Folded]) -> MirrorTest | None:
    """Return, and keep, what the folds' networks recognise; None where they may have learnt mirrored images."""
    config = search.config
    if config.hflip > 0 or not (config.init_models is None or _saw_no_flips(Path(config.init_models))):
        return None
    folds = len(search.images.folds)
    policies: dict[str, list[Policy]] = {FOUND: [MIRRORED], "none": [Policy.load("none")]}
    tasks = control_tasks(policies, folds=folds, views=1, reward="mean-accuracy", seed=config.seed)
    values: dict[Key, list[float]] = {}
    gather(tasks, search.executor, values.__setitem__, search.request)
    return _keep(search, {key: values[key] for key in tasks}, networks=folds, seconds=0.0)


def _saw_no_flips(source: Path) -> bool:
    """Return whether another search fitted its networks itself and without flips, by its settings."""
    try:
        said: Mapping[str, Any] = read_config(source)
    except FaaError:  # weights that no search has made
        return False
    return said.get("hflip") == 0 and said.get("init_models") is None


def _keep(search: Search[Folded], values: dict[Key, list[float]], *, networks: int, seconds: float) -> MirrorTest:
    """Return, and write into the run, what images under the mirror and as they are come to."""
    _mirrored, (plain,) = compare(values)
    test = MirrorTest(
        accuracy=plain.reward,
        lost=-plain.difference,
        low=-plain.high,
        high=-plain.low,
        networks=networks,
        epochs=search.config.epochs,
        seconds=round(seconds, 3),
    )
    write_mirrors(search.directory, test)
    return test


def in_words(test: MirrorTest, *, hflip: float) -> str:
    """Return what mirrors cost, and what follows for ``--hflip``, which is as given now."""
    accuracy, lost, low, high = (100 * part for part in (test.accuracy, test.lost, test.low, test.high))
    by = "a network" if test.networks == 1 else "networks"
    measured = (
        f"Mirrored left to right, held-out images lose {lost:z.1f} of {accuracy:.1f} points of accuracy "
        f"({CONFIDENCE:.0%} interval {low:z.1f} … {high:z.1f}), by {by} that saw no mirrored image."
    )
    if low > 0 and lost >= MUCH * accuracy:
        cure = f"give --hflip 0 in place of --hflip {hflip:g}, to trainings too" if hflip else "keep --hflip 0"
        return f"{measured} A mirrored image can mean another class here: {cure}."
    if test.accuracy < ENOUGH:
        return f"{measured} That is too little accuracy to tell; more --epochs may."
    if high < MUCH * accuracy:
        kept = f"--hflip {hflip:g} may stay" if hflip else "--hflip 0.5 may help"
        return f"{measured} A mirror hardly changes the class: {kept}."
    return f"{measured} That is too uncertain to tell whether a mirror changes the class."
