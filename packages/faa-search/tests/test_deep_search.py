"""A whole search by gradient matching, end to end on digits: the same whatever happens on the way."""

import json
import math
import shutil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import faa_search
from faa_core import FaaError, Layers, Policy
from faa_core.formats.deepaa import parse, write
from faa_search.runs.journal import Journal
from faa_search.runs.records.search import Found
from faa_search.searching.deep import learn
from faa_search.searching.deep.updates import Update
from faa_search.settings import DeepSearchConfig
from faa_search.testing import SearcherContract

TINY: dict[str, Any] = {
    "layers": 2, "updates": 3, "policy_lr": 0.5, "triples": 3, "val_images": 4, "gradient_draws": 1, "prefixes": 2,
    "control_triples": 3, "levels": 3, "warmup_epochs": 0, "hflip": 0.0,
}  # fmt: skip
SMALL: dict[str, Any] = {
    "dataset": "digits", "train_subset": 60, "img_size": 8, "model": "wrn10_1", "epochs": 2, "batch_size": 20,
    "device": "cpu", **TINY,
}  # fmt: skip


class TestContract(SearcherContract):
    """What every search algorithm keeps."""

    name: ClassVar = "deep"
    settings: ClassVar = TINY
    stops: ClassVar = (1, 3, 5)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, listener: Any) -> tuple[Path, Found, Any]:
    """Return a finished search, what it came to, and what it told."""
    output, told = tmp_path_factory.mktemp("deep") / "run", listener()
    return output, faa_search.search(DeepSearchConfig(**SMALL), output, reporter=told), told


def updates_of(directory: Path) -> list[dict[str, Any]]:
    """Return the journal but for when and where."""
    rows = [json.loads(line) for line in (directory / "updates.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in ("seconds", "origin", "check")} for row in rows]


def test_what_a_search_leaves(finished: tuple[Path, Found, Any]) -> None:
    """A line for each update, with rewards, cosines and entropy; a policy of layers to train with."""
    output, found, told = finished
    updates = Journal(output / "updates.jsonl", Update).read()
    assert [update.key for update in updates] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    policy = Policy.load(output / "policy.json")
    assert isinstance(policy, Layers)
    assert len(policy.layers) == 2
    assert {len(update.rewards) for update in updates} == {len(policy.layers[0])}
    assert {len(update.cosines) for update in updates} == {3}
    for number, layer in enumerate(policy.layers):
        probabilities = [choice.probability for choice in layer]
        last = updates[3 * number + 2]
        assert last.identity == pytest.approx(probabilities[0])
        assert last.entropy == pytest.approx(-sum(p * math.log(p) for p in probabilities))
    assert policy.provenance["mirror"] is True
    assert policy.provenance["algorithm"] == "deep"
    assert {*found.figures} == {"cosine", "layers", "updates"}
    assert found.figures["updates"] == 6
    assert [("Network", 2, 0), ("Updates", 6, 0)] == told.tracks
    assert any(note.startswith("The search made as many layers") for note in found.notes)


def test_the_controls_are_of_the_same_triples(finished: tuple[Path, Found, Any]) -> None:
    """No policy, uniform layers and both TrivialAugments, by the cosine; differences are paired."""
    _output, found, _told = finished
    names = ["none", "trivialaugment-standard", "trivialaugment-wide", "uniform-layers"]
    assert names == [row.name for row in found.controls]
    for row in found.controls:
        assert -1 <= row.reward <= 1
        assert found.figures["cosine"] - row.reward == pytest.approx(row.difference)


def test_the_cost_is_told_before_anything_starts(finished: tuple[Path, Found, Any]) -> None:
    """By stage, and in all."""
    _output, _found, told = finished
    (said,) = [note for note in told.notes if note.startswith("Estimated time")]
    assert "to fit the network at 8 px" in said
    assert "for 3 updates of 2 layers of 28 transforms" in said


@pytest.mark.parametrize("stop_after", [1, 3, 5, 7])
def test_a_stopped_search_goes_on_to_the_same(
    finished: tuple[Path, Found, Any], tmp_path: Path, listener: Any, interruption: type[Exception], stop_after: int
) -> None:
    """Whenever it was stopped; update by update."""
    config = DeepSearchConfig(**SMALL)
    with pytest.raises(interruption):
        faa_search.search(config, tmp_path / "run", reporter=listener(stop_after=stop_after))
    faa_search.search(config, tmp_path / "run")
    assert updates_of(tmp_path / "run") == updates_of(finished[0])
    assert Policy.load(tmp_path / "run/policy.json").layers == finished[1].policy.layers  # type: ignore[attr-defined]


def test_other_draws_are_another_policy(finished: tuple[Path, Found, Any], tmp_path: Path) -> None:
    """The seed keys the triples; and more of them in an update change it, too."""
    for changed in ({"seed": 1}, {"triples": 4}, {"penalty": 0.0}):
        other = faa_search.search(DeepSearchConfig(**SMALL | changed), tmp_path / str(changed))
        assert other.policy.layers[1] != finished[1].policy.layers[1]  # type: ignore[attr-defined]


def test_another_runs_network_is_taken(finished: tuple[Path, Found, Any], tmp_path: Path, listener: Any) -> None:
    """With other settings of the search; nothing is fitted."""
    told = listener()
    config = DeepSearchConfig(**SMALL | {"updates": 1, "init_models": str(finished[0])})
    faa_search.search(config, tmp_path / "run", reporter=told)
    assert [("Updates", 2, 0)] == told.tracks
    weights = [run / "fold0/model.safetensors" for run in (finished[0], tmp_path / "run")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_a_budget_ends_with_a_policy(tmp_path: Path) -> None:
    """Of the updates so far, an update at least; more budget goes on from there."""
    config = DeepSearchConfig(**SMALL | {"updates": 12, "budget": "1s"})
    found = faa_search.search(config, tmp_path / "run")
    assert not found.complete
    assert 1 <= found.figures["updates"] < 24
    before = updates_of(tmp_path / "run")
    more = faa_search.search(config.model_copy(update={"budget": None}), tmp_path / "run")
    assert more.complete
    assert more.figures["updates"] == 24
    assert updates_of(tmp_path / "run")[: len(before)] == before


@pytest.mark.parametrize("keep", [False, True])
def test_a_layer_that_is_the_identity_ends_a_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    """It is dropped, or kept as asked; a first layer stays in any case, as a policy has one."""
    monkeypatch.setattr(learn, "FAR_ENOUGH", 0.0)
    identity = iter([0.5, 0.95])

    class Sliding(learn.Layer):
        """Comes to be the identity in its second layer."""

        def __init__(self, start: Any, *, lr: float) -> None:
            super().__init__(start, lr=lr)
            self.first = next(identity)
            self.rest = (1 - self.first) / (len(start) - 1)

        @property
        def probabilities(self) -> Any:
            return (self.first, *[self.rest] * (self._logits.numel() - 1))

    monkeypatch.setattr(learn, "Layer", Sliding)
    config = DeepSearchConfig(**SMALL | {"layers": 5, "keep_identity": keep})
    found = faa_search.search(config, tmp_path / "run")
    assert found.complete
    assert len(found.policy.layers) == (2 if keep else 1)  # type: ignore[attr-defined]
    assert "Layer 2 mostly changes nothing, so there are no more." in found.notes


def test_the_policy_is_one_of_the_authors_files(tmp_path: Path) -> None:
    """As .npz, with the authors' 13 levels."""
    config = DeepSearchConfig(**SMALL | {"levels": 13, "updates": 1, "img_size": 32, "hflip": 0.5, "layers": 1})
    found = faa_search.search(config, tmp_path / "run")
    again = parse(write(found.policy))
    assert [one.op for one in again.layers[0]] == [one.op for one in found.policy.layers[0]]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"pretrain_size": 60}, "--pretrain-size 60: .* Give 10 to 50"),
        ({"val_size": 59}, "--val-size 59"),
        ({"exclude_ops": ("Blur",)}, "Blur"),
        ({"preset": "digits", "hflip": 0.5}, "--hflip 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    """In words, and nothing is left that would stand in the way."""
    with pytest.raises(FaaError, match=words):
        faa_search.search(DeepSearchConfig(**SMALL | changed), tmp_path / "run")
    faa_search.search(DeepSearchConfig(**SMALL), tmp_path / "run")


def test_levels_have_a_middle() -> None:
    """The one that changes nothing."""
    with pytest.raises(ValueError, match="odd"):
        DeepSearchConfig(levels=12)


def test_updates_of_another_search_are_refused(finished: tuple[Path, Found, Any], tmp_path: Path) -> None:
    """A journal that somebody put in its place, or edited: nothing is made of it, and nothing is lost."""
    run = tmp_path / "run"
    shutil.copytree(finished[0], run)
    (run / "result.json").unlink()
    lines = (run / "updates.jsonl").read_text().splitlines(keepends=True)
    shorter = {key: value for key, value in json.loads(lines[2]).items() if key != "check"}
    shorter["rewards"] = shorter["rewards"][1:]
    edited = "".join([*lines[:2], json.dumps(shorter) + "\n", *lines[3:]])
    (run / "updates.jsonl").write_text(edited)
    with pytest.raises(FaaError, match="27 rewards and 3 cosines, and this search has 28 transforms and 3 triples"):
        faa_search.search(DeepSearchConfig(**SMALL), run)
    assert (run / "updates.jsonl").read_text() == edited
    (run / "updates.jsonl").unlink()
    again = faa_search.search(DeepSearchConfig(**SMALL), run)
    assert again.policy.layers == finished[1].policy.layers  # type: ignore[attr-defined]


def test_a_stage_that_lacks_what_comes_before_is_refused(tmp_path: Path) -> None:
    """By the names of this algorithm's stages; nothing is made on the way."""
    config = DeepSearchConfig(**SMALL)
    for stage in ("match", "controls"):
        with pytest.raises(FaaError, match="--stage pretrain makes it"):
            faa_search.search_stage(config.model_copy(update={"stage": stage}), tmp_path / "run")
    faa_search.search_stage(config.model_copy(update={"stage": "pretrain"}), tmp_path / "run")
    with pytest.raises(FaaError, match="--stage match makes them"):
        faa_search.search_stage(config.model_copy(update={"stage": "controls"}), tmp_path / "run")
    assert not (tmp_path / "run/updates.jsonl").exists()


def test_controls_can_have_more_triples(finished: tuple[Path, Found, Any], tmp_path: Path) -> None:
    """Of a finished search, without another update."""
    run = tmp_path / "run"
    shutil.copytree(finished[0], run)
    more = DeepSearchConfig(**SMALL | {"control_triples": 5, "stage": "controls"})
    found = faa_search.search(more, run)
    assert updates_of(run) == updates_of(finished[0])
    assert found.policy.layers == finished[1].policy.layers  # type: ignore[attr-defined]
    assert found.figures["cosine"] != finished[1].figures["cosine"]


def test_a_found_policy_is_found_again(finished: tuple[Path, Found, Any]) -> None:
    """Its provenance has the settings themselves, and beside them what was done."""
    provenance = finished[1].policy.provenance
    assert (provenance["updates"], provenance["updates_done"], provenance["layers"]) == (3, 6, 2)


def test_a_class_that_cannot_be_matched_is_named(tmp_path: Path, listener: Any) -> None:
    """It has two images, one of them to fit the network on."""
    rng = np.random.default_rng(0)
    labels = np.array([0] * 20 + [1] * 20 + [2] * 2)
    images = rng.integers(0, 256, (42, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", images=images, labels=labels, class_names=np.array(["ape", "bee", "cat"]))
    told, own = listener(), {"dataset": str(tmp_path / "images.npz"), "train_subset": None, "updates": 1}
    faa_search.search(DeepSearchConfig(**SMALL | own), tmp_path / "run", reporter=told)
    (note,) = [note for note in told.notes if "left out of the matching" in note]
    assert note.startswith("1 class is left out")
    assert note.endswith(": cat.")
