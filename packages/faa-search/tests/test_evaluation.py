"""Evaluating anybody's weights: where they come from, and how they do on corrupted images."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from faa_core import FaaError
from faa_search.data import ArraySource
from faa_search.measuring.corruptions import CORRUPTIONS, corrupt
from faa_search.measuring.evaluation import weights as weights_module
from faa_search.measuring.evaluation.checkpoints import Subject, evaluate_subject, open_subject
from faa_search.measuring.evaluation.classes import reorder_outputs
from faa_search.measuring.evaluation.robustness import (
    CorruptedImages,
    CorruptedViews,
    Robustness,
    evaluate_corrupted,
    open_corrupted,
)
from faa_search.measuring.evaluation.weights import find_weights, weights_folder
from faa_search.settings import EvalConfig
from faa_search.training.models import make_model

SIDE = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the weights of an untrained wrn10_1 for two classes at 8 px."""
    folder = tmp_path_factory.mktemp("weights")
    model = make_model("wrn10_1", classes=2, pretrained=False, size=SIDE, seed=0)
    save_file(model.state_dict(), folder / "model.safetensors")
    described = {"architecture": "wrn10_1", "num_classes": 2, "pretrained_cfg": {"input_size": [3, SIDE, SIDE]}}
    (folder / "config.json").write_text(json.dumps(described))
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data set: class 0 is dark and class 1 is bright, 10 test images of each."""
    rng = np.random.default_rng(0)
    labels = np.arange(20) % 2
    images = (rng.integers(0, 40, (20, SIDE, SIDE, 3)) + 100 * labels[:, None, None, None]).astype(np.uint8)
    path = tmp_path / "data.npz"
    np.savez(path, images=images, labels=labels, test_images=images, test_labels=labels)
    return path


class Bright(nn.Module):
    """Takes images above a mean (of normalised values) for class 1."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        score = images.mean(dim=(1, 2, 3)) + self.bias
        return torch.stack([-score, score], dim=1)


def opened(folder: Path, data: Path, **settings: Any) -> tuple[Subject, EvalConfig]:
    config = EvalConfig(dataset=str(data), device="cpu", **settings)
    return open_subject(find_weights(checkpoint=str(folder)), config, note=lambda _line: None), config


def bright(folder: Path, data: Path, **settings: Any) -> tuple[Subject, EvalConfig]:
    """Return a subject whose network knows dark from bright, at a threshold between."""
    subject, config = opened(folder, data, **settings)
    model = Bright()
    middle = subject.network.normalise(torch.full((1, 3, 1, 1), 55, dtype=torch.uint8)).mean()
    model.bias.data.fill_(-float(middle))
    subject.network.model = subject.network.applied = model
    return subject, config


def test_local_folders_by_either_name(folder: Path) -> None:
    """As a checkpoint, and as timm writes them."""
    for found in (find_weights(checkpoint=str(folder)), find_weights(model=f"local-dir:{folder}")):
        assert (SIDE, 2, str(folder)) == (found.expected.size, found.classes, found.name)
        assert torch.equal(
            next(iter(found.load(SIDE).state_dict().values())),
            next(iter(find_weights(checkpoint=str(folder)).load(SIDE).state_dict().values())),
        )


def test_a_description_without_channels_is_of_rgb_images(folder: Path, tmp_path: Path) -> None:
    """Neither the input's size nor the model's arguments say how many there are."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "config.json").write_text(json.dumps({"architecture": "wrn10_1", "num_classes": 2}))
    stem = next(find_weights(checkpoint=str(copy)).load(SIDE).parameters())
    assert torch.equal(stem, next(find_weights(checkpoint=str(folder)).load(SIDE).parameters()))
    assert stem.shape[1] == 3


def test_exactly_one_name() -> None:
    """Both and none are told."""
    for given in ({}, {"checkpoint": "a", "model": "b"}):
        with pytest.raises(FaaError, match="Give either --checkpoint"):
            find_weights(**given)


@pytest.mark.parametrize("given", [{"model": "hf-hub:me/mine@v1"}, {"checkpoint": "hf-hub:me/mine@v1"}])
def test_the_hub_gives_two_files(folder: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> None:
    """config.json and model.safetensors; no other file is asked for, so none is unpickled."""
    asked: list[tuple[str, str]] = []

    def download(identity: str, file: str) -> str:
        asked.append((identity, file))
        return str(folder / file)

    monkeypatch.setattr(weights_module, "download_from_hf", download)
    found = find_weights(**given)
    assert (2, "hf-hub:me/mine@v1") == (found.classes, found.name)
    assert [("me/mine@v1", "config.json"), ("me/mine@v1", "model.safetensors")] == asked


def test_a_hub_out_of_reach_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the libraries raise."""

    def download(_identity: str, _file: str) -> str:
        raise ConnectionError("no\nnetwork.")

    monkeypatch.setattr(weights_module, "download_from_hf", download)
    with pytest.raises(FaaError, match=r"'hf-hub:a/b' cannot be fetched .*: ConnectionError: no network\. Other files"):
        find_weights(model="hf-hub:a/b")


def test_a_folder_of_pickles_is_refused(tmp_path: Path, folder: Path) -> None:
    """Beside a config.json, pytorch_model.bin is not looked at."""
    shutil.copy(folder / "config.json", tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04\x95")
    for given in ({"checkpoint": str(tmp_path)}, {"model": f"local-dir:{tmp_path}"}):
        with pytest.raises(FaaError, match=r"holds no model\.safetensors"):
            find_weights(**given)


def test_published_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a timm name: its classes and size; pretrained is asked for, and what fails is one message."""
    found = find_weights(model="resnet18")
    assert (1000, 224) == (found.classes, found.expected.size)

    def create(name: str, *, pretrained: bool, **_rest: Any) -> nn.Module:
        raise OSError(f"{name} {pretrained} no network.")

    monkeypatch.setattr(timm, "create_model", create)
    with pytest.raises(FaaError, match=r"resnet18 True no network\. timm's weights are fetched"):
        found.load(224)
    with pytest.raises(FaaError, match="There are no published weights of 'wrn16_1'"):
        find_weights(model="wrn16_1")
    with pytest.raises(FaaError, match="timm has no model 'resnett18'; did you mean"):
        find_weights(model="resnett18")


def test_classes_must_agree(folder: Path) -> None:
    """The network's and the data set's."""
    with pytest.raises(FaaError, match="have 2 classes, 'digits' has 10"):
        opened(folder, Path("digits"))


@pytest.mark.parametrize("workers", [0, 2])
def test_corrupted_views_are_corrupted_images(folder: Path, data: Path, workers: int) -> None:
    """Of the test images, by their index and the seed; loader processes change nothing."""
    subject, config = bright(folder, data, corruptions="make", seed=5, workers=workers)
    images = open_corrupted(subject, config)
    assert images is not None
    view = images.view("snow", 2)
    shown, labels = view.__getitems__([(0, 0, 7), (0, 0, 2)])
    source: Any = subject.source
    expected = corrupt(source.images, "snow", 2, seed=5)[[7, 2]]
    assert (shown.permute(0, 2, 3, 1).numpy() == expected).all()
    assert [1, 0] == labels.tolist()


@pytest.mark.parametrize("size", [4, 16])
def test_clean_figures_do_not_depend_on_corruptions(folder: Path, data: Path, size: int) -> None:
    """The images are brought to size once, whether or not they are also shown corrupted."""
    clean, _config = opened(folder, data, img_size=size)
    also, _config = opened(folder, data, img_size=size, corruptions="make")
    pixels: Any = [subject.source for subject in (clean, also)]
    assert (size, SIDE) == (pixels[1].images.shape[1], also.own_size)
    assert (pixels[0].images == pixels[1].images).all()
    assert evaluate_subject(clean) == evaluate_subject(also)


def test_images_of_mixed_sizes_are_corrupted_at_the_networks(
    folder: Path, write_images: Callable[..., Path], tmp_path: Path
) -> None:
    """Which of them lies first does not count; images of one size are corrupted at theirs."""
    for size in (24, 16):
        write_images({f"{size}": 2}, root="mixed/train", size=size)
        write_images({f"{size}": 2}, root="mixed/test", size=size)
        write_images({f"{size}": 2}, root="same/train", size=24)
        write_images({f"{size}": 2}, root="same/test", size=24)
    for root, own in (("mixed", SIDE), ("same", 24)):
        subject, config = opened(folder, tmp_path / root, corruptions="make")
        assert (SIDE, own) == (subject.size, subject.own_size)
        assert isinstance(subject.source, ArraySource)
        images = open_corrupted(subject, config)
        assert images is not None
        assert (1, 3, SIDE, SIDE) == images.view("fog", 1).__getitems__([(0, 0, 0)])[0].shape


def named(folder: Path, tmp_path: Path, names: object) -> Path:
    """Return a copy of the folder whose classes are called so."""
    copy = shutil.copytree(folder, tmp_path / "named")
    described = json.loads((copy / "config.json").read_text()) | {"label_names": names}
    (copy / "config.json").write_text(json.dumps(described))
    return copy


def with_names(data: Path, *names: str) -> Path:
    """Return the data set with names for its classes."""
    with np.load(data) as arrays:
        path = data.with_name("named.npz")
        np.savez(path, **arrays, class_names=np.array(names))
    return path


def test_classes_in_another_order_are_matched_by_name(folder: Path, data: Path, tmp_path: Path) -> None:
    """Outputs are put in the images' order, so the confusion matrix is the plain one with its columns exchanged."""
    dataset = with_names(data, "cat", "dog")
    same = evaluate_subject(opened(named(folder, tmp_path / "same", ["cat", "dog"]), dataset)[0])
    notes: list[str] = []
    weights = find_weights(checkpoint=str(named(folder, tmp_path / "other", ["dog", "cat"])))
    other = evaluate_subject(open_subject(weights, EvalConfig(dataset=str(dataset), device="cpu"), note=notes.append))
    assert [row[::-1] for row in same.confusion] == list(other.confusion)
    assert same.confusion != other.confusion
    assert any("in another order" in line for line in notes)


def test_classes_of_other_names_are_refused(folder: Path, data: Path, tmp_path: Path) -> None:
    """As many classes are not the same classes; without names on either side only the number counts."""
    dataset = with_names(data, "cat", "dog")
    with pytest.raises(FaaError, match=r"has the classes cat, cow, '.*named\.npz' has cat, dog"):
        opened(named(folder, tmp_path / "cow", ["cat", "cow"]), dataset)
    nameless = (["0", "1"], ["cat"], {"0": "cat"}, [1, 2], None, "cat")
    for number, names in enumerate(nameless):
        assert 20 == evaluate_subject(opened(named(folder, tmp_path / str(number), names), dataset)[0]).images
    notes: list[str] = []
    config = EvalConfig(dataset=str(data), device="cpu")
    open_subject(find_weights(checkpoint=str(tmp_path / "cow/named")), config, note=notes.append)
    assert any("has the classes cat, cow," in line and "matched by their numbers" in line for line in notes)


def test_what_the_hub_calls_its_classes_is_a_note(
    folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Published models have long names for what a folder of images calls otherwise."""
    copy = named(folder, tmp_path, ["tench, Tinca tinca" + 40 * "!", "goldfish"])
    monkeypatch.setattr(weights_module, "download_from_hf", lambda _identity, file: str(copy / file))
    notes: list[str] = []
    config = EvalConfig(dataset=str(with_names(data, "cat", "dog")), device="cpu")
    subject = open_subject(find_weights(model="hf-hub:a/b"), config, note=notes.append)
    assert 20 == evaluate_subject(subject).images
    assert any("tench, Tinca tinca!!!!!!!!!!!…, goldfish, " in line for line in notes)


def test_a_subset_of_the_training_images_changes_no_test_image(folder: Path, data: Path) -> None:
    """So it is refused."""
    with pytest.raises(FaaError, match="--train-subset is for --split train"):
        opened(folder, data, train_subset=4)
    assert 4 == len(opened(folder, data, train_subset=4, split="train")[0].source)


def test_images_are_corrupted_at_their_own_size(folder: Path, data: Path) -> None:
    """And brought to the network's after that."""
    subject, config = opened(folder, data, corruptions="make", img_size=16)
    assert (SIDE, 16) == (subject.own_size, subject.size)
    images = open_corrupted(subject, config)
    assert images is not None
    view = images.view("impulse_noise", 5)
    assert isinstance(view, CorruptedViews)
    assert (1, 3, 16, 16) == view.__getitems__([(0, 0, 0)])[0].shape
    assert 20 == evaluate_subject(subject).images


def test_brightness_makes_dark_bright(folder: Path, data: Path, listener: Any) -> None:
    """All dark images are taken for bright ones from some severity on; contrast keeps every mean."""
    subject, config = bright(folder, data, corruptions="make")
    assert 1 == evaluate_subject(subject).top1
    images = open_corrupted(subject, config)
    assert images is not None
    assert ("frost",) == images.missing
    few = CorruptedImages(
        origin="make", names=("brightness", "contrast"), missing=images.missing, seed=0, view=images.view
    )
    told = listener()
    robust = evaluate_corrupted(subject, few, reporter=told)
    assert [("Corruptions", 10, 0)] == told.tracks
    assert 10 == told.units
    assert (0, 0.5) == (robust.errors["brightness"][0], robust.errors["brightness"][4])
    assert (0, 0, 0, 0, 0) == robust.errors["contrast"]


def test_the_mean_corruption_error() -> None:
    """By hand; the missing do not count."""
    errors = {"fog": (0.1, 0.2, 0.3, 0.4, 0.5), "snow": (0.0, 0.0, 0.0, 0.0, 0.1)}
    robust = Robustness(errors=errors, missing=("frost",), origin="make", seed=0)
    assert robust.error("fog") == pytest.approx(0.3)
    assert robust.error("snow") == pytest.approx(0.02)
    assert robust.mean_error == pytest.approx(0.16)


def write_published(folder: Path, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    folder.mkdir()
    np.save(folder / "labels.npy", np.tile(labels, 5).astype(np.uint8))
    for name in ("brightness", "fog"):
        made = [corrupt(images, name, severity, seed=3) for severity in (1, 2, 3, 4, 5)]
        np.save(folder / f"{name}.npy", np.concatenate(made))


def test_published_images_give_what_made_ones_give(folder: Path, data: Path, tmp_path: Path, listener: Any) -> None:
    """What is written in CIFAR-10-C's layout and read again has the same errors, at any size of the network."""
    subject, config = bright(folder, data, corruptions="make", seed=3, img_size=16)
    source: Any = subject.own_source
    write_published(tmp_path / "C", source.images, source.labels)
    both = []
    for corruptions in ("make", str(tmp_path / "C")):
        settings = config.model_copy(update={"corruptions": corruptions, "seed": 3 if corruptions == "make" else 0})
        images = open_corrupted(subject, settings)
        assert images is not None
        few = CorruptedImages(
            origin=images.origin,
            names=("brightness", "fog"),
            missing=images.missing,
            seed=images.seed,
            view=images.view,
        )
        both.append(evaluate_corrupted(subject, few, reporter=listener()))
    made, read = both
    assert made.errors == read.errors
    assert max(made.errors["brightness"]) > 0
    assert (3, None) == (made.seed, read.seed)
    assert len(CORRUPTIONS) - 2 == len(read.missing)


def test_settings_without_effect(folder: Path, data: Path) -> None:
    """Photographs and a seed are for making."""
    subject, config = opened(folder, data)
    assert open_corrupted(subject, config) is None
    for change, flag in (({"frost": "x"}, "--frost"), ({"seed": 1}, "--seed")):
        with pytest.raises(FaaError, match=f"{flag} is for --corruptions make"):
            open_corrupted(subject, config.model_copy(update=change))


def test_the_best_epochs_weights_come_first(folder: Path, tmp_path: Path) -> None:
    """Of a run's two, and the last epoch's where no best were kept; what is named itself comes before both."""
    run = tmp_path / "run"
    for name in ("last", "best"):
        shutil.copytree(folder, run / name)
    assert [run / "best", run / "last"] == [weights_folder(run), weights_folder(run / "last")]
    assert run / "last" == weights_folder(run / "last" / "model.safetensors")
    shutil.rmtree(run / "best")
    assert run / "last" == weights_folder(run)
    shutil.copytree(folder, run, dirs_exist_ok=True)
    assert run == weights_folder(run)


def test_outputs_of_four_classes_are_put_in_order(folder: Path) -> None:
    """An order that is not its own inverse: output n is the one that the weights have under the n-th name."""
    weights = replace(find_weights(checkpoint=str(folder)), names=("dog", "eel", "cat", "ant"))
    logits = torch.tensor([[10.0, 20.0, 30.0, 40.0]])
    model = reorder_outputs(
        nn.Identity(), weights, ("ant", "cat", "dog", "eel"), dataset="here", note=lambda _line: None
    )
    assert [[40.0, 30.0, 10.0, 20.0]] == model(logits).tolist()


def test_weights_smaller_than_their_network_are_refused_before_it_is_made(folder: Path, tmp_path: Path) -> None:
    """A weight takes a byte at least: as many bytes as weights are looked into, one fewer is not."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    weights = sum(parameter.numel() for parameter in timm.create_model("wrn10_1", num_classes=2).parameters())
    for count, words in ((weights, "damaged|cannot be read"), (weights - 1, f"cannot hold its {weights:,} weights")):
        (copy / "model.safetensors").write_bytes(b"\xff" * count)
        with pytest.raises(FaaError, match=words) as refusal:
            find_weights(checkpoint=str(copy)).load(SIDE)
        assert ("cannot hold" in str(refusal.value)) == (count < weights)


def test_outputs_that_are_no_numbers_have_no_figures(folder: Path, data: Path, tmp_path: Path) -> None:
    """As of damaged weights."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    state = load_file(copy / "model.safetensors")
    name = next(name for name in state if name.endswith("weight"))
    save_file(state | {name: state[name] * float("nan")}, copy / "model.safetensors")
    with pytest.raises(FaaError, match=r"outputs are not numbers \(NaN\).*take other weights"):
        evaluate_subject(opened(copy, data)[0])
