"""The training engine that search and training share, on Accelerate."""

from faa_search.training.config import TrainConfig
from faa_search.training.fitting import FitJob, fit
from faa_search.training.metrics import Metrics
from faa_search.training.network import Network, make_accelerator
from faa_search.training.run import TrainResult, evaluate_source, train
from faa_search.training.views import Baseline, View

__all__ = [
    "Baseline",
    "FitJob",
    "Metrics",
    "Network",
    "TrainConfig",
    "TrainResult",
    "View",
    "evaluate_source",
    "fit",
    "make_accelerator",
    "train",
]
