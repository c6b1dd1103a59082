"""`faa train`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faa_cli.given import number_of
from faa_cli.help_pages import Command
from faa_cli.model_hub import push_run
from faa_cli.options import ConfigOption, RecipeOption, ThreadsOption, resolve_given, with_settings
from faa_cli.showing import say, say_starting
from faa_cli.working import carry_out
from faa_core import FaaError
from faa_core.hub.names import check_repository
from faa_core.text import counted, duration
from faa_search.progress import Reporter
from faa_search.settings import TrainConfig
from faa_search.settings.adversarial import ControllerConfig
from faa_search.settings.numbers import whole_number
from faa_search.settings.recipes import load_recipe
from faa_search.settings.resolving import without

if TYPE_CHECKING:
    from faa_search.runs.records.training import TrainResult

EXAMPLES = """
Train on scikit-learn's digits, which need no network:
faa train --dataset digits --policy trivialaugment --epochs 5
Train on a folder of photos, one folder per class, with the policy that a search has found:
faa train --dataset photos --test-fraction 0.2 --img-size 64 --policy runs/search/policy.json --output runs/train
Let a controller choose policies while the network learns (Adversarial AutoAugment), and draw what it chose:
faa train --dataset digits -b 32 --adversarial --batch-aug 4 --controller-steps 20 --hflip 0 --output runs/adversarial
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
PushOption = Annotated[
    str | None,
    typer.Option(
        "--push-to-hub",
        metavar="OWNER/NAME",
        help="At the end, publish the weights on the Hugging Face Hub, as `faa model push` does.",
    ),
]
PrivateOption = Annotated[bool, typer.Option("--hub-private", help="A repository that --push-to-hub makes is private.")]


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
    push_to_hub: PushOption = None,
    hub_private: PrivateOption = False,
) -> None:
    """Train a timm model with an augmentation policy. The same command again resumes.

    Beside a policy of layers that crops images itself, as Deep AutoAugment's do, crop, flip and cutout are left out,
    each unless it is given.
    """
    # Without the recipe's controller, its settings mean nothing.
    names = {"controller", *ControllerConfig.model_fields} if flags.get("adversarial") is False else set()
    below = [without(load_recipe(recipe).layer("train"), names)] if recipe else []
    settings = resolve_given(TrainConfig, "train", None, config, flags, below=below)
    if push_to_hub is not None:
        check_repository(push_to_hub)
    elif hub_private:
        raise FaaError("--hub-private is for --push-to-hub; leave it out, or give that, too.")
    say_starting()
    from faa_search.runs.directory import slug  # noqa: PLC0415 torch is slow to import
    from faa_search.training import adversarial, run  # noqa: PLC0415

    policy = adversarial.name_of(settings) if settings.adversarial else settings.policy
    directory = output or f"runs/train-{slug(settings.dataset)}-{slug(settings.model)}-{slug(policy)}-s{settings.seed}"

    def work(reporter: Reporter, accelerator: Any) -> "TrainResult":
        return run.train(settings, directory, reporter=reporter, accelerator=accelerator)

    def show(result: "TrainResult") -> None:
        _show(result, settings.precision)
        place = Path(directory)
        kept = ["Settings"] if run.lost_weights(place, settings) else ["Weights", "settings"]
        *most, last = kept + ["figures"] + (_drawn(place) if settings.adversarial else [])
        say(f"{', '.join(most)} and {last} are in {directory}")
        if push_to_hub is not None:
            push_run(directory, push_to_hub, private=hub_private or None)

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


def _drawn(directory: Path) -> list[str]:
    """Draw what a controller chose into the run's directory; return the names of the files."""
    from faa_cli.policy_pictures import save_controller_pictures  # noqa: PLC0415 matplotlib is slow to import

    return save_controller_pictures(directory)
