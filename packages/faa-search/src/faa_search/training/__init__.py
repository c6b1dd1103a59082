"""The training engine that search and training share, on Accelerate."""

from faa_search.runs.records.figures import Metrics
from faa_search.runs.records.training import TrainResult
from faa_search.settings import TrainConfig
from faa_search.training.evaluating import evaluate_source
from faa_search.training.fitting import Measures, fit
from faa_search.training.network import Network
from faa_search.training.run import train
from faa_search.training.saving import FitJob
from faa_search.training.views import Views
from faa_search.workers.processes import make_accelerator

__all__ = [
    "FitJob",
    "Measures",
    "Metrics",
    "Network",
    "TrainConfig",
    "TrainResult",
    "Views",
    "evaluate_source",
    "fit",
    "make_accelerator",
    "train",
]
