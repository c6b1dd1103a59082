"""Training several policies on an equal budget, with the same seeds each."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from faa_core import FaaError
from faa_core.text import counted, safe, sentence
from faa_search.data import OpenedData, open_data
from faa_search.measuring.comparison.arms import Arm
from faa_search.progress import Advance, Reporter, Silent
from faa_search.runs.directory import slug
from faa_search.runs.files import RESULT
from faa_search.runs.policy import check_policy
from faa_search.training import train
from faa_search.training.adversarial import check_steps
from faa_search.training.models import check_model
from faa_search.training.plan import make_plan
from faa_search.training.run import validation_part
from faa_search.training.schedules import check_schedule
from faa_search.workers.ranks import Rank


def check(arms: Mapping[str, Arm], output: Path, *, seeds: Sequence[int], rank: Rank) -> OpenedData:
    """Return the images, after refusing, before anything is trained or written, what would fail at the end.

    Args:
        arms: By name.
        output: Directory of all runs.
        seeds: Of the runs.
        rank: Of this process among those of a training.

    Raises:
        FaaError: If the seeds are too few, arms cannot be told apart or are not those the directory's runs were
            started with, the model or the schedule cannot be made, or there are no data or no test split.
    """
    if len(seeds) < 2 or len(set(seeds)) < len(seeds):
        raise FaaError(f"A comparison needs at least two seeds, each once; given {list(seeds)}.")
    check_arms(arms, output, seeds=seeds)
    config = next(iter(arms.values())).config
    check_schedule(config)
    expected = check_model(config)
    data = open_data(config, model_size=expected.size, note=Silent().note)
    if data.open_test is None:
        raise FaaError("A comparison needs a test split; --test-fraction holds a part out for it.")
    images = len(validation_part(data.train, config)[0])
    for arm in arms.values():
        if arm.policy is None:
            check_steps(arm.config, updates=make_plan(arm.config, images, rank).updates)
    return data


def check_arms(arms: Mapping[str, Arm], output: Path, *, seeds: Sequence[int]) -> None:
    """Refuse policies that cannot be told apart, or are not those the directory's runs were started with.

    Raises:
        FaaError: As said.
    """
    for (one, first), (other, second) in itertools.combinations(arms.items(), 2):
        if first.policy and second.policy and first.policy.to_json() == second.policy.to_json():
            raise FaaError(f"'{one}' and '{other}' are the same policy; name each once.")
        if slug(one).casefold() == slug(other).casefold():
            raise FaaError(f"The runs of '{one}' and '{other}' would share a directory, {slug(one)}; rename one.")
    for (name, arm), seed in itertools.product(arms.items(), seeds):
        if arm.policy is not None:
            check_policy(run_path(output, name, seed), arm.policy)


def train_all(
    arms: Mapping[str, Arm],
    output: Path,
    *,
    seeds: Sequence[int],
    reporter: Reporter,
    accelerator: Accelerator,
    record: dict[str, Any] | None = None,
) -> dict[str, list[float]]:
    """Return the test errors in per cent, by arm, one per seed; runs that are finished are only read.

    Args:
        arms: By name.
        output: Directory of all runs.
        seeds: Of the runs; every arm has had a seed before the next seed begins.
        reporter: Shown the progress.
        accelerator: Processes and device.
        record: What `record_of` says of the images; None where the main process knows it.

    Raises:
        FaaError: If a run does; the runs before it stay finished.
    """
    errors: dict[str, list[float]] = {name: [] for name in arms}
    total = len(arms) * len(seeds)
    epochs = next(iter(arms.values())).config.epochs
    reporter.note(
        f"{counted(total, 'training run')}: {counted(len(arms), 'policy', 'policies')} × "
        f"{counted(len(seeds), 'seed')}, each run of {counted(epochs, 'epoch')}."
    )
    to_train = [name for seed, name in itertools.product(seeds, arms) if not _is_finished(output, name, seed)]
    left, announced = len(to_train), False
    for name in dict.fromkeys(to_train):
        if name != to_train[0] and arms[name].brings_own:  # the first run says it itself
            reporter.note(f"'{safe(name)}' crops images itself, so of the baseline only what was given is added to it.")
    with reporter.track("Training runs", total) as advance:
        for seed, (name, arm) in itertools.product(seeds, arms.items()):
            run = arm.config.model_copy(update={"seed": seed})
            directory = run_path(output, name, seed)
            fresh = not _is_finished(output, name, seed)
            told = _NotesOnly(reporter) if fresh and not announced else None  # the first says what one costs
            announced = announced or fresh
            try:
                result = train(
                    run, directory, policy=arm.policy, reporter=told, accelerator=accelerator, runs=left, record=record
                )
            except FaaError as error:
                raise FaaError(
                    f"The run of '{name}' with seed {seed}: {sentence(error)} Finished runs are kept."
                ) from error
            if result.test is None:
                raise FaaError(f"The run in '{directory}' has no test error, so there is nothing to compare.")
            errors[name].append(100 * (1 - result.test.top1))
            advance(f"{name}: {errors[name][-1]:.2f} % error")
    return errors


def _is_finished(output: Path, name: str, seed: int) -> bool:
    return (run_path(output, name, seed) / RESULT).is_file()


def run_paths(output: Path, names: Iterable[str], seeds: Sequence[int]) -> list[Path]:
    """Return the directories of all runs."""
    return [run_path(output, name, seed) for name, seed in itertools.product(names, seeds)]


def lost_runs(output: Path, names: Iterable[str], seeds: Sequence[int]) -> list[Path]:
    """Return the directories of the runs that are not finished, or not there."""
    return [path for path in run_paths(output, names, seeds) if not (path / RESULT).is_file()]


def run_path(output: Path, name: str, seed: int) -> Path:
    """Return the directory of one policy's run with one seed."""
    return output / f"{slug(name)}-{seed}"


class _NotesOnly:
    """Passes notes on; the progress of one run would hide that of all."""

    def __init__(self, reporter: Reporter) -> None:
        self.note = reporter.note

    def track(self, what: str, total: int, *, done: int = 0) -> AbstractContextManager[Advance]:
        """Give an `Advance` that shows nothing."""
        return Silent().track(what, total, done=done)
