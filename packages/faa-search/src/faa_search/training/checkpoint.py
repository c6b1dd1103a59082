"""The state of a training run in one file that is whole or not there, without pickles.

``state.safetensors`` holds the tensors of model, average and optimizer, and in its header the rest as JSON, with a
checksum of the tensors. The one before is kept as ``previous.safetensors``, for the day the last one is damaged.
"""

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from faa_core import FaaError
from faa_core.files import replacing

STATE = "state.safetensors"
PREVIOUS = "previous.safetensors"
DAMAGED = "damaged.safetensors"
WEIGHTS = "model.safetensors"

Row = Mapping[str, float | None]  # figures of an epoch; None where a figure was not asked for
UNREADABLE = (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochPart:
    """What is done of an epoch that was stopped.

    Attributes:
        updates: Finished updates.
        sums: Of losses, right answers and images.
        waited: Seconds spent waiting for images.
        seconds: In all.
    """

    updates: int = 0
    sums: tuple[float, float, float] = (0.0, 0.0, 0.0)
    waited: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is.

    Attributes:
        epochs_done: Finished epochs.
        history: One row of figures per finished epoch.
        best: The row with the best validation accuracy, or None without validation.
        part: Of the epoch in hand.
    """

    epochs_done: int = 0
    history: tuple[Row, ...] = ()
    best: Row | None = None
    part: EpochPart = EpochPart()


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything to go on from.

    Attributes:
        progress: How far the run is.
        modules: By name, "model" and perhaps "average": their tensors.
        optimizer: Its ``state_dict()``.
        scaler: The loss scaler's ``state_dict()``; empty unless it scales.
        images_per_update: Of all processes: with another number it would be another run.
    """

    progress: Progress
    modules: Mapping[str, Mapping[str, Tensor]]
    optimizer: Mapping[str, Any]
    scaler: Mapping[str, Any]
    images_per_update: int


def save_state(path: Path, state: State) -> None:
    """Write the state, atomically, and keep the one before.

    Raises:
        FaaError: If the optimizer keeps something that is neither tensor nor JSON.
    """
    tensors = {f"{name}.{key}": value for name, module in state.modules.items() for key, value in module.items()}
    optimizer_tensors, optimizer_rest = _split(state.optimizer)
    tensors = {key: value.detach().cpu().contiguous() for key, value in (tensors | optimizer_tensors).items()}
    try:
        stored = json.dumps(optimizer_rest)
    except TypeError as error:
        raise FaaError(f"The state of this optimizer cannot be stored ({error}); choose another --opt.") from error
    header = {
        "progress": json.dumps(asdict(state.progress)),
        "optimizer": stored,
        "scaler": json.dumps(state.scaler),
        "images_per_update": json.dumps(state.images_per_update),
        "checksum": json.dumps(_checksum(tensors)),
    }
    with replacing(path) as temporary:
        save_file(tensors, temporary, header)
        if path.is_file():
            path.replace(path.with_name(PREVIOUS))


def latest_state(directory: Path, note: Callable[[str], None]) -> State | None:
    """Return the last saved state, else the one before, or None where there is none.

    Args:
        directory: Where the states are.
        note: Told if the last one is damaged; it is kept under another name.

    Raises:
        FaaError: If none of those there can be read.
    """
    last, previous = directory / STATE, directory / PREVIOUS
    try:
        return read_state(last if last.is_file() or not previous.is_file() else previous)
    except FileNotFoundError:
        return None
    except UNREADABLE as error:
        reason = str(error)
    try:
        state = read_state(previous)
    except UNREADABLE as error:
        raise FaaError(f"The checkpoint '{last}' cannot be resumed: {reason}. Remove it to start again.") from error
    last.replace(last.with_name(DAMAGED))
    done = state.progress
    place = f"epoch {done.epochs_done + 1}" + (f", update {done.part.updates + 1}" if done.part.updates else "")
    note(f"The checkpoint '{last}' is damaged ({reason}); going on from the one before, at {place}.")
    return state


def read_state(path: Path) -> State:
    """Return the state in a file.

    Raises:
        OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError: If it is missing or damaged.
    """
    with safe_open(path, framework="pt") as opened:
        header = {key: json.loads(value) for key, value in opened.metadata().items()}
    tensors = load_file(path)
    if header["checksum"] != _checksum(tensors):
        raise ValueError("its checksum is wrong")
    modules: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        name, rest = key.split(".", 1)
        if name != "optimizer":
            modules.setdefault(name, {})[rest] = value
    progress = header["progress"]
    part = progress["part"]
    return State(
        progress=Progress(
            epochs_done=progress["epochs_done"],
            history=tuple(progress["history"]),
            best=progress["best"],
            part=EpochPart(**part | {"sums": tuple(part["sums"])}),
        ),
        modules=modules,
        optimizer=_join(tensors, header["optimizer"]),
        scaler=header["scaler"],
        images_per_update=header["images_per_update"],
    )


def load_weights(path: Path, model: nn.Module) -> None:
    """Load a model's weights from a safetensors file.

    Raises:
        FaaError: If the file is missing, damaged or of another model.
    """
    try:
        model.load_state_dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise FaaError(f"The weights '{path}' cannot be read: {error}") from error
    except RuntimeError as error:
        raise FaaError(f"The weights '{path}' are of another model: {_first_lines(error)}") from error


def _checksum(tensors: Mapping[str, Tensor]) -> int:
    """Return a number that almost surely changes with any bit of the tensors."""
    total = 0
    for name in sorted(tensors):
        total = zlib.crc32(tensors[name].flatten().view(torch.uint8).numpy().tobytes(), total)
    return total


def _split(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return an optimizer's state as named tensors, and the rest, which is JSON."""
    tensors = {
        f"optimizer.{number}.{key}": value
        for number, values in state["state"].items()
        for key, value in values.items()
        if isinstance(value, Tensor)
    }
    rest = {
        str(number): {key: value for key, value in values.items() if not isinstance(value, Tensor)}
        for number, values in state["state"].items()
    }
    return tensors, {"rest": rest, "param_groups": state["param_groups"]}


def _join(tensors: Mapping[str, Tensor], rest: Mapping[str, Any]) -> dict[str, Any]:
    state: dict[int, dict[str, Any]] = {int(number): dict(values) for number, values in rest["rest"].items()}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _prefix, number, key = name.split(".", 2)
            state[int(number)][key] = value
    groups = [{key: _tuple(value) for key, value in group.items()} for group in rest["param_groups"]]
    return {"state": state, "param_groups": groups}


def _tuple(value: Any) -> Any:
    """Return lists of numbers that JSON made of tuples (betas) as tuples again."""
    numbers = isinstance(value, list) and value and all(isinstance(item, float) for item in value)
    return tuple(value) if numbers else value


def _first_lines(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
