"""The picture of a search's trials: what every operation did to the reward, by probability and by magnitude."""

from collections.abc import Sequence
from pathlib import Path

from faa_core.text import counted
from faa_search.runs.opening import SearchRun, open_run
from faa_search.runs.records.pictures import Panel, Picture, Trace
from faa_search.runs.records.trials import Trial
from faa_search.settings import SearchConfig

Use = tuple[float, float, float, bool]  # p, λ, the trial's reward less its fold's mean, whether it is its fold's best

COLUMNS = 5  # operations side by side
PANEL = (1.425, 1.9)  # inches


def pictures(directory: Path) -> tuple[Picture, ...]:
    """Return the picture of the trials, if there are any: somebody may have removed them from a finished search.

    Two panels for every operation: each use in a trial is a point, the trial's reward over its p and over its λ. Uses
    of the trial with the best reward are marked. Rewards are shown less the mean of their fold: networks differ.

    Args:
        directory: The run's.

    Raises:
        FaaError: If something in it is damaged.
    """
    run = open_run(directory)
    if not isinstance(run, SearchRun) or not isinstance(run.settings, SearchConfig) or not run.trials:
        return ()
    settings, number = run.settings, counted(len(run.trials), "trial")
    uses = sorted(uses_of(run.trials).items())
    return (
        Picture(
            name="trials",
            title=f"{settings.dataset}, {settings.model}: {number}; red: the best of each fold",
            panels=[panel for name, points in uses for panel in _panels(name, points)],
            columns=2 * COLUMNS,
            y_label=f"{settings.reward}, less its fold's mean",
            panel_size=PANEL,
        ),
    )


def uses_of(trials: Sequence[Trial]) -> dict[str, list[Use]]:
    """Return by operation its uses."""
    found: dict[str, list[Use]] = {}
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


def _panels(name: str, uses: Sequence[Use]) -> tuple[Panel, Panel]:
    """Return the reward over p and over λ."""
    return (
        Panel(title=name, traces=_traces(uses, 0), x_label="p", x_range=(0, 1)),
        Panel(traces=_traces(uses, 1), x_label="λ", x_range=(0, 1)),
    )


def _traces(uses: Sequence[Use], place: int) -> list[Trace]:
    parts = [([use for use in uses if use[3] == marked], marked) for marked in (False, True)]
    return [
        Trace(x=[float(use[place]) for use in part], y=[use[2] for use in part], marked=marked)
        for part, marked in parts
        if part
    ]
