"""One training run: data, network, policy; the test split is read once, at the end."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from faa_core import FaaError, Policy
from faa_core.text import counted, duration, safe
from faa_search.costs import fitting_ways, until, with_shorter
from faa_search.data import ImageSource, OpenedData, open_data
from faa_search.data.parts import held_out
from faa_search.progress import Reporter, reporter_of
from faa_search.runs.directory import kept_settings, run_directory
from faa_search.runs.files import POLICY, RESULT, SUMMARY
from faa_search.runs.images import check_finished, keep_images, record_of, record_of_settings
from faa_search.runs.policy import keep_policy
from faa_search.runs.records.training import TrainResult
from faa_search.runs.results import read_training
from faa_search.runs.schemas import write_record
from faa_search.settings import RunConfig, TrainConfig
from faa_search.settings.calls import check_policy_given, check_settings, directory_of
from faa_search.training.adversarial import (
    AdversarialPolicies,
    check_steps,
    describe_controller,
    keep_last_policies,
    name_of,
)
from faa_search.training.baseline import baseline_of, in_words, resized_crop_of, settled
from faa_search.training.checkpoint import STATE, WEIGHTS, damage, load_weights
from faa_search.training.companions import Companion
from faa_search.training.copy_losses import CopyLosses
from faa_search.training.estimate import fitting_seconds, scratch_network
from faa_search.training.evaluating import evaluate_source
from faa_search.training.fitting import Log, Measure, Measures, fit
from faa_search.training.models import ModelInput, check_model, model_input
from faa_search.training.plan import make_plan
from faa_search.training.saving import FitJob
from faa_search.training.tracking import check_trackers, tracking
from faa_search.training.views import Views
from faa_search.training.warmup import GrowingShare, PolicyWarmup
from faa_search.workers.processes import from_main, make_accelerator, rank_of, share, together


def train(
    config: TrainConfig,
    output: str | Path,
    *,
    policy: Policy | None = None,
    reporter: Reporter | None = None,
    accelerator: Accelerator | None = None,
    runs: int = 1,
    record: dict[str, Any] | None = None,
) -> TrainResult:
    """Train a network with a policy; the same call again resumes, and a finished run returns its result.

    Args:
        config: Everything that can be set.
        output: The run's directory.
        policy: Used instead of loading `config.policy`.
        reporter: Shown notes and progress; silent when None.
        accelerator: Processes and device; made from `config.device` when None.
        runs: How many such runs the caller makes, this one included, for the time that is announced.
        record: What `record_of` returns for the images, where the caller has looked at them.

    Raises:
        FaaError: If something that was given cannot be used; nothing already in the directory is lost.
    """
    check_settings(config, TrainConfig)
    run = directory_of(output)
    if policy is not None:
        check_policy_given(policy, "policy")
    shown = reporter_of(reporter)
    processes = accelerator or make_accelerator(config.device)
    if policy is None and config.policy == "none" and config.policy_warmup:  # a comparison's own `none` has its share
        raise FaaError(
            f"--policy-warmup {config.policy_warmup} is for a policy whose share grows, and this training has none: "
            "leave it out, or give a --policy."
        )
    if policy is not None and config.adversarial:
        raise FaaError("`policy` and `adversarial` both decide how images are augmented; leave one out.")
    chosen = policy or Policy.load(config.policy)
    check_trackers(config.log_with)
    expected = check_model(config)
    with together(processes):
        before = from_main(processes, kept_settings(run))
        config = settled(config, chosen, given=config.model_fields_set, before=before)
        return _train(config, run, chosen, expected, shown, processes, runs=runs, record=record)


def _train(
    config: TrainConfig,
    run: Path,
    chosen: Policy,
    expected: ModelInput,
    shown: Reporter,
    processes: Accelerator,
    *,
    runs: int,
    record: dict[str, Any] | None,
) -> TrainResult:
    """Claim the run's directory and train there, or give the result that it has."""
    with run_directory(run, "train", config, main_process=processes.is_main_process) as directory:
        if processes.is_main_process and not config.adversarial:
            keep_policy(directory, chosen)
        before = from_main(processes, read_training(directory))
        if before is not None:
            if processes.is_main_process:
                if config.adversarial and not (directory / POLICY).is_file():
                    keep_last_policies(directory, epoch=config.epochs, reporter=shown)
                images = partial(record_of_settings, config) if record is None else lambda: record
                shown.note(f"'{directory}' is finished{check_finished(directory, config, images)}.")
                for path in lost_weights(directory, config):
                    shown.note(_how_to_find(path, directory))
            return before
        data = _open_images(config, directory, expected, shown, processes, record)
        if config.adversarial:  # before trackers write anything
            _announce_controller(config, data, processes, shown)
        with tracking(config.log_with, directory, config.model_dump(mode="json")) as log:
            result = _run(config, directory, chosen, data, shown, processes, log, runs=runs)
        if processes.is_main_process:
            if config.adversarial:
                keep_last_policies(directory, epoch=config.epochs, reporter=shown)
            write_record(directory, RESULT, result.schema, asdict(result))
        return result


def lost_weights(directory: Path, config: TrainConfig) -> list[Path]:
    """Return the weights that a finished training has no more, or that are damaged; only their beginning is read."""
    folders = ["last", *(["best"] if config.val_fraction else [])]
    paths = [directory / name / WEIGHTS for name in folders]
    return [path for path in paths if not path.is_file() or damage(path) is not None]


def _how_to_find(lost: Path, directory: Path) -> str:
    """Return what to do where a finished training has lost weights."""
    what = f"The weights '{safe(lost)}' are {'damaged' if lost.is_file() else 'not there'}. Put back a copy of them"
    if lost.parent.name == "best":
        return f"{what}; without one, train in another --output."
    cost = "in a moment, from the state beside them" if (lost.parent / STATE).is_file() else "by training anew"
    return f"{what}; or remove '{safe(directory / RESULT)}', and the same command makes them again, {cost}."


def _open_images(
    config: TrainConfig,
    directory: Path,
    expected: ModelInput,
    reporter: Reporter,
    accelerator: Accelerator,
    record: dict[str, Any] | None,
) -> OpenedData:
    """Return the data set, found to be what the run was started with."""
    # One process of each machine fetches what is missing, before the others look.
    with accelerator.local_main_process_first() if config.dataset_download else nullcontext():
        data = open_data(config, model_size=expected.size, note=reporter.note)
    if accelerator.is_main_process:
        test = data.open_stored_test
        keep_images(directory, config, record or record_of([data.stored], test and test(), note=reporter.note))
    return data


def _run(
    config: TrainConfig,
    directory: Path,
    policy: Policy,
    data: OpenedData,
    reporter: Reporter,
    accelerator: Accelerator,
    log: Log | None,
    *,
    runs: int,
) -> TrainResult:
    def score(source: Callable[[], ImageSource]) -> Measure:
        return lambda network: evaluate_source(
            network, source(), data.size, workers=config.workers, accelerator=accelerator
        )

    source, validation = validation_part(data.train, config)
    job = _job(config, directory, policy, source, size=data.size)
    reporter.note(in_words(config, source, policy))
    if not (job.directory / STATE).is_file() and accelerator.num_processes == 1:
        reporter.note(_cost(job, config, accelerator, runs=runs))
    test = None if data.open_test is None else score(cache(data.open_test))
    if test is None:
        reporter.note("There is no test split, so no test error; --test-fraction holds a part out for it.")
    measures = Measures(
        validation=None if validation is None else score(lambda: validation),
        test=test,
        test_every=config.test_every,
        log=log,
    )
    companions = _companions(config, policy, directory, accelerator, reporter)
    network, progress = fit(job, config, accelerator, reporter, measures, companions)
    if progress.best is not None:
        if accelerator.is_main_process:
            load_weights(directory / "best" / WEIGHTS, network.model)
        share(accelerator, network.model.state_dict().values())
    return TrainResult(
        policy=name_of(config) if config.adversarial else policy.name,
        train=progress.history[-1],
        validation=progress.best,
        test=None if test is None else test(network),
        seconds=round(sum(row["seconds"] or 0.0 for row in progress.history), 3),
    )


def _job(config: TrainConfig, directory: Path, policy: Policy, source: ImageSource, *, size: int) -> FitJob:
    """Return what is to be fitted."""
    expected = model_input(config.model)
    view = Views(
        source=source,
        size=size,
        policy=policy,
        resized_crop=resized_crop_of(config, source),
        color_jitter=config.color_jitter,
        baseline=baseline_of(config, source, expected.mean),
        seed=config.seed,
    )
    return FitJob(
        view=view,
        expected=expected,
        run=directory,
        directory=directory / "last",
        summary=directory / SUMMARY,
        what="Training",
        seed=config.seed,
        keep=config.checkpoint_hist,
        weights_when_stopped=True,
    )


def _announce_controller(config: TrainConfig, data: OpenedData, accelerator: Accelerator, reporter: Reporter) -> None:
    """Note how policies are chosen, after refusing more steps than there are updates."""
    images = len(validation_part(data.train, config)[0])
    updates = make_plan(config, images, rank_of(accelerator)).updates
    check_steps(config, updates=updates)
    reporter.note(describe_controller(config, updates=updates))


def _companions(
    config: TrainConfig, policy: Policy, run: Path, accelerator: Accelerator, reporter: Reporter
) -> list[Companion]:
    """Return what goes along with the training."""
    companions: list[Companion] = []
    if config.adversarial:
        companions.append(AdversarialPolicies(config, run, accelerator, reporter))
    if config.policy_warmup:
        companions.append(PolicyWarmup(GrowingShare(policy=policy, epochs=config.policy_warmup)))
    if config.batch_aug > 1:
        companions.append(CopyLosses())
    return companions


def _cost(job: FitJob, config: TrainConfig, accelerator: Accelerator, *, runs: int) -> str:
    """Return what the training will cost, and of several all of them, with what would make that shorter."""
    scratch = scratch_network(config, job.view, job.expected, accelerator)
    seconds = fitting_seconds(scratch, config, job.view, accelerator, images=len(job.view))
    images, epochs = counted(len(job.view), "image"), counted(config.epochs, "epoch")
    one = f"to train on {images} at {job.view.size} px for {epochs}"
    total = until(runs * seconds, now=datetime.now())
    took = f"{total} {one}" if runs == 1 else f"{duration(seconds)} {one}; {counted(runs, 'run')}: {total}"
    on_cpu = accelerator.device.type == "cpu"
    ways = fitting_ways(model=config.model, epochs=config.epochs, size=job.view.size, on_cpu=on_cpu)
    return with_shorter(f"Estimated time: {took}.", runs * seconds, ways)


def validation_part(source: ImageSource, config: RunConfig) -> tuple[ImageSource, ImageSource | None]:
    """Return the images to fit on, and the stratified part held out for choosing the best epoch."""
    if config.val_fraction == 0:
        return source, None
    return held_out(source, config.val_fraction, option="--val-fraction")
