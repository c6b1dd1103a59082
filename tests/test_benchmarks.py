"""The benchmarks run without the libraries they compare with, and say which of them are missing."""

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import torch

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
        command = [sys.executable, BENCHMARKS / name, *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


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
