"""Operations: kernels, the table, and applying what was drawn."""

from faa_core.operations.canvas import Canvas, Colour, Drawn
from faa_core.operations.operation import Batched, Kernel, Operation, Step, Unit, apply_steps
from faa_core.operations.table import SEARCH_LIST, STANDARD, batched_of, operation, operation_names

__all__ = [
    "SEARCH_LIST",
    "STANDARD",
    "Batched",
    "Canvas",
    "Colour",
    "Drawn",
    "Kernel",
    "Operation",
    "Step",
    "Unit",
    "apply_steps",
    "batched_of",
    "operation",
    "operation_names",
]
