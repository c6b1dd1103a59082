"""Pictures, by matplotlib, written as PNG or SVG without a display."""

import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL.Image import Image as PILImage
from PIL.Image import Resampling

from faa_cli.fonts import drawable, take_fonts
from faa_core import Policy
from faa_core.files import replacing
from faa_core.text import counted, safe, shortened
from faa_search.data import OpenedData
from faa_search.data.sizing import fitted
from faa_search.progress import Reporter, Silent

if TYPE_CHECKING:
    from faa_search.measuring.evaluation.robustness import Robustness

CELL, GAP = 100, 10  # pixels of a preview: an image's side, and between two
NUMBERED = 20  # classes up to which a confusion matrix shows its counts
NAMED = 120  # and names every class
LONGEST = 30  # characters of a class's name
WIDTH_OF_LETTER = 0.65 / 72  # inches a letter is wide, for each point of the font's size
TITLE_WIDTH = 70  # characters of a title side by side
LONGEST_TITLE = 280


def save_preview(
    path: str | Path,
    policy: Policy,
    data: OpenedData,
    *,
    images: int,
    draws: int,
    seed: int,
    reporter: Reporter | None = None,
) -> None:
    """Write a grid: one image a row, as it is in the first column and in `draws` augmented draws beside it.

    Args:
        path: PNG file.
        policy: To draw from.
        data: Whose training images are shown.
        images: Rows; as many as there are, if there are fewer.
        draws: Of each image.
        seed: Keys the draws.
        reporter: Shown the progress, a row at a time; silent when None.

    Raises:
        FaaError: If an image cannot be read, or the file cannot be written.
    """
    source, shown = data.train, reporter or Silent()
    indices = np.linspace(0, len(source) - 1, min(images, len(source))).round().astype(int)
    figure = Figure(figsize=(1.1 * (draws + 1), 1.1 * len(indices) + 0.5), layout="constrained")
    rows = figure.subplots(len(indices), 1, squeeze=False)[:, 0]  # a panel for each draw would take half a minute
    with shown.track("Images", len(indices)) as advance:
        for axis, index in zip(rows, indices.tolist(), strict=True):
            original = fitted(source.image(index), data.size)
            drawn = [policy.apply(original, seed=seed, epoch=n, index=index) for n in range(draws)]
            axis.imshow(_side_by_side([original, *drawn]), interpolation="nearest")
            axis.set_axis_off()
            name = short(source.class_names[source.labels[index]])
            axis.set_title(name, fontsize=8, loc="left", parse_math=False)
            advance()
    set_heading(figure, f"{policy.name}: the image, and {counted(draws, 'draw')}")
    save_figure(figure, path)


def _side_by_side(images: Sequence[PILImage]) -> NDArray[np.uint8]:
    """Return square images as one row of cells with white between them, uint8 ``[H, W, 3]``."""
    cells_BHWC = np.full((len(images), CELL, CELL + GAP, 3), 255, dtype=np.uint8)
    for cell, image in zip(cells_BHWC, images, strict=True):
        resample = Resampling.NEAREST if image.width < CELL else Resampling.BOX
        cell[:, :CELL] = np.asarray(image.resize((CELL, CELL), resample))
    row: NDArray[np.uint8] = np.concatenate([*cells_BHWC], axis=1)[:, :-GAP]
    return row


def save_confusion(
    path: str | Path, confusion: Sequence[Sequence[int]], class_names: Sequence[str], *, title: str
) -> None:
    """Write a confusion matrix: a row for each true class, coloured by fractions of it, with counts where few fit.

    Args:
        path: PNG file.
        confusion: Images of each true class (outer) predicted as each class (inner).
        class_names: One per class.
        title: Above it.

    Raises:
        FaaError: If the file cannot be written.
    """
    counts_CC = np.array(confusion)
    fractions_CC = counts_CC / np.maximum(counts_CC.sum(axis=1, keepdims=True), 1)
    classes = len(class_names)
    names = [short(name) for name in class_names]
    font = max(4.0, min(9.0, 500 / classes))
    matrix = min(1.5 + 0.42 * classes, 14)
    beside = WIDTH_OF_LETTER * font * max(map(len, names))  # the names', left of the matrix and below it
    figure = Figure(figsize=(matrix + beside + 1.6, matrix + beside + 1), layout="constrained")
    axis = figure.subplots()
    # The root, as errors are few: 1 % is to be seen beside 99 %.
    picture = axis.imshow(fractions_CC, cmap="Blues", norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
    figure.colorbar(picture, ax=axis, shrink=0.7, label="fraction of the true class", format="{x:.0%}")
    if classes <= NUMBERED:
        texts = [[str(count) if count else "" for count in row] for row in counts_CC]
        _write_cells(axis, texts, fractions_CC > 0.4)
    every = -(-classes // NAMED)
    places = range(0, classes, every)
    axis.set_xticks(places, names[::every], rotation=90, fontsize=font, parse_math=False)
    axis.set_yticks(places, names[::every], fontsize=font, parse_math=False)
    axis.set_xlabel("predicted as")
    axis.set_ylabel("true class")
    set_title(axis, title)
    save_figure(figure, path)


def save_corruptions(path: str | Path, robust: "Robustness", *, title: str) -> None:
    """Write the error of each corruption at each severity as a coloured table.

    Raises:
        FaaError: If the file cannot be written.
    """
    errors_NS = 100 * np.array(list(robust.errors.values()))
    figure = Figure(figsize=(7, 1.6 + 0.34 * len(errors_NS)), layout="constrained")
    axis = figure.subplots()
    picture = axis.imshow(errors_NS, cmap="Blues", vmin=0, vmax=100, aspect="auto", interpolation="nearest")
    figure.colorbar(picture, ax=axis, label="error, %")
    _write_cells(axis, [[f"{error:.1f}" for error in row] for row in errors_NS], errors_NS > 55)
    axis.set_yticks(range(len(errors_NS)), [name.replace("_", " ") for name in robust.errors])
    axis.set_xticks(range(errors_NS.shape[1]), [str(number + 1) for number in range(errors_NS.shape[1])])
    axis.set_xlabel("severity")
    set_title(axis, f"{safe(title)}\nmean corruption error {100 * robust.mean_error:.2f} %, un-normalised")
    save_figure(figure, path)


def _write_cells(axis: Axes, texts: Sequence[Sequence[str]], dark: NDArray[np.bool_]) -> None:
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            colour = "white" if dark[row, column] else "black"
            axis.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)


def short(name: str) -> str:
    """Return a class's name as one line that can be drawn, its middle left out if it is long."""
    return drawable(shortened(safe(name), LONGEST))


def set_title(axis: Axes, title: str) -> None:
    """Set a title that may hold a path: in lines, and with dollars as they are."""
    axis.set_title(_in_lines(title), fontsize=10, parse_math=False)


def set_heading(figure: Figure, title: str) -> None:
    """Set a title above all axes of a figure, as `set_title` does above one."""
    figure.suptitle(_in_lines(title), fontsize=10, parse_math=False)


def _in_lines(title: str) -> str:
    lines = [drawable(shortened(safe(line), LONGEST_TITLE)) for line in title.split("\n")]
    return "\n".join(part for line in lines for part in textwrap.wrap(line, TITLE_WIDTH))


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as its path's suffix says, SVG or else PNG, atomically.

    Raises:
        FaaError: If the file cannot be written.
    """
    take_fonts(figure)
    with replacing(Path(path)) as temporary, warnings.catch_warnings():
        # Letters of such scripts are drawn side by side, in the order of reading.
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support .* natively")
        if Path(path).suffix.lower() == ".svg":
            FigureCanvasSVG(figure)
            with rc_context({"svg.hashsalt": figure.get_suptitle()}):  # else every file has other names inside
                figure.savefig(temporary, format="svg", metadata={"Date": None})
        else:
            FigureCanvasAgg(figure)
            figure.savefig(temporary, format="png", dpi=100)
