"""Optimizer, with what it decays, and weight average, both timm's; `schedules` has the learning rates."""

from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import Any

import torch
from timm.optim import create_optimizer_v2
from timm.utils import ModelEmaV3
from torch import nn
from torch.nn import Parameter
from torch.optim import Optimizer

from faa_core import FaaError
from faa_search.settings import FitConfig
from faa_search.training.schedules import make_scheduler

__all__ = ["add_decay", "make_average", "make_optimizer", "make_scheduler", "peak_rate", "ways_to_converge"]

LARGEST_SHRINKAGE = 0.1  # of a weight in one update, beyond which its decay is a likely cause
ADDED_DECAY = "added_decay"  # in a parameter group: what `add_decay` takes, where the optimizer itself decays nothing
NORMS = (
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm),
    *(nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm),
)


def make_optimizer(model: nn.Module, config: FitConfig, *, images: int | None = None) -> Optimizer:
    """Return the optimizer, at the peak rate, with its parameters in two groups: not decayed, and decayed.

    What is decayed follows from the types of the modules that own the parameters; parameters that need no gradient are
    left out. With `decay_before_clip` the optimizer itself decays nothing: see `add_decay`.

    Args:
        model: Unwrapped, so that its `no_weight_decay` is found.
        config: Optimizer, rate and decay.
        images: Distinct images per update over all processes (default: those of one process).

    Raises:
        FaaError: If timm has no such optimizer, it takes no such settings, or there is nothing to optimise.
    """
    eps: dict[str, Any] = {} if config.opt_eps is None else {"eps": config.opt_eps}
    try:
        optimizer: Optimizer = create_optimizer_v2(
            _groups(model, config),
            opt=config.opt,
            lr=peak_rate(config, images),
            momentum=config.momentum,
            **eps,
        )
    except (AssertionError, TypeError, ValueError, RuntimeError) as error:
        raise FaaError(f"The optimizer '{config.opt}' cannot be made: {error}.") from error
    if getattr(optimizer, "is_second_order", False):
        raise FaaError(
            f"The optimizer '{config.opt}' needs second derivatives, which faa does not take; choose another."
        )
    if config.opt_eps is not None and any("eps" not in group for group in optimizer.param_groups):
        raise FaaError(f"The optimizer '{config.opt}' has no epsilon; leave out --opt-eps (given {config.opt_eps:g}).")
    return optimizer


def peak_rate(config: FitConfig, images: int | None = None) -> float:
    """Return the highest learning rate: `lr`, or in proportion to the images of an update if it is for so many.

    Args:
        config: `lr`, and with `lr_base_size` how many images per update it is for.
        images: Distinct images per update over all processes (default: those of one process).
    """
    if config.lr_base_size is None:
        return config.lr
    given = config.batch_size * config.grad_accum_steps if images is None else images
    return config.lr * given / config.lr_base_size


@torch.no_grad()
def add_decay(optimizer: Optimizer) -> None:
    """Add weight_decay · θ to the gradient of each parameter that `decay_before_clip` decays, in place.

    It is the gradient of ½ · weight_decay · Σθ² in the loss. To be called once per update, when the gradients are
    complete and unscaled, before they are clipped; does nothing without `decay_before_clip`.
    """
    for group in optimizer.param_groups:
        decay = group.get(ADDED_DECAY, 0.0)
        pairs = [(p.grad, p) for p in group["params"] if p.grad is not None]
        if decay and pairs:
            gradients, parameters = zip(*pairs, strict=True)
            torch._foreach_add_(list(gradients), list(parameters), alpha=decay)


def make_average(model: nn.Module, config: FitConfig) -> ModelEmaV3 | None:
    """Return the running average of the weights, its decay warmed up as timm does, or None."""
    return ModelEmaV3(model, decay=config.model_ema_decay, use_warmup=True) if config.model_ema else None


def _groups(model: nn.Module, config: FitConfig) -> list[dict[str, Any]]:
    """Return the groups: what is not decayed, what is; none that is empty."""
    spared = _spared(model, config.weight_decay_on)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    free = [parameter for parameter in trained if parameter in spared]
    decayed = [parameter for parameter in trained if parameter not in spared]
    own = 0.0 if config.decay_before_clip else config.weight_decay
    added = {ADDED_DECAY: config.weight_decay} if config.decay_before_clip else {}
    groups: list[dict[str, Any]] = [
        {"params": free, "weight_decay": 0.0},
        {"params": decayed, "weight_decay": own, **added},
    ]
    return [group for group in groups if group["params"]]


def _spared(model: nn.Module, decayed: str) -> set[Parameter]:
    """Return the parameters that are not decayed."""
    if decayed == "all":
        return set()
    patterns: Collection[str] = getattr(model, "no_weight_decay", tuple)()
    spared = {p for name, p in model.named_parameters() if any(fnmatchcase(name, pattern) for pattern in patterns)}
    for module in model.modules():
        own = list(module.named_parameters(recurse=False))
        norms = _is_norm(module, own)
        spared |= {p for name, p in own if norms or _is_scale(name, p) or (decayed == "weights" and _is_bias(name, p))}
    return spared


def _is_norm(module: nn.Module, own: list[tuple[str, Parameter]]) -> bool:
    """Return whether a module normalises: by its type, or because it has nothing but channels' scales and biases."""
    vectors = [_is_scale(name, p) for name, p in own if p.ndim <= 1]
    return isinstance(module, NORMS) or (any(vectors) and len(vectors) == len(own))


def _is_scale(name: str, parameter: Parameter) -> bool:
    return parameter.ndim <= 1 and "bias" not in name


def _is_bias(name: str, parameter: Parameter) -> bool:
    return parameter.ndim <= 1 and "bias" in name


def ways_to_converge(config: FitConfig) -> str:
    """Return what to change where the loss grew beyond all numbers, the likeliest first."""
    ways = [f"a smaller --lr (now {config.lr:g})", "a longer --warmup-epochs"]
    if config.lr * config.weight_decay > LARGEST_SHRINKAGE:
        ways.insert(
            0 if config.weight_decay > config.lr else 1, f"a smaller --weight-decay (now {config.weight_decay:g})"
        )
    if config.momentum == 1:
        ways.insert(0, "a --momentum below 1")
    if not config.clip_grad:
        ways.append("--clip-grad 5")
    if config.precision == "float16":
        ways.append("--amp-dtype bfloat16")
    return f"{', '.join(ways[:-1])} or {ways[-1]}"
