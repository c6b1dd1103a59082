"""`faa search`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faa_cli.algorithm_flags import ByAlgorithm, layers_below
from faa_cli.found import show_found
from faa_cli.next_training import training_command
from faa_cli.options import ConfigOption, RecipeOption, ThreadsOption, with_settings
from faa_cli.showing import say, say_starting
from faa_cli.working import carry_out
from faa_core import FaaError, Policy
from faa_search.progress import Reporter
from faa_search.settings import SearchConfig, SharedSearchConfig
from faa_search.settings.algorithms import resolve_search
from faa_search.settings.fitting import BaselineConfig
from faa_search.settings.like import compared, naming_policy
from faa_search.settings.resolving import Layer, read_layer

if TYPE_CHECKING:
    from faa_search.runs.records.search import Found

EXAMPLES = """
Find a policy for a folder of photos, one folder per class, and end in half an hour:
faa search --dataset photos --test-fraction 0.2 --img-size 64 --budget 30m --output runs/search
Try it on scikit-learn's digits, with a small search:
faa search --dataset digits --preset digits --hflip 0 --epochs 10 --depth 20 --output runs/digits
Find somebody's policy again, on the same images:
faa search --like policy.json --dataset photos --output runs/again
"""
app = typer.Typer(add_completion=False)

OutputOption = Annotated[
    str | None, typer.Option(metavar="FOLDER", help="Run directory (default: runs/search-DATASET-MODEL-sSEED).")
]


LikeOption = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Repeat the search that found this policy: take its settings."),
]


def search(
    *,
    flags: dict[str, Any],
    recipe: RecipeOption = None,
    config: ConfigOption = None,
    like: LikeOption = None,
    output: OutputOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Find an augmentation policy for a data set. The same command again resumes.

    Each search algorithm has its own settings: --algorithm NAME --help shows them.
    """
    asked, of_policy = (Policy.load(like), layers_below(like=like)) if like else (None, [])
    settings = resolve_search([*layers_below(recipe=recipe, config=config, like=like), Layer("flags", flags)])
    say_starting()
    import faa_search  # noqa: PLC0415 torch is slow to import
    from faa_search.runs.directory import slug  # noqa: PLC0415
    from faa_search.training.baseline import brings_own  # noqa: PLC0415

    directory = output or f"runs/search-{slug(settings.dataset)}-{slug(settings.model)}-s{settings.seed}"

    def work(reporter: Reporter, accelerator: Any) -> "Found | None":
        try:
            return faa_search.search_stage(
                settings, directory, reporter=reporter, accelerator=accelerator, threads=threads
            )
        except FaaError as error:
            if named := naming_policy(error, of_policy, {**_in_file(config), **flags}):
                raise named from error
            raise

    def show(found: "Found | None") -> None:
        if found is None:
            stage = settings.stage
            say(f"Stage {stage} is done, its files are in {directory}; the same command without --stage goes on.")
            return
        typed = {**_unusual(of_policy, settings), **_in_file(config), **flags}
        leaving_out = BaselineConfig.model_fields if brings_own(found.policy) else ()
        training = training_command(recipe, typed, f"{directory}/policy.json", leaving_out=leaving_out)
        show_found(found, settings, directory, training)
        if asked is not None:
            say(compared(asked, found.policy))

    carry_out(work, show, device=settings.device, threads=threads)


class SearchCommand(ByAlgorithm):
    """`faa search`, with the flags of its algorithm."""

    usual = SearchConfig
    body = search


app.command(cls=SearchCommand, epilog=EXAMPLES)(with_settings(SearchConfig, "Search")(search))


def _unusual(layers: Sequence[Layer], settings: SharedSearchConfig) -> dict[str, Any]:
    """Return the settings of layers that are not the defaults."""
    usual = type(settings)().model_dump()
    return {name: value for layer in layers for name, value in layer.settings.items() if value != usual[name]}


def _in_file(config: str | None) -> dict[str, Any]:
    """Return the settings of a file, by their fields."""
    settings = read_layer(config).settings if config else {}
    return {str(key).replace("-", "_"): value for key, value in settings.items()}
