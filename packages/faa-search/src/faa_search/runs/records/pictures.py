"""Pictures of a run as data: the code that shows them draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

GREY = 7  # number of the colour that stands for none of the others


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Points, a line through them, a band about a line, or bars or an area that lie on those before them.

    Attributes:
        x: Places along the axis.
        y: As many values.
        kind: How they are drawn.
        label: In the legend of its panel; empty for none.
        marked: Whether it is to be seen before the others.
        spread: Of a band, how far it reaches above and below each value, never negative; of others none.
        colour: Number of its colour, the same in all panels, from 0; None for its place among the traces.
        shade: In place of a colour: where it lies from 0 (blue) over ½ (pale) to 1 (red).
    """

    x: Sequence[float]
    y: Sequence[float]
    kind: Literal["points", "line", "area", "band", "bars"] = "points"
    label: str = ""
    marked: bool = False
    spread: Sequence[float] = ()
    colour: int | None = None
    shade: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A pair of axes.

    Attributes:
        traces: In it, the first at the back.
        title: Above it.
        x_label: Below it.
        x_range: Both ends of its axis; None for what the traces need.
        x_ticks: Places on its axis, and what stands there; none for numbers.
        y_label: Beside it.
        borders: Places on its axis where an upright line parts what is left of it and right of it.
    """

    traces: Sequence[Trace]
    title: str = ""
    x_label: str = ""
    x_range: tuple[float, float] | None = None
    x_ticks: Sequence[tuple[float, str]] = ()
    y_label: str = ""
    borders: Sequence[float] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Panels in rows.

    Attributes:
        name: Of its file, without a suffix.
        title: Above all panels.
        panels: In the order of reading.
        columns: Panels side by side.
        y_label: Beside all panels.
        panel_size: Width and height of a panel, in inches.
        shared_y: Whether all panels have the same range of y.
        legend_title: Above a legend that all panels share, beside them; empty where each panel has its own inside.
    """

    name: str
    title: str
    panels: Sequence[Panel]
    columns: int = 1
    y_label: str = ""
    panel_size: tuple[float, float] = (7.0, 3.5)
    shared_y: bool = True
    legend_title: str = ""
