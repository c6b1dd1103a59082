"""What a fitting will cost, from two timed updates."""

from collections.abc import Callable

import pytest
from accelerate import Accelerator

from faa_search.data import ArraySource
from faa_search.settings import FitConfig
from faa_search.training import Views, estimate
from faa_search.training.models import ModelInput


def test_the_second_update_is_what_counts(
    noise: Callable[..., ArraySource],
    expected: ModelInput,
    accelerator: Accelerator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first one warms up: here it takes 50 s and the second 2 s, and 3 epochs of 40 images are 15 updates of 8."""
    config = FitConfig(model="wrn16_1", epochs=3, batch_size=8, device="cpu")
    view = Views(source=noise(16), size=8)
    network = estimate.scratch_network(config, view, expected, accelerator)
    took, clock = iter((50.0, 2.0)), [0.0]

    def update(*_given: object) -> None:
        clock[0] += next(took)

    monkeypatch.setattr(estimate.Trainer, "update", update)
    monkeypatch.setattr(estimate.time, "perf_counter", lambda: clock[0])
    assert 30 == estimate.fitting_seconds(network, config, view, accelerator, images=40)
