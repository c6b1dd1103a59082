"""What a search came to, as the command line shows it."""

from collections.abc import Sequence
from pathlib import Path

from faa_cli.showing import say, show_table
from faa_core import FaaError, plugins
from faa_core.policies.describing import policy_size
from faa_core.text import counted, duration, safe, sentence
from faa_search.runs.records.search import Audit, Control, Found, SearchResult
from faa_search.settings import FoldedSearchConfig, SearchConfig, SharedSearchConfig


def show_found(result: Found, settings: SharedSearchConfig, directory: str, training: str) -> None:
    """Print what was found, how sure that is, and what to do with it; draw its algorithm's pictures.

    Args:
        result: Of the search.
        settings: Of the search.
        directory: The run's.
        training: The command to train with the policy.
    """
    names = _drawn(settings, directory)
    say(_summary(result, settings))
    for note in result.notes:
        say(note)
    if result.controls:
        _show_controls(result.controls, _objective(result, settings))
    if isinstance(result, SearchResult) and result.audit is not None:
        _show_audit(result.audit)
    val_split = settings.val_split if isinstance(settings, FoldedSearchConfig) else None
    closed = f" (test on images of neither training nor '{val_split}')" if val_split else ""
    compared = f"{result.verdict} That flatters it; only" if result.verdict else "Only"
    say(f"{compared} training decides{closed}:")
    say(f"  {training}", whole=True)
    kept = _kept(settings, Path(directory)) if isinstance(settings, SearchConfig) else ["what it was made from"]
    *most, last = ["The policy", *kept, *names]
    say(f"{', '.join(most)} and {last} are in {directory}")


def _summary(result: Found, settings: SharedSearchConfig) -> str:
    """Return what was found, and what it cost."""
    size = policy_size(result.policy)
    if isinstance(result, SearchResult):
        return (
            f"Found {size} in {counted(result.trials, 'trial')}, {duration(result.seconds)}, of which "
            f"{duration(result.fitting)} went into the folds. {_objective(result, settings)}: {result.reward:z.4f}."
        )
    ended = "" if result.complete else f", ended by its --budget {result.budget}"
    figures = ", ".join(f"{safe(name)}: {value:z.6g}" for name, value in result.figures.items())
    return f"Found {size} in {duration(result.seconds)}{ended}.{f' {figures}.' if figures else ''}"


def _objective(result: Found, settings: SharedSearchConfig) -> str:
    """Return the name of what the search maximises."""
    return settings.reward if isinstance(settings, FoldedSearchConfig) else next(iter(result.figures), "objective")


def _show_controls(controls: Sequence[Control], objective: str) -> None:
    show_table(
        ("control", objective, "found − control", "95 % interval", "the found policy scores"),
        (
            (
                row.name,
                f"{row.reward:z.4f}",
                f"{row.difference:+z.4f}",
                f"{row.low:+z.4f} … {row.high:+z.4f}",
                f"{row.verdict} {row.name}",
            )
            for row in controls
        ),
    )


def _kept(settings: SearchConfig, directory: Path) -> list[str]:
    """Return what a search has kept; show what is not there, and which stage makes it again."""
    from faa_search.runs.files import TRIALS  # noqa: PLC0415 torch is slow to import
    from faa_search.searching.folding import weights_path  # noqa: PLC0415

    networks = [weights_path(directory, fold) for fold in range(1 if settings.val_split else settings.folds)]
    files = {"trials": [directory / TRIALS], "networks": networks}
    lost = {what: [path for path in paths if not path.is_file()] for what, paths in files.items()}
    for what, stage in (("trials", "explore"), ("networks", "folds")):
        for path in lost[what][:1]:
            say(
                f"There is no '{safe(path)}'. Put back a copy of it; or the same command with --stage {stage} makes it."
            )
    return [what for what, paths in lost.items() if not paths]


def _drawn(settings: SharedSearchConfig, directory: str) -> list[str]:
    """Draw the algorithm's pictures into the run's directory; return their names."""
    from faa_cli.pictures import save_picture  # noqa: PLC0415 matplotlib is slow to import
    from faa_search.runs.directory import slug  # noqa: PLC0415 torch is, too
    from faa_search.searching.protocol import load_searcher  # noqa: PLC0415

    names: list[str] = []
    try:
        with plugins.blamed(f"`pictures` of the search algorithm '{settings.algorithm}'"):
            for picture in load_searcher(settings.algorithm).pictures(Path(directory)):
                name = f"{slug(picture.name)}.png"
                save_picture(f"{directory}/{name}", picture)
                names.append(name)
    except FaaError as error:  # the search is finished: what it found is shown all the same
        say(f"Not all pictures are drawn: {sentence(error)}")
    return names


def _show_audit(audit: Audit) -> None:
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
