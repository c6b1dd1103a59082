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
from faa_core.ops import table
from faa_core.policies import Plan
from faa_core.policies.plan import NOTHING
from faa_core.randomness import key_of, uniforms

MANY = 2_000
ALL = tuple(row.name for row in vars(table).values() if isinstance(row, Operation))
Drawn = tuple[str, float, tuple[float, float], tuple[float, float]]


def drawn(plan: Plan, row: list[float]) -> list[Drawn]:
    """Return what the tables say about one row of uniform numbers, in plain Python."""
    result = []
    for stage in range(plan.stages):
        use = pick(plan, stage, row[0], row[plan.choice_slot_S[stage]])
        which = int(plan.operation_SK[stage, use])
        if which == NOTHING:
            continue
        low, high = plan.p_SK2[stage, use].tolist()
        slot = plan.p_slot_S[stage]
        p = low if slot == NOTHING else low + row[slot] * (high - low)
        gate = int(plan.gate_slot_S[stage])
        if row[gate] >= p:
            continue
        operation = plan.operations[which]
        argument = operation.low + magnitude(plan, stage, use, row) * (operation.high - operation.low)
        if operation.mirrored and row[gate + 1] < 0.5:
            about = 1.0 if operation.unit == "factor" else 0.0
            argument = 2 * about - argument
        shape = int(plan.shape_slot_S[stage])
        result.append((operation.name, argument, (row[gate + 2], row[gate + 3]), (row[shape], row[shape + 1])))
    return result


def pick(plan: Plan, stage: int, first: float, number: float) -> int:
    """Return which use of a stage two numbers pick: the group of uses for all stages, and the use in it."""
    if plan.cumulative_SK.shape[1] == 0:
        return int(number * int(plan.count_S[stage]))
    group = int(first * plan.groups)
    ends = plan.cumulative_SK[stage].reshape(plan.groups, -1)[group]
    return group * len(ends) + next(use for use, end in enumerate(ends) if number < end)


def magnitude(plan: Plan, stage: int, use: int, row: list[float]) -> float:
    """Return λ of a use."""
    low, high = plan.magnitude_SK2[stage, use].tolist()
    slot = plan.magnitude_slot_S[stage]
    if slot == NOTHING:
        return low
    if plan.std:
        noise = statistics.NormalDist().inv_cdf(max(row[slot], 1e-11))
        return min(1.0, max(0.0, low + plan.std * noise))
    position = int(row[slot] * plan.bins) / (plan.bins - 1) if plan.bins else row[slot]
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
    plan = policy.plan()
    assert policy.slots == plan.slots
    assert list(policy.table.values()) == list(plan.operations)
    rows = uniforms(key_of("test-plan", 1), np.arange(MANY), policy.slots).tolist()
    for row in rows:
        expected = [(step.operation.name, *step[1:]) for step in policy.steps(row)]
        found = drawn(plan, row)
        if plan.std:  # noise from another implementation of the quantile
            assert [step[0::2] + step[3:] for step in expected] == [step[0::2] + step[3:] for step in found]
            assert [step[1] for step in expected] == pytest.approx([step[1] for step in found], abs=1e-9, rel=1e-9)
        else:
            assert expected == found


@pytest.mark.parametrize("name", [*MADE, "fa-reduced-cifar10", "trivialaugment"])
def test_numbers_at_the_ends(name: str) -> None:
    """All zeros, and all as near to one as they come: nothing is out of range."""
    policy = MADE[name] if name in MADE else Policy.load(name)
    plan = policy.plan()
    for number in (0.0, 0.5, 1 - 2**-53):
        row = [number] * policy.slots
        expected = [(step.operation.name, *step[2:]) for step in policy.steps(row)]
        assert expected == [(step[0], *step[2:]) for step in drawn(plan, row)]


@pytest.mark.parametrize("name", [*MADE, "fa-reduced-cifar10", "trivialaugment", "uniform-random"])
def test_shapes_and_dtypes_of_the_tables(name: str) -> None:
    """As they are documented; unused places hold no operation, and no slot lies outside the row."""
    policy = MADE[name] if name in MADE else Policy.load(name)
    plan = policy.plan()
    stages, choices = plan.operation_SK.shape
    assert (stages, stages) == (plan.stages, len(plan.count_S))
    assert (stages, choices, 2) == plan.p_SK2.shape == plan.magnitude_SK2.shape
    assert plan.cumulative_SK.shape in ((stages, 0), (stages, choices))
    for slots in (plan.choice_slot_S, plan.p_slot_S, plan.magnitude_slot_S, plan.gate_slot_S, plan.shape_slot_S):
        assert ((stages,), np.int64) == (slots.shape, slots.dtype)
        assert ((slots >= NOTHING) & (slots < plan.slots)).all()
    assert (plan.gate_slot_S + 3 < plan.slots).all()
    assert (plan.shape_slot_S + 1 < plan.slots).all()
    assert (plan.count_S <= choices).all()
    assert np.issubdtype(plan.operation_SK.dtype, np.int64)
    assert ((plan.operation_SK >= NOTHING) & (plan.operation_SK < len(plan.operations))).all()
    for array in (plan.p_SK2, plan.magnitude_SK2, plan.cumulative_SK):
        assert (np.float64, True) == (array.dtype, bool(((array >= 0) & (array <= 1)).all()))
