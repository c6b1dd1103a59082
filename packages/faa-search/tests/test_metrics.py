"""Figures against scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, log_loss, top_k_accuracy_score
from torch import Tensor
from torch.nn.functional import softmax

from faa_search.runs.records.figures import Metrics
from faa_search.training.metrics import Tally


def drawn(images: int, classes: int) -> tuple[Tensor, Tensor]:
    """Return logits that are better than chance, and labels."""
    generator = torch.Generator().manual_seed(images + classes)
    labels = torch.randint(classes, (images,), generator=generator)
    logits = torch.randn(images, classes, generator=generator)
    return logits + torch.nn.functional.one_hot(labels, classes), labels


def tallied(logits: Tensor, labels: Tensor, *cuts: int) -> Metrics:
    """Return the figures of the batches that the cuts make."""
    tally = Tally(logits.shape[1], torch.device("cpu"))
    for batch, batch_labels in zip(logits.tensor_split(cuts), labels.tensor_split(cuts), strict=True):
        tally.add(batch, batch_labels)
    return tally.metrics()


@pytest.mark.parametrize("classes", [6, 10, 30])
def test_figures_are_those_of_scikit_learn(classes: int) -> None:
    """Loss, top-1, top-5 and the confusion matrix (rows: the truth)."""
    logits, labels = drawn(300, classes)
    metrics = tallied(logits, labels)
    every = np.arange(classes)
    assert 300 == metrics.images
    assert log_loss(labels, softmax(logits.double(), dim=1), labels=every) == pytest.approx(metrics.loss, rel=1e-6)
    assert top_k_accuracy_score(labels, logits, k=1, labels=every) == pytest.approx(metrics.top1)
    assert top_k_accuracy_score(labels, logits, k=5, labels=every) == pytest.approx(metrics.top5)
    assert np.array_equal(confusion_matrix(labels, logits.argmax(dim=1), labels=every), metrics.confusion)


def test_batches_add_up() -> None:
    """However the images are split into batches, the figures are the same."""
    logits, labels = drawn(100, 7)
    whole, split = tallied(logits, labels), tallied(logits, labels, 1, 40, 99)
    assert (whole.images, whole.top1, whole.top5, whole.confusion) == (
        split.images,
        split.top1,
        split.top5,
        split.confusion,
    )
    assert whole.loss == pytest.approx(split.loss, rel=1e-6)


@pytest.mark.parametrize("classes", [2, 4, 5])
def test_top5_of_few_classes_is_one(classes: int) -> None:
    """Among at most five classes the right one is always among the five likeliest."""
    assert 1.0 == tallied(*drawn(20, classes)).top5


def test_confusion_by_hand() -> None:
    """One image of class 0 taken for class 1."""
    logits = torch.tensor([[0.0, 9.0, 0.0], [0.0, 0.0, 9.0]])
    metrics = tallied(logits, torch.tensor([0, 2]))
    assert ((0, 1, 0), (0, 0, 0), (0, 0, 1)) == metrics.confusion
    assert 0.5 == metrics.top1
