"""What fitting a network will cost, from a timed step of one that is thrown away."""

import time
from dataclasses import replace

from faa_search.settings import FitConfig
from faa_search.training.checkpoint import EpochPart
from faa_search.training.loading import TrainingBatches, load
from faa_search.training.models import ModelInput
from faa_search.training.network import Network, make_network
from faa_search.training.plan import make_plan
from faa_search.training.trainer import EpochTally, Trainer
from faa_search.training.views import Views, placed
from faa_search.workers.processes import Processes
from faa_search.workers.ranks import Rank


def scratch_network(config: FitConfig, view: Views, expected: ModelInput, accelerator: Processes) -> Network:
    """Return a network of the kind to be fitted, not compiled: compiling takes longer than what is to be timed."""
    plain = config.model_copy(update={"torchcompile": False, "pretrained": False})
    classes = len(view.source.class_names)
    return make_network(plain, expected, accelerator, classes=classes, size=view.size, seed=config.seed)


def fitting_seconds(network: Network, config: FitConfig, view: Views, accelerator: Processes, *, images: int) -> float:
    """Return the expected seconds of all epochs on some images, by timing an update after one that warms up.

    Args:
        network: Thrown away afterwards; it is trained for two updates.
        config: How the network is to be fitted.
        view: The images to time with, as the network is to see them.
        accelerator: Device; of a single process.
        images: How many there will be in an epoch.
    """
    plan = make_plan(config, len(view), Rank())
    once = replace(plan, images=plan.images_per_update)
    trainer = Trainer(network, config, accelerator, plan=once, classes=len(view.source.class_names))
    labels_N, seed = view.source.labels, config.seed
    order = TrainingBatches(once, labels_N, sampling=config.sampling, epochs=range(2), seed=seed)
    there = placed(replace(view, copies=plan.copies), network.device, wanted=config.resident)
    taken = []
    with load(there, order, workers=config.workers, pinned=network.device.type == "cuda") as batches:
        for epoch in range(2):
            tally = EpochTally(network.device, EpochPart())
            started = time.perf_counter()
            trainer.update(batches, epoch, 0, tally)
            tally.part()  # waits for the device
            taken.append(time.perf_counter() - started)
    return config.epochs * make_plan(config, images, Rank()).updates * taken[-1]
