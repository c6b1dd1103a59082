"""Evaluating weights that were trained before."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from faa_core import FaaError
from faa_search.config import DataConfig, EvalConfig, FitConfig
from faa_search.data import ImageSource, open_data
from faa_search.resolving import Layer
from faa_search.run_directory import read_config
from faa_search.training.checkpoint import WEIGHTS, load_weights
from faa_search.training.loading import OrderedBatches, Rank, load
from faa_search.training.metrics import Metrics
from faa_search.training.models import NOT_OPTIONS, ModelInput, make_model, model_input
from faa_search.training.network import Network, evaluate, make_accelerator
from faa_search.training.views import View

BATCH = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointResult:
    """How some weights do on a split."""

    metrics: Metrics
    class_names: tuple[str, ...]


def evaluate_source(
    network: Network, source: ImageSource, size: int, *, workers: int, accelerator: Accelerator
) -> Metrics:
    """Return how well a network does on un-augmented images, each counted once over all processes."""
    rank = Rank(index=accelerator.process_index, count=accelerator.num_processes)
    batches = load(View(source=source, size=size), OrderedBatches(len(source), BATCH, rank=rank), workers=workers)
    return evaluate(network, batches, classes=len(source.class_names), accelerator=accelerator)


def run_layer(checkpoint: Path) -> Layer:
    """Return the data settings of the run that a checkpoint is of; none for a folder of weights alone."""
    run = next((one for one in (checkpoint, *checkpoint.parents[:2]) if (one / "config.yaml").is_file()), None)
    if run is None:
        return Layer(str(checkpoint), {})
    settings = read_config(run)
    kept = {key: value for key, value in settings.items() if key in DataConfig.model_fields and key != "train_subset"}
    return Layer(str(run), kept)


def evaluate_checkpoint(checkpoint: Path, config: EvalConfig, *, note: Callable[[str], None]) -> CheckpointResult:
    """Return how weights do on a split.

    Args:
        checkpoint: Run directory, or a folder with ``model.safetensors`` and timm's ``config.json``.
        config: Which images, and how.
        note: Told what was done to the images.

    Raises:
        FaaError: If the checkpoint or the data cannot be used, or do not fit together.
    """
    folder = weights_folder(checkpoint)
    description = _description(folder)
    architecture, expected = _architecture(description, folder)
    sized = config if config.img_size else config.model_copy(update={"img_size": expected.size})
    data = open_data(sized, model_size=expected.size, note=note)
    if config.split == "test" and data.open_test is None:
        raise FaaError(f"'{config.dataset}' has no test split; use --split train, or --test-fraction.")
    source = data.open_test() if config.split == "test" and data.open_test is not None else data.train
    classes = description.get("num_classes")
    if classes != len(source.class_names):
        raise FaaError(
            f"The weights of '{folder}' tell {classes} classes apart, '{config.dataset}' has {len(source.class_names)}."
        )
    accelerator = make_accelerator(config.device)
    options = {key: value for key, value in description.get("model_args", {}).items() if key not in NOT_OPTIONS}
    model = make_model(architecture, classes=classes, pretrained=False, size=data.size, seed=0, options=options)
    load_weights(folder / WEIGHTS, model)
    network = Network(model, expected, FitConfig(amp=config.amp), accelerator)
    metrics = evaluate_source(network, source, data.size, workers=config.workers, accelerator=accelerator)
    return CheckpointResult(metrics=metrics, class_names=source.class_names)


def weights_folder(checkpoint: Path) -> Path:
    """Return the folder that holds a checkpoint's weights: of a run, the best epoch's if kept, else the last's.

    Raises:
        FaaError: If there are none.
    """
    folders = [checkpoint, checkpoint / "best", checkpoint / "last"]
    if checkpoint.name == WEIGHTS:
        folders = [checkpoint.parent]
    for folder in folders:
        if (folder / WEIGHTS).is_file() and (folder / "config.json").is_file():
            return folder
    raise FaaError(f"'{checkpoint}' holds no {WEIGHTS} with a config.json beside it, nor does its best/ or last/.")


def _description(folder: Path) -> dict[str, Any]:
    try:
        description = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FaaError(f"'{folder / 'config.json'}' cannot be read: {error}") from error
    if not isinstance(description, dict) or not isinstance(description.get("model_args", {}), dict):
        raise FaaError(f"'{folder / 'config.json'}' describes no model.")
    return description


def _architecture(description: dict[str, Any], folder: Path) -> tuple[str, ModelInput]:
    """Return the model's name and what it takes, as the weights' description has it."""
    try:
        name = str(description["architecture"])
        default = model_input(name)
        own = description.get("pretrained_cfg", {})
        return name, ModelInput(
            size=int(own.get("input_size", [3, default.size, default.size])[-1]),
            mean=tuple(own.get("mean", default.mean)),
            std=tuple(own.get("std", default.std)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FaaError(f"'{folder / 'config.json'}' is no model's configuration: {error!r}") from error
