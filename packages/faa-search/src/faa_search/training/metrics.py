"""How well a network does."""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import cross_entropy

from faa_search.training.checkpoint import Row

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
        ValueError: If the confusion matrix is not one, or says something else than the other figures.
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
        raise ValueError(f"epoch {epoch!r:.40} with train_loss {loss!r:.40} is no epoch that was trained")
    for name, value in row.items():
        most = 1.0 if name.endswith("_top1") else math.inf
        if value is not None and not name.endswith("_loss") and not (0 <= value <= most and value < math.inf):
            raise ValueError(f"'{name}' must lie between 0 and {most:g}, not be {value!r:.40}")
    return row


class Tally:
    """Sums over batches; the sums of several processes add up to those of one.

    Shapes: B = batch, C = classes.
    """

    def __init__(self, classes: int, device: torch.device) -> None:
        self.classes = classes
        self.sums = torch.zeros(2, dtype=torch.float64, device=device)  # loss, right among the five likeliest
        self.confusion_CC = torch.zeros(classes, classes, dtype=torch.int64, device=device)

    def add(self, logits_BC: Tensor, labels_B: Tensor) -> None:
        """Count a batch."""
        likeliest_B5 = logits_BC.topk(min(5, self.classes), dim=1).indices
        self.sums[0] += cross_entropy(logits_BC.float(), labels_B, reduction="sum")
        self.sums[1] += (likeliest_B5 == labels_B[:, None]).any(dim=1).sum()
        cells_B = labels_B * self.classes + likeliest_B5[:, 0]
        # not bincount, which waits for a GPU
        self.confusion_CC.view(-1).scatter_add_(0, cells_B, torch.ones_like(cells_B))

    def metrics(self) -> Metrics:
        """Return the figures of what was counted."""
        images = int(self.confusion_CC.sum())
        loss, right5 = (value / images for value in self.sums.tolist())
        rows = tuple(tuple(row) for row in self.confusion_CC.tolist())
        top1 = float(self.confusion_CC.diagonal().sum()) / images
        return Metrics(images=images, loss=loss, top1=top1, top5=right5, confusion=rows)
