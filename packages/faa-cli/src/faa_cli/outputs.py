"""Files a command is to write: refused before hours of work rather than after them."""

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from faa_core import FaaError

FOR_RESUMING = frozenset({  # a run that finds one of these takes it for its own
    "comparison.json", "config.json", "data.json", "environment.json", "folds.json", "policy.json", "result.json",
})  # fmt: skip


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
        if path.is_dir():
            raise FaaError(f"{flag}: '{path}' is a folder; give the path of a file.")
        if suffix and path.suffix.lower() != suffix:
            raise FaaError(f"{flag} writes a {suffix} file; '{path}' is not called so. Give a name that ends in it.")
        if (path.exists() or path.is_symlink()) and not path.is_file():
            raise FaaError(f"{flag}: '{path}' is not a regular file; give the path of one.")
        _check_whose(flag, path)
        _try_to_write(flag, path)
    if len({path.resolve() for path in given.values()}) < len(given):
        flags = ", ".join(key.split()[0] for key in given)
        raise FaaError(f"Two of {flags} are one file; give each its own.")


def _check_whose(flag: str, path: Path) -> None:
    """Refuse what a run has written or will look for, and what lies beside weights."""
    target = path.resolve()
    if not target.exists() and target.name not in FOR_RESUMING:
        return
    if (target.parent / "model.safetensors").is_file() or _is_of_a_run(target):
        raise FaaError(
            f"{flag}: '{path}' lies where a run or a model keeps its own files, and would replace one or be read as "
            "one. Choose another name, or remove it if it is left from before."
        )


def _is_of_a_run(target: Path) -> bool:
    """Return whether a file is, or would be, in a run's directory."""
    if not any((folder / "config.yaml").is_file() for folder in target.parents):
        return False
    from faa_search.evaluation.trained_on import run_of  # noqa: PLC0415 torch is slow to import

    with suppress(FaaError):  # somebody's config.yaml that is no run's
        return run_of(target) is not None
    return False


def _try_to_write(flag: str, path: Path) -> None:
    """Write a file of no length where the finished one will be put together, and remove it."""
    folder = path.absolute().parent
    while not folder.exists():  # those are made when the file is written
        folder = folder.parent
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{path.name}.", suffix=".tmp"):
            pass
    except OSError as error:
        raise FaaError(f"{flag}: '{path}' cannot be written: {error.strerror}. Choose another place.") from error
