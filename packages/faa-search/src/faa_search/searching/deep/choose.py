"""How the found policy compares with policies that need no search, by the objective: paired, triple by triple."""

from faa_core import Layers, Policy
from faa_search.runs.records.search import Control
from faa_search.searching.controls import FOUND, SEARCH_FREE, compare
from faa_search.searching.deep.space import Space
from faa_search.searching.deep.tasks import CompareTriple
from faa_search.searching.search import Search
from faa_search.settings import DeepSearchConfig
from faa_search.workers.executors.gathering import gather

COMPARED = 2 + len(SEARCH_FREE)  # policies: the found one, uniform layers, and those of every search


def images_compared(config: DeepSearchConfig, space: Space) -> int:
    """Return how many images the controls pass through the network, at most."""
    of_a_triple = config.val_images + config.gradient_draws * len(space) * COMPARED
    return of_a_triple * config.control_triples


def compare_with_controls(
    search: Search[DeepSearchConfig], space: Space, policy: Layers
) -> tuple[float, list[Control]]:
    """Return the policy's mean cosine, and each control's with the paired difference over triples.

    Args:
        search: Under way, with its network shared.
        space: Of the transforms.
        policy: Found.

    Raises:
        Stopped: If a signal asked for it.
    """
    uniform = space.policy([space.uniform()] * len(policy.layers), mirror=True)
    search_free = {name: Policy.load(name) for name in SEARCH_FREE}
    policies: dict[str, Policy] = {FOUND: policy, **search_free, "uniform-layers": uniform}
    numbers = range(search.config.control_triples)
    tasks = {number: CompareTriple(policies=policies, triple=number) for number in numbers}
    found: dict[int, dict[str, float]] = {}
    gather(tasks, search.executor, found.__setitem__, search.request)
    return compare({(name, 0, 0): [found[number][name] for number in numbers] for name in policies})
