"""A plugin for pytest that writes down what every test takes of a processor: `python -m pytest -p mutants.timing`."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mutants.spent import cpu_seconds

TIMES = Path(__file__).parent / "kept" / "times.jsonl"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Time a test with its fixtures, in seconds of a processor, with those of the processes it starts."""
    before = cpu_seconds(os.getpid())
    result = yield
    seconds = max(0.0, cpu_seconds(os.getpid()) - before)
    TIMES.parent.mkdir(exist_ok=True)
    with TIMES.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"test": item.nodeid, "seconds": round(seconds, 3)}) + "\n")
    return result
