"""A companion that changes the policies by what their copies cost; as a script, it trains with it and says what came.

Everything it decides follows from the costs, so a training in which a copy's cost, an epoch or a policy is mistaken
ends in other weights. Its source refuses to be asked about an epoch whose policies are not decided yet, or no longer.
"""

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from faa_core import FaaError, Op, SubPolicies
from faa_core.applying import Baseline
from faa_search.data import ArraySource
from faa_search.progress import Silent
from faa_search.settings import TrainConfig
from faa_search.training import FitJob, Views, fit, make_accelerator
from faa_search.training.models import model_input
from faa_search.training.policies import Augmentation
from faa_search.training.trainer import Trainer
from faa_search.workers.stopping import Stopped

COPIES = 4
SETTINGS: dict[str, Any] = {"epochs": 3, "batch_size": 4, "lr": 0.02, "batch_aug": COPIES, "device": "cpu"}


@dataclass(frozen=True)
class Decided:
    """The policies of one epoch, one for each copy."""

    epoch: int
    policies: tuple[SubPolicies, ...]

    def at(self, epoch: int, copy: int) -> Augmentation:
        if epoch != self.epoch:
            raise FaaError(f"asked for the policies of epoch {epoch}, and those of {self.epoch} are decided")
        return Augmentation(policy=self.policies[copy])


class Chaser:
    """Moves each copy's magnitude by its cost, and keeps the sum of squares of all costs, as an optimizer would."""

    name = "chaser"
    wants_costs = True

    def __init__(self, parts_per_epoch: int = 1) -> None:
        self.parts_per_epoch = parts_per_epoch
        self.epoch = 0
        self.magnitudes: Tensor = torch.linspace(0.1, 0.9, COPIES, dtype=torch.float64)
        self.squares: Tensor = torch.zeros(COPIES, dtype=torch.float64)
        self.told: list[list[float]] = []

    @property
    def source(self) -> Decided:
        ops = (Op(op="Solarize", p=1.0, magnitude=round(level, 2)) for level in self.magnitudes.tolist())
        return Decided(self.epoch, tuple(SubPolicies(sub_policies=((op,),)) for op in ops))

    def after_part(self, epoch: int, costs: Sequence[float]) -> None:
        self.epoch = epoch + 1 if len(self.told) % self.parts_per_epoch == self.parts_per_epoch - 1 else epoch
        self.told.append(list(costs))
        cost = torch.tensor(costs, dtype=torch.float64)
        self.squares = self.squares + cost**2
        self.magnitudes = (self.magnitudes + 3 * cost / (1 + self.squares.sqrt())) % 1

    def after_epoch(self, epoch: int, costs: Sequence[float]) -> dict[str, float | None]:
        assert epoch + 1 == self.epoch
        updates = np.diff([4 * part // self.parts_per_epoch for part in range(self.parts_per_epoch + 1)])
        assert np.allclose(costs, np.average(self.told[-self.parts_per_epoch :], axis=0, weights=updates))
        return {f"magnitude{copy}": level for copy, level in enumerate(self.magnitudes.tolist(), 1)}

    def state(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "tensors": [self.magnitudes, self.squares], "told": self.told}

    def restore(self, state: Any) -> None:
        self.epoch, self.told = state["epoch"], state["told"]
        self.magnitudes, self.squares = state["tensors"]


def job_in(folder: Path) -> FitJob:
    """Return what is to be fitted: 16 images of noise, in a folder."""
    generator = np.random.default_rng(3)
    images = generator.integers(0, 256, (16, 8, 8, 3), dtype=np.uint8)
    source = ArraySource(images, np.arange(16) % 3, ("a", "b", "c"))
    view = Views(source=source, size=8, baseline=Baseline(pad=1, hflip=0.5), seed=2)
    return FitJob(view=view, expected=model_input("wrn16_1"), run=folder, directory=folder / "last",
                  summary=folder / "summary.csv", what="Fitting", seed=2)  # fmt: skip


def stop_in(update: int) -> None:
    """Send this process a signal in an update, counted from 1."""
    really, done = Trainer._apply_gradients, []

    def counted(trainer: Trainer, updates: int) -> None:
        really(trainer, updates)
        done.append(updates)
        if len(done) == update:
            os.kill(os.getpid(), signal.SIGTERM)

    Trainer._apply_gradients = counted  # type: ignore[method-assign]


def main(folder: Path, settings: dict[str, Any], method: str, stop: int, parts: int) -> None:
    """Train, and write down what the companion was told, by each process."""
    multiprocessing.set_start_method(method, force=True)
    torch.set_num_threads(1)
    if stop:
        stop_in(stop)
    accelerator, chaser = make_accelerator("cpu"), Chaser(parts)
    try:
        fit(job_in(folder), TrainConfig(**SETTINGS | settings), accelerator, Silent(), companions=[chaser])
    except Stopped:
        return
    (folder / f"told-{accelerator.process_index}.json").write_text(json.dumps(chaser.told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
