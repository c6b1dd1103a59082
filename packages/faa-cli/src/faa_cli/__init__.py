"""faa-cli: the `faa` command."""

from typing import Any

__all__ = ["__version__"]


def __getattr__(name: str) -> Any:
    """Look the version up only when it is asked for: until `start` runs, a signal is not answered."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("faa-cli")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return what can be imported, the version included."""
    return sorted({*globals(), *__all__})
