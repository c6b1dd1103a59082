"""AutoAugment, RandAugment and TrivialAugment against the installed torchvision, pixel for pixel.

torchvision keeps its magnitudes as float32 `linspace` values, which can fall a hair beside the number meant (15.999999
for 16 pixels). AutoAugment's and RandAugment's pixels agree all the same. TrivialAugment is compared exactly at the
numbers meant, and at torchvision's own numbers up to what that hair explains. A sign may be mirrored, since both signs
are equally likely: sets of two are compared.
"""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL.Image import Image as PILImage
from torchvision.transforms import v2
from torchvision.transforms.v2 import AutoAugmentPolicy

from faa_core import Operation, Parametric, Policy, Step, SubPolicies
from faa_core.operations import Canvas

Picture = Callable[[str], PILImage]
KINDS = ["gradient", "noise", "odd", "wide", "grey-odd"]
TABLES = {
    "autoaugment-cifar10": AutoAugmentPolicy.CIFAR10,
    "autoaugment-svhn": AutoAugmentPolicy.SVHN,
    "autoaugment-imagenet": AutoAugmentPolicy.IMAGENET,
}
TRIVIAL_HIGH = {  # λ = 1 of TrivialAugment Wide, by torchvision's names
    "ShearX": 0.99,
    "ShearY": 0.99,
    "TranslateX": 32.0,
    "TranslateY": 32.0,
    "Rotate": 135.0,
    "Brightness": 0.99,
    "Color": 0.99,
    "Contrast": 0.99,
    "Sharpness": 0.99,
}


def theirs(source: v2.Transform, image: PILImage, name: str, magnitude: float, *, signed: bool) -> list[NDArray]:
    """Return torchvision's pixels, for both signs where there are two."""
    return [
        np.asarray(
            source._apply_image_or_video_transform(
                image, name, sign * magnitude, interpolation=source.interpolation, fill=source._fill
            )
        ).astype(int)
        for sign in ((1, -1) if signed else (1,))
    ]


def ours(policy: Policy, row: Operation, magnitude: float, image: PILImage) -> list[NDArray]:
    """Return our pixels, reflected too where the operation is mirrored."""
    return [
        np.asarray(
            policy.apply_steps(image, (Step(row, row.argument(magnitude, reflected=reflected), (0.5, 0.5)),))
        ).astype(int)
        for reflected in ((False, True) if row.mirrored else (False,))
    ]


def differences(mine: list[NDArray], other: list[NDArray]) -> list[NDArray]:
    """Return the differences of two sets of images, paired the way that fits best."""
    assert len(mine) == len(other)
    pairings = [
        [np.abs(left - right) for left, right in zip(mine, order, strict=True)] for order in (other, other[::-1])
    ]
    return min(pairings, key=lambda pairing: sum(int(difference.sum()) for difference in pairing))


def same(mine: list[NDArray], other: list[NDArray]) -> bool:
    """Return whether two sets hold the same images."""
    return not any(difference.any() for difference in differences(mine, other))


def row_of(policy: Policy, prefix: str, name: str) -> Operation:
    """Return our operation for torchvision's name."""
    return policy.table.get(f"{prefix}.{name}") or policy.table[name]


@pytest.mark.parametrize("name", TABLES)
def test_autoaugment_tables(name: str) -> None:
    """The same operations with the same probabilities, in the same order."""
    policy, source = Policy.load(name), v2.AutoAugment(TABLES[name])
    assert isinstance(policy, SubPolicies)
    expected = [[(op, p) for op, p, _index in sub_policy] for sub_policy in source._policies]
    assert expected == [[(use.op.removeprefix("AA."), use.p) for use in sub] for sub in policy.sub_policies]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", TABLES)
def test_autoaugment_pixels(name: str, kind: str, picture: Picture) -> None:
    """Every entry of every sub-policy, with both signs."""
    policy, source, image = Policy.load(name), v2.AutoAugment(TABLES[name]), picture(kind)
    assert isinstance(policy, SubPolicies)
    for entries, uses in zip(source._policies, policy.sub_policies, strict=True):
        for (op, _p, index), use in zip(entries, uses, strict=True):
            values, signed = source._AUGMENTATION_SPACE[op]
            magnitudes = values(10, image.height, image.width)
            magnitude = 0.0 if magnitudes is None else float(magnitudes[index])
            expected = theirs(source, image, op, magnitude, signed=signed)
            assert same(expected, ours(policy, policy.table[use.op], use.magnitude, image)), (op, index)


@pytest.mark.parametrize(
    ("name", "source"), [("trivialaugment", v2.TrivialAugmentWide), ("randaugment", v2.RandAugment)]
)
def test_the_choice_is_torchvisions(name: str, source: type[v2.Transform]) -> None:
    """The same operations to choose from, mirrored where theirs are signed, always applied."""
    policy = Policy.load(name)
    assert isinstance(policy, Parametric)
    assert list(source._AUGMENTATION_SPACE) == [op.partition(".")[2] or op for op in policy.ops]
    signed = [is_signed for _values, is_signed in source._AUGMENTATION_SPACE.values()]
    assert signed == [policy.table[op].mirrored for op in policy.ops]
    assert (1.0, 1.0) == policy.p


def test_how_often_and_how_strong() -> None:
    """RandAugment: two operations at 9 of 30. TrivialAugment: one, at any of 31 magnitudes."""
    policy, source = Policy.load("randaugment"), v2.RandAugment()
    assert isinstance(policy, Parametric)
    assert source.num_ops == policy.num_ops
    assert (source.magnitude / (source.num_magnitude_bins - 1),) * 2 == policy.magnitude
    trivial = Policy.load("trivialaugment")
    assert isinstance(trivial, Parametric)
    assert v2.TrivialAugmentWide().num_magnitude_bins == trivial.bins
    assert (1, (0.0, 1.0)) == (trivial.num_ops, trivial.magnitude)


@pytest.mark.parametrize("kind", KINDS)
def test_randaugment_pixels(kind: str, picture: Picture) -> None:
    """Every operation at magnitude 9 of 30, with both signs."""
    policy, source, image = Policy.load("randaugment"), v2.RandAugment(), picture(kind)
    for name, (values, signed) in source._AUGMENTATION_SPACE.items():
        magnitudes = values(source.num_magnitude_bins, image.height, image.width)
        magnitude = 0.0 if magnitudes is None else float(magnitudes[source.magnitude])
        expected = theirs(source, image, name, magnitude, signed=signed)
        assert same(expected, ours(policy, row_of(policy, "RA", name), 0.3, image)), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", list(v2.TrivialAugmentWide._AUGMENTATION_SPACE))
def test_trivialaugment_pixels_at_the_numbers_meant(name: str, kind: str, picture: Picture) -> None:
    """Every bin, with both signs, equals torchvision's operation at the exact magnitude of the bin."""
    policy, source, image = Policy.load("trivialaugment"), v2.TrivialAugmentWide(), picture(kind)
    row = row_of(policy, "TA", name)
    values, signed = source._AUGMENTATION_SPACE[name]
    magnitudes = values(31, image.height, image.width)
    for index in range(31):
        mine = ours(policy, row, index / 30, image)
        if name == "Solarize":
            expected = [np.asarray(v2.functional.solarize(image, threshold=8.5 * (30 - index))).astype(int)]
        elif name in TRIVIAL_HIGH:
            magnitude = TRIVIAL_HIGH[name] * index / 30
            assert magnitude == pytest.approx(float(magnitudes[index]), rel=1e-6, abs=1e-6)
            expected = theirs(source, image, name, magnitude, signed=signed)
        else:
            magnitude = 0.0 if magnitudes is None else float(magnitudes[index])
            expected = theirs(source, image, name, magnitude, signed=signed)
        assert same(expected, mine), index


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", list(v2.TrivialAugmentWide._AUGMENTATION_SPACE))
def test_trivialaugment_pixels_at_torchvisions_own_numbers(name: str, kind: str, picture: Picture) -> None:
    """Every bin, but for what float32 explains: 15.999999 px cut to 15, a value on the threshold, one grey level."""
    policy, source, image = Policy.load("trivialaugment"), v2.TrivialAugmentWide(), picture(kind)
    row = row_of(policy, "TA", name)
    values, signed = source._AUGMENTATION_SPACE[name]
    magnitudes = values(31, image.height, image.width)
    for index in range(31):
        magnitude = 0.0 if magnitudes is None else float(magnitudes[index])
        found = differences(ours(policy, row, index / 30, image), theirs(source, image, name, magnitude, signed=signed))
        if name == "Solarize":
            on_threshold = np.abs(np.asarray(image) - 8.5 * (30 - index)) < 1e-4
            assert not found[0][~on_threshold].any(), index
        elif name in ("Brightness", "Color", "Contrast", "Sharpness"):
            assert max(difference.max() for difference in found) <= 1, index
        elif name in ("TranslateX", "TranslateY") and int(magnitude) != int(magnitude + 1e-5):
            assert row.argument(index / 30) == pytest.approx(magnitude, abs=1e-5)
        elif name in ("ShearX", "ShearY", "Rotate"):  # their matrix goes through an angle in degrees
            assert max((difference > 0).mean() for difference in found) <= 0.005, index
        else:
            assert not any(difference.any() for difference in found), index


def test_autoaugment_translates_by_a_fraction_of_the_side(picture: Picture) -> None:
    """An image of another size is moved by the same fraction, as torchvision does it, not by the same pixels."""
    row = Policy.load("autoaugment-cifar10").table["AA.TranslateX"]
    assert 150 / 331 == pytest.approx(row.argument(1.0))
    for kind, pixels in (("noise", 14), ("wide", 24)):  # ⌊32 · 150/331⌋, ⌊53 · 150/331⌋
        moved = np.asarray(row.kernel(picture(kind), row.argument(1.0), Canvas(fill=(255, 0, 255))))
        assert pixels == (moved[0] == (255, 0, 255)).all(-1).sum()
