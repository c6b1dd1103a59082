"""Learning rates over a run: timm's schedulers, stepped with the number of updates done.

The warm-up is linear from `warmup_lr` to the peak. A decay at epoch e holds from the update before which e epochs are
over.
"""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from timm.scheduler import CosineLRScheduler, MultiStepLRScheduler, StepLRScheduler
from timm.scheduler.scheduler import Scheduler
from torch.optim import Optimizer

from faa_core import FaaError
from faa_search.settings import FitConfig

MICRONET = ((1 / 4, 0.1), (1 / 2, 0.2), (5 / 8, 0.2), (3 / 4, 0.2))  # (part of all epochs, factor each time it is over)


class Steps(StepLRScheduler):
    """timm's, but at the peak where the warm-up ends, as the original has it."""

    def _get_lr(self, t: int) -> list[float]:
        return list(self.base_values) if t == self.warmup_t else list(super()._get_lr(t))


class Milestones(MultiStepLRScheduler):
    """timm's, but decayed from the milestone on: timm's own decays come one update early."""

    def get_curr_decay_steps(self, t: int) -> int:
        """Return how many decays there have been at update `t`."""
        return sum(milestone <= t for milestone in self.decay_t)


class MicroNet(Scheduler):
    """The steps of MicroNet's PyramidNet: a factor for each epoch, counted from 1.

    Its milestones are passed again after as many epochs (at 1/4, 2/4, 3/4 and 4/4, for instance), so the last decays
    come with the last epoch, and two factors of its last quarter make training stand still.
    """

    def __init__(self, optimizer: Optimizer, *, epochs: int, steps_per_epoch: int) -> None:
        super().__init__(optimizer, param_group_field="lr", t_in_epochs=False)
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch

    def _get_lr(self, t: int) -> list[float]:
        factor = micronet_factor(t // self.steps_per_epoch + 1, self.epochs)
        return [peak * factor for peak in self.base_values]


def micronet_factor(epoch: int, epochs: int) -> float:
    """Return what MicroNet multiplies the rate with in an epoch, counted from 1, of so many."""
    factor = 1.0
    for part, decay in MICRONET:
        factor *= decay ** int(epoch / (part * epochs))
    return factor


def check_schedule(config: FitConfig) -> None:
    """Refuse settings that the schedule would not follow.

    Raises:
        FaaError: If the warm-up is longer than the run, or a setting is another schedule's.
    """
    if config.sched == "micronet" and config.warmup_epochs:
        raise FaaError("--sched micronet has no warm-up; leave --warmup-epochs at 0, or take another schedule.")
    if config.warmup_epochs > config.epochs:
        raise FaaError(
            f"--warmup-epochs {config.warmup_epochs} is longer than the run, --epochs {config.epochs}, which includes "
            "it; give a shorter warm-up, or more epochs."
        )
    if config.sched == "cosine":
        return
    for flag, value, neutral in (("--sched-epochs", config.sched_epochs, "null"), ("--min-lr", config.min_lr, "0")):
        if value:
            key = flag.removeprefix("--").replace("-", "_")
            raise FaaError(
                f"{flag} {value:g} is for --sched cosine and does nothing with --sched {config.sched}; leave it out. "
                f"Where a recipe has it, '{key}: {neutral}' in a YAML file (-c) takes it back."
            )


def make_scheduler(optimizer: Optimizer, config: FitConfig, *, steps_per_epoch: int) -> Any:
    """Return the scheduler, to be stepped by ``step_update(num_updates=…)`` before each update.

    As in the original, the cosine starts after the warm-up and is spread over all epochs, so training ends where
    `warmup_epochs` of it are left: at 0.15 % of the peak for 200 epochs of cosine after 5 of warm-up. `sched_epochs`
    gives it another length. With `warmup_prefix` every schedule counts from the end of the warm-up, without it from
    the start of the run.

    Args:
        optimizer: Its rates now are the peaks.
        config: What is asked for.
        steps_per_epoch: Updates of an epoch, at least 1.

    Raises:
        FaaError: As `check_schedule` raises.
    """
    check_schedule(config)
    if config.sched == "micronet":
        return MicroNet(optimizer, epochs=config.epochs, steps_per_epoch=steps_per_epoch)
    common: dict[str, Any] = {
        "warmup_t": config.warmup_epochs * steps_per_epoch,
        "warmup_lr_init": config.warmup_lr,
        "warmup_prefix": config.warmup_prefix,
        "t_in_epochs": False,
    }
    if config.sched == "cosine":
        length = (config.sched_epochs or config.epochs) * steps_per_epoch
        with _unwarned():
            return CosineLRScheduler(optimizer, t_initial=length, lr_min=config.min_lr, **common)
    if config.sched == "step":
        return Steps(optimizer, decay_t=config.decay_epochs * steps_per_epoch, decay_rate=config.decay_rate, **common)
    milestones = () if config.sched == "constant" else config.decay_milestones
    updates = [math.ceil(milestone * steps_per_epoch) for milestone in sorted(milestones)]
    return Milestones(optimizer, decay_t=updates, decay_rate=config.decay_rate, **common)


@contextmanager
def _unwarned() -> Iterator[None]:
    """Keep timm from warning, while the block runs, that the cosine of a single update stays at the peak."""
    logger = logging.getLogger(CosineLRScheduler.__module__)

    def nothing(record: logging.LogRecord) -> bool:
        return False

    logger.addFilter(nothing)
    try:
        yield
    finally:
        logger.removeFilter(nothing)
