"""Budgets: what they say, and what still fits into them."""

import time

import pytest

from faa_search.searching.clock import Clock
from faa_search.settings import Budget


@pytest.mark.parametrize(
    ("text", "seconds", "of_devices"),
    [
        ("90s", 90, False),
        ("30m", 1800, False),
        ("1.5h", 5400, False),
        (" 2H ", 7200, False),
        ("2gpu-h", 7200, True),
        ("0.5gpu-m", 30, True),
        ("45GPU-s", 45, True),
    ],
)
def test_budgets_in_words(text: str, seconds: float, of_devices: bool) -> None:
    """A number and a unit; with gpu- before it the time of all devices together."""
    assert Budget(seconds, of_devices) == Budget.parse(text)


@pytest.mark.parametrize(
    "text", ["", "30", "m", "-3m", "0m", "0.0h", "1d", "30 m", "1e3s", "gpu-h", "2h30m", "nans", "infs"]
)
def test_what_is_no_budget(text: str) -> None:
    """Said with examples."""
    with pytest.raises(ValueError, match="such as 90s, 30m or 2h, or device time such as 2gpu-h"):
        Budget.parse(text)


def test_without_a_budget_everything_fits() -> None:
    """Any time; what is used is counted all the same."""
    clock = Clock(None, before=5.0, workers=3)
    clock.add(1e9)
    assert clock.has(1e12)
    assert float("inf") == clock.left()
    assert 1e9 + 5 == clock.device_seconds


def test_device_time_is_that_of_all_tasks_and_processes() -> None:
    """Seconds of earlier processes count, the number of workers does not, nor does waiting."""
    clock = Clock(Budget(100, of_devices=True), before=30, workers=4)
    clock.add(20)
    assert 50 == clock.left()
    assert clock.has(50)
    assert not clock.has(50.1)
    clock.add(60)
    assert -10 == clock.left()
    assert not clock.has(0.1)


def test_time_as_the_clock_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is shared by the workers, also that of earlier processes; what tasks took is not counted twice."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    clock = Clock(Budget(100, of_devices=False), before=40, workers=2)
    assert 80 == clock.left()
    clock.add(50)
    assert 80 == clock.left()
    now[0] += 30
    assert 50 == clock.left()
    assert clock.has(100)
    assert not clock.has(100.1)
