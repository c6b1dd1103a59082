"""Learning rates, weight decay and weight averages."""

from typing import Any

import pytest
from torch import nn

from faa_core import FaaError
from faa_search.config import TrainConfig
from faa_search.training.models import make_model
from faa_search.training.optimisation import make_average, make_optimizer, make_scheduler

WRN = {"sched": "cosine", "lr": 0.1, "epochs": 200, "warmup_epochs": 5}


def rate(time: float, *, steps: int = 10, **settings: Any) -> float:
    """Return the learning rate after `time` epochs."""
    config = TrainConfig(**settings)
    optimizer = make_optimizer(nn.Linear(2, 2), config)
    make_scheduler(optimizer, config, steps_per_epoch=steps).step_update(num_updates=round(time * steps))
    return float(optimizer.param_groups[0]["lr"])


@pytest.mark.parametrize(
    ("time", "value"),
    [(0, 0), (2.5, 0.05), (5, 0.1), (50, 0.0880203), (100, 0.053923), (150, 0.0175276), (200, 0.000154133)],
)
def test_rates_of_the_original(time: float, value: float) -> None:
    """Fast AutoAugment's Wide-ResNet settings: linear warm-up, then a cosine that starts after it."""
    assert value == pytest.approx(rate(time, **WRN), rel=1e-5, abs=1e-12)


def test_warm_up_is_linear_from_its_own_rate() -> None:
    """Half-way it is half-way between --warmup-lr and --lr."""
    assert 0.06 == pytest.approx(rate(1, lr=0.1, warmup_epochs=2, warmup_lr=0.02, epochs=10))


def test_cosine_ends_at_the_least_rate() -> None:
    """Without warm-up the peak comes first and --min-lr last."""
    assert 0.1 == pytest.approx(rate(0, lr=0.1, min_lr=0.01, epochs=4))
    assert 0.055 == pytest.approx(rate(2, lr=0.1, min_lr=0.01, epochs=4))
    assert 0.01 == pytest.approx(rate(4, lr=0.1, min_lr=0.01, epochs=4))


def test_step_schedule() -> None:
    """The rate falls by --decay-rate every --decay-epochs."""
    steps = [rate(time, sched="step", lr=0.4, decay_epochs=3, decay_rate=0.5, epochs=9) for time in (0, 2.9, 3, 6)]
    assert [0.4, 0.4, 0.2, 0.1] == pytest.approx(steps)


def test_weight_decay_is_on_weights_only() -> None:
    """Every convolution and linear weight is decayed; no bias and no batch norm is, and nothing is left out."""
    model = make_model("wrn16_1", classes=10, pretrained=False, size=32, seed=0)
    optimizer = make_optimizer(model, TrainConfig(weight_decay=3e-4))
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        assert (3e-4 if parameter.ndim > 1 else 0.0) == decay[id(parameter)], name
    assert len(list(model.parameters())) == len(decay)


def test_sgd_is_with_nesterov_momentum() -> None:
    """As the original's."""
    group = make_optimizer(nn.Linear(2, 2), TrainConfig(momentum=0.8)).param_groups[0]
    assert (True, 0.8) == (group["nesterov"], group["momentum"])


@pytest.mark.parametrize("name", ["sdg", ""])
def test_unknown_optimizer(name: str) -> None:
    """The message names it."""
    with pytest.raises(FaaError, match=f"The optimizer '{name}' cannot be made"):
        make_optimizer(nn.Linear(2, 2), TrainConfig(opt=name))


def test_average_follows_the_weights() -> None:
    """Average ← d·average + (1 − d)·weights, with d from 0 up to the decay."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    average = make_average(model, TrainConfig(model_ema=True, model_ema_decay=0.75))
    assert average is not None
    nn.init.constant_(model.weight, 5.0)
    average.update(model, step=1_000_000)
    assert 0.75 * 1 + 0.25 * 5 == average.module.weight.detach().item()
    assert 0.5 > average.get_decay(1)
    assert 0.75 == average.get_decay(1_000_000)
    assert 5.0 == model.weight.detach().item()


def test_no_average_unless_asked_for() -> None:
    """It costs memory and time."""
    assert make_average(nn.Linear(1, 1), TrainConfig()) is None
