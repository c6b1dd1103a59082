"""`faa eval`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from faa_cli.options import ConfigOption, ThreadsOption, resolved, use_threads, with_settings
from faa_cli.showing import make_reporter, show_table
from faa_search.config import EvalConfig

app = typer.Typer(add_completion=False)


@app.command()
@with_settings(EvalConfig, "Evaluation")
def evaluate(
    *,
    flags: dict[str, Any],
    checkpoint: Annotated[
        str, typer.Option(help="Run directory of `faa train`, or a folder with model.safetensors and config.json.")
    ],
    config: ConfigOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Evaluate trained weights on a test split, in all and class by class."""
    from faa_search.training import evaluation  # noqa: PLC0415 torch is slow to import

    use_threads(threads)
    reporter = make_reporter()
    settings = resolved(EvalConfig, "eval", None, config, flags, below=[evaluation.run_layer(Path(checkpoint))])
    result = evaluation.evaluate_checkpoint(Path(checkpoint), settings, note=reporter.note)
    metrics = result.metrics
    console = Console(soft_wrap=True, highlight=False)
    console.print(
        f"{settings.dataset}, {settings.split}: {metrics.images:,} images, "
        f"top-1 error {100 * (1 - metrics.top1):.2f} %, "
        f"top-5 error {100 * (1 - metrics.top5):.2f} %, loss {metrics.loss:.4f}."
    )
    rows = []
    for number, name in enumerate(result.class_names):
        images, right = sum(metrics.confusion[number]), metrics.confusion[number][number]
        wrongly = sum(row[number] for row in metrics.confusion) - right
        error = f"{100 * (1 - right / images):.1f} %" if images else "–"
        rows.append((name, str(images), str(right), error, str(wrongly)))
    show_table(("class", "images", "recognised", "error", "taken for it"), rows)
