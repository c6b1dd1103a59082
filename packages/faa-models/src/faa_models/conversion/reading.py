"""Reading a checkpoint's tensors without running what the file holds."""

import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

__all__ = ["read_checkpoint"]

CONTAINERS = ("model", "state_dict")  # what the weights are called where a checkpoint holds more
WRAPPER = "module."  # nn.DataParallel's
NUMPY = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype")


def read_checkpoint(path: str | Path, *, ema: bool = False) -> dict[str, Tensor]:
    """Return the weights of a checkpoint, under the names they have there.

    Args:
        path: File of ``torch.save``, old or new, or of safetensors. It holds a state dict, or a dictionary with one
            called "model" or "state_dict".
        ema: Take the running averages, called "ema", instead.

    Returns:
        Tensors on the CPU; a "module." before all names is taken off.

    Raises:
        ValueError: If there is no such file, it is damaged, needs code to load, or holds no such weights.
    """
    path = Path(path)
    if not path.is_file():
        what = "a folder; give the file in it" if path.is_dir() else "not there, or no regular file"
        raise ValueError(f"The checkpoint '{path}' cannot be read: it is {what}.")
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise ValueError(f"The checkpoint '{path}' cannot be read: {error}.") from error
    content = _read_safetensors(path) if head[8:] == b"{" else _read_torch(path)
    state = _without_wrapper(_weights(content, path, ema=ema))
    for key, value in state.items():
        _check_tensor(key, value, path)
    if sum(value.nbytes for value in state.values()) > path.stat().st_size:
        raise ValueError(f"'{path}' is damaged: its tensors claim more bytes than the file has.")
    return state


class _Unread:
    """Stands for numpy's scalars, which old logs may hold: numpy's own would trust the bytes of the file."""

    def __init__(self, *content: object) -> None:
        pass

    def __setstate__(self, content: object) -> None:
        pass


def _read_safetensors(path: Path) -> Any:
    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(f"'{path}' is a damaged safetensors file: {error}.") from error


def _read_torch(path: Path) -> Any:
    """Return what the file holds, by torch's unpickler that knows tensors and containers alone."""
    try:
        _check_archive(path)
        with warnings.catch_warnings(), torch.serialization.safe_globals([(_Unread, name) for name in NUMPY]):
            warnings.simplefilter("ignore")  # torch warns of formats before it refuses them
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        asked = re.search(r"GLOBAL (\S+)", str(error))
        if asked:
            raise ValueError(
                f"'{path}' is refused: it asks to run '{asked[1]}', and no code of a checkpoint is run. Where it was "
                "made, write the weights alone: torch.save(model.state_dict(), 'weights.pth')."
            ) from error
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ValueError(f"'{path}' is no checkpoint of torch.save or safetensors, or damaged ({reason}).") from error


def _check_archive(path: Path) -> None:
    """Refuse archives that grow when they are read; torch.save never compresses."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError("it is a compressed archive")


def _weights(content: Any, path: Path, *, ema: bool) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"'{path}' holds no weights, but {_kind(content)}; a state dict is a dictionary of tensors.")
    if ema:
        if not isinstance(content.get("ema"), dict):
            raise ValueError(f"'{path}' holds no running averages ('ema'); take its weights, without the option.")
        return _named(content["ema"], path)
    for name in CONTAINERS:
        if name in content:
            if not isinstance(content[name], dict):
                raise ValueError(f"'{path}': '{name}' is no state dict, but {_kind(content[name])}.")
            return _named(content[name], path)
    return _named(content, path)


def _named(state: dict[Any, Any], path: Path) -> dict[str, Any]:
    if not state:
        raise ValueError(f"'{path}' holds no weights: its state dict is empty.")
    strange = next((key for key in state if not isinstance(key, str)), None)
    if strange is not None:
        raise ValueError(f"'{path}' holds no state dict: one of its keys is {_kind(strange)}.")
    return state


def _without_wrapper(state: dict[str, Any]) -> dict[str, Any]:
    while all(key.startswith(WRAPPER) for key in state):
        state = {key.removeprefix(WRAPPER): value for key, value in state.items()}
    return state


def _check_tensor(key: str, value: Any, path: Path) -> None:
    if type(value) not in (Tensor, nn.Parameter):
        allowed = f"tensors, alone or under {' or '.join(repr(name) for name in CONTAINERS)}"
        raise ValueError(f"'{path}' holds no state dict: '{key}' is {_kind(value)}. Allowed are {allowed}.")
    if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu":
        raise ValueError(f"'{path}': '{key}' is no plain tensor: {value.layout}, {value.dtype}, on {value.device}.")


def _kind(value: Any) -> str:
    return f"a {type(value).__name__}"
