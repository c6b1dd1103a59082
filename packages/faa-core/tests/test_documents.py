"""Policy documents: reading, writing, the schema, and what each error says."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faa_core import (
    SEARCH_LIST,
    FaaError,
    Op,
    Parametric,
    Policy,
    SubPolicies,
    UnknownNameError,
    formats,
    plugins,
    random_policy,
)
from faa_core.operations import STANDARD
from faa_core.policies import json_schema, load_policy, parse_policy

BUILT_IN = [
    "none",
    "uniform-random",
    "trivialaugment",
    "trivialaugment-standard",
    "trivialaugment-wide",
    "randaugment",
    "autoaugment-cifar10",
    "autoaugment-svhn",
    "autoaugment-imagenet",
    "fa-reduced-cifar10",
    "fa-reduced-imagenet",
    "fa-reduced-svhn",
]
ROTATE = {"low": -30, "high": 30, "unit": "degrees", "mirrored": True}
USE = {"op": "Rotate", "p": 0.5, "magnitude": 0.9}
CHOICE = {"op": "Rotate", "magnitude": 0.9, "probability": 1}


def document(**fields: Any) -> dict[str, Any]:
    """Return a small valid document with some fields replaced."""
    return {"kind": "sub-policies", "sub_policies": [[USE]]} | fields


def read(fields: Any) -> Policy:
    """Return the policy of a document given as data."""
    return parse_policy(json.dumps(fields), source="my.json")


def fault(fields: Any) -> str:
    """Return what reading a bad document says."""
    with pytest.raises(FaaError) as raised:
        read(fields)
    return str(raised.value)


def test_all_built_in_names_are_installed() -> None:
    """Each name of the documentation loads, and the policy carries it."""
    assert set(BUILT_IN) <= set(plugins.names("faa.policies"))
    assert BUILT_IN == [Policy.load(name).name for name in BUILT_IN]


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_round_trip_is_exact_to_the_byte(name: str, tmp_path: Path) -> None:
    """Written, read and written again: the same bytes, the same table and the same draws."""
    policy = Policy.load(name)
    first = tmp_path / "first.json"
    policy.save(first)
    again = Policy.load(first)
    assert first.read_bytes() == again.to_json().encode()
    assert policy.table == {key: again.table[key] for key in policy.table}
    indices = np.arange(100)
    assert policy.draw(seed=0, epoch=1, indices=indices) == again.draw(seed=0, epoch=1, indices=indices)


@pytest.mark.parametrize("name", ["fa-reduced-cifar10", "fa-reduced-imagenet", "fa-reduced-svhn"])
def test_the_shipped_files_are_written_as_we_write(name: str) -> None:
    """The data in the package is byte for byte what saving the policy gives."""
    shipped = files("faa_core.policies").joinpath("data", f"{name}.json").read_text(encoding="utf-8")
    assert shipped == Policy.load(name).to_json()


@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(1, 3))
def test_any_policy_survives_a_round_trip(seed: int, sub_policies: int, num_ops: int) -> None:
    """Probabilities and magnitudes come back as the same floats."""
    policy = random_policy(sub_policies, seed=seed, num_ops=num_ops)
    again = parse_policy(policy.to_json(), source="test")
    assert isinstance(again, SubPolicies)
    assert policy.sub_policies == again.sub_policies
    assert policy.to_json() == again.to_json()


def test_words_survive_a_round_trip() -> None:
    """Names and provenance may hold any text."""
    fields = document(name='Zoë\'s "λ" \\ 增强', provenance={"note": "Füße\n½", "numbers": [1, 2.5, None, True]})
    again = read(json.loads(read(fields).to_json()))
    assert (fields["name"], fields["provenance"]) == (again.name, json.loads(again.to_json())["provenance"])


def test_writing_fills_everything_in() -> None:
    """A document with the defaults left out is written with all of them, in a fixed order."""
    written = json.loads(read(document()).to_json())
    assert [
        "schema",
        "kind",
        "name",
        "operations",
        "fill",
        "interpolation",
        "sub_policies",
        "provenance",
    ] == list(written)
    assert (
        document(
            schema="faa-policy/1",
            name="unnamed",
            operations={"Rotate": {"kernel": "Rotate"} | ROTATE},
            fill=[0, 0, 0],
            interpolation="nearest",
            provenance={},
        )
        == written
    )


def test_parametric_defaults() -> None:
    """Only the operations and their number are needed."""
    written = json.loads(read({"kind": "parametric", "num_ops": 1, "ops": ["Invert"]}).to_json())
    assert [[1.0, 1.0], [0.0, 1.0], None] == [written[key] for key in ("p", "magnitude", "bins")]


def test_one_line_per_sub_policy_and_operation() -> None:
    """A changed operation is one changed line."""
    lines = read(document(sub_policies=[[USE, USE], [USE], []])).to_json().splitlines()
    assert 3 == sum(line.startswith("  [") for line in lines)
    assert 1 == sum(line.startswith('  "Rotate"') for line in lines)


def test_a_document_may_repeat_the_standard_axis() -> None:
    """With or without naming the kernel, the standard row is meant."""
    for row in (ROTATE, ROTATE | {"kernel": "Rotate"}):
        assert read(document()).table == read(document(operations={"Rotate": row})).table


def test_a_new_range_is_a_new_name() -> None:
    """A row of its own name carries its own axis and the pixels of its kernel."""
    fields = document(
        operations={"Tilt": {"kernel": "Rotate", "low": 0, "high": 10, "unit": "degrees"}},
        sub_policies=[[{"op": "Tilt", "p": 1, "magnitude": 0.5}]],
    )
    tilt = read(fields).table["Tilt"]
    standard = read(document()).table["Rotate"]
    assert (0.0, 10.0, False, "Rotate") == (tilt.low, tilt.high, tilt.mirrored, tilt.base)
    assert standard.kernel is tilt.kernel
    assert 5.0 == tilt.argument(0.5)


def test_cutout_under_a_new_name_keeps_its_grey() -> None:
    """Unless the row gives another fill."""
    for extra, expected in (({}, (125, 123, 114)), ({"fill": [1, 2, 3]}, (1, 2, 3))):
        fields = document(
            operations={"Hole": {"kernel": "Cutout", "low": 0, "high": 0.5, "unit": "fraction"} | extra},
            sub_policies=[[{"op": "Hole", "p": 1, "magnitude": 1}]],
        )
        assert expected == read(fields).table["Hole"].fill
        assert list(expected) == json.loads(read(fields).to_json())["operations"]["Hole"]["fill"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"low": -20}, "-30 … 30 degrees, mirrored in the standard table, but"),
        ({"high": 31}, r"(-30 … 31 degrees, mirrored). A new range needs a new name"),
        ({"mirrored": False}, "another axis (-30 … 30 degrees)"),
        ({"unit": "fraction"}, "another axis (-30 … 30 fraction, mirrored)"),
        ({"fill": [1, 2, 3]}, "another axis (-30 … 30 degrees, mirrored, filled with (1, 2, 3))"),
    ],
)
def test_another_axis_under_a_standard_name_is_refused(change: dict[str, Any], words: str) -> None:
    """The error shows both axes and how to write the new one; unused rows are checked too."""
    message = fault(document(operations={"Rotate": ROTATE | change}))
    assert "my.json: Operation 'Rotate'" in message
    assert words in message
    assert '"kernel": "Rotate"' in message
    assert message == fault(document(operations={"Rotate": ROTATE | change}, sub_policies=[[]]))


def test_a_row_counts_in_the_unit_of_its_kernel() -> None:
    """Otherwise pixels would be read as fractions, or a factor reflected about 0."""
    row = {"kernel": "TranslateX", "low": -10, "high": 10, "unit": "pixels", "mirrored": True}
    message = fault(document(operations={"Shift": row}))
    assert "my.json: Operation 'Shift' counts its axis in 'pixels', but its kernel 'TranslateX' takes 'fraction'." == (
        message
    )
    assert "takes 'factor'" in fault(document(operations={"Fade": {"kernel": "Color", "low": 1, "high": 1.9}}))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (document(sub_policies=[[USE | {"op": "Rotat"}]]), ["my.json: No operation is called 'Rotat'", "mean Rotate"]),
        (document(operations={"Mine": {"kernel": "Cutut", "low": 0, "high": 1}}), ["'Cutut'", "mean Cutout"]),
        (document(operations={"Mine": {"low": 0, "high": 1}}), ["No operation is called 'Mine'"]),
        (document(sub_policies=[[USE | {"p": 1.5}]]), ["sub_policies.0.0.p: ", "less than or equal to 1", "given 1.5"]),
        (document(sub_policies=[[USE], [USE, USE | {"p": -0.1}]]), ["sub_policies.1.1.p: ", "given -0.1"]),
        (document(sub_policies=[[USE | {"p": float("nan")}]]), ["sub_policies.0.0.p: ", "finite", "given nan"]),
        (document(sub_policies=[[USE | {"magnitude": float("inf")}]]), [".magnitude: ", "finite"]),
        (document(sub_policies=[[USE | {"magnitude": 2}]]), ["sub_policies.0.0.magnitude: ", "given 2"]),
        (document(sub_policies=[[{"op": "Rotate", "p": 1}]]), ["sub_policies.0.0.magnitude: Field required"]),
        (document(sub_policies=[[USE | {"m": 1}]]), ["sub_policies.0.0.m: Extra inputs are not permitted (given 1)"]),
        (document(sub_policies=[]), ["sub_policies: ", "at least 1"]),
        ({"kind": "sub-policies"}, ["sub_policies: Field required"]),
        (document(colour=1), ["colour: Extra inputs are not permitted (given 1)"]),
        (document(fill=[0, 0, 256]), ["fill.2: ", "255", "given 256"]),
        (document(fill=[0, 0]), ["fill.2: Field required"]),
        (document(interpolation="cubic"), ["interpolation: ", "'bicubic'", "given 'cubic'"]),
        (document(schema="faa-policy/0"), ["schema: ", "'faa-policy/1'", "given 'faa-policy/0'"]),
        (document(schema="faa-other/2"), ["schema: ", "'faa-policy/1'", "given 'faa-other/2'"]),
        (document(schema="faa-policy/2"), ["my.json was written by a newer version", "keep it: update faa-core"]),
        ({"schema": "faa-policy/2"}, ["its schema is 'faa-policy/2', and this version knows 'faa-policy/1'"]),
        (document(kind="tables"), ["kind: ", "'tables'", "'sub-policies', 'parametric', 'layers'"]),
        ({"kind": "layers"}, ["layers: Field required"]),
        ({"kind": "layers", "layers": [[CHOICE | {"probability": 0.5}]]}, ["layer 0 must add up to 1, not 0.5"]),
        ({"kind": "layers", "layers": [[CHOICE], []]}, ["layers.1: ", "at least 1"]),
        (document(operations={"Rotate": {"low": 0}}), ["operations.Rotate.high: Field required"]),
        ({"sub_policies": [[USE]]}, ['"kind": "sub-policies", "parametric", "layers" or "layered-sub-policies"']),
        ([USE], ['must be an object with "kind"']),
        ({"kind": "parametric", "num_ops": 0, "ops": ["Invert"]}, ["num_ops: ", "given 0"]),
        ({"kind": "parametric", "num_ops": 1, "ops": []}, ["ops: ", "at least 1"]),
        ({"kind": "parametric", "num_ops": 1, "ops": ["Invrt"]}, ["'Invrt'", "mean Invert"]),
        ({"kind": "parametric", "num_ops": 1, "ops": ["Invert"], "bins": 1}, ["bins: ", "given 1"]),
        (
            {"kind": "parametric", "num_ops": 1, "ops": ["Invert"], "p": [0.9, 0.1]},
            ["p: ", "must not fall: 0.9 > 0.1"],
        ),
        ({"kind": "parametric", "num_ops": 1, "ops": ["Invert"], "magnitude": [0, 2]}, ["magnitude.1: ", "given 2"]),
    ],
)
def test_an_error_names_the_place_and_what_is_wrong(fields: Any, words: list[str]) -> None:
    """Source, place, rule and the value given."""
    message = fault(fields)
    assert message.startswith("my.json")
    assert all(word in message for word in words), message


def test_every_fault_is_named_and_no_other() -> None:
    """Two faults make two entries; a list of faulty items is not called too short."""
    message = fault(document(sub_policies=[[USE | {"p": 2}]], fill=[-1, 0, 0]))
    assert 1 == message.count(";")
    assert "at least" not in message


def test_many_faults_are_counted() -> None:
    """Five are shown, the others counted."""
    assert fault(document(sub_policies=[[USE | {"p": 2}] * 9])).endswith("; and 4 more.")


def test_no_json() -> None:
    """The error says where reading stopped."""
    with pytest.raises(FaaError, match=r"my\.json cannot be read: it is not JSON: .*line 1 column 2"):
        parse_policy("{", source="my.json")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The error names the path."""
    missing = tmp_path / "missing.json"
    with pytest.raises(FaaError, match=r"missing\.json' cannot be read: there is no such file"):
        Policy.load(missing)


@pytest.mark.parametrize("given", ["./policies/none", "no.json"])
def test_what_looks_like_a_path_is_called_a_file(given: str) -> None:
    """A suffix or a folder means a file, not a name."""
    with pytest.raises(FaaError, match=f"{given[2:]}' cannot be read: there is no such file"):
        Policy.load(given)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    """The error names the file and says that it cannot be read."""
    path = tmp_path / "policy.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FaaError, match=r"policy\.json' cannot be read"):
        Policy.load(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[" * 200_000, "nested too deeply"),
        ('{"kind": ' + "1" * 5000 + "}", "cannot be read: a number in it has too many digits"),
        (" " * (5 << 20), "has 5,242,880 bytes; of such a file at most 4,194,304 are read"),
        ('{"a": [["Invert", 1, 0]]}', "not a policy document: .*Other tools' formats are read too"),
        ("policy = [['Invert', 1, 0]]", "read as legacy, .*Sub-policy 0, entry 0 must be"),
    ],
    ids=["deep", "digits", "large", "legacy", "python"],
)
def test_files_that_are_no_document(content: str, message: str, tmp_path: Path) -> None:
    """Whatever they hold, the error says what to mend."""
    path = tmp_path / "policy.json"
    path.write_text(content)
    with pytest.raises(FaaError, match=message):
        Policy.load(path)


def test_the_largest_file_is_read(tmp_path: Path) -> None:
    """The limit itself is allowed."""
    path = tmp_path / "policy.json"
    text = json.dumps(document())
    path.write_text(text + " " * ((4 << 20) - len(text)))
    assert Policy.load(path) == parse_policy(text, source="here")


def test_a_name_that_nothing_has() -> None:
    """The error suggests the closest names and mentions files."""
    with pytest.raises(UnknownNameError, match=r"No policy is called 'trivialaugmen'; did you mean trivialaugment"):
        Policy.load("trivialaugmen")
    with pytest.raises(UnknownNameError, match=r"a policy's file and a timm string such as rand-m9-n2 are allowed too"):
        Policy.load("zzzz")


def test_addresses_are_not_read() -> None:
    """The error says what to do instead; a name on the Hub is one, and is not in the cache here."""
    with pytest.raises(FaaError, match=r"'https://a.org/p.json' cannot be read: it is an address.*Download the file"):
        Policy.load("https://a.org/p.json")
    with pytest.raises(FaaError, match=r"'hf://owner/name' cannot be read: it is not in the cache"):
        Policy.load("hf://owner/name")


def test_any_kind_loads_any_document(tmp_path: Path) -> None:
    """`load` of a kind returns what the document is."""
    path = tmp_path / "p.json"
    path.write_text(json.dumps(document()))
    for kind in (Policy, SubPolicies, Parametric):
        assert kind.load(str(path)) == parse_policy(path.read_text(), source="here")


def test_the_published_schema_is_the_code() -> None:
    """The file in the package equals what the models say."""
    published = files("faa_core").joinpath("schema", "faa-policy-1.schema.json").read_text(encoding="utf-8")
    assert json_schema() == json.loads(published)


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_schema_accepts_the_built_in_policies(name: str) -> None:
    """Any JSON Schema validator can check a policy."""
    jsonschema.Draft202012Validator.check_schema(json_schema())
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(Policy.load(name).to_json()))


@pytest.mark.parametrize(
    "fields",
    [
        document(sub_policies=[[USE | {"p": 1.5}]]),
        document(sub_policies=[]),
        document(colour=1),
        document(schema="faa-policy/2"),
        document(fill=[0, 0]),
        document(interpolation="cubic"),
        {"kind": "parametric", "num_ops": 0, "ops": ["Invert"]},
        {"kind": "layers"},
    ],
)
def test_the_schema_refuses_what_we_refuse(fields: dict[str, Any]) -> None:
    """The same documents are invalid to a validator."""
    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(fields)
    fault(fields)


# Of the published tables: size, first and last sub-policy, Σp, Σλ.
PUBLISHED = {
    "fa-reduced-cifar10": (
        493,
        (("Contrast", 0.8320659688593578, 0.49884310562180767), ("TranslateX", 0.41849883971249136, 0.394023086494538)),
        (("Cutout", 0.7550520024859294, 0.08982367300605598), ("ShearX", 0.5844942417320858, 0.36051195083380105)),
        501.72319206685285,
        505.27911644158826,
    ),
    "fa-reduced-imagenet": (
        498,
        (("ShearY", 0.14143816458479197, 0.513124791615952), ("Sharpness", 0.9290316227291179, 0.9788406212603302)),
        (
            ("AutoContrast", 0.5404508567155423, 0.7472387762067986),
            ("Equalize", 0.05649876539221024, 0.5628180219887216),
        ),
        459.7676596249431,
        501.826415378607,
    ),
    "fa-reduced-svhn": (
        497,
        (("TranslateX", 0.001576965129744562, 0.43180488809874773), ("Invert", 0.7395307279252639, 0.7538444307982558)),
        (("Contrast", 0.9932891064746089, 0.46930062926732646), ("Posterize", 0.9033014136780437, 0.5745902253320527)),
        477.23077789818296,
        492.90726769977175,
    ),
}


def entry(sub_policy: tuple[Op, ...]) -> tuple[tuple[str, float, float], ...]:
    """Return a sub-policy as plain tuples."""
    return tuple((use.op, use.p, use.magnitude) for use in sub_policy)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_tables(name: str) -> None:
    """Size, ends and sums are those of the published policies, over the search list of fifteen."""
    policy = Policy.load(name)
    assert isinstance(policy, SubPolicies)
    count, first, last, sum_p, sum_magnitude = PUBLISHED[name]
    uses = [use for sub_policy in policy.sub_policies for use in sub_policy]
    assert (count, 2 * count) == (len(policy.sub_policies), len(uses))
    assert (first, last) == (entry(policy.sub_policies[0]), entry(policy.sub_policies[-1]))
    assert sum_p == pytest.approx(sum(use.p for use in uses), abs=1e-9)
    assert sum_magnitude == pytest.approx(sum(use.magnitude for use in uses), abs=1e-9)
    assert {row.name for row in SEARCH_LIST} == set(policy.table)
    assert "MIT" == policy.provenance["licence"]
    assert "kakaobrain/fast-autoaugment" in policy.provenance["source"]


def test_the_readme_is_true() -> None:
    """Its example is a valid document, and it names every operation and every built-in policy."""
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    example = text.partition("```json\n")[2].partition("```")[0]
    policy = parse_policy(example, source="README.md")
    assert {"Tilt", "Equalize"} == set(policy.table)
    own = [entry.name for entry in plugins.status("faa.policies") if entry.distribution == "faa-core"]
    shortened = [name.removeprefix("autoaugment").removeprefix("fa-reduced") for name in own]
    assert [] == [name for name in (*STANDARD, *shortened) if name not in text]


@pytest.mark.parametrize(("low", "high"), [(-36_001, 0), (0, 36_001)])
def test_an_axis_may_not_reach_too_far_at_either_end(low: float, high: float) -> None:
    """The end that is farther from zero counts, whichever it is; the limit itself is allowed."""
    row = {"kernel": "Rotate", "low": low, "high": high, "unit": "degrees"}
    use = {"op": "Tilt", "p": 1, "magnitude": 0.5}
    with pytest.raises(FaaError, match=r"'Tilt' goes from .* degrees; ±36000 is allowed"):
        read(document(operations={"Tilt": row}, sub_policies=[[use]]))
    nearer = row | {"low": max(low, -36_000), "high": min(high, 36_000)}
    tilt = read(document(operations={"Tilt": nearer}, sub_policies=[[use]])).table["Tilt"]
    assert (nearer["low"], nearer["high"]) == (tilt.low, tilt.high)


@pytest.mark.parametrize("given_", ["", " ", None, 5, {}, b"trivialaugment", ["trivialaugment"], Policy])
def test_what_names_no_policy(given_: object) -> None:
    """An empty text is not the current folder, and what is not a text is not turned into one."""
    reads: tuple[Any, ...] = (Policy.load, formats.read_policy, load_policy)
    for read_ in reads:
        with pytest.raises(FaaError, match="A policy is given as its name, the path of its file or a timm string"):
            read_(given_)
