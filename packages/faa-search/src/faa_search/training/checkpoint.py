"""The state of a training run in one file that is whole or not there, without pickles.

``state.safetensors`` holds the tensors of model, average and optimizer, and in its header the rest as JSON.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from faa_core import FaaError
from faa_core.files import replacing

STATE = "state.safetensors"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is.

    Attributes:
        epochs_done: Finished epochs.
        history: One row of figures per finished epoch.
        best: The row with the best validation accuracy, or None without validation.
    """

    epochs_done: int = 0
    history: tuple[dict[str, float], ...] = ()
    best: dict[str, float] | None = None


def save_state(path: Path, progress: Progress, modules: dict[str, nn.Module], optimizer: Optimizer) -> None:
    """Write the state, atomically.

    Args:
        path: File.
        progress: How far the run is.
        modules: By prefix: "model", and "average" if there is one.
        optimizer: Its tensors are stored, and its other values as JSON.

    Raises:
        FaaError: If the optimizer keeps something that is neither.
    """
    tensors = {f"{name}.{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    optimizer_tensors, optimizer_rest = _split(optimizer.state_dict())
    try:
        stored = json.dumps(optimizer_rest)
    except TypeError as error:
        raise FaaError(f"The state of this optimizer cannot be stored ({error}); choose another --opt.") from error
    header = {
        "progress": json.dumps(
            {"epochs_done": progress.epochs_done, "history": progress.history, "best": progress.best}
        ),
        "optimizer": stored,
    }
    everything = {key: value.detach().contiguous() for key, value in (tensors | optimizer_tensors).items()}
    with replacing(path) as temporary:
        save_file(everything, temporary, header)


def load_state(path: Path, modules: dict[str, nn.Module], optimizer: Optimizer) -> Progress:
    """Restore modules and optimizer from a state file and return how far the run was.

    Raises:
        FaaError: If the file is damaged or of another model.
    """
    try:
        tensors = load_file(path)
        with safe_open(path, framework="pt") as opened:
            header = opened.metadata()
        for name, module in modules.items():
            own = {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
            module.load_state_dict(own)
        optimizer.load_state_dict(_join(tensors, json.loads(header["optimizer"])))
        progress = json.loads(header["progress"])
    except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise FaaError(f"The checkpoint '{path}' cannot be resumed: {error}. Remove it to start again.") from error
    return Progress(epochs_done=progress["epochs_done"], history=tuple(progress["history"]), best=progress["best"])


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


def _split(state: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
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


def _join(tensors: dict[str, Tensor], rest: dict[str, Any]) -> dict[str, Any]:
    state: dict[int, dict[str, Any]] = {int(number): dict(values) for number, values in rest["rest"].items()}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _prefix, number, key = name.split(".", 2)
            state[int(number)][key] = value
    groups = [{key: _tuple(value) for key, value in group.items()} for group in rest["param_groups"]]
    return {"state": state, "param_groups": groups}


def _tuple(value: Any) -> Any:
    """Return lists of numbers that JSON made of tuples (betas) as tuples again."""
    return (
        tuple(value) if isinstance(value, list) and all(isinstance(item, float) for item in value) and value else value
    )


def _first_lines(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
