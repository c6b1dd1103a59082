"""The layers that scale at random: what they draw, what shares a draw, and that nothing else happens.

Ones passed in come out as the forward coefficients, gradients of ones as the backward coefficients. Bounds are five
standard deviations of the estimate unless said otherwise, and every generator is seeded.

Shapes: B = batch, C = channels, H and W = height and width.
"""

from collections.abc import Callable
from itertools import product
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from faa_models.shake import Level, ShakeDrop, ShakeShake, shake_drop, shake_shake

LEVELS = get_args(Level)
SHAPE = (6, 5, 4, 3)
AXES = {"batch": 0, "image": 1, "channel": 2, "pixel": 4}  # how many leading axes a level tells apart
N = 100_000
Join = Callable[..., Tensor]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64).to(dtype)


def half_dropped(shortcut: Tensor, residual: Tensor, **kwargs: object) -> Tensor:
    return shake_drop(shortcut, residual, **({"drop_prob": 0.5, "gate_level": "image"} | kwargs))


def coefficients(join: Join, shape: tuple[int, ...], **kwargs: object) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `join` multiplies its first term with forward, then both terms' gradients backward."""
    one, zero = torch.ones(shape, requires_grad=True), torch.zeros(shape, requires_grad=True)
    out = join(one, zero, **kwargs)
    out.backward(torch.ones(shape))
    return out.detach(), one.grad, zero.grad


def drop_factors(shape: tuple[int, ...], **kwargs: object) -> tuple[Tensor, Tensor]:
    """Return the residual's factors, forward and backward."""
    out, backward, shortcut = coefficients(lambda one, zero, **kw: shake_drop(zero, one, **kw), shape, **kwargs)
    assert shortcut.equal(torch.ones(shape))
    return out, backward


def shared(values: Tensor, level: str) -> Tensor:
    """Return what each group of `level` holds at its first place, broadcast over the group."""
    axes = AXES[level]
    return values[(..., *(slice(0, 1) if axis >= axes else slice(None) for axis in range(values.ndim)))].expand_as(
        values
    )


def assert_uniform(values: Tensor, low: float) -> None:
    """Check range, mean, and the share in each of ten bins of numbers uniform from `low` to 1."""
    assert low <= values.min() < low + 1e-2
    assert 1 - 1e-2 < values.max() <= 1
    n, width = len(values), 1 - low
    assert abs(values.double().mean() - (low + 1) / 2) < 5 * width / (12 * n) ** 0.5
    counts = torch.histc(values, bins=10, min=low, max=1) / n
    assert (counts - 0.1).abs().max() < 5 * (0.1 * 0.9 / n) ** 0.5


def assert_independent(first: Tensor, second: Tensor) -> None:
    assert abs(torch.corrcoef(torch.stack((first, second)))[0, 1]) < 5 / len(first) ** 0.5


# What is drawn


def test_shake_shake_coefficients_are_uniform_and_independent() -> None:
    alpha, beta, beta_other = (c[:, 0] for c in coefficients(shake_shake, (N, 1), generator=seeded()))
    assert_uniform(alpha, 0.0)
    assert_uniform(beta, 0.0)
    assert_independent(alpha, beta)
    assert_independent(alpha[1:], alpha[:-1])
    assert beta_other.equal(1 - beta)
    alpha_other = shake_shake(torch.zeros(N, 1), torch.ones(N, 1), generator=seeded())[:, 0]
    torch.testing.assert_close(alpha + alpha_other, torch.ones(N), rtol=0, atol=2**-23)


@pytest.mark.parametrize("drop_prob", [0.1, 0.5, 0.9])
def test_shake_drop_factors_have_their_distribution(drop_prob: float) -> None:
    forward, backward = (
        f[:, 0] for f in drop_factors((N, 1), drop_prob=drop_prob, gate_level="image", generator=seeded())
    )
    for factor, mean in ((forward, 1 - drop_prob), (backward, 1 - drop_prob + drop_prob / 2)):
        variance = 1 - drop_prob + drop_prob / 3 - mean**2
        assert abs(factor.double().mean() - mean) < 5 * (variance / N) ** 0.5
    disturbed = forward != 1
    assert abs(disturbed.double().mean() - drop_prob) < 5 * (drop_prob * (1 - drop_prob) / N) ** 0.5
    assert disturbed.equal(backward != 1)
    assert_uniform(forward[disturbed], -1.0)
    assert_uniform(backward[disturbed], 0.0)
    assert_independent(forward[disturbed], backward[disturbed])


def test_one_gate_for_the_batch_by_default() -> None:
    """N = 4000 batches of 3 images: all of a batch is disturbed, each image by its own α, or nothing is."""
    generator, calls, drop_prob = seeded(), 4000, 0.3
    ones, zeros = torch.ones(3, 2), torch.zeros(3, 2)
    factors = torch.stack([shake_drop(zeros, ones, drop_prob=drop_prob, generator=generator) for _ in range(calls)])
    disturbed = factors != 1
    assert disturbed.all(dim=(1, 2)).equal(disturbed.any(dim=(1, 2)))
    share = disturbed[:, 0, 0].double().mean()
    assert abs(share - drop_prob) < 5 * (drop_prob * (1 - drop_prob) / calls) ** 0.5
    alphas = factors[disturbed[:, 0, 0]]
    assert alphas[..., 0].equal(alphas[..., 1])
    assert_independent(alphas[:, 0, 0], alphas[:, 1, 0])


@pytest.mark.parametrize("drop_prob", [0.0, 1.0])
@pytest.mark.parametrize("gate_level", LEVELS)
def test_certain_gates(drop_prob: float, gate_level: Level) -> None:
    for factor in drop_factors((40, 30), drop_prob=drop_prob, gate_level=gate_level, generator=seeded()):
        assert (factor != 1).all() if drop_prob else (factor == 1).all()


# What shares a draw


@pytest.mark.parametrize("level", LEVELS)
def test_level_shares_exactly_what_it_says(level: Level) -> None:
    groups = torch.Size(SHAPE[: AXES[level]]).numel()
    drop = drop_factors(SHAPE, drop_prob=1.0, level=level, generator=seeded())
    for values in (*coefficients(shake_shake, SHAPE, level=level, generator=seeded()), *drop):
        assert values.equal(shared(values, level))
        assert len(values.unique()) == groups


@pytest.mark.parametrize(("level", "gate_level"), list(product(LEVELS, LEVELS)))
def test_gate_level_is_independent_of_the_level(level: Level, gate_level: Level) -> None:
    every, _ = drop_factors(SHAPE, drop_prob=1.0, level=level, gate_level=gate_level, generator=seeded(5))
    forward, backward = drop_factors(SHAPE, drop_prob=0.5, level=level, gate_level=gate_level, generator=seeded(5))
    disturbed = forward != 1
    assert disturbed.equal(backward != 1)
    assert disturbed.equal(shared(disturbed, gate_level))
    assert forward[disturbed].equal(every[disturbed])
    if gate_level != "batch":
        assert 0 < disturbed.sum() < disturbed.numel()


def test_images_are_the_default_level() -> None:
    for layer in (ShakeShake(), ShakeDrop(1.0)):
        out = layer(torch.zeros(SHAPE), torch.ones(SHAPE))
        assert out.equal(shared(out, "image"))
        assert len(out.unique()) == SHAPE[0]


@pytest.mark.parametrize("layer", [ShakeShake(), ShakeDrop(1.0)])
def test_seed_decides_the_draws(layer: nn.Module) -> None:
    def drawn() -> Tensor:
        one, zero = torch.ones(50, 1, requires_grad=True), torch.zeros(50, 1, requires_grad=True)
        out = layer(zero, one)
        return torch.stack((out, *torch.autograd.grad(out.sum(), (zero, one))))

    def drawn_from(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return drawn()

    assert drawn_from(1).equal(drawn_from(1))
    differing = (drawn_from(1) != drawn_from(2)).any(dim=(1, 2))
    assert differing[0]  # forward
    assert differing[2]  # backward
    assert not drawn()[0].equal(drawn()[0])
    before = torch.random.get_rng_state()
    given = [half_dropped(torch.zeros(9, 1), torch.ones(9, 1), generator=seeded(s)) for s in (3, 3, 4)]
    assert given[0].equal(given[1])
    assert not given[0].equal(given[2])
    assert torch.random.get_rng_state().equal(before)  # a generator of one's own leaves torch's alone


# What is computed


def reference(kind: str, first: Tensor, second: Tensor, level: str, generator: torch.Generator) -> Tensor:
    """Return the same sum in plain autograd: the value of one expression with the gradient of another."""

    def draw(axes: int, low: float) -> Tensor:
        shape = (*first.shape[:axes], *(1,) * (first.ndim - axes))
        return (torch.rand(shape, generator=generator) * (1 - low) + low).to(first.dtype)

    if kind == "shake":
        alpha, beta = draw(AXES[level], 0.0), draw(AXES[level], 0.0)
        value, slope = (c * first + (1 - c) * second for c in (alpha, beta))
    else:
        b = (draw(1, 0.0) >= 0.5).to(first.dtype)
        alpha, beta = draw(AXES[level], -1.0), draw(AXES[level], 0.0)
        value, slope = (first + (b + c - b * c) * second for c in (alpha, beta))
    return slope + (value - slope).detach()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("kind", "join"), [("shake", shake_shake), ("drop", half_dropped)])
def test_value_and_gradients_equal_plain_arithmetic(kind: str, join: Join, level: Level) -> None:
    terms = [normal(*SHAPE, seed=s, dtype=torch.float64).requires_grad_() for s in (1, 2)]
    results = []
    for out in (join(*terms, level=level, generator=seeded(3)), reference(kind, *terms, level, seeded(3))):
        loss = (out.tanh() * normal(*SHAPE, seed=4, dtype=torch.float64)).sum()
        results.append((out, *torch.autograd.grad(loss, terms)))
    torch.testing.assert_close(results[0], results[1], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize(("kind", "join"), [("shake", shake_shake), ("drop", half_dropped)])
def test_precisions(kind: str, join: Join, dtype: torch.dtype) -> None:
    """The dtype stays; the error is that of a few roundings."""
    terms = [normal(*SHAPE, seed=s, dtype=dtype).requires_grad_() for s in (1, 2)]
    exact = [t.detach().double().requires_grad_() for t in terms]
    out, expected = join(*terms, generator=seeded(3)), reference(kind, *exact, "image", seeded(3))
    out.double().sum().backward()
    expected.sum().backward()
    assert [t.dtype for t in (out, *(t.grad for t in terms))] == [dtype] * 3
    tolerance = {"rtol": 0, "atol": 16 * torch.finfo(dtype).eps}
    torch.testing.assert_close(out.double(), expected, **tolerance)
    for term, other in zip(terms, exact, strict=True):
        torch.testing.assert_close(term.grad.double(), other.grad, **tolerance)


@pytest.mark.parametrize("drop_prob", [0.0, 0.3, 0.5, 1.0])
def test_evaluation_is_the_expected_sum_and_stores_nothing(drop_prob: float) -> None:
    dyadic = [(normal(*SHAPE, seed=s) * 8).round() / 8 for s in (1, 2)]  # sums and halves of these are exact
    first, second = (normal(*SHAPE, seed=s).requires_grad_() for s in (3, 4))
    drop, shake = ShakeDrop(drop_prob).eval(), ShakeShake().eval()
    assert shake(*dyadic).equal((dyadic[0] + dyadic[1]) / 2)
    if drop_prob != 0.3:
        assert drop(*dyadic).equal(dyadic[0] + (1 - drop_prob) * dyadic[1])
    with torch.autograd.graph.saved_tensors_hooks(lambda _: pytest.fail("stored a tensor"), lambda t: t):
        outs = drop(first, second), shake(first, second)
    for out, (a, b) in zip(outs, ((1.0, 1 - drop_prob), (0.5, 0.5)), strict=True):
        torch.testing.assert_close(out, (a * first.double() + b * second.double()).float(), rtol=0, atol=1e-6)
        grads = torch.autograd.grad(out.sum(), (first, second))
        assert grads[0].equal(torch.full(SHAPE, a))
        assert grads[1].equal(torch.full(SHAPE, b))


@pytest.mark.parametrize(("layer", "count"), [(ShakeShake(), 6), (ShakeDrop(0.5), 6), (ShakeShake("batch"), 1)])
def test_training_stores_the_coefficients_alone(layer: nn.Module, count: int) -> None:
    stored: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        stored.append(tensor.untyped_storage().nbytes() // tensor.element_size())
        return tensor

    terms = [normal(*SHAPE, seed=s).requires_grad_() for s in (1, 2)]
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        layer(*terms)
    assert stored == [count]


@pytest.mark.parametrize("join", [shake_shake, half_dropped])
def test_inputs_stay_and_the_output_may_be_changed_in_place(join: Join) -> None:
    terms = [normal(*SHAPE, seed=s).requires_grad_() for s in (1, 2)]
    copies, versions = [t.detach().clone() for t in terms], [t._version for t in terms]
    out = join(*(t.mul(1) for t in terms), generator=seeded())
    out += terms[0]
    out.relu_().sum().backward()
    assert all(t.equal(c) for t, c in zip(terms, copies, strict=True))
    assert [t._version for t in terms] == versions


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("join", [shake_shake, half_dropped])
def test_gradient_of_one_term_alone(join: Join, which: int) -> None:
    both = [normal(*SHAPE, seed=s).requires_grad_() for s in (1, 2)]
    one = [t.detach().requires_grad_(index == which) for index, t in enumerate(both)]
    for terms in (both, one):
        join(*terms, generator=seeded()).sum().backward()
    assert one[which].grad.equal(both[which].grad)
    assert one[1 - which].grad is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: shake_shake(x, x, level="row"), "level must be one of batch, image, channel, pixel, not 'row'"),
        (lambda x: shake_drop(x, x, drop_prob=0.5, level="row"), "^level must be one of .*, not 'row'"),
        (lambda x: shake_drop(x, x, drop_prob=0.5, gate_level="row"), "gate_level must be one of .*, not 'row'"),
        (lambda x: shake_drop(x, x, drop_prob=1.5), r"drop_prob must lie in \[0, 1\], not 1.5"),
        (lambda _: ShakeShake("row"), "level must be one of batch, image, channel, pixel, not 'row'"),
        (lambda _: ShakeDrop(-0.1), r"drop_prob must lie in \[0, 1\], not -0.1"),
        (lambda _: ShakeDrop(float("nan")), "drop_prob .* not nan"),
        (lambda _: ShakeDrop(0.5, level="row"), "^level .* not 'row'"),
        (lambda _: ShakeDrop(0.5, gate_level="row"), "gate_level .* not 'row'"),
    ],
)
def test_wrong_arguments(call: Callable[[Tensor], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(torch.ones(2, 2))
