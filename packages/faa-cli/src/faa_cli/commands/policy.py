"""`faa policy`: list, show, preview, convert."""

from typing import Annotated

import typer
from rich.console import Console

from faa_cli.showing import make_reporter, show_table
from faa_core import FaaError, Layers, Op, Parametric, Policy, SubPolicies, formats, plugins
from faa_search.config import DataConfig
from faa_search.resolving import Layer, resolve

app = typer.Typer(add_completion=False, help="Everything about a policy.", no_args_is_help=True)

NAME = Annotated[str, typer.Argument(help="Built-in name or policy file.")]


@app.command("list")
def list_policies() -> None:
    """List the built-in policies and those of plugins."""
    rows = []
    for name in plugins.names("faa.policies"):
        try:
            policy = Policy.load(name)
        except FaaError as error:
            rows.append((name, "does not load", "–", "–", str(error)))
            continue
        origin = policy.provenance.get("source") or policy.provenance.get("algorithm", "")
        rows.append((name, policy_kind(policy), policy_size(policy), str(len(policy.operation_names())), str(origin)))
    show_table(("name", "kind", "size", "operations", "from"), rows)


@app.command()
def show(
    policy: NAME,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the whole document.")] = False,
) -> None:
    """Show what a policy does: its operations, how often they apply, and where on their axes."""
    loaded = Policy.load(policy)
    if json:
        typer.echo(loaded.to_json(), nl=False)
        return
    console = Console(highlight=False)
    console.print(f"{loaded.name}: {policy_kind(loaded)}, {policy_size(loaded)}")
    for key, value in loaded.provenance.items():
        console.print(f"  {key}: {value}", soft_wrap=True, markup=False)
    rows = []
    uses = policy_uses(loaded)
    for name, row in loaded.table.items():
        axis = "no magnitude" if row.unit == "none" else f"{row.low:g} … {row.high:g} {row.unit}"
        figures = _figures([use for use in uses if use.op == name])
        rows.append((name, axis + (", mirrored" if row.mirrored else ""), *figures))
    show_table(("operation", "axis", "times", "mean p", "mean λ"), rows)


@app.command()
def preview(
    policy: NAME,
    *,
    output: Annotated[str, typer.Option(help="PNG file to write.")] = "preview.png",
    dataset: Annotated[str, typer.Option(help="Images to show; see `faa train --help`.")] = "digits",
    data_dir: Annotated[str | None, typer.Option(help="Folder that holds the data set.")] = None,
    images: Annotated[int, typer.Option(min=1, help="Rows: images, spread over the data set.")] = 6,
    draws: Annotated[int, typer.Option(min=1, help="Columns: draws of each image.")] = 9,
    img_size: Annotated[int | None, typer.Option(min=4, help="Side in pixels.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Keys the draws.")] = 0,
) -> None:
    """Draw images beside several augmented draws of each, as a PNG."""
    loaded = Policy.load(policy)
    layer = Layer("flags", {"dataset": dataset, "data_dir": data_dir, "img_size": img_size})
    settings = resolve(DataConfig, [layer])
    from faa_cli.plots import save_preview  # noqa: PLC0415 matplotlib and torch are slow to import
    from faa_search.data import open_data  # noqa: PLC0415

    data = open_data(settings, model_size=224, note=make_reporter().note)
    save_preview(output, loaded, data, images=images, draws=draws, seed=seed)
    typer.echo(f"Wrote {output}")


@app.command()
def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="Built-in name, file of any format, or timm string.")],
    target: Annotated[str, typer.Argument(metavar="OUT", help="File to write, or - for the terminal.")],
    *,
    read_as: Annotated[
        str | None,
        typer.Option("--from", metavar="FORMAT", help="Format of IN. (default: told by its content)"),
    ] = None,
    write_as: Annotated[
        str | None, typer.Option("--to", metavar="FORMAT", help="Format of OUT. (default: faa; deepaa for .npz)")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the policy. (default: told by IN)")] = None,
    table: Annotated[str | None, typer.Option(help="Which list of a Python file that holds several.")] = None,
) -> None:
    """Convert a policy: faa, legacy (Fast AutoAugment's lists), deepaa, albumentations, kornia, timm.

    What the other format cannot say is an error that names it; nothing is rounded or left out.
    """
    if not target or target in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        raise FaaError(f"'{target}' is no file to write; for the terminal, or a pipe, give - as OUT.")
    format_out = formats.find_format(write_as or ("deepaa" if target.endswith(".npz") else "faa"))
    policy = formats.read_policy(source, format=read_as, table=table, name=name)
    if target != "-":
        formats.write_policy(policy, target, format_out.name)
        typer.echo(f"Wrote {target} ({format_out.name}: {policy_kind(policy)}, {policy_size(policy)})")
        return
    content = formats.render(policy, format_out.name)
    if isinstance(content, bytes):
        raise FaaError(f"Format {format_out.name} is no text for the terminal; give a file instead of -.")
    typer.echo(content, nl=not content.endswith("\n"))


def _figures(uses: list[Op]) -> tuple[str, str, str]:
    """Return how often an operation is used, with which mean p and mean λ."""
    if not uses:
        return "–", "–", "–"
    count = len(uses)
    return str(count), f"{sum(use.p for use in uses) / count:.2f}", f"{sum(use.magnitude for use in uses) / count:.2f}"


def policy_uses(policy: Policy) -> list[Op]:
    """Return every use of an operation at one magnitude; a choice's probability is its p."""
    if isinstance(policy, SubPolicies):
        return [use for sub_policy in policy.sub_policies for use in sub_policy]
    if isinstance(policy, Layers):
        choices = [choice for layer in policy.layers for choice in layer]
        return [Op(op=choice.op, p=choice.probability, magnitude=choice.magnitude) for choice in choices]
    return []


def policy_kind(policy: Policy) -> str:
    """Return the kind as it is written in the document."""
    return str(getattr(policy, "kind", type(policy).__name__))


def policy_size(policy: Policy) -> str:
    """Return how large a policy is, in words."""
    if isinstance(policy, SubPolicies):
        count = len(policy.sub_policies)
        return f"{count} sub-polic{'y' if count == 1 else 'ies'}"
    if isinstance(policy, Layers):
        return f"{len(policy.layers)} layer{'s' if len(policy.layers) > 1 else ''}"
    if isinstance(policy, Parametric):
        return f"{policy.num_ops} operation{'s' if policy.num_ops > 1 else ''} per image"
    return "–"
