"""Fast AutoAugment from images to policy: fit the folds, explore, merge, compare with the controls.

Every stage leaves its result in the run's directory and is taken from there when the same call is made again.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from faa_core import SEARCH_LIST, FaaError, Policy, SubPolicies, plugins
from faa_core.files import write_text
from faa_search.config import SearchConfig
from faa_search.data import OpenedData, in_one_array, open_data
from faa_search.fast.controls import Control, compare, control_policies
from faa_search.fast.estimate import estimate
from faa_search.fast.folds import Fold, make_folds, write_folds
from faa_search.fast.journal import Journal, Trial
from faa_search.fast.merge import merge
from faa_search.fast.objective import HeldOut
from faa_search.fast.rounds import Exploration, Round, explore
from faa_search.progress import Reporter, Silent
from faa_search.run_directory import keep_images, run_directory, versions
from faa_search.samplers import PolicySpace, Sampler
from faa_search.training.fitting import fit
from faa_search.training.models import ModelInput, count_weights, model_input
from faa_search.training.processes import make_accelerator
from faa_search.training.saving import FitJob
from faa_search.training.views import View, baseline_of, resized_crop_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What a search came to.

    Attributes:
        policy: The found policy.
        reward: Its mean reward over the folds; it was chosen on the same images, which flatters it.
        controls: How it compares with policies that need no search.
        trials: How many were scored.
        seconds: Of fitting and scoring, in all processes' lifetimes together.
    """

    policy: SubPolicies
    reward: float
    controls: list[Control]
    trials: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """What the stages share."""

    config: SearchConfig
    directory: Path
    data: OpenedData
    expected: ModelInput
    space: PolicySpace
    sampler: Sampler
    accelerator: Accelerator
    reporter: Reporter


def search(
    config: SearchConfig,
    output: str | Path,
    *,
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
) -> SearchResult:
    """Find a policy; the same call again resumes, and a finished run returns its result.

    The policy depends on the settings alone: not on worker processes, nor on being stopped and resumed. The test split
    is never read.

    Args:
        config: Everything that can be set.
        output: The run's directory.
        reporter: Shown notes and progress; silent when None.
        accelerator: Device; made from `config.device` when None.

    Raises:
        FaaError: If something that was given cannot be used; nothing already in the directory is lost.
    """
    shown: Reporter = reporter or Silent()
    device = accelerator or make_accelerator(config.device)
    if device.num_processes > 1:
        raise FaaError("A search runs in one process; start it without accelerate launch or torchrun.")
    sampler: Sampler = plugins.load("faa.samplers", config.sampler or "tpe", kind="sampler")
    expected = model_input(config.model)
    count_weights(config.model, classes=2, size=config.img_size or expected.size, options=config.model_kwargs)
    with run_directory(Path(output), "search", config) as directory:
        finished = directory / "result.json"
        if finished.is_file():
            shown.note(f"'{directory}' is finished.")
            return _read_result(directory)
        context = _Context(
            config=config,
            directory=directory,
            data=open_data(config, model_size=expected.size, note=shown.note),
            expected=expected,
            space=PolicySpace(
                ops=tuple(row.name for row in SEARCH_LIST), sub_policies=config.sub_policies, num_ops=config.ops
            ),
            sampler=sampler,
            accelerator=device,
            reporter=shown,
        )
        return _run(context)


def _run(context: _Context) -> SearchResult:
    config, directory = context.config, context.directory
    keep_images(directory, context.data.train.labels)
    folds = make_folds(context.data.train.labels, folds=config.folds, held_out=config.held_out, seed=config.seed)
    write_folds(directory / "folds.json", folds)
    journal = Journal(directory / "trials.jsonl")
    before = journal.read()
    if not before:
        _announce(context)
    scored_on, fit_seconds = _fit_folds(context, folds)
    rounds = _explore(context, scored_on, journal, before)
    sub_policies = merge(rounds, context.space, top=config.top)
    trials = [trial for trials in rounds for trial in trials]
    seconds = round(fit_seconds + sum(trial.seconds for trial in trials), 3)
    policy = SubPolicies(
        name=f"{Path(config.dataset).stem or 'images'}-{config.model}-{config.algorithm}",
        sub_policies=sub_policies,
        provenance=_provenance(config, str(context.accelerator.device.type), seconds),
    )
    context.reporter.note(f"Comparing {len(sub_policies)} sub-policies with the controls.")
    controls = control_policies(policy, ops=context.space.ops, num_ops=config.ops, seed=config.seed)
    reward, rows = compare(policy, controls, scored_on, reward=config.reward, seed=config.seed)
    policy.save(directory / "policy.json")
    result = {"reward": reward, "controls": [asdict(row) for row in rows], "trials": len(trials), "seconds": seconds}
    write_text(directory / "result.json", json.dumps(result, indent=1) + "\n")
    return SearchResult(policy=policy, reward=reward, controls=rows, trials=len(trials), seconds=seconds)


def _announce(context: _Context) -> None:
    """Say what the search will cost before it starts."""
    cost = estimate(
        context.config,
        _training_view(context),
        context.expected,
        context.accelerator,
        space=context.space,
        sampler=context.sampler,
    )
    config = context.config
    train, trials = context.data.train, config.folds * config.width * config.depth
    context.reporter.note(
        f"{len(train):,} images of {len(train.class_names)} classes at {context.data.size} px. "
        f"Estimated cost: {cost.fitting:.0f} s to fit {config.folds} folds, {cost.scoring:.0f} s for {trials:,} trials."
    )


def _training_view(context: _Context, fold: Fold | None = None) -> View:
    """Return the images that a fold's network is fitted on: un-augmented but for the baseline."""
    source = context.data.train if fold is None else context.data.train.subset(fold.train)
    return View(
        source=source,
        size=context.data.size,
        resized_crop=resized_crop_of(context.config, source),
        color_jitter=context.config.color_jitter,
        baseline=baseline_of(context.config, source, context.expected.mean),
        seed=context.config.seed,
    )


def _fit_folds(context: _Context, folds: tuple[Fold, ...]) -> tuple[list[HeldOut], float]:
    """Return each fold's network with its held-out images, and the seconds all fitting took."""
    held_out, seconds = [], 0.0
    for fold in folds:
        directory = context.directory / f"fold{fold.index}"
        job = FitJob(
            view=_training_view(context, fold),
            expected=context.expected,
            directory=directory,
            summary=directory / "summary.csv",
            what=f"Fold {fold.index + 1} of {len(folds)}",
            seed=context.config.seed + fold.index,
        )
        network, progress = fit(job, context.config, context.accelerator, context.reporter)
        seconds += sum(row["seconds"] or 0.0 for row in progress.history)
        held_out.append(
            HeldOut(
                network=network,
                source=in_one_array(context.data.train.subset(fold.held_out), context.data.size),
                size=context.data.size,
                views=context.config.views,
                batch_size=context.config.score_batch_size,
                workers=context.config.workers,
            )
        )
    return held_out, seconds


def _explore(context: _Context, folds: list[HeldOut], journal: Journal, before: list[Trial]) -> list[list[Trial]]:
    """Return the trials of every round."""
    config = context.config
    plan = [Round(fold=fold, number=number) for fold in range(len(folds)) for number in range(config.width)]
    total = len(plan) * config.depth
    seen = list(before)
    with context.reporter.track("Trials", total, done=len(before)) as advance:

        def finished(trial: Trial) -> None:
            seen.append(trial)
            leader = max(seen, key=lambda one: one.reward)
            advance(f"best {config.reward} {leader.reward:.4f} ± {leader.standard_error:.4f}")

        exploration = Exploration(
            config=config, space=context.space, sampler=context.sampler, journal=journal, finished=finished
        )
        return [explore(exploration, this, folds[this.fold], this.of(before)) for this in plan]


def _provenance(config: SearchConfig, device: str, seconds: float) -> dict[str, Any]:
    shown = ("dataset", "train_subset", "img_size", "model", "model_kwargs", "epochs", "folds", "held_out", "width",
             "depth", "top", "views", "reward", "seed")  # fmt: skip
    settings = config.model_dump(mode="json")
    return {
        "algorithm": config.algorithm,
        "sampler": config.sampler or "tpe",
        **{key: settings[key] for key in shown},
        "device": device,
        "seconds": seconds,
        "gpu_seconds": seconds if device == "cuda" else 0.0,
        "versions": versions(),
    }


def _read_result(directory: Path) -> SearchResult:
    fields = json.loads((directory / "result.json").read_text(encoding="utf-8"))
    fields["controls"] = [Control(**row) for row in fields["controls"]]
    policy = Policy.load(directory / "policy.json")
    assert isinstance(policy, SubPolicies)  # noqa: S101 a search writes no other kind
    return SearchResult(policy=policy, **fields)
