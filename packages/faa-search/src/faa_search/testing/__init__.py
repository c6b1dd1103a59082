"""What samplers, search algorithms, executors, data sets and networks have to keep, as test classes for their authors.

Subclass one in a test file and name what the package offers; pytest collects the inherited tests, and any other runner
may call them. They need no pytest, and a failure is an AssertionError that says what was expected::

    class TestAnnealing(SamplerContract):
        name = "annealing"

The package must be installed, as for its users: the contracts find it by its entry point. `faa_core.testing` has the
contracts for operations and policies, `faa_cli.testing` that for commands.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faa_search.testing.datasets import DatasetContract
    from faa_search.testing.executors import ExecutorContract
    from faa_search.testing.models import ModelContract
    from faa_search.testing.samplers import SamplerContract
    from faa_search.testing.searchers import SearcherContract

__all__ = ["DatasetContract", "ExecutorContract", "ModelContract", "SamplerContract", "SearcherContract"]

HOMES = {
    "DatasetContract": "faa_search.testing.datasets",
    "ExecutorContract": "faa_search.testing.executors",
    "ModelContract": "faa_search.testing.models",
    "SamplerContract": "faa_search.testing.samplers",
    "SearcherContract": "faa_search.testing.searchers",
}


def __getattr__(name: str) -> Any:
    """Import a contract when it is asked for: an executor's workers need `tasks` alone, and no torch."""
    if name in HOMES:
        return getattr(import_module(HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return what can be imported, contracts that were not asked for yet included."""
    return sorted({*globals(), *__all__})
