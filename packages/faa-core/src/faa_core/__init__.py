"""faa-core: augmentation operations and policies."""

from importlib.metadata import version

from faa_core.errors import FaaError, UnknownNameError
from faa_core.operations import SEARCH_LIST, Operation, Step, operation
from faa_core.policies import Choice, LayeredSubPolicies, Layers, Op, Parametric, Policy, SubPolicies, random_policy

__version__ = version("faa-core")

__all__ = [
    "SEARCH_LIST",
    "Choice",
    "FaaError",
    "LayeredSubPolicies",
    "Layers",
    "Op",
    "Operation",
    "Parametric",
    "Policy",
    "Step",
    "SubPolicies",
    "UnknownNameError",
    "__version__",
    "operation",
    "random_policy",
]
