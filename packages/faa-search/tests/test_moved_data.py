"""The place of a data set may change between a run and its resumption; its images may not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from faa_core import FaaError, SubPolicies
from faa_search import search_stage as search
from faa_search.data import ArraySource, DatasetRequest, DecodedSource, fingerprint, open_data
from faa_search.data.folders import open_folder
from faa_search.measuring.comparison import compare
from faa_search.measuring.evaluation import evaluate_checkpoint
from faa_search.measuring.evaluation.trained_on import run_of, same_images
from faa_search.progress import Silent
from faa_search.runs.images import has_moved, keep_images, record_of, same_record
from faa_search.searching.images import open_images
from faa_search.settings import CompareConfig, EvalConfig, SearchConfig, TrainConfig
from faa_search.training import train

WriteImages = Callable[..., Path]
SETTINGS: dict[str, Any] = {
    "model": "wrn10_1", "img_size": 8, "epochs": 1, "batch_size": 4, "device": "cpu", "hflip": 0.0,
}  # fmt: skip


@pytest.fixture
def photos(write_images: WriteImages) -> Path:
    """Return a folder of a training and a test split."""
    write_images({"ant": 6, "bee": 6, "cow": 6}, root="photos/train", suffix="bmp")
    return write_images({"ant": 2, "bee": 2, "cow": 2}, root="photos/test", suffix="bmp").parent


def npz(path: Path, seed: int = 0, **arrays: Any) -> Path:
    """Write arrays whose labels never differ."""
    rng = np.random.default_rng(seed)
    given = {"images": rng.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8), "labels": np.arange(30) % 3}
    test = {"test_images": rng.integers(0, 256, (9, 8, 8, 3), dtype=np.uint8), "test_labels": np.arange(9) % 3}
    np.savez(path, **given | test | arrays)
    return path


def place_of(run: Path) -> str:
    return str(yaml.safe_load((run / "config.yaml").read_text())["dataset"])


def refused(call: Callable[[], object], *words: str) -> None:
    with pytest.raises(FaaError) as raised:
        call()
    for one in words:
        assert one in str(raised.value)


def test_a_training_goes_on_where_its_folder_is_now(photos: Path, tmp_path: Path) -> None:
    """Half-way and finished; from then on its settings, and what reads them, say the new place."""
    run, copy = tmp_path / "run", tmp_path / "scratch" / "copy"
    train(TrainConfig(dataset=str(photos), **SETTINGS), run)
    (run / "result.json").unlink()
    shutil.copytree(photos, copy)  # with other times
    shutil.rmtree(photos)
    moved = TrainConfig(dataset="copy", data_dir=str(copy.parent), **SETTINGS)
    result = train(moved, run)
    assert "copy" == place_of(run)
    again = tmp_path / "scratch" / "again"
    copy.rename(again)
    assert result == train(TrainConfig(dataset=str(again), **SETTINGS), run)  # finished
    assert str(again) == place_of(run)
    metrics = evaluate_checkpoint(run, EvalConfig(dataset=str(again), img_size=8), note=lambda _line: None)
    assert metrics.images == 6


def touch(path: Path) -> None:
    """Change one pixel of an uncompressed image: its size in bytes stays."""
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)


def rename_bees(root: Path) -> None:
    """Rename one class in both splits."""
    for split in ("train", "test"):
        (root / split / "bee").rename(root / split / "bat")


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "one pixel": (lambda root: touch(root / "train/bee/3.bmp"), "other pixels"),
    "a name": (lambda root: (root / "train/bee/3.bmp").rename(root / "train/bee/30.bmp"), "files of other names"),
    "a class": (rename_bees, "classes of other names"),
    "one more": (lambda root: shutil.copy(root / "train/bee/3.bmp", root / "train/bee/6.bmp"), "had 18 training"),
    "a test image": (lambda root: touch(root / "test/cow/1.bmp"), "other pixels in the test images"),
    "no test": (lambda root: shutil.rmtree(root / "test"), "test images of other classes"),
}  # fmt: skip


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_other_images_are_refused(photos: Path, tmp_path: Path, change: str, *, elsewhere: bool) -> None:
    """At the same place and at another one; the settings keep the place they had, and nothing is lost."""
    run, root = tmp_path / "run", photos
    run.mkdir()
    given = TrainConfig(dataset=str(photos), **SETTINGS)
    (run / "config.yaml").write_text(yaml.safe_dump({"command": "train", **given.model_dump(mode="json")}))
    keep(run, given)
    if elsewhere:
        root = tmp_path / "other"
        shutil.copytree(photos, root)
    make, words = CHANGES[change]
    make(root)
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    place = f"(--dataset {photos} then, --dataset {root} now)" if elsewhere else "was started: "
    try:
        refused(lambda: train(TrainConfig(dataset=str(root), **SETTINGS), run), "has changed since", words, place)
    finally:
        assert before == {path: path.read_bytes() for path in before}


def keep(run: Path, config: TrainConfig) -> None:
    """Write down the images that settings name."""
    data = open_data(config, model_size=8, note=lambda _line: None)
    keep_images(run, config, record_of([data.stored], data.open_stored_test and data.open_stored_test()))


def test_pixels_of_arrays_are_compared(tmp_path: Path) -> None:
    """Whatever size they are brought to, and however the file is packed."""
    run = tmp_path / "run"
    settings = SETTINGS | {"img_size": 4}
    train(TrainConfig(dataset=str(npz(tmp_path / "one.npz")), **settings), run)
    with np.load(tmp_path / "one.npz") as arrays:
        np.savez_compressed(tmp_path / "two.npz", **arrays)
    train(TrainConfig(dataset=str(tmp_path / "two.npz"), **settings), run)
    assert str(tmp_path / "two.npz") == place_of(run)
    npz(tmp_path / "one.npz", seed=1)
    refused(lambda: train(TrainConfig(dataset=str(tmp_path / "one.npz"), **settings), run), "other pixels")
    assert str(tmp_path / "two.npz") == place_of(run)
    npz(tmp_path / "two.npz", seed=1)
    (run / "result.json").unlink()
    refused(lambda: train(TrainConfig(dataset=str(tmp_path / "two.npz"), **settings), run), "other pixels")


class Notes(Silent):
    """Keeps what is noted."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        self.lines.append(line)


def test_a_finished_run_whose_images_changed(photos: Path, tmp_path: Path) -> None:
    """Its result is of other images, also where only a test image differs; it is given where they are gone."""
    run, given = tmp_path / "run", TrainConfig(dataset=str(photos), **SETTINGS)
    first, notes = train(given, run), Notes()
    assert first == train(given, run, reporter=notes)
    assert [f"'{run}' is finished."] == notes.lines
    kept = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for path, words in (("train/bee/3.bmp", "it has other pixels."), ("test/cow/1.bmp", "pixels in the test images.")):
        touch(photos / path)
        refused(lambda: train(given, run), f"since '{run}' was finished: ", words, "put back those it had")
        touch(photos / path)
    (photos / "train/ant/0.bmp").rename(tmp_path / "0.bmp")
    refused(lambda: train(given, run), "it had 18 training images, now 17")
    shutil.rmtree(photos)
    assert first == train(given, run, reporter=notes)
    assert "is finished; its images cannot be compared with those it was made with (No data set is" in notes.lines[-1]
    assert kept == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_images_that_are_in_both_splits(tmp_path: Path, small_search: SearchConfig) -> None:
    """By content, whatever their names: counted where all are read anyway."""
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)
    path = npz(tmp_path / "one.npz", images=images, test_images=images[[4, 7, 9, 4, 11]], test_labels=[1, 1, 0, 1, 2])
    notes = Notes()
    train(TrainConfig(dataset=str(path), **SETTINGS), tmp_path / "run", reporter=notes)
    words = "5 of 5 test images that were looked at are also among the training images, with the same content"
    assert 1 == sum(words in line for line in notes.lines)
    for split in ("train", "score"):
        for number in range(12):
            pixels = images[number] if split == "train" or number == 7 else images[number] ^ 255
            (tmp_path / "set" / split / "abc"[number % 3]).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "set" / split / "abc"[number % 3] / f"{split}{number}.png")
    given = SearchConfig(dataset=str(tmp_path / "set"), val_split="score")
    sources = open_images(given, model_size=8, note=lambda _line: None).open_stored()
    found: list[str] = []
    record = record_of(sources, note=found.append)
    assert record == record_of(sources)
    assert found[0].startswith("1 of 12 images to score on that were looked at is also among the training images")
    assert 1 == len(found)


def test_a_run_of_an_earlier_version(photos: Path, tmp_path: Path) -> None:
    """Its labels are compared as ever and its record left as it is; that it has moved cannot be known."""
    run = tmp_path / "run"
    train(TrainConfig(dataset=str(photos), **SETTINGS), run)
    record = json.loads((run / "data.json").read_text())
    old = json.dumps({"images": record["images"], "labels": record["labels"]}) + "\n"
    (run / "data.json").write_text(old)
    settings = yaml.safe_load((run / "config.yaml").read_text())
    del settings["input_key"], settings["target_key"]
    (run / "config.yaml").write_text(yaml.safe_dump(settings))
    (run / "result.json").unlink()
    touch(photos / "train/bee/3.bmp")
    train(TrainConfig(dataset=str(photos), **SETTINGS), run)
    assert old == (run / "data.json").read_text()
    shutil.copytree(photos, tmp_path / "copy")
    refused(lambda: train(TrainConfig(dataset=str(tmp_path / "copy"), **SETTINGS), run), "before pixels were written")
    assert str(photos) == place_of(run)
    Image.new("RGB", (8, 8)).save(photos / "train/bee/new.webp")
    (run / "result.json").unlink()
    refused(lambda: train(TrainConfig(dataset=str(photos), **SETTINGS), run), "18 training images, now 19", "read png")


def test_a_search_goes_on_where_its_data_are(small_search: SearchConfig, tmp_path: Path) -> None:
    """Each stage; with other pixels of the same labels none does (they were all that was compared)."""
    given = {**small_search.model_dump(), "train_subset": None, "model": "wrn10_1", "epochs": 1}

    def at(name: str, **settings: Any) -> SearchConfig:
        return SearchConfig(**given | {"dataset": str(tmp_path / name)} | settings)

    npz(tmp_path / "one.npz")
    search(at("one.npz", stage="folds"), tmp_path / "run")
    shutil.move(tmp_path / "one.npz", tmp_path / "two.npz")
    search(at("two.npz", stage="explore"), tmp_path / "run")
    npz(tmp_path / "noise.npz", seed=1)
    refused(lambda: search(at("noise.npz", stage="explore"), tmp_path / "run"), "other pixels")
    assert str(tmp_path / "two.npz") == place_of(tmp_path / "run")
    found = search(at("two.npz"), tmp_path / "run")
    assert isinstance(found.policy, SubPolicies)
    shutil.move(tmp_path / "two.npz", tmp_path / "three.npz")
    again = search(at("three.npz"), tmp_path / "run")  # finished
    assert again.policy.sub_policies == found.policy.sub_policies
    assert str(tmp_path / "three.npz") == place_of(tmp_path / "run")
    refused(lambda: search(at("noise.npz"), tmp_path / "run"), "other pixels")
    whole = (tmp_path / "three.npz").read_bytes()
    npz(tmp_path / "three.npz", seed=2)
    refused(lambda: search(at("three.npz"), tmp_path / "run"), "was finished", "other pixels")
    (tmp_path / "three.npz").write_bytes(whole)
    # Networks are taken from a search of the same images, wherever they lie, and of no others.
    shutil.copy(tmp_path / "three.npz", tmp_path / "four.npz")
    search(at("four.npz", stage="folds", init_models=str(tmp_path / "run")), tmp_path / "second")
    refused(
        lambda: search(at("noise.npz", stage="folds", init_models=str(tmp_path / "run")), tmp_path / "third"),
        "has other folds or images",
    )


def test_a_comparison_goes_on_where_its_data_are(tmp_path: Path) -> None:
    """Its own directory and its runs', half-way and finished."""
    shared = SETTINGS | {"policies": ("none", "trivialaugment"), "seeds": 2}
    npz(tmp_path / "one.npz")
    first = compare(CompareConfig(dataset=str(tmp_path / "one.npz"), **shared), tmp_path / "runs")
    (tmp_path / "runs" / "comparison.json").unlink()
    shutil.rmtree(tmp_path / "runs" / "none-1")
    shutil.move(tmp_path / "one.npz", tmp_path / "two.npz")
    npz(tmp_path / "noise.npz", seed=1)
    for _time in ("half-way", "finished"):
        noise = CompareConfig(dataset=str(tmp_path / "noise.npz"), **shared)
        refused(lambda: compare(noise, tmp_path / "runs"), "other pixels")  # noqa: B023 called at once
        assert first == compare(CompareConfig(dataset=str(tmp_path / "two.npz"), **shared), tmp_path / "runs")
        assert str(tmp_path / "two.npz") == place_of(tmp_path / "runs")
    shutil.move(tmp_path / "two.npz", tmp_path / "three.npz")
    assert first == compare(CompareConfig(dataset=str(tmp_path / "three.npz"), **shared), tmp_path / "runs")
    places = [place_of(run) for run in (tmp_path / "runs", *(tmp_path / "runs").iterdir()) if run.is_dir()]
    assert [str(tmp_path / "three.npz")] * 5 == places
    npz(tmp_path / "three.npz", seed=1)
    again = CompareConfig(dataset=str(tmp_path / "three.npz"), **shared)
    refused(lambda: compare(again, tmp_path / "runs"), "was finished", "other pixels")
    (tmp_path / "runs" / "comparison.json").unlink()
    refused(lambda: compare(again, tmp_path / "runs"), "has changed since", "other pixels")


def test_other_settings_are_refused_as_ever(photos: Path, tmp_path: Path) -> None:
    """Before anything is opened, wherever the data are."""
    train(TrainConfig(dataset=str(photos), **SETTINGS), tmp_path / "run")
    for settings in ({"test_split": "test"}, {"train_subset": 6}):
        given = TrainConfig(dataset="nowhere", **SETTINGS | settings)
        refused(lambda: train(given, tmp_path / "run"), "other settings")  # noqa: B023 called at once
    again = TrainConfig(dataset=str(photos), dataset_download=True, **SETTINGS)
    assert not has_moved(tmp_path / "run", again)
    train(again, tmp_path / "run")


def test_weights_know_their_images_elsewhere(photos: Path, tmp_path: Path) -> None:
    """A part held out of a copy of what was trained on would be training images."""
    run = tmp_path / "run"
    train(TrainConfig(dataset=str(photos), **SETTINGS), run)
    shutil.copytree(photos, tmp_path / "copy")
    found = run_of(run)
    assert found is not None
    assert same_images(EvalConfig(dataset=str(tmp_path / "copy"), test_fraction=0.2, train_subset=5), found)
    touch(tmp_path / "copy/train/ant/0.bmp")
    assert not same_images(EvalConfig(dataset=str(tmp_path / "copy")), found)
    assert not same_images(EvalConfig(dataset=str(tmp_path / "nowhere")), found)
    assert not same_images(EvalConfig(dataset="digits"), found)


def test_records_of_two_runs(photos: Path, tmp_path: Path) -> None:
    """Without pixels in both, only the same place is the same."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        given = TrainConfig(dataset=str(photos), **SETTINGS)
        (tmp_path / name / "config.yaml").write_text(
            yaml.safe_dump({"command": "train", **given.model_dump(mode="json")})
        )
        keep(tmp_path / name, given)
    assert same_record(tmp_path / "one", tmp_path / "two")
    record = json.loads((tmp_path / "two" / "data.json").read_text())
    old = {"images": record["images"], "labels": record["labels"]}
    (tmp_path / "two" / "data.json").write_text(json.dumps(old))
    assert same_record(tmp_path / "one", tmp_path / "two")
    settings = yaml.safe_load((tmp_path / "two" / "config.yaml").read_text())
    (tmp_path / "two" / "config.yaml").write_text(yaml.safe_dump(settings | {"dataset": "elsewhere"}))
    assert not same_record(tmp_path / "one", tmp_path / "two")
    (tmp_path / "two" / "data.json").unlink()
    assert not same_record(tmp_path / "one", tmp_path / "two")


def test_fingerprints(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names and sizes of all files, and the content of all of them or, of very many bytes, of evenly spread ones."""
    source = open_folder(DatasetRequest(name=str(photos))).train
    assert isinstance(source, DecodedSource)
    whole = fingerprint.fingerprint([source]).digests
    assert {"classes", "files", "content"} == whole.keys()
    read: list[int] = []
    content = type(source.files).content

    def counted(files: Any, number: int) -> bytes:
        read.append(number)
        return content(files, number)

    monkeypatch.setattr(type(source.files), "content", counted)
    total = sum(path.stat().st_size for path in (photos / "train").rglob("*.bmp"))
    monkeypatch.setattr(fingerprint, "MOST_READ", total // 4 - 1)
    part = fingerprint.fingerprint([source]).digests
    assert [0, 5, 10, 15] == read
    assert (whole["files"], whole["classes"]) == (part["files"], part["classes"])
    touch(photos / "train/ant/1.bmp")  # not among those that are read, and of the same size
    assert part == fingerprint.fingerprint([source]).digests
    touch(photos / "train/ant/0.bmp")
    assert part != fingerprint.fingerprint([source]).digests
    assert fingerprint.fingerprint([source]).digests["files"] == part["files"]
    (photos / "train/ant/1.bmp").write_bytes(b"shorter")
    assert fingerprint.fingerprint([source]).digests["files"] != part["files"]


def test_fingerprints_of_arrays(noise: Callable[..., ArraySource]) -> None:
    """Pixels, their shape, their order, and which split they are in."""
    one = noise(12)

    def digest(sources: list[ArraySource]) -> dict[str, str]:
        return fingerprint.fingerprint(sources).digests

    assert digest([one]) == digest([ArraySource(one.images.copy(), one.labels, one.class_names)])
    assert digest([one]) != digest([one.subset(np.arange(12)[::-1])])
    assert digest([one]) != digest([ArraySource(one.images.reshape(12, 4, 16, 3), one.labels, one.class_names)])
    assert digest([one.subset(np.arange(4)), one.subset(np.arange(4, 12))]) != digest([one])
    renamed = ArraySource(one.images, one.labels, ("x", "y", "z"))
    assert digest([renamed])["content"] == digest([one])["content"]
    assert digest([renamed])["classes"] != digest([one])["classes"]
