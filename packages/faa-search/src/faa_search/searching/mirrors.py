"""Whether a left-right mirror changes the class: tested by networks that were fitted without flips."""

from typing import TypeVar

from faa_core import Op, Policy, SubPolicies
from faa_core.policies.document import OperationRow
from faa_search.searching.controls import CONFIDENCE, FOUND, Key, compare, control_tasks
from faa_search.searching.search import Search
from faa_search.settings import FoldedSearchConfig
from faa_search.workers.executors.gathering import gather

Folded = TypeVar("Folded", bound=FoldedSearchConfig)
MUCH = 0.1  # of the accuracy; less may come from images that mostly face one way
ENOUGH = 50.0  # per cent; a network that hardly knows the images has little to lose

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
    lost, low, high = (-100 * part for part in (plain.difference, plain.high, plain.low))
    return in_words(accuracy=100 * plain.reward, lost=lost, low=low, high=high)


def in_words(*, accuracy: float, lost: float, low: float, high: float) -> str:
    """Return what mirrors cost, and what follows for ``--hflip``.

    Args:
        accuracy: On the images as they are, in per cent.
        lost: Points of accuracy; less than 0 for a gain.
        low: Lower end of its confidence interval.
        high: Upper end.
    """
    measured = (
        f"Mirrored left to right, held-out images lose {lost:z.1f} of {accuracy:.1f} points of accuracy "
        f"({CONFIDENCE:.0%} interval {low:z.1f} … {high:z.1f}), by networks that saw no mirrored image."
    )
    if low > 0 and lost >= MUCH * accuracy:
        return f"{measured} A mirrored image can mean another class here: keep --hflip 0."
    if accuracy < ENOUGH:
        return f"{measured} These networks know the images too little to tell; more --epochs may."
    if high < MUCH * accuracy:
        return f"{measured} A mirror hardly changes the class: --hflip 0.5 may help."
    return f"{measured} That is too uncertain to tell whether a mirror changes the class."
