"""Where a search's tasks run: in this process, in others on this machine, in launched ones, or in a Ray cluster."""

from faa_search.workers.executors.protocol import (
    Executor,
    ExecutorFactory,
    ExecutorOptions,
    Fetch,
    Place,
    Setup,
    Task,
)

__all__ = ["Executor", "ExecutorFactory", "ExecutorOptions", "Fetch", "Place", "Setup", "Task"]
