"""What a result depends on beside its settings: versions, hardware, threads."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

PACKAGES = (
    "faa-core", "faa-models", "faa-search", "faa-cli", "torch", "torchvision", "timm", "accelerate", "hyperopt",
    "numpy", "optuna", "pillow", "scikit-learn", "safetensors",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Return the installed version of each package that matters to a result."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def environment() -> dict[str, Any]:
    """Return what a result depends on beside its settings: versions, hardware, threads."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu_count": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "packages": versions(),
        "command": sys.argv[1:],
    }
