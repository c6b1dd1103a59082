"""The tasks a search consists of. Each is pure: what it returns follows from its fields and the shared networks."""

import os
import platform
import shutil
import time
from dataclasses import dataclass
from typing import NamedTuple

from faa_core import FaaError, Policy
from faa_search.progress import Silent
from faa_search.runs.files import SUMMARY
from faa_search.runs.records.trials import Origin
from faa_search.searching.bench import Bench
from faa_search.searching.objective import REWARDS, mean_and_error, score
from faa_search.settings import RewardName
from faa_search.training.checkpoint import WEIGHTS
from faa_search.training.evaluating import evaluate_source
from faa_search.training.fitting import fit
from faa_search.training.saving import CONFIG, FitJob

Files = dict[str, bytes]  # by name


@dataclass(frozen=True, slots=True)
class FitFold:
    """Fits a fold's network, without a policy; resumes where the worker sees the run's directory."""

    number: int

    def __call__(self, bench: Bench) -> Files:
        """Return what belongs into the fold's folder: weights, timm's configuration, and the table of epochs."""
        fold, folds = bench.images.folds[self.number], len(bench.images.folds)
        with bench.run_folder() as run:
            directory = run / f"fold{self.number}"
            job = FitJob(
                view=bench.training_view(fold),
                expected=bench.expected,
                run=run,
                directory=directory,
                summary=directory / SUMMARY,
                what=f"Fold {self.number + 1} of {folds}" if folds > 1 else "Network",
                seed=bench.config.seed + self.number,
            )
            fit(job, bench.config, bench.processes, bench.reporter)
            return {name: (directory / name).read_bytes() for name in (SUMMARY, CONFIG, WEIGHTS)}


class PolicyScores(NamedTuple):
    """How a policy did on a fold.

    Attributes:
        means: Of each reward.
        errors: Standard error of each reward, over the held-out images.
        seconds: Taken.
        worker: That did it: its host's name and the process's number.
        device: It was done on.
    """

    means: dict[str, float]
    errors: dict[str, float]
    seconds: float
    worker: str = ""
    device: str = ""


def worker_name() -> str:
    """Return what tells this worker from others: its host's name and its process's number."""
    return f"{platform.node()}/{os.getpid()}"


def origin_of(scores: PolicyScores) -> Origin:
    """Return where scores come from, as of now."""
    return Origin(at=round(time.time(), 3), worker=scores.worker, device=scores.device)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorePolicy:
    """Scores a policy on a fold's held-out images."""

    policy: Policy
    fold: int
    views: int
    seed: int

    def __call__(self, bench: Bench) -> PolicyScores:
        """Return every reward's mean and standard error."""
        held_out = bench.held_out(self.fold)
        started = time.perf_counter()
        scores = score(held_out, self.policy, views=self.views, seed=self.seed)
        if not scores.loss.isfinite().all():
            raise FaaError(
                f"The network of fold {self.fold} predicts nothing finite, so its fitting must have diverged; choose "
                "another --output, and a smaller --lr or --weight-decay."
            )
        found = {name: mean_and_error(scores.per_image(name)) for name in REWARDS}
        return PolicyScores(
            means={name: mean for name, (mean, _error) in found.items()},
            errors={name: error for name, (_mean, error) in found.items()},
            seconds=time.perf_counter() - started,
            worker=worker_name(),
            device=str(bench.device),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreImages:
    """Scores a policy on each of a fold's held-out images, for paired differences."""

    policy: Policy
    fold: int
    views: int
    seed: int
    reward: RewardName

    def __call__(self, bench: Bench) -> list[float]:
        """Return each image's contribution to the reward."""
        scores = score(bench.held_out(self.fold), self.policy, views=self.views, seed=self.seed)
        values: list[float] = scores.per_image(self.reward).tolist()
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainWith:
    """Trains a new network on a fold's D_M with a policy, and tests it on D_A without one."""

    policy: Policy
    fold: int
    seed: int
    epochs: int
    name: str

    def __call__(self, bench: Bench) -> float:
        """Return the accuracy; what the training left is removed."""
        fold, config = bench.images.folds[self.fold], bench.config.model_copy(update={"epochs": self.epochs})
        with bench.run_folder() as run:
            directory = run / "audit" / self.name
            job = FitJob(
                view=bench.training_view(fold, self.policy),
                expected=bench.expected,
                run=run,
                directory=directory,
                summary=directory / SUMMARY,
                what=self.name,
                seed=self.seed,
            )
            network, _progress = fit(job, config, bench.processes, Silent())
            held_out = bench.images.scored.subset(fold.held_out)
            metrics = evaluate_source(
                network, held_out, bench.images.size, workers=config.workers, accelerator=bench.processes
            )
            shutil.rmtree(directory)
        return metrics.top1
