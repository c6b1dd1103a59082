"""Fitting one network on some images, epoch by epoch, resuming from its directory: what search and training share."""

import csv
import io
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import timm.models
import torch
from accelerate import Accelerator
from torch import nn

from faa_core.files import put_in_place, write_text
from faa_search.config import FitConfig
from faa_search.progress import Reporter
from faa_search.training.checkpoint import STATE, Progress
from faa_search.training.loading import Rank, ShuffledBatches, load, steps_per_epoch
from faa_search.training.metrics import Metrics
from faa_search.training.models import ModelInput, make_model
from faa_search.training.network import Network, check_input
from faa_search.training.trainer import Trainer
from faa_search.training.views import View


@dataclass(frozen=True, slots=True, kw_only=True)
class FitJob:
    """One network to fit.

    Attributes:
        view: The images, augmented.
        expected: What the model takes.
        directory: Where the weights and the state to resume from are kept.
        summary: Table of the epochs, CSV.
        what: Named in the progress line.
        seed: Keys the initial weights and the order of the images.
    """

    view: View
    expected: ModelInput
    directory: Path
    summary: Path
    what: str
    seed: int


def fit(
    job: FitJob,
    config: FitConfig,
    accelerator: Accelerator,
    reporter: Reporter,
    *,
    validate: Callable[[Network], Metrics] | None = None,
) -> tuple[Network, Progress]:
    """Return the fitted network and its history; continues where the directory's state left off.

    Args:
        job: What to fit.
        config: How.
        accelerator: Device and processes.
        reporter: Shown the progress.
        validate: Called after each epoch; the weights of the best epoch are kept in ``best`` beside `job.directory`.
    """
    rank = Rank(index=accelerator.process_index, count=accelerator.num_processes)
    images = len(job.view)
    model = make_model(
        config.model,
        classes=len(job.view.source.class_names),
        pretrained=config.pretrained,
        size=job.view.size,
        seed=job.seed,
        options=config.model_kwargs,
    )
    network = Network(model, job.expected, config, accelerator)
    check_input(network, job.view.size, config.model_kwargs)
    steps = steps_per_epoch(images, config.batch_size, rank)
    trainer = Trainer(network, config, accelerator, steps_per_epoch=steps)
    state = job.directory / STATE
    progress = trainer.restore(state) if state.is_file() else Progress()
    epochs = range(progress.epochs_done, config.epochs)
    order = ShuffledBatches(images, config.batch_size, epochs=epochs, seed=job.seed, rank=rank)
    batches = iter(load(job.view, order, workers=config.workers)) if epochs else iter(())
    with reporter.track(job.what, config.epochs, done=progress.epochs_done) as advance:
        for epoch in epochs:
            started = time.perf_counter()
            row = trainer.fit_epoch(batches, epoch)
            if validate is not None:
                metrics = validate(trainer.best_network())
                row |= {"val_loss": metrics.loss, "val_top1": metrics.top1}
            row["seconds"] = round(time.perf_counter() - started, 3)
            progress = _with_row(progress, row)
            if accelerator.is_main_process:
                if progress.best is row:
                    save_model(job.directory.with_name("best"), trainer.best_network().model, job, config)
                trainer.save(state, progress)
                write_text(job.summary, _table(progress.history))
            advance(_detail(row))
    if accelerator.is_main_process:
        save_model(job.directory, trainer.best_network().model, job, config)
    accelerator.wait_for_everyone()
    return trainer.best_network(), progress


def save_model(directory: Path, model: nn.Module, job: FitJob, config: FitConfig) -> None:
    """Write weights and timm's configuration, so that ``timm.create_model("local-dir:DIRECTORY")`` loads them."""
    directory.mkdir(parents=True, exist_ok=True)
    expected = {
        "input_size": (3, job.view.size, job.view.size),
        "mean": job.expected.mean,
        "std": job.expected.std,
        "interpolation": "bicubic",
        "crop_pct": 1.0,
    }
    description = {"label_names": list(job.view.source.class_names), "pretrained_cfg": expected}
    plain = deepcopy(model).to(memory_format=torch.contiguous_format)  # safetensors takes no other layout
    with TemporaryDirectory(dir=directory.parent, prefix=".saving-") as temporary:
        timm.models.save_for_hf(
            plain, temporary, model_config=description, model_args=config.model_kwargs, safe_serialization=True
        )
        for written in sorted(Path(temporary).iterdir()):
            put_in_place(written, directory / written.name)


def _with_row(progress: Progress, row: dict[str, float]) -> Progress:
    better = "val_top1" in row and (progress.best is None or row["val_top1"] > progress.best["val_top1"])
    return replace(
        progress,
        epochs_done=progress.epochs_done + 1,
        history=(*progress.history, row),
        best=row if better else progress.best,
    )


def _table(history: tuple[dict[str, float], ...]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()


def _detail(row: dict[str, float]) -> str:
    validation = f", validation {100 * (1 - row['val_top1']):.1f} % error" if "val_top1" in row else ""
    return f"loss {row['train_loss']:.3f}{validation}"
