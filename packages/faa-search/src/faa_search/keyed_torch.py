"""torch's own generators, keyed: for initial weights, dropout and torchvision's crops."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_seeded(seed: int, *, device: torch.device | None = None) -> Iterator[None]:
    """Seed torch's generators inside the block, and leave them outside as they were.

    Args:
        seed: For the CPU's generator, and the device's.
        device: A CUDA device whose generator matters too. Loader processes must not name one: CUDA does not survive
            a fork.
    """
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        for each in devices:
            with torch.cuda.device(each):
                torch.cuda.manual_seed(seed)
        yield
