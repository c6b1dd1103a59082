"""What gates are trained for: accuracy and few blocks, by gradients or by reinforcement.

Shapes: B = batch, G = gates.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from faa_models.skipnet.network import GateRecord

__all__ = ["MovingBaseline", "reinforcement_loss", "returns", "sparsity_loss"]


def sparsity_loss(gates: GateRecord, *, weight: float = 1e-4, costs_G: Tensor | None = None) -> Tensor:
    """Return weight · Σ_g cost_g · (share of images whose block g ran): what is added to the cross-entropy.

    Args:
        gates: What straight-through gates decided.
        weight: Price of a block; 1e-4 in MicroNet's code, where it is too low to skip much.
        costs_G: What each block costs, such as `MacTable.weights()`; all 1 if None, as in MicroNet's code.

    Raises:
        ValueError: If there is not one cost for each gate.
    """
    rates_G = gates.decisions.mean(dim=0)
    return weight * _priced(rates_G, costs_G).sum()


def returns(
    decisions_BG: Tensor,
    cross_entropy_B: Tensor,
    *,
    alpha: float = 0.1,
    gamma: float = 1.0,
    costs_G: Tensor | None = None,
) -> Tensor:
    """Return each decision's return, [B, G]: R_g = r_g + γ·R_{g+1}, with R_{G+1} = −cross-entropy of that image.

    A skipped block is rewarded by r_g = α/G · cost_g (SkipNet, arXiv:1711.09485, eq. 3). Every image is credited with
    its own cross-entropy; MicroNet's code credits all with the batch's mean, by a slip of shapes.

    Args:
        decisions_BG: 1 where a block ran, 0 where it was skipped.
        cross_entropy_B: Of each image.
        alpha: Reward for skipping everything.
        gamma: Discount per gate, in [0, 1].
        costs_G: What each block costs; all 1 if None.

    Raises:
        ValueError: If the shapes do not fit; a cross-entropy [B, 1] does not. If `gamma` lies outside [0, 1].
    """
    if not 0.0 <= gamma <= 1.0:
        raise ValueError(f"gamma must lie in [0, 1], not {gamma}")
    if decisions_BG.ndim != 2 or cross_entropy_B.shape != decisions_BG.shape[:1]:
        given = f"{list(decisions_BG.shape)} and {list(cross_entropy_B.shape)}"
        raise ValueError(f"decisions must be [B, G] and the cross-entropy of each image [B], not {given}")
    rewards_BG = _priced((alpha / decisions_BG.shape[1]) * (1.0 - decisions_BG.detach()), costs_G)
    value_B = -cross_entropy_B.detach().to(rewards_BG)
    values: list[Tensor] = []
    for reward_B in reversed(rewards_BG.unbind(dim=1)):
        value_B = reward_B + gamma * value_B
        values.append(value_B)
    return torch.stack(values[::-1], dim=1)


def reinforcement_loss(
    gates: GateRecord,
    cross_entropy_B: Tensor,
    returns_BG: Tensor,
    *,
    weight: float = 0.01,
    baseline_G: Tensor | None = None,
) -> Tensor:
    """Return mean cross-entropy + weight · mean over images of Σ_g −log π(decision_g) · (return_g − baseline_g).

    Hybrid reinforcement learning (SkipNet, §3.3): the cross-entropy trains the blocks that ran, REINFORCE the gates.

    Args:
        gates: What sampled gates decided.
        cross_entropy_B: Of each image, with its gradient.
        returns_BG: From `returns`.
        weight: Of the second term.
        baseline_G: Subtracted from the returns, to lower the variance of the gradient; 0 if None, as in the papers.

    Raises:
        ValueError: If there is not one return for each decision, and one baseline for each gate.
    """
    if returns_BG.shape != gates.decisions.shape:
        given = list(returns_BG.shape)
        raise ValueError(f"returns must be shaped as the decisions, {list(gates.decisions.shape)}, not {given}")
    if baseline_G is not None and baseline_G.shape != returns_BG.shape[1:]:
        raise ValueError(f"the baseline must be [{returns_BG.shape[1]} gates], not {list(baseline_G.shape)}")
    surprise_BG = binary_cross_entropy_with_logits(gates.scores, gates.decisions.detach(), reduction="none")
    advantage_BG = returns_BG if baseline_G is None else returns_BG - baseline_G
    return cross_entropy_B.mean() + weight * (surprise_BG * advantage_BG.detach()).sum(dim=1).mean()


class MovingBaseline(nn.Module):
    """The moving average of returns, gate by gate.

    Args:
        gate_count: G.
        decay: Weight of the past, in [0, 1).

    Raises:
        ValueError: If `decay` is not in that range.
    """

    mean: Tensor
    updates: Tensor

    def __init__(self, gate_count: int, decay: float = 0.9) -> None:
        super().__init__()
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"decay must lie in [0, 1), not {decay}")
        self.decay = decay
        self.register_buffer("mean", torch.zeros(gate_count))
        self.register_buffer("updates", torch.zeros(()))

    @torch.no_grad()
    def forward(self, returns_BG: Tensor) -> Tensor:
        """Return the average [G] of the batches before this one, 0 before the first, and take this one in."""
        baseline_G = self.mean / (1.0 - self.decay**self.updates).clamp(min=1e-12)
        self.mean.lerp_(returns_BG.mean(dim=0), 1.0 - self.decay)
        self.updates += 1
        return baseline_G


def _priced(amounts: Tensor, costs_G: Tensor | None) -> Tensor:
    """Return amounts [..., G] times the costs."""
    if costs_G is None:
        return amounts
    if costs_G.shape != amounts.shape[-1:]:
        raise ValueError(f"costs must be [{amounts.shape[-1]} gates], not {list(costs_G.shape)}")
    return amounts * costs_G.to(amounts)
