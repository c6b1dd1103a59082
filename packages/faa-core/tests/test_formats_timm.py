"""timm's auto-augment strings against the installed timm: its lists, tables, levels, signs and pixels."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.Image import Image as PILImage
from PIL.Image import Resampling

from faa_core import (
    Choice,
    FaaError,
    Layers,
    Op,
    Operation,
    Parametric,
    Policy,
    Step,
    SubPolicies,
    UnknownNameError,
    operation,
)
from faa_core.formats.leeway import Leeway
from faa_core.formats.timm import parse, write
from faa_core.formats.timm_tables import AXES, INCREASING, PLAIN, TABLES, WEIGHTS, rows_of
from faa_core.operations import Canvas
from faa_core.policies.document import operation_of
from faa_core.policies.loading import parse_policy

theirs = pytest.importorskip("timm.data.auto_augment")

Picture = Callable[[str], PILImage]
FILL = (124, 116, 104)
KINDS = ["gradient", "noise", "odd", "wide", "dot"]
MIRRORED = [name for name, axis in AXES.items() if axis.mirrored]
UNCHANGED_AT_0 = [*MIRRORED, "SolarizeIncreasing", "SolarizeAdd"]
RAND = ["rand", "rand-m9", "rand-m9-inc1", "rand-m5-n3-p0.25-inc1", "rand-m15", "rand-m9-mmax5", "rand-m3-n1-tweights"]
NOISY = ["rand-m9-mstd0.5-inc1", "rand-m9-n3-mstd0.3", "rand-m3-mstd1.25-mmax10", "original-mstd0.5", "v0-mstd101"]
READ = [*RAND, *TABLES, "rand-m9-mstd101-inc1", "rand-m9-inc0", "v0r-mstd0", *NOISY]


@pytest.fixture
def sign(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that settles the sign timm draws."""

    def settle(factor: int) -> None:
        monkeypatch.setattr(theirs, "_randomly_negate", lambda level: factor * level)

    return settle


def timm_pixels(name: str, level: float, image: PILImage, resample: Resampling = Resampling.NEAREST) -> PILImage:
    """Return timm's image; black where it posterizes to 0 bits, which Pillow 13 refuses."""
    op = theirs.AugmentOp(name, prob=1.0, magnitude=level, hparams={"img_mean": FILL, "interpolation": resample})
    if name.startswith("Posterize") and theirs.LEVEL_TO_ARG[name](level, {}) == (0,):
        return Image.new(image.mode, image.size)
    return op(image)


def our_pixels(row: Operation, level: float, image: PILImage, factor: int, look: str = "nearest") -> PILImage:
    """Return our image, reflected where the sign is negative."""
    policy = SubPolicies(sub_policies=((),), fill=FILL, interpolation=look)
    return policy.apply_steps(image, (Step(row, row.argument(level / 10, reflected=factor < 0), (0.5, 0.5)),))


def row_of(name: str) -> Operation:
    """Return our operation for timm's."""
    rows = rows_of([name])
    return operation_of(f"timm.{name}", rows[f"timm.{name}"]) if rows else operation(name)


def signs(name: str) -> tuple[int, ...]:
    """Return the signs that timm draws for an operation."""
    return (1, -1) if name in MIRRORED else (1,)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", AXES)
def test_every_operation_at_every_level_with_every_sign(
    name: str, kind: str, picture: Picture, sign: Callable[[int], None]
) -> None:
    """The pixels are timm's, exactly."""
    image, row = picture(kind), row_of(name)
    for level, factor in product(range(11), signs(name)):
        sign(factor)
        expected = timm_pixels(name, level, image)
        assert expected.tobytes() == our_pixels(row, level, image, factor).tobytes(), (level, factor)


@pytest.mark.parametrize("name", ["Rotate", "ShearX", "ShearY", "TranslateXRel", "TranslateYRel"])
@pytest.mark.parametrize("look", ["bilinear", "bicubic"])
def test_smoother_filters(name: str, look: str, picture: Picture, sign: Callable[[int], None]) -> None:
    """The filter given is the one timm uses when it is told one."""
    image = picture("odd")
    for level, factor in product((1, 4, 9), (1, -1)):
        sign(factor)
        expected = timm_pixels(name, level, image, Resampling[look.upper()])
        assert expected.tobytes() == our_pixels(row_of(name), level, image, factor, look).tobytes()


@given(st.floats(0, 10), st.sampled_from(["Posterize", "PosterizeIncreasing", "PosterizeOriginal", "SolarizeAdd"]))
def test_whole_arguments_between_levels(level: float, name: str) -> None:
    """Magnitudes that are drawn fall between levels; timm cuts them to whole bits and addends."""
    (expected,) = theirs.LEVEL_TO_ARG[name](level, {})
    assert abs(level * 4 - round(level * 4)) < 1e-7 or expected == int(row_of(name).argument(level / 10))


@given(st.floats(0, 10), st.sampled_from(["Solarize", "SolarizeIncreasing"]))
def test_thresholds_between_levels(level: float, name: str) -> None:
    """Every value of a grey wedge is inverted or kept as by timm, but within a hair of a whole threshold."""
    wedge = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    same = timm_pixels(name, level, wedge).tobytes() == our_pixels(row_of(name), level, wedge, 1).tobytes()
    assert same or abs(level * 25.6 - round(level * 25.6)) < 1e-7


@pytest.mark.parametrize("name", UNCHANGED_AT_0)
def test_level_0_changes_nothing_where_it_should(name: str, picture: Picture) -> None:
    """Whatever grows with the level starts from the image; Posterize, alone, starts at 4 bits in timm."""
    image = picture("odd")
    for factor in signs(name):
        assert image.tobytes() == our_pixels(row_of(name), 0, image, factor).tobytes()
    assert (np.asarray(image) & 0xF0).tobytes() == our_pixels(row_of("PosterizeIncreasing"), 0, image, 1).tobytes()


@pytest.mark.parametrize("name", UNCHANGED_AT_0)
def test_signs_and_strength(name: str, picture: Picture) -> None:
    """Both signs do something, and something else; more of it changes more of the image."""
    image = picture("noise" if name == "SharpnessIncreasing" else "gradient")
    changes = []
    for level in (2, 5, 9):
        made = {our_pixels(row_of(name), level, image, factor).tobytes() for factor in signs(name)}
        assert len(signs(name)) == len(made - {image.tobytes()})
        after = np.asarray(our_pixels(row_of(name), level, image, 1)).astype(int)
        changes.append(np.abs(after - np.asarray(image)).sum())
    assert sorted(changes) == changes


@pytest.mark.parametrize("bits", [("Posterize", 0), ("Posterize", 2), ("PosterizeIncreasing", 10)])
def test_zero_bits_are_black(bits: tuple[str, int], picture: Picture) -> None:
    """Where Pillow 13 makes timm fail."""
    assert not any(our_pixels(row_of(bits[0]), bits[1], picture("noise"), 1).tobytes())


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("addend", [0, 1, 33.9, 110, 200])
def test_solarize_add_lifts_what_is_below_128(mode: str, addend: float, picture: Picture) -> None:
    """By whole values, cut at 255; the rest stays."""
    image = picture("noise").convert(mode)
    before = np.asarray(image).astype(int)
    expected = np.where(before < 128, np.minimum(255, before + int(addend)), before)
    assert (expected == np.asarray(operation("SolarizeAdd").kernel(image, addend, Canvas()))).all()


@pytest.mark.parametrize("text", RAND)
def test_rand_strings_say_what_timm_reads(text: str) -> None:
    """The same operations, weights, layers, probability and level."""
    policy, source = parse(text), theirs.rand_augment_transform(text, {})
    assert isinstance(policy, Parametric)
    names = [op.removeprefix("timm.") for op in policy.ops]
    assert [op.name for op in source.ops] == list(dict.fromkeys(names))
    weights = [1 / 15] * 15 if source.choice_weights is None else source.choice_weights
    assert weights == pytest.approx([names.count(op.name) / len(names) for op in source.ops])
    assert source.num_layers == policy.num_ops
    assert {(op.prob, op.prob) for op in source.ops} == {policy.p}
    level = min(source.ops[0].magnitude, source.ops[0].magnitude_max or 10)
    assert (level / 10,) * 2 == policy.magnitude


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_timms(name: str) -> None:
    """Every operation, probability and level, in order."""
    policy = parse(name)
    assert isinstance(policy, SubPolicies)
    for entries, uses in zip(theirs.auto_augment_policy(name), policy.sub_policies, strict=True):
        for entry, use in zip(entries, uses, strict=True):
            plain = entry.name in ("AutoContrast", "Equalize", "Invert")
            expected = (entry.name, entry.prob, 0 if plain else entry.magnitude / 10)
            assert expected == (use.op.removeprefix("timm."), use.p, use.magnitude)


def outcomes(policy: Policy, image: PILImage) -> Iterator[bytes]:
    """Yield the pixels of every way in which a policy's first operations can fall."""
    assert isinstance(policy, SubPolicies)
    for sub_policy in policy.sub_policies:
        ways = [
            [(), *(((policy.table[use.op], use.magnitude, reflected),) for reflected in (False, True))]
            for use in sub_policy
        ]
        for way in product(*ways):
            chosen = [step for steps in way for step in steps]
            yield policy.apply_steps(
                image, tuple(Step(row, row.argument(at, reflected=r and row.mirrored), (0, 0)) for row, at, r in chosen)
            ).tobytes()


@pytest.mark.parametrize("name", TABLES)
def test_what_timm_makes_of_an_image_we_can_make(name: str, picture: Picture) -> None:
    """Many draws of timm's own transform, each the pixels of one of our sub-policies."""
    image = picture("noise")
    ours = set(outcomes(parse(name, fill=FILL, interpolation="nearest"), image))
    options = {"img_mean": FILL, "interpolation": Resampling.NEAREST, "translate_const": 14}
    source = theirs.auto_augment_transform(name, options)
    made = 0
    for _ in range(400):
        with suppress(ValueError):  # Pillow 13 and 0 bits
            after = source(image)
            assert after.tobytes() in ours
            made += 1
    assert made > 300


@pytest.mark.parametrize("text", ["rand-m9-n1", "rand-m9-n1-inc1"])
def test_one_operation_reaches_what_timms_reaches(text: str, picture: Picture) -> None:
    """Over many draws both make the same set of images, and leave about half of them alone."""
    image = picture("noise")
    policy = parse(text, fill=FILL, interpolation="nearest")
    source = theirs.rand_augment_transform(text, {"img_mean": FILL, "interpolation": Resampling.NEAREST})
    mine = [policy.apply(image, seed=0, epoch=0, index=index).tobytes() for index in range(1200)]
    other = [source(image).tobytes() for _ in range(1200)]
    assert set(mine) == set(other)
    for images in (mine, other):
        assert 0.4 < np.mean([image.tobytes() == after for after in images]) < 0.6


@pytest.mark.parametrize("text", READ)
def test_what_is_written_means_what_was_read(text: str) -> None:
    """Policy to string to policy, also through a document; only name and provenance may differ."""
    policy = parse(text)
    assert {"source": "timm", "string": text}.items() <= policy.provenance.items()
    again = parse_policy(policy.to_json(), source="test")
    back = parse(write(again))
    told = {"name", "provenance"}
    assert policy.model_dump(exclude=told) == back.model_dump(exclude=told)


@given(st.integers(0, 10), st.integers(1, 9), st.floats(0, 1), st.booleans(), st.booleans())
def test_strings_come_back(level: int, layers: int, p: float, increasing: bool, uniform: bool) -> None:
    """Whatever the numbers, what is written is read as the same policy and by timm without complaint."""
    ops = INCREASING if increasing else PLAIN
    policy = parse("rand-inc1" if increasing else "rand").model_copy(
        update={"num_ops": layers, "p": (p, p), "magnitude": (0.0 if uniform else level / 10, level / 10)}
    )
    text = write(policy)
    back, source = parse(text), theirs.rand_augment_transform(text, {})
    told = {"name", "provenance"}
    assert policy.model_dump(exclude=told) == back.model_dump(exclude=told)
    assert (layers, list(ops)) == (source.num_layers, [op.name for op in source.ops])
    assert {(p, level)} == {(op.prob, op.magnitude) for op in source.ops}
    assert (float("inf") if uniform and level else 0) == source.ops[0].magnitude_std


def test_fill_and_filter() -> None:
    """The mean of ImageNet as timm rounds it and its default filter, unless told otherwise."""
    assert (FILL, "bilinear") == (parse("rand").fill, parse("rand").interpolation)
    other = parse("v0", fill=(1, 2, 3), interpolation="bicubic")
    assert ((1, 2, 3), "bicubic") == (other.fill, other.interpolation)


def test_weights_are_timms() -> None:
    """In proportion."""
    total = sum(theirs._RAND_WEIGHTED_0.values())
    expected = {name: weight / total for name, weight in theirs._RAND_WEIGHTED_0.items()}
    assert expected == pytest.approx({name: weight / sum(WEIGHTS.values()) for name, weight in WEIGHTS.items()})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rand-m9-mstd0.5-mmax20", "cuts its noise .* at mmax 20, a policy at 10; without '-mmax20' it is exact"),
        ("rand-m12-mstd1", "magnitudes about 12, with noise of 1, and cuts them at 10, where a policy draws none"),
        ("augmix-m5-w4-d2", "mixes several"),
        ("3a", "GaussianBlur"),
        ("rand-m9-t3a", "GaussianBlur"),
        ("rand-m9-t3aw", "GaussianBlur"),
        ("rand-m15-mmax20", "beyond 10.*a policy has m10 at most"),
        ("rand-m15-mstd101", "draws magnitudes up to 15 and cuts them at 10"),
        ("rand-m9-tWEIGHTS", "set of operations in timm is called 'WEIGHTS'.*weights"),
        ("rand-m9-inc", "'inc' in .* is not a part that timm knows"),
        ("rand-9", "'9' in .* is not a part that timm knows"),
        ("rand-m9-", "'' in .* is not a part that timm knows"),
        ("rand-w0", "'w0' in .* is not a part that timm knows"),
        ("original-m9", "'m9' in 'original-m9' is not a part that timm knows; allowed are mstd"),
        ("rand-m9-m8", "gives m twice"),
        ("rand-m9.5", "whole number for timm, not 9.5"),
        (
            "rand-m9-tweights",
            "'rand-m9-tweights' draws 2 weighted .* without replacement, .*'-n1' is exact",
        ),
        ("rand-m7-n3-tweights", "draws 3 weighted"),
        ("rand-n0", "n from 1 to 100"),
        ("rand-n99999999999", "n from 1 to 100"),
        ("rand-p1.5", "p from 0 to 1"),
        ("rand-m9-" + "9" * 1000, "short; this one has 1008 characters"),
    ],
)
def test_what_a_policy_cannot_say_is_named(text: str, message: str) -> None:
    """And what is wrong with a string."""
    with pytest.raises(FaaError, match=message):
        parse(text)


@pytest.mark.parametrize("text", ["", "  ", "originel", "random-m9", "V0"])
def test_other_strings_are_refused(text: str) -> None:
    """With the names there are."""
    with pytest.raises(UnknownNameError, match="No timm auto-augment string is called"):
        parse(text)


RAND_INC = parse("rand-m9-inc1")


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Policy.load("none"), "four tables"),
        (Policy.load("fa-reduced-cifar10"), "no operation .* 'Cutout'"),
        (Policy.load("randaugment"), "no operation .* 'RA.TranslateX'"),
        (SubPolicies(sub_policies=((Op(op="Invert", p=1, magnitude=0),),)), "four tables"),
        (parse("rand-n1-tweights").model_copy(update={"num_ops": 2}), "without replacement"),
        (RAND_INC.model_copy(update={"p": (0.1, 0.5)}), "a range from 0.1 to 0.5"),
        (RAND_INC.model_copy(update={"magnitude": (0.85, 0.85)}), "0.85 … 0.85"),
        (RAND_INC.model_copy(update={"magnitude": (0.2, 0.9)}), "0.2 … 0.9"),
        (RAND_INC.model_copy(update={"magnitude": (0.0, 0.9), "bins": 31}), "in 31 steps"),
        (RAND_INC.model_copy(update={"ops": RAND_INC.ops[1:]}), "differ in AutoContrast"),
        (RAND_INC.model_copy(update={"ops": (*RAND_INC.ops, "Invert")}), "differ in Invert"),
        (Layers(layers=((Choice(op="Invert", magnitude=0, probability=1),),)), "kind 'layers'"),
    ],
)
def test_what_timm_cannot_say_is_named(policy: Policy, message: str) -> None:
    """And the way out: the policy itself in timm's pipeline."""
    with pytest.raises(FaaError, match=rf"{message}.*faa_search\.create_transform"):
        write(policy)


@pytest.mark.parametrize("text", NOISY)
def test_noise_is_timms(text: str) -> None:
    """The standard deviation that timm reads, in tenths."""
    make = theirs.rand_augment_transform if text.startswith("rand") else theirs.auto_augment_transform
    source = make(text, {})
    op = source.ops[0] if text.startswith("rand") else source.policy[0][0]
    assert op.magnitude_std / 10 == parse(text).magnitude_std


def test_a_magnitude_far_beyond_the_cut_is_the_cut() -> None:
    """It draws about 15 and cuts at 10, so that all are 10; nearer to the cut, some are not."""
    policy = parse("rand-m15-mstd0.5-inc1")
    assert isinstance(policy, Parametric)
    assert ((1.0, 1.0), 0.0) == (policy.magnitude, policy.magnitude_std)
    assert policy.steps([0.5] * policy.slots) == parse("rand-m10-inc1").steps([0.5] * policy.slots)
    leeway = Leeway(nearest=True)
    near = parse("rand-m12-mstd1", leeway=leeway)
    assert isinstance(near, Parametric)
    assert ((1.0, 1.0), 0.0) == (near.magnitude, near.magnitude_std)
    assert leeway.notes[0].endswith("draws none beyond 10: as rand-m10 has it")
    uniform = parse("rand-m15-mstd101", leeway=Leeway(nearest=True))
    assert isinstance(uniform, Parametric)
    assert (0.0, 1.0) == uniform.magnitude


def test_noise_is_normal_about_the_level_and_cut(picture: Picture) -> None:
    """Levels of many draws have the mean, the spread and the cut of timm's own draws."""
    policy = parse("rand-m9-n1-p1-mstd0.5")
    rotate = policy.table["timm.Rotate"]
    steps = [step for (step,) in policy.draw(seed=0, epoch=0, indices=np.arange(30000)) if step.operation is rotate]
    levels = np.array([abs(step.argument) / 3 for step in steps])
    expected = np.clip(np.random.default_rng(0).normal(9, 0.5, 100000), 0, 10)
    assert expected.mean() == pytest.approx(levels.mean(), abs=0.05)
    assert expected.std() == pytest.approx(levels.std(), abs=0.03)
    assert (expected == 10).mean() == pytest.approx(np.isclose(levels, 10).mean(), abs=0.02)
    assert levels.max() <= 10 + 1e-9


def test_every_use_of_a_table_has_noise_of_its_own() -> None:
    """Two operations of one sub-policy do not move together, and the draw without noise is a part of it."""
    uses = (Op(op="Color", p=1, magnitude=0.5), Op(op="Contrast", p=1, magnitude=0.5))
    policy = SubPolicies(sub_policies=(uses,), magnitude_std=0.1)
    drawn = policy.draw(seed=0, epoch=0, indices=np.arange(4000))
    arguments = np.array([[step.argument for step in steps] for steps in drawn])
    assert np.corrcoef(arguments.T)[0, 1] == pytest.approx(0, abs=0.06)
    assert (0.18, 0.18) == pytest.approx(tuple(arguments.std(axis=0)), abs=0.01)
    still = policy.model_copy(update={"magnitude_std": 0.0}).draw(seed=0, epoch=0, indices=np.arange(4000))
    assert [[step.centre for step in steps] for steps in drawn] == [[step.centre for step in steps] for steps in still]


def test_batches_draw_the_same_noise() -> None:
    """The plain and numba's instructions are those of the steps."""
    pytest.importorskip("numba")
    from faa_core.drawing.drawing import draw_instructions, prepare  # noqa: PLC0415
    from faa_core.randomness import key_of  # noqa: PLC0415

    key, indices = key_of("policy", 0, 0), np.arange(3000)
    brightness = [Op(op="Brightness", p=1, magnitude=magnitude) for magnitude in (0.3, 0.9)]
    for policy in (
        Parametric(num_ops=2, ops=("Brightness",), magnitude=(0.9, 0.9), magnitude_std=0.1),
        SubPolicies(sub_policies=(tuple(brightness),), magnitude_std=0.1),
    ):
        plainly, by_numba = (
            draw_instructions(prepare(policy), (key, 0), indices, (8, 8), compiled=compiled)
            for compiled in (False, True)
        )
        expected = [[step.argument for step in steps] for steps in policy.draw(seed=0, epoch=0, indices=indices)]
        assert expected == plainly[:, :, 1].tolist()
        assert plainly.tolist() == by_numba.tolist()


@pytest.mark.parametrize("fields", [{"magnitude": (0.1, 0.9)}, {"magnitude": (0.5, 0.5), "bins": 31}])
def test_noise_goes_with_no_range(fields: dict) -> None:
    """It would not be clear what is drawn first."""
    with pytest.raises(ValueError, match="magnitude_std is noise about one magnitude"):
        Parametric(num_ops=1, ops=("Rotate",), magnitude_std=0.1, **fields)
