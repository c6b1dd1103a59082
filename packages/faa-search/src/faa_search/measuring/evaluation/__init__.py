"""Evaluating weights: of our runs, of a folder, or of any timm model; on a split, and on corrupted images."""

from faa_search.measuring.evaluation.checkpoints import Subject, evaluate_checkpoint, evaluate_subject, open_subject
from faa_search.measuring.evaluation.keeping import keep_evaluation, top5
from faa_search.measuring.evaluation.robustness import Robustness, evaluate_corrupted, open_corrupted
from faa_search.measuring.evaluation.weights import Weights, find_weights, weights_folder

__all__ = [
    "Robustness",
    "Subject",
    "Weights",
    "evaluate_checkpoint",
    "evaluate_corrupted",
    "evaluate_subject",
    "find_weights",
    "keep_evaluation",
    "open_corrupted",
    "open_subject",
    "top5",
    "weights_folder",
]
