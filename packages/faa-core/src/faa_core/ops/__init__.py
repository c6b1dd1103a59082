"""Operations: kernels, the table, and applying what was drawn."""

from faa_core.ops.canvas import Canvas, Colour
from faa_core.ops.operation import Kernel, Operation, Step, Unit, apply_steps
from faa_core.ops.table import SEARCH_LIST, operation

__all__ = [
    "SEARCH_LIST",
    "Canvas",
    "Colour",
    "Kernel",
    "Operation",
    "Step",
    "Unit",
    "apply_steps",
    "operation",
]
