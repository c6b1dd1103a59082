"""Which policies a search among trials chooses from, by its settings."""

from faa_core import SEARCH_LIST, FaaError
from faa_search.searching.samplers import PolicySpace
from faa_search.searching.samplers.presets import PRESETS, chosen_operations
from faa_search.settings import SearchConfig


def space_of(config: SearchConfig) -> PolicySpace:
    """Return the policies to search among.

    Raises:
        FaaError: If a name is unknown, nothing is left, or the images are flipped that must not be.
    """
    names = [row.name for row in SEARCH_LIST]
    ops = chosen_operations(names, preset=config.preset, exclude=config.exclude_ops)
    if config.preset is not None and config.hflip and not PRESETS[config.preset].flips:
        raise FaaError(
            f"--preset {config.preset}: a left-right flip changes what such images mean, and --hflip is "
            f"{config.hflip:g}; give --hflip 0."
        )
    return PolicySpace(ops=ops, sub_policies=config.sub_policies, num_ops=config.ops)
