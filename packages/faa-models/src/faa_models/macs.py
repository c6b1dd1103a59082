"""Counting multiply-adds without computing anything."""

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["blank_input", "count_macs", "trace_macs"]


def count_macs(module: nn.Module, shape: tuple[int, ...]) -> int:
    """Return the multiply-adds of a module's forward pass: those of convolutions, matrix products and attention.

    Args:
        module: On any device; it is not run there. What a gated network gathers depends on the images; see `mac_table`.
        shape: Of the input, such as (1, 3, 32, 32).
    """
    return trace_macs(module, blank_input(module, shape))[0]


def blank_input(module: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """Return an input of a shape, on the meta device and of the dtype of the module's parameters."""
    dtypes = (parameter.dtype for parameter in module.parameters() if parameter.is_floating_point())
    return torch.empty(shape, device="meta", dtype=next(dtypes, None))


@torch.no_grad()
def trace_macs(module: nn.Module, *inputs: object) -> tuple[int, Tensor]:
    """Return the multiply-adds of a module's forward pass and its output on the meta device.

    Args:
        module: On any device; it is not run there.
        inputs: Tensors among them are on the meta device.
    """
    state = {name: tensor.detach().to("meta") for name, tensor in (*module.named_parameters(), *module.named_buffers())}
    with FlopCounterMode(display=False) as counter:
        output: Tensor = functional_call(module, state, inputs)
    return counter.get_total_flops() // 2, output
