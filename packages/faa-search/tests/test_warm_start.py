"""A known policy as the first trials of a search: every sub-policy kept to the bit, and nothing bent to fit."""

from typing import Any

import pytest

from faa_core import FaaError, Policy, SubPolicies, random_policy
from faa_search.searching.fast.warm_start import first_trials
from faa_search.searching.samplers import PolicySpace
from faa_search.searching.samplers.tpe import suggest

OPS = ("Rotate", "Invert", "Color")
SPACE = PolicySpace(ops=OPS, sub_policies=2, num_ops=2)
AXIS = {"kernel": "Rotate", "low": 0, "high": 5, "unit": "degrees"}


def known(number: int, **other: Any) -> SubPolicies:
    """Return a policy of so many sub-policies of the space."""
    return random_policy(number, seed=3, ops=OPS).model_copy(update=other)


def numbers(policy: SubPolicies, *, rounds: int, depth: int, space: PolicySpace = SPACE) -> list[list[list[int]]]:
    """Return which sub-policies each trial of each round has."""
    dealt = first_trials(policy, space, rounds=rounds, depth=depth)
    return [[[policy.sub_policies.index(one) for one in space.decode(trial)] for trial in own] for own in dealt]


def test_trials_are_dealt_in_turn() -> None:
    """Trial i goes to round i modulo the number of rounds, its sub-policies in the policy's order."""
    assert numbers(known(8), rounds=2, depth=9) == [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]
    assert numbers(known(6), rounds=2, depth=9) == [[[0, 1], [4, 5]], [[2, 3]]]


def test_the_last_trial_is_filled_up_from_the_start() -> None:
    """Three sub-policies are two trials of two; one is a trial of itself."""
    assert numbers(known(3), rounds=1, depth=9) == [[[0, 1], [2, 0]]]
    wide = PolicySpace(ops=OPS, sub_policies=5, num_ops=2)
    assert numbers(known(2), rounds=1, depth=9, space=wide) == [[[0, 1, 0, 1, 0]]]


def test_every_round_begins_with_one() -> None:
    """Fewer trials than rounds are dealt again from the first."""
    assert numbers(known(4), rounds=5, depth=2) == [[[0, 1]], [[2, 3]], [[0, 1]], [[2, 3]], [[0, 1]]]


@pytest.mark.parametrize(("depth", "trials"), [(1, 1), (2, 1), (5, 2), (6, 3), (200, 4)])
def test_half_of_a_round_is_left_to_the_sampler(depth: int, trials: int) -> None:
    """But one trial it takes at least."""
    assert numbers(known(8), rounds=1, depth=depth) == [[[0, 1], [2, 3], [4, 5], [6, 7]][:trials]]


def test_a_published_policy_can_start_a_search() -> None:
    """All its sub-policies, to the bit; and samplers take the parameters as a history's."""
    policy = Policy.load("fa-reduced-cifar10")
    assert isinstance(policy, SubPolicies)
    space = PolicySpace(ops=policy.operation_names())
    (own,) = first_trials(policy, space, rounds=1, depth=1000)
    decoded = [one for trial in own for one in space.decode(trial)]
    assert tuple(decoded[: len(policy.sub_policies)]) == policy.sub_policies
    assert set(own[0]) == set(suggest(space, [], 0))


@pytest.mark.parametrize("name", ["trivialaugment", "uniform-random"])
def test_another_kind(name: str) -> None:
    """A range has no sub-policies."""
    with pytest.raises(FaaError, match="is of the kind parametric; only a list of sub-policies"):
        first_trials(Policy.load(name), SPACE, rounds=1, depth=8)


def test_sub_policies_of_another_length() -> None:
    """Says which, and what to give if one number would do."""
    longer = random_policy(3, seed=0, num_ops=3, ops=OPS)
    with pytest.raises(FaaError, match=r"Sub-policy 0 .* has 3 operations, and the search's have 2: give --ops 3\."):
        first_trials(longer, SPACE, rounds=1, depth=8)
    mixed = known(4).model_copy(update={"sub_policies": known(4).sub_policies + longer.sub_policies})
    with pytest.raises(FaaError, match=r"Sub-policy 4 .* has 3 operations.* all of them must have as many"):
        first_trials(mixed, SPACE, rounds=1, depth=8)
    with pytest.raises(FaaError, match="nothing to start from"):
        first_trials(Policy.load("none"), SPACE, rounds=1, depth=8)


@pytest.mark.parametrize(
    ("name", "rows"), [("Cutout", {}), ("SolarizeAdd", {}), ("Rotate5", {"Rotate5": AXIS})], ids=str
)
def test_operations_the_search_does_not_have(name: str, rows: Any) -> None:
    """Excluded ones, others, and the same pixels on another axis."""
    document = {
        "kind": "sub-policies",
        "name": "mine",
        "operations": rows,
        "sub_policies": [[{"op": name, "p": 0.5, "magnitude": 0.5}, {"op": "Invert", "p": 1, "magnitude": 0}]],
    }
    policy = SubPolicies.model_validate(document)
    with pytest.raises(FaaError, match=f"'mine' uses {name}, which is excluded or not in the search's list: Rotate"):
        first_trials(policy, SPACE, rounds=1, depth=8)


@pytest.mark.parametrize(
    "other", [{"magnitude_std": 0.1}, {"fill": (125, 123, 114)}, {"interpolation": "bilinear"}], ids=str
)
def test_what_parameters_cannot_say(other: dict[str, Any]) -> None:
    """It is never dropped in silence."""
    (field,) = other
    with pytest.raises(FaaError, match=f"has {field} .* cannot start one"):
        first_trials(known(4, **other), SPACE, rounds=1, depth=8)
