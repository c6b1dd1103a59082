"""`faa model`: list, convert, push."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from faa_cli.help_pages import Command, Group
from faa_cli.model_hub import PUSH_EXAMPLES, push
from faa_cli.reporting import make_reporter
from faa_cli.showing import say, say_starting, show_table
from faa_core import FaaError
from faa_core.files import put_in_place
from faa_core.paths import refusal, refused_as
from faa_core.text import counted, safe

TAGS = 3  # of published weights, shown for a network

EXAMPLES = """
See the networks that this project adds to timm:
faa model list
Convert a checkpoint of the original code, and test it:
faa model convert old.pth converted
faa eval --checkpoint converted --dataset torch/cifar10 --data-dir data
"""
LIST_EXAMPLES = """
faa model list
See timm's networks whose names begin so:
faa model list 'resnet1*'
"""
CONVERT_EXAMPLES = """
faa model convert old.pth converted
Take the running averages of the weights, where the file has them:
faa model convert old.pth averaged --ema
"""
app = typer.Typer(add_completion=False, cls=Group, epilog=EXAMPLES)


@app.callback()
def group() -> None:
    """Show the networks that can be trained, and convert checkpoints of the original code to timm's form.

    Every command takes a network by --model: any of timm's, those listed here, and those of plugins.
    """


@app.command("list", cls=Command, epilog=LIST_EXAMPLES)
def list_models(
    pattern: Annotated[
        str | None, typer.Argument(metavar="[PATTERN]", help="Show all of timm's that match, such as 'resnet*'.")
    ] = None,
) -> None:
    """List the networks that plugins add to timm, or any of timm's: input, parameters, multiply-adds, weights' tags."""
    say_starting()
    import timm  # noqa: PLC0415 slow to import

    from faa_search.training.models import home_of, register_models  # noqa: PLC0415

    register_models()
    names = timm.list_models(pattern) if pattern else [name for name in timm.list_models() if home_of(name)]
    if not names:
        raise FaaError(f"timm has no model that matches '{pattern}'.")
    headers = ("model", "input", "classes", "parameters", "multiply-adds", "weights")
    rows = []
    with make_reporter().track("Networks", len(names)) as advance:
        for name in names:
            rows.append(_row(name))
            advance()
    show_table(headers, rows)


def _row(name: str) -> tuple[str, ...]:
    """Return what the list shows of a network, which is made without memory for its weights."""
    import timm  # noqa: PLC0415 slow to import
    import torch  # noqa: PLC0415

    from faa_models.macs import count_macs  # noqa: PLC0415

    with torch.device("meta"):
        model = timm.create_model(name).eval()
    parameters = f"{sum(parameter.numel() for parameter in model.parameters()):,}"
    config = timm.get_pretrained_cfg(name)
    if config is None:
        return name, "–", "–", parameters, "–", "–"
    try:
        macs = f"{count_macs(model, (1, *config.input_size)) / 1e6:,.0f} M"
    except Exception:  # noqa: BLE001 foreign networks that need real numbers to run raise anything
        macs = "–"
    tags = [full.partition(".")[2] for full in timm.list_pretrained(name)]
    more = f" and {len(tags) - TAGS} more" if len(tags) > TAGS else ""
    size = "×".join(str(side) for side in config.input_size)
    return name, size, str(config.num_classes), parameters, macs, ", ".join(tags[:TAGS]) + more or "–"


app.command(cls=Command, epilog=PUSH_EXAMPLES)(push)


@app.command(cls=Command, epilog=CONVERT_EXAMPLES)
def convert(
    checkpoint: Annotated[str, typer.Argument(metavar="OLD.pth", help="Checkpoint of an original repository.")],
    output: Annotated[str, typer.Argument(metavar="OUTPUT_DIR", help="Folder to write; new, or empty.")],
    *,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="timm's name of the network. (default: the weights tell it; but not whether a PyramidNet was "
            "trained with ShakeDrop, which is assumed; 'pyramidnet' is the one without)",
        ),
    ] = None,
    ema: Annotated[bool, typer.Option("--ema", help="Take the running averages of the weights.")] = False,
) -> None:
    """Convert a checkpoint of the original Fast AutoAugment or PyramidNet code to timm: safetensors and config.json.

    Nothing that the file holds is executed. The logits are compared with the original's before anything is written.
    """
    target = Path(output)
    _check_output(target)
    say_starting()
    from faa_models import conversion  # noqa: PLC0415 torch is slow to import
    from faa_search.training.models import register_models  # noqa: PLC0415

    register_models()
    try:
        converted = conversion.convert(conversion.read_checkpoint(checkpoint, ema=ema), model=model)
    except ValueError as error:
        raise FaaError(str(error)) from error
    with _filling(target) as temporary:
        conversion.save(converted, temporary)
    count = sum(parameter.numel() for parameter in converted.model.parameters())
    size = "".join(f", {name} {value}" for name, value in converted.arguments.items())
    say(f"{converted.architecture}{size}: {converted.model.num_classes} classes, {counted(count, 'parameter')}.")
    if converted.dropped:
        modules = dict.fromkeys(key.partition(".shortcut.")[0] + ".shortcut" for key in converted.dropped)
        dropped = counted(len(converted.dropped), "tensor")
        say(f"Left out {dropped} that the original network never uses: {', '.join(modules)}.")
    say(f"Largest difference from the original's logits, in double precision: {converted.difference:.1e}.")
    say(f"Wrote {target / 'model.safetensors'} and config.json. To load them:")
    source = json.dumps(f"local-dir:{target}", ensure_ascii=False)
    say(f"import faa_models, timm; model = timm.create_model({source}, pretrained=True)")


def _check_output(target: Path) -> None:
    """Refuse a folder that holds something, so that no other weights are lost."""
    try:
        # Hidden files are what a killed process did not get to put in place.
        strangers = sorted(child.name for child in target.iterdir() if not child.name.startswith("."))
    except FileNotFoundError:
        strangers = []
    except OSError as error:
        raise refusal(error, f"'{safe(target)}' cannot be used as a folder") from error
    if strangers:
        raise FaaError(f"'{target}' is not empty ('{strangers[0]}'); give a new folder, or empty this one.")


@contextmanager
def _filling(target: Path) -> Iterator[Path]:
    """Give a temporary folder to write; put its files in place when the block succeeds, the configuration last."""
    with refused_as(f"'{safe(target)}' cannot be written"):
        target.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=target, prefix=".saving-") as temporary:
            yield Path(temporary)
            for written in sorted(Path(temporary).iterdir(), reverse=True):
                put_in_place(written, target / written.name)
