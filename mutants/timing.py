"""A plugin for pytest that writes down how long every test takes: `python -m pytest -p mutants.timing`."""

import json
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import pytest

TIMES = Path(__file__).parent / "kept" / "times.jsonl"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Time a test with its fixtures."""
    begun = perf_counter()
    result = yield
    TIMES.parent.mkdir(exist_ok=True)
    with TIMES.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"test": item.nodeid, "seconds": round(perf_counter() - begun, 3)}) + "\n")
    return result
