"""The compiler sees a batch as one graph, and changes no pixel of it."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from faa_core import Policy, random_policy
from faa_core.applying import Baseline, Normalize, PolicyBatch

ENGINES = (
    "torch",
    pytest.param("numba", marks=pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")),
)
OPERATIONS = ("Rotate", "Equalize", "Cutout", "Sharpness", "Contrast", "AutoContrast", "SamplePairing", "Flip")
NORMALIZE = Normalize(mean=(0.49, 0.48, 0.45), std=(0.25, 0.24, 0.26))
COUNT = 24


class Graphs:
    """A backend that counts the graphs it is given."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, graph: torch.fx.GraphModule, _inputs: list[Tensor]) -> Callable[..., object]:
        self.count += 1
        return graph.forward


@pytest.fixture(autouse=True)
def _no_graphs_left() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def images_of(count: int = COUNT, channels: int = 3) -> Tensor:
    """Return noise, uint8 ``[B, C, 20, 24]``."""
    return torch.from_numpy(np.random.default_rng(4).integers(0, 256, (count, channels, 20, 24), dtype=np.uint8))


def module_of(engine: str, normalize: Normalize | None = None) -> PolicyBatch:
    """Return a module with a policy, partners and a baseline."""
    policy = random_policy(100, seed=8, num_ops=3, ops=OPERATIONS)
    baseline = Baseline(pad=4, hflip=0.5, cutout=7, fill=(120, 5, 77))
    return policy.to_batch(engine=engine, baseline=baseline, normalize=normalize, partners=images_of(5).flip(0))


def run(module: nn.Module, count: int = COUNT, *, seed: int = 3, epoch: int = 2) -> Tensor:
    """Return an augmented batch."""
    return module(images_of(count), seed=seed, epoch=epoch, indices=torch.arange(count))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own compiler
@pytest.mark.parametrize("normalize", [None, NORMALIZE])
@pytest.mark.parametrize("engine", [*ENGINES, "auto"])
def test_compiled_is_eager(engine: str, normalize: Normalize | None) -> None:
    """One whole graph through the compiler's own tracing gives the bits of the plain call, for any epoch and size."""
    module = module_of(engine, normalize)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    for epoch in (0, 1, 2, 7):
        assert torch.equal(run(module, epoch=epoch), run(compiled, epoch=epoch))
    assert torch.equal(run(module, 11), run(compiled, 11))
    assert torch.equal(run(module, seed=2**40), run(compiled, seed=2**40))


@pytest.mark.parametrize("engine", ENGINES)
def test_epochs_are_compiled_once(engine: str) -> None:
    """The second epoch makes the number a variable; from then on nothing is compiled any more, for seeds neither."""
    graphs = Graphs()
    compiled = torch.compile(module_of(engine), fullgraph=True, backend=graphs)
    run(compiled, epoch=2)
    assert graphs.count == 1
    run(compiled, epoch=3)
    assert graphs.count <= 2
    for epoch in range(4, 20):
        run(compiled, epoch=epoch)
    assert graphs.count <= 2
    for seed in range(4, 9):
        run(compiled, seed=seed, epoch=30)
    assert graphs.count <= 3


@pytest.mark.parametrize("engine", ENGINES)
def test_a_compiled_step_goes_on_into_the_network(engine: str) -> None:
    """Augmentation, network and gradient in one graph."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.LazyLinear(2))
    module = module_of(engine, NORMALIZE)

    def step(images: Tensor, epoch: int, indices: Tensor) -> Tensor:
        return network(module(images, seed=1, epoch=epoch, indices=indices)).sum()

    step(images_of(), 0, torch.arange(COUNT))
    graphs = Graphs()
    compiled = torch.compile(step, fullgraph=True, backend=graphs)
    for epoch in (5, 6):
        expected = step(images_of(), epoch, torch.arange(COUNT))
        compiled(images_of(), epoch, torch.arange(COUNT)).backward()
        assert torch.equal(expected, compiled(images_of(), epoch, torch.arange(COUNT)))
    assert graphs.count <= 2
    assert all(weight.grad is not None for weight in network.parameters())


@pytest.mark.parametrize("engine", ENGINES)
def test_the_operators_keep_torchs_rules(engine: str) -> None:
    """Their shapes without data are those with data, and no input is changed or returned (torch's own check)."""
    module = module_of(engine, NORMALIZE)
    images, indices = images_of(), torch.arange(COUNT)
    drawing = (indices, module._tables, module._bases, module._stages, 3, 2, [20, 24], engine == "numba")
    checks = ("test_schema", "test_faketensor")
    torch.library.opcheck(torch.ops.faa_core.draw, drawing, test_utils=checks)
    rows = torch.ops.faa_core.draw(*drawing)
    for scale, bias in (([], []), ([0.1, 0.2, 0.3], [1.0, 2.0, 3.0])):
        arguments = (images, rows, module.partners, engine, "nearest", scale, bias, 1)
        torch.library.opcheck(torch.ops.faa_core.augment, arguments, test_utils=checks)


def test_the_policy_none_compiles() -> None:
    """Also without any instruction."""
    module = Policy.load("none").to_batch(engine="torch")
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    assert torch.equal(images_of(), run(compiled))
