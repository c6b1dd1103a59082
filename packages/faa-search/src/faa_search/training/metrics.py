"""How well a network does."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from faa_search.runs.records.figures import Metrics


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
