"""The nearest of what a format cannot express: what is written, and that each difference is named, in the file too."""

import io
import json

import numpy as np
import pytest

from faa_core import Choice, FaaError, LayeredSubPolicies, Layers, Op, Parametric, Policy, SubPolicies, formats
from faa_core.formats import Leeway
from faa_core.policies.document import OperationRow

FINE = OperationRow(kernel="Rotate", low=0.0, high=40.0, unit="degrees", mirrored=True)
POLICY = SubPolicies(
    name="mine",
    fill=(1, 2, 3),
    interpolation="bicubic",
    operations={"Turn": FINE},
    sub_policies=(
        (Op(op="Turn", p=0.5, magnitude=0.4), Op(op="Equalize", p=0.2, magnitude=0)),
        (Op(op="ShearX", p=0.6, magnitude=1.0), Op(op="Cutout", p=0.3, magnitude=0.5), Op(op="Crop", p=1, magnitude=1)),
        (Op(op="Turn", p=0.1, magnitude=1.0), Op(op="Posterize", p=0.3, magnitude=0.9)),
    ),
    magnitude_std=0.1,
)


def written(policy: Policy, name: str) -> tuple[str | bytes, list[str]]:
    """Return what is written, and what is told; without leeway the same is refused."""
    with pytest.raises(FaaError, match="--nearest"):
        formats.render(policy, name)
    leeway = Leeway(nearest=True)
    return formats.render(policy, name, leeway=leeway), leeway.notes


def test_the_releases_lists() -> None:
    """The nearest end or place of an axis with the same pixels; what has none is left out."""
    text, notes = written(POLICY, "legacy")
    first, second, third = json.loads(text)
    assert [["Rotate", 0.5, pytest.approx(46 / 60)], ["Equalize", 0.2, 0.0]] == first
    assert [["ShearX", 0.6, 1.0], ["Cutout", 0.3, 0.5]] == second
    assert ["Rotate", 0.1, 1.0] == third[0]  # 40 degrees, where the axis ends at 30
    said = "; ".join(notes)
    for part in (
        "the policy has noise on its magnitudes (0.1): left out",
        "fills with (1, 2, 3) and samples bicubic: black and nearest, as its lists mean",
        "'Turn' (Rotate at 40 or -40 degrees): the nearest of 'Rotate'",
        "'Crop' at 4 pixels: left out",
    ):
        assert part in said


def test_albumentations() -> None:
    """Transforms that are nearly ours, and notes in the document."""
    text, notes = written(POLICY, "albumentations")
    document = json.loads(text)
    assert notes == document["notes"]
    subs = document["transform"]["transforms"][0]["transforms"]
    kinds = [[leaf["__class_fullname__"] for leaf in sub["transforms"]] for sub in subs]
    assert [["OneOf", "Equalize"], ["OneOf", "CoarseDropout", "NoOp"], ["OneOf", "Posterize"]] == kinds
    turned = subs[0]["transforms"][0]["transforms"]
    assert [(16.0, 2), (-16.0, 2)] == [(leaf["rotate"][0], leaf["interpolation"]) for leaf in turned]
    sheared = subs[1]["transforms"][0]["transforms"]
    assert [-16.7, 16.7] == pytest.approx([leaf["shear"]["x"][0] for leaf in sheared], abs=0.01)
    assert [0.1, 0.1] == subs[1]["transforms"][1]["hole_width_range"]
    assert any(note.startswith("'ShearX' at 0.3 or -0.3 fraction: sheared about the centre") for note in notes)
    assert any(note.startswith("'Crop' at 4 pixels: left out") for note in notes)


def test_layered_policies_go_through_albumentations() -> None:
    """AutoAlbument's shape, there and back."""
    layers = (
        (Choice(op="Invert", magnitude=0, probability=0.25), Choice(op="Identity", magnitude=0, probability=0.75)),
    )
    more = ((Choice(op="Solarize", magnitude=0.5, probability=1.0),), *layers)
    policy = LayeredSubPolicies(name="two", sub_policies=(layers, more))
    again = formats.parse(str(formats.render(policy, "albumentations")), "albumentations")
    assert isinstance(again, LayeredSubPolicies)
    assert policy.sub_policies == again.sub_policies


def test_kornia() -> None:
    """The bin that holds the argument; notes are comments, so that the list is still read."""
    text, notes = written(POLICY, "kornia")
    assert str(text).startswith(f"# {notes[0]}\n")
    first, _second, third = eval(str(text))  # noqa: S307 our own text
    assert [("rotate", 0.5, 7), ("equalize", 0.2, None)] == first  # 16 of −30 … 30 in ten bins of six
    assert ("rotate", 0.1, 9) == third[0]
    assert any(note.startswith("'Turn' (Rotate at 16 or -16 degrees)") and "of one sign" in note for note in notes)
    with pytest.raises(FaaError, match="draws from an interval"):
        formats.parse(str(text), "kornia")
    again = formats.parse(str(text), "kornia", leeway=Leeway(nearest=True))
    assert isinstance(again, SubPolicies)
    use = again.sub_policies[0][0]
    row = again.table[use.op]
    assert ("Rotate", 15.0, False) == (row.base, pytest.approx(row.argument(use.magnitude)), row.mirrored)  # of 12 … 18


def test_deep_autoaugment() -> None:
    """The nearest of the 139, and an array of notes."""
    turned = Choice(op="Rotate", magnitude=0.51, probability=0.4)
    policy = Layers(layers=((turned, Choice(op="CutoutAbs", magnitude=0.1, probability=0.6)),))
    content, notes = written(policy, "deepaa")
    assert isinstance(content, bytes)
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        assert notes == arrays["notes"].tolist()
    again = formats.parse(content, "deepaa")
    assert isinstance(again, Layers)
    chosen = [(one.op, one.probability) for one in again.layers[0] if one.probability]
    assert [0.4, 0.6] == pytest.approx([p for _op, p in sorted(chosen, key=lambda one: one[1])])
    assert {"Rotate", "DeepAA.Cutout"} == {op for op, _p in chosen}


def test_timm() -> None:
    """Whole levels, one probability, one of its lists."""
    policy = Policy.load("randaugment")
    text, notes = written(policy, "timm")
    assert "rand-m3-p1" == text
    assert notes[0].endswith("'RA.Solarize': timm's list without inc")
    assert 1 == len(notes)
    ranged = Parametric(num_ops=2, ops=("Invert", "Equalize"), p=(0.2, 0.6), magnitude=(0.3, 0.3))
    text, notes = written(ranged, "timm")
    assert "rand-m3-p0.4" == text
    assert any("a range from 0.2 to 0.6: 0.4" in note for note in notes)


@pytest.mark.parametrize("name", ["legacy", "deepaa", "albumentations", "kornia"])
def test_where_nothing_is_near(name: str) -> None:
    """Another kind of policy is refused with leeway too."""
    policy = Policy.load("fa-reduced-svhn" if name == "deepaa" else "uniform-random")
    if name == "kornia":
        policy = Layers(layers=((Choice(op="Invert", magnitude=0, probability=1.0),),))
    with pytest.raises(FaaError, match=r"layers|sub-policies"):
        formats.render(policy, name, leeway=Leeway(nearest=True))


def test_formats_that_are_only_read() -> None:
    """The error says which are written."""
    for name in ("mmpretrain", "paddleclas"):
        with pytest.raises(FaaError, match=f"Format {name} is read, not written; written are faa, legacy"):
            formats.render(POLICY, name)


def test_what_is_exact_has_no_notes() -> None:
    """With leeway it is written as without."""
    policy = Policy.load("fa-reduced-svhn")
    leeway = Leeway(nearest=True)
    assert formats.render(policy, "legacy") == formats.render(policy, "legacy", leeway=leeway)
    assert [] == leeway.notes


@pytest.mark.parametrize("name", ["none", "fa-reduced-svhn"])
def test_timm_has_nothing_near_to_a_table(name: str) -> None:
    """With leeway, the reason is not that of the strict refusal, which would hold for another table too."""
    with pytest.raises(FaaError, match="not this one") as strict:
        formats.render(Policy.load(name), "timm")
    assert ("no operation with the pixels and the axis of 'TranslateX'" in str(strict.value)) == (name != "none")
    with pytest.raises(FaaError, match=r"no other table is near to one of them, so --nearest finds none\.") as near:
        formats.render(Policy.load(name), "timm", leeway=Leeway(nearest=True))
    assert "no operation" not in str(near.value)
    table = formats.read_policy("original-mstd0.5")
    assert "original-mstd0.5" == formats.render(table, "timm", leeway=Leeway(nearest=True))


@pytest.mark.parametrize(
    ("text", "highest", "spread", "note"),
    [
        ("rand-m12-mmax20", 1.0, 0.0, "a policy has m10 at most: m10"),
        ("rand-m8-mmax12-mstd2", 0.8, 0.2, "a policy at 10; without '-mmax12' it is exact: cut at 10"),
        ("rand-m15-mmax12-mstd2", 1.0, 0.0, "draws none beyond 12: as rand-m10 has it"),
    ],
)
def test_limits_of_timms_have_a_nearest(text: str, highest: float, spread: float, note: str) -> None:
    """The policy's own limit is taken; strictly, they are refused."""
    with pytest.raises(FaaError, match=r"^A policy cannot express this: 'rand"):
        formats.parse(text, "timm")
    leeway = Leeway(nearest=True)
    policy = formats.parse(text, "timm", leeway=leeway)
    assert isinstance(policy, Parametric)
    assert (highest, spread) == (policy.magnitude[1], pytest.approx(policy.magnitude_std))
    assert leeway.notes[0].endswith(note)
