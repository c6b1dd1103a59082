"""`faa model convert`: from an original checkpoint to a folder that timm loads, and what is refused."""

import json
import os
import re
from pathlib import Path

import pytest
import timm
import torch
from torch import Tensor


def wide_resnet(classes: int = 100, width: int = 1) -> dict[str, Tensor]:
    """Return a WRN-10 under the original names, with random weights."""
    generator = torch.Generator().manual_seed(3)
    state: dict[str, Tensor] = {}

    def layer(key: str, *shape: int) -> None:
        state[f"{key}.weight"] = torch.randn(shape, generator=generator) / 8
        state[f"{key}.bias"] = torch.randn(shape[0], generator=generator)

    def norm(key: str, channels: int) -> None:
        layer(key, channels)
        state[f"{key}.running_mean"] = torch.randn(channels, generator=generator)
        state[f"{key}.running_var"] = torch.rand(channels, generator=generator) + 0.5

    layer("conv1", 16, 3, 3, 3)
    last = 16
    for stage, out in ((1, 16 * width), (2, 32 * width), (3, 64 * width)):
        norm(f"layer{stage}.0.bn1", last)
        layer(f"layer{stage}.0.conv1", out, last, 3, 3)
        norm(f"layer{stage}.0.bn2", out)
        layer(f"layer{stage}.0.conv2", out, out, 3, 3)
        if out != last:
            layer(f"layer{stage}.0.shortcut.0", out, last, 1, 1)
        last = out
    norm("bn1", last)
    layer("linear", classes, last)
    return state


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Return a checkpoint as the release writes it, of a network wrapped for several devices."""
    state = {f"module.{key}": value for key, value in wide_resnet().items()}
    ema = {key: 0.5 * value for key, value in state.items()}
    torch.save({"epoch": 200, "log": {}, "optimizer": {}, "model": state, "ema": ema}, tmp_path / "old.pth")
    return tmp_path / "old.pth"


def weights(folder: Path) -> dict[str, Tensor]:
    return timm.create_model(f"local-dir:{folder}", pretrained=True).state_dict()


def test_a_checkpoint_becomes_a_folder_that_timm_loads(faa, checkpoint, tmp_path):
    outcome = faa("model", "convert", "old.pth", "new/out")
    assert outcome.code == 0, outcome.err
    count = sum(value.numel() for key, value in wide_resnet().items() if "running" not in key)
    assert f"wrn10_1: 100 classes, {count:,} parameters." in outcome.out
    assert re.search(r"original's logits, in double precision: \d\.\de-1\d\.", outcome.out)
    assert "Left out" not in outcome.out
    names = {}
    exec(outcome.out.splitlines()[-1], names)  # noqa: S102 the line that it tells to run
    assert names["model"].num_classes == 100
    original = wide_resnet()
    assert names["model"].state_dict()["stages.1.0.shortcut.weight"].equal(original["layer2.0.shortcut.0.weight"])
    assert sorted(os.listdir(tmp_path / "new/out")) == ["config.json", "model.safetensors"]  # noqa: PTH208
    assert (tmp_path / "new/out/model.safetensors").stat().st_mode & 0o444 == 0o444
    assert json.loads((tmp_path / "new/out/config.json").read_text())["architecture"] == "wrn10_1"


def test_running_averages_are_taken_on_request(faa, checkpoint, tmp_path):
    assert faa("model", "convert", "old.pth", "plain").code == 0
    assert faa("model", "convert", "old.pth", "averaged", "--ema", "--model", "wrn10_1").code == 0
    plain, averaged = weights(tmp_path / "plain"), weights(tmp_path / "averaged")
    assert averaged["head.fc.weight"].equal(0.5 * plain["head.fc.weight"])


def test_other_sizes_say_them(faa, tmp_path):
    torch.save(wide_resnet(width=2), tmp_path / "old.pth")
    assert "wrn, depth 10, width 2: 100 classes" in faa("model", "convert", "old.pth", "out").out
    assert weights(tmp_path / "out")["stages.2.0.conv2.weight"].shape == (128, 128, 3, 3)


def test_images_of_one_channel_warn_of_nothing(faa, tmp_path):
    state = wide_resnet()
    torch.save(state | {"conv1.weight": state["conv1.weight"][:, :1]}, tmp_path / "old.pth")
    outcome = faa("model", "convert", "old.pth", "out")
    assert (outcome.code, outcome.err) == (0, "")
    assert "wrn10_1, in_chans 1: 100 classes" in outcome.out


def test_what_was_left_out_is_said(faa, tmp_path):
    state: dict[str, Tensor] = {"c_in.weight": torch.randn(16, 3, 3, 3), "c_in.bias": torch.randn(16)}

    def norm(key: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"{key}.{part}"] = torch.rand(channels)

    last = 16
    for stage, out in ((1, 32), (2, 64), (3, 128)):
        for block in range(4):
            key = f"layer{stage}.{block}"
            for branch in (f"{key}.branch1", f"{key}.branch2"):
                state[f"{branch}.1.weight"] = torch.randn(out, last, 3, 3) / 20
                state[f"{branch}.4.weight"] = torch.randn(out, out, 3, 3) / 20
                norm(f"{branch}.2", out)
                norm(f"{branch}.5", out)
            for conv in ("conv1", "conv2"):
                state[f"{key}.shortcut.{conv}.weight"] = torch.randn(out // 2, last, 1, 1)
            norm(f"{key}.shortcut.bn", out)
            last = out
    state |= {"fc_out.weight": torch.randn(10, 128), "fc_out.bias": torch.randn(10)}
    torch.save({"state_dict": state}, tmp_path / "old.pth")
    said = faa("model", "convert", "old.pth", "out").out
    blocks = ", ".join(f"layer{stage}.{block}.shortcut" for stage in (1, 2, 3) for block in (1, 2, 3))
    assert f"Left out 54 tensors that the original network never uses: {blocks}." in said
    assert "shakeshake26_2x32d: 10 classes, 2,923,146 parameters." in said


def test_nothing_is_overwritten(faa, checkpoint, tmp_path):
    assert faa("model", "convert", "old.pth", "out").code == 0
    before = (tmp_path / "out/model.safetensors").stat().st_mtime_ns
    (tmp_path / "file").write_text("mine")
    again, on_file = faa("model", "convert", "old.pth", "out"), faa("model", "convert", "old.pth", "file")
    assert (again.code, "'out' is not empty ('config.json')" in again.err) == (2, True)
    assert (on_file.code, "'file' cannot be used as a folder" in on_file.err) == (2, True)
    assert (tmp_path / "out/model.safetensors").stat().st_mtime_ns == before
    assert (tmp_path / "file").read_text() == "mine"
    inside = faa("model", "convert", "old.pth", "file/below")
    assert (inside.code, "file/below" in inside.err) == (2, True)


def test_an_empty_folder_is_filled_and_refusals_leave_none(faa, checkpoint, tmp_path):
    (tmp_path / "empty").mkdir()
    assert faa("model", "convert", "old.pth", "empty").code == 0
    for arguments, said in (
        (("--model", "wrn16_1"), "'layer1.1.bn1.weight' is missing"),
        (("--model", "wrn10_3"), "timm has no model 'wrn10_3'"),
    ):
        outcome = faa("model", "convert", "old.pth", "out", *arguments)
        assert (outcome.code, said in outcome.err) == (2, True)
    torch.save(wide_resnet() | {"extra": torch.zeros(1)}, tmp_path / "extra.pth")
    torch.save(wide_resnet() | {"red\x1b[31m": torch.zeros(1)}, tmp_path / "red.pth")
    assert "'red\\x1b[31m' is unknown" in faa("model", "convert", "red.pth", "out").err
    assert "'extra' is unknown" in faa("model", "convert", "extra.pth", "out").err
    assert "no running averages" in faa("model", "convert", "extra.pth", "out", "--ema").err
    assert not (tmp_path / "out").exists()


class Harm:
    """What unpickling would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("harm",)


def test_harmful_and_damaged_checkpoints_do_nothing(faa, tmp_path):
    torch.save({"model": wide_resnet(), "log": Harm()}, tmp_path / "harmful.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "harmful.pth").read_bytes()[:20_000])
    (tmp_path / "text.pth").write_text("weights")
    told = {"harmful.pth": "asks to run", "cut.pth": "damaged", "text.pth": "not a checkpoint", "": "must not be empty"}
    for name, said in told.items():
        outcome = faa("model", "convert", name, "out")
        assert outcome.code == 2
        assert said in outcome.err
        assert "Traceback" not in outcome.err
        assert "arbitrary code" not in outcome.err
    assert sorted(one.name for one in tmp_path.iterdir()) == ["cut.pth", "harmful.pth", "text.pth"]
