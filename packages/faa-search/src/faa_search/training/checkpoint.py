"""The state of a training run in one file that is whole or not there, without pickles.

``state.safetensors`` holds the tensors of model, average and optimizer, and in its header the rest as JSON, with a
checksum of the tensors. The one before is kept as ``previous.safetensors``, for the day the last one is damaged.
"""

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from faa_core import FaaError
from faa_core.paths import refusal, refused_as
from faa_core.text import one_line, safe
from faa_search.runs.files import replacing_file
from faa_search.runs.records.figures import Row
from faa_search.training.packing import pack, unpack

STATE = "state.safetensors"
PREVIOUS = "previous.safetensors"
DAMAGED = "damaged.safetensors"
WEIGHTS = "model.safetensors"
OPTIMIZER, COMPANIONS = "optimizer", "companions"  # begin the names of their tensors

UNREADABLE = (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochPart:
    """What is done of an epoch that was stopped.

    Attributes:
        updates: Finished updates.
        sums: Of losses, right answers and images; then, where each copy's loss is counted, of the losses of each.
        told: The sums of which companions were told last; empty if of none in this epoch.
        waited: Seconds spent waiting for images.
        seconds: In all.
    """

    updates: int = 0
    sums: tuple[float, ...] = (0.0, 0.0, 0.0)
    told: tuple[float, ...] = ()
    waited: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is.

    Attributes:
        epochs_done: Finished epochs.
        history: One row of figures per finished epoch.
        best: The row with the best validation accuracy, or None without validation.
        part: Of the current epoch.
    """

    epochs_done: int = 0
    history: tuple[Row, ...] = ()
    best: Row | None = None
    part: EpochPart = EpochPart()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingState:
    """Everything to go on from.

    Attributes:
        progress: How far the run is.
        modules: By name, "model" and perhaps "average": their tensors.
        optimizer: Its ``state_dict()``.
        scaler: The loss scaler's ``state_dict()``; empty unless it scales.
        images_per_update: Of all processes: with another number it would be another run.
        companions: The states of the training's companions, by name.
    """

    progress: Progress
    modules: Mapping[str, Mapping[str, Tensor]]
    optimizer: Mapping[str, Any]
    scaler: Mapping[str, Any]
    images_per_update: int
    companions: Mapping[str, Any] = field(default_factory=dict)


def save_state(path: Path, state: TrainingState, *, run: Path) -> None:
    """Write the state, atomically, and keep the one before.

    Args:
        path: The state's file.
        state: To write.
        run: The directory of the run that it is of.

    Raises:
        FaaError: If the optimizer or a companion keeps something that is neither tensor nor JSON.
    """
    tensors, optimizer, companions = _packed(state)
    tensors = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    header = {
        "progress": json.dumps(asdict(state.progress)),
        "optimizer": json.dumps(optimizer),
        "scaler": json.dumps(state.scaler),
        "images_per_update": json.dumps(state.images_per_update),
    }
    if state.companions:  # versions before 0.2 know none, and read what has none
        header[COMPANIONS] = json.dumps(companions)
    header["checksum"] = json.dumps(_checksum(header, tensors))
    try:
        with replacing_file(run, path) as temporary:
            save_file(tensors, temporary, header)
            if path.is_file():
                path.replace(path.with_name(PREVIOUS))
    except SafetensorError as error:  # of a disk that is full
        raise explain_unwritten(path, error) from error


def explain_unwritten(path: Path, error: SafetensorError) -> FaaError:
    """Return the message about a safetensors file that cannot be written."""
    return FaaError(
        f"'{safe(path)}' cannot be written: {safe(error)}. Make room; the same command goes on from the last state."
    )


def check_storable(state: TrainingState) -> None:
    """Check that a state can be saved, without doing it.

    Raises:
        FaaError: If the optimizer or a companion keeps something that is neither tensor nor JSON.
    """
    json.dumps(_packed(state)[1:])


def read_latest_state(directory: Path, note: Callable[[str], None]) -> TrainingState | None:
    """Return the last saved state, else the one before, or None where there is none.

    Args:
        directory: Where the states are.
        note: Told if the last one is damaged; it is kept under another name.

    Raises:
        FaaError: If none of those there can be read.
    """
    last, previous = directory / STATE, directory / PREVIOUS
    there = [path for path in (last, previous) if path.is_file()]
    reasons = []
    for path in there:
        try:
            state = read_state(path)
        except UNREADABLE as error:
            reasons.append(f"'{path}': {one_line(error)}")
            continue
        if reasons:
            last.replace(last.with_name(DAMAGED))
            note(f"A saved state is damaged ({reasons[0]}); going on from the one before, {_place(state.progress)}.")
        return state
    if reasons:
        raise FaaError(f"No saved state can be read ({'; '.join(reasons)}). Remove '{directory}' to start again.")
    return None


def read_state(path: Path) -> TrainingState:
    """Return the state in a file.

    Raises:
        OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError: If it is missing or damaged.
    """
    with safe_open(path, framework="pt") as opened:
        texts = opened.metadata() or {}
    tensors = load_file(path)
    header = {key: json.loads(text) for key, text in texts.items()}
    if header["checksum"] != _checksum(texts, tensors):
        raise ValueError("its checksum is wrong")
    modules: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        name, rest = key.split(".", 1)
        if name not in (OPTIMIZER, COMPANIONS):
            modules.setdefault(name, {})[rest] = value
    progress = header["progress"]
    part = progress["part"]
    return TrainingState(
        progress=Progress(
            epochs_done=progress["epochs_done"],
            history=tuple(progress["history"]),
            best=progress["best"],
            part=EpochPart(**part | {"sums": tuple(part["sums"]), "told": tuple(part.get("told", ()))}),
        ),
        modules=modules,
        optimizer=unpack(header["optimizer"], tensors),
        scaler=header["scaler"],
        images_per_update=header["images_per_update"],
        companions=unpack(header[COMPANIONS], tensors) if COMPANIONS in header else {},
    )


def load_weights(path: Path, model: nn.Module) -> None:
    """Load a model's weights from a safetensors file.

    Raises:
        FaaError: If the file is missing, damaged or of another model.
    """
    try:
        model.load_state_dict(load_file(path))
    except OSError as error:
        raise refusal(error, f"The weights '{safe(path)}' cannot be read") from error
    except SafetensorError as error:
        raise FaaError(
            f"The weights '{safe(path)}' are damaged ({safe(error)}); put back a copy of the file, or choose others."
        ) from error
    except RuntimeError as error:
        raise FaaError(f"The weights '{path}' are of another model: {one_line(error)}") from error


def damage(path: Path) -> str | None:
    """Return what is wrong with a safetensors file as a whole, such as a cut-off end; None where it can be loaded.

    Raises:
        FaaError: If the system refuses to read it.
    """
    try:
        with refused_as(f"'{safe(path)}' cannot be read"), safe_open(path, framework="pt"):
            return None
    except SafetensorError as error:
        return safe(error)


def _packed(state: TrainingState) -> tuple[dict[str, Tensor], Any, Any]:
    """Return all tensors of a state by name, and the other values of the optimizer and of the companions as JSON.

    Raises:
        FaaError: If one keeps something that is neither.
    """
    tensors = {f"{name}.{key}": value for name, module in state.modules.items() for key, value in module.items()}
    try:
        optimizer = pack(state.optimizer, OPTIMIZER, tensors)
    except TypeError as error:
        raise FaaError(f"The state of this optimizer cannot be stored ({error}); choose another --opt.") from error
    try:
        companions = pack(state.companions, COMPANIONS, tensors)
    except TypeError as error:
        raise FaaError(f"The state of a companion cannot be stored ({error}); keep tensors, numbers, texts.") from error
    return tensors, optimizer, companions


def _checksum(header: Mapping[str, str], tensors: Mapping[str, Tensor]) -> int:
    """Return a number that almost surely changes with any bit of the tensors and of the header's other texts."""
    texts = sorted((key, text) for key, text in header.items() if key != "checksum")
    total = zlib.crc32(json.dumps(texts).encode())
    for name in sorted(tensors):
        total = zlib.crc32(tensors[name].flatten().view(torch.uint8).numpy().tobytes(), total)
    return total


def _place(progress: Progress) -> str:
    """Return where a run goes on."""
    within = f", update {progress.part.updates + 1}" if progress.part.updates else ""
    return f"at epoch {progress.epochs_done + 1}{within}"
