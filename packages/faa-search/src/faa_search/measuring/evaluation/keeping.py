"""Evaluations are kept in the run whose weights they are of."""

import time
from collections.abc import Callable

from faa_core import FaaError
from faa_search.measuring.evaluation.robustness import Robustness
from faa_search.measuring.evaluation.trained_on import run_of
from faa_search.measuring.evaluation.weights import Weights
from faa_search.runs.files import EVALUATIONS
from faa_search.runs.journal import Journal
from faa_search.runs.records.evaluation import Evaluation
from faa_search.runs.records.figures import Metrics
from faa_search.settings import EvalConfig

RANKED = 5  # classes below which there are no five likeliest


def top5(metrics: Metrics) -> float | None:
    """Return the fraction with the correct class among the five likeliest; None where there are fewer than five."""
    return metrics.top5 if len(metrics.confusion) >= RANKED else None


def keep_evaluation(
    weights: Weights, config: EvalConfig, metrics: Metrics, robust: Robustness | None, *, note: Callable[[str], None]
) -> None:
    """Add an evaluation to the run that the weights are of; weights that are of no run keep none.

    Args:
        weights: Evaluated.
        config: Which images, and how.
        metrics: On the split.
        robust: On corrupted images, or None.
        note: Told why, where the run cannot keep it: somebody else's, for instance, that may only be read.

    Raises:
        FaaError: If the run's settings cannot be read.
    """
    run = None if weights.folder is None else run_of(weights.folder)
    if run is None or weights.folder is None:
        return
    evaluation = Evaluation(
        at=round(time.time(), 6),
        weights=str(weights.folder.resolve().relative_to(run.directory.resolve())),
        dataset=config.dataset,
        split=config.split,
        precision=config.precision,
        images=metrics.images,
        loss=metrics.loss,
        top1=metrics.top1,
        top5=top5(metrics),
        corrupted=None if robust is None else robust.mean_error,
    )
    journal = Journal(run.directory / EVALUATIONS, Evaluation)
    try:
        journal.append(evaluation)
    except FaaError as error:
        note(f"The run does not keep this evaluation: {error}")
        return
    try:
        journal.read()
    except FaaError as error:
        note(f"This evaluation is kept, but those of the run cannot be read. {error}")
