"""`faa train`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faa_cli.given import number_of
from faa_cli.help_pages import Command
from faa_cli.options import ConfigOption, RecipeOption, ThreadsOption, resolve_given, with_settings
from faa_cli.showing import say, say_starting
from faa_cli.working import carry_out
from faa_core.text import counted, duration
from faa_search.progress import Reporter
from faa_search.settings import TrainConfig
from faa_search.settings.numbers import whole_number

if TYPE_CHECKING:
    from faa_search.runs.records.training import TrainResult

EXAMPLES = """
Train on scikit-learn's digits, which need no network:
faa train --dataset digits --policy trivialaugment --epochs 5
Train on a folder of photos, one folder per class, with the policy that a search has found:
faa train --dataset photos --test-fraction 0.2 --img-size 64 --policy runs/search/policy.json --output runs/train
"""
app = typer.Typer(add_completion=False)

OutputOption = Annotated[
    str | None,
    typer.Option(metavar="FOLDER", help="Run directory (default: runs/train-DATASET-MODEL-POLICY-sSEED)."),
]
ProcessesOption = Annotated[
    int | None,
    typer.Option(
        parser=number_of("--num-processes", whole_number, least=1, most=1024),
        metavar="N",
        help="Start this many processes, one for each GPU, or on the CPU (default: one, here).",
    ),
]


@app.command(cls=Command, epilog=EXAMPLES)
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
    """Train a timm model with an augmentation policy. The same command again resumes.

    Beside a policy of layers that crops images itself, as Deep AutoAugment's do, crop, flip and cutout are left out,
    each unless it is given.
    """
    settings = resolve_given(TrainConfig, "train", recipe, config, flags)
    say_starting()
    from faa_search.runs.directory import slug  # noqa: PLC0415 torch is slow to import
    from faa_search.training import run  # noqa: PLC0415

    policy = settings.policy
    directory = output or f"runs/train-{slug(settings.dataset)}-{slug(settings.model)}-{slug(policy)}-s{settings.seed}"

    def work(reporter: Reporter, accelerator: Any) -> "TrainResult":
        return run.train(settings, directory, reporter=reporter, accelerator=accelerator)

    def show(result: "TrainResult") -> None:
        _show(result, settings.precision)
        there = "Settings" if run.lost_weights(Path(directory), settings) else "Weights, settings"
        say(f"{there} and figures are in {directory}")

    carry_out(work, show, device=settings.device, threads=threads, processes=num_processes)


def _show(result: "TrainResult", precision: str) -> None:
    """Show the result of the training."""
    epochs = counted(int(result.train["epoch"] or 0), "epoch")
    loss = result.train["train_loss"]
    say(f"Policy {result.policy}: training loss {loss:.4f} after {epochs} in {duration(result.seconds)}.")
    if result.validation is not None:
        best = result.validation
        error = 100 * (1 - (best["val_top1"] or 0.0))
        say(f"Best epoch {int(best['epoch'] or 0)}: validation error {error:.2f} %.")
    if result.test is not None:
        tested = f"on {counted(result.test.images, 'image')}, computed in {precision}"
        say(f"Test error {100 * (1 - result.test.top1):.2f} % {tested}.")
