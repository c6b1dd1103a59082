"""`faa compare`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faa_cli.commands.train import ProcessesOption
from faa_cli.comparison_hub import push_comparison
from faa_cli.help_pages import Command
from faa_cli.options import ConfigOption, RecipeOption, ThreadsOption, resolve_given, with_settings
from faa_cli.showing import say, say_starting, show_table
from faa_cli.working import carry_out
from faa_core.hub.names import check_repository
from faa_search.progress import Reporter
from faa_search.settings import CompareConfig
from faa_search.settings.adversarial import ControllerConfig
from faa_search.settings.commands import CONTROLLERS, PolicyConfig
from faa_search.settings.lists import parts_of
from faa_search.settings.recipes import load_recipe
from faa_search.settings.resolving import Layer, read_layer, without

if TYPE_CHECKING:
    from faa_search.measuring.comparison import Comparison

EXAMPLES = """
Compare three policies on scikit-learn's digits, with three seeds each:
faa compare --dataset digits --policies none,trivialaugment,uniform-random --seeds 3 --epochs 5
Compare a found policy with no policy on a folder of photos:
faa compare --dataset photos --test-fraction 0.2 --img-size 64 --policies none,runs/search/policy.json
"""
app = typer.Typer(add_completion=False)

OutputOption = Annotated[
    str | None, typer.Option(metavar="FOLDER", help="Directory of all runs (default: runs/compare-DATASET-MODEL).")
]
PushOption = Annotated[
    str | None,
    typer.Option(metavar="OWNER/NAME", help="At the end, add the tables to the card of this repository on the Hub."),
]


@app.command(cls=Command, epilog=EXAMPLES)
@with_settings(CompareConfig, "Comparison")
def compare(
    *,
    flags: dict[str, Any],
    recipe: RecipeOption = None,
    config: ConfigOption = None,
    output: OutputOption = None,
    threads: ThreadsOption = None,
    num_processes: ProcessesOption = None,
    push: PushOption = None,
) -> None:
    """Train with several policies, for as many epochs and with the same seeds, and test which is better.

    A recipe is one of `faa train`. The same command again resumes.
    """
    below = [_of_a_comparison(load_recipe(recipe).layer("train"), config, flags)] if recipe else []
    settings = resolve_given(CompareConfig, "compare", None, config, flags, below=below)
    if push is not None:
        check_repository(push)
    say_starting()
    from faa_cli.comparison_plot import save_comparison, title_of  # noqa: PLC0415 matplotlib and torch are slow to import
    from faa_search.measuring import comparison  # noqa: PLC0415
    from faa_search.measuring.comparison.training import lost_runs  # noqa: PLC0415
    from faa_search.runs.directory import slug  # noqa: PLC0415

    directory = output or f"runs/compare-{slug(settings.dataset)}-{slug(settings.model)}"

    def work(reporter: Reporter, accelerator: Any) -> "Comparison":
        return comparison.compare(settings, directory, reporter=reporter, accelerator=accelerator)

    def show(result: "Comparison") -> None:
        save_comparison(f"{directory}/comparison.png", result, title=title_of(settings))
        _show(result, settings)
        for line in ("", *comparison.conclusion(result).splitlines()):
            say(line)
        seeds = range(settings.seed, settings.seed + settings.seeds)
        runs = "" if lost_runs(Path(directory), settings.policies, seeds) else "Runs, "
        say(f"{runs}comparison.json and comparison.png are in {directory}")
        if push is not None:
            push_comparison(directory, push, command=["faa", *sys.argv[1:]])

    carry_out(work, show, device=settings.device, threads=threads, processes=num_processes)


def _of_a_comparison(recipe: Layer, file: str | None, flags: dict[str, Any]) -> Layer:
    """Return a recipe's settings but for its policy or controller, since the comparison names its own.

    What a controller is told stays where the comparison has one.
    """
    given = {**(read_layer(file).settings if file else {}), **flags}.get("policies", ())
    named = parts_of(given) if isinstance(given, str) else given
    has_controller = isinstance(named, list | tuple) and any(name in CONTROLLERS for name in named)
    return without(recipe, {*PolicyConfig.model_fields, *(() if has_controller else ControllerConfig.model_fields)})


def _show(result: "Comparison", settings: CompareConfig) -> None:
    """Print the errors, and every two policies against each other."""
    last = settings.seed + settings.seeds - 1
    show_table(
        ("policy", "mean error, %", "95 % interval", f"with seeds {settings.seed} … {last}"),
        (
            (row.name, f"{row.mean:.2f}", _interval(row.low, row.high), "  ".join(f"{e:.2f}" for e in row.errors))
            for row in result.policies
        ),
    )
    say("")
    show_table(
        ("policy", "against", "difference", "95 % interval, unadjusted", "p, Holm-adjusted", "verdict", "detectable"),
        (
            (
                pair.first,
                pair.second,
                f"{pair.difference:+z.2f}",
                f"{pair.low:+z.2f} … {pair.high:+z.2f}" if pair.has_spread else "–",
                f"{pair.p:.3g}",
                pair.verdict,
                f"{pair.detectable:.2f}" if pair.has_spread else "–",
            )
            for pair in result.pairs
        ),
    )


def _interval(low: float, high: float) -> str:
    """Return an interval of errors in per cent; that of Student's t can reach beyond what an error can be."""
    return f"{max(low, 0.0):.2f} … {min(high, 100.0):.2f}"
