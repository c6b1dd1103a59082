"""One update, by hand: accumulated passes, copies, mixing, decay and half precision."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from faa_core import FaaError, Op, Policy, SubPolicies
from faa_core.randomness import key_of
from faa_search.data import ArraySource
from faa_search.settings import TrainConfig
from faa_search.training import Network, Views
from faa_search.training.checkpoint import EpochPart
from faa_search.training.loading import TrainingBatches, load
from faa_search.training.losses import make_mixing
from faa_search.training.models import ModelInput, Normalise
from faa_search.training.network import make_network
from faa_search.training.plan import make_plan
from faa_search.training.trainer import EpochTally, Trainer
from faa_search.workers.ranks import Rank

INVERT_HALF = SubPolicies(sub_policies=((Op(op="Invert", p=0.5, magnitude=0.0),),))
Noise = Callable[..., ArraySource]
Fit = Callable[..., tuple[Tensor, dict[str, float | None]]]
PLAIN: dict[str, Any] = {
    "epochs": 1,
    "batch_size": 12,
    "lr": 0.25,
    "opt": "momentum",  # without Nesterov, which needs some
    "momentum": 0.0,
    "weight_decay": 0.0,
    "clip_grad": 0.0,
    "sched": "constant",
    "device": "cpu",
}


@pytest.fixture
def view(noise: Noise) -> Views:
    """Return twelve augmented images."""
    return Views(source=noise(12), size=8, policy=Policy.load("uniform-random"), seed=5)


def linear() -> nn.Module:
    """Return the simplest network: it has no batch norm, so its gradients are means over images."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    with torch.no_grad():
        model[1].weight.copy_(torch.linspace(-0.1, 0.1, 576).view(3, 192))
        model[1].bias.zero_()
    return model


@pytest.fixture
def trained(view: Views, expected: ModelInput, accelerator: Accelerator) -> Fit:
    """Return a function that does an epoch and returns the linear weights and the figures."""

    def fit(**settings: Any) -> tuple[Tensor, dict[str, float | None]]:
        config = TrainConfig(**PLAIN | settings)
        plan = make_plan(config, 12, Rank())
        network = Network(linear(), expected, config, accelerator)
        trainer = Trainer(network, config, accelerator, plan=plan, classes=3)
        order = TrainingBatches(plan, view.source.labels, sampling=config.sampling, epochs=range(1), seed=0)
        tally = EpochTally(network.device, EpochPart())
        with load(replace(view, copies=plan.copies), order, workers=0) as batches:
            row = trainer.fit_epoch(batches, 0, tally, lambda: None)
        return network.model.state_dict()["1.weight"], row

    return fit


def moved(view: Views, expected: ModelInput, draws: list[int], **loss: Any) -> Tensor:
    """Return the weights after a step of gradient descent on all images in the given draws, by hand."""
    model = linear()
    for draw in draws:
        images, labels = view.__getitems__([(draw, 0, index) for index in range(12)])
        (cross_entropy(model(Normalise(expected)(images)), labels, **loss) / len(draws)).backward()  # type: ignore[no-untyped-call]
    weight = model[1].weight  # type: ignore[index]
    assert isinstance(weight, Tensor) and weight.grad is not None  # noqa: PT018
    return (weight - PLAIN["lr"] * weight.grad).detach()


def test_passes_of_an_update_add_up(trained: Fit, view: Views, expected: ModelInput) -> None:
    """Three passes over four images are one over twelve."""
    by_hand = moved(view, expected, [0])
    whole, row = trained()
    assert torch.allclose(by_hand, whole, atol=1e-6)
    for passes in (2, 3):
        parts, other = trained(batch_size=12 // passes, grad_accum_steps=passes)
        assert torch.allclose(whole, parts, atol=1e-6)
        assert row["train_loss"] == pytest.approx(other["train_loss"], rel=1e-6)
        assert row["train_top1"] == other["train_top1"]
    assert not torch.allclose(whole, trained(batch_size=4)[0], atol=1e-4)


def test_copies_of_an_update_are_averaged(trained: Fit, view: Views, expected: ModelInput) -> None:
    """Every image in each of its draws, with the same weight."""
    assert torch.allclose(moved(view, expected, [0, 1, 2]), trained(batch_aug=3)[0], atol=1e-6)
    assert not torch.allclose(moved(view, expected, [0]), trained(batch_aug=3)[0], atol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [{}, {"smoothing": 0.3}, {"mixup": 1.0}, {"cutmix": 1.0, "mixup": 0.5}, {"batch_size": 6, "grad_accum_steps": 2}],
)
def test_copies_shown_at_once(trained: Fit, settings: dict[str, Any]) -> None:
    """Without batch norm, the step and the figures are those of copies one after another, mixed by the same draws."""
    alone, row = trained(batch_aug=6, **settings)
    start = linear().state_dict()["1.weight"]
    assert float((alone - start).norm()) > 1e-3
    for at_once in (2, 3, 6):
        together, other = trained(batch_aug=6, copies_per_pass=at_once, **settings)
        assert torch.allclose(alone, together, atol=1e-6)
        assert row["train_loss"] == pytest.approx(other["train_loss"], rel=1e-6)
        assert row["train_top1"] == other["train_top1"]


def test_batch_norm_sees_the_copies_shown_at_once(noise: Noise, expected: ModelInput, accelerator: Accelerator) -> None:
    """Its running mean is that of all copies together, and so is another one than of copies one after another."""
    view, means = Views(source=noise(12), size=8, policy=INVERT_HALF, copies=2, seed=5), []
    for at_once in (1, 2):
        config = TrainConfig(**PLAIN | {"batch_aug": 2, "copies_per_pass": at_once})
        model = nn.Sequential(nn.BatchNorm2d(3, momentum=1.0), nn.Flatten(), nn.Linear(192, 3))
        network, plan = Network(model, expected, config, accelerator), make_plan(config, 12, Rank())
        trainer = Trainer(network, config, accelerator, plan=plan, classes=3)
        order = TrainingBatches(plan, view.source.labels, sampling="shuffle", epochs=range(1), seed=0)
        with load(view, order, workers=0) as batches:
            trainer.fit_epoch(batches, 0, EpochTally(network.device, EpochPart()), lambda: None)
        means.append(model[0].running_mean)
    copies = [Normalise(expected)(view.__getitems__([(0, copy, n) for n in range(12)])[0]) for copy in range(2)]
    of_copy = [copy.mean(dim=(0, 2, 3)) for copy in copies]
    assert torch.allclose(means[0], of_copy[1], atol=1e-5)  # the last pass
    assert torch.allclose(means[1], (of_copy[0] + of_copy[1]) / 2, atol=1e-5)
    assert not torch.allclose(means[0], means[1], atol=1e-3)


def test_each_copy_shown_at_once_has_its_own_loss(view: Views, expected: ModelInput, accelerator: Accelerator) -> None:
    """The tally has the summed loss of each copy, in its place, however many a pass shows."""
    found = {}
    for at_once in (1, 2, 4):
        config = TrainConfig(**PLAIN | {"batch_aug": 4, "copies_per_pass": at_once, "batch_size": 6})
        network, plan = Network(linear(), expected, config, accelerator), make_plan(config, 12, Rank())
        trainer = Trainer(network, config, accelerator, plan=plan, classes=3)
        order = TrainingBatches(plan, view.source.labels, sampling="shuffle", epochs=range(1), seed=0)
        tally = EpochTally(network.device, EpochPart(), copies=4)
        with load(replace(view, copies=4), order, workers=0) as batches:
            trainer.fit_epoch(batches, 0, tally, lambda: None)
        found[at_once] = tally.part().sums
    assert 48 == found[1][2]
    assert len(set(found[1][3:])) == 4
    assert sum(found[1][3:]) == pytest.approx(found[1][0])
    for at_once in (2, 4):
        assert found[at_once] == pytest.approx(found[1], rel=1e-5)


def test_copies_at_once_must_divide_the_copies() -> None:
    """The message has what is allowed."""
    with pytest.raises(ValueError, match="--copies-per-pass 4 does not divide --batch-aug 6; allowed: 1, 2, 3, 6;"):
        TrainConfig(batch_aug=6, copies_per_pass=4)


def test_smoothing_reaches_the_loss(trained: Fit, view: Views, expected: ModelInput) -> None:
    """The step is that of torch's smoothed loss."""
    smoothed = moved(view, expected, [0], label_smoothing=0.3)
    assert torch.allclose(smoothed, trained(smoothing=0.3)[0], atol=1e-6)


def test_mixing_reaches_the_loss(trained: Fit, view: Views, expected: ModelInput) -> None:
    """The step is that of the mixed images and targets, keyed by seed, epoch, update, process and pass."""
    order = TrainingBatches(make_plan(TrainConfig(**PLAIN), 12, Rank()), view.source.labels, sampling="shuffle",
                            epochs=range(1), seed=0)  # fmt: skip
    with load(view, order, workers=0) as batches:
        images, labels = next(batches)
    mixing = make_mixing(TrainConfig(mixup=1.0), classes=3)
    assert mixing is not None
    key = key_of("mixing", 0, 0, 0, 0, 0)
    mixed, targets = mixing(Normalise(expected)(images), labels, key=key, epoch=0)
    model = linear()
    cross_entropy(model(mixed), targets).backward()  # type: ignore[no-untyped-call]
    weight = model.get_parameter("1.weight")
    assert weight.grad is not None
    assert torch.allclose(weight - PLAIN["lr"] * weight.grad, trained(mixup=1.0)[0], atol=1e-6)


@pytest.mark.parametrize("at_once", [1, 3])
def test_gates_cost_what_they_run(noise: Noise, expected: ModelInput, accelerator: Accelerator, at_once: int) -> None:
    """The price of a block, times the mean count of blocks that ran, is in the loss, and moves the gates."""
    arguments = {"backbone": "wrn16_1", "gate_bias": 3.0}  # so that blocks run at first
    settings = {"model": "skipnet", "model_kwargs": arguments}
    view, losses, gates = Views(source=noise(12), size=8), [], []
    for price in (0.0, 0.25):
        copies = {"batch_aug": at_once, "copies_per_pass": at_once}  # nothing is random, so all copies are the same
        config = TrainConfig(**PLAIN | settings | copies | {"gate_price": price})
        network = make_network(config, expected, accelerator, classes=3, size=8, seed=0)
        network.model.train()
        with torch.no_grad():
            images = network.prepared(view.__getitems__([(0, 0, index) for index in range(12)])[0])
            decisions = network.outputs(images, network.model, return_gates=True).gates.decisions
            assert decisions.shape[1] > 2  # a sum over gates is not their mean
            ran = float(decisions.sum() / 12)
        network = make_network(config, expected, accelerator, classes=3, size=8, seed=0)
        plan = make_plan(config, 12, Rank())
        trainer = Trainer(network, config, accelerator, plan=plan, classes=3)
        order = TrainingBatches(plan, view.source.labels, sampling="shuffle", epochs=range(1), seed=0)
        tally = EpochTally(network.device, EpochPart())
        with load(replace(view, copies=at_once), order, workers=0) as batches:
            row = trainer.fit_epoch(batches, 0, tally, lambda: None)
        losses.append(row["train_loss"])
        gates.append(torch.cat([p.flatten() for name, p in network.model.named_parameters() if "gate" in name]))
    assert ran > 0
    assert losses[0] is not None
    assert losses[0] + 0.25 * ran == pytest.approx(losses[1], rel=1e-5)
    assert not torch.equal(gates[0], gates[1])


def test_what_a_network_lacks(expected: ModelInput, accelerator: Accelerator) -> None:
    """Gates to price, or a device for batch norm over processes: an error that says so."""
    for settings, message in (
        ({"gate_price": 0.1}, "--gate-price is for networks with gates, such as skipnet; 'wrn16_1' has none"),
        ({"sync_bn": True}, "--sync-bn: torch has it for CUDA devices only"),
    ):
        with pytest.raises(FaaError, match=message):
            make_network(TrainConfig(**settings), expected, accelerator, classes=3, size=8, seed=0)


def test_decay_before_the_clip(trained: Fit, view: Views, expected: ModelInput) -> None:
    """It is part of the gradient that is clipped; after the clip it comes on top."""
    start = linear().state_dict()["1.weight"]
    free = trained(weight_decay=0.1)[0]
    assert torch.allclose(moved(view, expected, [0]) - PLAIN["lr"] * 0.1 * start, free, atol=1e-6)
    assert torch.allclose(free, trained(weight_decay=0.1, decay_before_clip=True)[0], atol=1e-6)
    after, before = (
        trained(weight_decay=50.0, clip_grad=0.01, decay_before_clip=inside)[0] - start for inside in (False, True)
    )
    assert float(before.norm()) == pytest.approx(PLAIN["lr"] * 0.01, rel=0.05)  # the bias has the rest of the norm
    assert float(after.norm()) > 10 * float(before.norm())


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision(trained: Fit, precision: str) -> None:
    """Close to single precision, and not the same; a loss scaled for float16 is unscaled before the clip."""
    whole, row = trained(clip_grad=0.05)
    half, other = trained(clip_grad=0.05, amp=True, amp_dtype=precision)
    start = linear().state_dict()["1.weight"]
    assert float((half - start).norm()) == pytest.approx(float((whole - start).norm()), rel=0.02)
    assert row["train_loss"] == pytest.approx(other["train_loss"], rel=0.02)
    assert row["train_loss"] != other["train_loss"]


def test_updates_that_overflow_are_skipped(view: Views, expected: ModelInput, accelerator: Accelerator) -> None:
    """float16 gradients beyond its range change no weight and lower the scale, and the state keeps the scale."""
    config = TrainConfig(**PLAIN | {"amp": True, "amp_dtype": "float16"})
    plan = make_plan(config, 12, Rank())
    network = Network(linear(), expected, config, accelerator)
    trainer = Trainer(network, config, accelerator, plan=plan, classes=3)
    trainer.scaler.load_state_dict(trainer.scaler.state_dict() | {"scale": 2.0**40})
    order = TrainingBatches(plan, view.source.labels, sampling="shuffle", epochs=range(1), seed=0)
    with load(view, order, workers=0) as batches:
        trainer.fit_epoch(batches, 0, EpochTally(network.device, EpochPart()), lambda: None)
    assert torch.equal(linear().state_dict()["1.weight"], network.model.state_dict()["1.weight"])
    assert 2.0**39 == trainer.scaler.state_dict()["scale"]


def test_the_rate_grows_with_the_batch(trained: Fit, view: Views, expected: ModelInput) -> None:
    """--lr is for --lr-base-size images: here for half of what an update has."""
    start = linear().state_dict()["1.weight"]
    step = moved(view, expected, [0]) - start
    weight, row = trained(lr_base_size=6)
    assert torch.allclose(start + 2 * step, weight, atol=1e-6)
    assert 0.5 == row["lr"]


def test_waiting_for_images_is_counted(
    trained: Fit, view: Views, expected: ModelInput, accelerator: Accelerator
) -> None:
    """The seconds spent in the loader, and no others."""

    def slow() -> Any:
        import time  # noqa: PLC0415

        for _batch in range(3):
            time.sleep(0.05)
            yield view.__getitems__([(0, 0, index) for index in range(4)])

    config = TrainConfig(**PLAIN | {"batch_size": 4})
    network = Network(linear(), expected, config, accelerator)
    trainer = Trainer(network, config, accelerator, plan=make_plan(config, 12, Rank()), classes=3)
    tally = EpochTally(network.device, EpochPart())
    trainer.fit_epoch(slow(), 0, tally, lambda: None)
    part = tally.part()
    assert 0.15 < part.waited < part.seconds < 0.15 + 1
    assert np.isclose(12, part.sums[2])
