"""What a search will cost, from a few timed steps of its own network on its own images."""

import time
from dataclasses import dataclass

import numpy as np
from accelerate import Accelerator

from faa_core import SubPolicies
from faa_search.config import SearchConfig
from faa_search.data import in_one_array
from faa_search.fast.objective import HeldOut, score
from faa_search.samplers import PolicySpace, Sampler, Scored
from faa_search.training.estimate import fitting_seconds, scratch_network
from faa_search.training.models import ModelInput
from faa_search.training.views import View

HISTORY = 25  # trials before the timed proposal: TPE starts to cost after its first 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Expected seconds: of fitting the folds' networks, and of proposing and scoring all trials."""

    fitting: float
    scoring: float


def estimate(
    config: SearchConfig,
    view: View,
    expected: ModelInput,
    accelerator: Accelerator,
    *,
    space: PolicySpace,
    sampler: Sampler,
) -> Estimate:
    """Return the cost of a search, from one training step and one scored batch of a network that is thrown away.

    Args:
        config: The search's settings.
        view: All training images, as the folds' networks see theirs.
        expected: What the model takes.
        accelerator: Device.
        space: Of policies.
        sampler: Proposes.
    """
    images = len(view)
    network = scratch_network(config, view, expected, accelerator)
    fitted = round(images * (1 - config.held_out))
    fitting = config.folds * fitting_seconds(network, config, view, accelerator, images=fitted)

    history = [Scored(sampler(space, [], number), 0.0) for number in range(min(HISTORY, config.depth - 1))]
    started = time.perf_counter()
    params = sampler(space, history, config.seed)
    proposing = time.perf_counter() - started
    few = in_one_array(view.source.subset(np.arange(min(images, config.score_batch_size))), view.size)
    held_out = HeldOut(
        network=network, source=few, size=view.size, views=1, batch_size=config.score_batch_size, workers=0
    )
    policy = SubPolicies(sub_policies=space.decode(params))
    score(held_out, policy, seed=0)  # warms up
    started = time.perf_counter()
    score(held_out, policy, seed=0)
    per_image = (time.perf_counter() - started) / len(few)
    trials = config.folds * config.width * config.depth
    scored = round(images * config.held_out) * config.views
    return Estimate(fitting=fitting, scoring=trials * (proposing + scored * per_image))
