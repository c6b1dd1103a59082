"""What weights were trained on, so that no image they have seen passes for one they have not."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faa_core import FaaError
from faa_core.reading import read_content
from faa_core.text import counted
from faa_search.data import open_data
from faa_search.data.layout import TRAIN_FOLDERS
from faa_search.progress import Silent
from faa_search.runs.directory import read_config
from faa_search.runs.files import RESULT
from faa_search.runs.images import is_made_with
from faa_search.settings import DataConfig, EvalConfig, Role
from faa_search.settings.resolving import Layer, resolve

EMPTY = {"dataset": "folder"}  # what version 0.1.0 took an empty text for; elsewhere for none
DEEPEST = 3  # folders between a run's directory and a file of weights: kept, one epoch's, and the file itself


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRun:
    """A finished or interrupted run.

    Attributes:
        directory: Where it is.
        settings: Everything it was made with, as in its ``config.yaml``.
        data: Which images, of that.
    """

    directory: Path
    settings: dict[str, Any]
    data: DataConfig


def run_of(path: Path) -> TrainedRun | None:
    """Return the run that a file or folder is of or lies in, or None where there is no ``config.yaml`` of one.

    Raises:
        FaaError: If that file cannot be read, or holds settings that are not allowed.
    """
    for start in (path, path.resolve()):
        for place in (start, *start.parents[:DEEPEST]):
            if (place / "config.yaml").is_file() and "command" in (settings := read_config(place)):
                data = {key: value for key, value in settings.items() if key in DataConfig.model_fields}
                data = {key: EMPTY.get(key) if value == "" else value for key, value in data.items()}
                return TrainedRun(
                    directory=place, settings=settings, data=resolve(DataConfig, [Layer(str(place), data)])
                )
    return None


def run_layer(checkpoint: Path) -> Layer:
    """Return the data settings and the precision of the run that a checkpoint is of, but for its subset.

    For weights alone there are none.

    Raises:
        FaaError: If the run's settings cannot be read.
    """
    run = run_of(checkpoint)
    if run is None:
        return Layer(str(checkpoint), {})
    precision = {name: run.settings[name] for name in ("amp", "amp_dtype") if name in run.settings}
    return Layer(str(run.directory), run.data.model_dump(exclude={"train_subset"}) | precision)


def say_unfinished(run: TrainedRun, weights: Path, *, note: Callable[[str], None]) -> None:
    """Say so where the weights are of a training that is not finished.

    Args:
        run: That the weights are of.
        weights: Their folder.
        note: Told.
    """
    if run.settings.get("command") != "train" or (run.directory / RESULT).is_file():
        return
    table = run.directory / "summary.csv"
    done = max(0, read_content(table).count(b"\n") - 1) if table.is_file() else 0  # without its heading
    if done == run.settings.get("epochs"):
        note(
            f"The training in '{run.directory}' has had all of its {counted(done, 'epoch')}, but has no {RESULT}; its "
            "own command makes that, which takes one pass over the test images."
        )
        return
    of = "of the best epoch so far" if weights.name == "best" else "it had when it was stopped"
    note(
        f"The training in '{run.directory}' is not finished: {done} of {run.settings.get('epochs')} epochs are done. "
        f"These are the weights {of}."
    )


def run_seed(checkpoint: Path) -> int | None:
    """Return the seed of the run that a checkpoint is of; None for a folder of weights alone.

    Raises:
        FaaError: If the run's settings cannot be read.
    """
    run = run_of(checkpoint)
    seed = None if run is None else run.settings.get("seed")
    return seed if isinstance(seed, int) else None


def same_images(config: DataConfig, run: TrainedRun) -> bool:
    """Return whether settings name the data set that a run was trained on, whatever is held out of it.

    It may be elsewhere than it was: then its images are compared with what the run has written down.
    """
    return _place(config) == _place(run.data) or _is_moved(config, run)


def settle_images(config: EvalConfig, run: TrainedRun, *, note: Callable[[str], None]) -> EvalConfig:
    """Return the settings that name the images a run was trained on, or images it has not seen, depending on the split.

    Args:
        config: As given.
        run: That the weights are of.
        note: Told what the training images are, where not all were trained on.

    Raises:
        FaaError: If images the run was trained on would be among the test images, or the other way round.
    """
    if not same_images(config, run):
        return config
    if config.test_fraction != run.data.test_fraction:
        raise FaaError(_other_part(config, run))
    if config.split == "test":
        if _is_trained_on(config.test_split, run.data.train_split):
            raise FaaError(
                f"'{run.directory}' was trained on the split '{config.test_split}', so its errors there are not test "
                "errors. Use --split train, which reports them as training errors, or another --test-split."
            )
        return config
    if config.train_split != run.data.train_split:
        return config
    kept = run.data.train_subset
    if kept is not None and config.train_subset not in (None, kept):
        raise FaaError(
            f"'{run.directory}' was trained on {kept} of the images; --train-subset {config.train_subset} would draw "
            "others. Leave it out: --split train takes those the run had."
        )
    _tell(run, note)
    return config if kept is None else config.model_copy(update={"train_subset": kept})


def _other_part(config: EvalConfig, run: TrainedRun) -> str:
    """Return why another share of the images cannot be held out than the run held out."""
    held_out = run.data.test_fraction
    if held_out == 0:
        return (
            f"'{run.directory}' was trained on '{config.dataset}' with nothing held out, so --test-fraction "
            f"{config.test_fraction:g} would hold out images that it was trained on. Leave it out with --split "
            "train, give other images as --dataset, or train anew with --test-fraction for a test error."
        )
    return (
        f"'{run.directory}' was trained on '{config.dataset}' with --test-fraction {held_out:g}; with "
        f"{config.test_fraction:g}, images it was trained on and images it was not would be mixed. "
        f"Give --test-fraction {held_out:g}."
    )


def _tell(run: TrainedRun, note: Callable[[str], None]) -> None:
    if run.data.train_subset is not None:
        note(f"The training images are the {run.data.train_subset} that '{run.directory}' was trained on.")
    for key, use in (("val_fraction", "to choose the best epoch"), ("held_out", "of each fold, to score policies")):
        if share := run.settings.get(key):
            flag = f"--{key.replace('_', '-')} {share}"
            note(f"'{run.directory}' kept a part of the training images ({flag}) {use}; it is among these.")


def _is_trained_on(test_split: str | None, train_split: str | None) -> bool:
    """Return whether a test split that was asked for surely holds images of the training split."""
    if test_split is None:
        return False
    names = TRAIN_FOLDERS if train_split is None else (train_split,)
    asked = {test_split.casefold(), test_split.partition("[")[0].casefold()}
    return not asked.isdisjoint(name.casefold() for name in names)


def _is_moved(config: DataConfig, run: TrainedRun) -> bool:
    """Return whether a data set at another place holds the images that a run was trained on."""
    place = {name: getattr(config, name) for name in DataConfig.names(Role.PLACE, Role.PACE)}
    try:
        data = open_data(run.data.model_copy(update=place), model_size=8, note=Silent().note)
        return is_made_with(run.directory, data.stored)
    except FaaError:  # it is laid out otherwise, or has no training images
        return False


def _place(config: DataConfig) -> tuple[Path | None, str]:
    """Return where a data set is and its name: of a file or folder, the same by whichever way it is given."""
    folder = Path(config.data_dir or "")
    if (folder / config.dataset).exists():
        return (folder / config.dataset).resolve(), ""
    return folder.resolve() if config.data_dir else None, config.dataset
