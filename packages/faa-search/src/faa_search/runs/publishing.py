"""What a run's directory adds to the card of its policy: the command, the controls of a search, a comparison."""

import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from faa_core import FaaError
from faa_core.publishing.card import Section
from faa_core.publishing.markdown import literal, table
from faa_core.text import counted, safe, sentence
from faa_search.runs.files import POLICY
from faa_search.runs.opening import ComparisonRun, Run, SearchRun, TrainingRun, open_run
from faa_search.runs.records.search import in_words

BEGIN, END = "<!-- faa: comparison -->", "<!-- faa: end of the comparison -->"
WITHIN = re.compile(r"(?<=[=:,])/(?!/)[^=:,]*")  # an absolute path in a word such as --data-dir=/a/b


def run_of_policy(path: str) -> SearchRun | TrainingRun | None:
    """Return the run whose policy a file is; None if it is none's."""
    place = Path(path).parent
    if Path(path).name != POLICY or not (place / "config.yaml").is_file():
        return None
    try:
        run = open_run(place)
    except FaaError as error:
        raise FaaError(
            f"The policy lies in a run's folder, which cannot be read: {sentence(error)} To push the policy alone, "
            "copy its file elsewhere."
        ) from error
    return None if isinstance(run, ComparisonRun) else run


def command_of(run: Run) -> str | None:
    """Return the command that began a run, as it may be shared: of absolute paths only the last part."""
    words = run.environment.get("command")
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words) or not words:
        return None
    return shlex.join(["faa", *map(shareable, words)])


def shareable(value: Any) -> Any:
    """Return a setting, or a word of a command, as it may be shared: of absolute paths only the last part."""
    if isinstance(value, list):
        return [shareable(each) for each in value]
    if isinstance(value, dict):
        return {name: shareable(each) for name, each in value.items()}
    if not isinstance(value, str):
        return value
    return Path(value).name if Path(value).is_absolute() else WITHIN.sub(lambda found: Path(found[0]).name, value)


def hardware_of(run: Run) -> str | None:
    """Return what a run began on, in words."""
    known = run.environment
    if isinstance(known.get("cuda"), str):
        return str(known["cuda"])
    return f"{known['cpu_count']} CPU cores" if isinstance(known.get("cpu_count"), int) else None


def controls_section(run: SearchRun) -> Section | None:
    """Return how a search's policy compares with its controls; None of a search that is not finished."""
    result = run.result
    if result is None or not result.controls:
        return None
    rows = (
        (
            "none" if row.name == "identity" else row.name,
            f"{row.reward:.4f}",
            f"{row.difference:+.4f}",
            f"{row.low:+.4f} … {row.high:+.4f}",
            row.verdict,
        )
        for row in result.controls
    )
    shown = table(("control", "its score", "found minus control", "95 % interval", "the found policy is"), rows)
    return Section(
        heading="Beside policies that need no search",
        text=f"{shown}\n\n{literal(in_words(result.controls))} Only training shows whether a policy helps.",
    )


def comparison_section(directory: str) -> Section:
    """Return what a finished comparison shows.

    Raises:
        FaaError: If the directory holds none.
    """
    run = open_run(directory)
    if not isinstance(run, ComparisonRun) or run.result is None:
        raise FaaError(f"'{safe(directory)}' is not a finished comparison; give the --output of a `faa compare`.")
    result, settings = run.result, run.settings
    errors = table(
        ("policy", "mean test error, %", "95 % interval", "seeds"),
        ((row.name, f"{row.mean:.2f}", f"{row.low:.2f} … {row.high:.2f}", len(row.errors)) for row in result.policies),
    )
    pairs = table(
        ("policy", "against", "difference", "95 % interval", "p, Holm-adjusted", "verdict"),
        (
            (row.first, row.second, f"{row.difference:+.2f}", f"{row.low:+.2f} … {row.high:+.2f}", f"{row.p:.3g}",
             row.verdict)
            for row in result.pairs
        ),
    )  # fmt: skip
    how = f"{literal(settings.model)}, {counted(settings.epochs, 'epoch')}, on {literal(_name(settings.dataset))}"
    return Section(heading="Trained and compared", text=f"Each with {how}.\n\n{errors}\n\n{pairs}")


def with_comparison(card: str, section: Section) -> str:
    """Return a card with a comparison: in place of the one that was pushed before, else at its end.

    Args:
        card: Of anybody's making; the rest of it stays as it is.
        section: The comparison.
    """
    part = f"{BEGIN}\n\n## {section.heading}\n\n{section.text}\n\n{END}"
    before, begun, rest = card.partition(BEGIN)
    _old, ended, after = rest.partition(END)
    if begun and ended:
        return f"{before}{part}{after}"
    return f"{card.rstrip()}\n\n{part}\n"


def sections_of(found: Iterable[Section | None]) -> tuple[Section, ...]:
    """Return the sections that there are."""
    return tuple(section for section in found if section is not None)


def _name(dataset: str) -> str:
    return Path(dataset).name if Path(dataset).is_absolute() else dataset
