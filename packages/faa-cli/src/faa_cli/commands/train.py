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
ProcessesOption = Annotated[
    int | None,
    typer.Option(min=1, help="Start this many processes, one for each GPU, or on the CPU (default: one, here)."),
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
    num_processes: ProcessesOption = None,
) -> None:
    """Train a timm model with an augmentation policy. The same command again resumes."""
    settings = resolved(TrainConfig, "train", recipe, config, flags)
    from faa_search.run_directory import slug  # noqa: PLC0415 torch is slow to import
    from faa_search.training import launching, processes, run  # noqa: PLC0415

    if num_processes is not None and num_processes > 1 and not launching.is_launched():
        launching.launch(num_processes, device=settings.device)
        return
    use_threads(threads)
    accelerator = processes.make_accelerator(settings.device, processes=num_processes)
    speaks = accelerator.is_main_process
    policy = settings.policy
    directory = output or f"runs/train-{slug(settings.dataset)}-{slug(settings.model)}-{slug(policy)}-s{settings.seed}"
    result = run.train(settings, directory, reporter=make_reporter(quiet=not speaks), accelerator=accelerator)
    if speaks:
        console = Console(soft_wrap=True, highlight=False)
        console.print(
            f"Policy {result.policy}: training loss {result.train['train_loss']:.4f} after "
            f"{int(result.train['epoch'] or 0)} epochs in {duration(result.seconds)}."
        )
        if result.validation is not None:
            best = result.validation
            error = 100 * (1 - (best["val_top1"] or 0.0))
            console.print(f"Best epoch {int(best['epoch'] or 0)}: validation error {error:.2f} %.")
        if result.test is not None:
            console.print(f"Test error {100 * (1 - result.test.top1):.2f} % on {result.test.images:,} images.")
        console.print(f"Weights, settings and figures are in {directory}")
    processes.close(accelerator)
