"""The global random states of Python, numpy and torch, which no plugin may need or change."""

import random  # noqa: TID251 its state is looked at, nothing is drawn
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def random_states() -> dict[str, Any]:
    """Return each library's state, as values that compare."""
    return {
        "Python": random.getstate(),
        "numpy": _as_texts(np.random.get_state(legacy=False)),  # noqa: NPY002 the global one is meant
        "torch": torch.get_rng_state().tolist(),
    }


@contextmanager
def other_random_state() -> Iterator[None]:
    """Change the states inside the block, as other code does, and leave them as they were."""
    python, numpys, torchs = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    try:
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        torch.manual_seed(1)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpys)  # noqa: NPY002
        torch.set_rng_state(torchs)


def _as_texts(state: Any) -> dict[str, Any]:
    """Return numpy's state without arrays, which do not compare."""
    return {**state, "state": {key: np.asarray(value).tolist() for key, value in state["state"].items()}}
