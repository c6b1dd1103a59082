"""CIFAR-10 as one .npz, as `--dataset` takes it."""

import importlib.util
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from faa_core import FaaError


def cifar10() -> Path:
    """Return the whole data set, written where it is not there yet.

    Raises:
        FaaError: If FAA_TEST_DATA does not name it.
    """
    folder = Path(os.environ.get("FAA_TEST_DATA", ""), "cifar10")
    if not (folder / "load_cifar10.py").is_file():
        raise FaaError("FAA_TEST_DATA names no folder with CIFAR-10.")
    data = Path(tempfile.gettempdir(), "faa-benchmarks-cifar10.npz")
    if not data.is_file():
        _write(folder, data)
    return data


def _write(folder: Path, path: Path) -> None:
    spec = importlib.util.spec_from_file_location("load_cifar10", folder / "load_cifar10.py")
    assert spec is not None  # noqa: S101 the file is there
    assert spec.loader is not None  # noqa: S101
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (images, labels), (test_images, test_labels) = module.load(root=str(folder), cache=str(path.with_suffix(".npy")))
    written = path.with_suffix(".tmp.npz")
    np.savez(written, images=images, labels=labels, test_images=test_images, test_labels=test_labels)
    written.replace(path)
