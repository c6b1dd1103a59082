"""What a run leaves behind while it goes on: states to resume from, weights, and the table of its epochs."""

import csv
import io
from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import timm.models
import torch
from safetensors import SafetensorError
from torch import nn

from faa_search.runs.files import filling_folder, replacing_file
from faa_search.runs.records.figures import Row
from faa_search.settings import FitConfig
from faa_search.training.checkpoint import STATE, WEIGHTS, Progress, TrainingState, explain_unwritten, save_state
from faa_search.training.companions import Companions
from faa_search.training.models import ModelInput
from faa_search.training.trainer import Trainer
from faa_search.training.views import Views

CONFIG = "config.json"  # timm's, beside weights


@dataclass(frozen=True, slots=True, kw_only=True)
class FitJob:
    """One network to fit.

    Attributes:
        view: The images, augmented.
        expected: What the model takes.
        run: The run's directory, which the others lie in.
        directory: Where the weights and the state to resume from are kept; ``best`` and ``kept`` are beside it.
        summary: Table of the epochs, CSV.
        what: Named in the progress line.
        seed: Keys the initial weights and the order of the images.
        keep: Weights of how many epochs to keep: the best by validation accuracy, else the latest.
        weights_when_stopped: Whether to write the last weights also where a signal stops the run.
    """

    view: Views
    expected: ModelInput
    run: Path
    directory: Path
    summary: Path
    what: str
    seed: int
    keep: int = 0
    weights_when_stopped: bool = False


@dataclass(frozen=True, slots=True)
class Keeper:
    """Writes a run's files, by the main process."""

    job: FitJob
    trainer: Trainer
    companions: Companions

    def state(self, progress: Progress) -> TrainingState:
        """Return everything to go on from."""
        return replace(self.trainer.state(progress), companions=self.companions.state())

    def within_epoch(self, progress: Progress) -> None:
        """Keep the state after some update."""
        if self.trainer.accelerator.is_main_process:
            self._save_state(progress)

    def after_epoch(self, progress: Progress) -> None:
        """Keep the best weights, the state if it is due, and the table, in the order that a kill cannot hurt."""
        if not self.trainer.accelerator.is_main_process:
            return
        if progress.best is progress.history[-1]:
            self._save(self.job.directory.with_name("best"))
        if progress.epochs_done in kept_epochs(progress.history, self.job.keep):
            self._save(self._kept / _name(progress.epochs_done))
        config = self.trainer.config
        if progress.epochs_done % config.save_every == 0 or progress.epochs_done == config.epochs:
            self._save_state(progress)
        self.tidy(progress)

    def tidy(self, progress: Progress) -> None:
        """Bring the table and the kept weights to what the history holds, whatever a kill left undone."""
        if not self.trainer.accelerator.is_main_process or not progress.history:
            return
        with replacing_file(self.job.run, self.job.summary) as temporary:
            temporary.write_text(table(progress.history), encoding="utf-8")
        kept = kept_epochs(progress.history, self.job.keep)
        for epoch in set(range(1, self.trainer.config.epochs + 1)) - kept:
            _drop_weights(self._kept / _name(epoch))

    def at_the_end(self) -> None:
        """Write the last weights."""
        if self.trainer.accelerator.is_main_process:
            self._save(self.job.directory)

    @property
    def _kept(self) -> Path:
        return self.job.directory.with_name("kept")

    def _save_state(self, progress: Progress) -> None:
        save_state(self.job.directory / STATE, self.state(progress), run=self.job.run)

    def _save(self, directory: Path) -> None:
        save_model(directory, self.trainer.best_network().model, self.job, self.trainer.config)


def kept_epochs(history: Sequence[Row], count: int) -> set[int]:
    """Return the epochs whose weights are kept, counted from 1: the best validated, of equals the first, or the latest.

    They follow from the table alone, so a resumed run keeps the same ones.
    """
    validated = [(row["val_top1"], -epoch) for epoch, row in enumerate(history, 1) if row.get("val_top1") is not None]
    if validated:
        return {-epoch for _score, epoch in sorted(validated, reverse=True)[:count]}
    return set(range(max(0, len(history) - count) + 1, len(history) + 1))


def save_model(directory: Path, model: nn.Module, job: FitJob, config: FitConfig) -> None:
    """Write weights and timm's configuration, so that ``timm.create_model("local-dir:DIRECTORY")`` loads them."""
    expected = {
        "input_size": (3, job.view.size, job.view.size),
        "mean": job.expected.mean,
        "std": job.expected.std,
        "interpolation": "bicubic",
        "crop_pct": 1.0,
    }
    description = {"label_names": list(job.view.source.class_names), "pretrained_cfg": expected}
    plain = deepcopy(model).to(memory_format=torch.contiguous_format)  # safetensors takes no other layout
    with filling_folder(job.run, directory) as temporary:
        try:
            timm.models.save_for_hf(
                plain, str(temporary), model_config=description, model_args=config.model_kwargs, safe_serialization=True
            )
        except SafetensorError as error:  # of a disk that is full
            raise explain_unwritten(directory / WEIGHTS, error) from error


def table(history: Sequence[Row]) -> str:
    """Return the rows as CSV, under one header; what was not asked for is empty.

    The first and the last row together have all columns: a version may add some in the middle of a run.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list({**history[-1], **history[0]}), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()


def _drop_weights(folder: Path) -> None:
    """Remove the weights of an epoch, file by file; whatever else lies beside them stays."""
    for name in (WEIGHTS, CONFIG):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):  # it is not there, or holds something of somebody else's
        folder.rmdir()


def _name(epoch: int) -> str:
    return f"epoch-{epoch:04}"
