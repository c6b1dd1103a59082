"""The benchmarks run without the libraries they compare with, and say which of them are missing."""

import importlib
import json
import statistics
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest
import torch

from faa_core import FaaError
from faa_search.data import DATA_SEED, draw_stratified
from forked import run_python

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
OPTIONAL = ("kornia", "albumentations")


def installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


@pytest.fixture
def script(tmp_path, environment):
    """Run a benchmark in an empty directory."""

    def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        return run_python([BENCHMARKS / name, *arguments], directory=tmp_path, environment=environment)

    return run


@pytest.mark.slow  # `nox -s bench` itself, on less
def test_the_table_has_a_row_for_every_peer_and_the_json_holds_the_same(script, tmp_path):
    small = "--quick --rounds 2 --seconds 0.001 --engines torch --sides 32 --workloads randaugment".split()
    done = script("augment.py", *small, "full CIFAR transform", "--output", tmp_path / "found.json")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "found.json").read_text())
    assert record["rounds"] == 2
    assert record["packages"]["torch"] in done.stdout
    assert [(table["workload"], table["path"]) for table in record["tables"]] == [
        ("randaugment", "one by one"),
        ("randaugment", "batch 512"),
        ("full CIFAR transform", "train, batch 512"),
    ]
    for table in record["tables"]:
        rows = {row["name"]: row for row in table["rows"]}
        assert len(rows) == len(table["rows"]) >= 9
        ours = "ours, transform" if table["batch"] == 1 else "ours, torch"
        for name, row in rows.items():
            assert name in done.stdout
            if row["status"] != "measured":
                assert row["us"] is None
                assert row["status"] in ("not installed", "cannot express it")
                continue
            assert 0 < row["best_us"] <= row["us"]
            ratio = row["original"]
            assert ratio["low"] <= ratio["median"] <= ratio["high"]
            if name != ours:  # slower than ours means more µs, more behind, and less ahead of the original
                assert row["behind"][ours]["best"] == pytest.approx(row["best_us"] / rows[ours]["best_us"])
            original = rows["Pillow, the original's way"]
            assert ratio["best"] == pytest.approx(original["best_us"] / row["best_us"])
        for package in OPTIONAL:
            found = {row["status"] for name, row in rows.items() if name.startswith(package)}
            assert found
            assert ("not installed" in found) != installed(package)


def test_a_wrong_pixel_stops_the_benchmark(script, tmp_path):
    """A peer that is said to be exact and is not: measured against an Invert that does nothing."""
    code = (
        f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r}); sys.argv = ['augment.py', '--quick', '--rounds', '2',"
        " '--engines', 'torch', '--sides', '32', '--workloads', 'random-500', '--output', 'no.json']\n"
        "import augment, original\n"
        "original.PIXELS['Invert'] = lambda image, value: image\n"
        "sys.exit(augment.main())\n"
    )
    (tmp_path / "wrong.py").write_text(code)
    done = script(tmp_path / "wrong.py")
    assert done.returncode == 1
    assert "Invert" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "no.json").exists()


@pytest.mark.skipif(all(map(installed, OPTIONAL)), reason="all libraries are installed")
def test_the_page_of_pixels_names_what_is_missing(script, tmp_path):
    done = script("pixels.py", "--output", tmp_path / "docs")
    assert done.returncode == 1
    missing = [package for package in OPTIONAL if not installed(package)]
    assert f"not installed: {', '.join(missing)}." in done.stderr
    assert not (tmp_path / "docs").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_the_gpu_benchmark_says_what_it_needs(script, tmp_path):
    done = script("augment_gpu.py", "--output", tmp_path / "found.json")
    assert done.returncode == 1
    assert "needs a CUDA device" in done.stderr
    assert not (tmp_path / "found.json").exists()


@pytest.fixture
def module(monkeypatch):
    """Import a module of the benchmarks."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield importlib.import_module
    torch.set_num_threads(1)


class Napping(torch.nn.Module):
    def forward(self, seconds):
        time.sleep(seconds)


def napping(module, tmp_path, name, *, forward=0.0, before=0.0, params=("same",), accuracy=0.5, workers=1):
    """Return a way that sleeps, some of it within a network's forward pass."""
    timing, done = module("search_timing"), module("search_trials").Done
    network, times = Napping(), timing.ForwardTimes(tmp_path / name)
    times.attach(network)

    def run():
        time.sleep(before)
        network(forward)
        return [done(one, accuracy) for one in params]

    return timing.Way(name=name, threads=1, workers=workers, forward=times, run=run)


def test_trials_of_a_search_are_timed_both_ways(script, tmp_path):
    small = "--quick --views 2 --workloads digits/wrn16_1 --layouts 1x1 --precisions float32 --loader-workers 0"
    small += " --original-threads 1 --proposing here"
    done = script("search.py", *small.split(), "--output", tmp_path / "found.json")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "found.json").read_text())
    (found,) = record["workloads"]
    assert (found["held_out_images"], found["views"], found["trials"]) == (40, 2, 2)
    ways = {way["name"]: way for way in found["ways"]}
    assert len(ways) == 4
    for name, way in ways.items():
        assert name in done.stdout
        assert len(way["seconds"]) == len(way["outside_forward"]) == record["rounds"] == 2
        assert all(0 < share < 1 for share in way["outside_forward"])
        assert way["seconds_per_trial"] == pytest.approx(statistics.median(way["seconds"]) / 2)
    for row in found["ratios"]:
        assert row["low"] <= row["median"] <= row["high"]
        slow, quick = min(ways[row["original"]]["seconds"]), min(ways[row["ours"]]["seconds"])
        assert row["best"] == pytest.approx(slow / quick)
        assert f"{row['median']:.2f} [" in done.stdout


def test_a_whole_search_is_timed_by_stage_and_its_policy_trained_with(script, tmp_path):
    """The same command again keeps the seconds; of a stage that was broken off there are none."""
    generator = np.random.default_rng(0)
    arrays = {"images": (60, 8, 8, 3), "test_images": (20, 8, 8, 3)}
    images = {name: generator.integers(0, 256, shape, dtype=np.uint8) for name, shape in arrays.items()}
    np.savez(tmp_path / "data.npz", **images, labels=np.arange(60) % 3, test_labels=np.arange(20) % 3)
    small = "--recipe digits/wrn16_1 --set train_subset=40 epochs=1 img_size=8 --set-search folds=1 depth=2 width=1"
    small += " --policies none --seeds 2 --device cpu --runs runs --output found.json --data data.npz"
    done = script("whole_search.py", *small.split())
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "found.json").read_text())
    assert (record["trials"], record["name"]) == (2, "digits-wrn16_1-width1-cpu")
    assert all(record["stages_seconds"][stage] > 0 for stage in ("folds", "explore", "merge"))
    assert [row["name"] for row in record["comparison"]["policies"]] == ["none", "policy.json"]
    found, kept = (
        json.loads((tmp_path / name).read_text()) for name in ("runs/search/policy.json", "found-policy.json")
    )
    assert found == kept
    assert str(tmp_path) not in (tmp_path / "found.json").read_text() + (tmp_path / "found-policy.json").read_text()
    notes = tmp_path / "runs" / "stages.json"
    notes.write_text(json.dumps(json.loads(notes.read_text()) | {"explore": None}))
    assert script("whole_search.py", *small.split()).returncode == 0
    again = json.loads((tmp_path / "found.json").read_text())
    assert again["stages_seconds"] == record["stages_seconds"] | {"explore": None}
    assert again["comparison"] == record["comparison"]


def test_the_part_of_the_images_that_is_written_is_the_one_that_is_searched_on(module, tmp_path):
    whole = module("whole_search")
    labels = np.arange(5000) % 10
    np.savez(
        tmp_path / "all.npz",
        images=np.arange(5000).reshape(-1, 1, 1, 1),
        labels=labels,
        test_images=np.ones((3, 1, 1, 1)),
        test_labels=np.arange(3),
    )
    whole.write_part(tmp_path / "all.npz", tmp_path / "part.npz")
    part = np.load(tmp_path / "part.npz")
    kept = draw_stratified(labels, 4000, seed=DATA_SEED)
    assert part["images"].ravel().tolist() == kept.tolist()
    assert part["labels"].tolist() == labels[kept].tolist()
    assert len(part["test_images"]) == len(part["test_labels"]) == 3


def test_a_ratio_above_one_means_that_ours_is_faster(module, tmp_path):
    timing = module("search_timing")
    slow, quick = napping(module, tmp_path, "original", before=0.05), napping(module, tmp_path, "ours", before=0.002)
    samples = timing.interleaved([slow, quick], rounds=3)
    assert timing.compared(samples, "original", "ours")["median"] > 3


@pytest.mark.parametrize(("workers", "inside"), [(1, 0.75), (2, 0.375)])
def test_the_share_outside_is_the_workers_time_less_the_forward_passes(module, tmp_path, workers, inside):
    timing = module("search_timing")
    way = napping(module, tmp_path, "ours", forward=0.15, before=0.05, workers=workers)
    sample, _done = timing.timed(way)
    assert sample.outside == pytest.approx(1 - inside, abs=0.2 * inside)
    again, _done = timing.timed(way)  # of this round alone
    assert again.outside == pytest.approx(sample.outside, abs=0.2 * inside)


def test_ways_that_try_other_policies_are_not_compared(module, tmp_path):
    ways = [napping(module, tmp_path, name, params=(name,)) for name in ("original", "ours")]
    with pytest.raises(FaaError, match="'ours' tries other policies than 'original'"):
        module("search_timing").interleaved(ways, rounds=1)


@pytest.mark.parametrize(("accuracy", "images", "refused"), [(0.55, 100, False), (0.9, 100, True), (0.55, 10**5, True)])
def test_ways_whose_accuracies_differ_are_not_compared(module, accuracy, images, refused):
    timing = module("search_timing")
    samples = {"original": [timing.Sample(1.0, 0.5, 0.5)], "ours": [timing.Sample(1.0, 0.5, accuracy)]}
    if refused:
        with pytest.raises(FaaError, match="'ours' is right about"):
            timing.check_accuracies(samples, "original", images=images)
    else:
        timing.check_accuracies(samples, "original", images=images)


def test_the_original_proposes_what_ours_does(module):
    """Hyperopt itself, given the recorded trials as it keeps them, and our sampler, which is given them directly."""
    trials, search = module("search_trials"), module("search")
    recorded = trials.Recorded(search.SearchConfig(width=3))
    ours = module("faa_search.searching.samplers.tpe").suggest
    proposals = module("original_search").Proposals(recorded)
    proposed = [proposals.propose(number) for number in range(3)]
    assert proposed == [
        ours(recorded.space, recorded.known(number), recorded.proposal_seed(number)) for number in range(3)
    ]
    assert proposed[0] != proposed[1] != proposed[2]


def test_the_benchmark_of_the_search_says_that_cifar10_is_missing(module, monkeypatch, tmp_path):
    monkeypatch.setenv("FAA_TEST_DATA", str(tmp_path))
    with pytest.raises(FaaError, match="FAA_TEST_DATA names no folder with CIFAR-10"):
        module("search").cifar10()


@pytest.mark.slow  # `nox -s bench_matching` itself, on less
def test_ours_and_the_originals_images_of_a_triple_are_timed(script, tmp_path):
    small = "--rounds 2 --seconds 0.001 --model wrn10_1 --prefixes 1".split()
    done = script("matching.py", *small, "--output", tmp_path / "found.json")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "found.json").read_text())
    assert [(row["before"], row["layers"], row["images"]) for row in record["augmenting"]] == [
        (before, layers, 139) for before in (1, 3) for layers in ("start", "uniform")
    ]
    for row in record["augmenting"]:
        assert 1 < row["different"] <= 140
        assert min(row["rates"].values()) > 0
    for row in record["triples"]:
        assert row["seconds"]["whole triple"] > row["seconds"]["its images under every transform"]
    later = 64 + (4 + 16) * 139
    assert record["released_search"]["images"] == 1024 * 16 * (64 + 139 + 5 * later)
