"""What a person can set, once: names, types, ranges, defaults and help.

The command line's flags are these fields, named as timm names them wherever timm has the flag.
"""

from faa_search.config.arguments import as_pairs
from faa_search.config.base import Settings, differences
from faa_search.config.commands import CompareConfig, EvalConfig, RunConfig, TrainConfig
from faa_search.config.data import DataConfig
from faa_search.config.fitting import DeviceConfig, FitConfig
from faa_search.config.roles import DECIDING, Role
from faa_search.config.search import Budget, RewardName, SearchConfig

__all__ = [
    "DECIDING",
    "Budget",
    "CompareConfig",
    "DataConfig",
    "DeviceConfig",
    "EvalConfig",
    "FitConfig",
    "RewardName",
    "Role",
    "RunConfig",
    "SearchConfig",
    "Settings",
    "TrainConfig",
    "as_pairs",
    "differences",
]
