"""Drawing the pictures that a search algorithm makes of its run."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from faa_cli.plots import save_figure, set_heading, short
from faa_search.runs.records.pictures import Panel, Picture, Trace

MARGIN = 0.05  # of a given range, so that a point at its end is whole


def save_picture(path: str | Path, picture: Picture) -> None:
    """Write a picture as PNG.

    Raises:
        FaaError: If the file cannot be written.
    """
    rows, columns = -(-len(picture.panels) // picture.columns), min(picture.columns, max(1, len(picture.panels)))
    width, height = picture.panel_size
    figure = Figure(figsize=(width * columns, height * rows + 0.8), layout="constrained")
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False).flatten()
    for axis, panel in zip(axes, picture.panels, strict=False):
        _draw(axis, panel)
    for axis in axes[len(picture.panels) :]:
        axis.set_axis_off()
    figure.supylabel(picture.y_label, fontsize=8)
    set_heading(figure, picture.title)
    save_figure(figure, path)


def _draw(axis: Axes, panel: Panel) -> None:
    """Draw the traces of a panel, areas upon each other."""
    below = None
    for number, trace in enumerate(panel.traces):
        below = _draw_trace(axis, trace, f"C{number}", below)
    axis.set_title(short(panel.title), fontsize=8, loc="left", parse_math=False)
    axis.tick_params(labelsize=6)
    if panel.x_range is not None:
        low, high = panel.x_range
        axis.set_xlim(low - MARGIN * (high - low), high + MARGIN * (high - low))
        axis.set_xticks([low, high])
    axis.set_xlabel(short(panel.x_label), fontsize=8, labelpad=-8 if panel.x_range else None, parse_math=False)
    if any(trace.label for trace in panel.traces):
        axis.legend(fontsize=6)


def _draw_trace(axis: Axes, trace: Trace, colour: str, below: "np.ndarray | None") -> "np.ndarray | None":
    """Draw a trace; return where the next area begins."""
    label = short(trace.label) or None
    if trace.kind == "points":
        size, seen = (14.0, 1.0) if trace.marked else (5.0, 0.5)
        shade = "C3" if trace.marked else colour
        axis.scatter(trace.x, trace.y, s=size, c=shade, linewidths=0, alpha=seen, label=label)
    elif trace.kind == "line":
        axis.plot(trace.x, trace.y, color=colour, linewidth=2.0 if trace.marked else 1.0, label=label)
    else:
        low = np.zeros(len(trace.y)) if below is None else below
        below = low + np.asarray(trace.y)
        axis.fill_between(trace.x, low, below, color=colour, linewidth=0, label=label)
    return below
