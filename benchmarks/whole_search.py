"""A whole search as its user has it: the seconds of each stage, and what trainings then say of the policy.

The stages are timed by the clock, compiling and opening the images included. The policy, with where it comes from,
is kept beside the figures. The same command again resumes; stages that were done keep their seconds, and one that was
broken off has none. With --write only the images are written that a search on a part of CIFAR-10 and its trainings
need, as one file for --data, small enough to be carried to another machine.

    FAA_TEST_DATA=DIR python benchmarks/whole_search.py --recipe cifar10/wrn40_2 --runs runs/whole
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from cifar10 import cifar10
from harness import surroundings

from faa_core import FaaError
from faa_search import search_stage
from faa_search.data import DATA_SEED, draw_stratified
from faa_search.measuring.comparison import Comparison, compare
from faa_search.searching.fast import SearchResult, read_trials
from faa_search.settings import CompareConfig, SearchConfig
from faa_search.settings.lists import parts_of
from faa_search.settings.recipes import load_recipe
from faa_search.settings.resolving import Layer, resolve

RESULTS = Path(__file__).parent / "results"
STAGES = ("folds", "explore", "merge")
SUBSET = 4000  # images, as the paper searches CIFAR-10 on


def main() -> int:
    """Search, train, print a summary, write the result; return the exit status."""
    options = arguments()
    try:
        data = options.data or cifar10()
        if options.write:
            write_part(data, options.write)
            print(f"Wrote {options.write}")
            return 0
        record = measured(options, data)
    except FaaError as error:
        print(error, file=sys.stderr)
        return 1
    output = options.output or RESULTS / f"whole-search-{record['name']}-{record['date']}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(record, indent=1) + "\n")
    policy = output.with_name(f"{output.stem}-policy.json")
    policy.write_bytes((options.runs / "search" / "policy.json").read_bytes())
    print(f"Wrote {output} and {policy}")
    return 0


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="cifar10/wrn40_2", help="with settings for search and train")
    parser.add_argument("--data", type=Path, help="an .npz instead of the CIFAR-10 in FAA_TEST_DATA")
    parser.add_argument("--write", type=Path, metavar="FILE.npz", help="only write the images that are needed")
    parser.add_argument("--runs", type=Path, default=Path("runs/whole-search"), help="folder of the runs")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings of search and trainings")
    parser.add_argument("--set-search", nargs="*", default=[], metavar="KEY=VALUE", help="such as width=1")
    parser.add_argument("--policies", default="none,uniform-random,fa-reduced-cifar10,trivialaugment")
    parser.add_argument("--seeds", type=int, default=5, help="trainings with each policy; 0 for none")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


def measured(options: argparse.Namespace, data: Path) -> dict[str, Any]:
    """Return the figures of search and trainings.

    Raises:
        FaaError: If a setting cannot be used.
    """
    recipe = load_recipe(options.recipe)
    own = {"dataset": str(data), "data_dir": None, "device": options.device}
    shared = {"train_subset": SUBSET, **pairs(options.set), **own}
    layers = [recipe.layer("search"), Layer("--set", shared), Layer("--set-search", pairs(options.set_search))]
    config = resolve(SearchConfig, layers)
    seconds, found = timed_stages(config, options.runs / "search")
    print(f"{found.trials} trials", *(f"{stage} {taken} s" for stage, taken in seconds.items()), sep=", ", flush=True)
    compared = None
    if options.seeds:
        policies = (*parts_of(options.policies), str(options.runs / "search" / "policy.json"))
        layers = [recipe.layer("train"), Layer("--set", shared | {"policies": policies, "seeds": options.seeds})]
        compared = compare(resolve(CompareConfig, layers), options.runs / "compare")
        for row in compared.policies:
            print(f"{Path(row.name).name:24} {row.mean:6.2f} % error [{row.low:.2f}, {row.high:.2f}]", flush=True)
    kind = found.policy.provenance["device"]
    return {
        "date": date.today().isoformat(),
        **surroundings(),
        "name": f"{options.recipe.replace('/', '-')}-width{config.width}-{kind}",
        "device": torch.cuda.get_device_name() if kind == "cuda" else kind,
        "threads": torch.get_num_threads(),
        "recipe": options.recipe,
        "settings": {**pairs(options.set), **pairs(options.set_search)},
        "stages_seconds": seconds,
        **figures(found, options.runs / "search"),
        "comparison": None if compared is None else document(compared),
    }


def pairs(given: list[str]) -> dict[str, Any]:
    """Return settings from KEY=VALUE; a value is read as in a settings file."""
    return {key: yaml.safe_load(value) for key, value in (pair.split("=", 1) for pair in given)}


def timed_stages(config: SearchConfig, directory: Path) -> tuple[dict[str, float | None], SearchResult]:
    """Return the seconds of each stage, None of one that was broken off and taken up again, and what was found."""
    notes = directory.parent / "stages.json"
    notes.parent.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float | None] = json.loads(notes.read_text()) if notes.is_file() else {}
    found = None
    for stage in STAGES:
        new = stage not in seconds
        seconds.setdefault(stage, None)
        notes.write_text(json.dumps(seconds) + "\n")
        started = time.perf_counter()
        # Without a stage the last one is done, and nothing where there is a result.
        found = search_stage(config.model_copy(update={"stage": None if stage == "merge" else stage}), directory)
        if new:
            seconds[stage] = round(time.perf_counter() - started, 2)
        notes.write_text(json.dumps(seconds) + "\n")
    assert found is not None  # noqa: S101 the last stage finds
    return seconds, found


def figures(found: SearchResult, directory: Path) -> dict[str, Any]:
    """Return what the search itself says."""
    trials = read_trials(directory)
    return {
        "trials": found.trials,
        "device_seconds": found.seconds,
        "device_seconds_of_folds": found.fitting,
        "seconds_of_a_trial": float(np.median([trial.seconds for trial in trials])),
        "reward": found.reward,
        "controls": [asdict(control) for control in found.controls],
        "verdict": found.verdict,
    }


def document(compared: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON, without the folders of policy files."""
    text = asdict(compared)
    for row in text["policies"]:
        row["name"] = Path(row["name"]).name
    for pair in text["pairs"]:
        pair.update({key: Path(value).name for key, value in pair.items() if isinstance(value, str)})
    return text


def write_part(data: Path, path: Path) -> None:
    """Write a stratified part of the training images, the one that --train-subset takes, and all test images."""
    arrays = dict(np.load(data))
    kept = draw_stratified(arrays["labels"], SUBSET, seed=DATA_SEED)
    np.savez(path, **arrays | {name: arrays[name][kept] for name in ("images", "labels")})


if __name__ == "__main__":
    sys.exit(main())
