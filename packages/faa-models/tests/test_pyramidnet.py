"""The architecture of PyramidNet, checked in training against a second writing in plain functions.

The second writing draws ShakeDrop's numbers by itself, in the order of the blocks: gate, forward, backward.

Shapes: B = batch, C = channels, H and W = height and width.
"""

from itertools import product

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d
from torch.utils.flop_counter import FlopCounterMode

from faa_models import PyramidNet
from faa_models.pyramidnet import PyramidBlock

StateDict = dict[str, Tensor]
SEEDS = range(4)  # several, so that blocks are both disturbed and spared
MISTAKES = (
    "ReLU before the first conv",
    "no ReLU before the later convs",
    "ReLU after the sum",
    "ReLU in the stem",
    "ReLU behind the residual",
    "no ReLU at the end",
    "subsampled shortcut",
    "zeros in front",
    "stride on the first conv",
    "same probability everywhere",
    "a gate per image",
    "one coefficient for the batch",
    "forward as backward",
    "positive forward",
    "shortcut disturbed",
)
SAME_VALUE = {"forward as backward"}
BASIC_SAME = {"stride on the first conv"}  # there it is not a mistake
EFFICIENT_NETS = (5_288_548, 7_794_184, 9_109_994, 12_233_232, 19_341_616, 30_389_784, 43_040_704, 66_347_960)


def images(side: int = 9) -> Tensor:
    return torch.randn(4, 3, side, side, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def randomised(module: nn.Module) -> nn.Module:
    """Return `module` in float64 with every parameter away from its neutral value."""
    generator = torch.Generator().manual_seed(0)
    module.double()
    for tensor in module.parameters():
        noise = torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
        scale = (3 / max(1, tensor[0].numel())) ** 0.5
        tensor.data = noise + 0.5 if tensor.ndim == 1 else (2 * noise - 1) * scale
    return module


def on_meta(name: str, **kwargs: object) -> nn.Module:
    with torch.device("meta"):
        return timm.create_model(name, **kwargs)


def blocks(model: nn.Module) -> list[nn.Module]:
    return [block for stage in model.stages for block in stage]


def parameter_count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def norm(state: StateDict, key: str, x: Tensor) -> Tensor:
    """Return batch norm by the batch's own statistics."""
    x = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()
    return x * state[f"{key}.weight"][:, None, None] + state[f"{key}.bias"][:, None, None]


def residual(state: StateDict, key: str, x: Tensor, stride: int, mistake: str) -> Tensor:
    norms = [n for n in range(10) if f"{key}.{n}.bias" in state]
    convs = [n for n in range(10) if f"{key}.{n}.weight" in state and n not in norms]
    bottleneck = len(convs) == 3
    strided = convs[1] if bottleneck and mistake != "stride on the first conv" else convs[0]
    for number, (before, n) in enumerate(zip(norms, convs, strict=False)):
        x = norm(state, f"{key}.{before}", x)
        if mistake != "no ReLU before the later convs" if number else mistake == "ReLU before the first conv":
            x = x.clamp(min=0)
        weight = state[f"{key}.{n}.weight"]
        x = conv2d(x, weight, stride=stride if n == strided else 1, padding=weight.shape[-1] // 2)
    x = norm(state, f"{key}.{norms[-1]}", x)
    return x.clamp(min=0) if mistake == "ReLU behind the residual" else x


def shortcut(x: Tensor, out_chs: int, stride: int, mistake: str = "") -> Tensor:
    """Return the mean of each 2×2 window, of what there is of it at an odd border, with channels of zeros."""
    if stride == 2 and mistake == "subsampled shortcut":
        x = x[:, :, ::2, ::2]
    elif stride == 2:
        height, width = (-(-size // 2) for size in x.shape[2:])
        means = [
            x[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].mean((2, 3))
            for row, column in product(range(height), range(width))
        ]
        x = torch.stack(means, dim=-1).unflatten(-1, (height, width))
    zeros = x.new_zeros(len(x), out_chs - x.shape[1], *x.shape[2:])
    return torch.cat((zeros, x) if mistake == "zeros in front" else (x, zeros), dim=1)


def joined(x: Tensor, residual: Tensor, drop_prob: float, mistake: str) -> Tensor:
    """Return ShakeDrop's sum with numbers of torch's own generator: value by α, gradients by β."""
    per_image = (len(x), 1, 1, 1)
    gate = torch.rand(per_image if mistake == "a gate per image" else (1, 1, 1, 1))
    alpha, beta = (torch.rand(per_image).double() for _ in range(2))
    alpha = alpha if mistake == "positive forward" else 2 * alpha - 1
    if mistake == "one coefficient for the batch":
        alpha, beta = alpha[:1], beta[:1]
    elif mistake == "forward as backward":
        beta = alpha
    disturbed = gate < drop_prob
    value, slope = (torch.where(disturbed, c, torch.ones_like(c)) * residual for c in (alpha, beta))
    if mistake == "shortcut disturbed":
        x = torch.where(disturbed, alpha, torch.ones_like(alpha)) * x
    return x + slope + (value - slope).detach()


def reference(state: StateDict, x: Tensor, shake_drop: float, mistake: str = "") -> Tensor:
    x = norm(state, "stem.bn", conv2d(x, state["stem.conv.weight"], padding=1))
    x = x.clamp(min=0) if mistake == "ReLU in the stem" else x
    places = [(s, b) for s, b in product(range(3), range(100)) if f"stages.{s}.{b}.residual.0.weight" in state]
    for number, (stage, block) in enumerate(places, start=1):
        key, stride = f"stages.{stage}.{block}.residual", 2 if stage and not block else 1
        added = residual(state, key, x, stride, mistake)
        drop_prob = shake_drop if mistake == "same probability everywhere" else shake_drop * number / len(places)
        x = joined(shortcut(x, added.shape[1], stride, mistake), added, drop_prob, mistake)
        x = x.clamp(min=0) if mistake == "ReLU after the sum" else x
    x = norm(state, "norm.0", x)
    x = x if mistake == "no ReLU at the end" else x.clamp(min=0)
    return x.mean((2, 3)) @ state["head.fc.weight"].T + state["head.fc.bias"]


def both_results(model: nn.Module, shake_drop: float, mistake: str = "") -> list[list[Tensor]]:
    """Return logits and all gradients, for every seed, of the network and of the second writing."""
    state, results = dict(model.named_parameters()), []
    for forward in (model, lambda x: reference(state, x, shake_drop, mistake)):
        taken = []
        for seed in SEEDS:
            torch.manual_seed(seed)
            logits = forward(images())
            taken += [logits, *torch.autograd.grad(logits.square().mean(), list(state.values()))]
        results.append(taken)
    return results


# The network in training


@pytest.mark.parametrize("drop", [0.0, 0.9])
@pytest.mark.parametrize("sizes", [(11, 6, True), (20, 7, True), (8, 10, False), (14, 9, False)])
def test_training_equals_the_reference(sizes: tuple[int, float, bool], drop: float) -> None:
    ours, theirs = both_results(randomised(PyramidNet(*sizes, drop, num_classes=7)).train(), drop)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)


def test_without_shake_drop_nothing_is_drawn() -> None:
    for drop in (0.0, 0.5):
        model = PyramidNet(11, 6, shake_drop=drop).double().train()
        before = torch.random.get_rng_state()
        model(images())
        assert torch.random.get_rng_state().equal(before) == (drop == 0.0)


@pytest.mark.parametrize("bottleneck", [True, False])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_training_differs_from_mistaken_variants(mistake: str, bottleneck: bool) -> None:
    sizes = (20, 7) if bottleneck else (14, 9)
    model = randomised(PyramidNet(*sizes, bottleneck, 0.9, num_classes=7)).train()
    ours, theirs = both_results(model, 0.9, mistake)
    step = len(ours) // len(SEEDS)
    values = max((a - b).abs().max() for a, b in zip(ours[::step], theirs[::step], strict=True))
    gradients = max((a - b).abs().max() for a, b in zip(ours, theirs, strict=True))
    if mistake in BASIC_SAME and not bottleneck:
        assert gradients < 1e-9
    else:
        assert (values > 1e-3) == (mistake not in SAME_VALUE)
        assert gradients > 1e-3


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (5, 9), (7, 2)])
@pytest.mark.parametrize("bottleneck", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
def test_shortcut_of_any_size(size: tuple[int, int], bottleneck: bool, stride: int) -> None:
    block = PyramidBlock(3, 5, stride=stride, bottleneck=bottleneck)
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    expected = shortcut(x, 20 if bottleneck else 5, stride)
    torch.testing.assert_close(block.skip(x), expected)
    assert block(x).shape == expected.shape == (2, block.out_chs, *(-(-s // stride) for s in size))


def test_block_keeps_channels_last() -> None:
    for stride in (1, 2):
        block = PyramidBlock(4, 5, stride=stride, drop_prob=0.5).to(memory_format=torch.channels_last)
        x = torch.randn(2, 4, 6, 6).contiguous(memory_format=torch.channels_last).requires_grad_()
        out = block(x)
        out.square().sum().backward()
        assert all(t.is_contiguous(memory_format=torch.channels_last) for t in (block.skip(x), out, x.grad))


# Figures


@pytest.mark.parametrize("name", ["pyramidnet272_a200", "pyramidnet272_a200_shakedrop"])
@pytest.mark.parametrize(("classes", "count"), [(10, 26_210_842), (100, 26_288_692)])
def test_parameters(name: str, classes: int, count: int) -> None:
    assert parameter_count(on_meta(name, num_classes=classes)) == count


def test_multiply_adds_and_their_share_of_the_stages() -> None:
    model = on_meta("pyramidnet272_a200", num_classes=100).eval()
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, 32, 32, device="meta"))
    total = counter.get_total_flops()
    assert f"{total / 2e9:.3f}" == "4.489"  # a multiply-add is two operations
    stages = [sum(counter.get_flop_counts()[f"PyramidNet.stages.{stage}"].values()) for stage in range(3)]
    assert [f"{100 * flops / total:.2f}" for flops in stages] == ["33.57", "41.26", "25.15"]


def test_widths_are_rounded() -> None:
    model = on_meta("pyramidnet272_a200")
    widths = [block.out_chs // block.expansion for block in blocks(model)]
    assert widths[:5] == [18, 20, 23, 25, 27]  # truncated: 18, 20, 22, 24, 27
    assert [widths[n - 1] for n in (30, 31, 60, 90)] == [83, 85, 149, 216]
    assert [block.expansion for block in blocks(model)] == [4] * 90
    assert model.num_features == 864
    assert widths == [block.residual[4].out_channels for block in blocks(model)]
    basic = on_meta("pyramidnet110_a270")
    assert [block.out_chs for block in blocks(basic)] == list(range(21, 287, 5))
    assert [len(stage) for stage in basic.stages] == [18, 18, 18]


@pytest.mark.parametrize(("name", "count"), [("pyramidnet272_a200", 90), ("pyramidnet110_a270", 54)])
def test_drop_probabilities_grow_linearly_from_the_first_block(name: str, count: int) -> None:
    probabilities = [block.join.drop_prob for block in blocks(on_meta(f"{name}_shakedrop"))]
    assert probabilities == pytest.approx([0.5 * number / count for number in range(1, count + 1)], abs=1e-15)
    assert probabilities[-1] == 0.5
    assert {block.join.drop_prob for block in blocks(on_meta(name))} == {0.0}


def test_gates_are_the_batch_s_and_level_reaches_every_block() -> None:
    joins = [block.join for block in blocks(PyramidNet(11, 6, shake_drop=0.5, level="channel"))]
    assert {(join.level, join.gate_level) for join in joins} == {("channel", "batch")}


@pytest.mark.parametrize("sizes", [(11, 100, True), (8, 100, False)])
def test_initial_weights(sizes: tuple[int, float, bool]) -> None:
    """He's fan-out deviation, √(2 / (k²·out)), within five of the sample's own."""
    torch.manual_seed(0)
    for module in PyramidNet(*sizes).modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.detach().double()
            expected = (2 / (module.kernel_size[0] ** 2 * module.out_channels)) ** 0.5
            assert abs(weight.std() / expected - 1) < 5 / (2 * weight.numel()) ** 0.5
            assert abs(weight.mean() / expected) < 5 / weight.numel() ** 0.5
            assert module.bias is None
        elif isinstance(module, nn.BatchNorm2d):
            assert module.weight.equal(torch.ones_like(module.weight))
            assert module.bias.equal(torch.zeros_like(module.bias))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 2, "alpha": 6}, r"depth must be 9n \+ 2 .* not 2"),
        ({"depth": 12, "alpha": 6}, r"depth must be 9n \+ 2 .* not 12"),
        ({"depth": 11, "alpha": 6, "bottleneck": False}, r"depth must be 6n \+ 2 .* not 11"),
        ({"depth": -7, "alpha": 6}, "depth must be .* not -7"),
        ({"depth": 11, "alpha": -1}, "alpha must be finite and not negative, not -1"),
        ({"depth": 11, "alpha": float("nan")}, "alpha must be finite and not negative, not nan"),
        ({"depth": 11, "alpha": 6, "shake_drop": 1.5}, r"shake_drop must lie in \[0, 1\], not 1.5"),
        ({"depth": 11, "alpha": 6, "shake_drop": 1.5}, r"drop.* must lie in \[0, 1\]"),
        ({"depth": 11, "alpha": 6, "shake_drop": -0.5}, r"drop.* must lie in \[0, 1\]"),
        ({"depth": 11, "alpha": 6, "level": "row"}, "level must be one of .* not 'row'"),
    ],
)
def test_wrong_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PyramidNet(**arguments)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("resnet50", 25_557_032),
        ("resnet200", 64_673_832),
        *((f"efficientnet_b{number}", count) for number, count in enumerate(EFFICIENT_NETS)),
        ("tf_efficientnet_cc_b0_4e", 13_314_116),
        ("tf_efficientnet_cc_b0_8e", 24_013_284),
    ],
)
def test_the_papers_other_networks_are_timm_s(name: str, count: int) -> None:
    """So there are none here."""
    assert parameter_count(on_meta(name)) == count
