"""Training gated networks: on a small problem, in parallel, compiled and with recomputed activations.

Shapes: B = batch, C = channels, H and W = height and width, G = gates.
"""

from collections.abc import Iterator
from copy import deepcopy

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from faa_models import PyramidNet, ShakeResNet, SkipNet, WideResNet
from faa_models.skipnet import (
    MovingBaseline,
    SkipOutput,
    computation,
    mac_table,
    reinforcement_loss,
    returns,
    sparsity_loss,
)

CLASSES = 4


def blobs(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return images (B, 3, 8, 8), each a class's pattern under noise, and their classes."""
    patterns = torch.randn(CLASSES, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(seed)
    labels_B = torch.randint(CLASSES, (count,), generator=generator)
    return patterns[labels_B] + torch.randn(count, 3, 8, 8, generator=generator), labels_B


def small(**kwargs: object) -> SkipNet:
    torch.manual_seed(0)
    return SkipNet(WideResNet(16, 1, num_classes=CLASSES), from_stage=0, **kwargs)


def train_supervised(network: SkipNet, sparsity: float, steps: int = 60) -> None:
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    network.train()
    for step in range(steps):
        x, labels_B = blobs(32, seed=step + 1)
        logits, gates = network(x, return_gates=True)
        loss = cross_entropy(logits, labels_B) + sparsity_loss(gates, weight=sparsity)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def train_by_reinforcement(network: SkipNet, alpha: float, steps: int = 80) -> None:
    torch.manual_seed(1)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    baseline = MovingBaseline(5)
    network.train()
    for step in range(steps):
        x, labels_B = blobs(32, seed=step + 1)
        logits, gates = network(x, return_gates=True)
        cross_entropy_B = cross_entropy(logits, labels_B, reduction="none")
        returns_BG = returns(gates.decisions, cross_entropy_B, alpha=alpha)
        loss = reinforcement_loss(
            gates,
            cross_entropy_B,
            returns_BG,
            weight=0.3,
            baseline_G=baseline(returns_BG),
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@torch.no_grad()
def measured(network: SkipNet) -> tuple[float, float, float]:
    """Return accuracy on training images, and the share of blocks and of multiply-adds that ran."""
    x, labels_B = blobs(256, seed=1)
    logits, gates = network.eval()(x, return_gates=True)
    done = computation(gates.decisions, mac_table(network, (8, 8)))
    return (logits.argmax(dim=1) == labels_B).float().mean().item(), done.block_rate, done.mac_rate


@pytest.fixture(scope="module")
def supervised() -> SkipNet:
    network = small(gate_bias=1.0)
    train_supervised(network, sparsity=0.0)
    return network


def test_a_price_drives_execution_down_and_none_does_not(supervised: SkipNet) -> None:
    priced = small(gate_bias=1.0)
    train_supervised(priced, sparsity=1.0)
    accuracy, blocks, macs = measured(supervised)
    priced_accuracy, priced_blocks, priced_macs = measured(priced)
    assert blocks > 0.9
    assert macs > 0.9
    assert priced_blocks < 0.4
    assert priced_macs < 0.5
    assert accuracy > 0.9
    assert priced_accuracy > 0.6


def test_reinforcement_lowers_computation_further(supervised: SkipNet) -> None:
    rates = []
    for alpha in (0.0, 5.0):
        network = small(gating="sampled")
        network.load_state_dict(supervised.state_dict())
        train_by_reinforcement(network, alpha)
        accuracy, blocks, macs = measured(network)
        assert accuracy > 0.6  # by chance 0.25
        rates.append((blocks, macs))
    start = measured(supervised)[1:]
    assert rates[0][0] > 0.8
    assert rates[1][0] < 0.5 < start[0]
    assert rates[1][1] < start[1] - 0.3


def test_a_trained_network_gathers_what_it_masks(supervised: SkipNet) -> None:
    network, x = small(execution="gather"), blobs(64, seed=9)[0]
    network.load_state_dict(supervised.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(x), supervised.eval()(x))


@pytest.fixture
def process_group() -> Iterator[None]:
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize("gating", ["straight-through", "sampled"])
@pytest.mark.parametrize("gate", ["rnn", "ff2"])
def test_a_step_in_parallel_is_the_step_alone(gate: str, gating: str) -> None:
    network = small(gate=gate, gating=gating).train()
    x, labels_B = blobs(8, seed=1)
    grads = []
    for model in (deepcopy(network), DistributedDataParallel(deepcopy(network))):
        for _ in range(2):  # DDP complains of parameters without a gradient in the second step
            model.zero_grad()
            torch.manual_seed(3)
            logits, gates = model(x, return_gates=True)
            cross_entropy_B = cross_entropy(logits, labels_B, reduction="none")
            if gating == "sampled":
                loss = reinforcement_loss(gates, cross_entropy_B, returns(gates.decisions, cross_entropy_B))
            else:
                loss = cross_entropy_B.mean() + sparsity_loss(gates)
            loss.backward()
        grads.append({n.removeprefix("module."): p.grad for n, p in model.named_parameters()})
    torch.testing.assert_close(grads[1], grads[0])


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch 2.9's own, in tracing
@pytest.mark.parametrize("gate", ["rnn", "ff1"])
@pytest.mark.parametrize("gating", ["straight-through", "sampled"])
@pytest.mark.parametrize("training", [True, False])
def test_compiles_without_graph_breaks(gate: str, gating: str, training: bool) -> None:
    torch.manual_seed(0)
    network = SkipNet(PyramidNet(20, 12, shake_drop=0.5), gate, gating=gating).train(training)
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    outputs: list[SkipOutput] = []
    for model in (compiled, network):
        torch.manual_seed(2)
        outputs.append(model(blobs(4, seed=1)[0], return_gates=True))
    torch.testing.assert_close(outputs[0], outputs[1])
    torch._dynamo.reset()


@pytest.mark.parametrize("gating", ["straight-through", "sampled"])
def test_checkpointing_gives_the_same_gradients(gating: str) -> None:
    torch.manual_seed(0)
    for backbone in (PyramidNet(20, 12, shake_drop=0.5), ShakeResNet(14, 4), WideResNet(16, 1, block_drop_rate=0.5)):
        network = SkipNet(backbone, gating=gating, freeze_statistics=True).train()
        results = []
        for enable in (False, True):
            network.zero_grad()
            network.set_grad_checkpointing(enable)
            torch.manual_seed(2)  # the second draws again when it recomputes
            logits, gates = network(blobs(4, seed=1)[0], return_gates=True)
            (logits.square().mean() + gates.scores.square().mean() + sparsity_loss(gates)).backward()
            results.append((gates.decisions, {n: p.grad for n, p in network.named_parameters()}))
        assert results[0][0].equal(results[1][0])
        torch.testing.assert_close(results[1][1], results[0][1])


def test_the_cross_entropy_alone_trains_straight_through_gates_only() -> None:
    for gating, expected in (("straight-through", True), ("sampled", False)):
        network = small(gating=gating).train()
        x, labels_B = blobs(8, seed=1)
        cross_entropy(network(x), labels_B).backward()
        assert (network.gates.decide.bias.grad is not None) is expected
        assert all(p.grad is not None for n, p in network.named_parameters() if not n.startswith("gates."))
        assert isinstance(network, nn.Module)
