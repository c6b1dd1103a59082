"""Files a command is to write: refused before hours of work rather than after them."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from faa_core import FaaError
from faa_core.files import try_to_write
from faa_core.paths import refused_as
from faa_core.text import safe
from faa_search.runs.files import FILES


def check_outputs(paths: Mapping[str, Path | None]) -> None:
    """Refuse files that cannot be written, are one and the same, or are a run's own; nothing is left behind.

    Args:
        paths: By flag and the suffix it writes, such as ``"--output .json"``, or by the flag alone where any name will
            do; None where the flag was not given.

    Raises:
        FaaError: If one is refused.
    """
    given = {key: path for key, path in paths.items() if path is not None}
    for key, path in given.items():
        flag, _space, suffix = key.partition(" ")
        with refused_as(f"{flag}: '{safe(path)}' cannot be written"):
            _check_place(flag, path, suffix)
        _check_whose(flag, path)
        try_to_write(path)
    if len({os.path.realpath(path) for path in given.values()}) < len(given):
        flags = ", ".join(key.split()[0] for key in given)
        raise FaaError(f"Two of {flags} are one file; give each its own.")


def _check_place(flag: str, path: Path, suffix: str) -> None:
    """Refuse a path that is not a regular file, or has another suffix.

    Raises:
        OSError: If the system refuses to show what is there.
    """
    if path.is_dir():
        raise FaaError(f"{flag}: '{path}' is a folder; give the path of a file.")
    if suffix and path.suffix.lower() != suffix:
        raise FaaError(f"{flag} writes a {suffix} file; '{path}' has another ending. Give a name that ends in it.")
    if path.is_symlink() or path.exists():
        path.stat()  # of a link, what it leads to
        if not path.is_file():
            raise FaaError(f"{flag}: '{path}' is not a regular file; give the path of one.")


def _check_whose(flag: str, path: Path) -> None:
    """Refuse what a run has written or will look for, and what lies beside weights."""
    target = Path(os.path.realpath(path))
    if not target.exists() and target.name not in FILES:
        return
    if (target.parent / "model.safetensors").is_file() or _is_of_a_run(target):
        raise FaaError(
            f"{flag}: '{path}' lies where a run or a model keeps its own files: it would replace one, or be read as "
            "one. Choose another name; or, if an earlier command left this file, remove it."
        )


def _is_of_a_run(target: Path) -> bool:
    """Return whether a file is, or would be, in a run's directory."""
    if not any((folder / "config.yaml").is_file() for folder in target.parents):
        return False
    from faa_search.measuring.evaluation.trained_on import run_of  # noqa: PLC0415 torch is slow to import

    with suppress(FaaError):  # a config.yaml of another program
        return run_of(target) is not None
    return False
