"""Sums whose terms are scaled at random in training, by other factors backward than forward.

Both layers run on any device without waiting for it, draw from torch's generator of that device (or the one given),
and in evaluation are one pass over the data, as a plain sum is.

Shapes: B = batch; the tensors may have any axes behind it.
"""

from typing import Any, Literal

import torch
from timm.models import register_notrace_module
from torch import Tensor, nn

from faa_models.arguments import check_rates

__all__ = ["Level", "ShakeDrop", "ShakeShake", "shake_drop", "shake_shake"]

Level = Literal["batch", "image", "channel", "pixel"]

AXES: dict[str, int | None] = {"batch": 0, "image": 1, "channel": 2, "pixel": None}  # that share nothing


def shake_shake(x1: Tensor, x2: Tensor, *, level: Level = "image", generator: torch.Generator | None = None) -> Tensor:
    """Return α·x1 + (1 − α)·x2, whose gradient is that of β·x1 + (1 − β)·x2; α and β uniform in [0, 1), independent.

    Shake-Shake regularisation (Gastaldi, arXiv:1705.07485, eq. 2); "Shake-Shake-Image" by default.

    Args:
        x1: One branch, shape [B, ...], floating point.
        x2: The other, of the same shape and dtype.
        level: What shares a coefficient: the whole batch, each image, each channel of an image, or nothing.
        generator: Where the coefficients come from; torch's own of the device if None.

    Raises:
        ValueError: If `level` is not one of these.
    """
    _check_level("level", level)
    shape = _shared(x1.shape, level)
    forward = _uniform(shape, 0.0, x1, generator)
    backward = _uniform(shape, 0.0, x1, generator)
    out: Tensor = _Mix.apply(x1, x2, forward.to(x1.dtype), backward.to(x1.dtype))
    return out


def shake_drop(
    shortcut: Tensor,
    residual: Tensor,
    *,
    drop_prob: float,
    level: Level = "image",
    gate_level: Level = "batch",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return shortcut + (b + α − b·α)·residual, whose gradient has β in place of α.

    ShakeDrop (Yamada et al., arXiv:1802.02375, eq. 6): b is 1 with probability 1 − `drop_prob`, α uniform in
    [−1, 1), β in [0, 1), all independent. The expected factor is 1 − `drop_prob`, forward.

    Args:
        shortcut: Shape [B, ...], floating point.
        residual: Of the same shape.
        drop_prob: Probability of b = 0, in [0, 1].
        level: What shares an α and a β.
        gate_level: What shares a b: one for the batch in the published code, "image" for one each.
        generator: Where the draws come from; torch's own of the device if None.

    Raises:
        ValueError: If `drop_prob` or a level is not one of these.
    """
    _check_drop(drop_prob, level, gate_level)
    shape = _shared(residual.shape, level)
    kept = _uniform(_shared(residual.shape, gate_level), 0.0, residual, generator) >= drop_prob
    forward = torch.where(kept, 1.0, _uniform(shape, -1.0, residual, generator))
    backward = torch.where(kept, 1.0, _uniform(shape, 0.0, residual, generator))
    out: Tensor = _AddScaled.apply(shortcut, residual, forward.to(residual.dtype), backward.to(residual.dtype))
    return out


@register_notrace_module
class ShakeShake(nn.Module):
    """The mix of two branches: `shake_shake` in training, their mean in evaluation.

    Args:
        level: What shares a coefficient: "batch", "image", "channel" or "pixel".

    Raises:
        ValueError: If `level` is not one of these.
    """

    def __init__(self, level: Level = "image") -> None:
        super().__init__()
        _check_level("level", level)
        self.level: Level = level

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the mix of `x1` and `x2`, both [B, ...]."""
        return self._shaken(x1, x2) if self.training else torch.lerp(x1, x2, 0.5)

    @torch.jit.unused  # a scripted network evaluates, and cannot be trained
    def _shaken(self, x1: Tensor, x2: Tensor) -> Tensor:
        return shake_shake(x1, x2, level=self.level)

    def extra_repr(self) -> str:
        """Return what distinguishes this layer."""
        return f"level={self.level}"


@register_notrace_module
class ShakeDrop(nn.Module):
    """The sum of shortcut and residual: `shake_drop` in training, the residual times 1 − `drop_prob` in evaluation.

    Args:
        drop_prob: Probability that a training step disturbs the residual, in [0, 1]; at 0 this is a plain sum.
        level: What shares the coefficients: "batch", "image", "channel" or "pixel".
        gate_level: What is disturbed together.

    Raises:
        ValueError: If `drop_prob` or a level is not one of these.
    """

    def __init__(self, drop_prob: float, *, level: Level = "image", gate_level: Level = "batch") -> None:
        super().__init__()
        _check_drop(drop_prob, level, gate_level)
        self.drop_prob = drop_prob
        self.level: Level = level
        self.gate_level: Level = gate_level

    def forward(self, shortcut: Tensor, residual: Tensor) -> Tensor:
        """Return the sum of `shortcut` and the scaled `residual`, both [B, ...]."""
        if self.training and self.drop_prob > 0.0:
            return self._shaken(shortcut, residual)
        return torch.add(shortcut, residual, alpha=1.0 - self.drop_prob)

    @torch.jit.unused  # a scripted network evaluates, and cannot be trained
    def _shaken(self, shortcut: Tensor, residual: Tensor) -> Tensor:
        return shake_drop(shortcut, residual, drop_prob=self.drop_prob, level=self.level, gate_level=self.gate_level)

    def extra_repr(self) -> str:
        """Return what distinguishes this layer."""
        return f"drop_prob={self.drop_prob:.4f}, level={self.level}, gate_level={self.gate_level}"


class _Mix(torch.autograd.Function):
    """Interpolates from x2 to x1 by `forward`, and hands gradients out by `backward`; keeps no activation."""

    # A `setup_context` of its own would serve torch.func, but take five times as long to call.
    @staticmethod
    def forward(ctx: Any, x1: Tensor, x2: Tensor, forward: Tensor, backward: Tensor) -> Tensor:
        ctx.save_for_backward(backward)
        return torch.lerp(x2, x1, forward)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (grad,) = grads
        (coefficient,) = ctx.saved_tensors
        first = grad * coefficient
        return first, grad - first, None, None


class _AddScaled(torch.autograd.Function):
    """Adds `forward` times the residual to the shortcut; the residual's gradient is scaled by `backward`."""

    @staticmethod
    def forward(ctx: Any, shortcut: Tensor, residual: Tensor, forward: Tensor, backward: Tensor) -> Tensor:
        ctx.save_for_backward(backward)
        return torch.addcmul(shortcut, residual, forward)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (grad,) = grads
        (factor,) = ctx.saved_tensors
        return grad, grad * factor, None, None


def _uniform(shape: tuple[int, ...], low: float, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return float32 numbers from `low` to 1 of a shape, on the device of `like`."""
    return torch.empty(shape, dtype=torch.float32, device=like.device).uniform_(low, 1.0, generator=generator)


def _shared(shape: torch.Size, level: Level) -> tuple[int, ...]:
    """Return the shape of what broadcasts against `shape` and is shared as the level sets."""
    axes = AXES[level]
    return tuple(shape) if axes is None else (*shape[:axes], *(1,) * (len(shape) - axes))


def _check_level(name: str, level: Level) -> None:
    if not isinstance(level, str) or level not in AXES:
        raise ValueError(f"{name} must be one of {', '.join(AXES)}, not {level!r}")


def _check_drop(drop_prob: float, level: Level, gate_level: Level) -> None:
    check_rates(drop_prob=drop_prob)
    _check_level("level", level)
    _check_level("gate_level", gate_level)
