"""Lists of kornia: both kinds, units, names of what has no counterpart, and the library's own pixels."""

import ast
from collections.abc import Callable

import numpy as np
import pytest
from PIL.Image import Image as PILImage

from faa_core import FaaError, Op, Parametric, Policy, Step, SubPolicies, UnknownNameError
from faa_core.formats import kornia

Picture = Callable[[str], PILImage]
FIXED = """
[[("posterize", 0.4, 9), ("auto_contrast", 0.6, None)],
 [("equalize", 0.8, None), ("posterize", 0.3, 0)],
 [("invert", 1.0, 7)]]
"""
RANGES = """[[("rotate", -30.0, 30.0)], [("posterize", 0.0, 4)], [("solarize", 0.0, 1.0)], [("contrast", 0.1, 1.9)],
 [("sharpness", 0.1, 1.9)], [("translate_x", -0.5, 0.5)], [("equalize", 0, 1)]]"""


def test_a_list_of_fixed_entries() -> None:
    """Operations without a magnitude, and the bins of posterize that round to one number of bits."""
    policy = kornia.parse(FIXED)
    assert isinstance(policy, SubPolicies)
    expected = [
        [("Posterize", 0.4, 8.0), ("AutoContrast", 0.6, 0.0)],
        [("Equalize", 0.8, 0.0), ("Posterize", 0.3, 4.0)],
        [("Invert", 1.0, 0.0)],
    ]
    for sub_policy, wanted in zip(policy.sub_policies, expected, strict=True):
        rows = [(policy.table[use.op], use) for use in sub_policy]
        assert wanted == [(row.base, use.p, row.argument(use.magnitude)) for row, use in rows]


def test_a_list_of_ranges() -> None:
    """One operation for each image, always, at any magnitude of its range in our unit."""
    policy = kornia.parse(RANGES)
    assert isinstance(policy, Parametric)
    assert (1, (1.0, 1.0), (0.0, 1.0), None) == (policy.num_ops, policy.p, policy.magnitude, policy.bins)
    assert ("bilinear", (0, 0, 0)) == (policy.interpolation, policy.fill)
    assert [
        ("Rotate", 0.0, 30.0, True),
        ("Posterize", 0.5, 4.5, False),
        ("Solarize", 0.0, 255.0, False),
        ("Brightness", 0.1, 1.9, False),
        ("Sharpness", 0.1, 1.9, False),
        ("TranslateX", 0.0, 0.5, True),
        ("Equalize", 0.0, 1.0, False),
    ] == [(row.base, row.low, row.high, row.mirrored) for row in policy.table.values()]


@pytest.mark.parametrize("text", [FIXED, RANGES])
def test_the_round_trip_keeps_what_it_does(text: str) -> None:
    """Read, written and read again: the same policy; and the list is kornia's."""
    policy = kornia.parse(text)
    written = kornia.write(policy)
    assert policy == kornia.parse(written)
    assert len(ast.literal_eval(text.strip())) == len(ast.literal_eval(written))


def test_the_search_list_in_kornias_ranges() -> None:
    """A symmetric mirrored axis is kornia's range about 0."""
    policy = Parametric(num_ops=1, ops=("Rotate", "TranslateY", "Contrast"), interpolation="bilinear")
    with pytest.raises(FaaError, match=r"no counterpart of: 'Contrast' \(Contrast 0\.1 … 1\.9 factor\)"):
        kornia.write(policy)
    written = kornia.write(Parametric(num_ops=1, ops=("Rotate", "Brightness"), interpolation="bilinear"))
    assert [[("rotate", -30.0, 30.0)], [("contrast", 0.1, 1.9)]] == ast.literal_eval(written)
    with pytest.raises(FaaError, match="kornia samples bilinear and fills with black"):
        kornia.write(Parametric(num_ops=1, ops=("Rotate",)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[("rotate", 0.6, 9), ("brightness", 0.1, 3)]]', ["'rotate' of sub-policy 0, entry 0 draws from", "adds to"]),
        ('[[("posterize", 0.6, 1)]]', ["'posterize' of sub-policy 0, entry 0 draws from an interval"]),
        ('[[("shear_x", -0.3, 0.3)], [("color", 0.1, 1.9)]]', ["shears about the centre", "saturation of HSV"]),
        ('[[("rotate", -30, 20.5)]]', ["takes a range about 0"]),
        ('[[("invert", 1.5, None), ("equalize", 1, 0)]]', ["probability must lie in 0 … 1, not be 1.5"]),
        ('[[("invert", 0.5)]]', ["must be (name, probability, magnitude)"]),
        ('[[("invert", "x", None)]]', ["must hold numbers, not 'x'"]),
        ('[("invert", 0.5, None)]', ["must be (name, probability, magnitude), not 'invert'"]),
        ("[]", ["not a list of sub-policies"]),
        ("{}", ["not a list of sub-policies"]),
        ("exit()", ["nothing is executed"]),
    ],
)
def test_what_is_wrong_is_named(text: str, words: list[str]) -> None:
    """Every entry that does something else, and why."""
    with pytest.raises(FaaError) as raised:
        kornia.parse(text)
    assert all(word in str(raised.value) for word in words), raised.value


def test_an_unknown_name() -> None:
    """The closest of kornia's."""
    with pytest.raises(UnknownNameError, match=r"\(sub-policy 0, entry 0\) is called 'equalise'; did you"):
        kornia.parse('[[("equalise", 0.5, None)]]')


def test_what_the_lists_cannot_say() -> None:
    """Single magnitudes, rules of more than one operation, layers."""
    with pytest.raises(FaaError, match="sub-policy 0: 'Rotate' at 24 or -24 degrees"):
        kornia.write(SubPolicies(sub_policies=((Op(op="Rotate", p=1, magnitude=0.9),),)))
    with pytest.raises(FaaError, match="which applies one operation, always"):
        kornia.write(Policy.load("randaugment"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["rotate", "translate_x", "contrast", "sharpness", "solarize", "posterize"])
def test_the_librarys_pixels(name: str, picture: Picture) -> None:
    """Each operation at magnitudes of its range: equal but for a rounding, and for the outline of what is turned."""
    ops = pytest.importorskip("kornia.augmentation.auto.rand_augment.ops")
    torch = pytest.importorskip("torch")
    limits = {"rotate": (-30.0, 30.0), "translate_x": (-0.5, 0.5), "solarize": (0.0, 1.0), "posterize": (4.0, 8.0)}
    low, high = limits.get(name, (0.1, 1.9))
    image = picture("gradient")
    policy = kornia.parse(f'[[("{name}", {low}, {high})], [("rotate", -30.0, 30.0)]]')
    row = next(iter(policy.table.values()))
    values = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None].float() / 255
    for magnitude in (0.2, 0.9):
        theirs_op = getattr(ops, name)(low, high)
        drawn = theirs_op.forward_parameters(values.shape)
        drawn["batch_prob"] = torch.ones(1)
        factor = theirs_op._factor_name
        exact = low + magnitude * (high - low) if name not in ("rotate", "translate_x") else magnitude * high
        scale = image.width if name == "translate_x" else 1
        drawn[factor] = torch.tensor([round(exact) if name == "posterize" else exact * scale])
        theirs = theirs_op(values, params=drawn)[0].permute(1, 2, 0).detach().numpy() * 255
        steps = [(Step(row, row.argument(magnitude, reflected=side), (0.5, 0.5)),) for side in {False, row.mirrored}]
        differences = [np.abs(np.asarray(policy.apply_steps(image, step)) - theirs) for step in steps]
        best = min(differences, key=np.sum)
        assert (best > 2).mean() < (0.12 if row.mirrored else 1e-9), (magnitude, best.max())
