"""A comparison's picture."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from faa_cli.fonts import drawable
from faa_cli.plots import save_figure, set_title
from faa_core.text import counted, shortened
from faa_search.settings import CompareConfig

if TYPE_CHECKING:
    from faa_search.measuring.comparison import Comparison

WIDTH = 18  # characters below one place of the axis
LONGEST = 90  # of a policy's name
MARGIN = 0.03  # of the drawn range, beyond 0 and 100 %, so that a point there is whole


def save_comparison(path: str | Path, comparison: "Comparison", *, title: str) -> None:
    """Write the test errors of every policy and seed, with means and 95 % intervals, as PNG.

    A line joins a seed's runs. Where an interval reaches beyond 0 … 100 %, its end is not shown.

    Args:
        path: PNG file.
        comparison: What to show; names may be paths of any length.
        title: Above it.

    Raises:
        FaaError: If the file cannot be written.
    """
    figure = Figure(figsize=(max(1.6 * len(comparison.policies) + 2, 7), 4), layout="constrained")
    axis = figure.subplots()
    draw_errors(axis, comparison)
    set_title(axis, title)
    save_figure(figure, path)


def draw_errors(axis: Axes, comparison: "Comparison") -> None:
    """Draw what `save_comparison` shows, but for the title."""
    places = range(len(comparison.policies))
    for errors in zip(*(policy.errors for policy in comparison.policies), strict=True):
        axis.plot(places, errors, color="0.8", marker="o", markersize=4, linewidth=1, zorder=1)
    for place, policy in zip(places, comparison.policies, strict=True):
        reach = policy.mean - policy.low
        axis.errorbar(place, policy.mean, yerr=reach, fmt="s", color="C0", capsize=6, markersize=7, zorder=2)
        axis.annotate(f"{policy.mean:.2f}", (place, policy.mean), xytext=(10, -3), textcoords="offset points")
    names = [textwrap.fill(drawable(shortened(policy.name, LONGEST)), WIDTH) for policy in comparison.policies]
    axis.set_xticks(list(places), names, parse_math=False)
    axis.set_xlim(-0.5, len(comparison.policies) - 0.5)
    low, high = axis.get_ylim()
    margin = MARGIN * (min(high, 100) - max(low, 0))
    axis.set_ylim(max(low, -margin), min(high, 100 + margin))
    axis.set_ylabel("test error, %")


def title_of(settings: CompareConfig) -> str:
    """Return what a comparison's picture is of."""
    epochs, seeds = counted(settings.epochs, "epoch"), counted(settings.seeds, "seed")
    return f"{settings.dataset}, {settings.model}, {epochs}, {seeds}: mean and 95 % interval"
