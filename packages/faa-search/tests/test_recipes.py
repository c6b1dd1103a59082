"""Recipes: what their files must say, the original's learning rates, and two updates with every one of them."""

import re
from typing import Any

import pytest
import torch
import yaml
from accelerate import Accelerator

from faa_core import FaaError, Policy
from faa_search.adversarial.adversary import Adversary
from faa_search.data import ArraySource
from faa_search.settings import DeepSearchConfig, SearchConfig, TrainConfig
from faa_search.settings.recipes import load_recipe, parse_recipe, recipe_names, recipe_schema
from faa_search.settings.resolving import Layer, resolve
from faa_search.training import Views
from faa_search.training.adversarial import check_steps
from faa_search.training.baseline import baseline_of, resized_crop_of
from faa_search.training.checkpoint import EpochPart
from faa_search.training.loading import TrainingBatches, load
from faa_search.training.models import model_input
from faa_search.training.network import make_network
from faa_search.training.optimisation import make_optimizer, make_scheduler, peak_rate
from faa_search.training.plan import make_plan
from faa_search.training.policies import Drawn
from faa_search.training.trainer import EpochTally, Trainer
from faa_search.workers.processes import rank_of
from faa_search.workers.ranks import ALONE, Rank

NAMES = recipe_names()
CIFAR_NETS = ["wrn40_2", "wrn28_10", *(f"shakeshake26_2x{width}d" for width in (32, 96, 112))]
CIFAR_NETS += ["pyramidnet272_a200_shakedrop", "wrn28_10_deepaa", "wrn28_10_deepaa_wd1e-3", "wrn28_10_deepaa_batchaug8"]
CIFAR_NETS += ["wrn40_2_fast"]
IMAGENET_NETS = ["resnet50", "resnet50_mixup", "resnet200", "resnet50_deepaa", "efficientnet_b0_condconv"]
IMAGENET_NETS += [f"efficientnet_b{number}" for number in range(5)]
ADVERSARIAL = [  # and its processes, epochs, samples per update over all of them, rate, decay and schedule
    ("cifar10/wrn28_10_adversarial", 1, 200, 128, 0.1, 5e-4, "multistep"),
    ("cifar10/shakeshake26_2x32d_adversarial", 1, 600, 128, 0.2, 1e-4, "cosine"),
    ("cifar10/shakeshake26_2x96d_adversarial", 1, 600, 128, 0.2, 1e-4, "cosine"),
    ("cifar10/shakeshake26_2x112d_adversarial", 1, 600, 128, 0.2, 1e-4, "cosine"),
    ("cifar10/pyramidnet272_a200_shakedrop_adversarial", 1, 600, 128, 0.1, 1e-4, "cosine"),
    ("cifar100/wrn28_10_adversarial", 1, 200, 128, 0.1, 5e-4, "multistep"),
    ("cifar100/shakeshake26_2x96d_adversarial", 1, 1200, 128, 0.1, 5e-4, "cosine"),
    ("cifar100/pyramidnet272_a200_shakedrop_adversarial", 1, 1200, 128, 0.5, 1e-4, "cosine"),
    ("imagenet/resnet50_adversarial", 8, 120, 2048, 0.8, 1e-4, "cosine"),
    ("imagenet/resnet50d_adversarial", 8, 120, 2048, 0.8, 1e-4, "cosine"),
    ("imagenet/resnet200_adversarial", 8, 120, 2048, 0.8, 1e-4, "cosine"),
]
VALID: dict[str, Any] = {
    "about": "A test.",
    "source": "Our own.",
    "command": ["faa train --recipe a/b"],
    "hardware": "Any.",
    "expected_error": ["None published."],
    "deviations": ["None."],
    "train": {"lr": 0.1},
}


def config_of(name: str, **overrides: Any) -> TrainConfig:
    """Return the settings of a recipe's training."""
    return resolve(TrainConfig, [load_recipe(name).layer("train"), Layer("test", overrides)])


def rate(name: str, time: float, *, images: int | None = None, steps: int = 10) -> float:
    """Return a recipe's learning rate after `time` epochs."""
    config = config_of(name)
    optimizer = make_optimizer(torch.nn.Linear(2, 2), config, images=images)
    make_scheduler(optimizer, config, steps_per_epoch=steps).step_update(num_updates=round(time * steps))
    return float(optimizer.param_groups[0]["lr"])


def test_there_is_one_for_every_row() -> None:
    """Of the published tables; beside them ours."""
    rows = {f"{data}/{net}" for data in ("cifar10", "cifar100") for net in CIFAR_NETS}
    rows |= {f"imagenet/{net}" for net in IMAGENET_NETS}
    rows |= {"svhn/wrn28_10", "cifar100/pyramidnet272_micronet", "cifar100/pyramidnet272_micronet_skip"}
    rows |= {f"cifar10/wrn40_2_deepaa{kind}" for kind in ("", "_paper", "_half")}
    rows |= {"cifar100/wrn40_2_deepaa", "imagenet/resnet18_deepaa"}
    rows |= {row[0] for row in ADVERSARIAL}
    ours = {"digits/wrn16_1", "digits/wrn16_1_deepaa", "digits/wrn16_1_adversarial", "cifar10/wrn16_1_small"}
    assert rows | ours == set(NAMES)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [  # pretrain_size, layers, updates, policy_lr, triples, val_images, gradient_draws, prefixes, penalty
        ("cifar10/wrn40_2_deepaa", (5000, 6, 1024, 0.025, 16, 64, 4, 16, 1)),
        ("cifar100/wrn40_2_deepaa", (5000, 6, 1024, 0.025, 16, 64, 4, 16, 1)),
        ("cifar10/wrn40_2_deepaa_paper", (4000, 6, 512, 0.025, 16, 64, 4, 16, 1)),
        ("cifar10/wrn40_2_deepaa_half", (5000, 6, 512, 0.025, 8, 64, 2, 8, 1)),
        ("imagenet/resnet18_deepaa", (None, 6, 512, 0.025, 16, 64, 4, 16, 1)),
    ],
)
def test_deep_autoaugments_numbers(name: str, numbers: tuple[float, ...]) -> None:
    """Of the released command, of the paper, and of the authors' advice; the network is fitted as released."""
    config = resolve(DeepSearchConfig, [load_recipe(name).layer("search")])
    found = (
        config.pretrain_size, config.layers, config.updates, config.policy_lr, config.triples, config.val_images,
        config.gradient_draws, config.prefixes, config.penalty,
    )  # fmt: skip
    assert found == numbers
    if name.startswith("cifar"):
        fitted = (config.epochs, config.batch_size, config.lr, config.min_lr, config.clip_grad, config.cutout)
        assert fitted == (45, 128, 0.1, 1e-7, 5, 16)
        assert (config.weight_decay, config.weight_decay_on, config.hflip, config.crop_pad) == (
            5e-4, "all-but-norms", 0.5, 4,
        )  # fmt: skip


def test_deep_autoaugments_defaults_are_those_of_the_released_command() -> None:
    """But for the images, which follow how many there are."""
    released = resolve(DeepSearchConfig, [load_recipe("cifar10/wrn40_2_deepaa").layer("search")])
    for name in ("layers", "updates", "policy_lr", "triples", "val_images", "gradient_draws", "prefixes", "epochs"):
        assert getattr(DeepSearchConfig(), name) == getattr(released, name)
    assert DeepSearchConfig().parts(50_000)[:2] == (1, 45_000)
    assert DeepSearchConfig().parts(1_000)[:2] == (1, 500)
    assert DeepSearchConfig(pretrain_size=700).parts(1_000)[:2] == (1, 300)


@pytest.mark.parametrize(("name", "processes", "epochs", "samples", "peak", "decay", "schedule"), ADVERSARIAL)
def test_adversarial_autoaugments_numbers(
    name: str, processes: int, epochs: int, samples: int, peak: float, decay: float, schedule: str
) -> None:
    """Of the source's files, and what its code has for all of them."""
    config = config_of(name)
    images = config.batch_size * config.grad_accum_steps * processes
    assert (epochs, samples) == (config.epochs, images)
    assert (peak, decay, schedule) == (pytest.approx(peak_rate(config, images)), config.weight_decay, config.sched)
    assert ("sgd", 0.9, "all", 0, 0, 0, 0) == (
        config.opt, config.momentum, config.weight_decay_on, config.clip_grad, config.smoothing, config.warmup_epochs,
        config.min_lr,
    )  # fmt: skip
    cutout = 0 if name.startswith("imagenet") else 16
    assert (0.5, cutout, 0) == (config.hflip, config.cutout, config.color_jitter)
    assert (True, "learned", 8, 8) == (
        config.adversarial, config.controller, config.batch_aug, config.copies_per_pass,
    )  # fmt: skip
    assert ("advaa", False, 1e-5, 3.5e-4, 1, False) == (
        config.controller_space, config.controller_sample_pairing, config.entropy_weight, config.controller_lr,
        config.controller_steps, config.controller_carry_state,
    )  # fmt: skip


@pytest.mark.parametrize("name", [row[0] for row in ADVERSARIAL])
def test_what_a_published_controller_comes_to_is_said(name: str) -> None:
    """It is random at first, and collapses later; with another preset it does not."""
    (told,) = (line for line in load_recipe(name).facts.deviations if "collapse" in line)
    assert "almost uniform for its first 150 to 200 steps" in told
    assert "--controller-preset stable prevents" in told


def test_on_fewer_or_more_gpus_the_updates_are_the_same() -> None:
    """With the numbers that the recipes say."""
    for processes, given in ((1, 64), (8, 8), (64, 1)):
        config = config_of("imagenet/resnet50_adversarial", grad_accum_steps=given)
        plan = make_plan(config, 10**6, Rank(index=0, count=processes))
        assert (2048, 0.8) == (plan.images_per_update, pytest.approx(peak_rate(config, plan.images_per_update)))
    for processes in (1, 2, 4):
        config = config_of("cifar10/wrn28_10_adversarial", batch_size=128 // processes)
        plan = make_plan(config, 50_000, Rank(index=0, count=processes))
        assert (128, 0.1) == (plan.images_per_update, pytest.approx(peak_rate(config, plan.images_per_update)))


def test_the_small_controller_takes_hundreds_of_steps() -> None:
    """As many as its epochs have updates."""
    config = config_of("digits/wrn16_1_adversarial")
    assert config.train_subset is not None
    check_steps(config, updates=make_plan(config, config.train_subset, ALONE).updates)
    assert 400 == config.epochs * config.controller_steps
    assert ("stable", 0) == (config.controller_preset, config.hflip)


WRN = [(0, 0), (2.5, 0.05), (5, 0.1), (50, 0.0880203), (100, 0.053923), (150, 0.0175276), (200, 0.000154133)]
RATES = [("cifar10/wrn40_2", *value) for value in WRN] + [("cifar10/wrn28_10", *value) for value in WRN]
RATES += [("svhn/wrn28_10", time, value / 10) for time, value in WRN]
RATES += [("imagenet/resnet50", *value) for value in [(94, 0.05), (96, 0.005), (186, 5e-4), (246, 5e-5)]]
RATES += [("imagenet/resnet50", *value) for value in [(94.9, 0.05), (95, 0.005), (185, 5e-4), (245, 5e-5)]]
RATES += [("imagenet/efficientnet_b0", *value) for value in [(5, 0.008), (10, 0.00708234), (100, 0.00229473)]]
RATES += [("imagenet/efficientnet_b0", 350, 9.66032e-5), ("imagenet/efficientnet_b0", 4, 0.0064)]
RATES += [("cifar10/wrn28_10_deepaa", *value) for value in [(2.5, 0.05), (5, 0.1), (102.5, 0.05), (200, 0)]]
RATES += [("cifar100/wrn28_10_deepaa_batchaug8", *value) for value in [(5, 0.4), (20, 0.2), (35, 0)]]
RATES += [("imagenet/resnet50_deepaa", *value) for value in [(0, 0.1), (2.5, 0.45), (5, 0.8), (95, 0.08), (245, 8e-4)]]
RATES += [("cifar100/pyramidnet272_micronet", *value) for value in [(0, 0.5), (449, 0.05), (1349, 4e-6), (1799, 8e-8)]]
RATES += [("cifar10/wrn28_10_adversarial", *value) for value in [(0, 0.1), (59.9, 0.1), (60, 0.02), (120, 0.004)]]
RATES += [("cifar100/wrn28_10_adversarial", *value) for value in [(119.9, 0.02), (159.9, 0.004), (160, 8e-4)]]
RATES += [("cifar10/shakeshake26_2x32d_adversarial", *value) for value in [(0, 0.2), (300, 0.1), (600, 0)]]
RATES += [("cifar100/pyramidnet272_a200_shakedrop_adversarial", *value) for value in [(0, 0.5), (600, 0.25), (1200, 0)]]
RATES += [("imagenet/resnet50_adversarial", *value) for value in [(0, 0.8), (60, 0.4), (120, 0)]]
PER_UPDATE = {
    "cifar100/pyramidnet272_micronet": 256,
    "imagenet/resnet50_deepaa": 2048,
    "imagenet/resnet50_adversarial": 2048,
}


@pytest.mark.parametrize(("name", "time", "value"), RATES)
def test_rates_of_the_originals(name: str, time: float, value: float) -> None:
    """At the original's batch on one process, or on as many as it had."""
    assert value == pytest.approx(rate(name, time, images=PER_UPDATE.get(name, 128)), rel=1e-5, abs=1e-12)


def test_rates_grow_with_processes() -> None:
    """As the original's, which multiplies by their number; and its older settings are within reach."""
    assert 0.4 == pytest.approx(rate("cifar10/wrn40_2", 5, images=512))
    assert 0.4 == pytest.approx(rate("imagenet/resnet50", 5, images=1024))
    assert 0.5 == pytest.approx(rate("cifar100/pyramidnet272_micronet", 0, images=512))


def test_imagenets_search_fits_for_90_epochs() -> None:
    """With the steps at 30, 60 and 80 after the warm-up; the other searches fit as long as they train."""
    search = resolve(SearchConfig, [load_recipe("imagenet/resnet50").layer("search")])
    assert (90, (30, 60, 80), "multistep") == (search.epochs, search.decay_milestones, search.sched)
    for name in ("cifar10/wrn40_2", "cifar100/wrn40_2", "svhn/wrn28_10"):
        assert 200 == resolve(SearchConfig, [load_recipe(name).layer("search")]).epochs


@pytest.mark.parametrize("name", ["cifar10/wrn40_2", "cifar100/wrn40_2", "svhn/wrn28_10", "imagenet/resnet50"])
def test_every_papers_search_says_where_it_leaves_the_code(name: str) -> None:
    told = " ".join(load_recipe(name).facts.deviations)
    assert "fits its folds without a policy" in told
    assert "--reward best-accuracy" in told


def options(name: str, about: str) -> dict[str, Any]:
    """Return the settings that a recipe's only deviation with these words gives options for."""
    (text,) = (line for line in load_recipe(name).facts.deviations if about in line)
    found = re.findall(r"--(no-)?([a-z][a-z-]+)(?: (?!--)([\w.,-]*[\w]))?", text)
    return {key.replace("-", "_"): not no if no or not value else yaml.safe_load(value) for no, key, value in found}


@pytest.mark.parametrize("data", ["cifar10", "cifar100"])
def test_older_settings_of_the_pyramid(data: str) -> None:
    """A tenth at 900 and 1,350 epochs, decayed by the optimizer."""
    older = options(f"{data}/pyramidnet272_a200_shakedrop", "published before these settings were")
    config = config_of(f"{data}/pyramidnet272_a200_shakedrop", **older)
    assert ("multistep", (900, 1350), False) == (config.sched, config.decay_milestones, config.warmup_prefix)
    assert ("all", False) == (config.weight_decay_on, config.decay_before_clip)


@pytest.mark.parametrize(
    ("name", "images", "peak", "start", "decay", "clip"),
    [
        ("cifar10/wrn40_2", 512, 0.4, 0.1, 2e-4, 5),
        ("cifar10/wrn28_10", 512, 0.4, 0.1, 5e-4, 5),
        ("cifar10/shakeshake26_2x32d", 512, 0.04, 0.01, 1e-3, 5),
        ("cifar10/shakeshake26_2x96d", 512, 0.04, 0.01, 2e-3, 5),  # the one called d2
        ("cifar10/shakeshake26_2x112d", 512, 0.04, 0.01, 2e-3, 5),
        ("imagenet/resnet50", 4096, 1.6, 0.05, 1e-4, 0),
        ("imagenet/resnet200", 4096, 1.6, 0.1, 1e-4, 5),
        ("cifar100/pyramidnet272_micronet", 256, 0.05, 0, 5e-5, 5),
        ("cifar100/pyramidnet272_micronet_skip", 256, 0.05, 0, 5e-5, 5),
    ],
)
def test_micronets_other_rows(name: str, images: int, peak: float, start: float, decay: float, clip: float) -> None:
    """What the recipes give options for comes to the rates, the decay and the clip of its files."""
    config = config_of(name, **options(name, "MicroNet's other" if "micronet" in name else "MicroNet's file"))
    assert images == config.batch_size * config.grad_accum_steps
    assert (peak, start) == (pytest.approx(peak_rate(config)), config.warmup_lr)
    assert (decay, clip) == (config.weight_decay, config.clip_grad)
    assert ("momentum" if "imagenet" in name else "sgd") == config.opt


@pytest.mark.parametrize("name", [name for name in NAMES if "deepaa" in name and "cifar" in name])
def test_deep_autoaugments_decay_is_said(name: str) -> None:
    """Where it stands relative to the clip."""
    assert not config_of(name).decay_before_clip
    assert {"decay_before_clip": True} == options(name, "Decayed are")


def test_the_originals_decay() -> None:
    """What Fast AutoAugment's code decays and clips is the default of its rows."""
    config = config_of("cifar100/shakeshake26_2x96d")
    assert (1e-3, "all-but-norms", True, 5.0) == (
        config.weight_decay,
        config.weight_decay_on,
        config.decay_before_clip,
        config.clip_grad,
    )
    assert 0 == config_of("imagenet/resnet50").clip_grad


@pytest.mark.parametrize("name", NAMES)
def test_what_a_reader_is_told(name: str) -> None:
    """Whether we measured the error; commands for this very recipe; only options that there are.

    What a controller has found may be given to a training of its own, which is the recipe without a controller.
    """
    recipe = load_recipe(name)
    facts = recipe.facts
    assert re.search(r"([Nn]ot |, )measured by us|None to reproduce", facts.expected_error[-1])
    told = re.findall(r"faa (\w+) --recipe (\S+) ", " ".join(facts.command))
    assert name == told[0][1]
    assert {named for _command, named in told} <= {name, name.removesuffix("_adversarial")}
    for command, named in told:
        assert command in load_recipe(named).sections
    known = {
        *TrainConfig.model_fields,
        *SearchConfig.model_fields,
        *DeepSearchConfig.model_fields,
        "recipe",
        "output",
        "table",
        "epoch",
    }
    text = " ".join((*facts.command, *facts.deviations, facts.hardware))
    assert {option.replace("-", "_") for option in re.findall(r"--(?:no-)?([a-z][a-z-]+)", text)} <= known


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"command": None},
            "recipe a/b: command: it must be a list; give a value, or leave the setting out (given None)",
        ),
        ({"sauce": "x"}, "recipe a/b: unknown setting 'sauce'; did you mean source"),
        ({"about": ""}, "recipe a/b: about: string should have at least 1 character"),
        ({"about": 3}, "recipe a/b: about: it must be a text; put quotes around it (given 3)"),
        ({"deviations": []}, "recipe a/b: deviations: tuple should have at least 1 item"),
        ({"train": {"lrr": 1}}, "recipe a/b, train: unknown setting 'lrr'; did you mean lr"),
        ({"train": {"lr": -1}}, "recipe a/b, train: lr: it must be more than 0"),
        ({"train": [1]}, "must hold 'key: value' lines under train"),
        ({"search": {"folds": 0}}, "recipe a/b, search: folds"),
    ],
)
def test_a_file_that_is_wrong(change: dict[str, Any], message: str) -> None:
    """The message names the recipe and the key."""
    with pytest.raises(FaaError) as raised:
        parse_recipe("a/b", yaml.safe_dump(VALID | change))
    assert message in str(raised.value)


@pytest.mark.parametrize(("text", "message"), [("a: [", "is not YAML"), ("- a", "must hold 'key: value' lines")])
def test_a_file_that_is_no_recipe(text: str, message: str) -> None:
    """Neither is one that lacks a fact, or is for no command."""
    with pytest.raises(FaaError, match=message):
        parse_recipe("a/b", text)
    for key in VALID:
        with pytest.raises(FaaError, match="it needs settings under train" if key == "train" else f"{key}.* required"):
            parse_recipe("a/b", yaml.safe_dump({k: value for k, value in VALID.items() if k != key}))


def test_the_schema() -> None:
    """Six facts are required, nothing unknown is allowed, and the settings are described."""
    schema = recipe_schema()
    assert sorted(set(VALID) - {"train"}) == sorted(schema["required"])
    assert schema["additionalProperties"] is False
    assert "Peak learning rate." == schema["$defs"]["TrainConfig"]["properties"]["lr"]["description"]


def stand_in(name: str, count: int, noise: Any) -> tuple[ArraySource, int]:
    """Return images for a recipe and the side its network sees; so small that the largest networks are quick."""
    if name.startswith("imagenet/"):
        return noise(count, size=72, classes=5), 64
    size = 8 if config_of(name).model not in ("wrn40_2", "wrn16_1") else 32
    return noise(count, size=size, classes=5), size


# Recipes whose updates take seconds, with what the others have too: many copies of an image, deep and wide networks.
LARGE = re.compile(r"wrn28_10|pyramidnet272|resnet200|deepaa_batchaug8|2x96d|2x112d|imagenet/.*_adversarial")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if LARGE.search(name) else name for name in NAMES]
)
def test_two_updates(name: str, noise: Any, accelerator: Accelerator) -> None:
    """Every recipe makes its network, optimizer, schedule and images, and learns something finite from two updates."""
    config = config_of(name, batch_size=2, amp=False, torchcompile=False, workers=0, device="cpu")
    source, size = stand_in(name, 2 * 2 * config.grad_accum_steps, noise)
    expected = model_input(config.model)
    fixed = Policy.load("fa-reduced-cifar10")
    view = Views(
        source=source,
        size=size,
        resized_crop=resized_crop_of(config, source),
        color_jitter=config.color_jitter,
        policy=Drawn(Adversary(config, copies=config.batch_aug).policies) if config.adversarial else fixed,
        baseline=baseline_of(config, source, expected.mean),
        copies=config.batch_aug,
    )
    network = make_network(config, expected, accelerator, classes=5, size=size, seed=0)
    plan = make_plan(config, len(view), rank_of(accelerator))
    trainer = Trainer(network, config, accelerator, plan=plan, classes=5)
    before = [parameter.detach().clone() for parameter in network.model.parameters()]
    order = TrainingBatches(plan, source.labels, sampling=config.sampling, epochs=range(1), seed=0)
    tally = EpochTally(network.device, EpochPart())
    with load(view, order, workers=0) as batches:
        row = trainer.fit_epoch(batches, 0, tally, lambda: None)  # raises where the loss is not finite
    assert (2, 2 * plan.images_per_update * config.batch_aug) == (tally.updates, int(tally.sums[2]))
    assert row["lr"] is not None
    assert row["lr"] > 0
    after = list(network.model.parameters())
    assert all(bool(torch.isfinite(parameter).all()) for parameter in after)
    assert any(not torch.equal(*pair) for pair in zip(before, after, strict=True))
