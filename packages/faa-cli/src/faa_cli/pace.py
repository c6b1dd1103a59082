"""How fast work goes, and how long it still takes."""

from faa_core.text import duration

SETTLED = 0.5  # of the time until the first unit, after which the rate is believed


class Pace:
    """Counts units of work by a clock.

    The first unit bears what every start costs (loading libraries, compiling, starting workers), so the rate is that
    of the units after it; it is shown once they took at least half as long as the start did, as several workers may
    finish at the same moment. What earlier starts did tells nothing.

    Attributes:
        total: Units in all.
        done: Units that are finished, by earlier starts too.
    """

    def __init__(self, total: int, *, done: int, started: float) -> None:
        """Begin.

        Args:
            total: Units in all.
            done: Those that earlier starts finished.
            started: The time in seconds.
        """
        self.total, self.done = total, done
        self._started = self._first = self._last = started
        self._counted = -1

    def finish(self, now: float) -> None:
        """Count a unit that is finished at a time in seconds."""
        self.done += 1
        self._counted += 1
        self._last = now
        if self._counted == 0:
            self._first = now

    @property
    def each(self) -> float | None:
        """Seconds from one unit to the next; None until that is known."""
        passed = self._last - self._first
        known = self._counted > 0 and passed > 0 and passed >= SETTLED * (self._first - self._started)
        return passed / self._counted if known else None

    @property
    def rate(self) -> str:
        """The rate for people: per second, or the time of each when slow; empty until it is known."""
        each = self.each
        if each is None:
            return ""
        if each <= 1:
            return f"{1 / each:.1f}/s"
        return f"{each:.1f} s each" if each < 59.95 else f"{duration(each)} each"

    @property
    def left(self) -> str:
        """The time left for people; empty until it is known, and at the end."""
        each = self.each
        return "" if each is None or self.done >= self.total else f"{duration((self.total - self.done) * each)} left"
