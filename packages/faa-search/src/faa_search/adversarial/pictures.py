"""Pictures of what a controller drew while a network was trained, and of how it learnt."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, log
from pathlib import Path
from statistics import fmean

import numpy as np

from faa_core.text import counted
from faa_search.adversarial.learning import LOW_ENTROPY, shares
from faa_search.adversarial.space import LEVELS, OPERATIONS, SUB_POLICIES, allowed_choices, make_space
from faa_search.adversarial.steps import ControllerStep, read_steps
from faa_search.runs.opening import TrainingRun, open_run
from faa_search.runs.records.pictures import GREY, Panel, Picture, Trace
from faa_search.settings import TrainConfig

MOST = 100  # places along the axis; of more, means are shown
FEW = 10  # epochs below which a mean may be over a part of one
AREA, CURVE = (8.0, 4.5), (8.0, 1.6)  # inches


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Steps that are shown as one, by their means.

    Attributes:
        place: Where they lie, in epochs: 1 is the end of the first.
        steps: In order, one at least.
    """

    place: float
    steps: Sequence[ControllerStep]

    def mean(self, value: Callable[[ControllerStep], float]) -> float:
        """Return the mean of a value of the steps."""
        return fmean(map(value, self.steps))


def run_pictures(directory: Path) -> tuple[Picture, ...]:
    """Return the pictures of a training's controller: ``levels``, ``operations`` and ``curves``.

    Args:
        directory: The run's.

    Raises:
        FaaError: If it has no journal of a controller, or something in it is damaged.
    """
    steps = read_steps(directory)
    run = open_run(directory)
    return step_pictures(steps, most_entropy=_most_entropy(run.settings) if isinstance(run, TrainingRun) else None)


def step_pictures(steps: Sequence[ControllerStep], *, most_entropy: float | None = None) -> tuple[Picture, ...]:
    """Return the pictures of a controller's steps; without any, none.

    Args:
        steps: In order.
        most_entropy: That a policy can have, nats; None where it is not known.
    """
    if not steps:
        return ()
    per_epoch = steps[0].per_epoch
    epochs = len({step.epoch for step in steps})
    part = per_epoch if epochs >= FEW else 1
    size = part * ceil(len(steps) / (part * MOST))
    windows = windows_of(steps, size=size, per_epoch=per_epoch)
    known = f"{counted(len(steps), 'step')} in {counted(epochs, 'epoch')}{_in_words(size, per_epoch)}"
    return (*_shares(windows, known), _curves(windows, known, most_entropy))


def windows_of(steps: Sequence[ControllerStep], *, size: int, per_epoch: int) -> list[Window]:
    """Return steps in windows, in order; a single window twice, at both of its ends, so that it can be seen.

    Args:
        steps: In order; some may be lost.
        size: Of a window, in steps.
        per_epoch: Steps in an epoch.
    """
    parts: dict[int, list[ControllerStep]] = {}
    for step in steps:
        parts.setdefault((step.number - 1) // size, []).append(step)
    if len(parts) > 1:
        return [Window(place=fmean(step.number for step in part) / per_epoch, steps=part) for part in parts.values()]
    ends = (steps[0].number - 1, steps[-1].number)
    return [Window(place=end / per_epoch, steps=steps) for end in ends]


def _most_entropy(settings: TrainConfig) -> float:
    """Return the entropy of a policy that is uniform over what a controller may choose, nats."""
    space = make_space(settings.controller_space, sample_pairing=settings.controller_sample_pairing)
    choices = int(allowed_choices(space, settings.controller_max_strength).sum())
    return SUB_POLICIES * OPERATIONS * log(choices)


def _in_words(size: int, per_epoch: int) -> str:
    """Return what a place along the axis stands for, if for more than a step."""
    if size == 1:
        return ""
    epochs, rest = divmod(size, per_epoch)
    what = counted(size, "step") if rest else "an epoch" if epochs == 1 else counted(epochs, "epoch")
    return f"; means of {what} each"


def _shares(windows: Sequence[Window], known: str) -> tuple[Picture, Picture]:
    """Return areas on each other for each level, and for each operation that was drawn; they add up to 1."""
    names = windows[0].steps[0].full_space.names
    rows = [shares(np.concatenate([step.actions for step in window.steps]), len(names)) for window in windows]
    x = [window.place for window in windows]
    levels = [
        Trace(
            kind="area", x=x, y=[of_levels[level] for _of_operations, of_levels, _largest in rows], label=str(level),
            shade=level / (LEVELS - 1),
        )
        for level in range(LEVELS)
    ]  # fmt: skip
    operations = [
        Trace(kind="area", x=x, y=y, label=name, colour=number)
        for number, name in enumerate(names)
        if any(y := [of_operations[number] for of_operations, _of_levels, _largest in rows])
    ]
    return _stacked("levels", "level", levels, known), _stacked("operations", "operation", operations, known)


def _stacked(name: str, what: str, traces: Sequence[Trace], known: str) -> Picture:
    return Picture(
        name=name,
        title=f"What the controller drew, by {what}\n{known}",
        panels=[Panel(traces=traces, x_label="epoch")],
        y_label="share of what was drawn",
        panel_size=AREA,
        legend_title=what,
    )


def _curves(windows: Sequence[Window], known: str, most_entropy: float | None) -> Picture:
    """Return how the controller learnt, what it drew, and what that cost the network."""
    x = [window.place for window in windows]
    limit, said = [], "red: the least, mean and largest loss of the copies"
    if most_entropy is not None:
        limit = [Trace(kind="line", x=x, y=[LOW_ENTROPY * most_entropy] * len(x), colour=GREY)]
        said += f"\ngrey: {100 * LOW_ENTROPY:.0f} % of the largest entropy, below which it has collapsed"
    entropy = _line(windows, lambda step: step.entropy, 1)
    panels = [
        Panel(title="loss of the controller", traces=[_line(windows, lambda step: step.loss, 0)]),
        Panel(title="entropy of a policy, nats", traces=[*limit, entropy]),
        Panel(title="weight of the entropy", traces=[_line(windows, lambda step: step.entropy_weight, 4)]),
        Panel(title="strength, from 0 to 1", traces=_strength(windows)),
        Panel(title="loss of the network", traces=_losses(windows), x_label="epoch"),
    ]
    return Picture(
        name="curves",
        title=f"How the controller learnt\n{known}\n{said}",
        panels=[panel for panel in panels if panel.traces],
        panel_size=CURVE,
        shared_y=False,
    )


def _line(windows: Sequence[Window], value: Callable[[ControllerStep], float], colour: int) -> Trace:
    x, y = [window.place for window in windows], [window.mean(value) for window in windows]
    return Trace(kind="line", x=x, y=y, colour=colour)


def _strength(windows: Sequence[Window]) -> list[Trace]:
    """Return a line through the windows in which something with a strength was drawn; without any, none."""
    known = [
        (window.place, [step.strength for step in window.steps if step.strength is not None]) for window in windows
    ]
    x, y = [place for place, values in known if values], [fmean(values) for _place, values in known if values]
    return [Trace(kind="line", x=x, y=y, colour=2)] if x else []


def _losses(windows: Sequence[Window]) -> list[Trace]:
    """Return the mean loss of the copies, before a band from the least to the largest."""
    mean = _line(windows, lambda step: fmean(step.losses), 3)
    ends = [
        (window.mean(lambda step: min(step.losses)), window.mean(lambda step: max(step.losses))) for window in windows
    ]
    middle, half = [(low + high) / 2 for low, high in ends], [(high - low) / 2 for low, high in ends]
    return [Trace(kind="band", x=mean.x, y=middle, spread=half, colour=3), mean]
