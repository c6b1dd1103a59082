"""What a search will cost, from a few timed steps of its own network on its own images; and that in words."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import numpy as np

from faa_core import random_policy
from faa_core.text import counted, duration
from faa_search.costs import fitting_ways, until, with_shorter
from faa_search.searching.bench import Bench
from faa_search.searching.found import device_kind
from faa_search.searching.images import stage
from faa_search.searching.objective import held_out, score, scoring_batch
from faa_search.searching.samplers import PolicySpace
from faa_search.settings import FoldedSearchConfig, SharedSearchConfig
from faa_search.training.estimate import fitting_seconds, scratch_network


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Expected device seconds: of fitting one fold's network, and of scoring one trial."""

    fold: float
    trial: float


@dataclass(frozen=True, slots=True)
class EstimateCost:
    """Times one training step and one scored batch of a network that is thrown away, where the work is to be done."""

    space: PolicySpace

    def __call__(self, bench: Bench) -> Estimate:
        """Return what a fold and a trial cost."""
        images, config = bench.images, cast(FoldedSearchConfig, bench.config)
        view = bench.training_view(images.folds[0])
        network = scratch_network(config, view, bench.expected, bench.processes)
        fold = fitting_seconds(network, config, view, bench.processes, images=len(view))
        batch = config.score_batch_size or scoring_batch(bench.device, images.size)
        few = images.scored.subset(np.arange(min(len(images.scored), batch)))
        staged = stage(few, images.size, device=bench.device, workers=0)
        held = held_out(network, staged, batch_size=batch)
        policy = random_policy(self.space.sub_policies, seed=0, num_ops=self.space.num_ops, ops=self.space.ops)
        score(held, policy, views=1, seed=0)  # warms up
        started = time.perf_counter()
        score(held, policy, views=1, seed=0)
        per_image = (time.perf_counter() - started) / len(few)
        return Estimate(fold=fold, trial=len(images.folds[0].held_out) * config.views * per_image)


def describe_estimate(
    config: SharedSearchConfig, parts: Mapping[str, float], *, size: int, workers: int, ways: Sequence[str]
) -> str:
    """Return how long a search will take, by its parts and in all, with what would make that shorter.

    Args:
        config: The search's settings.
        parts: Seconds by what they are for, such as "to fit 2 folds at 32 px".
        size: Side of the images in pixels.
        workers: At work.
        ways: To make it shorter, by the algorithm's settings.
    """
    seconds = sum(parts.values())
    total = until(seconds, now=datetime.now())
    each = ", ".join(f"{duration(cost)} {what}" for what, cost in parts.items())
    told = f"{each}; in all {total}" if len(parts) > 1 else f"{total} {''.join(parts)}"
    with_workers = f" with {counted(workers, 'worker')}" if workers > 1 else ""
    on_cpu = device_kind(config) == "cpu"
    shorter = [*ways, *fitting_ways(model=config.model, epochs=config.epochs, size=size, on_cpu=on_cpu)]
    return with_shorter(f"Estimated time{with_workers}: {told}.", seconds, shorter)
