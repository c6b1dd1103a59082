"""The found policy, with where it comes from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch

from faa_core import Policy
from faa_search.runs.environment import versions
from faa_search.runs.images import read_images
from faa_search.settings import DECIDING, SharedSearchConfig

Kind = TypeVar("Kind", bound=Policy)


def found_policy(
    config: SharedSearchConfig, directory: Path, policy: Kind, *, seconds: float, facts: Mapping[str, Any]
) -> Kind:
    """Return the policy with where it comes from: with every setting that decides it, so that it can be found again.

    Args:
        config: The search's settings.
        directory: The run's.
        policy: Found.
        seconds: Of all devices.
        facts: What the algorithm adds, or has in place of a setting.
    """
    settings, device = config.model_dump(mode="json"), device_kind(config)
    provenance = {
        "dataset": _without_folders(config.dataset),
        "data": read_images(directory),
        **{name: _without_folders(settings[name]) for name in sorted(config.names(*DECIDING))},
        **facts,
        "device": device,
        "seconds": seconds,
        "gpu_seconds": seconds if device == "cuda" else 0.0,
        "versions": versions(),
    }
    name = f"{Path(config.dataset).stem or 'images'}-{config.model}-{config.algorithm}"
    return policy.model_copy(update={"name": name, "provenance": provenance})


def _without_folders(setting: Any) -> Any:
    """Return a setting as it may be shared: where a path leads through on this machine is private."""
    return Path(setting).name if isinstance(setting, str) and Path(setting).is_absolute() else setting


def device_kind(config: SharedSearchConfig) -> str:
    """Return the kind of device that the search's work is done on: cpu or cuda."""
    return "cuda" if config.device != "cpu" and torch.cuda.is_available() else "cpu"
