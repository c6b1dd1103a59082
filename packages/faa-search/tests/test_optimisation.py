"""Optimizers, what they decay, and weight averages; `test_schedules` has the learning rates."""

import json
from typing import Any

import pytest
import timm
import torch
from timm.layers import FilterResponseNormTlu2d, RmsNorm
from torch import Tensor, nn

from faa_core import FaaError
from faa_search.settings import TrainConfig
from faa_search.training.models import make_model
from faa_search.training.optimisation import add_decay, make_average, make_optimizer, peak_rate, ways_to_converge


class Mixed(nn.Module):
    """A parameter of every kind; the names mislead on purpose."""

    def __init__(self) -> None:
        super().__init__()
        self.bn = nn.Conv2d(3, 4, 1)
        self.conv = nn.BatchNorm2d(4)
        self.groups = nn.GroupNorm(2, 4)
        self.layer = nn.LayerNorm(4)
        self.planes = nn.LayerNorm([4, 4])
        self.rms = RmsNorm(4)
        self.response = FilterResponseNormTlu2d(4)
        self.recurrent = nn.LSTM(4, 4)
        self.attention = nn.MultiheadAttention(4, 2)
        self.scale = nn.Parameter(torch.ones(4))
        self.token = nn.Parameter(torch.ones(1, 1, 4))
        self.frozen = nn.Linear(4, 4).requires_grad_(False)

    def no_weight_decay(self) -> set[str]:
        """Return what timm's transformers would name here."""
        return {"tok*"}


def decays(model: nn.Module, **settings: Any) -> dict[str, float]:
    """Return the weight decay of every parameter by name; each must lie in exactly one group."""
    optimizer = make_optimizer(model, TrainConfig(**settings))
    owned = [(p, group["weight_decay"]) for group in optimizer.param_groups for p in group["params"]]
    of = {id(parameter): decay for parameter, decay in owned}
    assert len(of) == len(owned)
    found = {name: of.pop(id(p)) for name, p in model.named_parameters() if p.requires_grad}
    assert {} == of
    return found


def decayed(kind: str) -> set[str]:
    """Return what is decayed of `Mixed`."""
    return {name for name, decay in decays(Mixed(), weight_decay=3e-4, weight_decay_on=kind).items() if decay == 3e-4}


def test_what_is_decayed() -> None:
    """The modules' types decide, not their names; a scale that nobody knows is a norm's."""
    weights = {"bn.weight", "recurrent.weight_ih_l0", "recurrent.weight_hh_l0"}
    weights |= {"attention.in_proj_weight", "attention.out_proj.weight"}
    biases = {"bn.bias", "recurrent.bias_ih_l0", "recurrent.bias_hh_l0"}
    biases |= {"attention.in_proj_bias", "attention.out_proj.bias"}
    every = {name for name, parameter in Mixed().named_parameters() if parameter.requires_grad}
    assert weights == decayed("weights")
    assert weights | biases == decayed("all-but-norms")
    assert every == decayed("all")
    assert {
        "planes.weight",
        "response.tau",
        "response.bias",
        "rms.weight",
        "token",
        "scale",
    } <= (every - weights - biases)


def test_nothing_to_optimise() -> None:
    """A network that is all frozen is said to be."""
    with pytest.raises(FaaError, match=r"cannot be made: .*empty"):
        make_optimizer(nn.Linear(2, 2).requires_grad_(False), TrainConfig())


@pytest.mark.parametrize("name", ["efficientnet_b0", "efficientnet_cc_b0_8e", "resnet50", "vit_tiny_patch16_224"])
def test_what_is_decayed_of_timms_networks(name: str) -> None:
    """Convolutions and linear layers, those of experts too."""
    with torch.device("meta"):
        model = timm.create_model(name, num_classes=10)
    found = {name for name, decay in decays(model, weight_decay_on="weights", weight_decay=1e-5).items() if decay}
    spared = {"pos_embed", "cls_token"}
    assert {n for n, p in model.named_parameters() if p.ndim > 1 and n not in spared} == found


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


def stepped(gradient: list[float], *, updates: int = 3, **settings: Any) -> Tensor:
    """Return a decayed weight (3, 4), with a bias, after some updates with a gradient that is the same each time."""
    model = nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3.0, 4.0]]))
    config = TrainConfig(**{"lr": 0.1, "weight_decay": 0.5, "momentum": 0.9, **settings})
    optimizer = make_optimizer(model, config)
    for _ in range(updates):
        model.weight.grad = torch.tensor([gradient])
        add_decay(optimizer)
        if config.clip_grad:
            nn.utils.clip_grad_norm_([model.weight], config.clip_grad)
        optimizer.step()
    return model.weight.detach()[0]


def test_decay_before_the_clip_is_plain_decay_where_nothing_is_clipped() -> None:
    """The gradient of half the decay times the squares of the weights, momentum and all."""
    plain = stepped([1.0, -2.0], clip_grad=0.0)
    assert torch.allclose(plain, stepped([1.0, -2.0], clip_grad=0.0, decay_before_clip=True))
    assert not torch.allclose(plain, stepped([1.0, -2.0], clip_grad=0.0, weight_decay=0.0))


def test_decay_before_the_clip_is_clipped() -> None:
    """Gradient (1, 2) and decay ½·(3, 4) are (2.5, 4), clipped to length 1; plain decay comes whole after the clip."""
    once: dict[str, Any] = {"opt": "momentum", "updates": 1, "momentum": 0.0, "clip_grad": 1.0}
    sum_ = torch.tensor([2.5, 4.0])
    before = stepped([1.0, 2.0], decay_before_clip=True, **once)
    assert torch.allclose(torch.tensor([3.0, 4.0]) - 0.1 * sum_ / sum_.norm(), before)
    alone = torch.tensor([1.0, 2.0])
    after = stepped([1.0, 2.0], **once)
    assert torch.allclose(torch.tensor([3.0, 4.0]) - 0.1 * (alone / alone.norm() + torch.tensor([1.5, 2.0])), after)


def test_added_decay_is_that_of_the_loss() -> None:
    """The original adds ½ · decay · Σθ² to the loss; what has no gradient is left alone, and so are norms."""
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Linear(2, 2))
    optimizer = make_optimizer(
        model, TrainConfig(weight_decay=0.3, weight_decay_on="all-but-norms", decay_before_clip=True)
    )
    for parameter in model[:2].parameters():
        parameter.grad = torch.zeros_like(parameter)
    add_decay(optimizer)
    loss = 0.5 * 0.3 * sum(parameter.square().sum() for parameter in model[0].parameters())
    wanted = torch.autograd.grad(loss, list(model[0].parameters()))
    for parameter, gradient in zip(model[0].parameters(), wanted, strict=True):
        assert torch.allclose(gradient, parameter.grad)
    assert [0.0, 0.0] == [float(parameter.grad.abs().sum()) for parameter in model[1].parameters()]
    assert [None, None] == [parameter.grad for parameter in model[2].parameters()]


def test_added_decay_is_kept_with_the_state() -> None:
    """A resumed run decays as before: the groups go through JSON."""
    config = TrainConfig(weight_decay=0.3, decay_before_clip=True)
    saved = make_optimizer(nn.Linear(2, 2), config).state_dict()
    restored = make_optimizer(nn.Linear(2, 2), config)
    restored.load_state_dict(saved | {"param_groups": json.loads(json.dumps(saved["param_groups"]))})
    parameter = restored.param_groups[-1]["params"][0]
    parameter.grad = torch.zeros_like(parameter)
    add_decay(restored)
    assert torch.allclose(0.3 * parameter, parameter.grad)
    assert [0.0, 0.0] == [group["weight_decay"] for group in restored.param_groups]


def test_the_peak_grows_with_the_images_of_an_update() -> None:
    """In proportion where the rate is for so many images; not otherwise."""
    config = TrainConfig(lr=0.1, lr_base_size=128, batch_size=32, grad_accum_steps=2)
    assert 0.4 == pytest.approx(peak_rate(config, 512))
    assert 0.05 == pytest.approx(peak_rate(config))
    assert 0.1 == peak_rate(TrainConfig(lr=0.1, batch_size=32), 512)
    assert [0.4, 0.4] == [group["lr"] for group in make_optimizer(nn.Linear(2, 2), config, images=512).param_groups]


def test_epsilon() -> None:
    """It reaches the optimizer; one that has none says so."""
    config = TrainConfig(opt="rmsproptf", opt_eps=1e-3, momentum=0.8)
    group = make_optimizer(nn.Linear(2, 2), config).param_groups[0]
    assert (1e-3, 0.8, 0.9) == (group["eps"], group["momentum"], group["alpha"])
    with pytest.raises(FaaError, match=r"'sgd' has no epsilon; leave out --opt-eps \(given 0.001\)"):
        make_optimizer(nn.Linear(2, 2), TrainConfig(opt_eps=1e-3))


@pytest.mark.parametrize("name", ["sdg", "sgd sgd"])
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


@pytest.mark.parametrize(
    ("settings", "ways"),
    [
        ({"lr": 9}, "a smaller --lr (now 9) or a longer --warmup-epochs"),
        (
            {"weight_decay": 1e30},
            "a smaller --weight-decay (now 1e+30), a smaller --lr (now 0.1) or a longer --warmup-epochs",
        ),
        ({"weight_decay": 0.9}, "a smaller --lr (now 0.1) or a longer --warmup-epochs"),
        (
            {"momentum": 1.0, "clip_grad": 0.0},
            "a --momentum below 1, a smaller --lr (now 0.1), a longer --warmup-epochs or --clip-grad 5",
        ),
        ({"amp_dtype": "float16"}, "a smaller --lr (now 0.1) or a longer --warmup-epochs"),
        (
            {"amp": True, "amp_dtype": "float16"},
            "a smaller --lr (now 0.1), a longer --warmup-epochs or --amp-dtype bfloat16",
        ),
    ],
)
def test_what_a_loss_without_end_is_said_to_come_from(settings: dict[str, Any], ways: str) -> None:
    """The likeliest cause comes first; what is not set is not blamed."""
    assert ways_to_converge(TrainConfig(**settings)) == ways
