"""What work will cost, in words, and what would make it shorter."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from faa_core.text import duration

LONG = 600.0  # seconds from which a message lists what would make it shorter
CLOCK = 59.5  # seconds from which times are in minutes, with the time at which the work ends


def until(seconds: float, *, now: datetime) -> str:
    """Return how long work takes, and when it ends, such as "2 h 45 min, until about 18:10"."""
    if seconds < CLOCK:
        return duration(seconds)
    end = now + timedelta(seconds=seconds)
    days = (end.date() - now.date()).days
    day = "" if days == 0 else " tomorrow" if days == 1 else f" on {end:%Y-%m-%d}"
    return f"{duration(seconds)}, until about {end:%H:%M}{day}"


def with_shorter(told: str, seconds: float, ways: Sequence[str]) -> str:
    """Return what is told of work, and for long work a sentence more: with what it would take less time.

    Args:
        told: A sentence.
        seconds: That the work takes.
        ways: What can be done, as "fewer --epochs"; at least two.
    """
    return told if seconds < LONG else f"{told} It takes less time with {', '.join(ways[:-1])}, or {ways[-1]}."


def fitting_ways(*, model: str, epochs: int, size: int, on_cpu: bool) -> list[str]:
    """Return what makes fitting a network shorter.

    Args:
        model: Its name.
        epochs: It takes.
        size: Side of its images in pixels.
        on_cpu: Whether it is fitted there.
    """
    ways = [f"fewer --epochs (now {epochs})"] if epochs > 1 else []
    ways += [f"a smaller --img-size (now {size})", f"a smaller --model (now {model})", "fewer images (--train-subset)"]
    return [*ways, "a GPU"] if on_cpu else ways
