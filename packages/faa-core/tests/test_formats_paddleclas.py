"""PaddleClas's configs, in the shapes of public files; the numbers are ours."""

from typing import Any

import pytest

from faa_core import FaaError, Parametric, SubPolicies, formats
from faa_core.formats import Leeway
from faa_core.formats.entries import autoaugment_imagenet


def paddle(transform: str) -> str:
    """Return a config of PaddleClas with a transform among others."""
    return f"""
Global:
  epochs: 120
DataLoader:
  Train:
    dataset:
      name: ImageNetDataset
      transform_ops:
        - DecodeImage:
            to_rgb: True
{transform}
        - NormalizeImage:
            scale: 1.0/255.0
            order: ''
  Eval:
    dataset:
      transform_ops:
        - ResizeImage:
            resize_short: 256
"""


TIMM = """
        - TimmAutoAugment:
            config_str: rand-m7-mstd0.5-inc1
            interpolation: bicubic
            img_size: 224
            mean: [0.5, 0.4, 0.3]
"""
V3 = """
        - RandAugmentV3:
            num_layers: 3
            magnitude: 6
            interpolation: bilinear
"""


def test_paddleclas_configs() -> None:
    """The timm string with the fill of its mean; a RandAugment at one level."""
    assert "paddleclas" == formats.guess_format(paddle(TIMM).encode()).name
    policy = formats.parse(paddle(TIMM), "paddleclas")
    plain = formats.read_policy("rand-m7-mstd0.5-inc1")
    assert isinstance(policy, Parametric)
    assert isinstance(plain, Parametric)
    assert (policy.ops, policy.magnitude, policy.magnitude_std) == (plain.ops, plain.magnitude, plain.magnitude_std)
    assert ((128, 102, 76), "bicubic") == (policy.fill, policy.interpolation)
    third = formats.parse(paddle(V3), "paddleclas")
    assert isinstance(third, Parametric)
    assert (3, (1.0, 1.0), 14, "bilinear") == (third.num_ops, third.p, len(third.ops), third.interpolation)
    shown = {row.base: (row.argument(0.0), row.mirrored) for row in third.table.values() if row.unit != "none"}
    assert (18.0, True) == shown["Rotate"]
    assert (6.0, False) == shown["Posterize"]  # 8 less two whole bits of 2.4
    assert {"Solarize": 102.0, "Color": 1.54, "ShearX": 0.18} == pytest.approx(
        {base: shown[base][0] for base in ("Solarize", "Color", "ShearX")}
    )


@pytest.mark.parametrize(
    ("transform", "words", "near"),
    [
        ("        - AutoAugment:", "shears sampled bicubic, turns and shifts at the nearest pixel", SubPolicies),
        ("        - RandAugment:\n            magnitude: 7", "RandAugment .shears sampled bicubic", Parametric),
        (TIMM.replace("bicubic", "random"), r"interpolation 'random' \(drawn afresh\)", Parametric),
        (TIMM + "            prob: 0.8", "TimmAutoAugment.prob 0.8, by which all is applied or nothing", Parametric),
        (TIMM + "            prob: 0.0", "has prob 0 here, so it does nothing", None),
        (TIMM.replace("rand-m7-mstd0.5-inc1", "null"), "config_str must be a text", None),
        ("        - RandAugmentV2:\n            num_layers: 2", "has its own cutout", None),
        (
            TIMM + V3,
            r"The list DataLoader\.Train\.dataset\.transform_ops has several such",
            None,
        ),
        (V3 + "            odd: 3", "has no setting 'odd' that is known", None),
    ],
)
def test_paddleclas_configs_that_say_what_a_policy_cannot(transform: str, words: str, near: Any) -> None:
    """In one sentence; the nearest is read where there is one."""
    with pytest.raises(FaaError, match=words):
        formats.parse(paddle(transform), "paddleclas")
    if near is not None:
        leeway = Leeway(nearest=True)
        assert isinstance(formats.parse(paddle(transform), "paddleclas", leeway=leeway), near)
        assert 1 == len(leeway.notes)


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        (TIMM + TIMM, "several such transforms"),
        (
            "        - RandomApply:\n            transforms:\n            - TimmAutoAugment:\n               prob: 1",
            "TimmAutoAugment is inside RandomApply",
        ),
    ],
)
def test_paddleclas_wrappers_are_refused(transform: str, words: str) -> None:
    """The same in YAML."""
    with pytest.raises(FaaError, match=words):
        formats.parse(paddle(transform), "paddleclas")


def sections(**strings: str) -> str:
    """Return a config with a TimmAutoAugment in sections of these names."""
    section = "{}:\n  transform_ops:\n  - Flip:\n  - TimmAutoAugment:\n      config_str: {}\n"
    return "".join(section.format(name, string) for name, string in strings.items())


def test_sections_that_have_a_policy_each() -> None:
    """That of training is read, whatever comes first, and the others are told; two trainings must agree."""
    policy = formats.parse(sections(Eval="rand-m3-n2", Train="rand-m7-n2"), "paddleclas")
    told = "the policy of Train.transform_ops[1].TimmAutoAugment is read, not that of Eval.transform_ops[1].TimmAuto"
    assert ("rand-m7-n2", 1) == (policy.name, len(policy.provenance["notes"]))
    assert policy.provenance["notes"][0].startswith(told)
    same = formats.parse(sections(Train="rand-m7-n2", Eval="rand-m7-n2"), "paddleclas")
    assert same.provenance["notes"][0].endswith("and Eval.transform_ops[1].TimmAutoAugment, and is read once")
    assert "notes" not in formats.parse(sections(Eval="rand-m3-n2"), "paddleclas").provenance
    with pytest.raises(FaaError, match=r"several policies, which differ: Train\..*, Other\..*\. Keep one of them"):
        formats.parse(sections(Train="rand-m7-n2", Other="rand-m3-n2"), "paddleclas")


def test_lists_of_lists_do_it_twice() -> None:
    """They are refused with their place."""
    twice = "Train:\n  transform_ops:\n  - [{TimmAutoAugment: {}}]\n  - [{TimmAutoAugment: {}}]\n"
    with pytest.raises(FaaError, match=r"The list Train\.transform_ops has several such transforms, .* one after the"):
        formats.parse(twice, "paddleclas")


def test_the_entries_of_autoaugment_that_have_two_directions() -> None:
    """As many implementations have them: geometry and enhancement both ways, the rest one."""
    entries = [entry for sub in autoaugment_imagenet() for entry in sub]
    mirrored = {entry.base for entry in entries if entry.mirrored}
    assert {"Rotate", "ShearX", "Color", "Contrast", "Sharpness"} == mirrored
    assert mirrored.isdisjoint(entry.base for entry in entries if not entry.mirrored)
