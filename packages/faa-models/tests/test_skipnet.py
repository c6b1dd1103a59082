"""SkipNet over every family of networks: what runs, what is skipped, and that both ways of skipping agree.

Shapes: B = batch, C = channels, H and W = height and width, G = gates.
"""

from collections.abc import Callable
from copy import deepcopy
from itertools import chain

import pytest
import torch
from timm.models._features import FeatureGetterNet
from torch import Tensor, nn

from faa_models import PyramidNet, ShakeResNet, ShakeResNeXt, SkipNet, WideResNet
from faa_models.pyramidnet import PyramidBlock
from faa_models.shake_resnet import ShiftedShortcut
from faa_models.skipnet import mac_table, pyramidnet272_a200_shakedrop_skip
from faa_models.staged import ResidualBlock, StagedNetwork

BACKBONES: dict[str, Callable[[], StagedNetwork]] = {
    "pyramid of basic blocks": lambda: PyramidNet(14, 8, bottleneck=False),
    "pyramid of basic blocks, ShakeDrop": lambda: PyramidNet(14, 8, bottleneck=False, shake_drop=0.5),
    "pyramid of bottlenecks": lambda: PyramidNet(20, 12),
    "pyramid of bottlenecks, ShakeDrop": lambda: PyramidNet(20, 12, shake_drop=0.5),
    "WideResNet": lambda: WideResNet(16, 1, block_drop_rate=0.3),
    "ShakeResNet": lambda: ShakeResNet(14, 4),
    "ShakeResNeXt": lambda: ShakeResNeXt(20, 64, groups=1),
}
PATTERNS = ("random", "nobody", "everybody", "one image")


def images(batch: int = 4, height: int = 9, width: int = 11) -> Tensor:
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


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


def gate_count(network: SkipNet) -> int:
    return sum(len(stage) for stage in network.blocks()) - network.first_gated


def pattern(name: str, batch: int, gates: int, seed: int = 3) -> Tensor:
    decisions_BG = torch.zeros(batch, gates)
    if name == "random":
        return torch.randint(2, (batch, gates), generator=torch.Generator().manual_seed(seed)).float()
    decisions_BG[slice(0, {"nobody": 0, "everybody": batch, "one image": 1}[name])] = 1.0
    return decisions_BG


def choosy(network: SkipNet) -> SkipNet:
    """Return a network in evaluation whose gates do not all agree."""
    network = randomised(network).eval()
    with torch.no_grad():
        network.gates.decide.weight.copy_(torch.tensor([[1.0, -1.0] * 5]) * 20)
        network.gates.decide.bias.sub_(network(images(8), return_gates=True).gates.scores.median())
        decisions_BG = network(images(8), return_gates=True).gates.decisions
    assert 0.2 < decisions_BG.mean() < 0.8
    return network


def written_again(block: ResidualBlock, x: Tensor) -> Tensor:
    """Return a skipped block's output, from its weights alone."""
    if isinstance(block, PyramidBlock):
        if block.stride == 2:  # a window that sticks out counts only what it sees
            odd = (0, x.shape[3] % 2, 0, x.shape[2] % 2)
            windows = nn.functional.pad(x, odd, value=float("nan")).unfold(2, 2, 2).unfold(3, 2, 2)
            x = windows.flatten(-2).nanmean(dim=-1)
        return torch.cat((x, x.new_zeros(len(x), block.out_chs - x.shape[1], *x.shape[2:])), dim=1)
    if isinstance(block.shortcut, nn.Identity):
        return x
    if isinstance(block.shortcut, ShiftedShortcut):
        x, path = x.relu(), block.shortcut
        step = path.conv1.stride[0]
        shifted = torch.zeros_like(x)
        shifted[:, :, :-1, :-1] = x[:, :, 1:, 1:]
        halves = [
            torch.einsum("oc,bchw->bohw", conv.weight[:, :, 0, 0], y[:, :, ::step, ::step])
            for conv, y in ((path.conv1, x), (path.conv2, shifted))
        ]
        y, norm = torch.cat(halves, dim=1).movedim(1, -1), path.bn
        scaled = (y - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
        return scaled.movedim(-1, 1)
    conv = block.shortcut
    strided = x[:, :, :: conv.stride[0], :: conv.stride[1]]
    return torch.einsum("oc,bchw->bohw", conv.weight[:, :, 0, 0], strided) + conv.bias[:, None, None]


@pytest.fixture(params=BACKBONES)
def backbone(request: pytest.FixtureRequest) -> StagedNetwork:
    torch.manual_seed(0)
    return BACKBONES[request.param]()


def test_figures_of_pyramidnet_272() -> None:
    with torch.device("meta"):
        network = pyramidnet272_a200_shakedrop_skip(num_classes=100)
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in network.gates.named_children()}
    assert sum(p.numel() for p in network.parameters()) == 26_642_613
    assert counts == {"projections": 353_030, "cell": 880, "decide": 11}
    table = mac_table(network)
    assert len(table.saved) == gate_count(network) == 59
    assert table.total / 1e9 == pytest.approx(4.489, abs=5e-4)
    assert table.gate_macs / 1e6 == pytest.approx(0.4, abs=0.05)
    assert sum(table.saved) / table.total == pytest.approx(0.652, abs=5e-4)
    assert network.first_gated == 31  # stage 1, and the first block of stage 2


@pytest.mark.parametrize(("from_stage", "always"), [(0, 1), (1, 3), (2, 5)])
def test_placement(backbone: StagedNetwork, from_stage: int, always: int) -> None:
    network = randomised(SkipNet(backbone, from_stage=from_stage)).eval()
    assert gate_count(network) == 6 - always
    ran: list[ResidualBlock] = []
    blocks = list(chain.from_iterable(network.blocks()))
    network.execution = "gather"
    for block in blocks:
        block.register_forward_hook(lambda block, *_: ran.append(block))
    network(images(2), pattern("nobody", 2, 6 - always))
    assert ran == blocks[:always]


@pytest.mark.parametrize("training", [False, True])
def test_all_blocks_running_is_the_plain_network_to_the_bit(backbone: StagedNetwork, training: bool) -> None:
    network = SkipNet(deepcopy(backbone))
    x, ones = images().float(), pattern("everybody", 4, 3)
    results = []
    for model, forced in ((backbone.train(training), ()), (network.train(training), (ones,))):
        torch.manual_seed(5)
        logits = model(x, *forced)
        logits.square().sum().backward()
        results.append((logits, {n: p.grad for n, p in model.named_parameters() if not n.startswith("gates.")}))
    (plain, plain_grads), (gated, gated_grads) = results
    assert gated.equal(plain)
    assert gated_grads.keys() == plain_grads.keys()
    scale = max(grad.abs().max() for grad in plain_grads.values())
    for name, grad in plain_grads.items():  # sums of gradients are taken in another order
        assert (grad - gated_grads[name]).abs().max() < 1e-5 * scale, name
    assert all(p.grad is None for p in network.gates.parameters())


def test_all_blocks_skipped_leaves_their_shortcuts(backbone: StagedNetwork) -> None:
    network = randomised(SkipNet(backbone)).eval()
    blocks = list(chain.from_iterable(network.blocks()))
    for size in ((8, 8), (9, 11)):
        x = network.stem(images(2, *size))
        for block in blocks[:3]:
            x = block(x)
        for block in blocks[3:]:
            x = written_again(block, x)
        expected = network.forward_head(network.norm(x))
        for execution in ("masked", "gather"):
            network.execution = execution
            torch.testing.assert_close(network(images(2, *size), torch.zeros(2, 3)), expected)


@pytest.mark.parametrize("kind", PATTERNS)
@pytest.mark.parametrize(("batch", "size"), [(5, (8, 8)), (3, (9, 11)), (1, (5, 7))])
def test_masked_and_gathered_agree_and_images_do_not_mix(
    backbone: StagedNetwork, kind: str, batch: int, size: tuple[int, int]
) -> None:
    network = randomised(SkipNet(backbone)).eval()
    x, decisions_BG = images(batch, *size), pattern(kind, batch, 3)
    with torch.no_grad():
        masked = network(x, decisions_BG)
        network.execution = "gather"
        gathered = network(x, decisions_BG)
        alone = [network(x[i : i + 1], decisions_BG[i : i + 1]) for i in range(batch)]
        strided = network(x.to(memory_format=torch.channels_last), decisions_BG.bool())
    torch.testing.assert_close(gathered, masked)
    torch.testing.assert_close(torch.cat(alone), masked)
    torch.testing.assert_close(strided, masked)


def test_masked_and_gathered_agree_under_autocast(backbone: StagedNetwork) -> None:
    network = SkipNet(backbone).eval()
    x, decisions_BG = images(5, 8, 8).float(), pattern("random", 5, 3)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        masked = network(x, decisions_BG)
        network.execution = "gather"
        gathered = network(x, decisions_BG)
    assert masked.dtype == gathered.dtype == torch.bfloat16
    assert (masked - gathered).abs().max() <= 0.05 * masked.abs().max()


@pytest.mark.parametrize("kind", PATTERNS)
def test_gathering_computes_only_the_rows_that_are_wanted(backbone: StagedNetwork, kind: str) -> None:
    network = randomised(SkipNet(backbone, execution="gather")).eval()
    decisions_BG = pattern(kind, 5, 3)
    rows: list[list[int]] = []
    expected: list[list[int]] = []
    for block, wanted in zip(
        list(chain.from_iterable(network.blocks()))[3:], decisions_BG.sum(dim=0).int().tolist(), strict=True
    ):
        for conv in (m for m in block.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)):
            seen: list[int] = []
            conv.register_forward_hook(lambda _m, inputs, _o, seen=seen: seen.append(len(inputs[0])))
            rows.append(seen)
            expected.append([wanted] if wanted else [])
    network(images(5), decisions_BG)
    assert len(rows) >= 3
    assert rows == expected


def test_training_is_masked_even_where_evaluation_gathers() -> None:
    network = SkipNet(WideResNet(16, 1), execution="gather").train()
    rows: list[int] = []
    network.stages[2][1].register_forward_hook(lambda _m, inputs, _o: rows.append(len(inputs[0])))
    network(images(4).float(), torch.zeros(4, 3))
    assert rows == [4]


def test_all_forwards_use_the_gates(backbone: StagedNetwork) -> None:
    network = choosy(SkipNet(backbone))
    x, results = images(8), []
    with torch.no_grad():
        for execution in ("masked", "gather"):
            network.execution = execution
            logits, gates = network(x, return_gates=True)
            assert gates.decisions.equal((gates.scores > 0).float())
            torch.testing.assert_close(network(x), logits)
            torch.testing.assert_close(network(x, gates.decisions), logits)
            features = network.forward_features(x)
            torch.testing.assert_close(network.forward_head(features), logits)
            final, levels = network.forward_intermediates(x, norm=True)
            torch.testing.assert_close(final, features)
            torch.testing.assert_close(levels[-1], features)
            extractor = FeatureGetterNet(deepcopy(network), out_indices=(0, 1, 2, 3), norm=True)
            torch.testing.assert_close(extractor(x), levels)
            results.append([logits, *levels])
            assert not torch.allclose(network(x, torch.ones(8, 3)), logits)
    torch.testing.assert_close(results[0], results[1])


def test_state_dict_is_the_backbone_and_the_gates(backbone: StagedNetwork) -> None:
    randomised(backbone)
    plain, fresh = deepcopy(backbone).eval(), deepcopy(backbone)
    with torch.no_grad():
        for parameter in fresh.parameters():
            parameter.zero_()
    network = SkipNet(fresh).double().eval()
    missing, unexpected = network.load_state_dict(plain.state_dict(), strict=False)
    assert unexpected == []
    assert sorted(missing) == sorted(n for n in network.state_dict() if n.startswith("gates."))
    x = images(3)
    assert network(x, torch.ones(3, 3)).equal(plain(x))
    gathering = SkipNet(deepcopy(backbone), execution="gather").double()
    gathering.load_state_dict(network.state_dict())
    assert list(gathering.state_dict()) == list(network.state_dict())


@pytest.mark.parametrize("name", ["ShakeResNet", "ShakeResNeXt"])
def test_batch_norms_count_each_batch_once(name: str) -> None:
    plain = BACKBONES[name]().train()
    network = SkipNet(deepcopy(plain)).train()
    for model, forced in ((plain, ()), (network, (torch.ones(4, 3),))):
        torch.manual_seed(5)
        model(images().float(), *forced)
    state = network.state_dict()
    assert [n for n, buffer in plain.named_buffers() if not state[n].equal(buffer)] == []


def test_only_whole_networks_get_gates() -> None:
    pruned = WideResNet(10, 1)
    pruned.prune_intermediate_layers([1])
    for backbone in (pruned, SkipNet(WideResNet(10, 1))):
        with pytest.raises(ValueError, match="whole network without gates, not a gated or pruned one"):
            SkipNet(backbone)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gate": "lstm"}, "gate must be one of rnn, ff1, ff2, not 'lstm'"),
        ({"from_stage": 3}, "from_stage must be a whole number from 0 to 2, not 3"),
        ({"from_stage": -1}, "from_stage must be a whole number from 0 to 2, not -1"),
        ({"temperature": 0.0}, "temperature must be finite and above 0, not 0.0"),
        ({"temperature": float("nan")}, "temperature must be finite and above 0, not nan"),
        ({"gating": "soft"}, "gating must be one of straight-through, sampled, not 'soft'"),
        ({"execution": "skip"}, "execution must be one of masked, gather, not 'skip'"),
    ],
)
def test_wrong_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SkipNet(WideResNet(16, 1), **arguments)


def test_no_block_to_gate() -> None:
    with pytest.raises(ValueError, match="from_stage 2 leaves no block to gate among 3"):
        SkipNet(WideResNet(10, 1), from_stage=2)


@pytest.mark.parametrize("execution", ["masked", "gather"])
@pytest.mark.parametrize("shape", [(4, 6), (1, 3), (4, 1), (3, 3), (4, 3, 1), (3,)])
def test_decisions_of_another_shape(shape: tuple[int, ...], execution: str) -> None:
    network = SkipNet(WideResNet(16, 1), execution=execution).eval()
    with pytest.raises(ValueError, match=r"decisions must be \[4 images, 3 gates\], not \["):
        network(images(4).float(), torch.ones(shape))
