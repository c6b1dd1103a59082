"""SkipNet: gates that decide for each image which blocks of a network run."""

from faa_models.skipnet.computation import Computation, MacTable, computation, mac_table
from faa_models.skipnet.network import GateRecord, SkipNet, SkipOutput
from faa_models.skipnet.objectives import MovingBaseline, reinforcement_loss, returns, sparsity_loss
from faa_models.skipnet.registered import pyramidnet272_a200_shakedrop_skip, skipnet

__all__ = [
    "Computation",
    "GateRecord",
    "MacTable",
    "MovingBaseline",
    "SkipNet",
    "SkipOutput",
    "computation",
    "mac_table",
    "pyramidnet272_a200_shakedrop_skip",
    "reinforcement_loss",
    "returns",
    "skipnet",
    "sparsity_loss",
]
