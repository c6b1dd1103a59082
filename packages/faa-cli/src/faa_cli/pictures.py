"""Drawing the pictures that a search algorithm makes of its run, or of a policy."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from faa_cli.plots import save_figure, set_heading, short
from faa_core import FaaError
from faa_core.text import counted, safe
from faa_search.runs.records.pictures import Panel, Picture, Trace

MARGIN = 0.05  # of a given range, so that a point at its end is whole
PALETTE = [colormaps["tab20"](number) for number in (*range(0, 20, 2), *range(1, 20, 2))]  # the strong ones first
SHADES = colormaps["coolwarm"]
HATCHES = ("", "////", "....")  # of bars, for colours that come again
LONG_TICKS = 24  # letters below an axis from which they stand upright
KINDS = ("points", "line", "area", "band", "bars")


def save_picture(path: str | Path, picture: Picture) -> None:
    """Write a picture as PNG, or as SVG where its path ends so.

    Raises:
        FaaError: If the file cannot be written, or what is to be drawn does not fit together.
    """
    for trace in (trace for panel in picture.panels for trace in panel.traces):
        check_trace(trace, picture.name)
    rows, columns = -(-len(picture.panels) // picture.columns), min(picture.columns, max(1, len(picture.panels)))
    width, height = picture.panel_size
    figure = Figure(figsize=(width * columns, height * rows + 0.8), layout="constrained")
    axes = figure.subplots(rows, columns, sharey=picture.shared_y, squeeze=False).flatten()
    for axis, panel in zip(axes, picture.panels, strict=False):
        _draw(axis, panel)
        if any(trace.label for trace in panel.traces) and not picture.legend_title:
            axis.legend(fontsize=6)
    for axis in axes[len(picture.panels) :]:
        axis.set_axis_off()
    if picture.legend_title:
        _draw_legend(figure, axes, picture.legend_title)
    figure.supylabel(picture.y_label, fontsize=8, parse_math=False)
    set_heading(figure, picture.title)
    save_figure(figure, path)


def check_trace(trace: Trace, name: str) -> None:
    """Refuse a trace that cannot be drawn.

    Args:
        trace: To draw.
        name: Of its picture.

    Raises:
        FaaError: If its kind is none of those there are, or its values do not fit together.
    """
    what = f"The picture '{safe(name)}'"
    if trace.kind not in KINDS:
        raise FaaError(f"{what} has a trace of kind {safe(repr(trace.kind)):.40}; there are {', '.join(KINDS)}.")
    if len(trace.x) != len(trace.y):
        places, values = counted(len(trace.x), "place"), counted(len(trace.y), "value")
        raise FaaError(f"{what} has a trace of {places} and {values}; give as many of both.")
    if len(trace.spread) != (len(trace.y) if trace.kind == "band" else 0) or any(value < 0 for value in trace.spread):
        raise FaaError(f"{what} has a trace with a wrong spread; a band has one for each value, never negative.")
    if trace.shade is not None and not 0 <= trace.shade <= 1:
        raise FaaError(f"{what} has a trace of shade {trace.shade}; give 0 … 1.")
    if trace.colour is not None and trace.colour < 0:
        raise FaaError(f"{what} has a trace of colour {trace.colour}; give a number from 0.")


def _draw_legend(figure: Figure, axes: "NDArray[Any]", title: str) -> None:
    """Draw one legend beside all panels, each label once, the last trace at the top, as bars lie on each other."""
    entries: dict[str, Any] = {}
    for axis in axes:
        handles, labels = axis.get_legend_handles_labels()
        entries = dict(zip(labels, handles, strict=True)) | entries
    handles, labels = [*reversed(entries.values())], [*reversed(entries)]
    figure.legend(handles, labels, title=title, fontsize=7, title_fontsize=8, loc="outside right upper")


def _draw(axis: Axes, panel: Panel) -> None:
    """Draw a panel: bars and areas upon those before them."""
    below: dict[str, dict[float, float]] = {"area": {}, "bars": {}}
    for number, trace in enumerate(panel.traces):
        _draw_trace(axis, trace, number, below.get(trace.kind, {}))
    for place in panel.borders:
        axis.axvline(place, color="0.6", linewidth=0.8, linestyle="--")
    axis.set_title(short(panel.title), fontsize=8, loc="left", parse_math=False)
    axis.tick_params(labelsize=6)
    if panel.x_range is not None:
        low, high = panel.x_range
        axis.set_xlim(low - MARGIN * (high - low), high + MARGIN * (high - low))
        axis.set_xticks([low, high])
    if panel.x_ticks:
        names = [short(name) for _place, name in panel.x_ticks]
        turned = 90 if sum(map(len, names)) > LONG_TICKS else 0
        axis.set_xticks([place for place, _name in panel.x_ticks], names, rotation=turned, parse_math=False)
    axis.set_xlabel(short(panel.x_label), fontsize=8, labelpad=-8 if panel.x_range else None, parse_math=False)
    axis.set_ylabel(short(panel.y_label), fontsize=8, parse_math=False)


def _draw_trace(axis: Axes, trace: Trace, number: int, below: dict[float, float]) -> None:
    """Draw a trace on the sums of those before it, and add its own to them."""
    label, colour = short(trace.label) or None, _colour(trace, number)
    if trace.kind == "points":
        size, seen = (14.0, 1.0) if trace.marked else (5.0, 0.5)
        shade = "C3" if trace.marked else colour
        axis.scatter(trace.x, trace.y, s=size, color=shade, linewidths=0, alpha=seen, label=label)
    elif trace.kind == "line":
        axis.plot(trace.x, trace.y, color=colour, linewidth=2.0 if trace.marked else 1.0, label=label)
    elif trace.kind == "band":
        middle, spread = np.asarray(trace.y, dtype=float), np.asarray(trace.spread, dtype=float)
        axis.fill_between(trace.x, middle - spread, middle + spread, color=colour, alpha=0.3, linewidth=0, label=label)
    else:
        bottom = [below.get(place, 0.0) for place in trace.x]
        top = [low + value for low, value in zip(bottom, trace.y, strict=True)]
        below.update(zip(trace.x, top, strict=True))
        if trace.kind == "area":
            axis.fill_between(trace.x, bottom, top, color=colour, linewidth=0, label=label)
        else:
            _draw_bars(axis, trace, bottom, colour, label)


def _draw_bars(axis: Axes, trace: Trace, bottom: Sequence[float], colour: Any, label: str | None) -> None:
    """Draw bars where they have a height: one without would still keep the axis from reaching beyond it."""
    bars = [bar for bar in zip(trace.x, trace.y, bottom, strict=True) if bar[1]]
    x, heights, bottoms = zip(*bars, strict=True) if bars else ((), (), ())
    hatch = HATCHES[(trace.colour or 0) // len(PALETTE) % len(HATCHES)]
    axis.bar(x, heights, bottom=bottoms, color=colour, edgecolor="white", linewidth=0.3, hatch=hatch, label=label)


def _colour(trace: Trace, number: int) -> Any:
    """Return a trace's colour, as matplotlib takes it."""
    if trace.shade is not None:
        return SHADES(trace.shade)
    return f"C{number}" if trace.colour is None else PALETTE[trace.colour % len(PALETTE)]
