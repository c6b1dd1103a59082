"""The second stage: layer after layer, from the rewards of their updates; taken up where the journal ends."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from faa_core import FaaError
from faa_core.text import safe
from faa_search.runs.journal import Journal
from faa_search.runs.records.trials import Origin
from faa_search.searching.clock import Clock
from faa_search.searching.deep.choose import images_compared
from faa_search.searching.deep.learning import Layer, entropy_of, reward_of
from faa_search.searching.deep.space import Probabilities, Space
from faa_search.searching.deep.tasks import Done, MatchTriple
from faa_search.searching.deep.updates import Update, by_layer
from faa_search.searching.search import Search
from faa_search.settings import DeepSearchConfig
from faa_search.workers.executors.gathering import gather

LATEST = 10  # updates by which the cost of the next one is foreseen
IDENTITY = 0.9  # probability of changing nothing from which a layer counts as the identity
FAR_ENOUGH = 12.8  # learning rate × updates, as in the paper; a layer starts as nearly the identity, and must get away


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """The layers so far.

    Attributes:
        layers: With an update or more; the last may be unfinished.
        complete: Whether no update is left.
        identity: Whether the last layer came to be the identity.
    """

    layers: tuple[Probabilities, ...]
    complete: bool
    identity: bool


def learn(
    search: Search[DeepSearchConfig], space: Space, journal: Journal[Update], clock: Clock, tell: Callable[[str], None]
) -> Learnt:
    """Find the layers, as far as the budget lets; an update or more is always done.

    Args:
        search: Under way, with its network shared.
        space: Of the transforms.
        journal: Of the updates.
        clock: For the budget.
        tell: Given, once, what the user should know of the network.

    Raises:
        Stopped: If a signal asked for it; the updates so far are kept.
    """
    config, before = search.config, journal.read()
    done, latest = by_layer(before), before[-LATEST:]
    layers: list[Probabilities] = []
    with search.reporter.track("Updates", config.layers * config.updates, done=sum(map(len, done))) as advance:
        for number in range(config.layers):
            kept = done[number] if number < len(done) else []
            learning = _replayed(config, space, kept)
            for at in range(len(kept), config.updates):
                if latest and not clock.has(needed_seconds(config, space, latest)):
                    until_now = [*layers, learning.probabilities] if at else layers
                    return Learnt(layers=tuple(until_now), complete=False, identity=False)
                triples = _triples(search, (*layers, learning.probabilities), at)
                if number == at == 0:
                    tell(triples[0].lacks)
                update = _update(config, learning, triples, layer=number, number=at)
                journal.append(update)
                latest = [*latest, update][-LATEST:]
                clock.add(update.seconds)
                advance(_in_words(update))
            layers.append(learning.probabilities)
            if is_identity(config, layers[-1]):
                break
    return Learnt(layers=tuple(layers), complete=True, identity=is_identity(config, layers[-1]))


def needed_seconds(config: DeepSearchConfig, space: Space, latest: Sequence[Update]) -> float:
    """Return the device seconds of one more update and then of the controls, at most, by the latest updates."""
    each = sum(update.seconds for update in latest) / sum(update.images for update in latest)
    return fmean(update.seconds for update in latest) + each * images_compared(config, space)


def so_far(config: DeepSearchConfig, space: Space, updates: Sequence[Update]) -> tuple[Probabilities, ...]:
    """Return the layers that updates come to, the last of them unfinished perhaps."""
    return tuple(_replayed(config, space, own).probabilities for own in by_layer(updates))


def _replayed(config: DeepSearchConfig, space: Space, updates: Sequence[Update]) -> Layer:
    """Return a layer after its updates so far."""
    layer = Layer(space.start(), lr=config.policy_lr)
    for update in updates:
        layer.update(update.rewards)
    return layer


def learnt_so_far(search: Search[DeepSearchConfig], space: Space, updates: Sequence[Update]) -> Learnt:
    """Return the layers of the updates that there are, without making any more.

    Raises:
        FaaError: If there are none.
    """
    config, layers = search.config, so_far(search.config, space, updates)
    if not layers:
        raise FaaError(f"'{safe(search.directory)}' has no updates of layers; --stage match makes them.")
    whole = len(by_layer(updates)[-1]) == config.updates
    ends = whole and (len(layers) == config.layers or is_identity(config, layers[-1]))
    return Learnt(layers=layers, complete=ends, identity=ends and is_identity(config, layers[-1]))


def can_be_identity(config: DeepSearchConfig) -> bool:
    """Return whether a layer's updates could take it away from the identity, so that staying there means something."""
    return config.policy_lr * config.updates >= FAR_ENOUGH - 1e-9


def is_identity(config: DeepSearchConfig, layer: Probabilities) -> bool:
    """Return whether a finished layer came to be the identity, which ends the search."""
    return can_be_identity(config) and layer[0] > IDENTITY


def _triples(search: Search[DeepSearchConfig], layers: tuple[Probabilities, ...], update: int) -> list[Done]:
    """Return the triples of an update, in their order."""
    numbers = range(search.config.triples)
    tasks = {number: MatchTriple(layers=layers, update=update, triple=number) for number in numbers}
    found: dict[int, Done] = {}
    gather(tasks, search.executor, found.__setitem__, search.request)
    return [found[number] for number in numbers]


def _update(config: DeepSearchConfig, learning: Layer, triples: Sequence[Done], *, layer: int, number: int) -> Update:
    """Take a step, and return it as it is written down."""
    matches = [one.match for one in triples]
    rewards = reward_of([one.rewards for one in matches], penalty=config.penalty if layer else 0.0)
    learning.update(rewards)
    probabilities = learning.probabilities
    return Update(
        layer=layer,
        number=number,
        rewards=tuple(rewards),
        cosines=tuple(one.cosine for one in matches),
        entropy=entropy_of(probabilities),
        identity=probabilities[0],
        repeated=sum(one.repeated for one in matches),
        silent=sum(one.silent for one in matches),
        images=sum(one.images for one in matches),
        seconds=round(sum(one.seconds for one in triples), 4),
        origin=Origin(at=round(time.time(), 3), worker=triples[0].worker, device=triples[0].device),
    )


def _in_words(update: Update) -> str:
    """Return how a layer is doing, in a few words."""
    spread = f" ± {update.spread:.3f}" if len(update.cosines) > 1 else ""
    return (
        f"layer {update.layer + 1}: cosine {update.cosine:z.3f}{spread}, entropy {update.entropy:.2f}, "
        f"identity {update.identity:.0%}"
    )


def in_words(learnt: Learnt, config: DeepSearchConfig) -> str:
    """Return why there are no more layers, in a sentence."""
    if learnt.identity:
        return f"Layer {len(learnt.layers)} mostly changes nothing, so there are no more."
    if not can_be_identity(config):
        return (
            "The search made as many layers as --layers allows. A layer starts as one that mostly changes nothing, "
            f"and --updates × --policy-lr must be {FAR_ENOUGH:g} or more before staying there can end a search."
        )
    return "The search made as many layers as --layers allows, and the last still changes images: more may help."
