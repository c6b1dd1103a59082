"""Evaluating weights that were trained before."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from accelerate import Accelerator

from faa_core import FaaError
from faa_search.config import DataConfig, EvalConfig, FitConfig
from faa_search.data import ImageSource, open_data
from faa_search.resolving import Layer
from faa_search.run_directory import read_config
from faa_search.training.loading import OrderedBatches, load
from faa_search.training.metrics import Metrics
from faa_search.training.network import Network, check_input, evaluate
from faa_search.training.processes import make_accelerator, rank_of
from faa_search.training.views import View
from faa_search.training.weights import Weights, find_weights, weights_folder

__all__ = [
    "CheckpointResult",
    "Subject",
    "evaluate_checkpoint",
    "evaluate_source",
    "evaluate_subject",
    "evaluate_view",
    "open_subject",
    "run_layer",
    "run_seed",
    "weights_folder",
]

BATCH = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A network and images that fit each other.

    Attributes:
        network: With its weights.
        source: The images.
        own_size: Side in pixels that the images come in, if they come in one; else `size`.
        size: Side in pixels at which the network sees them.
        workers: Loader processes.
        accelerator: Processes and device.
    """

    network: Network
    source: ImageSource
    own_size: int
    size: int
    workers: int
    accelerator: Accelerator


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointResult:
    """How some weights do on a split."""

    metrics: Metrics
    class_names: tuple[str, ...]


def evaluate_source(
    network: Network, source: ImageSource, size: int, *, workers: int, accelerator: Accelerator
) -> Metrics:
    """Return how well a network does on un-augmented images, each counted once over all processes."""
    return evaluate_view(network, View(source=source, size=size), workers=workers, accelerator=accelerator)


def evaluate_view(network: Network, view: View, *, workers: int, accelerator: Accelerator) -> Metrics:
    """Return how well a network does on a view of images, each counted once over all processes."""
    batches = load(view, OrderedBatches(len(view), BATCH, rank=rank_of(accelerator)), workers=workers)
    return evaluate(network, batches, classes=len(view.source.class_names), accelerator=accelerator)


def evaluate_subject(subject: Subject) -> Metrics:
    """Return how well a subject's network does on its images."""
    return evaluate_source(
        subject.network, subject.source, subject.size, workers=subject.workers, accelerator=subject.accelerator
    )


def run_layer(checkpoint: Path) -> Layer:
    """Return the data settings of the run that a checkpoint is of; none for a folder of weights alone."""
    run = _run_of(checkpoint)
    if run is None:
        return Layer(str(checkpoint), {})
    settings = read_config(run)
    kept = {key: value for key, value in settings.items() if key in DataConfig.model_fields and key != "train_subset"}
    return Layer(str(run), kept)


def run_seed(checkpoint: Path) -> int | None:
    """Return the seed of the run that a checkpoint is of; None for a folder of weights alone."""
    run = _run_of(checkpoint)
    seed = None if run is None else read_config(run).get("seed")
    return seed if isinstance(seed, int) else None


def open_subject(weights: Weights, config: EvalConfig, *, note: Callable[[str], None]) -> Subject:
    """Return weights on their device and the images they are to be evaluated on.

    Args:
        weights: Not loaded yet.
        config: Which images, and how.
        note: Told what was done to the images.

    Raises:
        FaaError: If the weights or the data cannot be used, or do not fit together.
    """
    size = config.img_size or weights.expected.size
    # What corrupts images works at their own size, as published ones were made: the network's comes after that.
    asked = None if config.corruptions == "make" else size
    data = open_data(config.model_copy(update={"img_size": asked}), model_size=size, note=note)
    if config.split == "test" and data.open_test is None:
        raise FaaError(f"'{config.dataset}' has no test split; use --split train, or --test-fraction.")
    source = data.open_test() if config.split == "test" and data.open_test is not None else data.train
    if weights.classes != len(source.class_names):
        raise FaaError(
            f"The weights of '{weights.name}' tell {weights.classes} classes apart, "
            f"'{config.dataset}' has {len(source.class_names)}."
        )
    accelerator = make_accelerator(config.device)
    settings = FitConfig(amp=config.amp, amp_dtype=config.amp_dtype)
    network = Network(weights.load(size), weights.expected, settings, accelerator)
    check_input(network, size, {})
    return Subject(
        network=network,
        source=source,
        own_size=data.size,
        size=size,
        workers=config.workers,
        accelerator=accelerator,
    )


def evaluate_checkpoint(checkpoint: Path, config: EvalConfig, *, note: Callable[[str], None]) -> CheckpointResult:
    """Return how weights do on a split.

    Args:
        checkpoint: Run directory, or a folder with ``model.safetensors`` and timm's ``config.json``.
        config: Which images, and how.
        note: Told what was done to the images.

    Raises:
        FaaError: If the checkpoint or the data cannot be used, or do not fit together.
    """
    subject = open_subject(find_weights(checkpoint=str(checkpoint)), config, note=note)
    return CheckpointResult(metrics=evaluate_subject(subject), class_names=subject.source.class_names)


def _run_of(checkpoint: Path) -> Path | None:
    return next((one for one in (checkpoint, *checkpoint.parents[:2]) if (one / "config.yaml").is_file()), None)
