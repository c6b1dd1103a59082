"""What a person can set, once: names, types, ranges, defaults and help.

The command line's flags are these fields, named as timm names them wherever timm has the flag.
"""

from faa_search.settings.arguments import as_pairs
from faa_search.settings.base import Settings, differences
from faa_search.settings.commands import CompareConfig, EvalConfig, RunConfig, TrainConfig
from faa_search.settings.data import DataConfig
from faa_search.settings.deep import DeepSearchConfig
from faa_search.settings.fast import SearchConfig
from faa_search.settings.fitting import DeviceConfig, FitConfig
from faa_search.settings.roles import DECIDING, Role
from faa_search.settings.search import Budget, FoldedSearchConfig, NetworksSearchConfig, RewardName, SharedSearchConfig

__all__ = [
    "DECIDING",
    "Budget",
    "CompareConfig",
    "DataConfig",
    "DeepSearchConfig",
    "DeviceConfig",
    "EvalConfig",
    "FitConfig",
    "FoldedSearchConfig",
    "NetworksSearchConfig",
    "RewardName",
    "Role",
    "RunConfig",
    "SearchConfig",
    "Settings",
    "SharedSearchConfig",
    "TrainConfig",
    "as_pairs",
    "differences",
]
