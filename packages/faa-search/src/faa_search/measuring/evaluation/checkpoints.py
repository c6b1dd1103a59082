"""Evaluating weights that were trained before."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from accelerate import Accelerator

from faa_core import FaaError
from faa_search.data import ImageSource, OpenedData, open_data
from faa_search.measuring.evaluation.classes import reorder_outputs
from faa_search.measuring.evaluation.trained_on import TrainedRun, run_of, same_images, say_unfinished, settle_images
from faa_search.measuring.evaluation.weights import Weights, find_weights
from faa_search.runs.records.figures import Metrics
from faa_search.settings import EvalConfig, FitConfig
from faa_search.settings.calls import check_settings
from faa_search.training.evaluating import evaluate_source
from faa_search.training.network import Network, check_input
from faa_search.workers.processes import make_accelerator


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A network and images that fit each other.

    Attributes:
        network: With its weights.
        source: The images.
        size: Side in pixels at which the network sees them.
        own_source: The same images as they come, to be worked on before they are brought to size.
        own_size: Side in pixels that they come in, if they come in one; else `size`.
        workers: Loader processes.
        accelerator: Processes and device.
    """

    network: Network
    source: ImageSource
    size: int
    own_source: ImageSource
    own_size: int
    workers: int
    accelerator: Accelerator


def evaluate_subject(subject: Subject) -> Metrics:
    """Return how well a subject's network does on its images.

    Raises:
        FaaError: If its outputs are not numbers.
    """
    found = evaluate_source(
        subject.network, subject.source, subject.size, workers=subject.workers, accelerator=subject.accelerator
    )
    if math.isnan(found.loss):
        raise FaaError(
            "The network's outputs are not numbers (NaN), so there is nothing to count. Its weights are damaged, or "
            "its training had gone wrong; take other weights, such as those of an earlier epoch."
        )
    return found


def evaluate_checkpoint(checkpoint: Path, config: EvalConfig, *, note: Callable[[str], None]) -> Metrics:
    """Return how well weights do on a split: `open_subject` and `evaluate_subject` in one.

    Args:
        checkpoint: Run directory, or a folder with ``model.safetensors`` and timm's ``config.json``.
        config: Which images, and how.
        note: Told what was done to the images.

    Raises:
        FaaError: If the checkpoint or the data cannot be used, or do not fit together.
    """
    return evaluate_subject(open_subject(find_weights(checkpoint=str(checkpoint)), config, note=note))


def open_subject(weights: Weights, config: EvalConfig, *, note: Callable[[str], None]) -> Subject:
    """Return weights on their device and the images they are to be evaluated on.

    Args:
        weights: Not loaded yet.
        config: Which images, and how.
        note: Told what was done to the images.

    Raises:
        FaaError: If the weights or the data cannot be used, do not fit together, or images that the weights were
            trained on would count as test images.
    """
    check_settings(config, EvalConfig)
    if config.split == "test" and config.train_subset is not None:
        raise FaaError("--train-subset is for --split train, and changes no test image; leave it out.")
    run = None if weights.folder is None else run_of(weights.folder)
    if run is not None:
        config = settle_images(config, run, note=note)
        say_unfinished(run, weights.folder or run.directory, note=note)
    size = config.img_size or weights.expected.size
    data = open_data(config.model_copy(update={"img_size": size}), model_size=size, note=note)
    source = _split(data, config, run)
    names = source.class_names
    if weights.classes != len(names):
        raise FaaError(
            f"The weights of '{weights.name}' have {weights.classes} classes, '{config.dataset}' has {len(names)}."
        )
    # What corrupts images works at their own size, as published ones were made: the network's comes after that.
    own_size = data.own_size if config.corruptions == "make" and data.own_size else size
    own = data
    if own_size != size:
        own = open_data(config.model_copy(update={"img_size": own_size}), model_size=own_size, note=lambda _line: None)
    accelerator = make_accelerator(config.device)
    layout = True if run is None else bool(run.settings.get("channels_last", True))
    settings = FitConfig(amp=config.amp, amp_dtype=config.amp_dtype, channels_last=layout)
    model = reorder_outputs(weights.load(size), weights, names, dataset=config.dataset, note=note)
    network = Network(model, weights.expected, settings, accelerator)
    check_input(network, size, {})
    return Subject(
        network=network,
        source=source,
        size=size,
        own_source=source if own is data else _split(own, config, run),
        own_size=own_size,
        workers=config.workers,
        accelerator=accelerator,
    )


def _split(data: OpenedData, config: EvalConfig, run: TrainedRun | None) -> ImageSource:
    """Return the images of the split that the settings ask for."""
    if config.split == "train":
        return data.train
    if data.open_test is not None:
        return data.open_test()
    if run is not None and same_images(config, run):
        raise FaaError(
            f"'{config.dataset}' has no test split, and '{run.directory}' was trained on all of it: --split train "
            "evaluates on those images. For a test error, give other images as --dataset, or train anew with a part "
            "held out (faa train --test-fraction)."
        )
    raise FaaError(f"'{config.dataset}' has no test split; use --split train, or --test-fraction.")
