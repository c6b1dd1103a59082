"""What a search has cost so far, and whether its budget lets anything else begin."""

import time

from faa_search.settings import Budget


class Clock:
    """Counts the seconds of a search: as the clock shows them, and of all devices together."""

    def __init__(self, budget: Budget | None, *, before: float, workers: int) -> None:
        """Start.

        Args:
            budget: None for any time.
            before: Device seconds that earlier processes of this search used.
            workers: Devices at work.
        """
        self.budget = budget
        self.workers = workers
        self.device_seconds = before
        self._before = before
        self._started = time.monotonic()

    def add(self, seconds: float) -> None:
        """Count a finished task."""
        self.device_seconds += seconds

    def left(self) -> float:
        """Return the seconds of the budget that are left, in its own measure; infinite without one."""
        if self.budget is None:
            return float("inf")
        if self.budget.of_devices:
            return self.budget.seconds - self.device_seconds
        elapsed = time.monotonic() - self._started
        return self.budget.seconds - elapsed - self._before / self.workers

    def has(self, device_seconds: float) -> bool:
        """Return whether work of so many device seconds still fits into the budget."""
        if self.budget is None:
            return True
        needed = device_seconds if self.budget.of_devices else device_seconds / self.workers
        return needed <= self.left()
