"""The one reader of YAML: what it takes, what it refuses and where, and that nothing else is ever raised."""

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from faa_core import FaaError
from faa_core.yaml_files import MOST_BYTES, parse_yaml, read_yaml
from faa_search.settings import Budget, CompareConfig, EvalConfig, SearchConfig, Settings, TrainConfig
from faa_search.settings.resolving import Layer, read_layer, resolve

LAUGHS = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


def said(text: str) -> str:
    """Return what refusing a text says."""
    with pytest.raises(FaaError) as raised:
        parse_yaml(text, source="'c.yaml'")
    assert str(raised.value).startswith("'c.yaml' ")
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lr: 1\nepochs: 2026-13-45", "(line 2, column 9): a date is not read; put quotes around what is text"),
        ("epochs: 2026-11-28", "a date is not read"),
        ("a: 0b_", "'0b_' is not a plain number"),
        ("a: 010", "'010' is not a plain number; write it in decimals"),
        ("a: 1:30", "'1:30' is not a plain number"),
        ("a: 1:30.5", "'1:30.5' is not a plain number"),
        ("a: " + "9" * 5000, "a number has at most 40 characters"),
        ("a: 0x" + "f" * 5000, "a number has at most 40 characters"),
        ("a: !!float abc", "'abc' is not a plain number"),
        ("a: !!int ''", "'' is not a plain number"),
        ("a: !!bool maybe", "'maybe' is not a valid bool"),
        ("a: !!binary x", "a value of kind binary is not read"),
        ("a: !!set {b}", "a value of kind set is not read"),
        ("a: !!omap [b: 1]", "a value of kind omap is not read"),
        ("a: !!python/object/apply:os.getcwd []", "a value of kind python/object/apply:os.getcwd is not read"),
        ("a: !!str [b]", "a value of kind str is not read"),
        ("a: =", "is not read"),
        ("a: 1\nb: 2\na: 3", "(line 3, column 1): the key 'a' is there twice"),
        ("a: {b: 1, b: 1}", "(line 1, column 11): the key 'b' is there twice"),
        ("<<: {a: 1}\n<<: {b: 1}", "the key '<<' is there twice"),
        ("<<: 3", "'<<' takes a mapping, or a list of them"),
        ("1: 2", "a key must be a word"),
        ("yes: 2", "a key must be a word"),
        ("? [a]\n: b", "a key must be a word"),
        ("a: 1\n---\nb: 2", "a second document begins here; keep one of them."),
        ("a: " + "[" * 21 + "]" * 21, "it is nested more than 20 deep"),
        ("a: " + "[" * 20_000, "it is nested too deeply"),
        ("a: &a [*a]", "it is nested more than 20 deep"),
        (LAUGHS, "it holds more than 10,000 values"),
        ("a: &a {b: 1}\nc:\n" + " - <<: [" + "*a, " * 6000 + "]", "it holds more than 10,000 values"),
        ("a: *b", "found undefined alias 'b'"),
        ("a: [", "is not YAML"),
        ("a: \x00", "is not YAML: unacceptable character #x0000"),
        ("a: \x1b", "is not YAML: unacceptable character #x001b"),
        ("- a", "must hold 'key: value' lines"),
        ("a", "must hold 'key: value' lines"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, words: str) -> None:
    """In one line, with its place."""
    assert words in said(text)


def test_what_is_read() -> None:
    """Plain values; aliases, and merging, where what stands beside it counts; 1e-3 stays the text that YAML reads."""
    text = (
        "a: &a {b: 1, c: [x, 'y', ~, null]}\nd:\n  <<: *a\n  b: 2.5\ne: [yes, off, true]\nf: 1e-3\ng: 0x1F\nh: 1_000\n"
    )
    assert {
        "a": {"b": 1, "c": ["x", "y", None, None]},
        "d": {"b": 2.5, "c": ["x", "y", None, None]},
        "e": [True, False, True],
        "f": "1e-3",
        "g": 31,
        "h": 1000,
    } == parse_yaml(text, source="it")
    first = "one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\nboth: {<<: [*one, *two], c: 3}\n"
    assert {"a": 1, "b": 1, "c": 3} == parse_yaml(first, source="it")["both"] == yaml.safe_load(first)["both"]
    assert {} == parse_yaml("# nothing\n", source="it")
    assert {"a": 1} == parse_yaml("\ufeffa: 1", source="it")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text("ab-_é1: ", min_size=1), values, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text("abc_", min_size=1), VALUES, max_size=5))
def test_whatever_a_run_writes_is_read_back(settings: dict[str, Any]) -> None:
    """As `config.yaml` is written; every text, number and key as it was."""
    assert settings == parse_yaml(yaml.safe_dump(settings, sort_keys=False), source="it")


@given(st.text(st.sampled_from("ab01:-[]{}&*!|>'\"%#?,.~ \n\t\0é\u2028"), max_size=60))
def test_nothing_but_our_error_is_raised(text: str) -> None:
    """By any mixture of what YAML is made of."""
    with suppress(FaaError):
        assert isinstance(parse_yaml(text, source="it"), dict)


def test_what_is_no_file_of_text(tmp_path: Path) -> None:
    """A folder, a pipe, a socket, a device, another encoding, too many bytes; nothing waits or fills memory."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "wide").write_bytes("a: 1".encode("utf-32"))
    with (tmp_path / "large").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "socket"))
    for path, words in {
        tmp_path / "folder": "it is a folder",
        tmp_path / "pipe": "it is not a regular file",
        tmp_path / "socket": "it is not a regular file",
        Path("/dev/zero"): "it is not a regular file",
        tmp_path / "wide": "it is UTF-32 text; save it as UTF-8",
        tmp_path / "large": "has 262,145 bytes; of such a file at most 262,144 are read",
        tmp_path / "none": "there is no such file or folder",
        tmp_path / "a\0b": "null",
    }.items():
        with pytest.raises(FaaError, match=r"cannot be read|at most") as raised:
            read_yaml(path)
        assert words in str(raised.value)
        assert "\n" not in str(raised.value)
        assert "\0" not in str(raised.value)
    listening.close()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("epochs: true", "epochs: it must be a whole number (given True)"),
        ("epochs: '1'", "epochs: it must be a whole number; write it without quotes (given '1')"),
        ("epochs: 1.5", "epochs: it must be a whole number"),
        ("epochs: 1e3", "epochs: it must be a whole number"),
        ("epochs:", "epochs: it must be a whole number; give a value, or leave the setting out (given None)"),
        ("epochs: [1]", "epochs: "),
        ("lr: true", "lr: it must be a number (given True)"),
        ("lr: '0.1'", "lr: it must be a number; write it without quotes (given '0.1')"),
        ("lr: .inf", "lr: input should be a finite number"),
        ("lr: .nan", "lr: input should be a finite number"),
        ("lr: 1e999", "lr: input should be a finite number"),
        ("lr: 1.0e+301", "lr: it must be at most 1e+300 (given 1e+301)"),
        ("amp: 'yes'", "amp: it must be true or false, without quotes (given 'yes')"),
        ("amp: 1", "amp: it must be true or false, without quotes (given 1)"),
        ("model: 3", "model: it must be a text; put quotes around it (given 3)"),
        ("model: true", "model: it must be a text; put quotes around it, as YAML takes yes, no, on, off"),
        ("dataset: \"a\\0b\"", "dataset: a text must not hold a zero byte"),
        ('dataset: "\\ud800"', "dataset: a text must not contain an incomplete character"),
        ("dataset: " + "a" * 5000, "dataset: a text has at most 4,096 characters"),
        ("sched: [cosine]", "sched: input should be 'cosine'"),
        ("scale: 0.5", "scale: it must be a list"),
        ("scale: ['0.1', 1]", "scale: it must be a number"),
        ("scale: [true, 1]", "scale: it must be a number"),
        ("decay_milestones: 1,x", "decay_milestones: give numbers with commas"),
        ("decay_milestones: [true]", "decay_milestones: "),
        ("exclude_ops: [1]", "exclude_ops: it must be a text; put quotes around it"),
        ("exclude_ops: {a: 1}", "exclude_ops: it must be a list"),
        ("model_kwargs: {depth: 10001}", "model_kwargs: a whole number must not be above 10,000"),
        ("model_kwargs: {depth: [1]}", "model_kwargs: names are words; values are"),
        ("model_kwargs: {depth: ~}", "model_kwargs: names are words; values are"),
        ("model_kwargs: {drop_rate: 1e-1}", "model_kwargs: YAML reads 1e-3 as a text; write the number 1.0e-3"),
        ("model_kwargs: [a]", "model_kwargs: "),
        ("seed: 9223372036854775808", "seed: it must be at most 9,223,372,036,854,775,807"),
        ("img_size: 4097", "img_size: it must be at most 4,096"),
        ("depth: 1000001", "depth: it must be at most 1,000,000 (given"),
        ("sub_policies: 1001", "sub_policies: it must be at most 1,000 (given"),
        ("workers: 1025", "workers: it must be at most 1,024"),
        ("crop_pad: 5000", "crop_pad: it must be at most 4,096"),
        ("budget: 30", "budget: "),
        ("epochs: several", "epochs: it must be a whole number (given 'several')"),
        ("exclude_ops: [no, Invert]", "exclude_ops: it must be a text; put quotes around it, as YAML takes yes, no"),
        ("sched: off", "'micronet' or 'constant'; put quotes around it"),
        ("held_out: 1", "held_out: it must be less than 1 (given 1)"),
        ("held_out: 0", "held_out: it must be more than 0 (given 0)"),
        ("data_dir: ''", "data_dir: a text must not be empty; leave the setting out"),
        ("init_models: ' '", "init_models: a text must not be empty"),
        ("exclude_ops: ['', Invert]", "exclude_ops: a text must not be empty"),
        ("model_kwargs: depth=1_0", "model_kwargs: names are words; values are true, false, finite numbers in"),
        ("decay_milestones: 1,1_0", "decay_milestones: give numbers with commas"),
        ("batch-size: 3\nbatch_size: 3", "'batch_size' is given twice, as 'batch-size' too; leave one out"),
        ("\"a\\e[31m\": 1", "unknown setting 'a\\x1b[31m'"),
    ],
)  # fmt: skip
def test_values_of_another_type(tmp_path: Path, line: str, words: str) -> None:
    """File and key are named; nothing is taken for what it is not."""
    path = tmp_path / "c.yaml"
    path.write_text(line)
    with pytest.raises(FaaError) as raised:
        resolve(SearchConfig, [read_layer(path)])
    assert str(raised.value).startswith(f"{path}: ")
    assert words in str(raised.value)


def test_values_in_other_spellings(tmp_path: Path) -> None:
    """Those that mean one thing: powers of ten, whole numbers with a point, lists and texts of parts."""
    path = tmp_path / "c.yaml"
    path.write_text(
        "lr: 1e-3\nmomentum: +.5\nepochs: 5.0\nweight_decay: 0\nscale: [2e-1, 1]\ndecay_milestones: 1,2e0\n"
        "exclude-ops: Invert, Rotate\n"
    )
    config = resolve(SearchConfig, [read_layer(path)])
    assert (0.001, 0.5, 5, 0.0, (0.2, 1.0)) == (
        config.lr, config.momentum, config.epochs, config.weight_decay, config.scale,
    )  # fmt: skip
    assert isinstance(config.epochs, int)
    assert ((1.0, 2.0), ("Invert", "Rotate")) == (config.decay_milestones, config.exclude_ops)


@pytest.mark.parametrize("config", [TrainConfig, SearchConfig, CompareConfig, EvalConfig])
def test_a_runs_own_settings_are_read_again(config: type[Settings], tmp_path: Path) -> None:
    """Each default, as `config.yaml` has it, is of its type."""
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"command": "x", **config().model_dump(mode="json")}, sort_keys=False))
    assert config() == resolve(config, [read_layer(path)])


@pytest.mark.parametrize(
    ("budget", "seconds", "of_devices"),
    [("90s", 90, False), (".5m", 30, False),
     (" 30M ", 1800, False), ("1.5h", 5400, False), ("2gpu-h", 7200, True), ("1gpu-s", 1, True)],
)  # fmt: skip
def test_budgets(budget: str, seconds: float, *, of_devices: bool) -> None:
    """In seconds."""
    config = resolve(SearchConfig, [Layer("flags", {"budget": budget})])
    assert config.budget is not None
    assert (pytest.approx(seconds), of_devices) == tuple(Budget.parse(config.budget))


@pytest.mark.parametrize(
    "budget",
    ["9" * 400 + "h", "1000000.1h", "99999999999s", "0m", "0.0h", ".h", "1.5.2h", "1e5h", "-1h", "+1h", "３０m",
     "1 h", "1h30m", "inf", "nan", "h", "", "1_0h", "2gpuh", "1h\0"],
)  # fmt: skip
def test_budgets_that_are_none(budget: str) -> None:
    """No end, nothing, or not clear."""
    with pytest.raises(
        FaaError,
        match=r"--budget: a budget is a time such as 90s, 30m or 2h.*at most 1000000h|zero byte|must not be empty",
    ):
        resolve(SearchConfig, [Layer("flags", {"budget": budget})])


def test_the_last_seed_of_a_comparison() -> None:
    """It is a seed, too."""
    assert 2 == CompareConfig(seed=2**63 - 2, seeds=2).seeds
    with pytest.raises(FaaError, match="with --seeds 3 the last would be above"):
        resolve(CompareConfig, [Layer("flags", {"seed": 2**63 - 2, "seeds": 3})])
