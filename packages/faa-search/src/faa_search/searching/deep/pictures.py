"""Pictures of a policy of layers, and of how a search learnt one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path

from faa_core import Layers, Operation
from faa_core.text import counted
from faa_search.runs.files import UPDATES
from faa_search.runs.journal import Journal
from faa_search.runs.opening import SearchRun, open_run
from faa_search.runs.records.pictures import GREY, Panel, Picture, Trace
from faa_search.searching.deep.updates import Update

Weights = Mapping[tuple[str, float], float]  # probability of an operation at a magnitude λ
Row = tuple[int, int, float, float, float]  # layer from 0, its update from 1, cosine, its deviation, entropy in nats

STEPS = 5  # of the magnitude, to either side of ½, that are told apart by colour
BAR = 0.55  # inches for each operation or layer side by side
SMALL_PANEL = (1.75, 1.15)  # inches


def run_pictures(directory: Path) -> tuple[Picture, ...]:
    """Return the pictures of the layers that a run found, and of how it found them.

    Raises:
        FaaError: If something in the run's directory is damaged.
    """
    run = open_run(directory)
    policy = run.policy if isinstance(run, SearchRun) else None
    rows = [
        (update.layer, update.number + 1, update.cosine, update.spread, update.entropy)
        for update in Journal(directory / UPDATES, Update).read()
    ]
    return (*(policy_pictures(policy) if isinstance(policy, Layers) else ()), *curve_pictures(rows))


def policy_pictures(policy: Layers) -> tuple[Picture, ...]:
    """Return what each layer picks: ``operations``, ``magnitudes`` within each operation, and both ``together``.

    Only operations with several magnitudes are in the second; without any, it is left out.
    """
    layers = [_weights(policy, number) for number in range(len(policy.layers))]
    names = policy.operation_names()
    magnitudes = {
        name: sorted({magnitude for layer in layers for op, magnitude in layer if op == name}) for name in names
    }
    several = [name for name in names if len(magnitudes[name]) > 1]
    return (
        _operations(policy, layers),
        *([_magnitudes(policy, layers, {name: magnitudes[name] for name in several})] if several else []),
        _together(policy, layers, several),
    )


def curve_pictures(rows: Sequence[Row], *, name: str = "curves") -> tuple[Picture, ...]:
    """Return how every layer was learnt: the cosine similarity, a deviation about it, and the layer's entropy.

    Args:
        rows: One for each update that was written down, a layer's in order.
        name: Of the picture's file.
    """
    parts: dict[int, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row[0]):
        parts[row[0]].append(row)
    if not parts:
        return ()
    starts = [0, *accumulate(part[-1][1] for part in parts.values())]
    similarity: list[Trace] = []
    entropy: list[Trace] = []
    for number, (start, part) in enumerate(zip(starts, parts.values(), strict=False)):
        x = [start + row[1] for row in part]
        means, deviations, entropies = ([row[at] for row in part] for at in (2, 3, 4))
        band, line = ("± a standard deviation", "mean") if number == 0 else ("", "")
        similarity += [
            Trace(kind="band", x=x, y=means, spread=deviations, colour=0, label=band),
            Trace(kind="line", x=x, y=means, colour=0, label=line),
        ]
        entropy.append(Trace(kind="line", x=x, y=entropies, colour=1))
    between = [end + 0.5 for end in starts[1:-1]]
    return (
        Picture(
            name=name,
            title=f"{counted(len(parts), 'layer')}, {counted(starts[-1], 'update')}; upright lines part the layers",
            panels=[
                Panel(traces=similarity, x_label="update", y_label="cosine similarity", borders=between),
                Panel(traces=entropy, x_label="update", y_label="entropy of the layer, nats", borders=between),
            ],
            shared_y=False,
        ),
    )


def _weights(policy: Layers, number: int) -> Weights:
    """Return a layer's probabilities; the same operation at the same magnitude may be there several times."""
    found: dict[tuple[str, float], float] = defaultdict(float)
    for choice in policy.layers[number]:
        found[choice.op, choice.magnitude] += choice.probability
    return found


def _of(layer: Weights, name: str) -> float:
    return sum(weight for (op, _magnitude), weight in layer.items() if op == name)


def _operations(policy: Layers, layers: Sequence[Weights]) -> Picture:
    """Return a bar for each layer, of a part for each operation, in per cent."""
    names, places = policy.operation_names(), list(range(1, len(layers) + 1))
    traces = [
        Trace(kind="bars", x=places, y=[100 * _of(layer, name) for layer in layers], label=name, colour=number)
        for number, name in enumerate(names)
    ]
    return Picture(
        name="operations",
        title=f"{policy.name}: what each layer picks",
        panels=[Panel(traces=traces, x_label="layer", x_ticks=[(place, str(place)) for place in places])],
        y_label="probability, %",
        panel_size=(4.5 + BAR * len(places), 5.0),
        legend_title="operation",
    )


def _magnitudes(policy: Layers, layers: Sequence[Weights], magnitudes: Mapping[str, Sequence[float]]) -> Picture:
    """Return a panel for each layer and operation: its magnitudes among each other, which add up to 1."""
    colours = {name: number for number, name in enumerate(policy.operation_names())}
    panels = []
    for number, layer in enumerate(layers, start=1):
        for name, values in magnitudes.items():
            total = _of(layer, name)
            places = list(range(1, len(values) + 1))
            shares = [layer.get((name, value), 0.0) / total if total else 0.0 for value in values]
            labels = _labels(policy.table[name], values)
            panels.append(
                Panel(
                    title=f"{number}: {name}, {100 * total:.1f} %",
                    traces=[Trace(kind="bars", x=places, y=shares, colour=colours[name])],
                    x_ticks=list(zip(map(float, places), labels, strict=True)),
                )
            )
    return Picture(
        name="magnitudes",
        title=f"{policy.name}: which magnitudes each layer picks, by operation",
        panels=panels,
        columns=len(magnitudes),
        y_label="probability within the operation",
        panel_size=SMALL_PANEL,
    )


def _labels(operation: Operation, values: Sequence[float]) -> list[str]:
    """Return what stands below magnitudes: steps from the one that changes nothing, if between them, else places."""
    neutral = operation.identity
    if neutral is None or not values[0] < neutral < values[-1]:
        return [str(place) for place in range(1, len(values) + 1)]
    below = sum(value < neutral for value in values)
    return [
        str(at - below if value < neutral else at - below + (neutral not in values)) for at, value in enumerate(values)
    ]


def _together(policy: Layers, layers: Sequence[Weights], several: Sequence[str]) -> Picture:
    """Return a bar for each operation, of a part for each step of the magnitude, over all layers."""
    names = policy.operation_names()
    heights: dict[int | None, list[float]] = {None: [0.0] * len(names)}
    heights |= {step: [0.0] * len(names) for step in range(-STEPS, STEPS + 1)}
    for layer in layers:
        for (name, magnitude), weight in layer.items():
            step = round((2 * magnitude - 1) * STEPS) if name in several else None
            heights[step][names.index(name)] += weight
    traces = [
        Trace(
            kind="bars", x=list(range(len(names))), y=height, label="one only" if step is None else str(step),
            shade=None if step is None else (step + STEPS) / (2 * STEPS), colour=GREY if step is None else None,
        )
        for step, height in heights.items() if any(height)
    ]  # fmt: skip
    return Picture(
        name="together",
        title=f"{policy.name}: what all layers pick together",
        panels=[Panel(traces=traces, x_ticks=[(float(at), name) for at, name in enumerate(names)])],
        y_label="sum of probabilities",
        panel_size=(2.5 + 0.75 * BAR * len(names), 4.5),
        legend_title="magnitude, -5 … 5",
    )
