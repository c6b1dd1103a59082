"""Many draws of one image, in one call on the device; those with the same pixels are made once.

Shapes: D different draws, R draws, G prefixes, T transforms, S stages, C channels.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from faa_core import Layers, Policy
from faa_core.applying import PolicyBatch, sort_alike
from faa_core.randomness import key_of
from faa_search.searching.deep.space import Space


class Draws(NamedTuple):
    """Augmented images.

    Attributes:
        images: uint8 ``[1 + D, C, H, W]`` on the device: the image as it is, then the different draws that change it.
        which_R: int64 ``[R]`` on the CPU: each draw's place among these.
    """

    images: Tensor
    which_R: Tensor

    def weights(self, weights_R: Tensor) -> Tensor:
        """Return the sum of its draws' weights for each image, float64 ``[1 + D]`` on the CPU."""
        sums = torch.zeros(len(self.images), dtype=torch.float64)
        return sums.index_add_(0, self.which_R, weights_R.double())

    def shares(self) -> Tensor:
        """Return which part of the draws each image stands for, float64 ``[1 + D]`` on the CPU."""
        return self.weights(torch.full((len(self.which_R),), 1 / len(self.which_R), dtype=torch.float64))


def draws_of(policy: Policy, image_CHW: Tensor, count: int, *, key: int) -> Draws:
    """Return draws of an image from a policy.

    Args:
        policy: Of any kind.
        image_CHW: uint8, on the device.
        count: How many draws, R.
        key: Of the draws, 63 bits.
    """
    batch = policy.to_batch()
    return _carried_out(batch, image_CHW, _drawn(batch, image_CHW, count, key=key))


def draws_of_each(space: Space, before: Layers | None, image_CHW: Tensor, prefixes: int, *, key: int) -> Draws:
    """Return an image under every transform, each after draws from the layers before: R = G · T, prefix by prefix.

    Args:
        space: Of the transforms.
        before: Layers before; None for the first.
        image_CHW: uint8, on the device.
        prefixes: Draws from the layers before, G; each transform has random numbers of its own in each.
        key: Of the draws, 63 bits.
    """
    each = space.each()
    settled_GT8 = _drawn(each.to_batch(), image_CHW, prefixes, key=key_of(key, "last") >> 1)
    last_RS8 = settled_GT8.reshape(prefixes * len(space), 1, -1)
    if before is None:
        first = Layers(operations=each.operations, layers=each.layers[:1])  # as many stages as there are instructions
        return _carried_out(first.to_batch(), image_CHW, last_RS8)
    prefix_GS8 = _drawn(before.to_batch(), image_CHW, prefixes, key=key_of(key, "before") >> 1)
    instructions_RS8 = torch.cat([prefix_GS8.repeat_interleave(len(space), dim=0), last_RS8], dim=1)
    whole = Layers(operations=before.operations, layers=(*before.layers, before.layers[0]))
    return _carried_out(whole.to_batch(), image_CHW, instructions_RS8)


def _drawn(batch: PolicyBatch, image_CHW: Tensor, count: int, *, key: int) -> Tensor:
    """Return the instructions of draws of an image, float64 ``[R, S, 8]``."""
    return batch.instructions(image_CHW[None], seed=key, epoch=0, indices=torch.arange(count))


def _carried_out(batch: PolicyBatch, image_CHW: Tensor, instructions_RS8: Tensor) -> Draws:
    """Return what instructions make of an image."""
    alike = sort_alike(instructions_RS8, torch.zeros(len(instructions_RS8), dtype=torch.int64))
    different_DS8 = instructions_RS8[alike.first].contiguous()
    images_DCHW = image_CHW.expand(len(different_DS8), -1, -1, -1).contiguous()
    if len(different_DS8):
        images_DCHW = batch.carry_out(images_DCHW, different_DS8)
    return Draws(torch.cat([image_CHW[None], images_DCHW]), alike.kind + 1)  # what is untouched has the number -1
