"""What gates are trained for and how their work is counted: by hand, by enumeration and by averages over draws.

Shapes: B = batch, G = gates, A = all 2^G ways to decide.
"""

from itertools import product

import pytest
import torch
from torch import Tensor, nn

from faa_models import SkipNet, WideResNet
from faa_models.skipnet import (
    GateRecord,
    MacTable,
    MovingBaseline,
    computation,
    mac_table,
    reinforcement_loss,
    returns,
    sparsity_loss,
)

DECISIONS_BG = torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
CROSS_ENTROPY_B = torch.tensor([2.0, 5.0])


def record(decisions_BG: Tensor = DECISIONS_BG, scores_BG: Tensor | None = None) -> GateRecord:
    return GateRecord(torch.zeros_like(decisions_BG) if scores_BG is None else scores_BG, decisions_BG)


def test_sparsity_loss_by_hand() -> None:
    decisions_BG = DECISIONS_BG.clone().requires_grad_()
    loss = sparsity_loss(record(decisions_BG), weight=0.1)
    loss.backward()
    assert loss.item() == pytest.approx(0.1 * (1 + 0.5 + 0))
    torch.testing.assert_close(decisions_BG.grad, torch.full((2, 3), 0.1 / 2))
    assert sparsity_loss(record()).item() == pytest.approx(1.5e-4)


def test_sparsity_loss_with_costs_by_hand() -> None:
    decisions_BG = DECISIONS_BG.clone().requires_grad_()
    loss = sparsity_loss(record(decisions_BG), weight=0.1, costs_G=torch.tensor([3.0, 1.0, 2.0], dtype=torch.float64))
    loss.backward()
    assert loss.item() == pytest.approx(0.1 * (3 + 0.5))
    torch.testing.assert_close(decisions_BG.grad, torch.tensor([[0.15, 0.05, 0.1]] * 2))


@pytest.mark.parametrize("shape", [(1,), (3, 1), (2,), (2, 3)])
def test_one_cost_for_each_gate(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"costs must be \[3 gates\], not \["):
        sparsity_loss(record(), costs_G=torch.ones(shape))
    with pytest.raises(ValueError, match=r"costs must be \[3 gates\], not \["):
        returns(DECISIONS_BG, CROSS_ENTROPY_B, costs_G=torch.ones(shape))


def test_computation_by_hand() -> None:
    table = MacTable(total=1000, saved=(100, 300, 200), gate_macs=50)
    done = computation(DECISIONS_BG, table)
    assert done.gate_rates == (1.0, 0.5, 0.0)
    assert done.block_rate == pytest.approx((1.5 + 1) / (3 + 1))
    assert done.mac_rate == pytest.approx((1000 + 50 - 0.5 * 300 - 200) / 1000)
    assert computation(torch.ones(1, 3), table).mac_rate == 1.05
    assert computation(torch.zeros(4, 3), table).mac_rate == pytest.approx(0.45)
    assert computation(torch.zeros(4, 3), table).block_rate == 0.25
    torch.testing.assert_close(table.weights(), torch.tensor([0.5, 1.5, 1.0]))


@pytest.mark.parametrize("shape", [(0, 3), (2, 4), (3,), (2, 3, 1)])
def test_computation_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"decisions must be \[images, 3\], not \["):
        computation(torch.ones(shape), MacTable(total=1000, saved=(100, 300, 200), gate_macs=50))


def test_mac_table_by_hand() -> None:
    """WRN-16-1 on 8×8 images: 16, 32 and 64 channels at 64, 16 and 4 pixels; a gate before all blocks but the third."""
    table = mac_table(SkipNet(WideResNet(16, 1)), (8, 8))
    first3 = 32 * 64 * 9 * 16 + 64 * 64 * 9 * 4  # stage 3's first block without its shortcut's convolution
    assert table.saved == (2 * 32 * 32 * 9 * 16, first3, 2 * 64 * 64 * 9 * 4)
    assert table.gate_macs == 10 * (32 + 32 + 64) + 3 * (4 * 10 * 20 + 10)
    always = 3 * 16 * 9 * 64 + 4 * 16 * 16 * 9 * 64 + 16 * 32 * 9 * 64 + (32 * 32 * 9 + 16 * 32) * 16
    assert table.total == always + sum(table.saved) + 32 * 64 * 4 + 64 * 10


@pytest.mark.parametrize("gate", ["ff1", "ff2"])
def test_feed_forward_gates_are_counted(gate: str) -> None:
    table = mac_table(SkipNet(WideResNet(16, 1), gate), (8, 8))
    sides = {"ff1": ((32, 2, 1), (32, 2, 1), (64, 1, 1)), "ff2": ((32, 0, 2), (32, 0, 2), (64, 0, 1))}[gate]
    assert table.gate_macs == sum(9 * c * c * (full**2 + half**2) + 2 * c for c, full, half in sides)


@pytest.mark.parametrize(
    ("gamma", "expected"),
    [
        (1.0, [[-1.8, -1.8, -1.9], [-4.9, -4.9, -4.9]]),
        (0.5, [[-0.175, -0.35, -0.9], [-0.6, -1.2, -2.4]]),
        (0.0, [[0.0, 0.1, 0.1], [0.0, 0.0, 0.1]]),
    ],
)
def test_returns_by_hand(gamma: float, expected: list[list[float]]) -> None:
    """A skipped block earns 0.3/3; image 1 skips blocks 2 and 3, image 2 block 3."""
    actual = returns(DECISIONS_BG, CROSS_ENTROPY_B, alpha=0.3, gamma=gamma)
    torch.testing.assert_close(actual, torch.tensor(expected))


def test_returns_with_costs_by_hand() -> None:
    actual = returns(DECISIONS_BG, CROSS_ENTROPY_B, alpha=0.3, costs_G=torch.tensor([9.0, 0.5, 2.0]))
    torch.testing.assert_close(actual, torch.tensor([[-1.75, -1.75, -1.8], [-4.8, -4.8, -4.8]]))


def test_an_image_is_credited_with_its_own_cross_entropy() -> None:
    before = returns(DECISIONS_BG, CROSS_ENTROPY_B)
    after = returns(DECISIONS_BG, CROSS_ENTROPY_B + torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(after - before, torch.tensor([[0.0] * 3, [-1.0] * 3]))
    assert not returns(DECISIONS_BG, CROSS_ENTROPY_B.clone().requires_grad_()).requires_grad


@pytest.mark.parametrize("shape", [(2, 1), (1,), (), (3,), (2, 3)])
def test_returns_want_one_cross_entropy_for_each_image(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"the cross-entropy of each image \[B\], not \[2, 3\] and \["):
        returns(DECISIONS_BG, torch.ones(shape))


@pytest.mark.parametrize("gamma", [-0.1, 1.5, float("nan")])
def test_gamma_is_a_discount(gamma: float) -> None:
    with pytest.raises(ValueError, match=r"gamma must lie in \[0, 1\], not"):
        returns(DECISIONS_BG, CROSS_ENTROPY_B, gamma=gamma)


def test_reinforcement_loss_by_hand() -> None:
    scores_BG = torch.tensor([[0.5, -1.0, 2.0], [1.0, 0.0, -0.5]], requires_grad=True)
    returns_BG = torch.tensor([[1.0, -2.0, 3.0], [4.0, 0.5, -1.0]], requires_grad=True)
    baseline_G = torch.tensor([0.5, 0.0, -1.0])
    cross_entropy_B = CROSS_ENTROPY_B.clone().requires_grad_()
    kwargs = {"weight": 0.2, "baseline_G": baseline_G}
    loss = reinforcement_loss(record(scores_BG=scores_BG), cross_entropy_B, returns_BG, **kwargs)
    loss.backward()
    q_BG = 1 / (1 + (-scores_BG.detach()).exp())
    chance_BG = DECISIONS_BG * q_BG + (1 - DECISIONS_BG) * (1 - q_BG)
    advantage_BG = returns_BG.detach() - baseline_G
    assert returns_BG.grad is None
    torch.testing.assert_close(loss.detach(), 3.5 + 0.2 * -(chance_BG.log() * advantage_BG).sum() / 2)
    torch.testing.assert_close(scores_BG.grad, -0.2 / 2 * advantage_BG * (DECISIONS_BG - q_BG))
    torch.testing.assert_close(cross_entropy_B.grad, torch.tensor([0.5, 0.5]))


def test_gates_weigh_a_hundredth_by_default() -> None:
    one, other, another = (
        reinforcement_loss(record(), CROSS_ENTROPY_B, torch.ones(2, 3), **weight)
        for weight in ({}, {"weight": 0.01}, {"weight": 0.02})
    )
    assert one == other != another


@pytest.mark.parametrize("shape", [(2, 1), (3,), (1, 3), (2,)])
def test_reinforcement_wants_one_return_for_each_decision(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"returns must be shaped as the decisions, \[2, 3\], not \["):
        reinforcement_loss(record(), CROSS_ENTROPY_B, torch.ones(shape))


@pytest.mark.parametrize("shape", [(2, 1), (2, 3), (1,), ()])
def test_reinforcement_wants_one_baseline_for_each_gate(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"the baseline must be \[3 gates\], not \["):
        reinforcement_loss(record(), CROSS_ENTROPY_B, torch.ones(2, 3), baseline_G=torch.ones(shape))


class Bandit:
    """Three gates in a row, each score depending on what was decided before, and a cross-entropy for each way."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.actions_AG = torch.tensor(list(product((0.0, 1.0), repeat=3)), dtype=torch.float64)
        self.cross_entropy_A = 3 * torch.rand(8, generator=generator, dtype=torch.float64)
        self.weights = torch.randn(3, 4, generator=generator, dtype=torch.float64).requires_grad_()

    def scores(self, actions_BG: Tensor) -> Tensor:
        columns = [self.weights[g, 3] + actions_BG[:, :g] @ self.weights[g, :g] for g in range(3)]
        return torch.stack(columns, dim=1)

    def chances(self, temperature: float) -> Tensor:
        q_AG = (self.scores(self.actions_AG) / temperature).sigmoid()
        return torch.where(self.actions_AG == 1, q_AG, 1 - q_AG).prod(dim=1)

    def true_gradient(self, alpha: float, temperature: float) -> Tensor:
        """Return that of the expected sum of rewards."""
        total_A = alpha / 3 * (1 - self.actions_AG).sum(dim=1) - self.cross_entropy_A
        return torch.autograd.grad((self.chances(temperature) * total_A).sum(), self.weights)[0]

    def estimates(self, alpha: float, temperature: float, baseline_G: Tensor | None) -> Tensor:
        """Return the loss's gradient for each way to decide."""
        kwargs = {"weight": 1.0, "baseline_G": baseline_G}
        grads = []
        for actions_G, cross_entropy in zip(self.actions_AG, self.cross_entropy_A, strict=True):
            gates = GateRecord(self.scores(actions_G[None]) / temperature, actions_G[None])
            returns_BG = returns(gates.decisions, cross_entropy[None], alpha=alpha)
            loss = reinforcement_loss(gates, cross_entropy[None], returns_BG, **kwargs)
            grads.append(torch.autograd.grad(loss, self.weights)[0])
        return torch.stack(grads)


@pytest.mark.parametrize("temperature", [1.0, 0.3])
@pytest.mark.parametrize("baseline_G", [None, torch.tensor([-1.0, 0.7, 2.0])], ids=["plain", "baseline"])
def test_the_expected_gradient_is_that_of_the_expected_return(temperature: float, baseline_G: Tensor | None) -> None:
    bandit = Bandit()
    chances_A = bandit.chances(temperature).detach()
    expected = torch.einsum("a,agw->gw", chances_A, bandit.estimates(0.5, temperature, baseline_G))
    torch.testing.assert_close(-expected, bandit.true_gradient(0.5, temperature))
    assert expected.abs().max() > 0.01


def test_a_moving_baseline_keeps_the_mean_gradient_and_lowers_its_variance() -> None:
    bandit, generator = Bandit(), torch.Generator().manual_seed(0)
    chances_A = bandit.chances(1.0).detach()
    baseline = MovingBaseline(3, decay=0.9).double()
    for _ in range(300):
        drawn_B = chances_A.multinomial(16, replacement=True, generator=generator)
        given_G = baseline(returns(bandit.actions_AG[drawn_B], bandit.cross_entropy_A[drawn_B], alpha=0.5))
    moments = []
    for baseline_G in (None, given_G):
        grads = bandit.estimates(0.5, 1.0, baseline_G)
        mean = torch.einsum("a,agw->gw", chances_A, grads)
        moments.append((mean, torch.einsum("a,agw->", chances_A, (grads - mean).square())))
    torch.testing.assert_close(moments[1][0], moments[0][0])
    assert moments[1][1] < 0.7 * moments[0][1]


def test_moving_baseline_corrects_its_start_and_looks_only_back() -> None:
    baseline = MovingBaseline(2, decay=0.75)
    batches = [torch.tensor([[1.0, 4.0], [3.0, 0.0]]), torch.tensor([[10.0, -2.0]]), torch.tensor([[0.0, 0.0]])]
    given = [baseline(batch) for batch in batches]
    torch.testing.assert_close(given[0], torch.zeros(2))
    torch.testing.assert_close(given[1], torch.tensor([2.0, 2.0]))
    torch.testing.assert_close(given[2], torch.tensor([0.75 * 2 + 10, 0.75 * 2 - 2]) / 1.75)
    assert not given[2].requires_grad
    restored = MovingBaseline(2, decay=0.75)
    restored.load_state_dict(baseline.state_dict())
    assert restored(batches[0]).equal(baseline(batches[0]))
    assert isinstance(baseline, nn.Module)


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_moving_baseline_rejects_other_decays(decay: float) -> None:
    with pytest.raises(ValueError, match=r"decay must lie in \[0, 1\), not"):
        MovingBaseline(3, decay=decay)


def test_network_and_loss_mean_the_same_temperature() -> None:
    """The mean surprise of what the network sampled is the entropy only at the temperature it sampled with."""
    torch.manual_seed(0)
    network = SkipNet(WideResNet(10, 1), from_stage=0, gating="sampled", temperature=0.5, gate_bias=0.5).train()
    with torch.no_grad():
        gates = network(torch.randn(8000, 3, 4, 4), return_gates=True).gates
    zeros_B, ones_BG = torch.zeros(8000), torch.ones(8000, 2)
    surprise = reinforcement_loss(gates, zeros_B, ones_BG, weight=1.0)
    chances_BG = torch.distributions.Bernoulli(logits=gates.scores)
    spread = (gates.scores.square() * chances_BG.variance).sum().sqrt() / 8000
    assert abs(surprise - chances_BG.entropy().sum(dim=1).mean()) < 5 * spread
    other = reinforcement_loss(gates._replace(scores=0.5 * gates.scores), zeros_B, ones_BG, weight=1.0)
    assert abs(other - chances_BG.entropy().sum(dim=1).mean()) > 5 * spread
