"""What fitting a network will cost, from a timed step of one that is thrown away."""

import time

from accelerate import Accelerator

from faa_search.config import FitConfig
from faa_search.training.loading import Rank, ShuffledBatches, load, steps_per_epoch
from faa_search.training.models import ModelInput, make_model
from faa_search.training.network import Network, check_input
from faa_search.training.trainer import Trainer
from faa_search.training.views import View


def scratch_network(config: FitConfig, view: View, expected: ModelInput, accelerator: Accelerator) -> Network:
    """Return a network of the kind to be fitted, not compiled: compiling takes longer than what is to be timed."""
    classes = len(view.source.class_names)
    model = make_model(
        config.model,
        classes=classes,
        pretrained=False,
        size=view.size,
        seed=config.seed,
        options=config.model_kwargs,
    )
    network = Network(model, expected, config.model_copy(update={"torchcompile": False}), accelerator)
    check_input(network, view.size, config.model_kwargs)
    return network


def fitting_seconds(network: Network, config: FitConfig, view: View, accelerator: Accelerator, *, images: int) -> float:
    """Return the expected seconds of all epochs on some images, by timing a step after one that warms up.

    Args:
        network: Thrown away afterwards; it is trained for two steps.
        config: How the network is to be fitted.
        view: The images to time with, as the network is to see them.
        accelerator: Device; of a single process.
        images: How many there will be in an epoch.
    """
    trainer = Trainer(network, config, accelerator, steps_per_epoch=1)
    order = ShuffledBatches(len(view), config.batch_size, epochs=range(2), seed=0, rank=Rank())
    batches = iter(load(view, order, workers=0))
    trainer.fit_epoch(batches, 0)
    started = time.perf_counter()
    trainer.fit_epoch(batches, 0)
    return config.epochs * steps_per_epoch(images, config.batch_size, Rank()) * (time.perf_counter() - started)
