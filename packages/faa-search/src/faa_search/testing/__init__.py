"""What samplers, search algorithms, executors, data sets and networks have to keep, as test classes for their authors.

Subclass one in a test file and name what the package offers; pytest collects the inherited tests, and any other runner
may call them. They need no pytest, and a failure is an AssertionError that states what was expected::

    class TestAnnealing(SamplerContract):
        name = "annealing"

The package must be installed, as for its users: the contracts find it by its entry point. `faa_core.testing` has the
contracts for operations and policies, `faa_cli.testing` that for commands.
"""

from typing import TYPE_CHECKING

from faa_search.lazily import names_of

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

__getattr__, __dir__ = names_of(__name__, HOMES)
