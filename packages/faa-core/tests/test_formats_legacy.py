"""The lists of the Fast AutoAugment release: shapes, levels, arguments, and files that mean harm."""

import json
import os
from pathlib import Path

import pytest

from faa_core import FaaError, Op, Policy, SubPolicies, UnknownNameError
from faa_core.formats import legacy

PUBLISHED = ["fa-reduced-cifar10", "fa-reduced-imagenet", "fa-reduced-svhn"]

ARCHIVE = '''
"""Tables."""
import os
from collections import defaultdict

PATH = os.path.join("a", "b")

def plain():
    p = [[["Rotate", 0.25, 0.75], ["Invert", 1, 0.5]], [["Cutout", 0.5, 1.0], ["Solarize", 0.1, 0]]]
    return p

@autoaug2arsaug
def table():
    first = [[("Rotate", 0.7, 2), ("TranslateXAbs", 0.3, 9)]]
    second: list = [[("Posterize2", 0.3, 7), ("AutoContrast", 0.5, 8)]]
    return first + second

def made():
    return [x for x in range(3)]
'''


@pytest.fixture
def shared_policies() -> Path:
    """Return the folder of published policies that are not part of the repository."""
    folder = Path(os.environ.get("FAA_TEST_DATA", "nowhere")).parent / "policies"
    if not folder.is_dir():
        pytest.skip("there is no folder of policies beside FAA_TEST_DATA")
    return folder


def one(op: str, level: float, **options: object) -> tuple[float, SubPolicies]:
    """Return the argument of one entry, and the policy."""
    policy = legacy.parse(json.dumps([[[op, 0.5, level]]]), **options)
    return policy.table[op].argument(policy.sub_policies[0][0].magnitude), policy


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_table_survives_the_round_trip(name: str) -> None:
    """Its sub-policies come back as the same floats, as JSON and as a Python literal alike."""
    policy = Policy.load(name)
    assert isinstance(policy, SubPolicies)
    text = legacy.write(policy)
    assert len(policy.sub_policies) == len(json.loads(text)) == text.count("\n") - 2
    assert policy.sub_policies == legacy.parse(text).sub_policies
    assert policy.sub_policies == legacy.parse(f"p = {json.loads(text)!r}").sub_policies


@pytest.mark.parametrize(
    ("file", "count", "levels"),
    [
        ("fa_reduced_cifar10", 493, "unit"),
        ("fa_resnet50_rimagenet", 498, "unit"),
        ("fa_reduced_svhn", 497, "unit"),
        ("arsaug_policy", 35, "unit"),
        ("autoaug_policy", 95, "autoaugment"),
        ("autoaug_policy__faa", 95, "unit"),
        ("autoaug_paper_cifar10", 25, "autoaugment"),
        ("autoaug_paper_cifar10__faa", 25, "unit"),
        ("jsh_optimal_policy", 50, "unit"),
        ("random_search2048", 50, "unit"),
    ],
)
@pytest.mark.shared_data
def test_tables_in_the_wild(file: str, count: int, levels: str, shared_policies: Path) -> None:
    """Their size, and which levels they have."""
    policy = legacy.parse((shared_policies / f"{file}.json").read_text())
    assert (count, levels, file) == (len(policy.sub_policies), policy.provenance["levels"], policy.name)


@pytest.mark.shared_data
@pytest.mark.parametrize("file", ["autoaug_policy", "autoaug_paper_cifar10"])
def test_raw_levels_are_the_executed_ones(file: str, shared_policies: Path) -> None:
    """AutoAugment's levels by our rules are the positions that the release computes."""
    raw = legacy.parse((shared_policies / f"{file}.json").read_text())
    executed = legacy.parse((shared_policies / f"{file}__faa.json").read_text())
    for mine, theirs in zip(raw.sub_policies, executed.sub_policies, strict=True):
        for left, right in zip(mine, theirs, strict=True):
            assert (left.op, left.p) == (right.op, right.p)
            assert right.magnitude == pytest.approx(left.magnitude, abs=1e-12)


@pytest.mark.parametrize(
    ("op", "level", "argument"),
    [
        ("ShearX", 0.75, 0.15),
        ("TranslateY", 0.25, -0.225),
        ("Rotate", 0.9, 24.0),
        ("Solarize", 0.25, 64.0),
        ("Posterize", 0.5, 6.0),
        ("Posterize2", 0.5, 2.0),
        ("Color", 0.5, 1.0),
        ("Cutout", 0.75, 0.15),
        ("CutoutAbs", 0.75, 15.0),
        ("TranslateXAbs", 0.3, 3.0),
        ("SamplePairing", 1, 0.4),
    ],
)
def test_positions(op: str, level: float, argument: float) -> None:
    """Low + ℓ·(high − low) of the release's ranges."""
    assert argument == pytest.approx(one(op, level)[0], abs=1e-12)


@pytest.mark.parametrize(
    ("op", "arguments"),
    [
        ("ShearX", [0.03 * level for level in range(11)]),
        ("TranslateYAbs", list(range(11))),
        ("Rotate", [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30]),
        ("Solarize", [256, 231, 205, 180, 154, 128, 103, 77, 52, 26, 0]),
        ("Posterize2", [4, 4, 4, 3, 3, 2, 2, 2, 1, 1, 0]),
        ("Brightness", [0.1 + 0.18 * level for level in range(11)]),
        ("CutoutAbs", [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20]),
    ],
)
def test_autoaugment_levels(op: str, arguments: list[float]) -> None:
    """Each level 0…10 gives AutoAugment's argument; what is cut to whole numbers is one exactly."""
    given = [one(op, level, levels="autoaugment")[0] for level in range(11)]
    assert given == pytest.approx(arguments, abs=1e-12)
    if op in ("Solarize", "Posterize2"):
        assert given == arguments


def test_a_level_above_one_means_autoaugments() -> None:
    """Unless its operation has no magnitude, where the release's own files keep whole numbers."""
    assert 6.0 == one("Rotate", 2)[0]
    policy = legacy.parse('[[["Invert", 0.1, 7], ["Rotate", 0.2, 0.5]]]')
    assert ("unit", 0.0, 0.5) == (policy.provenance["levels"], *(use.magnitude for use in policy.sub_policies[0]))


def test_a_python_file_is_read_and_not_executed() -> None:
    """By variable, by function, with sums of lists and with AutoAugment's levels where the decorator says so."""
    plain = legacy.parse(ARCHIVE, table="plain")
    assert ("plain", "Rotate", 0.25, 0.75) == (plain.name, *plain.sub_policies[0][0].model_dump().values())
    table = legacy.parse(ARCHIVE, table="table")
    arguments = [[table.table[use.op].argument(use.magnitude) for use in sub] for sub in table.sub_policies]
    assert [6.0, 9.0] == pytest.approx(arguments[0])
    assert 2.0 == arguments[1][0]
    with pytest.raises(FaaError, match=r"holds several lists: plain, table"):
        legacy.parse(ARCHIVE)
    with pytest.raises(UnknownNameError, match=r"is called 'tabel'; did you mean table"):
        legacy.parse(ARCHIVE, table="tabel")


def test_the_shape_of_another_search() -> None:
    """Objects by number, a level "None" for operations without one."""
    policy = legacy.parse('{"0": {"Color": [0.8, 0.6], "AutoContrast": [0.1, "None"]}, "1": {"Rotate": [1, 0]}}')
    assert [("Color", 0.8, 0.6), ("AutoContrast", 0.1, 0.0)] == [
        (use.op, use.p, use.magnitude) for use in policy.sub_policies[0]
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[['Rotat', 0.5, 0.5]]]", "No operation of Fast AutoAugment (sub-policy 0, entry 0) is called 'Rotat'"),
        (
            '[[["Rotate", 0.5, 0.5]], [["Invert", 0.5, 0], ["Color", 1.5, 0]]]',
            "Sub-policy 1, entry 1 ('Color'): p must",
        ),
        ('[[["Rotate", 0.5, -0.1]]]', "must lie in 0 … 1, not be -0.1"),
        ('[[["Rotate", 0.5, 2.5]]]', "a whole number in 0 … 10, not 2.5"),
        ('[[["Rotate", 0.5, 11]]]', "a whole number in 0 … 10, not 11"),
        ('[[["TranslateX", 0.5, 3]]]', "('TranslateX'): AutoAugment has no levels for it"),
        ('[[["Rotate", NaN, 0.5]]]', "its p must be a number, not nan"),
        ('[[["Rotate", true, 0.5]]]', "its p must be a number, not True"),
        ('[[["Rotate", 0.5, "None"]]]', "its level must be a number, not 'None'"),
        ('[[["Rotate", 0.5, 1' + "0" * 400 + "]]]", "its level must be a number"),
        ('[[["Rotate", 0.5]]]', "must be [operation, p, level], not ['Rotate', 0.5]"),
        ('["Rotate", 0.5, 0.5]', "Sub-policy 0 must be a list of [operation, p, level], not 'Rotate'"),
        ("[]", "not a list of sub-policies"),
        ("3", "not a list of sub-policies"),
        ("{'a': 1}", "not a list of sub-policies"),
        ("__import__('os').system('false')", "nothing is executed"),
        ("[[['Rotate', 0.5, open('x')]]]", "nothing is executed"),
        ("[['Rotate', 0.5, 0.1], [open('x')]]", "It has open('x'), which is not a literal"),
        (
            "[{'op': 'Invert', 'p': 1, 'op': 'Color'}]",
            "the key 'op' twice, and Python would forget the first",
        ),
        ("[0] * 1000000000000", "nothing is executed"),
        ("raise SystemExit", "nothing in it is executed"),
        ("p = f()", "nothing in it is executed"),
        ("@cached\ndef f():\n    return [[['Rotate', 0.5, 0.5]]]", "decorated by cached, which is not executed"),
        ("[" * 100000, "nested too deeply"),
        ("x = " + "(" * 300 + ")" * 300, "neither JSON nor Python"),
        ("a = [1]\n" + "a = a + a\n" * 60, "more than 100000 entries"),
        ("def (", "neither JSON nor Python"),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    """The place, the value and the rule; a file that means harm does none."""
    with pytest.raises(FaaError) as raised:
        legacy.parse(text)
    assert words in str(raised.value)


def test_an_axis_of_another_source_is_moved_onto_the_releases() -> None:
    """The same rotations on a one-sided axis; what lies outside, or moves by whole pixels, is named."""
    policy = Policy.load("autoaugment-cifar10")
    rotations = [use for sub in policy.sub_policies for use in sub if use.op == "AA.Rotate"]
    turned = policy.model_copy(update={"sub_policies": (tuple(rotations),)})
    ((op, p, level),) = json.loads(legacy.write(turned))[0]
    row = legacy.parse(legacy.write(turned)).table[op]
    assert ("Rotate", rotations[0].p) == (op, p)
    assert policy.table["AA.Rotate"].argument(rotations[0].magnitude) == pytest.approx(abs(row.argument(level)))
    with pytest.raises(
        FaaError, match=r"^Fast AutoAugment's lists cannot express this: .*'AA\.Contrast' \(Contrast at 1\.6 or 0\.4"
    ):
        legacy.write(policy)


def test_what_the_lists_cannot_say() -> None:
    """Rules, colours, filters and operations of others."""
    with pytest.raises(FaaError, match="'trivialaugment' is not a table of sub-policies"):
        legacy.write(Policy.load("trivialaugment"))
    with pytest.raises(FaaError, match=r"cannot express this: the policy fills with \(1, 2, 3\) and samples nearest"):
        legacy.write(SubPolicies(sub_policies=((),), fill=(1, 2, 3)))
    with pytest.raises(FaaError, match=r"^Fast AutoAugment's lists cannot express this: 'Crop' at 2 pixels"):
        legacy.write(SubPolicies(sub_policies=((Op(op="Crop", p=1, magnitude=0.5),),)))
