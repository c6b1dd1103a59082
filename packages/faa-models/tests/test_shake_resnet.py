"""The architecture of the Shake-Shake networks, checked in training against a second writing in plain functions.

The second writing draws its coefficients by itself, in the order of the blocks, forward before backward.

Shapes: B = batch, C = channels, H and W = height and width.
"""

from itertools import product

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from faa_models import ShakeResNet, ShakeResNeXt
from faa_models.shake_resnet import ShakeBlock, ShiftedShortcut

StateDict = dict[str, Tensor]
MISTAKES = (
    "no shift",
    "shift to the upper left",
    "both paths shifted",
    "no zeros behind the shift",
    "no ReLU in the shortcut",
    "no ReLU before a branch",
    "no ReLU at the end",
    "one coefficient for the batch",
    "second gradient not the rest to one",
    "coefficients the other way round",
    "gradient by the forward coefficient",
)


def images(batch: int = 4, chans: int = 3, side: int = 9) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, chans, side, side, generator=generator, dtype=torch.float64)


def randomised(module: nn.Module) -> nn.Module:
    """Return `module` in float64 with every parameter and running statistic away from its neutral value."""
    generator = torch.Generator().manual_seed(0)
    module.double()
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            noise = torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
            scale = (3 / max(1, tensor[0].numel())) ** 0.5
            tensor.data = noise + 0.5 if tensor.ndim == 1 else (2 * noise - 1) * scale
    return module


def parameter_count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def norm(state: StateDict, key: str, x: Tensor) -> Tensor:
    """Return batch norm by the batch's own statistics."""
    x = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()
    return x * state[f"{key}.weight"][:, None, None] + state[f"{key}.bias"][:, None, None]


def branch(state: StateDict, key: str, x: Tensor, stride: int, groups: int, mistake: str) -> Tensor:
    """Return a branch: its convolutions by their place in it; the 3×3 one that comes first has the stride."""
    convs = [n for n in range(8) if state.get(f"{key}.{n}.weight", x[0, 0, 0]).ndim == 4]
    if convs[0] == 1 and mistake != "no ReLU before a branch":
        x = x.clamp(min=0)
    strided = next(n for n in convs if state[f"{key}.{n}.weight"].shape[-1] == 3)
    for n in convs:
        weight = state[f"{key}.{n}.weight"]
        grouped = groups if weight.shape[-1] == 3 else 1
        step = stride if n == strided else 1
        x = conv2d(x, weight, stride=step, padding=weight.shape[-1] // 2, groups=grouped)
        x = norm(state, f"{key}.{n + 1}", x)
        x = x.clamp(min=0) if n != convs[-1] else x
    return x


def shortcut(state: StateDict, key: str, x: Tensor, stride: int, mistake: str) -> Tensor:
    x = x if mistake == "no ReLU in the shortcut" else x.clamp(min=0)
    shifted = torch.zeros_like(x)
    shifted[:, :, :-1, :-1] = x[:, :, 1:, 1:]
    if mistake == "no shift":
        shifted = x
    elif mistake == "shift to the upper left":
        shifted = torch.zeros_like(x)
        shifted[:, :, 1:, 1:] = x[:, :, :-1, :-1]
    elif mistake == "no zeros behind the shift":
        shifted = torch.roll(x, (-1, -1), (2, 3))
    paths = (shifted if mistake == "both paths shifted" else x, shifted)
    halves = [
        torch.einsum("oc,bchw->bohw", state[f"{key}.conv{n}.weight"][:, :, 0, 0], path[:, :, ::stride, ::stride])
        for n, path in enumerate(paths, start=1)
    ]
    return norm(state, f"{key}.bn", torch.cat(halves, dim=1))


def mixed(x1: Tensor, x2: Tensor, mistake: str) -> Tensor:
    """Return the mix with coefficients of torch's own generator: value by α, gradients by β."""
    alpha, beta = (torch.rand(len(x1)).double().view(-1, 1, 1, 1) for _ in range(2))
    if mistake == "one coefficient for the batch":
        alpha, beta = alpha[:1], beta[:1]
    elif mistake == "coefficients the other way round":
        alpha, beta = 1 - alpha, 1 - beta
    elif mistake == "gradient by the forward coefficient":
        beta = alpha
    rest = beta if mistake == "second gradient not the rest to one" else 1 - beta
    slope = beta * x1 + rest * x2
    return slope + (alpha * x1 + (1 - alpha) * x2 - slope).detach()


def reference(state: StateDict, x: Tensor, groups: int = 1, mistake: str = "") -> Tensor:
    x = conv2d(x, state["stem.weight"], state["stem.bias"], padding=1)
    for stage, block in product(range(3), range(100)):
        key = f"stages.{stage}.{block}"
        if any(name.startswith(f"{key}.") for name in state):
            stride = 2 if stage and not block else 1
            halves = (branch(state, f"{key}.branch{n}", x, stride, groups, mistake) for n in (1, 2))
            residual = mixed(*halves, mistake)
            changes = f"{key}.shortcut.bn.weight" in state
            x = residual + (shortcut(state, f"{key}.shortcut", x, stride, mistake) if changes else x)
    x = x if mistake == "no ReLU at the end" else x.clamp(min=0)
    return x.mean((2, 3)) @ state["head.fc.weight"].T + state["head.fc.bias"]


def both_results(model: nn.Module, groups: int = 1, mistake: str = "") -> list[list[Tensor]]:
    """Return logits and all parameters' gradients of the network and of the second writing."""
    state, results = dict(model.named_parameters()), []
    for forward in (model, lambda x: reference(state, x, groups, mistake)):
        torch.manual_seed(11)
        logits = forward(images())
        results.append([logits, *torch.autograd.grad(logits.square().mean(), list(state.values()), allow_unused=True)])
    return results


@pytest.mark.parametrize(
    ("model", "groups"),
    [(ShakeResNet(8, 4, 7), 1), (ShakeResNet(14, 6, 7), 1), (ShakeResNeXt(11, 64, 2, 7), 2)],
    ids=["basic", "deeper", "bottleneck"],
)
def test_training_equals_the_reference(model: nn.Module, groups: int) -> None:
    ours, theirs = both_results(randomised(model).train(), groups)
    torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_training_differs_from_mistaken_variants(mistake: str) -> None:
    ours, theirs = both_results(randomised(ShakeResNet(8, 4, 7)).train(), mistake=mistake)
    only_gradients = mistake in {"second gradient not the rest to one", "gradient by the forward coefficient"}
    assert ours[0].allclose(theirs[0]) == only_gradients
    assert max((a - b).abs().max() for a, b in zip(ours[1:], theirs[1:], strict=True)) > 1e-3


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (5, 9), (7, 2)])
@pytest.mark.parametrize("stride", [1, 2])
def test_shortcut_of_any_size(size: tuple[int, int], stride: int) -> None:
    layer = randomised(ShiftedShortcut(3, 8, stride)).train()
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    state = {f"skip.{name}": p for name, p in layer.named_parameters()}
    expected = shortcut(state, "skip", x, stride, "")
    torch.testing.assert_close(layer(x), expected)
    assert expected.shape[2:] == tuple(-(-s // stride) for s in size)


def test_shortcuts_stand_where_the_shape_changes() -> None:
    for model in (ShakeResNet(14, 16), ShakeResNeXt(20, 64)):
        blocks = [list(stage) for stage in model.stages]
        changing = [[isinstance(b.shortcut, ShiftedShortcut) for b in stage] for stage in blocks]
        # the basic network's first block keeps 16 channels here, if it is 16 wide
        assert changing == [[isinstance(model, ShakeResNeXt), False], [True, False], [True, False]]


# Parameters


@pytest.mark.parametrize("classes", [10, 100])
@pytest.mark.parametrize(
    ("width", "count", "published"),
    [
        (32, 2_923_146, 2_989_002),
        (64, None, 11_914_698),
        (96, None, 26_777_546),
        (112, None, 36_435_402),
    ],
)
def test_parameters_are_the_published_ones_less_the_unused_shortcuts(
    width: int, count: int | None, published: int, classes: int
) -> None:
    """The release makes a shortcut (two halves of W² weights, W scales, W shifts) in blocks that never use it."""
    with torch.device("meta"):
        model = timm.create_model(f"shakeshake26_2x{width}d", num_classes=classes)
        unused = 0
        for chs, stage in zip((width, 2 * width, 4 * width), model.stages, strict=True):
            idle = [ShiftedShortcut(chs, chs, 1) for block in stage if isinstance(block.shortcut, nn.Identity)]
            assert len(idle) == 3
            assert [parameter_count(s) for s in idle] == [chs**2 + 2 * chs] * 3
            unused += sum(map(parameter_count, idle))
    more = (classes - 10) * (4 * width + 1)
    assert parameter_count(model) + unused == published + more
    assert unused == 3 * (21 * width**2 + 14 * width)
    if count is not None:
        assert parameter_count(model) == count + more
    if (width, classes) == (96, 100):
        assert published + more == 26_812_196


def test_parameters_of_the_bottleneck_network() -> None:
    with torch.device("meta"):
        model = timm.create_model("shakeshake26_2x96d_next")
    assert parameter_count(model) == 22_717_706
    assert [len(stage) for stage in model.stages] == [2, 2, 2]
    mid = [stage[0].branch1[3] for stage in model.stages]
    assert [(m.out_channels, m.groups, m.stride[0]) for m in mid] == [(256, 4, 1), (512, 4, 2), (1024, 4, 2)]


@pytest.mark.parametrize("build", [lambda: ShakeResNet(8, 64), lambda: ShakeResNeXt(11, 64)])
def test_initial_weights(build) -> None:
    """He's fan-out deviation, √(2 / (k²·out)), within five of the sample's own."""
    torch.manual_seed(0)
    model = build()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.detach().double()
            expected = (2 / (module.kernel_size[0] ** 2 * module.out_channels)) ** 0.5
            assert abs(weight.std() / expected - 1) < 5 / (2 * weight.numel()) ** 0.5
            assert abs(weight.mean() / expected) < 5 / weight.numel() ** 0.5
            assert (module.bias is not None) == (module is model.stem)
        elif isinstance(module, nn.BatchNorm2d):
            assert module.weight.equal(torch.ones_like(module.weight))
            assert module.bias.equal(torch.zeros_like(module.bias))
    assert not model.head.fc.bias.any()


def test_level_reaches_every_block() -> None:
    for model in (ShakeResNet(8, 4, level="batch"), ShakeResNeXt(11, 64, level="batch")):
        assert {m.shake.level for m in model.modules() if isinstance(m, ShakeBlock)} == {"batch"}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ShakeResNet(2, 4), "depth must be 6n .* not 2"),
        (lambda: ShakeResNet(27, 4), "depth must be 6n .* not 27"),
        (lambda: ShakeResNet(-4, 4), "depth must be 6n .* not -4"),
        (lambda: ShakeResNet(8, 5), "width must be even.* not 5"),
        (lambda: ShakeResNet(8, 0), "width must be even.* not 0"),
        (lambda: ShakeResNet(8, 4, level="row"), "level must be one of .* not 'row'"),
        (lambda: ShakeResNeXt(10, 64), "depth must be at least 11, not 10"),
        (lambda: ShakeResNeXt(11, 96), "width must be a multiple of 64, not 96"),
        (lambda: ShakeResNeXt(11, 0), "width must be a multiple of 64, not 0"),
    ],
)
def test_wrong_arguments(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
