"""`faa policy`: list, show, preview, convert."""

from pathlib import Path
from typing import Annotated, ClassVar

import typer

from faa_cli.describing import provenance_lines
from faa_cli.given import number_of
from faa_cli.help_pages import Command, Group
from faa_cli.outputs import check_outputs
from faa_cli.policy_epochs import read_policy
from faa_cli.policy_hub import PULL_EXAMPLES, PUSH_EXAMPLES, SEARCH_EXAMPLES, pull, push, search
from faa_cli.reporting import make_reporter
from faa_cli.showing import say, say_starting, show_table, write_data
from faa_core import FaaError, Policy, formats, plugins
from faa_core.policies.describing import operation_table, policy_kind, policy_lines, policy_size
from faa_core.policies.loading import MOST_BYTES
from faa_core.reading import read_content
from faa_search.settings import DataConfig
from faa_search.settings.base import LARGEST_SEED
from faa_search.settings.numbers import whole_number
from faa_search.settings.resolving import Layer, resolve

EXAMPLES = """
See which policies there are, what one does, and what it makes of images:
faa policy list
faa policy show fa-reduced-cifar10
faa policy preview trivialaugment --img-size 32
"""
LIST_EXAMPLES = """
faa policy list
Only those found by Fast AutoAugment:
faa policy list | grep fa-
"""
SHOW_EXAMPLES = """
faa policy show trivialaugment
Print the whole document of a policy:
faa policy show fa-reduced-cifar10 --json
Draw what each layer of a found policy picks:
faa policy show runs/search/policy.json --picture layers.png
"""
PREVIEW_EXAMPLES = """
faa policy preview trivialaugment --img-size 32
On images of your own, and what a search has found:
faa policy preview runs/search/policy.json --dataset photos --img-size 64 --output found.png
"""
CONVERT_EXAMPLES = """
Make a policy of timm's name for one:
faa policy convert rand-m9-mstd0.5 policy.json
Print a policy as the lists of the original Fast AutoAugment code:
faa policy convert fa-reduced-cifar10 - --to legacy
Take the nearest of what albumentations has not, with each difference told:
faa policy convert fa-reduced-cifar10 albumentations.json --to albumentations --nearest
Take the policies that `faa train --adversarial` chose for its tenth epoch:
faa policy convert runs/adversarial policy.json --epoch 10
"""
app = typer.Typer(add_completion=False, cls=Group, epilog=EXAMPLES)

MOST_SHOWN = 30  # images, and draws of each, in a picture
NAME = Annotated[
    str, typer.Argument(metavar="POLICY", help="Built-in name, policy file of any format, or timm string.")
]


@app.callback()
def group() -> None:
    """Look at augmentation policies, and convert them from and to the formats of other libraries.

    A policy sets how training images are varied at random. `faa search` finds one, `faa train` trains with one.
    """


@app.command("list", cls=Command, epilog=LIST_EXAMPLES)
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


@app.command(cls=Command, epilog=SHOW_EXAMPLES)
def show(
    policy: NAME,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the whole document.")] = False,
    picture: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Draw what each layer of it picks: into a file .png or .svg; into a folder, its magnitudes too.",
        ),
    ] = None,
) -> None:
    """Show what a policy does: its operations, how often they apply, and where on their axes."""
    loaded = Policy.load(policy)
    if json and picture is not None:
        raise FaaError("--json prints the document and nothing else; give --picture without it.")
    if picture is not None:
        say_starting()
        from faa_cli.policy_pictures import save_policy_pictures  # noqa: PLC0415 matplotlib and torch are slow to import

        for path in save_policy_pictures(picture, loaded):
            say(f"Wrote {path}")
        say("")
    if json:
        write_data(loaded.to_json())
        return
    for line in policy_lines(loaded):
        say(line)
    if loaded.table:
        say("")
        show_table(*operation_table(loaded))
    say("")
    for line in provenance_lines(loaded.provenance):
        say(line)


@app.command(cls=Command, epilog=PREVIEW_EXAMPLES)
def preview(
    policy: NAME,
    *,
    output: Annotated[Path, typer.Option(metavar="FILE", help="PNG file to write.")] = Path("preview.png"),
    dataset: Annotated[str, typer.Option(metavar="NAME", help="Images to show; see `faa train --help`.")] = "digits",
    data_dir: Annotated[str | None, typer.Option(metavar="FOLDER", help="Folder that holds the data set.")] = None,
    images: Annotated[
        int,
        typer.Option(
            parser=number_of("--images", whole_number, least=1, most=MOST_SHOWN),
            metavar="N",
            help="Rows: images, spread over the data set.",
        ),
    ] = 6,
    draws: Annotated[
        int,
        typer.Option(
            parser=number_of("--draws", whole_number, least=1, most=MOST_SHOWN),
            metavar="N",
            help="Columns: draws of each image.",
        ),
    ] = 9,
    img_size: Annotated[
        int | None,
        typer.Option(parser=number_of("--img-size", whole_number), metavar="N", help="Side in pixels."),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            parser=number_of("--seed", whole_number, least=0, most=LARGEST_SEED), metavar="N", help="Seed of the draws."
        ),
    ] = 0,
) -> None:
    """Draw images, each beside several augmented draws of it, to a PNG file."""
    check_outputs({"--output .png": output})
    loaded = Policy.load(policy)
    layer = Layer("flags", {"dataset": dataset, "data_dir": data_dir, "img_size": img_size})
    settings = resolve(DataConfig, [layer])
    say_starting()
    from faa_cli.plots import save_preview  # noqa: PLC0415 matplotlib and torch are slow to import
    from faa_search.data import open_data  # noqa: PLC0415

    reporter = make_reporter()
    data = open_data(settings, model_size=224, note=reporter.note)
    save_preview(output, loaded, data, images=images, draws=draws, seed=seed, reporter=reporter)
    say(f"Wrote {output}")


class ConvertCommand(Command):
    """The command that may write to the terminal."""

    takes_dash: ClassVar[frozenset[str]] = frozenset({"target"})


@app.command(cls=ConvertCommand, epilog=CONVERT_EXAMPLES)
def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="Built-in name, file of any format, or timm string.")],
    target: Annotated[
        str, typer.Argument(metavar="OUT", help="File to write, such as NAME.json, or - for the terminal.")
    ],
    *,
    read_as: Annotated[
        str | None,
        typer.Option("--from", metavar="FORMAT", help="Format of IN. (default: found from its content)"),
    ] = None,
    write_as: Annotated[
        str | None,
        typer.Option("--to", metavar="FORMAT", help="Format of OUT. (default: faa for .json and -, deepaa for .npz)"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the policy. (default: the name in IN)")
    ] = None,
    table: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which list of a Python file that holds several.")
    ] = None,
    epoch: Annotated[
        int | None,
        typer.Option(
            parser=number_of("--epoch", whole_number, least=1),
            metavar="N",
            help="Take all policies of this epoch, counted from 1; IN is the folder of a training with --adversarial.",
        ),
    ] = None,
    nearest: Annotated[
        bool,
        typer.Option("--nearest", help="Take the nearest of what a format cannot express, and name each difference."),
    ] = False,
) -> None:
    """Convert a policy: faa, legacy (Fast AutoAugment's lists), deepaa, albumentations, kornia, timm, torchvision.

    mmpretrain's configs and PaddleClas's YAML are read too; so are the log of a search by the original code, and Ray's
    parameters of a trial. What a format cannot express is an error that names it. Without --nearest, nothing is rounded
    or left out. An existing file is replaced only if it is empty, or a policy as this command writes it.
    """
    if target in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        raise FaaError(f"'{target}' is not a file to write; for the terminal, or a pipe, give - as OUT.")
    if target != "-":
        check_outputs({"OUT": Path(target)})
        _check_replaced(Path(target))
    by_suffix = write_as is None and target != "-"
    format_out = formats.suffix_format(Path(target)) if by_suffix else formats.find_format(write_as or "faa")
    reading, writing = (formats.Leeway(nearest=nearest) for _way in range(2))
    policy = read_policy(source, epoch=epoch, read_as=read_as, table=table, name=name, leeway=reading)
    content = formats.render(policy, format_out.name, leeway=writing)
    if target == "-" and isinstance(content, bytes):
        raise FaaError(f"Format {format_out.name} is not text for the terminal; give a file instead of -.")
    for note in (*policy.provenance.get("notes", ()), *writing.notes):
        say(f"Note: {note}.", err=True)
    if isinstance(content, str) and target == "-":
        write_data(content)
        return
    formats.write_content(content, target)
    say(f"Wrote {target} ({format_out.name}: {policy_kind(policy)}, {policy_size(policy)})")


app.command(cls=Command, epilog=PUSH_EXAMPLES)(push)
app.command(cls=Command, epilog=PULL_EXAMPLES)(pull)
app.command(cls=Command, epilog=SEARCH_EXAMPLES)(search)


def _check_replaced(path: Path) -> None:
    """Refuse to replace a file that is anything but a policy."""
    size = path.stat().st_size if path.exists() else 0
    if size > MOST_BYTES or (size and not formats.is_rendered(read_content(path))):
        raise FaaError(
            f"OUT: '{path}' is there already, and is not replaced, as this command has not written it; "
            "choose another name, or remove it."
        )
