"""Whether a left-right mirror changes the class: tested by networks that were fitted without flips."""

from typing import TypeVar

from faa_core import Op, Policy, SubPolicies
from faa_core.policies.document import OperationRow
from faa_search.searching.controls import FOUND, LEVEL, Key, compare, control_tasks
from faa_search.searching.search import Search
from faa_search.settings import FoldedSearchConfig
from faa_search.workers.executors.gathering import gather

Folded = TypeVar("Folded", bound=FoldedSearchConfig)
MUCH = 5.0  # points of accuracy; less may come from images that mostly face one way

MIRRORED = SubPolicies(
    name="mirrored",
    operations={"Mirror": OperationRow(kernel="Flip", low=-1.0, high=-1.0)},
    sub_policies=((Op(op="Mirror", p=1.0, magnitude=0.0),),),
)


def mirror_test(search: Search[Folded]) -> str:
    """Return in words what the folds' networks lose on mirrored held-out images: one pass over them.

    Args:
        search: Under way, with networks that were fitted with ``--hflip 0``; others have learnt mirrored images.

    Raises:
        Stopped: If a signal asked for it.
    """
    policies: dict[str, list[Policy]] = {FOUND: [MIRRORED], "none": [Policy.load("none")]}
    folds, seed = len(search.images.folds), search.config.seed
    tasks = control_tasks(policies, folds=folds, views=1, reward="mean-accuracy", seed=seed)
    values: dict[Key, list[float]] = {}
    gather(tasks, search.executor, values.__setitem__, search.request)
    _mirrored, (plain,) = compare({key: values[key] for key in tasks})
    return in_words(lost=-100 * plain.difference, low=-100 * plain.high, high=-100 * plain.low)


def in_words(*, lost: float, low: float, high: float) -> str:
    """Return what mirrors cost, and what follows for ``--hflip``.

    Args:
        lost: Points of accuracy; less than 0 for a gain.
        low: Lower end of its confidence interval.
        high: Upper end.
    """
    measured = (
        f"Mirrored left to right, held-out images lose {lost:z.1f} points of accuracy "
        f"({LEVEL:.0%} interval {low:z.1f} … {high:z.1f}), by networks that saw no mirrored image."
    )
    if low > 0 and lost >= MUCH:
        return f"{measured} A mirrored image can mean another class here: keep --hflip 0."
    if high < MUCH:
        return f"{measured} A mirror hardly changes the class: --hflip 0.5 may help."
    return f"{measured} That is too uncertain to tell whether a mirror changes the class."
