"""The first stage: a network for each fold, fitted without a policy, or taken from another run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from faa_core import FaaError
from faa_core.text import duration, safe
from faa_search.progress import Reporter
from faa_search.runs.directory import read_config
from faa_search.runs.files import SUMMARY, replacing_file, write_file
from faa_search.runs.images import same_record
from faa_search.runs.results import read_epochs
from faa_search.searching.clock import Clock
from faa_search.searching.folds import Fold, folds_text
from faa_search.searching.images import SearchImages
from faa_search.searching.search import Search
from faa_search.searching.tasks import Files, FitFold
from faa_search.settings import FoldedSearchConfig, NetworksSearchConfig, Role
from faa_search.training.checkpoint import STATE, WEIGHTS, damage, load_weights
from faa_search.training.models import make_model
from faa_search.workers.executors.gathering import gather
from faa_search.workers.executors.protocol import Executor, Task
from faa_search.workers.stopping import StopRequest

Of = TypeVar("Of", bound=NetworksSearchConfig)

FOLDS = "folds.json"
DAMAGED_WEIGHTS = "damaged-model.safetensors"


@dataclass(frozen=True, slots=True)
class Beside:
    """Something else that workers do while folds are fitted: a task, and what is given its result."""

    task: Task
    finished: Callable[[Any], None]


def prepare_networks(search: Search[Of], *, fits: bool, stage: str) -> int:
    """Take or check the networks that are there, and return how many are missing.

    Args:
        search: Under way.
        fits: Whether those that are missing are to be fitted; else they are refused.
        stage: The algorithm's name for the stage that fits them.

    Raises:
        FaaError: If one is damaged or missing, or those to take are of other images or of another model.
    """
    config, directory, folds = search.config, search.directory, search.images.folds
    write_file(directory, FOLDS, folds_text(folds))
    if fits:
        set_damaged_aside(directory, folds, search.reporter.note)
    if config.init_models is not None:
        take_models(Path(config.init_models), directory, config, search.images)
    if not fits:
        check_fitted(directory, folds, stage=stage)
    return sum(not weights_path(directory, fold.index).is_file() for fold in folds)


def check_budget(search: Search[Of], clock: Clock, seconds: float, what: str, *, ways: str) -> None:
    """Refuse a budget that the networks alone would use up.

    Args:
        search: Under way.
        clock: Of the budget.
        seconds: Device seconds that the missing networks take.
        what: Is fitted, such as "2 folds".
        ways: Settings that make it shorter, in words.

    Raises:
        FaaError: If it is so.
    """
    if seconds and not clock.has(seconds):
        raise FaaError(
            f"--budget {search.config.budget}: fitting {what} alone is estimated at {duration(seconds)}, and "
            f"{duration(max(0.0, clock.left()))} of the budget are left. Give a longer --budget, {ways}, or networks "
            "that are there already (--init-models)."
        )


def fit_folds(
    directory: Path,
    folds: Sequence[Fold],
    executor: Executor,
    reporter: Reporter,
    request: StopRequest,
    *,
    beside: Sequence[Beside] = (),
) -> None:
    """Fit the networks that are missing; all are shared with the executor's workers afterwards.

    Args:
        directory: The run's; each fold has a folder in it.
        folds: To fit.
        executor: Fits.
        reporter: Shown the progress.
        request: Whether a signal asked to stop.
        beside: Tasks that can be stopped and taken up again, as those of the folds; they come after them.

    Raises:
        Stopped: If a signal asked for it; a fold under way is kept where its worker sees the directory.
        FaaError: If a network cannot be fitted.
    """
    missing = [fold.index for fold in folds if not weights_path(directory, fold.index).is_file()]

    def keep(place: int | Beside, files: Files) -> None:
        if isinstance(place, Beside):
            place.finished(files)
            return
        for name, content in files.items():  # the weights last: with them a fold is finished
            if not (directory / f"fold{place}" / name).is_file():
                with replacing_file(directory, directory / f"fold{place}" / name) as temporary:
                    temporary.write_bytes(content)

    tasks: dict[int | Beside, Task] = {number: FitFold(number) for number in missing}
    tasks |= {one: one.task for one in beside}
    if executor.in_process:  # each shows its own epochs
        gather(tasks, executor, keep, request, resumable=True)
    elif tasks:
        with reporter.track("Folds", len(folds), done=len(folds) - len(missing)) as advance:

            def keep_and_tell(place: int | Beside, result: Any) -> None:
                keep(place, result)
                if not isinstance(place, Beside):
                    advance()

            gather(tasks, executor, keep_and_tell, request, resumable=True)
    for fold in folds:
        executor.share(f"fold{fold.index}", weights_path(directory, fold.index).read_bytes())


def set_damaged_aside(directory: Path, folds: Sequence[Fold], note: Callable[[str], None]) -> None:
    """Rename weights that are cut off or no weights, so that their network counts as missing and is made again.

    Where the state of its last epoch is beside them, that takes a moment and gives the same weights.

    Args:
        directory: The run's.
        folds: Whose weights are looked at.
        note: Told of each.

    Raises:
        FaaError: If no state is beside them: fitting again would take long, and trials were scored with this network.
    """
    for path in (weights_path(directory, fold.index) for fold in folds):
        if not path.is_file() or (reason := damage(path)) is None:
            continue
        if not path.with_name(STATE).is_file():
            raise FaaError(
                f"The weights '{safe(path)}' are damaged ({reason}), and beside them is no {STATE} to make them again "
                "from. Put back a copy of the file. Without one, delete it, and the same command fits this network "
                "again, or takes it again from --init-models."
            )
        path.replace(path.with_name(DAMAGED_WEIGHTS))
        note(f"The weights '{safe(path)}' are damaged ({reason}), so they are made again from the state beside them.")


def check_fitted(directory: Path, folds: Sequence[Fold], *, stage: str) -> None:
    """Refuse what needs the folds' networks where some are missing or damaged; nothing is touched.

    Args:
        directory: The run's.
        folds: Whose networks are needed.
        stage: The algorithm's name for the stage that fits them.

    Raises:
        FaaError: If so.
    """
    for path in (weights_path(directory, fold.index) for fold in folds):
        if not path.is_file():
            raise FaaError(f"The network '{safe(path)}' is missing; --stage {stage} makes it.")
        if reason := damage(path):
            raise FaaError(f"The network '{safe(path)}' is damaged ({reason}); --stage {stage} makes it again.")


def take_models(source: Path, directory: Path, config: NetworksSearchConfig, images: SearchImages) -> None:
    """Copy the networks of another search, or the one network of a training run, for those not there yet.

    Args:
        source: The other run's directory; with a split to score on also any folder with weights, as a run's ``last``.
        directory: This run's.
        config: Of this run.
        images: Of this run, with its folds.

    Raises:
        FaaError: If there are none, or they were fitted on other images or are other networks; then none is copied.
    """
    single = source / WEIGHTS
    if isinstance(config, FoldedSearchConfig) and config.val_split is not None and single.is_file():
        _copy(directory, {single: weights_path(directory, 0)}, config, images)
        return
    before, now = read_config(source), config.model_dump(mode="json")
    differing = [name for name in sorted(config.names(Role.NETWORK)) if before.get(name) != now[name]]
    if differing:
        name = differing[0]
        raise FaaError(f"--init-models '{source}' has {name} {before.get(name)!r}, this run {now[name]!r}.")
    kept = source / FOLDS
    same = kept.is_file() and kept.read_bytes() == (directory / FOLDS).read_bytes()
    if not same or not same_record(source, directory):
        raise FaaError(
            f"--init-models '{source}' has other folds or images: its networks would be scored on what they were "
            f"fitted on. Give the same images, --seed, {config.parts(len(images.train)).flags}."
        )
    missing = [fold.index for fold in images.folds if not weights_path(source, fold.index).is_file()]
    if missing:
        raise FaaError(f"--init-models '{source}' has no finished network of fold {missing[0]}.")
    numbers = [fold.index for fold in images.folds]
    targets = {weights_path(source, number): weights_path(directory, number) for number in numbers}
    _copy(directory, targets, config, images)


def weights_path(directory: Path, fold: int) -> Path:
    """Return where a fold's weights are."""
    return directory / f"fold{fold}" / WEIGHTS


def fit_seconds(directory: Path, folds: Sequence[Fold]) -> float:
    """Return the device seconds in the tables of the folds' epochs; networks of other runs cost none.

    Raises:
        FaaError: If a table is damaged.
    """
    tables = (directory / f"fold{fold.index}" / SUMMARY for fold in folds)
    return sum(map(table_seconds, tables))


def table_seconds(summary: Path) -> float:
    """Return the sum of the seconds in a table of epochs; 0 without one.

    Raises:
        FaaError: If it is damaged.
    """
    if not summary.is_file():
        return 0.0
    try:
        seconds = [float(row.get("seconds") or 0.0) for row in read_epochs(summary)]
        if min(seconds, default=0.0) < 0:
            raise FaaError("a time in it is less than 0")
    except FaaError as error:
        raise FaaError(
            f"'{safe(summary)}' is not a table of epochs ({error}). Remove it, and the same command goes on; only "
            "the time that this network took is then unknown, to --budget and the result."
        ) from error
    return sum(seconds)


def _copy(directory: Path, targets: Mapping[Path, Path], config: NetworksSearchConfig, images: SearchImages) -> None:
    """Copy weights to where they are not yet, after all have been tried in a network."""
    wanted = {source: target for source, target in targets.items() if not target.is_file()}
    if not wanted:
        return
    network = make_model(
        config.model,
        classes=len(images.train.class_names),
        pretrained=False,
        size=images.size,
        seed=config.seed,
        options=config.model_kwargs,
    )
    for source in wanted:
        load_weights(source, network)
    for source, target in wanted.items():
        with replacing_file(directory, target) as temporary:
            temporary.write_bytes(source.read_bytes())
