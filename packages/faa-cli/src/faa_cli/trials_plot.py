"""The picture of a search's trials: what every operation did to the reward, by probability and by magnitude."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from faa_cli.plots import save_figure, set_heading, short

if TYPE_CHECKING:
    from faa_search.searching.fast import Trial

COLUMNS = 5  # operations side by side
SIDE = 1.9  # inches of a panel


def save_trials(path: str | Path, trials: Sequence["Trial"], *, reward: str, title: str) -> None:
    """Write a panel for every operation: each use in a trial is a point, the trial's reward over its p and its λ.

    Uses of the trial with the best reward are marked. Rewards are shown less the mean of their fold, since networks
    differ.

    Args:
        path: PNG file.
        trials: To show.
        reward: Its name, for the axis.
        title: Above it.

    Raises:
        FaaError: If the file cannot be written.
    """
    uses = _uses(trials)
    rows = -(-len(uses) // COLUMNS)
    figure = Figure(figsize=(2 * SIDE * COLUMNS * 0.75, SIDE * rows + 0.8), layout="constrained")
    axes = figure.subplots(rows, 2 * COLUMNS, sharey=True, squeeze=False)
    panels = [(row[at], row[at + 1]) for row in axes for at in range(0, 2 * COLUMNS, 2)]
    for (left, right), (name, points) in zip(panels, sorted(uses.items()), strict=False):
        for axis, at, label in ((left, 0, "p"), (right, 1, "λ")):
            _draw(axis, [(point[at], point[2], point[3]) for point in points], label)
        left.set_title(short(name), fontsize=8, loc="left", parse_math=False)
    for pair in panels[len(uses) :]:
        for axis in pair:
            axis.set_axis_off()
    figure.supylabel(f"{reward}, less its fold's mean", fontsize=8)
    set_heading(figure, title)
    save_figure(figure, path)


def _uses(trials: Sequence["Trial"]) -> dict[str, list[tuple[float, float, float, bool]]]:
    """Return by operation each use's p, λ, its trial's centred reward, and whether that trial is its fold's best."""
    found: dict[str, list[tuple[float, float, float, bool]]] = {}
    for fold in sorted({trial.fold for trial in trials}):
        own = [trial for trial in trials if trial.fold == fold]
        mean = sum(trial.reward for trial in own) / len(own)
        leader = max(own, key=lambda trial: trial.reward)
        for trial in own:
            for label, name in trial.params.items():
                if label.startswith("op_"):
                    use = label.removeprefix("op_")
                    p, magnitude = float(trial.params[f"p_{use}"]), float(trial.params[f"magnitude_{use}"])
                    found.setdefault(str(name), []).append((p, magnitude, trial.reward - mean, trial is leader))
    return found


def _draw(axis: Axes, points: Sequence[tuple[float, float, bool]], label: str) -> None:
    for best, colour, size in ((False, "C0", 5.0), (True, "C3", 14.0)):
        chosen = [(place, reward) for place, reward, is_best in points if is_best == best]
        if chosen:
            places, rewards = zip(*chosen, strict=True)
            axis.scatter(places, rewards, s=size, c=colour, linewidths=0, alpha=1.0 if best else 0.5)
    axis.set_xlim(-0.05, 1.05)
    axis.set_xticks([0, 1])
    axis.set_xlabel(label, fontsize=8, labelpad=-8)
    axis.tick_params(labelsize=6)
