"""Multiply-adds against counts by hand, and that counting leaves a model as it was."""

from copy import deepcopy

import pytest
import timm
import torch
from torch import Tensor, nn

from faa_models import PyramidNet, SkipNet, WideResNet
from faa_models.macs import count_macs, trace_macs
from faa_models.skipnet import mac_table


@pytest.mark.parametrize(
    ("module", "shape", "expected"),
    [
        (nn.Linear(5, 7), (2, 5), 2 * 5 * 7),
        (nn.Conv2d(3, 8, 3, padding=1), (1, 3, 10, 6), 3 * 8 * 9 * 10 * 6),
        (nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), (2, 3, 9, 9), 2 * 3 * 8 * 9 * 5 * 5),
        (nn.Conv2d(8, 12, (1, 3), groups=4), (1, 8, 4, 6), 8 * 12 // 4 * 3 * 4 * 4),
        (nn.Conv2d(8, 8, 3, groups=8, padding=1), (1, 8, 5, 5), 8 * 9 * 5 * 5),
        (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten()), (2, 3, 4, 4), 0),
        (nn.LSTMCell(10, 6), (3, 10), 3 * 4 * 6 * (10 + 6)),
    ],
    ids=["linear", "conv", "strided", "grouped", "depthwise", "no products", "lstm"],
)
def test_counts_by_hand(module: nn.Module, shape: tuple[int, ...], expected: int) -> None:
    assert count_macs(module, shape) == expected


def test_count_of_a_network_by_hand() -> None:
    stem, stage1 = 3 * 16 * 9 * 1024, 2 * 16 * 16 * 9 * 1024
    stage2 = 16 * 32 * 9 * 1024 + (32 * 32 * 9 + 16 * 32) * 256  # the second convolution has the stride
    stage3 = 32 * 64 * 9 * 256 + (64 * 64 * 9 + 32 * 64) * 64
    assert count_macs(WideResNet(10, 1), (1, 3, 32, 32)) == stem + stage1 + stage2 + stage3 + 64 * 10


@pytest.mark.parametrize(("name", "millions"), [("wrn40_2", 356), ("pyramidnet272_a200", 4489)])
def test_published_figures(name: str, millions: int) -> None:
    with torch.device("meta"):
        network = timm.create_model(name, num_classes=100)
    macs = count_macs(network, (1, 3, 32, 32))
    assert round(macs / 1e6) == millions


@pytest.mark.parametrize("training", [False, True])
def test_counting_leaves_the_model_as_it_was(training: bool) -> None:
    network = SkipNet(PyramidNet(20, 12, shake_drop=0.5), gate="ff1").train(training)
    network(torch.randn(2, 3, 8, 8)).sum().backward()
    before, flags = deepcopy(network.state_dict()), [m.training for m in network.modules()]
    grads = [None if p.grad is None else p.grad.clone() for p in network.parameters()]
    torch.manual_seed(3)
    drawn = torch.rand(4)
    torch.manual_seed(3)
    count_macs(network, (2, 3, 8, 8))
    mac_table(network)
    assert torch.rand(4).equal(drawn), "counting draws no random numbers"
    after = network.state_dict()
    assert all(tensor.device.type == "cpu" and tensor.equal(before[name]) for name, tensor in after.items())
    assert [m.training for m in network.modules()] == flags
    assert all(p.requires_grad and p.device.type == "cpu" for p in network.parameters())
    for parameter, grad in zip(network.parameters(), grads, strict=True):
        assert parameter.grad is grad or parameter.grad.equal(grad)


def test_counting_in_training_is_counting_in_evaluation() -> None:
    network = PyramidNet(20, 12, shake_drop=0.5)
    assert count_macs(network.train(), (1, 3, 32, 32)) == count_macs(network.eval(), (1, 3, 32, 32))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_dtype_does_not_matter(dtype: torch.dtype) -> None:
    network = SkipNet(WideResNet(16, 1))
    expected = count_macs(network, (1, 3, 8, 8)), mac_table(network, (8, 8))
    network.to(dtype)
    assert (count_macs(network, (1, 3, 8, 8)), mac_table(network, (8, 8))) == expected


def test_a_module_without_parameters() -> None:
    assert count_macs(nn.ReLU(), (1, 3)) == 0


def test_trace_returns_the_output_without_storage() -> None:
    class Product(nn.Module):
        def forward(self, a: Tensor, b: Tensor, transposed: bool) -> Tensor:
            return a @ (b.T if transposed else b)

    a, b = torch.empty(2, 3, device="meta"), torch.empty(5, 3, device="meta")
    macs, out = trace_macs(Product(), a, b, True)
    assert (macs, out.shape, out.device.type) == (2 * 3 * 5, (2, 5), "meta")
    assert not out.requires_grad
