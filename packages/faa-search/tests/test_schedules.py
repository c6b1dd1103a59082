"""Learning rates over a run."""

import logging
from typing import Any

import pytest
from timm.scheduler import CosineLRScheduler
from torch import nn

from faa_core import FaaError
from faa_search.settings import TrainConfig
from faa_search.training.optimisation import make_optimizer
from faa_search.training.schedules import make_scheduler, micronet_factor

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


def test_the_cosine_has_a_length_of_its_own() -> None:
    """With --sched-epochs it ends where training does, or before; without the prefix it begins with the warm-up."""
    settings = {"lr": 0.1, "epochs": 12, "warmup_epochs": 2, "sched_epochs": 10, "min_lr": 0.01}
    assert [0.1, 0.055, 0.01] == pytest.approx([rate(time, **settings) for time in (2, 7, 12)])
    assert 0.01 == pytest.approx(rate(13, **settings))
    assert 0.055 == pytest.approx(rate(5, warmup_prefix=False, **settings))


@pytest.mark.parametrize(("prefix", "later"), [(True, 2), (False, 0)])
def test_multistep_schedule(prefix: bool, later: int) -> None:
    """The rate falls with the very update that reaches a milestone, counted from the end of the warm-up or not."""
    settings = {"sched": "multistep", "lr": 0.4, "decay_milestones": (6, 4), "decay_rate": 0.5, "epochs": 12}
    settings |= {"warmup_epochs": 2, "warmup_prefix": prefix}
    times = [1, 2, 3.9 + later, 4 + later, 5.9 + later, 6 + later, 12]
    assert [0.2, 0.4, 0.4, 0.2, 0.2, 0.1, 0.1] == pytest.approx([rate(time, **settings) for time in times])


def test_steps_without_the_prefix_count_from_the_start() -> None:
    """The warm-up hides the first decays; where it ends the rate is the peak once, as in the original."""
    settings = {
        "sched": "step",
        "lr": 0.4,
        "decay_epochs": 2,
        "decay_rate": 0.5,
        "warmup_epochs": 3,
        "warmup_prefix": False,
    }
    assert [0.4 * 2.9 / 3, 0.4, 0.2, 0.1] == pytest.approx([rate(time, **settings) for time in (2.9, 3, 3.1, 4)])


def test_constant_schedule() -> None:
    """Nothing but the warm-up."""
    settings = {"sched": "constant", "lr": 0.4, "warmup_epochs": 2, "epochs": 100}
    assert [0.2, 0.4, 0.4] == pytest.approx([rate(time, **settings) for time in (1, 2, 99.9)])


@pytest.mark.parametrize(
    ("epoch", "value"),
    [
        *((1, 0.5), (449, 0.5), (450, 0.05), (899, 0.05), (900, 1e-3), (1124, 1e-3)),
        *((1125, 2e-4), (1349, 2e-4), (1350, 4e-6), (1799, 4e-6), (1800, 8e-8)),
    ],
)
def test_micronets_rates(epoch: int, value: float) -> None:
    """Epochs count from 1, so the first decay holds from the start of epoch 450 to its end."""
    settings: dict[str, Any] = {"sched": "micronet", "lr": 0.5, "epochs": 1800}
    assert value == pytest.approx(0.5 * micronet_factor(epoch, 1800))
    assert [value, value] == pytest.approx([rate(epoch - 1, **settings), rate(epoch - 0.1, **settings)])


def test_micronet_has_no_warm_up() -> None:
    """A setting that would do nothing is refused."""
    with pytest.raises(FaaError, match="--sched micronet has no warm-up"):
        rate(0, sched="micronet", warmup_epochs=5)


@pytest.mark.parametrize("sched", ["cosine", "step", "multistep", "constant"])
def test_a_warm_up_longer_than_the_run(sched: str) -> None:
    """Both numbers are said; one that fills the run is allowed."""
    with pytest.raises(FaaError, match=r"--warmup-epochs 5 is longer than the run, --epochs 4\b"):
        rate(0, sched=sched, warmup_epochs=5, epochs=4)
    assert 0.05 == pytest.approx(rate(2, sched=sched, lr=0.1, warmup_epochs=4, epochs=4))


@pytest.mark.parametrize("sched", ["step", "multistep", "constant", "micronet"])
@pytest.mark.parametrize(
    ("key", "value", "said"), [("sched_epochs", 10, "--sched-epochs 10"), ("min_lr", 1e-4, "--min-lr 0.0001")]
)
def test_settings_of_the_cosine_alone(sched: str, key: str, value: float, said: str) -> None:
    """They would do nothing elsewhere; the message says where they do, and how to take back a recipe's."""
    with pytest.raises(FaaError, match=f"^{said} is for --sched cosine .* --sched {sched}; .*'{key}: "):
        rate(0, sched=sched, **{key: value})


def test_a_run_of_one_update_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """A cosine of a single update is the peak, without a warning; others still warn as they did."""
    assert 0.1 == pytest.approx(rate(0, steps=1, lr=0.1, epochs=1))
    assert [] == caplog.messages
    assert [] == logging.getLogger(CosineLRScheduler.__module__).filters
    CosineLRScheduler(make_optimizer(nn.Linear(2, 2), TrainConfig()), t_initial=1)
    assert "no effect" in caplog.text


def test_all_groups_follow() -> None:
    """Decayed or not."""
    config = TrainConfig(lr=0.1, warmup_epochs=2)
    optimizer = make_optimizer(nn.Linear(2, 2), config)
    make_scheduler(optimizer, config, steps_per_epoch=10).step_update(num_updates=10)
    assert [0.05, 0.05] == pytest.approx([group["lr"] for group in optimizer.param_groups])


def test_milestones_within_an_epoch_take_the_next_update() -> None:
    """2.25 epochs of 10 updates are 22.5: the 23rd has the lower rate, and the 22nd has not."""
    settings = {"sched": "multistep", "lr": 0.4, "decay_milestones": (2.25, 4.5), "decay_rate": 0.5, "epochs": 6}
    settings |= {"warmup_epochs": 0}
    times = [2.2, 2.3, 4.4, 4.5]
    assert [0.4, 0.2, 0.2, 0.1] == pytest.approx([rate(time, **settings) for time in times])
