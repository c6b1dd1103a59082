"""A policy as tables: a plain drawing from them, one number at a time, gives the steps of every kind of policy."""

import statistics

import numpy as np
import pytest

from faa_core import (
    Choice,
    LayeredSubPolicies,
    Layers,
    Op,
    Operation,
    Parametric,
    Policy,
    SubPolicies,
    plugins,
    random_policy,
)
from faa_core.operations import table
from faa_core.policies.stages import NOTHING, Stages
from faa_core.randomness import key_of, uniforms

MANY = 2_000
ALL = tuple(row.name for row in vars(table).values() if isinstance(row, Operation))
Drawn = tuple[str, float, tuple[float, float], tuple[float, float]]


def drawn(policy: Policy, row: list[float]) -> list[Drawn]:
    """Return what the tables say about one row of uniform numbers, in plain Python."""
    stages, operations, result = policy.stages(), list(policy.table.values()), []
    for stage in range(len(stages.count_S)):
        choice, p_slot, _magnitude, gate, shape = stages.slots_S5[stage].tolist()
        use = pick(stages, stage, row[0], row[choice])
        which = int(stages.operation_SK[stage, use])
        if which == NOTHING:
            continue
        low, high = stages.p_SK2[stage, use].tolist()
        p = low if p_slot == NOTHING else low + row[p_slot] * (high - low)
        if row[gate] >= p:
            continue
        operation = operations[which]
        argument = operation.low + magnitude(stages, stage, use, row) * (operation.high - operation.low)
        if operation.mirrored and row[gate + 1] < 0.5:
            about = 1.0 if operation.unit == "factor" else 0.0
            argument = 2 * about - argument
        result.append((operation.name, argument, (row[gate + 2], row[gate + 3]), (row[shape], row[shape + 1])))
    return result


def pick(stages: Stages, stage: int, first: float, number: float) -> int:
    """Return which use of a stage two numbers pick: the group of uses for all stages, and the use in it."""
    if stages.cumulative_SK.shape[1] == 0:
        return int(number * int(stages.count_S[stage]))
    group = int(first * int(stages.whole_3[2]))
    ends = stages.cumulative_SK[stage].reshape(int(stages.whole_3[2]), -1)[group]
    return group * len(ends) + next(use for use, end in enumerate(ends) if number < end)


def magnitude(stages: Stages, stage: int, use: int, row: list[float]) -> float:
    """Return λ of a use."""
    low, high = stages.magnitude_SK2[stage, use].tolist()
    slot, bins, std = int(stages.slots_S5[stage, 2]), int(stages.whole_3[1]), float(stages.real_1[0])
    if slot == NOTHING:
        return low
    if std:
        noise = statistics.NormalDist().inv_cdf(max(row[slot], 1e-11))
        return min(1.0, max(0.0, low + std * noise))
    position = int(row[slot] * bins) / (bins - 1) if bins else row[slot]
    return low + position * (high - low)


def use(op: str, p: float = 1.0, at: float = 0.7) -> Op:
    """Return one use of an operation."""
    return Op(op=op, p=p, magnitude=at)


MADE = {
    "uneven": SubPolicies(
        sub_policies=((use("Invert", 0.3), use("Rotate", 0.6)), (), (use("Crop"),), (use("Flip", 0.0), use("Cutout")))
    ),
    "empty": SubPolicies(sub_policies=((), ())),
    "everything": random_policy(200, seed=5, num_ops=3, ops=ALL),
    "noisy": SubPolicies(sub_policies=((use("Color", 0.8, 0.5), use("Solarize", 0.5, 0.9)),), magnitude_std=0.3),
    "ranges": Parametric(num_ops=3, ops=ALL, p=(0.2, 0.9), magnitude=(0.1, 0.6)),
    "repeated": Parametric(num_ops=2, ops=("Invert", "Rotate", "Invert"), bins=7),
    "noisy range": Parametric(num_ops=2, ops=ALL, magnitude=(0.4, 0.4), magnitude_std=0.2),
    "layered": LayeredSubPolicies(
        sub_policies=(
            (
                (
                    Choice(op="Rotate", magnitude=0.2, probability=0.7),
                    Choice(op="Invert", magnitude=0, probability=0.3),
                ),
                (Choice(op="Cutout", magnitude=0.9, probability=1.0),),
            ),
            (),
            (tuple(Choice(op=op, magnitude=0.8, probability=1 / len(ALL)) for op in ALL),),
        )
    ),
    "layers": Layers(
        layers=(
            tuple(Choice(op=op, magnitude=0.8, probability=1 / len(ALL)) for op in ALL),
            (Choice(op="Rotate", magnitude=0.2, probability=1.0),),
            (
                Choice(op="Color", magnitude=0.1, probability=0.0),
                Choice(op="Flip", magnitude=0.0, probability=0.25),
                Choice(op="Equalize", magnitude=0.0, probability=0.75),
            ),
        )
    ),
}


@pytest.mark.parametrize("name", [*MADE, *sorted(plugins.names("faa.policies"))])
def test_the_tables_draw_what_the_steps_say(name: str) -> None:
    """Over thousands of rows: the operations, arguments, places and shapes, and as many slots."""
    policy = MADE[name] if name in MADE else Policy.load(name)
    assert policy.slots == policy.stages().whole_3[0]
    rows = uniforms(key_of("test-plan", 1), np.arange(MANY), policy.slots).tolist()
    for row in rows:
        expected = [(step.operation.name, *step[1:]) for step in policy.steps(row)]
        found = drawn(policy, row)
        if policy.stages().real_1[0]:  # noise from another implementation of the quantile
            assert [step[0::2] + step[3:] for step in expected] == [step[0::2] + step[3:] for step in found]
            assert [step[1] for step in expected] == pytest.approx([step[1] for step in found], abs=1e-9, rel=1e-9)
        else:
            assert expected == found


@pytest.mark.parametrize("name", [*MADE, "fa-reduced-cifar10", "trivialaugment"])
def test_numbers_at_the_ends(name: str) -> None:
    """All zeros, and all as near to one as they come: nothing is out of range."""
    policy = MADE[name] if name in MADE else Policy.load(name)
    for number in (0.0, 0.5, 1 - 2**-53):
        row = [number] * policy.slots
        expected = [(step.operation.name, *step[2:]) for step in policy.steps(row)]
        assert expected == [(step[0], *step[2:]) for step in drawn(policy, row)]


@pytest.mark.parametrize("name", [*MADE, "fa-reduced-cifar10", "trivialaugment", "uniform-random"])
def test_shapes_and_dtypes_of_the_tables(name: str) -> None:
    """As they are documented; unused places hold no operation, and no slot lies outside the row."""
    policy = MADE[name] if name in MADE else Policy.load(name)
    tables, slots = policy.stages(), policy.slots
    stages, choices = tables.operation_SK.shape
    assert (stages,) == tables.count_S.shape
    assert (stages, choices, 2) == tables.p_SK2.shape == tables.magnitude_SK2.shape
    assert tables.cumulative_SK.shape in ((stages, 0), (stages, choices))
    assert ((stages, 5), np.int64) == (tables.slots_S5.shape, tables.slots_S5.dtype)
    assert ((tables.slots_S5 >= NOTHING) & (tables.slots_S5 < slots)).all()
    assert (tables.slots_S5[:, [0, 3, 4]] > NOTHING).all()
    assert (tables.slots_S5[:, 3] + 3 < slots).all()
    assert (tables.slots_S5[:, 4] + 1 < slots).all()
    assert (tables.count_S <= choices).all()
    assert np.issubdtype(tables.operation_SK.dtype, np.int64)
    assert ((tables.operation_SK >= NOTHING) & (tables.operation_SK < len(policy.table))).all()
    for array in (tables.p_SK2, tables.magnitude_SK2, tables.cumulative_SK):
        assert (np.float64, True) == (array.dtype, bool(((array >= 0) & (array <= 1)).all()))
