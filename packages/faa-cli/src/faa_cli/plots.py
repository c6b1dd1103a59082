"""Pictures, by matplotlib, written as PNG without a display."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from faa_core import FaaError, Policy
from faa_core.files import replacing
from faa_search.comparison import Comparison
from faa_search.data import OpenedData
from faa_search.data.sizing import fitted


def save_preview(path: str | Path, policy: Policy, data: OpenedData, *, images: int, draws: int, seed: int) -> None:
    """Write a grid: one image a row, as it is in the first column and in `draws` augmented draws beside it."""
    source = data.train
    indices = np.linspace(0, len(source) - 1, min(images, len(source))).round().astype(int)
    figure = Figure(figsize=(1.1 * (draws + 1), 1.1 * len(indices) + 0.5), layout="constrained")
    axes = figure.subplots(len(indices), draws + 1, squeeze=False)
    for row, index in enumerate(indices):
        original = fitted(source.image(int(index)), data.size)
        shown = [original] + [policy.apply(original, seed=seed, epoch=n, index=int(index)) for n in range(draws)]
        for axis, image in zip(axes[row], shown, strict=True):
            axis.imshow(np.asarray(image), interpolation="nearest")
            axis.set_axis_off()
        axes[row][0].set_title(source.class_names[source.labels[index]], fontsize=8)
    figure.suptitle(f"{policy.name}: the image, and {draws} draws", fontsize=10)
    save_figure(figure, path)


def save_comparison(path: str | Path, comparison: Comparison, *, title: str) -> None:
    """Write the test errors of every policy and seed, with means and 95 % intervals; a line joins a seed's runs."""
    figure = Figure(figsize=(1.6 * len(comparison.policies) + 2, 4), layout="constrained")
    axis = figure.subplots()
    places = range(len(comparison.policies))
    for errors in zip(*(policy.errors for policy in comparison.policies), strict=True):
        axis.plot(places, errors, color="0.8", marker="o", markersize=4, linewidth=1, zorder=1)
    for place, policy in zip(places, comparison.policies, strict=True):
        reach = policy.mean - policy.low
        axis.errorbar(place, policy.mean, yerr=reach, fmt="s", color="C0", capsize=6, markersize=7, zorder=2)
        axis.annotate(f"{policy.mean:.2f}", (place, policy.mean), xytext=(10, -3), textcoords="offset points")
    axis.set_xticks(list(places), [policy.name for policy in comparison.policies])
    axis.set_xlim(-0.5, len(comparison.policies) - 0.5)
    axis.set_ylabel("test error, %")
    axis.set_title(title, fontsize=10)
    save_figure(figure, path)


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG, atomically.

    Raises:
        FaaError: If the file cannot be written.
    """
    try:
        with replacing(Path(path)) as temporary:
            FigureCanvasAgg(figure)
            figure.savefig(temporary, format="png", dpi=100)
    except OSError as error:
        raise FaaError(f"The picture '{path}' cannot be written: {error}") from error
