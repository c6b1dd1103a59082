"""Evaluating weights that were trained before."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from accelerate import Accelerator
from pydantic import BaseModel, Field, FiniteFloat, ValidationError
from torch import nn

from faa_core import FaaError
from faa_search.config import DataConfig, EvalConfig, FitConfig
from faa_search.data import ImageSource, open_data
from faa_search.resolving import Layer
from faa_search.run_directory import read_config
from faa_search.training.checkpoint import WEIGHTS, load_weights
from faa_search.training.loading import OrderedBatches, Rank, load
from faa_search.training.metrics import Metrics
from faa_search.training.models import ModelInput, count_weights, make_model, model_input
from faa_search.training.network import Network, check_input, evaluate, make_accelerator
from faa_search.training.views import View

BATCH = 512
LARGEST = 10_000  # whole number in a description: a network of a million layers takes forever to make
OF_THE_DATA = frozenset({"img_size", "in_chans", "num_classes"})  # arguments that a description repeats

Side = Annotated[int, Field(ge=1, le=LARGEST)]
Mean = Annotated[FiniteFloat, Field(ge=-1000, le=1000)]
Std = Annotated[FiniteFloat, Field(ge=1e-3, le=1000)]


class _Input(BaseModel):
    """What a description says of the images; None: the model's default."""

    input_size: tuple[int, Side, Side] | None = None
    mean: tuple[Mean, Mean, Mean] | None = None
    std: tuple[Std, Std, Std] | None = None


class _Description(BaseModel):
    """What is used of timm's ``config.json``."""

    architecture: str
    num_classes: int | None = None
    model_args: dict[str, Any] = {}
    pretrained_cfg: _Input = _Input()


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
    default = model_input(description.architecture)
    own = description.pretrained_cfg
    expected = ModelInput(
        size=own.input_size[-1] if own.input_size else default.size,
        mean=own.mean or default.mean,
        std=own.std or default.std,
    )
    sized = config if config.img_size else config.model_copy(update={"img_size": expected.size})
    data = open_data(sized, model_size=expected.size, note=note)
    if config.split == "test" and data.open_test is None:
        raise FaaError(f"'{config.dataset}' has no test split; use --split train, or --test-fraction.")
    source = data.open_test() if config.split == "test" and data.open_test is not None else data.train
    classes = description.num_classes
    if classes != len(source.class_names):
        raise FaaError(
            f"The weights of '{folder}' tell {classes} classes apart, '{config.dataset}' has {len(source.class_names)}."
        )
    accelerator = make_accelerator(config.device)
    model = _model(description, folder, classes=classes, size=data.size)
    network = Network(model, expected, FitConfig(amp=config.amp), accelerator)
    check_input(network, data.size, {})
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


def _description(folder: Path) -> _Description:
    path = folder / "config.json"
    try:
        description = _Description.model_validate_json(path.read_bytes(), strict=True)
        model_input(description.architecture)
    except OSError as error:
        raise FaaError(f"'{path}' cannot be read: {error}") from error
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}" for fault in error.errors())
        raise FaaError(f"'{path}' is no model's configuration: {'; '.join(faults):.300}") from error
    except FaaError as error:
        raise FaaError(f"'{path}': {error}") from error
    return description


def _model(description: _Description, folder: Path, *, classes: int, size: int) -> nn.Module:
    """Return the network that a folder describes, with its weights; a giant is refused before it takes memory."""
    name, path, weights = description.architecture, folder / "config.json", folder / WEIGHTS
    own = description.pretrained_cfg.input_size
    if (channels := description.model_args.get("in_chans", own[0] if own else 3)) != 3:
        raise FaaError(f"'{path}': the weights take {channels} channels, and faa evaluates RGB images.")
    arguments = description.model_args.items()
    options = {key: value for key, value in arguments if key not in OF_THE_DATA and value is not None}
    if _largest(options) > LARGEST:
        raise FaaError(f"'{path}': a whole number in model_args is above {LARGEST:,}.")
    try:
        count = count_weights(name, classes=classes, size=size, options=options)
        if count > weights.stat().st_size:  # each takes a byte at least
            raise FaaError(f"'{weights}' cannot hold its {count:,} weights; it is damaged or of another model.")
        model = make_model(name, classes=classes, pretrained=False, size=size, seed=0, options=options)
    except FaaError as error:
        raise FaaError(f"'{path}': {error}") from error
    load_weights(weights, model)
    return model


def _largest(value: Any) -> int:
    """Return the largest whole number anywhere in a JSON value, or 0."""
    if isinstance(value, dict | list):
        return max(map(_largest, value.values() if isinstance(value, dict) else value), default=0)
    return value if isinstance(value, int) else 0
