"""`faa search`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faa_cli.describing import policy_size
from faa_cli.help_pages import Command
from faa_cli.next_training import training_command
from faa_cli.options import ConfigOption, RecipeOption, ThreadsOption, resolved, use_threads, with_settings
from faa_cli.reporting import make_reporter
from faa_cli.showing import say, say_starting, show_table
from faa_core import Policy
from faa_core.text import counted, duration
from faa_search.settings import SearchConfig
from faa_search.settings.like import compared, settings_of
from faa_search.settings.resolving import Layer, read_layer

if TYPE_CHECKING:
    from faa_search.searching.fast import Audit, SearchResult

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
    typer.Option(metavar="FILE", help="Take every setting from where this found policy says it comes from."),
]


@app.command(cls=Command, epilog=EXAMPLES)
@with_settings(SearchConfig, "Search")
def search(
    *,
    flags: dict[str, Any],
    recipe: RecipeOption = None,
    config: ConfigOption = None,
    like: LikeOption = None,
    output: OutputOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Find an augmentation policy for a data set. The same command again resumes."""
    asked = Policy.load(like) if like else None
    below = [settings_of(asked, like)] if like and asked else []
    settings = resolved(SearchConfig, "search", recipe, config, flags, below=below)
    in_file = read_layer(config).settings if config else {}
    given = {**_unusual(below), **{key.replace("-", "_"): value for key, value in in_file.items()}, **flags}
    say_starting()
    use_threads(threads)
    import faa_search  # noqa: PLC0415 torch is slow to import
    from faa_search.runs.directory import slug  # noqa: PLC0415
    from faa_search.workers import processes  # noqa: PLC0415

    directory = output or f"runs/search-{slug(settings.dataset)}-{slug(settings.model)}-s{settings.seed}"
    accelerator = processes.make_accelerator(settings.device)
    speaks = accelerator.is_main_process
    reporter = make_reporter(quiet=not speaks)
    result = faa_search.search_stage(settings, directory, reporter=reporter, accelerator=accelerator, threads=threads)
    if speaks and result is None:
        say(f"Stage {settings.stage} is done, its files are in {directory}; the same command without --stage goes on.")
    elif speaks and result is not None:
        _show(result, settings, directory, training_command(recipe, given, f"{directory}/policy.json"))
        if asked is not None:
            say(compared(asked, result.policy))
    processes.close(accelerator)


def _unusual(layers: Sequence[Layer]) -> dict[str, Any]:
    """Return the settings of layers that are not the defaults."""
    usual = SearchConfig().model_dump(mode="json")
    return {name: value for layer in layers for name, value in layer.settings.items() if value != usual[name]}


def _show(result: "SearchResult", settings: SearchConfig, directory: str, training: str) -> None:
    """Print what was found, how sure that is, and what to do with it; draw the trials."""
    from faa_cli.trials_plot import save_trials  # noqa: PLC0415 matplotlib is slow to import
    from faa_search.searching.fast import read_trials  # noqa: PLC0415 torch is, too

    trials = read_trials(directory)
    if trials:  # somebody may have removed them from a finished search
        save_trials(
            f"{directory}/trials.png",
            trials,
            reward=settings.reward,
            title=f"{settings.dataset}, {settings.model}: {counted(len(trials), 'trial')}; red: the best of each fold",
        )
    say(
        f"Found {policy_size(result.policy)} in {counted(result.trials, 'trial')}, "
        f"{duration(result.seconds)}, of which {duration(result.fitting)} went into the folds. {settings.reward}: "
        f"{result.reward:z.4f}."
    )
    show_table(
        ("control", settings.reward, "found − control", "95 % interval", "the found policy scores"),
        (
            (
                row.name,
                f"{row.reward:z.4f}",
                f"{row.difference:+z.4f}",
                f"{row.low:+z.4f} … {row.high:+z.4f}",
                f"{row.verdict} {row.name}",
            )
            for row in result.controls
        ),
    )
    if result.audit is not None:
        _show_audit(result.audit)
    closed = f" (test on images of neither training nor '{settings.val_split}')" if settings.val_split else ""
    say(f"{result.verdict} That flatters it; only training decides{closed}:")
    say(f"  {training}", whole=True)
    say(f"Trials, networks and trials.png are in {directory}")


def _show_audit(audit: "Audit") -> None:
    """Show how well each reward predicts the accuracy."""
    best, worst, without = (100 * (1 - each) for each in (audit.highest, audit.lowest, audit.accuracy_without))
    say("")
    say(
        f"Audit: {counted(audit.policies, 'trial')} of the first fold, each trained with {audit.seeds}× for "
        f"{counted(audit.epochs, 'epoch')}: {best:.1f} … {worst:.1f} % error on held-out images; without a policy "
        f"{without:.1f} %."
    )
    show_table(
        ("reward", "rank correlation with accuracy", "95 % interval"),
        (
            (
                row.reward,
                "– (it does not vary)" if row.spearman is None else f"{row.spearman:+z.2f}",
                "–" if row.low is None or row.high is None else f"{row.low:+z.2f} … {row.high:+z.2f}",
            )
            for row in audit.correlations
        ),
    )
    say("")
