"""Weights of a run are not tested on images that the run was trained on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from faa_core import FaaError
from faa_search.measuring.evaluation.trained_on import run_layer, run_of, run_seed, settle_images
from faa_search.settings import EvalConfig, TrainConfig


def run_with(directory: Path, **settings: Any) -> Path:
    """Return the directory of a run with some settings, of which nothing but those is there."""
    directory.mkdir()
    made = {"command": "train", **TrainConfig(**settings).model_dump(mode="json")}
    (directory / "config.yaml").write_text(yaml.safe_dump(made))
    return directory


def asked(directory: Path, **settings: Any) -> tuple[EvalConfig, list[str]]:
    """Return the settings an evaluation of the run's weights has in the end, and what was noted."""
    notes: list[str] = []
    run = run_of(directory)
    assert run is not None
    return settle_images(EvalConfig(**settings), run, note=notes.append), notes


def refusal(directory: Path, **settings: Any) -> str:
    with pytest.raises(FaaError) as raised:
        asked(directory, **settings)
    return str(raised.value)


def test_a_part_held_out_later_was_trained_on(tmp_path: Path) -> None:
    """Whichever way the data set is given, for either split."""
    (tmp_path / "photos").mkdir()
    run = run_with(tmp_path / "run", dataset=str(tmp_path / "photos"))
    for given in (
        {"dataset": str(tmp_path / "photos")},
        {"dataset": "photos", "data_dir": str(tmp_path)},
        {"dataset": str(tmp_path / "run/../photos"), "split": "train"},
    ):
        assert "with nothing held out" in refusal(run, **given, test_fraction=0.2)
    config, notes = asked(run, dataset="digits", test_fraction=0.2)
    assert (0.2, []) == (config.test_fraction, notes)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.3])
def test_another_part_than_the_runs_is_refused(tmp_path: Path, split: str, fraction: float) -> None:
    """A larger, a smaller, and none; the run's own is what is meant."""
    run = run_with(tmp_path / "run", test_fraction=0.2)
    assert "Give --test-fraction 0.2." in refusal(run, split=split, test_fraction=fraction)
    assert 0.2 == asked(run, split=split, test_fraction=0.2)[0].test_fraction


def test_the_training_split_is_no_test_split(tmp_path: Path) -> None:
    """Under its name, or as a slice of it."""
    plain = run_with(tmp_path / "plain", dataset="hfds/a/b")
    named = run_with(tmp_path / "named", dataset="hfds/a/b", train_split="most")
    for run, split in ((plain, "train"), (plain, "train[:10%]"), (named, "most"), (named, "most[:1]")):
        assert f"was trained on the split '{split}'" in refusal(run, dataset="hfds/a/b", test_split=split)
    for run, split in ((plain, "test"), (named, "train")):
        assert split == asked(run, dataset="hfds/a/b", test_split=split)[0].test_split
    assert "train" == asked(plain, dataset="hfds/c/d", test_split="train")[0].test_split


def test_training_images_are_those_of_the_run(tmp_path: Path) -> None:
    """Its subset is kept, other images have no subset, and parts held out of training are told."""
    run = run_with(tmp_path / "run", train_subset=60, val_fraction=0.25)
    config, notes = asked(run, split="train")
    assert 60 == config.train_subset
    assert ["are the 60 that", "--val-fraction 0.25"] == [
        next(words for words in ("are the 60 that", "--val-fraction 0.25") if words in line) for line in notes
    ]
    assert "would draw others" in refusal(run, split="train", train_subset=50)
    assert 60 == asked(run, split="train", train_subset=60)[0].train_subset
    assert asked(run, split="test")[0].train_subset is None
    assert asked(run, split="train", dataset="torch/svhn")[0].train_subset is None
    whole = run_with(tmp_path / "whole")
    assert 50 == asked(whole, split="train", train_subset=50)[0].train_subset


def test_whose_a_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From anywhere in a run's directory, and from within it; a config.yaml of something else is not a run."""
    run = run_with(tmp_path / "run", seed=3, train_subset=60, test_fraction=0.5)
    kept = run / "kept/epoch-0001"
    kept.mkdir(parents=True)
    for place in (run, kept, kept / "model.safetensors"):
        assert 3 == run_seed(place)
        assert 0.5 == run_layer(place).settings["test_fraction"]
        assert "train_subset" not in run_layer(place).settings
    monkeypatch.chdir(kept)
    assert 3 == run_seed(Path())
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.yaml").write_text("theme: dark\n")
    assert run_of(other) is None
    assert (None, {}) == (run_seed(other), run_layer(other).settings)


def test_settings_of_a_run_may_be_anything(tmp_path: Path) -> None:
    """What is not allowed is one message that names the run."""
    run = run_with(tmp_path / "run")
    (run / "config.yaml").write_text("command: train\ntrain_subset: [many]\n")
    with pytest.raises(FaaError, match=r"run: train_subset: .*many"):
        run_of(run)


def test_no_test_split_and_all_trained_on(tmp_path: Path) -> None:
    """The advice for foreign weights, to hold a part out, would give training images."""
    from faa_search.data import open_data  # noqa: PLC0415
    from faa_search.measuring.evaluation.checkpoints import _split  # noqa: PLC0415

    rng = np.random.default_rng(0)
    path = tmp_path / "data.npz"
    np.savez(path, images=rng.integers(0, 256, (8, 8, 8, 3), dtype=np.uint8), labels=np.arange(8) % 2)
    config = EvalConfig(dataset=str(path))
    data = open_data(config, model_size=8, note=print)
    with pytest.raises(FaaError, match=r"use --split train, or --test-fraction\.$"):
        _split(data, config, None)
    with pytest.raises(FaaError, match=r"was trained on all of it: .* train anew with a part held out \(faa train"):
        _split(data, config, run_of(run_with(tmp_path / "run", dataset=str(path))))
