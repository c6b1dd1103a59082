"""`faa search`."""

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from faa_cli.options import ConfigOption, RecipeOption, ThreadsOption, resolved, use_threads, with_settings
from faa_cli.showing import duration, make_reporter, show_table
from faa_search.config import DataConfig, SearchConfig, as_pairs
from faa_search.config.fitting import BaselineConfig
from faa_search.resolving import read_layer

if TYPE_CHECKING:
    from faa_search.fast import Audit, SearchResult

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
    from faa_search.training import processes  # noqa: PLC0415

    directory = output or f"runs/search-{slug(settings.dataset)}-{slug(settings.model)}-s{settings.seed}"
    accelerator = processes.make_accelerator(settings.device)
    speaks = accelerator.is_main_process
    reporter = make_reporter(quiet=not speaks)
    result = faa_search.search(settings, directory, reporter=reporter, accelerator=accelerator, threads=threads)
    if speaks and result is None:
        Console(soft_wrap=True, highlight=False).print(
            f"Stage {settings.stage} is done, its files are in {directory}; the same command without --stage goes on."
        )
    elif speaks and result is not None:
        in_file = read_layer(config).settings if config else {}
        given = {key.replace("-", "_"): value for key, value in in_file.items()} | flags
        _show(result, settings, directory, training_flags(recipe, given))
    processes.close(accelerator)


def _show(result: "SearchResult", settings: SearchConfig, directory: str, flags: str) -> None:
    """Print what was found, how sure that is, and what to do with it; draw the trials."""
    from faa_cli.trials_plot import save_trials  # noqa: PLC0415 matplotlib is slow to import
    from faa_search.fast import read_trials  # noqa: PLC0415 torch is, too

    trials = read_trials(directory)
    save_trials(
        f"{directory}/trials.png",
        trials,
        reward=settings.reward,
        title=f"{settings.dataset}, {settings.model}: {len(trials):,} trials; red: the best of each fold",
    )
    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(
        f"Found {len(result.policy.sub_policies)} sub-policies in {result.trials:,} trials, "
        f"{duration(result.seconds)}, of which {duration(result.fitting)} went into the folds. {settings.reward}: "
        f"{result.reward:.4f}."
    )
    show_table(
        ("control", settings.reward, "found − control", "95 % interval", "the found policy scores"),
        (
            (
                row.name,
                f"{row.reward:.4f}",
                f"{row.difference:+.4f}",
                f"{row.low:+.4f} … {row.high:+.4f}",
                f"{row.verdict} {row.name}",
            )
            for row in result.controls
        ),
    )
    if result.audit is not None:
        _show_audit(result.audit)
    closed = f" (test on images of neither training nor '{settings.val_split}')" if settings.val_split else ""
    console.print(
        f"{result.verdict} That flatters it; only training decides{closed}:\n"
        f"  faa train {flags}--policy {directory}/policy.json\n"
        f"Trials, networks and trials.png are in {directory}"
    )


def _show_audit(audit: "Audit") -> None:
    """Print how well each reward foretells the accuracy."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    best, worst, without = (100 * (1 - each) for each in (audit.highest, audit.lowest, audit.accuracy_without))
    console.print(
        f"\nAudit: {audit.policies} trials of the first fold, each trained with {audit.seeds}× for {audit.epochs} "
        f"epochs: {best:.1f} … {worst:.1f} % error on held-out images; without a policy {without:.1f} %."
    )
    show_table(
        ("reward", "rank correlation with accuracy", "95 % interval"),
        (
            (
                row.reward,
                "– (it does not vary)" if row.spearman is None else f"{row.spearman:+.2f}",
                "–" if row.low is None or row.high is None else f"{row.low:+.2f} … {row.high:+.2f}",
            )
            for row in audit.correlations
        ),
    )
    console.print()


def training_flags(recipe: str | None, given: Mapping[str, Any]) -> str:
    """Return the part of the command line that a training on the same images with the same network repeats.

    Args:
        recipe: Named in the search's command.
        given: Settings of its file and flags.
    """
    words = [f"--recipe {recipe}"] if recipe else []
    for name in sorted(DataConfig.model_fields.keys() | BaselineConfig.model_fields.keys() | {"model", "model_kwargs"}):
        value = given.get(name)
        if value is not None and value is not False and value != {}:
            flag = f"--{name.replace('_', '-')}"
            words.append(flag if value is True else f"{flag} {_shown(value)}")
    return "".join(f"{word} " for word in words)


def _shown(value: Any) -> str:
    """Return a setting as it is typed."""
    if isinstance(value, tuple | list):
        return " ".join(str(part) for part in value)
    return shlex.quote(as_pairs(value) if isinstance(value, Mapping) else str(value))
