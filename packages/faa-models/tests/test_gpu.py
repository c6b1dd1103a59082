"""The networks on a CUDA device: a training step never waits for it, compiles, is captured, and repeats.

Shapes: B = batch, K = classes.
"""

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import faa_models
from faa_models import PyramidNet
from faa_models.shake import shake_drop, shake_shake

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

LARGE = (
    "wrn28_10",
    "shakeshake26_2x112d",
    "shakeshake26_2x96d_next",
    "pyramidnet110_a270_shakedrop",
    "pyramidnet272_a200_shakedrop",
)
assert faa_models.__all__  # its import registers the networks


def create(name: str) -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name).cuda().to(memory_format=torch.channels_last).train()


def batch(size: int = 16) -> tuple[Tensor, Tensor]:
    images = torch.randn(size, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    return images.cuda().contiguous(memory_format=torch.channels_last), (torch.arange(size) % 10).cuda()


def loss_of(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    with torch.autocast("cuda", torch.bfloat16):
        logits_BK = model(images)
    return cross_entropy(logits_BK.float(), labels)


def assert_finite(model: nn.Module) -> None:
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


@pytest.mark.filterwarnings("ignore:.*ynchronization debug mode")  # torch calls it a prototype
@pytest.mark.parametrize("name", LARGE)
def test_a_training_step_does_not_wait_for_the_device(name: str) -> None:
    model, (images, labels) = create(name), batch()
    loss_of(model, images, labels).backward()  # libraries may wait when they are first called
    model.zero_grad()
    torch.cuda.set_sync_debug_mode("error")
    try:
        loss = loss_of(model, images, labels)
        loss.backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert loss.isfinite()
    assert_finite(model)


@pytest.mark.filterwarnings("ignore")  # the compiler's own
@pytest.mark.parametrize("name", ["wrn16_1", "shakeshake26_2x32d", "pyramidnet"])
def test_a_compiled_training_step(name: str) -> None:
    torch.compiler.reset()
    torch.manual_seed(0)
    model = PyramidNet(20, 30, shake_drop=0.5).cuda().train() if name == "pyramidnet" else create(name)
    images, labels = batch()
    compiled = torch.compile(model, fullgraph=True)
    loss = loss_of(compiled, images, labels)
    loss.backward()
    assert loss.isfinite()
    assert_finite(model)
    model.eval()
    with torch.no_grad():
        torch.testing.assert_close(compiled(images), model(images), rtol=1e-2, atol=1e-2)


def test_a_captured_step_draws_anew_at_every_replay() -> None:
    torch.manual_seed(0)
    model = PyramidNet(20, 12, shake_drop=0.9).cuda().train()
    images, labels = batch()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # a capture wants its libraries and gradients to exist
        for _ in range(3):
            cross_entropy(model(images), labels).backward()
    torch.cuda.current_stream().wait_stream(stream)
    model.zero_grad(set_to_none=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = cross_entropy(model(images), labels)
        loss.backward()
    losses = []
    for _ in range(8):
        graph.replay()
        losses.append(loss.item())
        assert_finite(model)
    assert len(set(losses)) > 1


@pytest.mark.parametrize("name", ["shakeshake26_2x32d", "pyramidnet110_a270_shakedrop"])
def test_one_seed_gives_one_result(name: str) -> None:
    model, (images, labels) = create(name).eval(), batch()
    for module in model.modules():  # batch norm stays in evaluation: what is left to chance are the draws
        module.training = not isinstance(module, nn.BatchNorm2d)

    def loss_with(seed: int) -> Tensor:
        torch.manual_seed(seed)
        with torch.no_grad():
            return loss_of(model, images, labels)

    torch.testing.assert_close(loss_with(1), loss_with(1), rtol=1e-3, atol=0)
    assert any((loss_with(seed) - loss_with(1)).abs() > 1e-2 * loss_with(1) for seed in range(2, 6))


def test_draws_of_the_device_have_their_range_and_mean() -> None:
    """Of 100,000 images; five standard deviations."""
    n, generator = 100_000, torch.Generator("cuda").manual_seed(0)
    one, zero = (
        value.requires_grad_() for value in (torch.ones(n, 1, device="cuda"), torch.zeros(n, 1, device="cuda"))
    )
    mixed = shake_shake(one, zero, generator=generator)
    joined = shake_drop(zero, one, drop_prob=1.0, generator=generator)
    for out, low in ((mixed, 0.0), (joined, -1.0)):
        (slope,) = torch.autograd.grad(out.sum(), one)
        for values, least in ((out, low), (slope, 0.0)):
            assert values.min() >= least
            assert values.max() <= 1
            assert abs(values.mean() - (least + 1) / 2) < 5 * (1 - least) / (12 * n) ** 0.5
        assert abs(torch.corrcoef(torch.stack((out[:, 0], slope[:, 0])))[0, 1]) < 5 / n**0.5
