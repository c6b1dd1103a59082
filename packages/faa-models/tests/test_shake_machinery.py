"""The layers that scale at random, with what torch does around them: layouts, compilers, processes, recomputation."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, nn
from torch._subclasses import FakeTensorMode
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from faa_models.shake import Level, ShakeDrop, ShakeShake, shake_drop, shake_shake

LEVELS: tuple[Level, ...] = ("batch", "image", "channel", "pixel")
INDUCTOR = pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
Join = Callable[..., Tensor]


def half_dropped(shortcut: Tensor, residual: Tensor, **kwargs: object) -> Tensor:
    return shake_drop(shortcut, residual, drop_prob=0.5, gate_level="image", **kwargs)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def run(join: Join, first: Tensor, second: Tensor, **kwargs: object) -> list[Tensor]:
    """Return the output and both gradients, drawn with one seed."""
    terms = [t.detach().requires_grad_() for t in (first, second)]
    out = join(*terms, generator=torch.Generator().manual_seed(7), **kwargs)
    return [out, *torch.autograd.grad(out.square().sum(), terms)]


class Small(nn.Module):
    """A network with both layers, for images [B, 3, H, W]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.first, self.second = (nn.Conv2d(c, 4, 3, padding=1) for c in (3, 4, 4))
        self.mix, self.join = ShakeShake(), ShakeDrop(0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.join(x, self.mix(self.first(x), self.second(x))).mean(dim=(2, 3))


both = pytest.mark.parametrize("join", [shake_shake, half_dropped])


# Layouts and sizes


@both
@pytest.mark.parametrize("level", LEVELS)
def test_channels_last_stays(join: Join, level: Level) -> None:
    terms = [normal(3, 8, 4, 5, seed=s) for s in (1, 2)]
    results = run(join, *(t.contiguous(memory_format=torch.channels_last) for t in terms), level=level)
    assert all(r.is_contiguous(memory_format=torch.channels_last) for r in results)
    torch.testing.assert_close(results, run(join, *terms, level=level))


@pytest.mark.parametrize("layer", [ShakeShake().eval(), ShakeDrop(0.5).eval()])
def test_channels_last_stays_in_evaluation(layer: nn.Module) -> None:
    terms = [normal(3, 8, 4, 5, seed=s).contiguous(memory_format=torch.channels_last) for s in (1, 2)]
    assert layer(*terms).is_contiguous(memory_format=torch.channels_last)


@both
@pytest.mark.parametrize("level", LEVELS)
def test_non_contiguous_terms(join: Join, level: Level) -> None:
    first, second = normal(4, 6, 5, seed=1).transpose(0, 2), normal(5, 6, 8, seed=2)[:, :, ::2]
    expanded = normal(5, 1, 4, seed=3).expand(5, 6, 4)
    for terms in ((first, second), (expanded, first), (second, expanded)):
        expected = run(join, *(t.contiguous() for t in terms), level=level)
        torch.testing.assert_close(run(join, *terms, level=level), expected)


@both
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("shape", [(5,), (5, 3), (0, 3, 4, 4), (1, 1, 1, 1), (2, 3, 4, 5, 6)])
def test_any_number_of_axes_and_images(join: Join, level: Level, shape: tuple[int, ...]) -> None:
    for result in run(join, normal(*shape, seed=1), normal(*shape, seed=2), level=level):
        assert result.shape == shape
        assert result.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype: torch.dtype) -> None:
    layers = nn.ModuleList((nn.Linear(6, 6), nn.Linear(6, 6)))
    x = normal(5, 6)
    for join in (ShakeShake(), ShakeDrop(0.5), ShakeShake().eval(), ShakeDrop(0.5).eval()):
        with torch.autocast("cpu", dtype):
            out = join(*(layer(x) for layer in layers))
        assert out.dtype == dtype
        out.float().square().sum().backward()
    assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in layers.parameters())


def test_shake_drop_joins_a_precise_shortcut_under_autocast() -> None:
    shortcut, residual = normal(4, 6, seed=1).requires_grad_(), normal(4, 6, seed=2).bfloat16().requires_grad_()
    for layer in (ShakeDrop(0.5), ShakeDrop(0.5).eval()):
        out = layer(shortcut, residual)
        assert out.dtype == torch.float32
        grads = torch.autograd.grad(out.sum(), (shortcut, residual))
        assert [g.dtype for g in grads] == [torch.float32, torch.bfloat16]


# Without values: no result may depend on what a tensor holds, so no device is ever waited for


@both
@pytest.mark.parametrize("level", LEVELS)
def test_meta_tensors_pass_forward_and_backward(join: Join, level: Level) -> None:
    terms = [torch.empty(2, 3, 4, 5, device="meta", requires_grad=True) for _ in range(2)]
    out = join(*terms, level=level)
    out.sum().backward()
    assert [t.grad.shape for t in terms] == [out.shape] * 2


@pytest.mark.parametrize("training", [False, True])
def test_fake_tensors_pass_forward_and_backward(training: bool) -> None:
    with FakeTensorMode():
        model = Small().train(training)
        model(torch.empty(2, 3, 4, 5)).sum().backward()
        assert all(p.grad.shape == p.shape for p in model.parameters())


# Recomputation, processes, compilers


def test_checkpointing_repeats_the_draws() -> None:
    model, x = Small(), normal(4, 3, 5, 5)
    grads = []
    for forward in (model, lambda x: checkpoint(model, x, use_reentrant=False)):
        torch.manual_seed(5)
        grads.append(torch.autograd.grad(forward(x).square().sum(), list(model.parameters())))
    torch.testing.assert_close(grads[1], grads[0])


@pytest.mark.skipif(not distributed.is_available(), reason="this torch has no torch.distributed")
def test_trains_under_distributed_data_parallel(tmp_path: Path) -> None:
    """Two steps in one process are those of the bare network."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        weights = []
        for wrap in (lambda m: m, DistributedDataParallel):
            torch.manual_seed(3)
            model = Small()
            applied, optimizer = wrap(model), torch.optim.SGD(model.parameters(), lr=0.1)
            for step in range(2):
                optimizer.zero_grad()
                applied(normal(4, 3, 5, 5, seed=step)).square().sum().backward()
                optimizer.step()
            weights.append(dict(model.named_parameters()))
        torch.testing.assert_close(weights[1], weights[0])
    finally:
        distributed.destroy_process_group()


@pytest.mark.filterwarnings("ignore")  # the compiler's own
@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=[INDUCTOR, pytest.mark.slow])])
def test_compiles_into_one_graph(backend: str) -> None:
    torch.compiler.reset()
    torch.manual_seed(0)
    model, x = Small(), normal(4, 3, 5, 5)
    compiled = torch.compile(model, backend=backend, fullgraph=True)
    loss = compiled(x).square().sum()
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in model.parameters())
    model.eval()
    torch.testing.assert_close(compiled(x), model(x))


@INDUCTOR
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_compiled_layers_draw_what_they_should() -> None:
    """N = 20,000 images: inductor draws by itself, and must not take forward and backward for one number."""
    torch.compiler.reset()
    torch.manual_seed(0)
    n = 20_000

    @torch.compile(fullgraph=True)
    def joined(one: Tensor, zero: Tensor) -> tuple[Tensor, Tensor]:
        return shake_shake(one, zero), shake_drop(zero, one, drop_prob=0.4, gate_level="image")

    one, zero = torch.ones(n, 2, requires_grad=True), torch.zeros(n, 2, requires_grad=True)
    bound = 5 / n**0.5
    for number, (low, mean, slope) in enumerate(((0.0, 0.5, 0.5), (-1.0, 0.6, 0.8))):
        forward = joined(one, zero)[number]
        (backward,) = torch.autograd.grad(forward.sum(), one)
        assert forward[:, 0].equal(forward[:, 1])
        assert backward[:, 0].equal(backward[:, 1])
        drawn = torch.stack((forward[:, 0], backward[:, 0])).detach()
        drawn = drawn[:, drawn[0] != 1]
        assert drawn[0].min() >= low
        assert drawn[1].min() >= 0
        assert drawn.max() <= 1
        assert abs(forward.mean() - mean) < bound  # the deviation of one draw is below 1
        assert abs(backward.mean() - slope) < bound
        assert abs(torch.corrcoef(drawn)[0, 1]) < 5 / drawn.shape[1] ** 0.5
