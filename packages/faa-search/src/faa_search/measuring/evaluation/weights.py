"""Weights that were trained before: in a folder, on the Hugging Face Hub, or published by timm.

From a folder and from the Hub come ``model.safetensors`` and a ``config.json`` that may be anybody's, so nothing is
unpickled and no size is believed. By a plain name, timm fetches what its authors published, tensors only.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import timm
from pydantic import BaseModel, Field, FiniteFloat, TypeAdapter
from timm.models._hub import download_from_hf
from torch import nn

from faa_core import FaaError
from faa_core.paths import refuse_address
from faa_core.reading import as_text, parse_json_as, read_content
from faa_core.text import one_line, safe
from faa_search.settings.arguments import LARGEST
from faa_search.training.checkpoint import WEIGHTS, load_weights
from faa_search.training.models import ModelInput, count_weights, make_model, model_input

MOST_BYTES = 1 << 24  # of a description; one that names 21,000 classes has 1 MB
OF_THE_DATA = frozenset({"img_size", "in_chans", "num_classes"})  # arguments that a description repeats
HUB = ("hf-hub:", "hf_hub:")
LOCAL = "local-dir:"

Side = Annotated[int, Field(ge=1, le=LARGEST)]
Mean = Annotated[FiniteFloat, Field(ge=-1000, le=1000)]
Std = Annotated[FiniteFloat, Field(ge=1e-3, le=1000)]


class _Input(BaseModel):
    """The images that a description names; None: the model's default."""

    input_size: tuple[int, Side, Side] | None = None
    mean: tuple[Mean, Mean, Mean] | None = None
    std: tuple[Std, Std, Std] | None = None


class _Description(BaseModel):
    """What is used of timm's ``config.json``."""

    architecture: str
    num_classes: int | None = None
    label_names: Any = None  # a list, or what its author thought of
    model_args: dict[str, Any] = {}
    pretrained_cfg: _Input = _Input()


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Weights that can be loaded.

    Attributes:
        name: Where they are, for messages.
        expected: The images they expect.
        classes: How many they tell apart; None where it is unknown.
        names: Of the classes, in the order of the outputs; None where it is unknown.
        folder: That they lie in; None if they were fetched.
        load: From the side of the images in pixels to the network with its weights; raises FaaError.
    """

    name: str
    expected: ModelInput
    classes: int | None
    names: tuple[str, ...] | None = None
    folder: Path | None = None
    load: Callable[[int], nn.Module]


def find_weights(*, checkpoint: str | Path | None = None, model: str | None = None) -> Weights:
    """Return the weights that exactly one of two names.

    Args:
        checkpoint: Run directory, folder of weights, or ``hf-hub:OWNER/NAME``.
        model: timm's name, ``hf-hub:OWNER/NAME`` or ``local-dir:PATH``.

    Raises:
        FaaError: If both or none are given, or what is named is not there or is not a model's.
    """
    if not isinstance(given := checkpoint or model, str | Path) or (checkpoint and model):
        raise FaaError("Give either --checkpoint (a run directory or a folder of weights) or --model (a timm model).")
    given = str(given)
    if given.startswith(HUB):
        return replace(_folder_weights(_fetched(given), name=given), folder=None)
    if checkpoint is None and not given.startswith(LOCAL):
        return _published_weights(given)
    place = given.removeprefix(LOCAL) if checkpoint is None else given
    refuse_address(place)
    folder = weights_folder(Path(place))
    return _folder_weights(folder, name=str(folder))


def weights_folder(checkpoint: str | Path) -> Path:
    """Return the folder that holds a checkpoint's weights: of a run, the best epoch's if kept, else the last's.

    Raises:
        FaaError: If there are none.
    """
    checkpoint = Path(checkpoint)
    folders = [checkpoint, checkpoint / "best", checkpoint / "last"]
    if checkpoint.name == WEIGHTS:
        folders = [checkpoint.parent]
    for folder in folders:
        if (folder / WEIGHTS).is_file() and (folder / "config.json").is_file():
            return folder
    raise FaaError(f"'{checkpoint}' holds no {WEIGHTS} with a config.json beside it, nor do its best/ or last/.")


def _fetched(name: str) -> Path:
    """Return the folder in the cache with a Hub model's description and weights."""
    identity = name.partition(":")[2]
    try:
        paths = [Path(download_from_hf(identity, file)) for file in ("config.json", WEIGHTS)]
    except Exception as error:  # of the Hub's library, of the one it fetches with, or an assertion of timm
        reason = f"{type(error).__name__}: {one_line(error)}".rstrip(".")
        raise FaaError(
            f"config.json and {WEIGHTS} of '{name}' cannot be fetched from the Hugging Face Hub: {reason}. Other files "
            "of weights are not read. Without a network, give a folder with both as --checkpoint."
        ) from error
    return paths[0].parent


def _published_weights(name: str) -> Weights:
    expected = model_input(name)
    config = timm.get_pretrained_cfg(name)
    if config is None or not config.has_weights:
        raise FaaError(f"There are no published weights of '{name}'; give those of a run of yours as --checkpoint.")

    def load(size: int) -> nn.Module:
        try:
            return make_model(name, classes=config.num_classes, pretrained=True, size=size, seed=0)
        except FaaError as error:
            raise FaaError(
                f"{str(error).rstrip('.')}. timm's weights are fetched once over the network and kept; "
                "without a network, give a folder with model.safetensors and config.json as --checkpoint."
            ) from error

    return Weights(name=name, expected=expected, classes=config.num_classes, load=load)


def _folder_weights(folder: Path, *, name: str) -> Weights:
    description = _described(folder)
    default = model_input(description.architecture)
    own = description.pretrained_cfg
    expected = ModelInput(
        size=own.input_size[-1] if own.input_size else default.size,
        mean=own.mean or default.mean,
        std=own.std or default.std,
    )
    return Weights(
        name=name,
        expected=expected,
        classes=description.num_classes,
        names=_names(description),
        folder=folder,
        load=lambda size: _model(description, folder, size=size),
    )


def _names(description: _Description) -> tuple[str, ...] | None:
    """Return the names of the classes, if there is one for each."""
    given = description.label_names
    listed = isinstance(given, list) and all(isinstance(name, str) for name in given)
    return tuple(given) if listed and len(given) == description.num_classes else None


def _described(folder: Path) -> _Description:
    path = folder / "config.json"
    content = read_content(path, most=MOST_BYTES)
    try:
        description = parse_json_as(TypeAdapter(_Description), as_text(content))
        model_input(description.architecture)
    except FaaError as error:
        raise FaaError(f"'{safe(path)}' is not a model's configuration: {error}") from error
    return description


def _model(description: _Description, folder: Path, *, size: int) -> nn.Module:
    """Return the network that a folder describes, with its weights; a giant is refused before it takes memory."""
    name, path, weights = description.architecture, folder / "config.json", folder / WEIGHTS
    classes = description.num_classes or 0
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
