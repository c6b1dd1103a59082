"""A comparison's picture, with names as wide as their place."""

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from faa_cli.plots import save_comparison
from faa_search.config import CompareConfig

if TYPE_CHECKING:
    from faa_search.comparison import Comparison

WIDTH = 18  # characters below one place of the axis
TITLE_WIDTH = 60


def save_errors(path: str | Path, comparison: "Comparison", settings: CompareConfig) -> None:
    """Write the test errors of every policy and seed, with means and 95 % intervals, as PNG.

    Raises:
        FaaError: If the file cannot be written.
    """
    shown = tuple(replace(policy, name=_wrapped(policy.name, WIDTH)) for policy in comparison.policies)
    budget = f"{settings.epochs} epochs, {settings.seeds} seeds"
    title = f"{settings.dataset}, {settings.model}, {budget}: mean and 95 % interval"
    save_comparison(path, replace(comparison, policies=shown), title=_wrapped(title, TITLE_WIDTH))


def _wrapped(text: str, width: int) -> str:
    """Return lines of at most so many characters, which matplotlib does not take for a formula."""
    return "\n".join(textwrap.wrap(text, width)).replace("$", r"\$")
