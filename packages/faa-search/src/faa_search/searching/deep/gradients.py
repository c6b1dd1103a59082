"""Gradients of a frozen network's loss: their weighted mean over images, and how each image's loss changes along one.

Reverse mode gives the mean; one forward-mode pass gives the second for all images at once, without a gradient of each
(Zheng et al. 2022, eq. 5, is such a directional derivative).

Shapes: N images, C channels, B images of a pass.
"""

import re
import warnings
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp
from torch.nn.functional import cross_entropy
from torch.nn.modules.batchnorm import _BatchNorm

from faa_core.text import one_line
from faa_search.searching.objective import few_sizes
from faa_search.training.network import Network

Gradient = Mapping[str, Tensor]  # by parameter, float32

DIFFERENCE = 1e-4  # length of a step to either side over the weights' length, where there is no forward mode
UNSUPPORTED = re.compile(r"forward AD with (\S+)")


class FrozenNetwork:
    """A network whose weights stay as they are, in evaluation mode and full precision.

    Parameters of batch norm are left out of the gradient, as in the original.

    Attributes:
        lacks: Operation of the network that has no forward-mode derivative, or "": then directional derivatives are
            central differences of the loss.
    """

    def __init__(self, network: Network, *, size: int, batch_size: int) -> None:
        """Prepare a network.

        Args:
            network: Fitted.
            size: Side of the images in pixels.
            batch_size: Images per pass.
        """
        self.network, self.batch_size = network, batch_size
        self.network.model.eval().requires_grad_(False)
        self.parameters = {name: tensor.detach() for name, tensor in _parameters(network.model)}
        self.length = _length(self.parameters)
        self.lacks = self._lacking(size)

    def mean_gradient(self, images_NCHW: Tensor, label: int, weights_N: Tensor) -> Gradient:
        """Return the weighted sum of the gradients of the images' losses.

        Args:
            images_NCHW: uint8, on the device.
            label: Class of all of them.
            weights_N: On any device; they add up to 1 for a mean.
        """
        total = {name: torch.zeros_like(tensor) for name, tensor in self.parameters.items()}
        for images_BCHW, weights_B in self._passes(images_NCHW, weights_N):
            leaves = {name: tensor.detach().requires_grad_() for name, tensor in self.parameters.items()}
            losses_B = self._losses(leaves, images_BCHW, self._targets(label, len(images_BCHW)))
            weighted = (losses_B * weights_B.to(losses_B)).sum()
            found = torch.autograd.grad(weighted, list(leaves.values()), allow_unused=True)
            for name, part in zip(total, found, strict=True):
                if part is not None:  # a parameter that these images do not reach, as in a gated network
                    total[name] += part
        return total

    def change_along(self, direction: Gradient, images_NCHW: Tensor, label: int) -> Tensor:
        """Return the derivative of each image's loss along a direction of the weights, shape ``[N]``, float32.

        Args:
            direction: Of any length.
            images_NCHW: uint8, on the device.
            label: Class of all of them.
        """
        derivative = self._differences if self.lacks else self._forward_mode
        parts, left = [torch.empty(0, device=images_NCHW.device)], len(images_NCHW)
        with torch.no_grad():
            for images_BCHW, _weights_B in self._passes(images_NCHW, torch.zeros(left)):
                changes_B = derivative(images_BCHW, self._targets(label, len(images_BCHW)), direction)
                parts.append(changes_B[: min(left, self.batch_size)])
                left -= self.batch_size
        return torch.cat(parts)

    def _lacking(self, size: int) -> str:
        """Return which operation of the network has no forward-mode derivative, tried on blank images."""
        blank = torch.zeros(2, 3, size, size, dtype=torch.uint8, device=self.network.device)
        try:
            with warnings.catch_warnings():
                # torch compiles rules of its own when forward mode is first used, in a way that it has deprecated.
                warnings.simplefilter("ignore", FutureWarning)
                self._forward_mode(self.network.prepared(blank), self._targets(0, len(blank)), self.parameters)
        except torch.OutOfMemoryError:
            raise
        except (NotImplementedError, RuntimeError) as error:
            found = UNSUPPORTED.search(str(error))
            return found[1] if found else one_line(error, most=80)
        return ""

    def _forward_mode(self, images_BCHW: Tensor, targets_B: Tensor, direction: Gradient) -> Tensor:
        def losses(parameters: dict[str, Tensor]) -> Tensor:
            return self._losses(parameters, images_BCHW, targets_B)

        with torch.no_grad():
            changes_B = jvp(losses, (dict(self.parameters),), (dict(direction),))[1]
        changes: Tensor = changes_B
        return changes

    def _differences(self, images_BCHW: Tensor, targets_B: Tensor, direction: Gradient) -> Tensor:
        step = DIFFERENCE * self.length / max(_length(direction), torch.finfo(torch.float32).tiny)
        ahead, behind = (
            self._losses(
                {name: tensor + sign * step * direction[name] for name, tensor in self.parameters.items()},
                images_BCHW,
                targets_B,
            )
            for sign in (1, -1)
        )
        return (ahead - behind) / (2 * step)

    def _losses(self, parameters: Mapping[str, Tensor], images_BCHW: Tensor, targets_B: Tensor) -> Tensor:
        """Return each image's cross-entropy under other parameters."""
        images_BCHW = images_BCHW.contiguous(memory_format=self.network.layout)
        logits_BC = functional_call(self.network.model, dict(parameters), (images_BCHW,))
        return cross_entropy(logits_BC, targets_B, reduction="none")

    def _passes(self, images_NCHW: Tensor, weights_N: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield normalised images and their weights, filled up to few different sizes by images of weight 0."""
        for start in range(0, len(images_NCHW), self.batch_size):
            images, weights = (each[start : start + self.batch_size] for each in (images_NCHW, weights_N))
            more = min(few_sizes(len(images)), self.batch_size) - len(images)
            images = torch.cat([images, images[:1].expand(more, -1, -1, -1)])
            yield self.network.prepared(images), torch.cat([weights, weights.new_zeros(more)])

    def _targets(self, label: int, count: int) -> Tensor:
        return torch.full((count,), label, device=self.network.device)


def dot(one: Gradient, other: Gradient) -> float:
    """Return the scalar product of two gradients; each parameter's in float32, their sum in double precision."""
    return sum(float((tensor * other[name]).sum()) for name, tensor in one.items())


def _length(gradient: Gradient) -> float:
    return float(dot(gradient, gradient) ** 0.5)


def _parameters(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the parameters by name, without those of batch norm."""
    for place, module in model.named_modules():
        if not isinstance(module, _BatchNorm):
            yield from module.named_parameters(place, recurse=False)
