"""`faa model`: list."""

from typing import Annotated

import typer

from faa_cli.showing import show_table
from faa_core import FaaError

app = typer.Typer(add_completion=False, help="Networks.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Networks."""


@app.command("list")
def list_models(
    pattern: Annotated[str | None, typer.Argument(help="Show all of timm's that match, such as 'resnet*'.")] = None,
) -> None:
    """List the networks that plugins add to timm, or any of timm's, with input size and parameters."""
    import timm  # noqa: PLC0415 slow to import
    import torch  # noqa: PLC0415

    from faa_search.training.models import register_models  # noqa: PLC0415

    register_models()
    names = timm.list_models(pattern) if pattern else [name for name in timm.list_models() if _is_added(name)]
    if not names:
        raise FaaError(f"timm has no model that matches '{pattern}'.")
    rows = []
    for name in names:
        config = timm.get_pretrained_cfg(name)
        with torch.device("meta"):
            count = sum(parameter.numel() for parameter in timm.create_model(name).parameters())
        size = "×".join(str(side) for side in config.input_size) if config else "–"
        rows.append((name, size, str(config.num_classes) if config else "–", f"{count:,}"))
    show_table(("model", "input", "classes", "parameters"), rows)


def _is_added(name: str) -> bool:
    """Return whether a network is registered by somebody else than timm."""
    from timm.models import model_entrypoint  # noqa: PLC0415 slow to import

    return not str(model_entrypoint(name).__module__).startswith("timm.")
