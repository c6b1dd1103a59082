"""`faa train`."""

from typing import Annotated, Any

import typer
from rich.console import Console

from faa_cli.options import ConfigOption, RecipeOption, ThreadsOption, resolved, use_threads, with_settings
from faa_cli.showing import duration, make_reporter
from faa_search.config import TrainConfig

app = typer.Typer(add_completion=False)

OutputOption = Annotated[
    str | None, typer.Option(help="Run directory (default: runs/train-DATASET-MODEL-POLICY-sSEED).")
]


@app.command()
@with_settings(TrainConfig, "Training")
def train(
    *,
    flags: dict[str, Any],
    recipe: RecipeOption = None,
    config: ConfigOption = None,
    output: OutputOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Train a timm model with an augmentation policy. The same command again resumes."""
    settings = resolved(TrainConfig, "train", recipe, config, flags)
    use_threads(threads)
    from faa_search.run_directory import slug  # noqa: PLC0415 torch is slow to import
    from faa_search.training import make_accelerator, run  # noqa: PLC0415

    accelerator = make_accelerator(settings.device)
    speaks = accelerator.is_main_process
    policy = settings.policy
    directory = output or f"runs/train-{slug(settings.dataset)}-{slug(settings.model)}-{slug(policy)}-s{settings.seed}"
    result = run.train(settings, directory, reporter=make_reporter(quiet=not speaks), accelerator=accelerator)
    if speaks:
        console = Console(soft_wrap=True, highlight=False)
        console.print(
            f"Policy {result.policy}: training loss {result.train['train_loss']:.4f} after "
            f"{int(result.train['epoch'])} epochs in {duration(result.seconds)}."
        )
        if result.validation is not None:
            best = result.validation
            console.print(f"Best epoch {int(best['epoch'])}: validation error {100 * (1 - best['val_top1']):.2f} %.")
        if result.test is not None:
            console.print(f"Test error {100 * (1 - result.test.top1):.2f} % on {result.test.images:,} images.")
        console.print(f"Weights, settings and figures are in {directory}")
    run.close(accelerator)
