"""Pictures of a run as data: the code that shows them draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Points, a line through them, or an area that lies on the areas before it.

    Attributes:
        x: Places along the axis.
        y: As many values.
        kind: How they are drawn.
        label: In the legend of its panel; empty for none.
        marked: Whether it is to be seen before the others.
    """

    x: Sequence[float]
    y: Sequence[float]
    kind: Literal["points", "line", "area"] = "points"
    label: str = ""
    marked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A pair of axes.

    Attributes:
        traces: In it, the first at the back.
        title: Above it.
        x_label: Below it.
        x_range: Both ends of its axis; None for what the traces need.
    """

    traces: Sequence[Trace]
    title: str = ""
    x_label: str = ""
    x_range: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Panels in rows that share the range of y.

    Attributes:
        name: Of its file, without a suffix.
        title: Above all panels.
        panels: In the order of reading.
        columns: Panels side by side.
        y_label: Beside all panels.
        panel_size: Width and height of a panel, in inches.
    """

    name: str
    title: str
    panels: Sequence[Panel]
    columns: int = 1
    y_label: str = ""
    panel_size: tuple[float, float] = (7.0, 3.5)
