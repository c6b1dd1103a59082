"""Augmenting batches: a policy's draws as instructions, and engines that carry them out with the same bits."""

from faa_core.batch.alike import UNTOUCHED, Alike, sort_alike
from faa_core.batch.baseline import Baseline, Normalize
from faa_core.batch.engines import EngineStatus, engine_statuses
from faa_core.batch.executor import PolicyBatch

__all__ = [
    "UNTOUCHED",
    "Alike",
    "Baseline",
    "EngineStatus",
    "Normalize",
    "PolicyBatch",
    "engine_statuses",
    "sort_alike",
]
