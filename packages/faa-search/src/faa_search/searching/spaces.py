"""Which operations and policies a search chooses from, by its settings."""

from collections.abc import Sequence

from faa_core import SEARCH_LIST, FaaError
from faa_search.searching.samplers import PolicySpace
from faa_search.searching.samplers.presets import PRESETS, chosen_operations
from faa_search.settings import SearchConfig
from faa_search.settings.search import OperationsConfig


def operations_of(config: OperationsConfig, names: Sequence[str], *, hflip: float) -> tuple[str, ...]:
    """Return the operations that settings leave in, in their order.

    Args:
        config: The search's settings.
        names: All operations that the algorithm knows.
        hflip: Probability of the baseline's flip.

    Raises:
        FaaError: If a name is unknown, nothing is left, or the images are flipped that must not be.
    """
    ops = chosen_operations(names, preset=config.preset, exclude=config.exclude_ops)
    if config.preset is not None and hflip and not PRESETS[config.preset].flips:
        raise FaaError(
            f"--preset {config.preset}: a left-right flip changes what such images mean, and --hflip is "
            f"{hflip:g}; give --hflip 0."
        )
    return ops


def space_of(config: SearchConfig) -> PolicySpace:
    """Return the policies that a search among trials chooses from.

    Raises:
        FaaError: As `operations_of`.
    """
    ops = operations_of(config, [row.name for row in SEARCH_LIST], hflip=config.hflip)
    return PolicySpace(ops=ops, sub_policies=config.sub_policies, num_ops=config.ops)
