"""Reading what anybody wrote: regular files of a size, and JSON without repeated names."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from faa_core import FaaError, Policy, formats
from faa_core.reading import NotJsonError, as_text, parse_json, parse_json_as, read_content
from faa_core.yaml_files import read_yaml


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What a file could hold."""

    count: int
    figure: float
    names: tuple[str, ...] = ()


SAMPLE = TypeAdapter(Sample)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "it is not JSON: "),
        ("", "it is not JSON: "),
        ("\0", "it is not JSON: "),
        ("[1] [2]", "it is not JSON: Extra data: line 1 column 5"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', "it has 'b' twice in one object"),
        ('{"a\\u001b": 1, "a\\u001b": 1}', "it has 'a\\x1b' twice in one object"),
        ("[NaN]", "it holds NaN, which is not a number"),
        ("[-Infinity]", "it holds -Infinity, which is not a number"),
        ("[1e999]", "the number 1e999 in it is too large"),
        ("[" + "9" * 101 + "]", "in it has too many digits"),
        ("[" + "9" * 5000 + "]", "in it has too many digits"),
    ],
)
def test_json_that_is_refused(text: str, words: str) -> None:
    """What is wrong is said; only what is not JSON at all may be something else."""
    with pytest.raises(FaaError) as raised:
        parse_json(text)
    assert words in str(raised.value)
    assert isinstance(raised.value, NotJsonError) == ("not JSON" in words)


def test_numbers_without_end_where_they_are_allowed() -> None:
    """As the loss of a network that diverged."""
    assert {"a": float("inf"), "b": 1.5} == parse_json('{"a": Infinity, "b": 1.5}', finite=False)
    assert float("-inf") == parse_json_as(SAMPLE, '{"count": 1, "figure": -Infinity}', finite=False).figure
    with pytest.raises(FaaError, match="too many digits"):
        parse_json("9" * 5000, finite=False)


@given(st.integers(-(2**62), 2**62), st.floats(allow_nan=False, allow_infinity=False), st.lists(st.text(max_size=5)))
def test_numbers_come_back_to_the_bit(count: int, figure: float, names: list[str]) -> None:
    """As do texts, of any script."""
    text = SAMPLE.dump_json(Sample(count=count, figure=figure, names=tuple(names))).decode()
    found = parse_json_as(SAMPLE, text)
    assert (count, figure.hex(), tuple(names)) == (found.count, found.figure.hex(), found.names)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ('"count": true, "figure": 1', "count: Input should be a valid integer (given True)"),
        ('"count": "1", "figure": 1', "count: Input should be a valid integer (given '1')"),
        ('"count": 1.5, "figure": 1', "count: "),
        ('"count": null, "figure": 1', "count: "),
        ('"count": 1, "figure": "1"', "figure: Input should be a valid number (given '1')"),
        ('"count": 1', "figure: Field required"),
        ('"count": 1, "figure": 1, "names": [1]', "names.0: Input should be a valid string"),
        ('"count": true, "figure": "1"', "; figure: "),
    ],
)
def test_fields_of_another_type(fields: str, words: str) -> None:
    """Each is named; what is not known is passed over."""
    assert Sample(count=1, figure=2.0) == parse_json_as(SAMPLE, '{"count": 1, "figure": 2, "newer": [{}]}')
    with pytest.raises(FaaError) as raised:
        parse_json_as(SAMPLE, f"{{{fields}}}")
    assert words in str(raised.value)


def test_text_of_other_encodings() -> None:
    """A mark at the beginning is none of the text, and tells UTF-16; old encodings and UTF-32 are refused."""
    for content in ("\ufeffé".encode(), *("\ufeffé".encode(f"utf-16-{order}") for order in ("le", "be"))):
        assert "é" == as_text(content)
    for content, bad in (("é".encode("latin-1"), "E9"), (b"\xed\xa0\x80", "ED")):
        with pytest.raises(
            FaaError, match=rf"^it is not UTF-8 text .*0x{bad}, at byte 0\); if it is text, save it as U"
        ):
            as_text(content)
    with pytest.raises(FaaError, match=r"^it begins as UTF-16 text and is damaged .*0xE9, at byte 2\)"):
        as_text("é".encode("utf-16")[:-1])
    for order in ("le", "be"):
        with pytest.raises(FaaError, match=r"^it is UTF-32 text; save it as UTF-8$"):
            as_text("\ufeffé".encode(f"utf-32-{order}"))


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    """Nothing waits for a pipe's writer."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"12345")
    assert b"12345" == read_content(tmp_path / "file") == read_content(tmp_path / "file", most=5)
    for path, words in {
        tmp_path / "pipe": "it is not a regular file",
        tmp_path: "it is a folder",
        tmp_path / "none": "there is no such file or folder. Check the path.",
        tmp_path / ("a" * 5000): "a name in it is longer than the file system allows. Give a shorter path.",
        tmp_path / "a\33b": "a\\x1bb' cannot be read",
    }.items():
        with pytest.raises(FaaError) as raised:
            read_content(path)
        assert words in str(raised.value)
    with pytest.raises(FaaError, match="has 5 bytes; of such a file at most 4 are read"):
        read_content(tmp_path / "file", most=4)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("faa", '{"kind": "sub-policies", "sub_policies": [[]], "sub_policies": [[], []]}'),
        ("legacy", '[[{"op": "Invert", "p": 1, "p": 0, "level": 0}]]'),
        ("legacy", "A = [[{'op': 'Invert', 'p': 1, 'p': 0, 'level': 0}]]"),
        ("legacy", "{'0': {'Invert': [1, 0], 'Invert': [0.5, 0]}}"),
        ("albumentations", '{"transform": {"__class_fullname__": "Compose", "p": 0, "p": 1, "transforms": []}}'),
    ],
)
def test_a_key_twice_in_a_policy(name: str, text: str) -> None:
    """One of the two would be forgotten in silence."""
    with pytest.raises(FaaError, match="twice"):
        formats.parse(text, name)


@pytest.mark.parametrize("given_", ["a" * 5000, "a\0b", "/dev/zero"])
def test_names_that_are_no_files(given_: str) -> None:
    """They are not policies; nothing is opened that has no end."""
    reads: tuple[Any, ...] = (Policy.load, formats.read_policy)
    for read in reads:
        with pytest.raises(FaaError):
            read(given_)


def test_provenance_that_json_cannot_say(tmp_path: Path) -> None:
    """NaN there would make a file that no other reader takes."""
    path = tmp_path / "policy.json"
    path.write_text('{"kind": "sub-policies", "sub_policies": [[]], "provenance": {"seconds": NaN}}')
    with pytest.raises(FaaError, match="holds NaN"):
        Policy.load(path)


def test_what_the_system_makes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below /proc a file of 0 bytes may wait forever, so nothing is opened; what a link leads to counts."""

    def opened(path: Path) -> bytes:
        raise AssertionError(path)

    (tmp_path / "empty").touch()
    (tmp_path / "link.json").symlink_to("/proc/kmsg" if os.path.exists("/proc/kmsg") else tmp_path / "empty")  # noqa: PTH110
    monkeypatch.setattr(Path, "read_bytes", opened)
    assert b"" == read_content(tmp_path / "empty", most=4)
    with pytest.raises(FaaError, match="empty' cannot be read: It is empty"):
        Policy.load(tmp_path / "empty")
    if os.path.exists("/proc/kmsg"):  # noqa: PTH110
        for read in (read_content, Policy.load, read_yaml):
            with pytest.raises(
                FaaError, match=r"link\.json' cannot be read: the system makes it while it is read\. Copy"
            ):
                read(tmp_path / "link.json")
    (tmp_path / "some").write_text("a")
    with pytest.raises(AssertionError):
        read_content(tmp_path / "some")


@pytest.mark.parametrize("given_", ["https://example.org/policy.json", "http://a/b", "s3://bucket/policy", "file:///a"])
def test_addresses_are_not_fetched(given_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not said that they are missing; a folder that is called so is one."""
    reads: tuple[Any, ...] = (Policy.load, formats.read_policy)
    for read in reads:
        with pytest.raises(FaaError) as raised:
            read(given_)
        words = "it is an address, and nothing is fetched from there. Download the file, and give its path."
        assert f"'{given_}' cannot be read: {words}" == str(raised.value)
    with pytest.raises(FaaError, match="it is an address, and nothing is fetched from there"):
        read_content(Path(given_))
    monkeypatch.chdir(tmp_path)
    Path(given_).parent.mkdir(parents=True, exist_ok=True)
    if not given_.startswith("file"):
        Path(given_).write_text('{"kind": "sub-policies", "sub_policies": [[], []]}')
        assert 2 == len(Policy.load(given_).sub_policies)
