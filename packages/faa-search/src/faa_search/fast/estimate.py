"""What a search will cost, from a few timed steps of its own network on its own images."""

import time
from dataclasses import dataclass

import numpy as np
from accelerate import Accelerator

from faa_core import SubPolicies
from faa_search.config import SearchConfig
from faa_search.data import in_one_array
from faa_search.fast.objective import HeldOut, score
from faa_search.samplers import PolicySpace, Sampler
from faa_search.training.loading import Rank, ShuffledBatches, load, steps_per_epoch
from faa_search.training.models import ModelInput, make_model
from faa_search.training.network import Network
from faa_search.training.trainer import Trainer
from faa_search.training.views import View


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
    classes = len(view.source.class_names)
    model = make_model(config.model, classes=classes, pretrained=False, size=view.size, seed=config.seed)
    network = Network(model, expected, config, accelerator)
    step = _step_seconds(config, view, network, accelerator)
    fitted = round(images * (1 - config.held_out))
    fitting = config.folds * config.epochs * steps_per_epoch(fitted, config.batch_size, Rank()) * step

    started = time.perf_counter()
    params = sampler(space, [], config.seed)
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


def _step_seconds(config: SearchConfig, view: View, network: Network, accelerator: Accelerator) -> float:
    """Return the seconds of one training step, after one that warms up."""
    trainer = Trainer(network, config, accelerator, steps_per_epoch=1)
    order = ShuffledBatches(len(view), config.batch_size, epochs=range(2), seed=0, rank=Rank())
    batches = iter(load(view, order, workers=0))
    trainer.fit_epoch(batches, 0)
    started = time.perf_counter()
    trainer.fit_epoch(batches, 0)
    return time.perf_counter() - started
