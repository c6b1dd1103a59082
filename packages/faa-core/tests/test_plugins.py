"""Entry points: listing, loading, duplicates and broken plugins, with throw-away distributions."""

import json
import sys
from collections.abc import Callable

import pytest
from PIL import Image

from faa_core import SEARCH_LIST, FaaError, Op, Policy, SubPolicies, UnknownNameError, operation, plugins
from faa_core.operations import operation_names
from faa_core.policies import parse_policy

Install = Callable[..., None]
SWIRL = """
from PIL import ImageOps
from faa_core import Operation, operation

def mirror(image, argument, canvas):
    return ImageOps.mirror(image)

TURN = Operation(name="Turn", kernel=mirror, base="Turn")
TILT = Operation(name="Tilt", kernel=operation("Rotate").kernel, base="Rotate", high=5.0, unit="degrees")
MISNAMED = Operation(name="Other", kernel=mirror, base="Other")
"""


def test_groups_are_frozen() -> None:
    """The doors that plugins may use."""
    assert {
        "faa.ops",
        "faa.policies",
        "faa.searchers",
        "faa.samplers",
        "faa.datasets",
        "faa.models",
        "faa.executors",
        "faa.commands",
    } == set(plugins.GROUPS)


def test_listing_imports_nothing(install: Install) -> None:
    """A plugin that fails on import is listed all the same, and is not imported."""
    install(
        "throwaway-a",
        group="faa.samplers",
        entries={"zebra": "throwaway_a:THING", "ape": "throwaway_a:THING"},
        modules={"throwaway_a": "raise RuntimeError('imported')"},
    )
    listed = plugins.names("faa.samplers")
    assert ["ape", "zebra"] == [name for name in listed if name in ("ape", "zebra")]
    assert sorted(listed) == listed
    assert "throwaway_a" not in sys.modules


def test_a_plugin_loads(install: Install) -> None:
    """`load` returns the object behind the name."""
    install(
        "throwaway-b",
        group="faa.test-group",
        entries={"one": "throwaway_b:ONE", "two": "throwaway_b:TWO"},
        modules={"throwaway_b": "ONE = 1\nTWO = [2]"},
    )
    assert 1 == plugins.load("faa.test-group", "one", kind="number")
    assert [2] == plugins.load("faa.test-group", "two", kind="number")


def test_an_unknown_name_is_answered_with_the_closest(install: Install) -> None:
    """Kind, name, suggestion and hint; without a close one, all that there are."""
    install("throwaway-c", group="faa.test-group", entries={"lion": "throwaway_c:X"}, modules={"throwaway_c": "X = 1"})
    with pytest.raises(UnknownNameError, match=r"No animal is called 'lino'; did you mean lion\? Look\."):
        plugins.load("faa.test-group", "lino", kind="animal", hint="Look.")
    with pytest.raises(UnknownNameError, match=r"No animal is called 'zzz'; known: lion\."):
        plugins.load("faa.test-group", "zzz", kind="animal")
    with pytest.raises(UnknownNameError, match=r"known: none\."):
        plugins.load("faa.empty-group", "zzz", kind="animal")


def test_a_name_offered_twice_names_both(install: Install) -> None:
    """The error names the two distributions, for one of them has to go."""
    for name in ("throwaway-d", "throwaway-e"):
        module = name.replace("-", "_")
        install(name, group="faa.test-group", entries={"same": f"{module}:X"}, modules={module: "X = 1"})
    with pytest.raises(FaaError, match=r"'same' of group faa\.test-group is offered twice") as raised:
        plugins.load("faa.test-group", "same", kind="thing")
    assert "throwaway-d" in str(raised.value)
    assert "throwaway-e" in str(raised.value)
    assert ["same"] == plugins.names("faa.test-group")
    report = plugins.status("faa.test-group")
    assert ["throwaway-d", "throwaway-e"] == sorted(entry.distribution for entry in report)
    assert {"the name is offered twice"} == {entry.error for entry in report}


def test_a_clash_spares_the_other_names(install: Install) -> None:
    """Who uses another name of the group is not stopped by two strangers' quarrel."""
    for name in ("throwaway-f", "throwaway-g"):
        module = name.replace("-", "_")
        entries = {"same": f"{module}:X", name: f"{module}:X"}
        install(name, group="faa.test-group", entries=entries, modules={module: "X = 1"})
    assert 1 == plugins.load("faa.test-group", "throwaway-f", kind="thing")


@pytest.mark.parametrize(
    ("source", "value", "words"),
    [
        ("import no_such_module_at_all", "X", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("1 / 0", "X", "ZeroDivisionError: division by zero"),
        ("Y = 1", "X", "AttributeError"),
        ("def", "X", "SyntaxError"),
        ("import sys; sys.exit(0)", "X", "SystemExit: 0"),
        ("X = 1", "X:Y", "its entry point 'throwaway_f:X:Y' must have the form package.module:object"),
    ],
)
def test_a_broken_plugin_fails_only_when_used(install: Install, source: str, value: str, words: str) -> None:
    """The error names plugin, group, distribution and cause; `status` reports the same without raising."""
    install(
        "throwaway-f",
        group="faa.test-group",
        entries={"bad": f"throwaway_f:{value}", "good": "throwaway_g:X"},
        modules={"throwaway_f": source, "throwaway_g": "X = 5"},
    )
    assert ["bad", "good"] == plugins.names("faa.test-group")
    assert 5 == plugins.load("faa.test-group", "good", kind="thing")
    with pytest.raises(
        FaaError, match=r"plugin 'bad' of group faa\.test-group \(throwaway-f\) does not load"
    ) as raised:
        plugins.load("faa.test-group", "bad", kind="thing")
    assert words in str(raised.value)
    bad, good = plugins.status("faa.test-group")
    assert ("bad", "throwaway-f", f"throwaway_f:{value}") == (bad.name, bad.distribution, bad.value)
    assert words in (bad.error or "")
    assert good.error is None


def test_our_own_plugins_load() -> None:
    """Every policy of this package; operations need no entry point."""
    own = [entry for entry in plugins.status("faa.policies") if entry.distribution == "faa-core"]
    assert len(own) >= 10
    assert [None] * len(own) == [entry.error for entry in own]
    assert {row.name for row in SEARCH_LIST} < set(operation_names())


def test_a_plugin_cannot_take_the_name_of_a_standard_operation(install: Install) -> None:
    """What a policy means by it would depend on what is installed."""
    install("throwaway-l", group="faa.ops", entries={"Invert": "throwaway_h:TURN"}, modules={"throwaway_h": SWIRL})
    with pytest.raises(FaaError, match=r"'Invert' of group faa\.ops is offered twice: by faa-core and by throwaway-l"):
        operation("Invert")


def test_an_operation_of_a_plugin_works_in_a_policy(install: Install) -> None:
    """It is drawn, applied, written and read like any other; without the plugin its name is unknown."""
    install("throwaway-h", group="faa.ops", entries={"Turn": "throwaway_h:TURN"}, modules={"throwaway_h": SWIRL})
    policy = SubPolicies(sub_policies=((Op(op="Turn", p=1, magnitude=0),),))
    image = Image.frombytes("L", (2, 1), bytes([1, 2]))
    assert bytes([2, 1]) == policy.apply(image, seed=0, epoch=0, index=0).tobytes()
    text = policy.to_json()
    assert text == parse_policy(text, source="x").to_json()
    row = {"kernel": "Turn", "low": 0, "high": 2}
    renamed = {"kind": "parametric", "num_ops": 1, "ops": ["T2"], "operations": {"T2": row}}
    assert "Turn" == parse_policy(json.dumps(renamed), source="x").table["T2"].base


def test_a_new_range_of_a_plugin_is_written_with_the_kernel_it_has(install: Install) -> None:
    """So that the file can be read where the plugin is not installed."""
    install("throwaway-k", group="faa.ops", entries={"Tilt": "throwaway_h:TILT"}, modules={"throwaway_h": SWIRL})
    row = {"kernel": "Tilt", "low": 0, "high": 8, "unit": "degrees"}
    document = {"kind": "parametric", "num_ops": 1, "ops": ["Tilt", "Tilt8"], "operations": {"Tilt8": row}}
    written = json.loads(parse_policy(json.dumps(document), source="x").to_json())
    assert {"Tilt": "Rotate", "Tilt8": "Rotate"} == {name: row["kernel"] for name, row in written["operations"].items()}
    assert [5.0, 8.0] == [row["high"] for row in written["operations"].values()]


def test_a_policy_names_a_missing_plugin() -> None:
    """A document whose operation is not installed says which."""
    document = {"kind": "parametric", "num_ops": 1, "ops": ["Turn"]}
    with pytest.raises(FaaError, match=r"x\.json: No operation is called 'Turn'"):
        parse_policy(json.dumps(document), source="x.json")


def test_a_plugin_must_offer_an_operation_of_its_name(install: Install) -> None:
    """Anything else is refused with what it was."""
    install(
        "throwaway-i",
        group="faa.ops",
        entries={"Misnamed": "throwaway_i:MISNAMED", "Function": "throwaway_i:mirror"},
        modules={"throwaway_i": SWIRL},
    )
    for name in ("Misnamed", "Function"):
        with pytest.raises(FaaError, match=rf"'{name}' of group faa\.ops must be an Operation of that name"):
            operation(name)


def test_a_policy_of_a_plugin(install: Install) -> None:
    """Its builder must return a policy."""
    install(
        "throwaway-j",
        group="faa.policies",
        entries={"mine": "throwaway_j:mine", "wrong": "throwaway_j:wrong"},
        modules={"throwaway_j": "from faa_core.policies.search_free import none as mine\n\ndef wrong():\n    return 3"},
    )
    assert Policy.load("mine") == Policy.load("none")
    with pytest.raises(FaaError, match=r"'wrong' of group faa\.policies must return a Policy, not 3"):
        Policy.load("wrong")
