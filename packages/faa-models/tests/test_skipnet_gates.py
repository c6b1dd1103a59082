"""The gates against a second writing, how they decide in training, and what stays frozen.

Shapes: B = batch, C = channels, H and W = height and width, G = gates.
"""

from collections.abc import Callable, Iterator
from itertools import chain, pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d, max_pool2d

from faa_models import PyramidNet, SkipNet, WideResNet
from faa_models.skipnet import GateRecord

KINDS = ("rnn", "ff1", "ff2")
Gate = Callable[[int, Tensor], Tensor]  # index and features [B, C, H, W] to probabilities [B]


def images(batch: int = 6, side: int = 8) -> Tensor:
    return torch.randn(batch, 3, side, side, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def gated(kind: str = "rnn", scale: float = 1.0, shake_drop: float = 0.5, **kwargs: object) -> SkipNet:
    """Return a network in float64, its running statistics moved away from 0 and 1 and its gates' answers spread."""
    torch.manual_seed(0)
    network = SkipNet(PyramidNet(29, 12, shake_drop=shake_drop), kind, **kwargs).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    with torch.no_grad():
        for name, parameter in network.gates.named_parameters():
            if name.startswith("decide.weight") or name.endswith(("9.weight", "6.weight")):
                parameter.mul_(scale)
    return network


def recurrent(state: dict[str, Tensor], batch: int) -> Gate:
    """Return the recurrent gates written out; their state begins with zeros."""
    memory = {"h": torch.zeros(batch, 10, dtype=torch.float64), "c": torch.zeros(batch, 10, dtype=torch.float64)}

    def ask(index: int, x: Tensor) -> Tensor:
        pooled_BC = x.flatten(2).mean(dim=2)
        projected = pooled_BC @ state[f"gates.projections.{index}.weight"].T + state[f"gates.projections.{index}.bias"]
        sums = projected @ state["gates.cell.weight_ih"].T + state["gates.cell.bias_ih"]
        sums = sums + memory["h"] @ state["gates.cell.weight_hh"].T + state["gates.cell.bias_hh"]
        write, forget, candidate, read = sums.split(10, dim=1)
        memory["c"] = forget.sigmoid() * memory["c"] + write.sigmoid() * candidate.tanh()
        memory["h"] = read.sigmoid() * memory["c"].tanh()
        return (memory["h"] @ state["gates.decide.weight"][0] + state["gates.decide.bias"]).sigmoid()

    return ask


def feed_forward(state: dict[str, Tensor], pooled: bool) -> Gate:
    """Return FFGate-I, if `pooled`, or FFGate-II written out, with batch norm's running statistics."""

    def conv(x: Tensor, at: str, norm: str, stride: int) -> Tensor:
        mean, var, scale, shift = (state[f"{norm}.{n}"] for n in ("running_mean", "running_var", "weight", "bias"))
        return batch_norm(conv2d(x, state[f"{at}.weight"], None, stride, 1), mean, var, scale, shift).clamp(min=0)

    def ask(index: int, x: Tensor) -> Tensor:
        gate = f"gates.gates.{index}"
        if pooled:
            x = conv(max_pool2d(x, 2, ceil_mode=True), f"{gate}.1", f"{gate}.2", 1)
        first = 4 if pooled else 0
        x = conv(x, f"{gate}.{first}", f"{gate}.{first + 1}", 2)
        last = f"{gate}.{first + 5}"
        return (x.flatten(2).mean(dim=2) @ state[f"{last}.weight"].T + state[f"{last}.bias"]).softmax(dim=1)[:, 1]

    return ask


def run(network: SkipNet, x: Tensor, ask: Gate, decide: Callable[[int, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Return logits and probabilities [B, G] of the network with gates from elsewhere, in the network's mode."""
    x, probabilities = network.stem(x), []
    for index, block in enumerate(list(chain.from_iterable(network.blocks())), start=-network.first_gated):
        if index < 0:
            x = block(x)
            continue
        probabilities.append(ask(index, x))
        weight = decide(index, probabilities[-1])[:, None, None, None]
        x = weight * block(x) + (1 - weight) * block.skip(x)
    return network.forward_head(network.norm(x)), torch.stack(probabilities, dim=1)


def second_writing(network: SkipNet, kind: str, batch: int) -> Gate:
    state = dict(network.state_dict(keep_vars=True))
    return recurrent(state, batch) if kind == "rnn" else feed_forward(state, kind == "ff1")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [8, 11])
def test_gates_against_a_second_writing(kind: str, side: int) -> None:
    network, x = gated(kind, scale=20.0).eval(), images(side=side)
    with torch.no_grad():
        network(images(3))  # leaves nothing behind
        logits, gates = network(x, return_gates=True)
        expected, q_BG = run(network, x, second_writing(network, kind, len(x)), lambda _, q: (q > 0.5).double())
    assert 0.0 < gates.decisions.mean() < 1.0
    assert gates.decisions.equal((q_BG > 0.5).float())
    assert gates.scores.dtype == gates.decisions.dtype == torch.float32
    torch.testing.assert_close(gates.scores.sigmoid(), q_BG.float())
    torch.testing.assert_close(logits, expected)


def test_initialisation() -> None:
    torch.manual_seed(0)
    network = SkipNet(PyramidNet(20, 200))
    for projection in network.gates.projections:
        count = projection.weight.numel()
        assert abs(projection.weight.std() / 0.2**0.5 - 1) < 5 / (2 * count) ** 0.5
        assert projection.bias.abs().max() <= projection.in_features**-0.5  # as nn.Linear draws it
    for conv in (m for m in SkipNet(PyramidNet(20, 200), "ff1").gates.modules() if isinstance(m, nn.Conv2d)):
        assert abs(conv.weight.std() / (2 / (9 * conv.out_channels)) ** 0.5 - 1) < 5 / (2 * conv.weight.numel()) ** 0.5


@pytest.mark.parametrize("kind", ["ff1", "ff2"])
def test_feed_forward_gates_shrink_with_the_square_of_the_expansion(kind: str) -> None:
    for bottleneck, expansion in ((False, 1), (True, 4)):
        network = SkipNet(PyramidNet(20, 20, bottleneck=bottleneck), kind)
        blocks = list(chain.from_iterable(network.blocks()))[network.first_gated - 1 :]
        for (before, _), gate in zip(pairwise(blocks), network.gates.gates, strict=True):
            assert gate[-1].in_features == before.out_chs // expansion**2


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_straight_through_gradient_is_that_of_the_probability(training: bool, temperature: float) -> None:
    """The network is linear in each decision; near the hard ones they move as the probabilities do."""
    network = gated(scale=5.0, shake_drop=0.0, temperature=temperature).train(training)
    x = images()
    logits, gates = network(x, return_gates=True)
    assert gates.decisions.unique().tolist() == [0.0, 1.0]
    (logits.square().mean() + 3 * gates.decisions.sum()).backward()

    def written_again(hard_BG: Tensor | None, at_BG: Tensor | None) -> tuple[float, Tensor]:
        used: list[Tensor] = []

        def decide(index: int, q_B: Tensor) -> Tensor:
            q_B = (q_B.logit() / temperature).sigmoid()
            used.append(q_B if hard_BG is None else hard_BG[:, index] + q_B - at_BG[:, index])
            return used[-1] if hard_BG is not None else gates.decisions[:, index].double()

        out, _ = run(network, x, recurrent(network.state_dict(), len(x)), decide)
        return float(out.square().mean() + 3 * torch.stack(used).sum()), torch.stack(used, dim=1)

    with torch.no_grad():
        hard_BG = gates.decisions.double()
        at_BG = written_again(None, None)[1]
        for name in ("decide.bias", "decide.weight", "projections.1.weight", "cell.bias_hh", "stem", "stages.1.0.res"):
            parameter = next(p for n, p in network.named_parameters() if n.removeprefix("gates.").startswith(name))
            flat, losses = parameter.data.view(-1), []
            place = parameter.grad.view(-1).abs().argmax()
            for step in (1e-7, -2e-7):
                flat[place] += step
                losses.append(written_again(hard_BG, at_BG)[0])
            flat[place] += 1e-7
            numeric = (losses[0] - losses[1]) / 2e-7
            assert abs(numeric) > 1e-3
            assert parameter.grad.view(-1)[place].item() == pytest.approx(numeric, rel=1e-3)


def sampling(temperature: float) -> SkipNet:
    torch.manual_seed(0)
    network = SkipNet(WideResNet(16, 1), from_stage=0, gating="sampled", temperature=temperature).train()
    nn.init.uniform_(network.gates.decide.weight, -30.0, 30.0)
    return network


@pytest.mark.parametrize("temperature", [0.05, 1.0, 4.0])
def test_sampled_gates_run_as_often_as_their_probability_says(temperature: float) -> None:
    network = sampling(temperature)
    torch.manual_seed(1)
    gates = network(images(4000, 4).float(), return_gates=True).gates
    q_BG = gates.scores.double().sigmoid()
    torch.manual_seed(1)
    hot = sampling(1.0)(images(4000, 4).float(), return_gates=True).gates.scores
    torch.testing.assert_close(gates.scores[:, 0], hot[:, 0] / temperature)  # later ones see what was decided
    assert not gates.decisions.requires_grad
    assert gates.scores.requires_grad
    assert gates.decisions.unique().tolist() == [0.0, 1.0]
    for low, high in pairwise((0.0, 0.2, 0.4, 0.6, 0.8, 1.0)):
        inside = (q_BG >= low) & (q_BG <= high)
        error = (gates.decisions - q_BG)[inside].sum(dim=0)
        assert error.abs() <= 5 * (q_BG * (1 - q_BG))[inside].sum().sqrt() + 1e-9
    assert q_BG.std() > 0.05


def test_sampling_depends_on_the_seed_alone() -> None:
    network, x, drawn = sampling(4.0), images(64, 4).float(), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(network(x, return_gates=True).gates.decisions)
    assert drawn[0].equal(drawn[1])
    assert not drawn[0].equal(drawn[2])


@pytest.mark.parametrize("gating", ["straight-through", "sampled"])
def test_evaluation_thresholds_at_any_temperature(gating: str) -> None:
    records: list[GateRecord] = []
    for temperature in (0.05, 1.0, 8.0):
        network = gated(scale=20.0, gating=gating, temperature=temperature).eval()
        records.append(network(images(), return_gates=True).gates)
    assert 0.1 < records[0].decisions.mean() < 0.9
    for record in records:
        assert record.decisions.equal((record.scores > 0).float())
        assert record.decisions.equal(records[0].decisions)
    torch.testing.assert_close(0.05 * records[0].scores, records[1].scores)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_gate_bias_opens_or_closes_all_gates_at_the_start(kind: str, training: bool) -> None:
    for bias, expected in ((2.0, 1.0), (-2.0, 0.0)):
        torch.manual_seed(0)
        network = SkipNet(PyramidNet(29, 24), kind, gate_bias=bias).train(training)
        with torch.no_grad():
            gates = network(images(16).float(), return_gates=True).gates
        assert gates.decisions.mean() == expected
        assert gates.scores.mean().item() == pytest.approx(bias, abs=0.5)


def norms(network: SkipNet) -> Iterator[tuple[str, Tensor]]:
    return ((n, b.clone()) for n, b in network.named_buffers() if "running" in n or "batches" in n)


@pytest.mark.parametrize("kind", ["rnn", "ff1"])
@pytest.mark.parametrize(
    ("gating", "freeze", "frozen"),
    [
        ("straight-through", None, False),
        ("straight-through", True, True),
        ("sampled", None, True),
        ("sampled", False, False),
    ],
)
def test_frozen_statistics(kind: str, gating: str, freeze: bool | None, frozen: bool) -> None:
    network = gated(kind, gating=gating, freeze_statistics=freeze)
    before = dict(norms(network))
    for step in range(2):
        if step:  # before, nobody has called train()
            network.train()
        logits, gates = network(images(), torch.ones(6, 5), return_gates=True)
        (logits.square().mean() + gates.scores.square().mean()).backward()
        network.eval()
        network(images())
    changed = [not buffer.equal(before[name]) for name, buffer in norms(network)]
    assert not any(changed) if frozen else all(changed)
    affine = [p for m in network.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters()]
    trained = [bool(p.grad.any()) for p in affine]
    assert sum(trained) > 0.9 * len(trained)  # a ReLU may be dead


def test_a_new_network_is_in_its_backbones_mode() -> None:
    for training in (False, True):
        network = SkipNet(WideResNet(16, 1).train(training), gating="sampled")
        assert network.training is training
        assert {m.training for m in network.modules() if isinstance(m, nn.BatchNorm2d)} == {False}
        assert {m.training for m in network.modules() if isinstance(m, nn.Conv2d)} == {training}
    backbone = WideResNet(16, 1)
    backbone.set_grad_checkpointing()
    assert SkipNet(backbone).grad_checkpointing


def test_frozen_training_uses_the_running_statistics() -> None:
    network = SkipNet(WideResNet(16, 1), freeze_statistics=True)
    x, ones = images().float(), torch.ones(6, 3)
    assert network.train()(x, ones).equal(network.eval()(x, ones))
