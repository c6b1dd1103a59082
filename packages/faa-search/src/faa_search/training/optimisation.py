"""Optimizer, schedule and weight average, all timm's."""

import json
from typing import Any

from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import ModelEmaV3
from torch import nn
from torch.optim import Optimizer

from faa_core import FaaError
from faa_search.config import FitConfig


def make_optimizer(model: nn.Module, config: FitConfig) -> Optimizer:
    """Return the optimizer, with weight decay on weights only: not on biases or normalisation.

    Raises:
        FaaError: If timm has no such optimizer or it takes no such settings.
    """
    try:
        optimizer: Optimizer = create_optimizer_v2(
            model,
            opt=config.opt,
            lr=config.lr,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            filter_bias_and_bn=True,
        )
        json.dumps(optimizer.state_dict()["param_groups"])  # a run must be able to store it
    except (AssertionError, TypeError, ValueError, RuntimeError) as error:
        raise FaaError(f"The optimizer '{config.opt}' cannot be made: {error}") from error
    return optimizer


def make_scheduler(optimizer: Optimizer, config: FitConfig, *, steps_per_epoch: int) -> Any:
    """Return timm's scheduler, to be stepped with the number of updates done before each update.

    As in the original, the schedule proper starts after the warm-up and is spread over all epochs, so training ends
    where `warmup_epochs` of it are left: at 0.15 % of the peak for 200 epochs of cosine after 5 of warm-up.
    """
    scheduler, _epochs = create_scheduler_v2(
        optimizer,
        sched=config.sched,
        num_epochs=config.epochs,
        warmup_epochs=config.warmup_epochs,
        warmup_lr=config.warmup_lr,
        warmup_prefix=True,
        min_lr=config.min_lr,
        decay_epochs=config.decay_epochs,
        decay_rate=config.decay_rate,
        step_on_epochs=False,
        updates_per_epoch=steps_per_epoch,
    )
    return scheduler


def make_average(model: nn.Module, config: FitConfig) -> ModelEmaV3 | None:
    """Return the running average of the weights, its decay warmed up as timm does, or None."""
    return ModelEmaV3(model, decay=config.model_ema_decay, use_warmup=True) if config.model_ema else None
