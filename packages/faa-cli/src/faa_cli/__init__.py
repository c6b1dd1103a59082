"""faa-cli: the `faa` command."""

from importlib.metadata import version

__version__ = version("faa-cli")

__all__ = ["__version__"]
