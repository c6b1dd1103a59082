"""The directory of a run: whose it is, with which settings and versions, and that one process at a time uses it."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock
import torch
import yaml

from faa_core import FaaError
from faa_core.files import write_text
from faa_core.paths import refusal, refused_as
from faa_core.reading import as_text, parse_json, read_content
from faa_core.text import safe
from faa_core.yaml_files import read_yaml
from faa_search.runs.environment import environment
from faa_search.runs.files import POLICY, STAGES, UNFINISHED, check_kinds, clear_unfinished, write_file
from faa_search.settings import Role, Settings, differences

CONFIG = "config.yaml"
DATA = "data.json"
ENVIRONMENT = "environment.json"
LOCK = ".lock"
BEGINNING = frozenset({CONFIG, DATA, ENVIRONMENT, "folds.json", POLICY, STAGES})  # what a run has before any result
KINDS = {  # by the command that config.yaml names
    "train": "a training (faa train)",
    "search": "a search (faa search)",
    "compare": "a comparison (faa compare)",
    "compare_policies": "a comparison made by compare_policies",
}


@contextmanager
def run_directory(
    output: Path,
    command: str,
    config: Settings,
    *,
    main_process: bool = True,
    renewed: Sequence[Role] = (),
) -> Iterator[Path]:
    """Give the run's directory, made or found again, for this process alone while the block runs.

    A directory that is refused stays as it is: it is only read until it is known to be the run's, or empty.

    Args:
        output: The directory.
        command: Which command's run it is.
        config: The resolved settings; a directory with others is refused, but for the place of the data.
        main_process: The other processes of a distributed run only use the directory.
        renewed: Of settings that may be others than the directory's, which has these after `renew_settings`.

    Raises:
        FaaError: If the directory is something else's, was made with other settings, or is in use. What the block
            refuses before it has produced anything leaves no directory behind.
    """
    if not main_process:
        yield output
        return
    with refused_as(f"The output directory '{safe(output)}' cannot be made"):
        _check_claim(output, command, config, renewed)
        made = [parent for parent in (output, *output.parents) if not parent.exists()]
        output.mkdir(parents=True, exist_ok=True)
    with _locked(output, made):
        _check_claim(output, command, config, renewed)  # again: until now another process could change it
        new = not (output / CONFIG).is_file()
        _claim(output, command, config)
        clear_unfinished(output)
        try:
            yield output
        except FaaError:
            if new:
                _disclaim(output)
            raise
        finally:
            clear_unfinished(output)


def slug(name: str) -> str:
    """Return a name as it can be part of a directory's name."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name).strip("-.") or "run"


def read_config(output: Path) -> dict[str, Any]:
    """Return the settings a run was made with, and its ``command``.

    Raises:
        FaaError: If the directory holds no run.
    """
    path = output / CONFIG
    if not path.is_file() and os.path.lexists(path):
        raise FaaError(f"{_no_settings_file(output)}.")
    if not path.is_file():
        raise FaaError(f"'{safe(output)}' is not a run directory: it has no file {CONFIG}.")
    settings = read_yaml(path)
    if not settings:
        raise FaaError(f"'{path}' holds no settings.")
    return settings


def kept_settings(output: Path) -> dict[str, Any]:
    """Return what `read_config` does; nothing where the directory has no settings yet.

    Raises:
        FaaError: If its settings are damaged, or the system refuses to look.
    """
    with refused_as(f"The output directory '{safe(output)}' cannot be made"):
        there = (output / CONFIG).is_file()
    return read_config(output) if there else {}


def read_environment(output: Path) -> dict[str, Any]:
    """Return what a run began with beside its settings; empty where the file was removed or is damaged.

    No result depends on it, so no run is refused because of it.
    """
    try:
        began = parse_json(as_text(read_content(output / ENVIRONMENT)))
    except FaaError:
        return {}
    return began if isinstance(began, dict) else {}


def _check_claim(output: Path, command: str, config: Settings, renewed: Sequence[Role]) -> None:
    """Refuse a directory that is neither empty nor a run of these settings; only reads.

    Raises:
        FaaError: If it is refused.
    """
    if not output.exists():
        return
    if not output.is_dir():
        raise FaaError(f"The output directory '{output}' cannot be made: it is a file. Choose another --output.")
    if not (output / CONFIG).is_file():
        _check_empty(output)
        return
    before = read_config(output)
    kind = before.get("command")
    if kind != command and not (isinstance(kind, str) and kind in KINDS):
        raise FaaError(f"'{output}' has a {CONFIG} that is not a run's. Choose another --output.")
    if kind != command:
        this = KINDS.get(command, f"a run of '{command}'")
        raise FaaError(f"'{output}' holds {KINDS[kind]}, and this is {this}. Choose another --output.")
    check_kinds(output)
    now = config.model_copy(update={"device": before["device"]}) if _computes_alike(output, before, config) else config
    changed = differences(before, now, ignoring=now.names(Role.PACE, Role.PLACE, *renewed))
    if changed:
        raise FaaError(
            f"'{output}' holds a run with other settings ({'; '.join(changed)}). Choose another --output, or "
            "repeat the command as it was to resume."
        )


def _computes_alike(output: Path, before: Mapping[str, Any], config: Settings) -> bool:
    """Return whether a run's device is today's in other words: ``auto``, and what it came to where the run began."""
    now = getattr(config, "device", None)
    if now is None or "auto" not in (before.get("device"), now):
        return False
    began = read_environment(output)
    if "cuda" not in began:
        return False
    then = _device(before.get("device"), cuda=began["cuda"] is not None)
    return bool(then == _device(now, cuda=torch.cuda.is_available()))


def _device(asked: Any, *, cuda: bool) -> Any:
    """Return what a device comes to where there is CUDA, or none."""
    return ("cuda" if cuda else "cpu") if asked == "auto" else asked


def _check_empty(output: Path) -> None:
    """Refuse a directory that holds anything but what a run leaves that was killed before its settings were written."""
    strangers = [child.name for child in sorted(output.iterdir()) if not _is_beginning(child)]
    if CONFIG in strangers:
        raise FaaError(f"{_no_settings_file(output)}; else choose another --output.")
    if strangers:
        raise FaaError(
            f"'{output}' is not empty ('{strangers[0]}') and is not a run directory; choose another --output."
        )


def _no_settings_file(output: Path) -> str:
    """Return the message where something else lies in place of the settings."""
    return (
        f"'{safe(output / CONFIG)}' is not a regular file, so it is not known whether '{safe(output)}' is a run. If it "
        "is, put that file back"
    )


def _is_beginning(child: Path) -> bool:
    """Return whether a file may lie in a directory that a run takes."""
    if child.is_symlink() or not child.is_file():
        return False
    # The lock of ours is empty; whatever else is called so must not be opened as one, which would empty it.
    if child.name == LOCK:
        return child.stat().st_size == 0
    return child.name == ".DS_Store" or bool(re.fullmatch(rf"\.{re.escape(CONFIG)}\.\w+\.tmp", child.name))


@contextmanager
def _locked(output: Path, made: list[Path]) -> Iterator[None]:
    """Keep other processes out while the block runs; a directory that was not claimed is left as it was.

    Args:
        output: The directory.
        made: The folders that were made for it, innermost first.
    """
    lock = filelock.FileLock(output / LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise FaaError(f"Another process is using '{output}'; wait for it, or choose another --output.") from error
    except OSError as error:
        raise refusal(error, f"The output directory '{safe(output)}' cannot be written to") from error
    except NotImplementedError as error:
        raise FaaError(f"'{safe(output)}' lies on a file system without locks; choose another --output.") from error
    try:
        yield
    finally:
        lock.release()
        if not (output / CONFIG).is_file():
            (output / LOCK).unlink(missing_ok=True)
            with suppress(OSError):  # somebody has put something into it
                for folder in made:
                    folder.rmdir()


def renew_settings(output: Path, config: Settings) -> None:
    """Write a run's settings again where they are others now; its place and device stay as it began."""
    before, as_it_began = read_config(output), config.names(Role.PLACE, Role.DEVICE)
    if differences(before, config, ignoring=config.names(Role.PACE) | as_it_began):
        kept = {name: before[name] for name in as_it_began & before.keys()}
        settings = {"command": before["command"], **config.kept(), **kept}
        write_file(output, CONFIG, yaml.safe_dump(settings, sort_keys=False))


def _claim(output: Path, command: str, config: Settings) -> None:
    """Write the settings into a directory that was found to be free; the run's own has them."""
    if (output / CONFIG).is_file():
        return
    settings = {"command": command, **config.kept()}
    # The settings first, beside their place: with them the directory is a run's.
    write_text(output / CONFIG, yaml.safe_dump(settings, sort_keys=False))
    write_file(output, ENVIRONMENT, json.dumps(environment(), indent=1) + "\n")


def _disclaim(output: Path) -> None:
    """Take back what a run begins with, if it came to nothing else."""
    if {child.name for child in output.iterdir()} <= BEGINNING | {LOCK, UNFINISHED}:
        for name in BEGINNING:
            (output / name).unlink(missing_ok=True)
