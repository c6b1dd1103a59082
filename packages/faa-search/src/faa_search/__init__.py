"""faa-search: finding augmentation policies, and the training engine that search and training share."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from faa_search.config import SearchConfig, TrainConfig

if TYPE_CHECKING:
    from faa_search.searchers import search, search_stage
    from faa_search.timm import create_transform

__version__ = version("faa-search")

__all__ = ["SearchConfig", "TrainConfig", "__version__", "create_transform", "search", "search_stage"]


def __getattr__(name: str) -> Any:
    """Import functions, and torch with them, only when they are asked for: a command's help should not wait for it."""
    if name in ("search", "search_stage"):
        from faa_search import searchers  # noqa: PLC0415

        return getattr(searchers, name)
    if name == "create_transform":
        from faa_search.timm import create_transform  # noqa: PLC0415

        return create_transform
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return what can be imported, functions that were not asked for yet included."""
    return sorted({*globals(), *__all__})
