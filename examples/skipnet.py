"""A network that skips blocks, trained in SkipNet's two stages on scikit-learn's digits; half a minute on a CPU.

First by gradients (straight-through gates, a price for each block that runs), then by reinforcement (sampled gates,
rewarded for skipping and for getting the image right). After each stage: the test error, and how much ran.
"""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import timm
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn.functional import cross_entropy

from faa_models.skipnet import (
    MacTable,
    MovingBaseline,
    SkipNet,
    SkipOutput,
    computation,
    mac_table,
    reinforcement_loss,
    returns,
    sparsity_loss,
)

Loss = Callable[[SkipOutput, Tensor], Tensor]

TRAINING_IMAGES = 1000
TEMPERATURE = 0.05  # of the second stage: sampling starts close to what the first stage decides


def main() -> None:
    """Train both stages and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=15, help="of each stage")
    parser.add_argument("--price", type=float, default=0.02, help="of a block that runs, in the first stage")
    parser.add_argument("--alpha", type=float, default=1.0, help="reward for skipping all blocks, in the second stage")
    options = parser.parse_args()
    torch.manual_seed(0)
    digits = load_digits()
    images_BCHW = torch.tensor(digits.images / 16, dtype=torch.float32)[:, None]
    labels_B = torch.tensor(digits.target)
    train = images_BCHW[:TRAINING_IMAGES], labels_B[:TRAINING_IMAGES]
    test = images_BCHW[TRAINING_IMAGES:], labels_B[TRAINING_IMAGES:]

    network = make(gate_bias=2.0)  # every block runs at first
    table = mac_table(network, (8, 8))
    fit(network, train, partial(supervised, table=table, price=options.price), epochs=options.epochs, lr=0.05)
    report("straight-through", network, test, table)

    second = make(gating="sampled", temperature=TEMPERATURE)
    second.load_state_dict(network.state_dict())
    baseline = MovingBaseline(len(table.saved))
    loss = partial(reinforced, table=table, alpha=options.alpha, baseline=baseline)
    fit(second, train, loss, epochs=options.epochs, lr=0.005)
    second.execution = "gather"  # skipped blocks now save time
    report("reinforcement", second, test, table)


def make(**gates: Any) -> SkipNet:
    """Return a WRN-28-1 for grey images whose blocks have gates in all stages."""
    return SkipNet(timm.create_model("wrn", depth=28, width=1, in_chans=1), "rnn", from_stage=0, **gates)


def supervised(output: SkipOutput, labels_B: Tensor, *, table: MacTable, price: float) -> Tensor:
    """Return the first stage's loss: blocks are paid for by their multiply-adds."""
    return cross_entropy(output.logits, labels_B) + sparsity_loss(output.gates, weight=price, costs_G=table.weights())


def reinforced(
    output: SkipOutput, labels_B: Tensor, *, table: MacTable, alpha: float, baseline: MovingBaseline
) -> Tensor:
    """Return the second stage's loss."""
    loss_B = cross_entropy(output.logits, labels_B, reduction="none")
    returns_BG = returns(output.gates.decisions, loss_B, alpha=alpha, costs_G=table.weights())
    return reinforcement_loss(output.gates, loss_B, returns_BG, baseline_G=baseline(returns_BG))


def fit(network: SkipNet, images: tuple[Tensor, Tensor], loss: Loss, *, epochs: int, lr: float) -> None:
    """Train a stage."""
    optimizer = torch.optim.SGD(network.parameters(), lr=lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
    network.train()
    for _epoch in range(epochs):
        for rows in torch.randperm(len(images[0])).split(50):
            output = network(images[0][rows], return_gates=True)
            optimizer.zero_grad()
            loss(output, images[1][rows]).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()


@torch.inference_mode()
def report(stage: str, network: SkipNet, images: tuple[Tensor, Tensor], table: MacTable) -> None:
    """Print the test error and how much of the network ran."""
    network.eval()
    output = network(images[0], return_gates=True)
    error = 100 * (output.logits.argmax(dim=1) != images[1]).float().mean()
    ran = computation(output.gates.decisions, table)
    rates = " ".join(f"{100 * rate:.0f}" for rate in ran.gate_rates)
    print(f"{stage}: test error {error:.2f} %, {100 * ran.mac_rate:.1f} % of the multiply-adds; % per gate: {rates}")


if __name__ == "__main__":
    main()
