"""The directory of a run: whose it is, with which settings and versions, and that one process at a time uses it."""

import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from faa_core import FaaError
from faa_core.files import write_text
from faa_search.config import Settings, differences
from faa_search.yaml_files import read_yaml

PACKAGES = (
    "faa-core", "faa-models", "faa-search", "faa-cli", "torch", "torchvision", "timm", "accelerate", "hyperopt",
    "numpy", "optuna", "pillow", "scikit-learn", "safetensors",
)  # fmt: skip
CHANGEABLE = frozenset({  # settings that change no result, so a run may be resumed with others
    "audit", "audit_epochs", "audit_seeds", "budget", "executor", "gpus_per_worker", "log_with", "num_processes",
    "ray_address", "recovery_interval", "resident", "save_every", "stage", "workers",
})  # fmt: skip
DATA = "data.json"
# What a run has before any result.
BEGINNING = frozenset({".lock", "config.yaml", DATA, "environment.json", "folds.json", "policy.json"})


@contextmanager
def run_directory(
    output: Path,
    command: str,
    config: Settings,
    *,
    main_process: bool = True,
    renewed: frozenset[str] = frozenset(),
) -> Iterator[Path]:
    """Give the run's directory, made or found again, for this process alone while the block runs.

    Args:
        output: The directory.
        command: Which command's run it is.
        config: The resolved settings; a directory with others is refused.
        main_process: The other processes of a distributed run only use the directory.
        renewed: Settings that may be others than the directory's, which then has these.

    Raises:
        FaaError: If the directory is something else's, was made with other settings, or is in use. What the block
            refuses before it has produced anything leaves no directory behind.
    """
    if not main_process:
        yield output
        return
    made = [parent for parent in (output, *output.parents) if not parent.exists()]
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FaaError(f"The output directory '{output}' cannot be made: {error}") from error
    lock = filelock.FileLock(output / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise FaaError(f"Another process is using '{output}'; wait for it, or choose another --output.") from error
    except OSError as error:
        raise FaaError(f"The output directory '{output}' cannot be written to: {error}") from error
    new = not (output / "config.yaml").is_file()
    try:
        _tidy(output)
        _claim(output, {"command": command, **config.model_dump(mode="json")}, renewed)
        yield output
    except FaaError:
        if new and {child.name for child in output.iterdir()} <= BEGINNING:
            for name in BEGINNING - {".lock"}:
                (output / name).unlink(missing_ok=True)
        raise
    finally:
        lock.release()
        if not (output / "config.yaml").is_file():  # refused: leave somebody else's directory as it was
            Path(lock.lock_file).unlink(missing_ok=True)
            with suppress(OSError):  # somebody has put something into it
                for folder in made:
                    folder.rmdir()


def keep_images(directory: Path, labels: NDArray[np.int64]) -> None:
    """Write down which images a run is made with.

    Args:
        directory: The run's.
        labels: Shape ``[N]``, of the training images, in order.

    Raises:
        FaaError: If the run was started with others.
    """
    digest = hashlib.blake2b(np.ascontiguousarray(labels).tobytes(), digest_size=16).hexdigest()
    now = {"images": len(labels), "labels": digest}
    path = directory / DATA
    if not path.is_file():
        write_text(path, json.dumps(now) + "\n")
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        images = int(before["images"])
    except (ValueError, KeyError, TypeError) as error:
        raise FaaError(
            f"'{path}' does not say which images the run was made with ({error!r:.200}); delete it if they are these."
        ) from error
    if before != now:
        raise FaaError(
            f"The data set has changed since '{directory}' was started: it had {images} training images, now "
            f"{now['images']}, or other labels. Choose another --output."
        )


def slug(name: str) -> str:
    """Return a name as it can be part of a directory's name."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name).strip("-.") or "run"


def read_config(output: Path) -> dict[str, Any]:
    """Return the settings a run was made with, and its ``command``.

    Raises:
        FaaError: If the directory holds no run.
    """
    path = output / "config.yaml"
    if not path.is_file():
        raise FaaError(f"'{output}' is no run directory: it has no config.yaml.")
    settings = read_yaml(path)
    if not settings:
        raise FaaError(f"'{path}' holds no settings.")
    return settings


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


def _tidy(output: Path) -> None:
    """Remove what a killed process was still writing."""
    for leftover in (*output.glob("**/.saving-*"), *output.glob("**/.*.tmp")):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _claim(output: Path, settings: dict[str, Any], renewed: frozenset[str]) -> None:
    if (output / "config.yaml").is_file():
        before = read_config(output)
        changed = differences(before, settings, ignoring=CHANGEABLE | renewed)
        if changed:
            raise FaaError(
                f"'{output}' holds a run with other settings ({'; '.join(changed)}). Choose another --output, or "
                "repeat the command as it was to resume."
            )
        if differences(before, settings, ignoring=CHANGEABLE):
            write_text(output / "config.yaml", yaml.safe_dump(settings, sort_keys=False))
        return
    # Hidden files are the lock, and what a killed process did not get to put in place.
    strangers = sorted(child.name for child in output.iterdir() if not child.name.startswith("."))
    if strangers:
        raise FaaError(f"'{output}' is not empty ('{strangers[0]}') and no run directory; choose another --output.")
    # The settings first: with them the directory is a run's.
    write_text(output / "config.yaml", yaml.safe_dump(settings, sort_keys=False))
    write_text(output / "environment.json", json.dumps(environment(), indent=1) + "\n")
