"""Policies: what is drawn for an image, how often, and what the draw depends on."""

import copy
import json
import math
import pickle  # noqa: TID251 loader processes get policies so
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL.Image import Image as PILImage
from pydantic import ValidationError

from faa_core import SEARCH_LIST, FaaError, Op, Parametric, Policy, Step, SubPolicies, operation, random_policy
from faa_core.policies.document import OperationRow
from faa_core.randomness import key_of, uniforms

Picture = Callable[[str], PILImage]
MANY = 20_000


def use(op: str, p: float = 1.0, magnitude: float = 0.9) -> Op:
    """Return one use of an operation."""
    return Op(op=op, p=p, magnitude=magnitude)


def draws(policy: Policy, count: int = MANY) -> list[tuple[Step, ...]]:
    """Return the steps of many images under a fixed key."""
    return policy.draw(seed=11, epoch=3, indices=np.arange(count))


def names(steps: tuple[Step, ...]) -> tuple[str, ...]:
    """Return the names of the operations drawn."""
    return tuple(step.operation.name for step in steps)


def assert_rate(expected: float, hits: int, trials: int) -> None:
    """Assert that a count lies within 4 standard deviations of its binomial mean."""
    assert abs(hits - expected * trials) <= 4 * math.sqrt(trials * expected * (1 - expected))


def assert_uniform(numbers: list[float]) -> None:
    """Assert uniformity on [0, 1) by Kolmogorov–Smirnov at 0.1 %."""
    values, ranks = np.sort(numbers), np.arange(len(numbers))
    distance = max((values - ranks / len(values)).max(), ((ranks + 1) / len(values) - values).max())
    assert distance * math.sqrt(len(values)) < 1.95


FOUR = SubPolicies(
    sub_policies=((use("Invert", 0.3), use("Rotate", 0.6)), (use("Equalize"),), (), (use("Cutout", 0.0), use("ShearX")))
)


def test_a_draw_is_frozen() -> None:
    """Known answers: the same key means the same pixels in every later version."""
    drawn = Policy.load("fa-reduced-cifar10").draw(seed=0, epoch=0, indices=np.array([0, 3, 4]))
    assert [("Invert", "Solarize"), ("Color", "Equalize"), ("TranslateX",)] == [names(steps) for steps in drawn]
    assert drawn[0][1].argument == pytest.approx(186.06100343216082, abs=1e-9)
    assert drawn[2][0].argument == pytest.approx(-0.12149064338591631, abs=1e-12)
    assert drawn[0][0].centre == (0.9332142111249171, 0.4575344770102059)
    keyed = uniforms(key_of("policy", 1, 2), np.arange(20), FOUR.slots).tolist()
    assert FOUR.draw(seed=1, epoch=2, indices=np.arange(20)) == [FOUR.steps(row) for row in keyed]


def test_sub_policies_are_drawn_uniformly_and_gated_by_p() -> None:
    """Every sub-policy a quarter of the time; inside it each operation with its own probability, independently."""
    counts = Counter(names(steps) for steps in draws(FOUR))
    expected = {
        ("Invert", "Rotate"): 0.3 * 0.6 / 4,
        ("Invert",): 0.3 * 0.4 / 4,
        ("Rotate",): 0.7 * 0.6 / 4,
        ("Equalize",): 1 / 4,
        ("ShearX",): 1 / 4,
        (): 1 / 4 + 0.7 * 0.4 / 4,
    }
    assert set(expected) == set(counts)
    for drawn, probability in expected.items():
        assert_rate(probability, counts[drawn], MANY)


def test_many_sub_policies_are_all_reached() -> None:
    """Also the last of hundreds, all alike (χ² within 4 standard deviations)."""
    policy = SubPolicies(sub_policies=tuple((use("Solarize", magnitude=number / 499),) for number in range(500)))
    counts = np.array(list(Counter(steps[0].argument for steps in draws(policy)).values()))
    assert len(counts) == 500
    chi2 = ((counts - MANY / 500) ** 2 / (MANY / 500)).sum()
    assert abs(chi2 - 499) < 4 * math.sqrt(2 * 499)


@pytest.mark.parametrize(("p", "expected"), [(0.0, 0), (1.0, MANY)])
def test_certain_gates(p: float, expected: int) -> None:
    """Never at p = 0, always at p = 1."""
    assert expected == sum(len(steps) for steps in draws(SubPolicies(sub_policies=((use("Invert", p),),))))


def test_the_gate_opens_below_p() -> None:
    """A number equal to p leaves the gate shut: p is then exactly the probability for numbers in [0, 1)."""
    policy = SubPolicies(sub_policies=((use("Invert", 0.25),),))
    assert ("Invert",) == names(policy.steps([0.5, 0.2499, *[0.0] * 5]))
    assert () == names(policy.steps([0.5, 0.25, *[0.0] * 5]))
    assert () == names(SubPolicies(sub_policies=((use("Invert", 0.0),),)).steps([0.0] * 7))


def test_what_each_slot_means() -> None:
    """First the sub-policy, then gate, reflection and centre of each operation in turn; last the shapes, in turn."""
    row = [0.1, 0.2, 0.4, 0.11, 0.12, 0.5, 0.6, 0.21, 0.22, 0.31, 0.32, 0.41, 0.42]
    assert FOUR.slots == len(row)
    first, second = FOUR.steps(row)
    assert ("Invert", (0.11, 0.12), (0.31, 0.32)) == (first.operation.name, first.centre, first.shape)
    assert ("Rotate", (0.21, 0.22), (0.41, 0.42)) == (second.operation.name, second.centre, second.shape)
    assert 24.0 == pytest.approx(second.argument)  # 0.6 ≥ ½: not reflected
    row[6] = 0.4
    assert -24.0 == pytest.approx(FOUR.steps(row)[1].argument)
    assert ("ShearX",) == names(FOUR.steps([0.9999, *[0.0] * 12]))


@pytest.mark.parametrize("name", ["Rotate", "TranslateX", "ShearY"])
def test_mirrored_operations_are_reflected_half_of_the_time(name: str) -> None:
    """Two arguments, opposite, equally often."""
    counts = Counter(steps[0].argument for steps in draws(SubPolicies(sub_policies=((use(name),),))))
    row = operation(name)
    assert {row.argument(0.9), -row.argument(0.9)} == set(counts)
    assert_rate(0.5, counts[row.argument(0.9)], MANY)


def test_mirrored_factors_are_reflected_about_one() -> None:
    """1.45 and 0.55, equally often."""
    policy = SubPolicies(
        operations={"C2": OperationRow(kernel="Color", low=1.0, high=1.9, unit="factor", mirrored=True)},
        sub_policies=((use("C2", magnitude=0.5),),),
    )
    counts = Counter(round(steps[0].argument, 9) for steps in draws(policy))
    assert {0.55, 1.45} == set(counts)
    assert_rate(0.5, counts[1.45], MANY)


@pytest.mark.parametrize("name", ["Solarize", "Posterize", "Brightness", "Cutout"])
def test_other_operations_are_never_reflected(name: str) -> None:
    """One argument only."""
    drawn = draws(SubPolicies(sub_policies=((use(name),),)), 1_000)
    assert {operation(name).argument(0.9)} == {steps[0].argument for steps in drawn}


def test_centres_are_uniform_and_free_of_the_rest() -> None:
    """Both coordinates, whichever way gate and reflection fell."""
    policy = SubPolicies(sub_policies=((use("Rotate", 0.5), use("Cutout", 0.5)),))
    steps = [step for drawn in draws(policy) for step in drawn]
    for group in (
        [step for step in steps if step.operation.name == "Cutout"],
        [step for step in steps if step.argument > 20],
        [step for step in steps if step.argument < -20],
    ):
        assert len(group) > MANY / 5
        assert_uniform([step.centre[0] for step in group])
        assert_uniform([step.centre[1] for step in group])


def test_uniform_random_draws_what_it_says() -> None:
    """Two operations of fifteen with replacement, p uniform (so half are applied) and λ uniform."""
    policy = Policy.load("uniform-random")
    drawn = draws(policy)
    sizes = Counter(len(steps) for steps in drawn)
    for size, probability in ((0, 0.25), (1, 0.5), (2, 0.25)):
        assert_rate(probability, sizes[size], MANY)
    pairs = [steps for steps in drawn if len(steps) == 2]
    assert_rate(1 / 15, sum(first.operation is second.operation for first, second in pairs), len(pairs))
    steps = [step for steps in drawn for step in steps]
    counts = Counter(step.operation.name for step in steps)
    assert {row.name for row in SEARCH_LIST} == set(counts)
    for count in counts.values():
        assert_rate(1 / 15, count, len(steps))
    for name in ("Solarize", "Rotate", "Brightness"):
        row = operation(name)
        assert_uniform(
            [(step.argument - row.low) / (row.high - row.low) for step in steps if step.operation.name == name]
        )


def test_parametric_p_is_uniform_over_its_range() -> None:
    """From 0.2 to 0.6 the mean rate is 0.4."""
    drawn = draws(Parametric(num_ops=1, ops=("Invert",), p=(0.2, 0.6)))
    assert_rate(0.4, sum(len(steps) for steps in drawn), MANY)


def test_parametric_magnitudes_stay_in_their_range() -> None:
    """λ from 0.25 to 0.75 spreads evenly over thresholds 64 … 192."""
    drawn = draws(Parametric(num_ops=1, ops=("Solarize",), magnitude=(0.25, 0.75)))
    assert_uniform([(steps[0].argument - 64) / 128 for steps in drawn])


@pytest.mark.parametrize(("magnitude", "low", "high"), [((0.0, 1.0), 0.0, 256.0), ((0.5, 1.0), 128.0, 256.0)])
def test_parametric_bins_are_evenly_spaced_and_equally_likely(
    magnitude: tuple[float, float], low: float, high: float
) -> None:
    """Both ends belong to the bins, and each is drawn as often as any other."""
    drawn = draws(Parametric(num_ops=1, ops=("Solarize",), magnitude=magnitude, bins=5))
    counts = Counter(steps[0].argument for steps in drawn)
    assert np.linspace(low, high, 5).tolist() == sorted(counts)
    for count in counts.values():
        assert_rate(0.2, count, MANY)


def test_what_each_parametric_slot_means() -> None:
    """Choice, probability, magnitude, gate, reflection, centre, for each operation in turn; last the shapes."""
    policy = Parametric(num_ops=2, ops=("Invert", "Rotate"), p=(0.0, 1.0))
    row = [0.7, 0.6, 1.0, 0.59, 0.6, 0.11, 0.12, 0.3, 0.6, 0.0, 0.6, 0.0, 0.0, 0.0, 0.21, 0.22, 0.31, 0.32]
    assert policy.slots == len(row)
    (step,) = policy.steps(row)  # the second gate stays shut: 0.6 is not below 0.6
    assert ("Rotate", 30.0, (0.11, 0.12), (0.21, 0.22)) == tuple(step._replace(operation=step.operation.name))


def test_num_ops_counts_the_operations() -> None:
    """Three of three at p = 1, and a repeated name weighs double."""
    drawn = draws(Parametric(num_ops=3, ops=("Invert", "Invert", "Equalize")))
    assert {3} == {len(steps) for steps in drawn}
    inverted = sum(names(steps).count("Invert") for steps in drawn)
    assert_rate(2 / 3, inverted, 3 * MANY)


@pytest.mark.parametrize("name", ["fa-reduced-cifar10", "uniform-random", "trivialaugment", "randaugment"])
def test_the_draw_does_not_depend_on_the_batch(name: str) -> None:
    """Whole, in parts, in another order or one by one."""
    policy = Policy.load(name)
    whole = policy.draw(seed=1, epoch=2, indices=np.arange(64))
    parts = [policy.draw(seed=1, epoch=2, indices=part) for part in np.split(np.arange(64), [5, 6, 40])]
    assert whole == [steps for part in parts for steps in part]
    assert whole[::-1] == policy.draw(seed=1, epoch=2, indices=np.arange(64)[::-1])
    assert whole == [policy.draw(seed=1, epoch=2, indices=np.array([index]))[0] for index in range(64)]


@given(st.integers(0, 2**31), st.integers(0, 1000), st.lists(st.integers(0, 10**7), min_size=1, max_size=8))
def test_seeds_epochs_and_indices_key_the_draw(seed: int, epoch: int, indices: list[int]) -> None:
    """The same key repeats, and the key of each image is its index, not its place."""
    policy = Policy.load("uniform-random")
    drawn = policy.draw(seed=seed, epoch=epoch, indices=np.array(indices))
    assert drawn == policy.draw(seed=seed, epoch=epoch, indices=np.array(indices))
    first = dict(zip(indices, drawn, strict=True))
    assert drawn == [first[index] for index in indices]


def test_other_seeds_epochs_and_indices_draw_anew() -> None:
    """Changing any one of them changes the draws, and neighbouring keys do not repeat one another."""
    policy = SubPolicies(sub_policies=((use("Cutout"),),))
    keys = [(seed, epoch) for seed in range(3) for epoch in range(3)]
    centres = [
        steps[0].centre for seed, epoch in keys for steps in policy.draw(seed=seed, epoch=epoch, indices=np.arange(50))
    ]
    assert len(keys) * 50 == len(set(centres))


@pytest.mark.parametrize("name", ["fa-reduced-svhn", "uniform-random", "trivialaugment", "none"])
def test_apply_is_draw_and_apply_steps(name: str, picture: Picture) -> None:
    """One call or two, the same pixels, and the image given is untouched."""
    policy, image = Policy.load(name), picture("odd")
    before = image.tobytes()
    drawn = policy.draw(seed=5, epoch=6, indices=np.arange(40))
    one_by_one = [policy.apply(image, seed=5, epoch=6, index=index).tobytes() for index in range(40)]
    assert one_by_one == [policy.apply_steps(image, steps).tobytes() for steps in drawn]
    assert before == image.tobytes()
    assert (1 if name == "none" else 20) <= len(set(one_by_one))


def test_none_changes_nothing(picture: Picture) -> None:
    """The control keeps every image."""
    image = picture("noise")
    policy = Policy.load("none")
    assert {image.tobytes()} == {policy.apply(image, seed=0, epoch=0, index=index).tobytes() for index in range(20)}


def test_fill_and_interpolation_are_the_policys(picture: Picture) -> None:
    """Pixels from outside show the fill, Cutout keeps its own, and a smoother filter changes the rest."""
    image = picture("noise")
    shift = SubPolicies(fill=(1, 2, 3), sub_policies=((use("TranslateX", magnitude=1.0),),))
    outside = np.asarray(shift.apply(image, seed=0, epoch=0, index=0)).reshape(-1, 3).tolist()
    assert 32 * 14 <= outside.count([1, 2, 3]) <= 32 * 15
    cut = SubPolicies(fill=(1, 2, 3), sub_policies=((use("Cutout", magnitude=1.0),),))
    painted = np.asarray(cut.apply(image, seed=0, epoch=0, index=0)).reshape(-1, 3).tolist()
    assert 0 == painted.count([1, 2, 3])
    assert 9 <= painted.count([125, 123, 114]) <= 49
    turned = [
        SubPolicies(interpolation=filter_name, sub_policies=((use("Rotate"),),)).apply(image, seed=0, epoch=0, index=0)
        for filter_name in ("nearest", "bilinear", "bicubic")
    ]
    assert 3 == len({image.tobytes() for image in turned})


def test_the_table_lists_each_operation_once() -> None:
    """In order of first use, with the rows of the standard table."""
    assert ["Invert", "Rotate", "Equalize", "Cutout", "ShearX"] == list(FOUR.table)
    assert FOUR.table["Rotate"] is operation("Rotate")
    assert ("Invert", "Rotate") == Parametric(num_ops=1, ops=("Invert", "Rotate", "Invert")).operation_names()


def test_a_copy_has_a_table_of_its_own() -> None:
    """Replacing the sub-policies of a policy in use does not leave it with the old operations."""
    assert FOUR.table
    copied = FOUR.model_copy(update={"sub_policies": ((use("Color"),),)})
    assert ["Color"] == list(copied.table)
    assert ("Color",) == names(copied.draw(seed=0, epoch=0, indices=np.array([0]))[0])
    assert "Invert" in FOUR.table


def test_policies_are_frozen() -> None:
    """A field cannot be set."""
    with pytest.raises(ValidationError, match="frozen"):
        FOUR.name = "other"


def test_random_policies_of_no_size() -> None:
    """Half a sub-policy is none, and half a seed neither."""
    for size, options in ((2.5, {}), (0, {}), (2, {"num_ops": 1.5}), (2, {"num_ops": 0})):
        with pytest.raises(FaaError, match="must be whole numbers from 1 on"):
            random_policy(size, seed=0, **options)  # type: ignore[arg-type]
    for seed in (0.5, "a"):
        with pytest.raises(FaaError, match="`seed` must be a whole number"):
            random_policy(2, seed=seed)  # type: ignore[arg-type]


def test_random_policies() -> None:
    """A random policy has the size asked for, uniform choices, and repeats with its seed."""
    policy = random_policy(2_000, seed=4, num_ops=3)
    assert policy == random_policy(2_000, seed=4, num_ops=3)
    assert policy != random_policy(2_000, seed=5, num_ops=3)
    assert {3} == {len(sub_policy) for sub_policy in policy.sub_policies}
    uses = [use for sub_policy in policy.sub_policies for use in sub_policy]
    counts = Counter(use.op for use in uses)
    assert {row.name for row in SEARCH_LIST} == set(counts)
    for count in counts.values():
        assert_rate(1 / 15, count, len(uses))
    assert_uniform([use.p for use in uses])
    assert_uniform([use.magnitude for use in uses])
    pairs = np.corrcoef([use.p for use in uses], [use.magnitude for use in uses])
    assert abs(pairs[0, 1]) * math.sqrt(len(uses)) < 4
    few = random_policy(50, seed=4, ops=("Invert", "Rotate"))
    assert {"Invert", "Rotate"} == set(few.table)
    assert policy.sub_policies[:10] == random_policy(10, seed=4, num_ops=3).sub_policies


def held(policy: Policy) -> list[Any]:
    """Return all mappings that a policy holds, those inside others too."""
    found, left = [], [policy.operations, policy.provenance, policy.table]
    while left:
        one = left.pop()
        parts = one.values() if isinstance(one, dict) else one if isinstance(one, tuple | list) else ()
        found += [one] if isinstance(one, dict) else []
        left += parts
    return found


def test_what_hangs_on_a_policy_is_frozen_too() -> None:
    """Nothing that is reachable can be changed in place, in a copy neither; so equal policies stay equal."""
    row = OperationRow(kernel="Rotate", low=0, high=10, unit="degrees")
    facts = {"notes": ["a", {"b": [1]}], "seed": 3}
    policy = SubPolicies(sub_policies=((use("Tilt"),),), operations={"Tilt": row}, provenance=facts)
    copied = policy.model_copy(update={"provenance": {"deep": {"list": [1, [2]]}}, "operations": {"Tilt": row}})
    assert 4 == len(held(policy))
    for mapping in (*held(policy), *held(copied), *held(copied.model_copy(deep=True))):
        before = dict(mapping)
        for change in (
            lambda one: one.__setitem__("Tilt", 0),
            lambda one: one.__delitem__(next(iter(one))),
            lambda one: one.update(Tilt=0),
            lambda one: one.__ior__({"Tilt": 0}),
            lambda one: one.setdefault("new", 0),
            lambda one: one.pop(next(iter(one))),
            lambda one: one.popitem(),
            lambda one: one.clear(),
        ):
            with pytest.raises(TypeError, match="make another policy"):
                change(mapping)
        assert before == mapping
    assert ("a", {"b": (1,)}) == policy.provenance["notes"]
    assert (1, (2,)) == copied.provenance["deep"]["list"]
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValidationError, match="nested too deeply, or holds itself"):
        SubPolicies(sub_policies=((),), provenance={"loop": loop})
    facts["seed"] = 4
    assert 3 == policy.provenance["seed"]


def test_a_frozen_policy_travels_and_is_written_as_before() -> None:
    """By pickle and by copies, with what it caches; its document has the lists and the order that were given."""
    row = OperationRow(kernel="Rotate", low=0, high=10, unit="degrees")
    facts = {"z": [1, [2.5]], "a": {"c": None, "b": "x"}}
    policy = SubPolicies(sub_policies=((use("Tilt"),),), operations={"Tilt": row}, provenance=facts)
    assert policy.table
    unpickled = pickle.loads(pickle.dumps(policy))  # noqa: S301
    for other in (unpickled, copy.deepcopy(policy), copy.copy(policy)):
        assert (policy, hash(policy), policy.table) == (other, hash(other), other.table)
        with pytest.raises(TypeError):
            other.operations["Tilt"] = row
    assert json.dumps(facts) == json.dumps(json.loads(policy.to_json())["provenance"])
    assert '"provenance": {"z": [1, [2.5]], "a": {"c": null, "b": "x"}}' in policy.to_json()
    assert facts == policy.model_dump(mode="json")["provenance"]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"seed": 0.5}, "`seed` must be a whole number, not 0.5"),
        ({"epoch": "1"}, "`epoch` must be a whole number, not '1'"),
        ({"seed": 2**63}, "must fit in 64 bits"),
        ({"indices": [0.5]}, r"`indices` must be whole numbers, .* not \[0.5\]"),
        ({"indices": "ab"}, "`indices` must be whole numbers"),
        ({"indices": 5}, r"must be in one axis, \[B\], not \[\]"),
        ({"indices": [[1, 2]]}, r"must be in one axis, \[B\], not \[1, 2\]"),
    ],
)
def test_keys_of_a_draw_that_are_refused(keys: dict[str, Any], words: str) -> None:
    """A half would count as 0 in silence."""
    with pytest.raises(FaaError, match=words):
        FOUR.draw(**{"seed": 0, "epoch": 0, "indices": [0, 1], **keys})


def test_a_list_names_images_as_an_array_does(picture: Picture) -> None:
    """In its order; for one image the index is a whole number, and the image one of Pillow's."""
    expected = FOUR.draw(seed=1, epoch=2, indices=np.array([9, 4, 30]))
    assert expected == FOUR.draw(seed=1, epoch=2, indices=[9, 4, 30])
    assert expected[::-1] == FOUR.draw(seed=1, epoch=2, indices=np.array([30, 4, 9], dtype=np.uint8))
    for index in ([0], "a", 0.5, None):
        with pytest.raises(FaaError, match="`indices` must be"):
            FOUR.apply(picture("noise"), seed=0, epoch=0, index=index)  # type: ignore[arg-type]
    for image in (np.zeros((8, 8, 3), np.uint8), "photo.png"):
        with pytest.raises(
            FaaError, match=f"Policies apply to a PIL image, not to an object of type {type(image).__name__}"
        ):
            FOUR.apply(image, seed=0, epoch=0, index=0)  # type: ignore[arg-type]
