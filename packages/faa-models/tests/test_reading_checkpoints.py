"""Hostile and odd checkpoints: nothing that they hold runs, no advice to run it is given, and old logs are no harm."""

import os
import pickle  # noqa: TID251 makes what must be refused
import struct
import zipfile
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from faa_models.conversion import convert, read_checkpoint

STATE = {"conv1.weight": torch.arange(3.0)}
COLOUR = "\x1b[31m"


class Harm:
    """What unpickling would run."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


def refusal(path: Path) -> str:
    """Return why a file is refused, its causes included, after a look that it tells nobody to run it."""
    with pytest.raises(ValueError, match=r"\S") as caught:
        read_checkpoint(path)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    said = str(caught.value)
    assert said.isprintable()
    assert "weights_only" not in said
    assert "arbitrary code" not in said
    return said


def refuses_to_run(path: Path) -> bool:
    said = refusal(path)
    return f"'{path}' is refused" in said and "no code of a checkpoint is run. Where it was made" in said


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", ["zip", "legacy", "plain"])
def test_a_call_in_a_file_does_not_run(kind, protocol, tmp_path):
    content = {"model": STATE, "log": Harm(f"touch {tmp_path / 'harm'}")}
    path = tmp_path / "old.pth"
    if kind == "plain":
        path.write_bytes(pickle.dumps({"log": content["log"]}, protocol))
    else:
        torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=kind == "zip")
    assert refuses_to_run(path)
    assert not (tmp_path / "harm").exists()


def gadget(opcode: str, command: str) -> bytes:
    """Return a pickle that calls os.system in the way of an opcode."""
    text = command.encode()
    name = b"".join(b"\x8c" + bytes([len(word)]) + word for word in (b"posix", b"system"))
    argument = b"X" + struct.pack("<I", len(text)) + text
    return {
        "REDUCE": b"\x80\x02cposix\nsystem\n" + argument + b"\x85R.",
        "INST": b"(" + argument + b"iposix\nsystem\n.",
        "OBJ": b"(cposix\nsystem\n" + argument + b"o.",
        "STACK_GLOBAL": b"\x80\x04" + name + b"\x93" + argument + b"\x85R.",
        "builtins": b"\x80\x02cbuiltins\neval\n" + argument + b"\x85R.",
    }[opcode]


def in_zip(path: Path, data: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", "3\n")


@pytest.mark.parametrize("opcode", ["REDUCE", "INST", "OBJ", "STACK_GLOBAL", "builtins"])
@pytest.mark.parametrize("kind", ["zip", "legacy", "plain"])
def test_no_opcode_runs_what_a_file_names(kind, opcode, tmp_path):
    data = gadget(opcode, f"open('{tmp_path / 'harm'}','w')" if opcode == "builtins" else f"touch {tmp_path / 'harm'}")
    path = tmp_path / "old.pth"
    if kind == "zip":
        in_zip(path, data)
    else:
        head = [pickle.dumps(part, 2) for part in (torch.serialization.MAGIC_NUMBER, 1001, {"little_endian": True})]
        path.write_bytes(b"".join(head) * (kind == "legacy") + data)
    assert refuses_to_run(path)
    assert not (tmp_path / "harm").exists()
    if opcode == "REDUCE":
        assert "asks to run 'posix.system'" in refusal(path)


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_archives_that_torch_save_does_not_write_are_called_what_they_are(tmp_path):
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "script.pth")
    assert f"'{tmp_path / 'script.pth'}' is a TorchScript archive" in refusal(tmp_path / "script.pth")
    with zipfile.ZipFile(tmp_path / "packed.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("old.pth", b"\0" * 1000)
    assert "is a compressed archive, which torch.save never writes" in refusal(tmp_path / "packed.zip")


def test_names_in_a_file_are_escaped(tmp_path):
    torch.save({f"conv{COLOUR}": 3}, tmp_path / "key.pth")
    assert r"'conv\x1b[31m' is a int" in refusal(tmp_path / "key.pth")
    torch.save({f"module.conv{COLOUR}": torch.zeros(1), f"conv{COLOUR}": torch.zeros(1)}, tmp_path / "twice.pth")
    assert r"'conv\x1b[31m' twice" in refusal(tmp_path / "twice.pth")
    torch.save({f"conv{COLOUR}": torch.zeros(2).to_sparse()}, tmp_path / "sparse.pth")
    assert r"'conv\x1b[31m' is not a plain tensor" in refusal(tmp_path / "sparse.pth")
    in_zip(tmp_path / "global.pth", b"\x80\x02cshop\x1b[31m\nbuy\n.")
    assert r"'shop\x1b[31m.buy'" in refusal(tmp_path / "global.pth")
    header = b'{"a":{"dtype":"F\\u001b[31m","shape":[1],"data_offsets":[0,4]}}'
    (tmp_path / "old.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 4)
    with pytest.raises(ValueError, match="is a damaged safetensors file") as caught:
        read_checkpoint(tmp_path / "old.safetensors")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("names", [(), ("linear.weight", "layer1.0.bn1.weight")])
def test_names_of_weights_are_escaped(names):
    """Of no network, and of a Wide-ResNet to which one more is added."""
    with pytest.raises(ValueError, match=r"\\x1b|missing") as caught:
        convert({f"conv{COLOUR}": torch.zeros(1), **{name: torch.zeros(1) for name in names}})
    assert str(caught.value).isprintable()


def test_a_wrapper_around_a_part_is_taken_off(tmp_path):
    torch.save({"module.a.weight": torch.tensor(1.0), "b": torch.tensor(2.0)}, tmp_path / "part.pth")
    assert read_checkpoint(tmp_path / "part.pth") == {"a.weight": torch.tensor(1.0), "b": torch.tensor(2.0)}
    save_file({"module.a": torch.tensor(1.0), "module.module.a": torch.tensor(2.0)}, tmp_path / "twice.safetensors")
    with pytest.raises(ValueError, match="holds 'a' twice"):
        read_checkpoint(tmp_path / "twice.safetensors")


def test_an_empty_name_is_said_to_be_one():
    with pytest.raises(ValueError, match="The checkpoint's name must not be empty"):
        read_checkpoint("")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_logs_of_arrays_and_dictionaries_of_all_kinds_are_read_over(zipped, tmp_path):
    log = defaultdict(list, loss=[np.float32(2.5)], nested=defaultdict(float, top1=0.5))
    arrays = {"losses": np.arange(4.0), "names": np.array(["a", None], dtype=object), "none": np.zeros((0, 3), np.int8)}
    content = {"log": log, "order": OrderedDict(a=np.int64(1)), "arrays": arrays, "model": defaultdict(dict, STATE)}
    torch.save(content, tmp_path / "old.pth", _use_new_zipfile_serialization=zipped)
    assert read_checkpoint(tmp_path / "old.pth")["conv1.weight"].equal(STATE["conv1.weight"])
    older = {"model": STATE, "log": np.zeros(2)}
    torch.save(older, tmp_path / "older.pth", _use_new_zipfile_serialization=False)
    path = tmp_path / "older.pth"
    path.write_bytes(path.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert read_checkpoint(path)["conv1.weight"].equal(STATE["conv1.weight"])


def test_an_array_is_no_weight(tmp_path):
    torch.save({"conv1.weight": np.zeros(3)}, tmp_path / "old.pth")
    assert "'conv1.weight' is something of numpy" in refusal(tmp_path / "old.pth")


def test_a_dictionary_with_other_methods_is_read_by_its_content(tmp_path):
    state = OrderedDict(STATE)
    state.__dict__.update(keys=torch.Size, get=torch.Size)
    content = OrderedDict(model=state, ema=state)
    content.__dict__.update(get=torch.Size)
    torch.save(content, tmp_path / "old.pth")
    for ema in (True, False):
        assert read_checkpoint(tmp_path / "old.pth", ema=ema)["conv1.weight"].equal(STATE["conv1.weight"])


def test_a_file_without_bytes_is_not_opened(tmp_path: Path) -> None:
    """As those below /proc say of themselves, which may wait forever."""
    (tmp_path / "empty.pth").touch()
    with pytest.raises(ValueError, match=r"empty\.pth' cannot be read: it is empty"):
        read_checkpoint(tmp_path / "empty.pth")
    with pytest.raises(ValueError, match=r"'https://a\.org/w\.pth' .* Addresses are not fetched: download the file"):
        read_checkpoint("https://a.org/w.pth")
