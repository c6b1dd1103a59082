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
NUMPY = (
    "numpy.dtype",
    "numpy.ndarray",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
)
# Of no bytes in an array, and what defaultdicts make.
BUILTINS = tuple(f"builtins.{name}" for name in ("bytes", "dict", "float", "int", "list", "str"))
ADVICE = "Where it was made, write the weights alone: torch.save(model.state_dict(), 'weights.pth')."


def read_checkpoint(path: str | Path, *, ema: bool = False) -> dict[str, Tensor]:
    """Return the weights of a checkpoint, under the names they have there.

    Args:
        path: File of ``torch.save``, old or new, or of safetensors. It holds a state dict, or a dictionary with one
            called "model" or "state_dict".
        ema: Take the running averages, called "ema", instead.

    Returns:
        Tensors on the CPU; a "module." before a name is taken off.

    Raises:
        ValueError: If there is no such file, it is damaged, needs code to load, or holds no such weights.
    """
    if path == "":
        raise ValueError("The checkpoint's name must not be empty.")
    given, path = path, Path(path)
    if not path.is_file():
        what = "a folder; give the file in it" if path.is_dir() else "not there, or not a regular file"
        fetched = " Addresses are not fetched: download the file, and give its path." if "://" in str(given) else ""
        raise ValueError(f"The checkpoint '{given}' cannot be read: it is {what}.{fetched}")
    if path.stat().st_size == 0:  # what the system makes while it is read has this size too, and may wait forever
        raise ValueError(f"The checkpoint '{path}' cannot be read: it is empty.")
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise ValueError(f"The checkpoint '{path}' cannot be read: {error}.") from error
    content = _read_safetensors(path) if head[8:] == b"{" else _read_torch(path)
    state = _without_wrapper(_weights(content, path, ema=ema), path)
    for key, value in state.items():
        _check_tensor(key, value, path)
    if sum(value.nbytes for value in state.values()) > path.stat().st_size:
        raise ValueError(f"'{path}' is damaged: its tensors claim more bytes than the file has.")
    return state


class _Unread:
    """Stands for numpy's scalars and arrays, which old logs may hold: numpy's own would trust the bytes of the file."""

    def __init__(self, *content: object) -> None:
        pass

    def __setstate__(self, content: object) -> None:
        pass


def _read_safetensors(path: Path) -> Any:
    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(f"'{path}' is a damaged safetensors file: {_printable(str(error))}.") from error


def _read_torch(path: Path) -> Any:
    """Return what the file holds, by torch's unpickler that knows tensors and containers alone."""
    known = [(_Unread, name) for name in (*NUMPY, *BUILTINS)]
    try:
        strange = _strange_archive(path)
        if not strange:
            allowed = torch.serialization.safe_globals([*known, (_plain_dict, "collections.defaultdict")])
            with warnings.catch_warnings(), allowed:
                warnings.simplefilter("ignore")  # torch warns of formats before it refuses them
                return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 a damaged file may raise anything
        raise ValueError(_refusal(path, error)) from None  # torch's own message advises to run the file
    raise ValueError(f"'{path}' is {strange}")


def _refusal(path: Path, error: Exception) -> str:
    """Return why torch could not read a file, without its advice."""
    if re.search("weights.only", str(error), flags=re.IGNORECASE):  # of torch's every refusal, and its advice
        asked = re.search(r"GLOBAL (\S+)", str(error))
        unknown = "it is not a checkpoint of torch.save or safetensors, is damaged, or asks to run code"
        reason = f"it asks to run {asked[1]!r}" if asked else unknown
        return f"'{path}' is refused: {reason}, and no code of a checkpoint is run. {ADVICE}"
    reason = _printable(f"{type(error).__name__}: {error}".splitlines()[0])
    return f"'{path}' is not a checkpoint of torch.save or safetensors, or damaged ({reason})."


def _strange_archive(path: Path) -> str:
    """Return what an archive is that torch.save did not write, and that may hold code or grow when it is read."""
    if not zipfile.is_zipfile(path):
        return ""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.filename.partition("/")[2] == "constants.pkl" for entry in entries):  # as torch tells them
        return f"a TorchScript archive, which holds code, and no code of a checkpoint is run. {ADVICE}"
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        return "a compressed archive, which torch.save never writes; unpack it if the checkpoint is in it."
    return ""


def _plain_dict(*_: object) -> dict[Any, Any]:
    """Stand for collections.defaultdict, whose factory is not needed to read it."""
    return {}


def _weights(content: Any, path: Path, *, ema: bool) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"'{path}' holds no weights, but {_kind(content)}; a state dict is a dictionary of tensors.")
    content = dict(dict.items(content))  # a file can give an OrderedDict attributes in place of its methods
    if ema:
        if not isinstance(content.get("ema"), dict):
            raise ValueError(f"'{path}' holds no running averages ('ema'); take its weights, without the option.")
        return _named(content["ema"], path)
    for name in CONTAINERS:
        if name in content:
            if not isinstance(content[name], dict):
                raise ValueError(f"'{path}': '{name}' is not a state dict, but {_kind(content[name])}.")
            return _named(content[name], path)
    return _named(content, path)


def _named(state: dict[Any, Any], path: Path) -> dict[str, Any]:
    state = dict(dict.items(state))
    if not state:
        raise ValueError(f"'{path}' holds no weights: its state dict is empty.")
    strange = next((key for key in state if not isinstance(key, str)), None)
    if strange is not None:
        raise ValueError(f"'{path}' holds no state dict: one of its keys is {_kind(strange)}.")
    return state


def _without_wrapper(state: dict[str, Any], path: Path) -> dict[str, Any]:
    """Take "module." off each name that has it, also where only a part of the network was wrapped."""
    plain: dict[str, Any] = {}
    for key, value in state.items():
        name = re.sub(rf"\A({re.escape(WRAPPER)})+", "", key)
        if name in plain:
            raise ValueError(f"'{path}' holds {name!r} twice: with '{WRAPPER}' before it and without, or more of them.")
        plain[name] = value
    return plain


def _check_tensor(key: str, value: Any, path: Path) -> None:
    if type(value) not in (Tensor, nn.Parameter):
        allowed = f"tensors, alone or under {' or '.join(repr(name) for name in CONTAINERS)}"
        raise ValueError(f"'{path}' holds no state dict: {key!r} is {_kind(value)}. Allowed are {allowed}.")
    if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu":
        raise ValueError(f"'{path}': {key!r} is not a plain tensor: {value.layout}, {value.dtype}, on {value.device}.")


def _kind(value: Any) -> str:
    return "something of numpy" if isinstance(value, _Unread) else f"a {type(value).__name__}"


def _printable(text: str) -> str:
    """Escape what a terminal would obey: messages of libraries may quote the file."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
