"""The stages of a search by gradient matching, in order; each takes up what is there."""

import math
from collections.abc import Sequence

from faa_core import Layers
from faa_core.text import counted
from faa_search.data.classes import some
from faa_search.runs.files import POLICY, UPDATES
from faa_search.runs.journal import Journal
from faa_search.runs.records.search import Found
from faa_search.searching.clock import Clock
from faa_search.searching.deep.choose import compare_with_controls, images_compared
from faa_search.searching.deep.learn import Learnt, in_words, learn, learnt_so_far, so_far
from faa_search.searching.deep.pools import Pools, make_pools
from faa_search.searching.deep.space import Probabilities, Space, space_of
from faa_search.searching.deep.tasks import EstimateMatching, MatchingEstimate
from faa_search.searching.deep.updates import Update, read_updates
from faa_search.searching.estimate import describe_estimate
from faa_search.searching.folding import check_budget, fit_folds, fit_seconds, prepare_networks
from faa_search.searching.search import Search
from faa_search.settings import DeepSearchConfig
from faa_search.workers.stopping import Stopped


def run_stages(search: Search[DeepSearchConfig]) -> Found | None:
    """Return what was found, or None if only a stage was asked for that ends before there is a policy.

    Raises:
        Stopped: If a signal asked for it; the policy of the layers so far is kept.
        FaaError: If something that is needed is missing, or the budget is too small for the network alone.
    """
    config, directory = search.config, search.directory
    space, journal = space_of(config, search.images.size), Journal(directory / UPDATES, Update)
    held_out = search.images.folds[0].held_out
    pools = make_pools(search.images.train.labels, held_out, val_size=config.val_size, seed=config.seed)
    _tell_left_out(search, pools)
    before = read_updates(journal, transforms=len(space), triples=config.triples)
    clock = search.clock(before=_seconds(search, before))
    with search.timed("pretrain"):
        _pretrain(search, clock, space, begun=bool(before))
    if config.stage == "pretrain":
        return None
    if config.stage == "controls":
        learnt = learnt_so_far(search, space, before)
    else:
        with search.timed("match"):
            learnt = _match(search, space, journal, clock)
    if config.stage == "match":
        return None
    with search.timed("controls"):
        return _found(search, space, journal, learnt)


def _tell_left_out(search: Search[DeepSearchConfig], pools: Pools) -> None:
    """Note which classes cannot be matched."""
    names = search.images.train.class_names
    lacking = [name for label, name in enumerate(names) if label not in pools.labels]
    if lacking:
        search.reporter.note(
            f"{counted(len(lacking), 'class is', 'classes are')} left out of the matching, which needs two images of a "
            f"class that the network is not fitted on: {some(lacking)}."
        )


def _pretrain(search: Search[DeepSearchConfig], clock: Clock, space: Space, *, begun: bool) -> None:
    """Fit the network if it is missing, after telling what the search will cost."""
    config, directory, folds = search.config, search.directory, search.images.folds
    missing = prepare_networks(search, fits=config.stage in (None, "pretrain"), stage="pretrain")
    if config.stage != "controls" and not begun:
        cost: MatchingEstimate = search.executor.submit(EstimateMatching()).result()
        search.reporter.note(_cost_in_words(search, cost, space, missing=bool(missing)))
        ways = "fewer --epochs, a smaller --pretrain-size"
        check_budget(search, clock, missing * cost.fit, "the network", ways=ways)
    spent = fit_seconds(directory, folds)
    fit_folds(directory, folds, search.executor, search.reporter, search.request)
    clock.add(fit_seconds(directory, folds) - spent)


def _cost_in_words(search: Search[DeepSearchConfig], cost: MatchingEstimate, space: Space, *, missing: bool) -> str:
    """Return what the search will cost at most, by stage and in all, with what would make that shorter."""
    config, images, workers = search.config, search.images, search.executor.workers
    turns = math.ceil(config.triples / min(workers, config.triples)) * config.updates
    matching = turns * (cost.first + (config.layers - 1) * cost.later)
    parts = {f"to fit the network at {images.size} px": cost.fit} if missing else {}
    if config.stage != "pretrain":
        updates, layers = counted(config.updates, "update"), counted(config.layers, "layer")
        of_a_triple = config.val_images + (config.gradient_draws + config.prefixes) * len(space)
        controls = images_compared(config, space) * cost.later / of_a_triple / min(workers, config.control_triples)
        parts[f"at most for {updates} of {layers} of {len(space)} transforms"] = matching
        parts["for the controls"] = controls
    ways = ["fewer --updates", "fewer --triples", "fewer --prefixes", "a --budget such as 30m"]
    return describe_estimate(config, parts, size=images.size, workers=workers, ways=ways)


def _match(search: Search[DeepSearchConfig], space: Space, journal: Journal[Update], clock: Clock) -> Learnt:
    """Find the layers; where a signal stops that, keep the policy of the layers so far."""
    config = search.config

    def tell(lacks: str) -> None:
        if lacks:
            search.reporter.note(
                f"torch has no forward-mode derivative of '{lacks}', which the network needs: rewards are central "
                "differences of the loss instead."
            )

    try:
        learnt = learn(search, space, journal, clock, tell)
    except Stopped:
        updates = journal.read()
        if updates:
            policy = _named(search, space, so_far(config, space, updates), updates)
            search.keep_policy(policy)
            done = counted(len(policy.layers), "layer")
            search.reporter.note(f"The policy of the {done} so far is '{search.directory / POLICY}'.")
        raise
    finally:
        journal.sync()
    if not learnt.complete:
        search.reporter.note(
            f"--budget {config.budget} is used up after {len(journal.read()):,} of "
            f"{counted(config.layers * config.updates, 'update')}."
        )
    return learnt


def _found(search: Search[DeepSearchConfig], space: Space, journal: Journal[Update], learnt: Learnt) -> Found:
    """Return the policy with its controls."""
    config, updates = search.config, journal.read()
    layers = learnt.layers
    if learnt.identity and len(layers) > 1 and not config.keep_identity:
        layers = layers[:-1]
    policy = _named(search, space, layers, updates)
    search.reporter.note(f"Comparing the found policy ({counted(len(layers), 'layer')}) with the controls.")
    cosine, controls = compare_with_controls(search, space, policy)
    notes = [in_words(learnt, config)] if learnt.complete else []
    alone = ", ".join(f"{layer[0]:.0%}" for layer in layers)
    notes.append(f"Probability that a layer changes nothing, in order: {alone}.")
    if worse := [f"'{row.name}'" for row in controls if row.verdict == "worse than"]:
        notes.append(f"By the objective, {' and '.join(worse)} would do better, and need no search.")
    if repeated := sum(update.repeated for update in updates):
        notes.append(f"{repeated:,} images to match were taken a second time, since their classes have too few.")
    if silent := sum(update.silent for update in updates):
        notes.append(f"In {counted(silent, 'triple')} a gradient vanished: the network is certain of these images.")
    found = Found(
        policy=policy,
        seconds=_seconds(search, updates),
        figures={"cosine": cosine, "layers": len(layers), "updates": len(updates)},
        controls=controls,
        complete=learnt.complete,
        budget=config.budget,
        notes=notes,
    )
    search.keep(found)
    return found


def _named(
    search: Search[DeepSearchConfig], space: Space, layers: Sequence[Probabilities], updates: Sequence[Update]
) -> Layers:
    """Return the policy to train with, with where it comes from."""
    policy = space.policy(layers, mirror=True)
    return search.named(policy, seconds=_seconds(search, updates), facts={"mirror": True, "updates_done": len(updates)})


def _seconds(search: Search[DeepSearchConfig], updates: Sequence[Update]) -> float:
    """Return the device seconds that network and updates took, in all processes' lifetimes together."""
    return round(fit_seconds(search.directory, search.images.folds) + sum(one.seconds for one in updates), 3)
