"""`faa eval`."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faa_cli.help_pages import Command
from faa_cli.options import ConfigOption, ThreadsOption, resolve_given, use_threads, with_settings
from faa_cli.outputs import check_outputs
from faa_cli.reporting import make_reporter
from faa_cli.showing import say, say_starting, show_table
from faa_core import FaaError
from faa_core.files import write_text
from faa_core.text import counted
from faa_search.settings import EvalConfig

if TYPE_CHECKING:
    from faa_search.measuring.evaluation.robustness import Robustness
    from faa_search.training import Metrics

CHECKPOINT = "Run directory of `faa train`, or a folder with model.safetensors and config.json."
MODEL = "Instead: a timm model with published weights, hf-hub:OWNER/NAME or local-dir:PATH."
STOPPED = "Stopped. Nothing was written, as that is done at the end; the same command begins again."
TABULATED = 40  # classes up to which each has a row
WORST = 20  # of more, those with the largest error

EXAMPLES = """
Test the network of a training again, and draw which classes it confuses:
faa eval --checkpoint runs/train --confusion confusion.png
Test it on corrupted images, too, and keep all figures:
faa eval --checkpoint runs/train --corruptions make --output figures.json
"""
app = typer.Typer(add_completion=False)


@app.command(cls=Command, epilog=EXAMPLES)
@with_settings(EvalConfig, "Evaluation", stopped=STOPPED)
def evaluate(
    *,
    flags: dict[str, Any],
    checkpoint: Annotated[str | None, typer.Option(metavar="FOLDER", help=CHECKPOINT)] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help=MODEL)] = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all figures to this JSON file.")] = None,
    confusion: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the confusion matrix to this PNG file.")
    ] = None,
    corruption_plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the errors of --corruptions to this PNG file.")
    ] = None,
    config: ConfigOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Evaluate trained weights on a test split: overall, class by class, and on corrupted images."""
    say_starting()
    from faa_search.measuring.evaluation import checkpoints, keeping, robustness, trained_on, weights  # noqa: PLC0415 torch is slow to import

    check_outputs({"--output .json": output, "--confusion .png": confusion, "--corruption-plot .png": corruption_plot})
    use_threads(threads)
    reporter = make_reporter()
    found = weights.find_weights(checkpoint=checkpoint, model=model)
    below = [trained_on.run_layer(found.folder)] if found.folder is not None else []
    settings = resolve_given(EvalConfig, "eval", None, config, flags, below=below)
    if corruption_plot is not None and settings.corruptions is None:
        raise FaaError("--corruption-plot draws what --corruptions measures; give both.")
    subject = checkpoints.open_subject(found, settings, note=reporter.note)
    corrupted = robustness.open_corrupted(subject, settings)
    metrics, names = checkpoints.evaluate_subject(subject), subject.source.class_names
    first = subject.accelerator.is_main_process
    if first:
        _show_metrics(metrics, settings)
        _show_classes(_classes(metrics, names), written=output is not None)
    robust = robustness.evaluate_corrupted(subject, corrupted, reporter=reporter) if corrupted else None
    if not first:
        return
    training_seed = trained_on.run_seed(found.folder) if found.folder is not None else None
    if robust:
        _show_robustness(robust, training_seed)
    if output:
        figures = _figures(found.name, settings, metrics, names, robust) | {"training_seed": training_seed}
        write_text(output, json.dumps(figures, indent=1) + "\n")
    keeping.keep_evaluation(found, settings, metrics, robust, note=reporter.note)
    title = f"{found.name} on {settings.dataset}, {settings.split}: top-1 error {_percent(1 - metrics.top1)}"
    _draw(confusion, corruption_plot, metrics, names, robust, title)


def _show_metrics(metrics: "Metrics", settings: EvalConfig) -> None:
    from faa_search.measuring.evaluation import top5  # noqa: PLC0415 torch is slow to import

    among_five = top5(metrics)
    error5 = _percent(None if among_five is None else 1 - among_five)
    say(
        f"{settings.dataset}, {settings.split}: {counted(metrics.images, 'image')}, "
        f"top-1 error {_percent(1 - metrics.top1)}, top-5 error {error5}, "
        f"loss {metrics.loss:.4f}, computed in {settings.precision}."
    )


def _show_classes(rows: list[dict[str, Any]], *, written: bool) -> None:
    """Print a row per class, or of many classes the worst."""
    many = len(rows) > TABULATED
    worst = sorted(rows, key=lambda row: -1 if row["error"] is None else row["error"], reverse=True)[:WORST]
    show_table(("class", "images", "correct", "error", "predicted as it"), map(_cells, worst if many else rows))
    if many:
        where = "the file of --output has all" if written else "--output FILE.json writes all"
        say(f"These are the {WORST} worst of {len(rows):,} classes; {where}.")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    counts = str(row["images"]), str(row["recognised"])
    return (row["name"], *counts, _percent(row["error"], 1), str(row["taken_for_it"]))


def _show_robustness(robust: "Robustness", training_seed: int | None) -> None:
    severities = len(next(iter(robust.errors.values())))
    header = ("corruption", *(f"severity {number}" for number in range(1, severities + 1)), "mean")
    show_table(header, [(name, *_percents([*row, robust.error(name)])) for name, row in robust.errors.items()])
    made = f"made here, seed {robust.seed}" if robust.seed is not None else f"from '{robust.origin}'"
    of = f"; network trained with seed {training_seed}" if training_seed is not None else ""
    averaged = f"{counted(len(robust.errors), 'corruption')} × {counted(severities, 'severity', 'severities')}"
    say(f"Mean corruption error (un-normalised, over {averaged}): {_percent(robust.mean_error)}. Images {made}{of}.")
    if robust.missing:
        hint = "; --frost FOLDER gives photographs for it" if robust.seed is not None else ""
        say(f"Missing, so not in the mean: {', '.join(robust.missing)}{hint}.")


def _classes(metrics: "Metrics", names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return a row per class; the error of a class without images is None."""
    rows: list[dict[str, Any]] = []
    for number, name in enumerate(names):
        images, correct = sum(metrics.confusion[number]), metrics.confusion[number][number]
        rows.append({
            "name": name,
            "images": images,
            "recognised": correct,
            "error": 1 - correct / images if images else None,
            "taken_for_it": sum(row[number] for row in metrics.confusion) - correct,
        })  # fmt: skip
    return rows


def _figures(
    name: str, settings: EvalConfig, metrics: "Metrics", names: tuple[str, ...], robust: "Robustness | None"
) -> dict[str, Any]:
    """Return everything that was measured, with shares in 0 … 1."""
    from faa_search.measuring.evaluation import top5  # noqa: PLC0415 torch is slow to import

    corruptions = None
    if robust is not None:
        means = {one: robust.error(one) for one in robust.errors}
        corruptions = asdict(robust) | {"mean_errors": means, "mean_corruption_error": robust.mean_error}
    return {
        "weights": name,
        "dataset": settings.dataset,
        "split": settings.split,
        **asdict(metrics),
        "top5": top5(metrics),
        "classes": _classes(metrics, names),
        "corruptions": corruptions,
    }


def _draw(
    confusion: Path | None,
    corruption_plot: Path | None,
    metrics: "Metrics",
    names: tuple[str, ...],
    robust: "Robustness | None",
    title: str,
) -> None:
    if confusion or corruption_plot:
        from faa_cli import plots  # noqa: PLC0415 matplotlib is slow to import

        if confusion:
            plots.save_confusion(confusion, metrics.confusion, names, title=title)
        if corruption_plot and robust:
            plots.save_corruptions(corruption_plot, robust, title=title)


def _percent(share: float | None, places: int = 2) -> str:
    return "–" if share is None else f"{100 * share:.{places}f} %"


def _percents(shares: Iterable[float]) -> list[str]:
    return [_percent(share, 1) for share in shares]
