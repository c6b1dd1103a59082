"""Augmenting batches: a policy's draws as instructions, and engines that carry them out with the same bits."""

from faa_core.applying.batch import PolicyBatch
from faa_core.drawing.alike import UNTOUCHED, Alike, sort_alike
from faa_core.drawing.baseline import Baseline, Normalize
from faa_core.engines.choosing import EngineStatus, engine_statuses

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
