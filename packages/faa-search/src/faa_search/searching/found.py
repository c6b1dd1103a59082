"""The found policy, with where it comes from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from faa_core import SubPolicies
from faa_search.runs.environment import versions
from faa_search.runs.images import read_images
from faa_search.searching.samplers.space import SubPolicy
from faa_search.settings import DECIDING, SearchConfig


def found_policy(
    config: SearchConfig, directory: Path, sub_policies: Sequence[SubPolicy], *, seconds: float, trials: int
) -> SubPolicies:
    """Return the policy with where it comes from: with every setting that decides it, so that it can be found again.

    Args:
        config: The search's settings.
        directory: The run's.
        sub_policies: Found.
        seconds: Of all devices.
        trials: Scored so far.
    """
    settings, device = config.model_dump(mode="json"), device_kind(config)
    return SubPolicies(
        name=f"{Path(config.dataset).stem or 'images'}-{config.model}-{config.algorithm}",
        sub_policies=tuple(sub_policies),
        provenance={
            "dataset": _without_folders(config.dataset),
            "data": read_images(directory),
            **{name: _without_folders(settings[name]) for name in sorted(config.names(*DECIDING))},
            "sampler": config.sampler or "tpe",
            "trials": trials,
            "device": device,
            "seconds": seconds,
            "gpu_seconds": seconds if device == "cuda" else 0.0,
            "versions": versions(),
        },
    )


def _without_folders(setting: Any) -> Any:
    """Return a setting as it may be shared: where a path leads through on this machine concerns nobody else."""
    return Path(setting).name if isinstance(setting, str) and Path(setting).is_absolute() else setting


def device_kind(config: SearchConfig) -> str:
    """Return the kind of device that the search's work is done on: cpu or cuda."""
    return "cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu"
