"""A comparison's directory: its runs, and what they came to."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from accelerate import Accelerator

from faa_core import FaaError, Policy
from faa_core.text import counted, safe
from faa_search.measuring.comparison.arms import Arm, arms_of, make_arms
from faa_search.measuring.comparison.statistics import check_comparison, summarise
from faa_search.measuring.comparison.training import check, check_arms, lost_runs, run_paths, train_all
from faa_search.measuring.comparison.words import conclusion
from faa_search.progress import Reporter, reporter_of
from faa_search.runs import results
from faa_search.runs.directory import kept_settings, run_directory
from faa_search.runs.environment import versions
from faa_search.runs.files import COMPARISON
from faa_search.runs.images import check_finished, has_moved, keep_images, record_of, record_of_settings
from faa_search.runs.records.comparison import Comparison
from faa_search.runs.schemas import write_record
from faa_search.settings import CompareConfig, Role, RunConfig, TrainConfig
from faa_search.settings.calls import check_policy_given, check_settings, directory_of
from faa_search.settings.commands import PolicyConfig
from faa_search.workers.processes import from_main, make_accelerator, rank_of


def compare(
    config: CompareConfig,
    output: str | Path,
    *,
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
) -> Comparison:
    """Train with every policy and seed and compare; the same call again resumes, a finished one returns its result.

    Policies are called what they are called in the settings, files by their paths.

    Args:
        config: Everything that can be set.
        output: The comparison's directory; each run has its own inside.
        reporter: Shown notes and progress; silent when None.
        accelerator: Processes and device; made from `config.device` when None.

    Raises:
        FaaError: If something that was given cannot be used, before anything is trained where that can be known; or
            if a run fails, which keeps the others.
    """
    check_settings(config, CompareConfig)
    arms = make_arms(config)
    seeds = range(config.seed, config.seed + config.seeds)
    return _compare("compare", config, arms, output, seeds=seeds, reporter=reporter, accelerator=accelerator)


def compare_policies(
    config: TrainConfig,
    policies: Mapping[str, Policy],
    output: str | Path,
    *,
    seeds: Sequence[int],
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
) -> Comparison:
    """Train with policies that have no file, and with any seeds, and compare; otherwise as `compare`.

    Args:
        config: One training run's settings; its seed and policy are replaced.
        policies: By the name to show.
        output: The comparison's directory; each run has its own inside.
        seeds: At least two; a seed keys weights, order and augmentation, never which images are used.
        reporter: Shown notes and progress; silent when None.
        accelerator: Processes and device; made from `config.device` when None.

    Raises:
        FaaError: If a training run does, there is no test split, the seeds are too few, policies cannot be told apart,
            or the directory is in use or was made with other settings.
    """
    check_settings(config, TrainConfig)
    if not isinstance(policies, Mapping):
        raise FaaError(f"`policies` must be a dictionary of policies by name, not {safe(repr(policies)):.80}.")
    for name, policy in policies.items():
        check_policy_given(policy, f"policies[{name!r}]")
    if not (isinstance(seeds, Sequence) and all(isinstance(seed, int | np.integer) for seed in seeds)):
        raise FaaError(f"`seeds` must be a list of whole numbers, such as [0, 1, 2], not {safe(repr(seeds)):.80}.")
    settings = config.model_dump(exclude={*PolicyConfig.model_fields, "seed"}, exclude_unset=True)
    own = _Compared(**settings, policies=tuple(policies), seeds=tuple(int(seed) for seed in seeds))
    arms = arms_of(config, policies)
    return _compare("compare_policies", own, arms, output, seeds=own.seeds, reporter=reporter, accelerator=accelerator)


class _Compared(RunConfig):
    """What a directory of `compare_policies` was made with."""

    role: ClassVar[Role] = Role.RESULT
    kept_if_given: ClassVar[tuple[str, ...]] = CompareConfig.kept_if_given

    policies: tuple[str, ...]
    seeds: tuple[int, ...]


def _compare(
    command: str,
    claimed: RunConfig,
    arms: Mapping[str, Arm],
    output: str | Path,
    *,
    seeds: Sequence[int],
    reporter: Reporter | None,
    accelerator: Accelerator | None,
) -> Comparison:
    """Claim the directory with the settings `claimed`, train what is not trained, and write what it comes to."""
    directory = directory_of(output)
    finished = directory / COMPARISON
    shown = reporter_of(reporter)
    processes = accelerator or make_accelerator(claimed.device)
    before = from_main(processes, results.read_comparison(directory, check=check_comparison))
    kept = from_main(processes, kept_settings(directory))
    arms = {name: arm.as_given_before(kept) for name, arm in arms.items()}
    run = next(iter(arms.values())).config  # all have the same images
    record = None
    if before is None:
        data = check(arms, directory, seeds=seeds, rank=rank_of(processes))
        if processes.is_main_process:
            record = record_of([data.stored], data.open_stored_test and data.open_stored_test(), note=shown.note)
        del data  # each run opens it anew
    with run_directory(directory, command, claimed, main_process=processes.is_main_process):
        if before is not None:
            check_arms(arms, directory, seeds=seeds)
            results.check_compared(finished, before, list(arms), len(seeds))
            if processes.is_main_process:
                made = run_paths(directory, arms, seeds)
                shown.note(f"'{directory}' is finished{_check_images(directory, claimed, run, made)}.")
                if lost := lost_runs(directory, arms, seeds):
                    shown.note(_how_to_find(lost, finished))
            return before
        if record is not None:
            keep_images(directory, claimed, record)
        result = summarise(
            train_all(arms, directory, seeds=seeds, reporter=shown, accelerator=processes, record=record)
        )
        if processes.is_main_process:
            write_record(directory, COMPARISON, result.schema, _document(run, seeds, result))
        return result


def _how_to_find(lost: Sequence[Path], finished: Path) -> str:
    """Return what to do where a finished comparison has lost runs."""
    which = ", ".join(f"'{safe(path)}'" for path in lost[:3])
    more = f" and {counted(len(lost) - 3, 'other')}" if len(lost) > 3 else ""
    return (
        f"Finished runs of it are not there: {which}{more}. Put back copies of them; or remove '{safe(finished)}', and "
        "the same command trains them anew and keeps the others."
    )


def _check_images(directory: Path, claimed: RunConfig, run: TrainConfig, made: Sequence[Path]) -> str:
    """Compare the images of a finished comparison, and of its runs where they have moved; return what was found."""
    record = cache(partial(record_of_settings, run))
    if has_moved(directory, claimed):
        for path in made:
            if (path / "config.yaml").is_file():
                keep_images(path, run, record())
    return check_finished(directory, claimed, record)


def read_comparison(directory: str | Path) -> Comparison | None:
    """Return the result of a finished comparison, once all in it is found to follow from its errors; else None.

    Raises:
        FaaError: If there is no such directory, or its file does not hold one.
    """
    place = directory_of(directory, written=False)
    if not place.is_dir():
        raise FaaError(f"There is no directory '{safe(place)}' of a comparison.")
    return results.read_comparison(place, check=check_comparison)


def _document(config: RunConfig, seeds: Sequence[int], result: Comparison) -> dict[str, Any]:
    """Return all there is to show and to plot again."""
    return {
        "dataset": config.dataset,
        "model": config.model,
        "epochs": config.epochs,
        "seeds": list(seeds),
        **asdict(result),
        "conclusion": conclusion(result),
        "versions": versions(),
    }
