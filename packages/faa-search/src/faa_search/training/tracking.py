"""Experiment trackers, all Accelerate's: TensorBoard, Weights & Biases and the others it knows."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

from faa_core import FaaError
from faa_search.runs.records.figures import Row
from faa_search.training.fitting import Log


def check_trackers(names: Sequence[str]) -> None:
    """Check that trackers can be used, before anything is trained.

    Raises:
        FaaError: If Accelerate does not know one, or it is not installed.
    """
    known, installed = sorted(map(str, LOGGER_TYPE_TO_CLASS)), sorted(map(str, get_available_trackers()))
    for name in names:
        if name not in known:
            raise FaaError(f"--log-with {name}: Accelerate knows no such tracker; it knows {', '.join(known)}.")
        if name not in installed:
            there = ", ".join(installed) or "none"
            raise FaaError(f"--log-with {name}: it is not installed (pip install {name}); installed: {there}.")


@contextmanager
def tracking(names: Sequence[str], directory: Path, settings: Mapping[str, Any]) -> Iterator[Log | None]:
    """Give a function that shows an epoch's row to the trackers, or None where there are none.

    The trackers themselves see to it that only the main process speaks.

    Args:
        names: Accelerate's.
        directory: The run's; trackers that write files do so in its ``logs``.
        settings: Of the run, shown beside its figures.

    Raises:
        FaaError: If a tracker cannot be started.
    """
    trackers = [_started(name, directory, settings) for name in names]

    def log(row: Row) -> None:
        values = {key: value for key, value in row.items() if value is not None and key != "epoch"}
        for tracker in trackers:
            tracker.log(values, step=int(row["epoch"] or 0))

    try:
        yield log if trackers else None
    finally:
        for tracker in trackers:
            tracker.finish()


def _started(name: str, directory: Path, settings: Mapping[str, Any]) -> Any:
    kind = {str(known): one for known, one in LOGGER_TYPE_TO_CLASS.items()}[name]
    try:
        where = (directory / "logs",) if kind.requires_logging_directory else ()
        tracker = kind("faa" if not where else directory.name, *where)
        if hasattr(tracker, "start"):  # Accelerate before 1.11 starts them when they are made
            tracker.start()
        # TensorBoard takes no None, no lists and no tables
        plain = {key: value if isinstance(value, bool | int | float) else str(value) for key, value in settings.items()}
        tracker.store_init_configuration(plain)
    except Exception as error:  # each tracker has its own errors: no network, no account
        raise FaaError(f"--log-with {name}: {type(error).__name__}: {error}") from error
    return tracker
