"""`faa search`."""

import shlex
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console

from faa_cli.options import ConfigOption, RecipeOption, ThreadsOption, resolved, use_threads, with_settings
from faa_cli.showing import duration, make_reporter, show_table
from faa_search.config import DataConfig, SearchConfig, as_pairs
from faa_search.resolving import read_layer

app = typer.Typer(add_completion=False)

OutputOption = Annotated[str | None, typer.Option(help="Run directory (default: runs/search-DATASET-MODEL-sSEED).")]


@app.command()
@with_settings(SearchConfig, "Search")
def search(
    *,
    flags: dict[str, Any],
    recipe: RecipeOption = None,
    config: ConfigOption = None,
    output: OutputOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Find an augmentation policy for a data set. The same command again resumes."""
    settings = resolved(SearchConfig, "search", recipe, config, flags)
    use_threads(threads)
    import faa_search  # noqa: PLC0415 torch is slow to import
    from faa_search.run_directory import slug  # noqa: PLC0415

    directory = output or f"runs/search-{slug(settings.dataset)}-{slug(settings.model)}-s{settings.seed}"
    result = faa_search.search(settings, directory, reporter=make_reporter())
    console = Console(soft_wrap=True, highlight=False)
    console.print(
        f"Found {len(result.policy.sub_policies)} sub-policies in {result.trials:,} trials, "
        f"{duration(result.seconds)}. {settings.reward}: {result.reward:.4f}."
    )
    rows = [
        (
            row.name,
            f"{row.reward:.4f}",
            f"{row.difference:+.4f}",
            f"{row.low:+.4f} … {row.high:+.4f}",
            f"{row.verdict} {row.name}",
        )
        for row in result.controls
    ]
    show_table(("control", settings.reward, "found − control", "95 % interval", "the found policy scores"), rows)
    in_file = read_layer(config).settings if config else {}
    given = {key.replace("-", "_"): value for key, value in in_file.items()} | flags
    console.print(
        "The policy was chosen on the images it is scored on here, so this flatters it; only training decides:\n"
        f"  faa train {training_flags(recipe, given)}--policy {directory}/policy.json"
    )


def training_flags(recipe: str | None, given: Mapping[str, Any]) -> str:
    """Return the part of the command line that a training on the same images with the same network repeats.

    Args:
        recipe: Named in the search's command.
        given: Settings of its file and flags.
    """
    words = [f"--recipe {recipe}"] if recipe else []
    for name in sorted(DataConfig.model_fields.keys() | {"model", "model_kwargs"}):
        value = given.get(name)
        if value is not None and value is not False and value != {}:
            flag = f"--{name.replace('_', '-')}"
            shown = as_pairs(value) if isinstance(value, Mapping) else str(value)
            words.append(flag if value is True else f"{flag} {shlex.quote(shown)}")
    return "".join(f"{word} " for word in words)
