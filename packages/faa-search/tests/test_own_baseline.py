"""Policies that bring their own baseline: crop, flip and cutout are left out beside them, unless they are asked for."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from faa_core import Choice, FaaError, LayeredSubPolicies, Layers, Op, Policy, SubPolicies, plugins
from faa_search.measuring.comparison import compare, compare_policies
from faa_search.progress import Advance, Silent
from faa_search.runs.directory import read_config, run_directory
from faa_search.searching.bench import training_view
from faa_search.searching.folds import Fold
from faa_search.searching.images import open_images
from faa_search.settings import CompareConfig, SearchConfig, TrainConfig
from faa_search.settings.resolving import read_layer, resolve
from faa_search.training import train
from faa_search.training.baseline import brings_own, settled
from faa_search.training.models import model_input

TINY: dict[str, Any] = {
    "train_subset": 60, "img_size": 8, "epochs": 1, "batch_size": 20, "device": "cpu", "model": "wrn10_1",
}  # fmt: skip
NOTHING = {"train_crop_mode": "none", "hflip": 0.0, "cutout": 0}
USUAL = {"train_crop_mode": "auto", "hflip": 0.5, "cutout": 0}


def layers(*names: str) -> Layers:
    """Return three layers, each of which picks any of the operations."""
    share = 1 / len(names)
    layer = tuple(Choice(op=name, magnitude=0.5, probability=share) for name in names)
    return Layers(name="mine", layers=(layer, layer, layer))


DEEP = layers("Crop", "Flip", "Cutout", "Rotate")
CROPS = (Choice(op="Crop", magnitude=1.0, probability=0.7), Choice(op="Flip", magnitude=0.0, probability=0.3))
OTHERS = (
    layers("Flip", "Cutout", "Rotate"),  # as a pipeline of albumentations may be
    SubPolicies(sub_policies=((Op(op="Crop", p=0.5, magnitude=1.0), Op(op="Flip", p=0.5, magnitude=0.0)),)),
    LayeredSubPolicies(sub_policies=((CROPS,), (CROPS, CROPS))),
)


class Notes(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        """Keep it."""
        self.said.append(text)

    @contextmanager
    def track(self, what: str, total: int, *, done: int = 0) -> Iterator[Advance]:
        """Show nothing."""
        yield lambda *_given: None


def baseline_in(run: Path) -> dict[str, Any]:
    """Return what a run's file says of the baseline."""
    settings = read_config(run)
    return {name: settings[name] for name in NOTHING if name in settings}


def test_only_layers_that_crop_bring_their_own() -> None:
    """By padding or resized; no other kind, none without a crop, and none of those that come with faa."""
    assert brings_own(DEEP)
    assert brings_own(layers("RandomResizedCrop", "Rotate"))
    assert not any(map(brings_own, OTHERS))
    assert not any(brings_own(Policy.load(name)) for name in plugins.names("faa.policies"))


@pytest.mark.parametrize(
    ("given", "comes_to"),
    [
        ({}, NOTHING),
        ({"hflip": 0.5}, {**NOTHING, "hflip": 0.5}),
        ({"cutout": 3}, {**NOTHING, "cutout": 3}),
        ({"train_crop_mode": "auto"}, {**NOTHING, "train_crop_mode": "auto"}),
        ({"crop_pad": 4}, {**NOTHING, "train_crop_mode": "auto"}),
        ({"scale": (0.5, 1.0), "cutout": 0}, {**NOTHING, "train_crop_mode": "auto"}),
    ],
)
def test_what_is_asked_for_is_obeyed(given: dict[str, Any], comes_to: dict[str, Any]) -> None:
    """Each by itself, also where it is asked for with the value that it has by default."""
    config = TrainConfig(**TINY | given)
    found = settled(config, DEEP, given=config.model_fields_set)
    assert comes_to == {name: getattr(found, name) for name in NOTHING}
    for other in OTHERS:
        assert config == settled(config, other, given=config.model_fields_set)


def test_a_training_leaves_the_baseline_out_and_says_so_once(tmp_path: Path) -> None:
    """Its file says what is done; the same command resumes, that file makes the same run, and a flag is another."""
    notes = Notes()
    first = train(TrainConfig(**TINY), tmp_path / "run", policy=DEEP, reporter=notes)
    assert NOTHING == baseline_in(tmp_path / "run")
    (said,) = [note for note in notes.said if "Beside the policy" in note]
    assert "nothing is done to training images: it crops them itself" in said
    assert "--hflip" in said
    assert first == train(TrainConfig(**TINY), tmp_path / "run", policy=DEEP)
    again = resolve(TrainConfig, [read_layer(tmp_path / "run" / "config.yaml")])
    assert first == train(again, tmp_path / "run", policy=DEEP)
    with pytest.raises(FaaError, match=r"hflip: 0\.0 → 0\.5"):
        train(TrainConfig(**TINY, hflip=0.5), tmp_path / "run", policy=DEEP)


def test_a_training_does_what_it_is_told_beside_such_a_policy(tmp_path: Path) -> None:
    """And says that this was given."""
    notes = Notes()
    train(TrainConfig(**TINY, hflip=0.5, crop_pad=2), tmp_path / "run", policy=DEEP, reporter=notes)
    assert USUAL == baseline_in(tmp_path / "run")
    (said,) = [note for note in notes.said if "Beside the policy" in note]
    assert "padded by 2 pixels and cropped back to size, mirrored left to right with probability 0.5." in said
    assert "only what was given is added" in said


def test_other_policies_have_the_usual_baseline(tmp_path: Path) -> None:
    """And nothing else is said."""
    notes = Notes()
    train(TrainConfig(**TINY), tmp_path / "run", policy=OTHERS[0], reporter=notes)
    assert USUAL == baseline_in(tmp_path / "run")
    (said,) = [note for note in notes.said if "Beside the policy" in note]
    assert "padded by 4 pixels" in said
    assert "crops images itself" not in said


def test_a_training_of_an_earlier_version_goes_on_as_it_began(tmp_path: Path) -> None:
    """It had the usual baseline beside the policy: its file says so, and says it still."""
    with run_directory(tmp_path / "run", "train", TrainConfig(**TINY)):
        pass
    before = (tmp_path / "run" / "config.yaml").read_text()
    notes = Notes()
    train(TrainConfig(**TINY), tmp_path / "run", policy=DEEP, reporter=notes)
    assert before == (tmp_path / "run" / "config.yaml").read_text()
    assert any("padded by 4 pixels and cropped back to size, mirrored" in note for note in notes.said)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Return a comparison of no policy, one that brings its own baseline and another one, and what was said."""
    folder, notes = tmp_path_factory.mktemp("compare"), Notes()
    (folder / "deep.json").write_text(DEEP.to_json())
    (folder / "flips.json").write_text(OTHERS[0].to_json())
    config = CompareConfig(**TINY, policies=("none", f"{folder}/deep.json", f"{folder}/flips.json"), seeds=2)
    compare(config, folder / "run", reporter=notes)
    return folder, notes.said


def test_each_policy_of_a_comparison_has_its_own(compared: tuple[Path, list[str]]) -> None:
    """It is said once, and the comparison's file leaves open what was not given."""
    folder, said = compared
    found = [(path.parent.name, baseline_in(path.parent)) for path in sorted((folder / "run").glob("*/config.yaml"))]
    assert 6 == len(found)
    for name, baseline in found:
        assert (NOTHING if "deep.json" in name else USUAL) == baseline
    assert [True] == ["deep.json' crops images itself" in note for note in said if "itself" in note]
    assert {} == baseline_in(folder / "run")


def test_a_comparisons_file_makes_the_same_comparison(compared: tuple[Path, list[str]], tmp_path: Path) -> None:
    """What was not given is not given by it either; it resumes the comparison and makes another like it."""
    folder, _said = compared
    again = resolve(CompareConfig, [read_layer(folder / "run" / "config.yaml")])
    assert not {"hflip", "train_crop_mode", "crop_pad", "cutout"} & again.model_fields_set
    shutil.copytree(folder / "run", tmp_path / "copy")
    (tmp_path / "copy" / "comparison.json").unlink()
    assert compare(again, tmp_path / "copy") == compare(again, folder / "run")


def test_a_comparison_of_an_earlier_version_goes_on_as_it_began(tmp_path: Path) -> None:
    """Its file says all settings, so the usual baseline was given; trainings that had not begun get it, too."""
    (tmp_path / "deep.json").write_text(DEEP.to_json())
    config = CompareConfig(**TINY, policies=("none", f"{tmp_path}/deep.json", "trivialaugment"), seeds=2)
    with run_directory(tmp_path / "run", "compare", config):
        pass
    file = tmp_path / "run" / "config.yaml"
    file.write_text(yaml.safe_dump({"command": "compare", **config.model_dump(mode="json")}))
    compare(config, tmp_path / "run")
    found = [baseline_in(path.parent) for path in (tmp_path / "run").glob("*/config.yaml")]
    assert [USUAL] * 6 == found


def test_policies_without_a_file_are_compared_so_too(tmp_path: Path) -> None:
    """And what is given, all of them get."""
    policies = {"deep": DEEP, "other": OTHERS[0], "none": Policy.load("none")}
    compare_policies(TrainConfig(**TINY, cutout=2), policies, tmp_path / "run", seeds=[3, 4])
    for name, usual in (("deep", NOTHING), ("other", USUAL), ("none", USUAL)):
        assert {**usual, "cutout": 2} == baseline_in(tmp_path / "run" / f"{name}-4")


def test_an_audit_trains_without_the_networks_baseline() -> None:
    """A search's settings are for its networks, which have no policy; a policy that brings its own has no other."""
    config = SearchConfig(**TINY, hflip=0.3)
    images = open_images(config, model_size=32, note=Silent().note)
    fold = Fold(index=0, train=np.arange(20), held_out=np.arange(20, 30))
    given = [
        training_view(config, images, model_input(config.model), fold, policy).baseline
        for policy in (None, OTHERS[0], DEEP)
    ]
    assert [(4, 0.3), (4, 0.3), (0, 0.0)] == [(one.pad, one.hflip) for one in given if one is not None]
