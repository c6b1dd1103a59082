"""Opening a run: everything that its directory holds, as one value of the kind of run that it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faa_core import FaaError, Policy
from faa_core.text import safe
from faa_search.runs.directory import CONFIG, KINDS, read_config, read_environment
from faa_search.runs.files import EVALUATIONS, POLICY, RESCORED, STAGES, SUMMARY, TRIALS, check_kinds
from faa_search.runs.images import read_images
from faa_search.runs.journal import Journal
from faa_search.runs.records.comparison import Comparison
from faa_search.runs.records.evaluation import Evaluation
from faa_search.runs.records.figures import Row
from faa_search.runs.records.mirrors import MirrorTest
from faa_search.runs.records.search import Found, Stage
from faa_search.runs.records.training import TrainResult
from faa_search.runs.records.trials import Trial
from faa_search.runs.results import read_comparison, read_epochs, read_mirrors, read_search, read_training
from faa_search.settings import CompareConfig, RunConfig, SearchConfig, SharedSearchConfig, TrainConfig
from faa_search.settings.algorithms import settings_said
from faa_search.settings.calls import directory_of
from faa_search.settings.resolving import Config, Layer, resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What all kinds of runs have.

    Attributes:
        directory: Where it lies.
        others: Settings that only another version knows, by name.
        environment: Versions, hardware and command that it began with; empty if the file was removed or is damaged.
        images: What is written down of its images; empty before they were opened.
    """

    directory: Path
    others: Mapping[str, Any]
    environment: Mapping[str, Any]
    images: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun(Run):
    """A training.

    Attributes:
        settings: It was started with.
        policy: It trains with; None if somebody has removed the file.
        epochs: A row of figures for each finished epoch.
        result: What it came to; None while it is not finished.
        evaluations: Of its weights, by `faa eval`, the earliest first.
    """

    settings: TrainConfig
    policy: Policy | None
    epochs: tuple[Row, ...]
    result: TrainResult | None
    evaluations: tuple[Evaluation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRun(Run):
    """A search.

    Attributes:
        settings: It was started with, of the class of its algorithm.
        trials: Finished ones, in the order in which they were; none of an algorithm that has other steps.
        rescored: The best of them, scored again.
        stages: How long each took, in each process that did a part of it.
        mirrors: What it measured of mirrored images; None if it has measured nothing.
        policy: Found; of a search that was stopped, that of the trials until then.
        result: What it came to; None while it is not finished.
    """

    settings: SharedSearchConfig
    trials: tuple[Trial, ...]
    rescored: tuple[Trial, ...]
    stages: tuple[Stage, ...]
    mirrors: MirrorTest | None
    policy: Policy | None
    result: Found | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRun(Run):
    """A comparison.

    Attributes:
        settings: Of each of its trainings, but for seed and policy.
        runs: Directories of its trainings that have begun.
        result: What it came to; None while it is not finished.
    """

    settings: RunConfig
    runs: tuple[Path, ...]
    result: Comparison | None


def open_run(directory: str | Path) -> TrainingRun | SearchRun | ComparisonRun:
    """Return what a run's directory holds; it is only read.

    A run of an older version has the values that were in effect then for settings and fields that came later. Of a
    newer one, what this version does not know is passed over or lies in `others`.

    Raises:
        NewerRecordError: If a newer version wrote a record that this one would misread.
        FaaError: If the directory holds no run, or something in it is damaged.
    """
    place = directory_of(directory, written=False)
    said = read_config(place)
    command = said.pop("command", None)
    if command not in KINDS:
        raise FaaError(f"'{safe(place)}' has a {CONFIG} that is not a run's.")
    check_kinds(place)
    if command == "train":
        settings, common = _opened(place, TrainConfig, said)
        return TrainingRun(
            settings=settings,
            policy=_policy(place),
            epochs=_epochs(place / SUMMARY),
            result=read_training(place),
            evaluations=tuple(Journal(place / EVALUATIONS, Evaluation).read()),
            **common,
        )
    if command == "search":
        wanted, common = _opened(place, settings_said(said, str(place / CONFIG)), said)
        of_trials = isinstance(wanted, SearchConfig)
        return SearchRun(
            settings=wanted,
            trials=tuple(Journal(place / TRIALS, Trial).read()) if of_trials else (),
            rescored=tuple(Journal(place / RESCORED, Trial).read()) if of_trials else (),
            stages=tuple(Journal(place / STAGES, Stage).read()),
            mirrors=read_mirrors(place),
            policy=_policy(place),
            result=read_search(place),
            **common,
        )
    shared, common = _opened(place, CompareConfig if command == "compare" else RunConfig, said)
    runs = tuple(sorted(path.parent for path in place.glob(f"*/{CONFIG}")))
    return ComparisonRun(settings=shared, runs=runs, result=read_comparison(place), **common)


def _opened(place: Path, kind: type[Config], said: Mapping[str, Any]) -> tuple[Config, dict[str, Any]]:
    """Return a run's settings, and what all kinds of runs have."""
    known = {name: value for name, value in said.items() if name in kind.model_fields}
    settings = resolve(kind, [Layer(str(place / CONFIG), {**kind.formerly(), **known})])
    return settings, {
        "directory": place,
        "others": {name: value for name, value in said.items() if name not in known},
        "environment": read_environment(place),
        "images": read_images(place),
    }


def _policy(place: Path) -> Policy | None:
    return Policy.load(place / POLICY) if (place / POLICY).is_file() else None


def _epochs(path: Path) -> tuple[Row, ...]:
    if not path.is_file():
        return ()
    try:
        return read_epochs(path)
    except FaaError as error:
        raise FaaError(
            f"'{safe(path)}' is not a table of epochs ({error}). Remove it, and the command of the run writes it again."
        ) from error
