"""The draws of a batch: by numpy and by numba what `Policy.steps` says for one image, and as often as they should be.

Shapes: B images, S stages, 8 numbers of an instruction.
"""

import math
from importlib.metadata import entry_points
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.typing import NDArray

from faa_core import Choice, LayeredSubPolicies, Layers, Op, Parametric, Policy, Step, SubPolicies, random_policy
from faa_core.applying import Baseline
from faa_core.drawing.drawing import draw_instructions, prepare
from faa_core.drawing.plain import drawn_uses
from faa_core.operations import Drawn, operation_names
from faa_core.operations.geometry import crop_box
from faa_core.operations.instructions import Code
from faa_core.randomness import key_of, uniforms

Numbers = NDArray[np.float64]
MANY = 20_000
PARTNERS = 7
EVERY = tuple(operation_names())
DRAWERS = (
    pytest.param(False, id="numpy"),
    pytest.param(
        True, id="numba", marks=pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")
    ),
)


def instructions(
    policy: Policy,
    indices_B: NDArray[np.int64],
    *,
    compiled: bool = False,
    seed: int = 3,
    epoch: int = 1,
    size: tuple[int, int] = (37, 53),
    baseline: Baseline | None = None,
) -> Numbers:
    """Return the instructions of images, ``[B, S, 8]``, with zeros where nothing is done."""
    keys = key_of("policy", seed, epoch), key_of("baseline", seed, epoch)
    prepared = prepare(policy, baseline, partners=PARTNERS)
    rows_BS8 = draw_instructions(prepared, keys, indices_B, size, compiled=compiled)
    return np.where(rows_BS8[..., :1] == Code.NOTHING, 0.0, rows_BS8)


def box_of(side: float, centre: tuple[float, float], width: int, height: int) -> tuple[int, ...]:
    """Return left, top, right and bottom of a cut-out square."""
    return tuple(
        min(max(math.ceil(at * size + reach - 0.5), 0), size)
        for reach in (-side / 2, side / 2)
        for at, size in zip(centre, (width, height), strict=True)
    )


def meaning_of(step: Step, policy: Policy, height: int, width: int) -> tuple[Code, tuple[float, ...]]:
    """Return the code and the parameters of a step, from `faa_core.operations.geometry` and the kernels' formulas."""
    row, argument, centre, shape = step
    if row.base == "RandomResizedCrop":
        return Code.RESIZE, crop_box(width, height, argument, shape, centre)
    if row.matrix is not None:
        a0, a1, a2, a3, a4, a5 = row.matrix(argument, width, height, Drawn(centre, shape))
        if a1 == a3 == 0 and policy.interpolation == "nearest":
            a2, a5 = math.floor(a2 + 0.5), math.floor(a5 + 0.5)
        return Code.AFFINE, (a0, a1, a2, a3, a4, a5)
    formulas: dict[str, tuple[Code, tuple[float, ...]]] = {
        "Identity": (Code.NOTHING, ()),
        "Cutout": (Code.FILL, box_of(argument * width, centre, width, height)),
        "CutoutAbs": (Code.FILL, box_of(argument, centre, width, height)),
        "AutoContrast": (Code.AUTO_CONTRAST, ()),
        "Equalize": (Code.EQUALIZE, ()),
        "Invert": (Code.SOLARIZE, (0,)),
        "Solarize": (Code.SOLARIZE, (math.ceil(argument),)),
        "SolarizeAdd": (Code.SOLARIZE_ADD, (int(argument),)),
        "Posterize": (Code.POSTERIZE, (0xFF & ~(0xFF >> min(8, int(argument))),)),
        "Posterize2": (Code.POSTERIZE, (0xFF & ~(0xFF >> min(8, int(argument))),)),
        "SamplePairing": (Code.MIX, (argument, int(centre[0] * PARTNERS))),
    }
    return formulas[row.base] if row.base in formulas else (Code[row.base.upper()], (argument,))


def changes_nothing(code: Code, parameters: tuple[float, ...]) -> bool:
    """Return whether an instruction leaves every image as it is."""
    if code is Code.FILL:
        left, top, right, bottom = parameters
        return left >= right or top >= bottom
    if code is Code.MIX:
        return parameters[0] == 0
    neutral = {Code.AFFINE: (1, 0, 0, 0, 1, 0), Code.SOLARIZE_ADD: (0,), Code.POSTERIZE: (255,)}
    if code is Code.SOLARIZE:
        return parameters[0] > 255
    factor = Code.BRIGHTNESS <= code <= Code.SHARPNESS
    return code is Code.NOTHING or parameters == ((1,) if factor else neutral.get(code))


def expected_of(step: Step, policy: Policy, height: int, width: int) -> tuple[float, ...]:
    """Return the instruction that a step means; zeros if it changes nothing."""
    code, parameters = meaning_of(step, policy, height, width)
    if changes_nothing(code, parameters):
        return (0.0,) * 8
    red, green, blue = step.operation.fill or policy.fill
    return (code, *parameters, *(0,) * (6 - len(parameters)), red * 65536 + green * 256 + blue)


def noisy_layers() -> Layers:
    """Return layers of different lengths and uneven probabilities over all operations."""
    weights = [np.arange(1, count + 1, dtype=float) for count in (len(EVERY), 3, 1)]
    return Layers(
        layers=tuple(
            tuple(
                Choice(op=EVERY[(5 * at) % len(EVERY)], magnitude=(3 * at % 11) / 10, probability=part / own.sum())
                for at, part in enumerate(own)
            )
            for own in weights
        )
    )


MADE = {
    "random": random_policy(300, seed=2, num_ops=3, ops=EVERY),
    "uneven": SubPolicies(sub_policies=((), *(tuple(Op(op=name, p=0.7, magnitude=0.3) for name in EVERY[:3]),) * 2)),
    "noise": random_policy(300, seed=3, ops=EVERY).model_copy(update={"magnitude_std": 0.4, "fill": (9, 8, 7)}),
    "parametric": Parametric(num_ops=3, ops=EVERY, p=(0.2, 0.9), magnitude=(0.1, 0.8)),
    "bins": Parametric(num_ops=2, ops=EVERY, magnitude=(0.1, 0.8), bins=5),
    "parametric noise": Parametric(num_ops=2, ops=EVERY, p=(0.5, 0.5), magnitude=(0.4, 0.4), magnitude_std=0.2),
    "layers": noisy_layers(),
    "layered": LayeredSubPolicies(sub_policies=(noisy_layers().layers, (), noisy_layers().layers[1::-1])),
    "bicubic": random_policy(300, seed=4, ops=EVERY).model_copy(update={"interpolation": "bicubic"}),
}
POLICIES = {**MADE, **dict.fromkeys(sorted(entry_points(group="faa.policies").names))}


@pytest.mark.parametrize("compiled", DRAWERS)
@pytest.mark.parametrize("name", POLICIES)
def test_a_batch_draws_what_single_images_draw(name: str, compiled: bool) -> None:
    """Operations, arguments, signs, places, shapes and partners, number for number, for every kind of policy.

    But for rotations: Python rounds a cosine to 15 decimal places exactly, numpy to within one of the last.
    """
    policy = POLICIES[name] or Policy.load(name)
    for count, size in ((1500, (37, 53)), (500, (32, 32)), (100, (1, 1))):
        got_BS8 = instructions(policy, np.arange(count), compiled=compiled, size=size)
        drawn = policy.draw(seed=3, epoch=1, indices=np.arange(count))
        for got_S8, steps in zip(got_BS8.tolist(), drawn, strict=True):
            expected = [expected_of(step, policy, *size) for step in steps]
            wanted = [row for row in expected if row[0] != Code.NOTHING]
            done = [tuple(row) for row in got_S8 if row[0] != Code.NOTHING]
            if any(step.operation.base == "Rotate" for step in steps):
                assert np.allclose(wanted, done, rtol=0, atol=1e-13)
            else:
                assert wanted == done


def test_compiled_draws_have_the_same_bits() -> None:
    """Of numpy's and numba's 100,000 images with a baseline, none differs in any number, rotations or not."""
    pytest.importorskip("numba")
    baseline = Baseline(pad=4, hflip=0.5, cutout=9, fill=(1, 2, 3))
    indices = np.concatenate([np.arange(MANY), [2**31, 2**40, 2**62]])
    for name in ("noise", "parametric", "parametric noise", "bins", "layers"):
        ours, theirs = (
            instructions(MADE[name], indices, compiled=compiled, baseline=baseline) for compiled in (False, True)
        )
        assert np.array_equal(ours, theirs), name


def test_numbers_on_a_limit_fall_to_its_upper_side() -> None:
    """A number equal to p shuts the gate, one equal to a choice's end picks the next, as for single images."""
    gated = SubPolicies(sub_policies=((Op(op="Invert", p=0.25, magnitude=0.0),),))
    row_3U = np.tile([0.5, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0], (3, 1))
    row_3U[0, 1], row_3U[2, 1] = 0.2499, 0.2501
    operation_3, _magnitude_3 = drawn_uses(gated.stages(), 0, row_3U)
    assert [0, -1, -1] == operation_3.tolist()
    assert [1, 0, 0] == [len(gated.steps(row)) for row in row_3U.tolist()]
    halves = Layers(layers=(tuple(Choice(op=op, magnitude=0.0, probability=0.5) for op in ("Invert", "Equalize")),))
    row_3U[:, 0] = 0.4999, 0.5, 0.5001
    assert [0, 1, 1] == drawn_uses(halves.stages(), 0, row_3U)[0].tolist()
    assert ["Invert", "Equalize", "Equalize"] == [halves.steps(row)[0].operation.name for row in row_3U.tolist()]


@pytest.mark.parametrize("compiled", DRAWERS)
def test_a_batchs_gate_is_shut_by_a_number_equal_to_p(compiled: bool) -> None:
    """Here p is one of the images' own numbers; a p that is one step above it opens that image's gate."""
    gates_B = uniforms(key_of("policy", 3, 1), np.arange(5), 2)[:, 1]
    for gate in gates_B.tolist():
        for p in (gate, math.nextafter(gate, 1.0)):
            policy = SubPolicies(sub_policies=((Op(op="ShearX", p=p, magnitude=1.0),),))
            done_B = instructions(policy, np.arange(5), compiled=compiled).any(axis=(1, 2))
            assert (gates_B < p).tolist() == done_B.tolist()


@pytest.mark.parametrize("compiled", DRAWERS)
def test_draws_differ_by_seed_epoch_and_index(compiled: bool) -> None:
    """No two of 800 (seed, epoch, index) have the same draw, and the same one comes back; baseline and policy alike."""
    policy = Parametric(num_ops=1, ops=("ShearX",))
    keys = [(seed, epoch) for seed in (0, 1, 2**31) for epoch in (0, 1, 7)]
    drawn = [instructions(policy, np.arange(90), compiled=compiled, seed=seed, epoch=at) for seed, at in keys]
    assert len(np.unique(np.concatenate(drawn)[:, 0, 2])) == 90 * len(keys)
    again = instructions(policy, np.arange(90), compiled=compiled, seed=2**31, epoch=7)
    assert np.array_equal(drawn[-1], again)
    pair = instructions(policy, np.array([5, 5, 17]), compiled=compiled, seed=2**31, epoch=7)
    assert np.array_equal(again[[5, 5, 17]], pair)


@pytest.mark.parametrize("compiled", DRAWERS)
def test_the_policy_and_the_baseline_draw_apart(compiled: bool) -> None:
    """Flips do not follow the policy's gate: each, and both, as often as by chance (4 deviations)."""
    policy = SubPolicies(sub_policies=((Op(op="Invert", p=0.5, magnitude=0.0),),))
    rows_B38 = instructions(policy, np.arange(MANY), compiled=compiled, baseline=Baseline(hflip=0.5, cutout=3))
    inverted_B, flipped_B = rows_B38[:, 0, 0] == Code.SOLARIZE, rows_B38[:, 1, 1] == -1
    for rate, hits_B in ((0.5, inverted_B), (0.5, flipped_B), (0.25, inverted_B & flipped_B)):
        assert abs(hits_B.sum() - rate * MANY) < 4 * math.sqrt(MANY * rate * (1 - rate))
