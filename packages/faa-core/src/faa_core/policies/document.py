"""The rows of a policy document: operations as they are written in JSON, and back."""

from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from faa_core.errors import FaaError
from faa_core.operations import Operation, Unit, operation
from faa_core.operations.instructions import Code

Channel = Annotated[int, Field(ge=0, le=255)]
Fill = tuple[Channel, Channel, Channel]
FARTHEST: dict[Unit, float] = {  # argument of an axis, by unit
    "none": 10_000.0,
    "fraction": 100.0,
    "pixels": 100_000.0,
    "degrees": 36_000.0,
    "bits": 100.0,
    "threshold": 10_000.0,
    "value": 10_000.0,
    "factor": 10_000.0,
}
Fraction = Annotated[FiniteFloat, Field(ge=0, le=1)]


class OperationRow(BaseModel):
    """An operation's magnitude axis as a policy file carries it, so that the file means the same pixels forever."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kernel: str | None = Field(
        default=None, description="Standard operation whose pixels these are; its own name when left out."
    )
    low: FiniteFloat = Field(description="Argument at magnitude 0, in the unit.")
    high: FiniteFloat = Field(description="Argument at magnitude 1, in the unit.")
    unit: Unit = Field(default="none", description="Unit of the argument.")
    mirrored: bool = Field(
        default=False,
        description="Whether each application reflects the argument (about 1 for factors, else 0) half the time.",
    )
    fill: Fill | None = Field(default=None, description="Its own RGB fill; the policy's when left out.")


def row_of(row: Operation) -> OperationRow:
    """Return how an operation is written."""
    return OperationRow(
        kernel=row.base, low=row.low, high=row.high, unit=row.unit, mirrored=row.mirrored, fill=row.fill
    )


def operation_of(name: str, row: OperationRow | None) -> Operation:
    """Return the operation a document means by a name.

    Args:
        name: As used in the document.
        row: The document's row for it, or None where the document leaves it to the standard table.

    Raises:
        UnknownNameError: If neither the row nor the table knows the kernel.
        FaaError: If the row gives another axis to a name of the table.
    """
    if row is None:
        return operation(name)
    base = operation(row.kernel or name)
    if base.name != name:
        if row.unit != base.unit:
            raise FaaError(
                f"Operation '{name}' counts its axis in '{row.unit}', but its kernel '{base.name}' takes '{base.unit}'."
            )
        _check_range(name, row, base)
        return replace(
            base,
            name=name,
            low=row.low,
            high=row.high,
            unit=row.unit,
            mirrored=row.mirrored,
            identity=None,
            fill=row.fill or base.fill,
        )
    standard = row_of(base)
    if row.model_copy(update={"kernel": standard.kernel, "fill": row.fill or standard.fill}) != standard:
        raise FaaError(
            f"Operation '{name}' is {_axis(standard)} in the standard table, but the document gives it another axis "
            f'({_axis(row)}). A new range needs a new name: rename it and add "kernel": "{name}".'
        )
    return base


def _check_range(name: str, row: OperationRow, base: Operation) -> None:
    """Refuse axes on which no image is left, or kernels would fail.

    Raises:
        FaaError: If an end of the axis lies too far out.
    """
    limit = FARTHEST[row.unit]
    if max(abs(row.low), abs(row.high)) > limit:
        raise FaaError(f"Operation '{name}' goes from {row.low:g} to {row.high:g} {row.unit}; ±{limit:g} is allowed.")
    if (
        base.in_batches is not None
        and base.in_batches.code == Code.RESIZE
        and (row.mirrored or not 0 < min(row.low, row.high) <= max(row.low, row.high) <= 1)
    ):
        raise FaaError(f"Operation '{name}' must keep between 0 and 1 of the area, without mirroring: {_axis(row)}.")


def _axis(row: OperationRow) -> str:
    """Return an axis in words, for messages."""
    mirrored = ", mirrored" if row.mirrored else ""
    fill = f", filled with {row.fill}" if row.fill else ""
    return f"{row.low:g} … {row.high:g} {row.unit}{mirrored}{fill}"
