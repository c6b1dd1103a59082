"""How well a network does: figures of one pass over images, and of an epoch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

NOT_NEGATIVE = ("lr", "seconds", "waiting")  # of an epoch's figures
Row = Mapping[str, int | float | None]  # figures of an epoch; None where a figure was not asked for
Count = Annotated[int, Field(ge=0, lt=2**63)]
Fraction = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Figures of one pass over labelled images.

    Attributes:
        images: How many.
        loss: Mean cross-entropy, in nats, without label smoothing.
        top1: Fraction classified correctly, in [0, 1].
        top5: Fraction with the correct class among the five likeliest (all, of fewer than five classes).
        confusion: How many images of each true class (outer) were predicted as each class (inner).
    """

    images: Annotated[Count, Field(ge=1)]
    loss: float
    top1: Fraction
    top5: Fraction
    confusion: tuple[tuple[Count, ...], ...]


def check_metrics(metrics: Metrics) -> Metrics:
    """Return figures that were read, once they are found to agree.

    Raises:
        ValueError: If the confusion matrix is not one, or contradicts the other figures.
    """
    matrix = metrics.confusion
    if any(len(row) != len(matrix) for row in matrix):
        raise ValueError(f"its confusion matrix has {len(matrix)} rows, and not as many columns in each")
    if sum(map(sum, matrix)) != metrics.images:
        raise ValueError(f"its confusion matrix is not of {metrics.images:,} images")
    correct = sum(row[at] for at, row in enumerate(matrix))
    if not math.isclose(metrics.top1, correct / metrics.images, abs_tol=1e-9):
        raise ValueError(f"by its confusion matrix, top1 is {correct / metrics.images:.4f}, not {metrics.top1:.4f}")
    if metrics.top5 < metrics.top1 or metrics.loss < 0:
        raise ValueError("top5 must not be less than top1, nor the loss less than 0")
    return metrics


def check_row(row: Row) -> Row:
    """Return the figures of an epoch that were read, once each is found to lie where it can.

    Raises:
        ValueError: If one does not, or the epoch or its loss is missing.
    """
    epoch, loss = row.get("epoch"), row.get("train_loss")
    if not isinstance(epoch, int) or epoch < 1 or loss is None or not math.isfinite(loss):
        raise ValueError(f"epoch {epoch!r:.40} with train_loss {loss!r:.40} is not an epoch that was trained")
    for name, value in row.items():
        limited = name in NOT_NEGATIVE or name.endswith("_top1")  # a companion's figures may be any
        most = 1.0 if name.endswith("_top1") else math.inf
        if value is not None and limited and not (0 <= value <= most and value < math.inf):
            raise ValueError(f"'{name}' must lie between 0 and {most:g}, not be {value!r:.40}")
    return row
