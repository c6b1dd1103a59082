"""A training as a repository of the Hub: weights in timm's layout, policy, settings, figures, and a card."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from faa_core import FaaError
from faa_core.publishing.card import HUB_DATASET, check_licence
from faa_core.publishing.markdown import block, code, literal, table
from faa_core.reading import as_text, parse_json, read_content
from faa_core.text import counted, duration, safe
from faa_search.runs.files import POLICY, RESULT, SUMMARY
from faa_search.runs.opening import TrainingRun, open_run
from faa_search.runs.publishing import command_of, hardware_of, shareable
from faa_search.runs.records.training import TrainResult

WEIGHTS, CONFIG = "model.safetensors", "config.json"  # as timm calls them
SETTINGS = "training.yaml"
BESIDE = (POLICY, RESULT, SUMMARY)  # files of the run that go along, if they are there


def files_of_run(
    directory: str, *, repository: str, licence: str | None, home_of: Callable[[str], str | None]
) -> dict[str, bytes | Path]:
    """Return the files of a finished training's repository, by name.

    Args:
        directory: Of the run.
        repository: OWNER/NAME.
        licence: Of the weights, by the Hub's name; None to leave it open.
        home_of: Returns the package that must be imported before timm knows a network; None for timm's own.

    Raises:
        FaaError: If it is not a finished training, or has lost its weights.
    """
    check_licence(licence)
    run = open_run(directory)
    if not isinstance(run, TrainingRun) or run.result is None:
        raise FaaError(f"'{safe(directory)}' is not a finished training; give the --output of a `faa train`.")
    folder = run.directory / ("best" if run.result.validation is not None else "last")
    missing = [name for name in (WEIGHTS, CONFIG) if not (folder / name).is_file()]
    if missing:
        raise FaaError(f"'{safe(folder)}' has no {missing[0]}; put back a copy of it, or train anew.")
    beside = {name: run.directory / name for name in BESIDE if (run.directory / name).is_file()}
    home = home_of(_architecture(folder / CONFIG))
    card = make_model_card(run, run.result, repository=repository, licence=licence, home=home)
    settings = yaml.safe_dump(shared_settings(run), sort_keys=False)
    return {
        WEIGHTS: folder / WEIGHTS,
        CONFIG: folder / CONFIG,
        **beside,
        SETTINGS: settings.encode(),
        "README.md": card.encode(),
    }


def _architecture(path: Path) -> str:
    """Return timm's name of the network that a `config.json` is of."""
    try:
        document = parse_json(as_text(read_content(path)))
    except FaaError as error:
        raise FaaError(f"'{safe(path)}' cannot be read: {error}. Put back a copy of it, or train anew.") from error
    name = document.get("architecture") if isinstance(document, dict) else None
    if not isinstance(name, str):
        raise FaaError(f"'{safe(path)}' names no network; put back a copy of it, or train anew.")
    return name


def shared_settings(run: TrainingRun) -> dict[str, Any]:
    """Return the settings of a training as a file for `faa train -c`.

    Of absolute paths only the last part stays. A policy that is a file is the one that lies beside the settings.
    """
    kept = {name: shareable(value) for name, value in run.settings.kept().items() if value is not None}
    return kept | ({"policy": POLICY} if os.path.isfile(run.settings.policy) else {})  # noqa: PTH113 a timm string is no path


def make_model_card(
    run: TrainingRun, result: TrainResult, *, repository: str, licence: str | None, home: str | None
) -> str:
    """Return the card of a training's weights; `home` is the package that brings the network, if it is not timm's."""
    settings = run.settings
    front = yaml.safe_dump(
        _metadata(run, result, repository=repository, licence=licence), sort_keys=False, allow_unicode=True
    )
    load = f'model = timm.create_model("hf-hub:{repository}", pretrained=True)'
    policy = run.policy is not None
    parts = [
        f"# {literal(repository)}",
        f"{literal(settings.model)}, trained with the augmentation policy {literal(result.policy)}.",
        "## Use it",
        block("python", "\n".join([*([f"import {home}"] if home else []), "import timm", "", load])),
        "Test it, or train with its policy:",
        block(
            "console",
            f"faa eval --model hf-hub:{repository} --dataset photos"
            + (f"\nfaa train --dataset photos --policy hf://{repository}" if policy else ""),
        ),
        "## Results",
        _results(result),
        "## How it was trained",
        _training(run, result),
        f"`{SETTINGS}` has every setting, `{SUMMARY}` every epoch.",
    ]
    return f"---\n{front}---\n\n" + "\n\n".join(parts) + "\n"


def _metadata(run: TrainingRun, result: TrainResult, *, repository: str, licence: str | None) -> Mapping[str, Any]:
    """Return the metadata by the Hub's names, with the test error as a result of `model-index`."""
    name = run.settings.dataset
    found = HUB_DATASET.fullmatch(name)
    dataset = (found[1] or found[2]) if found else Path(name).name
    index = []
    if result.test is not None:
        index.append({
            "name": repository,
            "results": [
                {
                    "task": {"type": "image-classification", "name": "Image Classification"},
                    "dataset": {"name": Path(name).name, "type": dataset, "split": run.settings.test_split or "test"},
                    "metrics": [{"type": "accuracy", "name": "Accuracy", "value": round(result.test.top1, 6)}],
                }
            ],
        })  # fmt: skip
    return {
        **({"license": licence} if licence else {}),
        "library_name": "timm",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "timm", "faa"],
        **({"datasets": [dataset]} if found else {}),
        **({"model-index": index} if index else {}),
    }


def _results(result: TrainResult) -> str:
    """Return the figures as a table, with the interval of the error on the images that were tested."""
    rows = []
    if result.validation is not None and result.validation.get("val_top1") is not None:
        error = 1 - float(result.validation["val_top1"] or 0.0)
        rows.append(("validation part, which chose the epoch", f"{100 * error:.2f} %", ""))
    if result.test is not None:
        low, high = wilson(result.test.images - round(result.test.top1 * result.test.images), result.test.images)
        said = f"{100 * low:.2f} … {100 * high:.2f} % (of {counted(result.test.images, 'image')}, one training)"
        rows.append(("test", f"{100 * (1 - result.test.top1):.2f} %", said))
    if not rows:
        return "It was not tested."
    return table(("images", "error", "95 % interval"), rows)


def wilson(wrong: int, images: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a fraction: how far the images that happened to be tested leave it open."""
    z = 1.959963984540054
    share, scale = wrong / images, 1 + z * z / images
    middle = (share + z * z / (2 * images)) / scale
    half = z * ((share * (1 - share) + z * z / (4 * images)) / images) ** 0.5 / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def _training(run: TrainingRun, result: TrainResult) -> str:
    """Return how the network was trained, as a list."""
    settings = run.settings
    rows = {
        "data set": Path(settings.dataset).name,
        "image size": settings.img_size,
        "epochs": settings.epochs,
        "seed": settings.seed,
        "time": duration(result.seconds),
        "hardware": hardware_of(run),
    }
    lines = [f"* {what}: {literal(value)}" for what, value in rows.items() if value is not None]
    command = command_of(run)
    return "\n".join([*lines, *([f"* command: {code(command)}"] if command else [])])
