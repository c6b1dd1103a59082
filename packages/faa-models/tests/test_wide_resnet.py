"""The architecture of Wide-ResNet, checked against a second writing of it in plain functions."""

import copy
from itertools import product
from pathlib import Path

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from faa_models import WideResNet
from faa_models.wide_resnet import WideBlock

README = Path(__file__).parents[1] / "README.md"
StateDict = dict[str, Tensor]


def randomised(module: nn.Module) -> nn.Module:
    """Return `module` with every parameter and running statistic away from its neutral value."""
    generator = torch.Generator().manual_seed(0)
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            scale = 0.5 / max(1, tensor[0].numel()) ** 0.5
            noise = torch.rand(tensor.shape, generator=generator)
            tensor.data = noise + 0.5 if tensor.ndim == 1 else (2 * noise - 1) * 2 * scale
    return module


def images(batch: int = 4, chans: int = 3, side: int = 12) -> Tensor:
    return torch.randn(batch, chans, side, side, generator=torch.Generator().manual_seed(1))


def norm_relu(state: StateDict, key: str, x: Tensor, *, training: bool) -> Tensor:
    mean, variance = state[f"{key}.running_mean"], state[f"{key}.running_var"]
    if training:
        mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
    x = (x - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
    return (x * state[f"{key}.weight"][:, None, None] + state[f"{key}.bias"][:, None, None]).clamp(min=0)


def conv(state: StateDict, key: str, x: Tensor, stride: int = 1) -> Tensor:
    weight = state[f"{key}.weight"]
    return conv2d(x, weight, state[f"{key}.bias"], stride=stride, padding=weight.shape[-1] // 2)


def reference_block(state: StateDict, key: str, x: Tensor, stride: int, *, training: bool, mistake: str = "") -> Tensor:
    """Return the block's output; `mistake` names a variant found elsewhere that this network must not be."""
    first, second = (stride, 1) if mistake == "stride on the first conv" else (1, stride)
    active = norm_relu(state, f"{key}bn1", x, training=training)
    out = conv(state, f"{key}conv1", active, first)
    out = conv(state, f"{key}conv2", norm_relu(state, f"{key}bn2", out, training=training), second)
    if f"{key}shortcut.weight" in state:
        x = conv(state, f"{key}shortcut", active if mistake == "pre-activated shortcut" else x, stride)
    return out + x


def reference_network(state: StateDict, x: Tensor, *, training: bool, mistake: str = "") -> Tensor:
    x = conv(state, "stem", x)
    for stage, block in product(range(3), range(100)):
        key = f"stages.{stage}.{block}."
        if f"{key}conv1.weight" in state:
            stride = 2 if stage and not block else 1
            x = reference_block(state, key, x, stride, training=training, mistake=mistake)
    pooled = norm_relu(state, "norm.0", x, training=training).mean((2, 3))
    return pooled @ state["head.fc.weight"].T + state["head.fc.bias"]


@pytest.mark.parametrize(
    ("name", "classes", "count"),
    [
        ("wrn16_1", 10, 175_626),
        ("wrn40_2", 10, 2_246_474),
        ("wrn40_2", 100, 2_258_084),
        ("wrn28_10", 10, 36_489_290),
        ("wrn28_10", 100, 36_546_980),
    ],
)
def test_parameter_counts(name: str, classes: int, count: int) -> None:
    with torch.device("meta"):
        model = timm.create_model(name, num_classes=classes)
    assert sum(p.numel() for p in model.parameters()) == count


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("depth", "width"), [(10, 1), (16, 2), (22, 3)])
def test_network_equals_the_reference(depth: int, width: int, training: bool) -> None:
    model = randomised(WideResNet(depth, width, num_classes=7)).train(training)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    torch.testing.assert_close(
        model(images()), reference_network(state, images(), training=training), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("mistake", ["stride on the first conv", "pre-activated shortcut"])
def test_network_differs_from_its_common_variants(mistake: str, training: bool) -> None:
    model = randomised(WideResNet(16, 2, num_classes=7)).train(training)
    state = copy.deepcopy(model.state_dict())
    variant = reference_network(state, images(), training=training, mistake=mistake)
    assert (model(images()) - variant).abs().max() > 1e-2


@pytest.mark.parametrize(("in_chs", "out_chs", "stride"), [(6, 6, 1), (6, 8, 1), (6, 6, 2), (6, 8, 2)])
def test_block_equals_the_reference(in_chs: int, out_chs: int, stride: int) -> None:
    block = randomised(WideBlock(in_chs, out_chs, stride=stride)).eval()
    x = images(chans=in_chs, side=7)
    expected = reference_block(block.state_dict(), "", x, stride, training=False)
    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-5)
    assert isinstance(block.shortcut, nn.Identity) == (in_chs == out_chs and stride == 1)


def test_every_convolution_has_a_bias() -> None:
    convs = [m for m in WideResNet(10, 2).modules() if isinstance(m, nn.Conv2d)]
    assert len(convs) == 1 + 3 * 3
    assert all(m.bias is not None for m in convs)


def test_block_dropout_lies_between_the_convolutions() -> None:
    block = randomised(WideBlock(6, 6, drop_rate=1.0)).eval()
    block.drop.train()  # drops everything the first convolution says, and nothing else
    x = images(chans=6)
    state = block.state_dict()
    silent = torch.zeros_like(x)
    expected = x + conv(state, "conv2", norm_relu(state, "bn2", silent, training=False))
    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-5)


def test_block_drop_rate_reaches_every_block() -> None:
    model = timm.create_model("wrn16_1", block_drop_rate=0.3)
    assert {m.drop.p for m in model.modules() if isinstance(m, WideBlock)} == {0.3}
    assert model.head.drop.p == 0.0


@pytest.mark.parametrize("momentum", [None, 0.9])
def test_bn_momentum_weighs_the_newest_batch(momentum: float | None) -> None:
    options = {} if momentum is None else {"bn_momentum": momentum}
    model = timm.create_model("wrn16_1", **options).train()
    expected = 0.1 if momentum is None else momentum
    assert {m.momentum for m in model.modules() if isinstance(m, nn.BatchNorm2d)} == {expected}
    stem = model.stem(images())
    model(images())
    norm = model.stages[0][0].bn1
    torch.testing.assert_close(norm.running_mean, expected * stem.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, 1 - expected + expected * stem.var((0, 2, 3)))


def test_norm_option_gives_the_final_features() -> None:
    model = randomised(WideResNet(10, 1)).eval()
    _, raw = model.forward_intermediates(images())
    final, normed = model.forward_intermediates(images(), norm=True)
    assert normed[-1].equal(final)
    torch.testing.assert_close(normed[:-1], raw[:-1])
    assert raw[-1].min() < 0 <= normed[-1].min()
    only = model.forward_intermediates(images(), indices=[3], norm=True, intermediates_only=True)
    assert only[0].equal(final)


def test_raw_features_leave_the_final_norm_alone() -> None:
    model = WideResNet(10, 1).train()
    model.forward_intermediates(images(), intermediates_only=True)
    assert model.norm[0].num_batches_tracked == 0


def test_stop_early_skips_the_later_stages() -> None:
    model = WideResNet(10, 1).train()
    final, (feature,) = model.forward_intermediates(images(), indices=[1], stop_early=True)
    assert final.equal(feature)
    counts = [model.stages[stage][0].bn1.num_batches_tracked.item() for stage in range(3)]
    assert counts == [1, 0, 0]


def test_pruning_before_the_last_level_drops_norm_and_head() -> None:
    model = randomised(WideResNet(10, 1)).eval()
    expected = model.stages[0](model.stem(images()))
    assert model.prune_intermediate_layers([1], prune_norm=False, prune_head=False) == [1]
    assert model(images()).equal(expected)


def test_pruning_at_the_last_level_may_keep_norm_and_head() -> None:
    model = randomised(WideResNet(10, 1)).eval()
    expected = model(images())
    assert model.prune_intermediate_layers(2, prune_head=False) == [2, 3]
    assert model(images()).equal(expected)


def test_feature_levels() -> None:
    model = timm.create_model("wrn40_2", features_only=True)
    assert model.feature_info.channels() == [16, 32, 64, 128]
    assert model.feature_info.reduction() == [1, 1, 2, 4]


@pytest.mark.parametrize("depth", [4, 12, 41, -2])
def test_depth_must_fit_three_stages(depth: int) -> None:
    with pytest.raises(ValueError, match=f"6n \\+ 4.*not {depth}"):
        WideResNet(depth, 1)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:FutureWarning")  # TorchScript itself is on its way out
def test_scripts() -> None:
    model = timm.create_model("wrn16_1", scriptable=True).eval()
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.script(model)(images()), model(images()))
