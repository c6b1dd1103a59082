"""What is typed after every option and argument of every command: empty texts and numbers in odd spellings."""

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from typer.main import get_command

from faa_cli.given import check_texts, name_of, number_of
from faa_cli.main import FIRST, app
from faa_core import FaaError
from faa_search.settings.numbers import whole_number


@pytest.mark.parametrize("text", ["", " ", "\t"])
def test_a_text_that_says_nothing(text: str) -> None:
    """It is refused with the option's name; any other text passes."""
    option = SimpleNamespace(name="output", param_type_name="option", opts=["-o", "--output"])
    with pytest.raises(FaaError, match="--output must not be empty; give a value, or leave it out"):
        check_texts([option], {"output": text}, takes_dash=())
    check_texts([option], {"output": "runs"}, takes_dash=())


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command of ours with the words that call it."""
    names = group.list_commands(None) if hasattr(group, "list_commands") else ()
    if not names:
        yield path, group
    for name in names:
        if path or name in FIRST:
            yield from commands(group.get_command(None, name), (*path, name))


def taking_values() -> list[tuple[tuple[str, ...], Any, Any]]:
    """Return every parameter that takes a value, with its command."""
    found = [(path, command, one) for path, command in commands(get_command(app)) for one in command.params]
    return [row for row in found if row[2].param_type_name == "argument" or not row[2].is_flag]


def typed(path: tuple[str, ...], command: Any, parameter: Any, *values: str) -> list[str]:
    """Return a command line that gives a parameter these values, and every needed argument."""
    given = [*path]
    for one in command.params:
        if one is parameter and one.param_type_name == "option":
            given += [name_of(one), *values]
        elif one is parameter:
            given += values
        elif one.param_type_name == "argument" and one.required:
            given.append("none")
    return given


def test_the_walk_finds_them_all():
    rows = {(*path, name_of(parameter)) for path, _command, parameter in taking_values()}
    assert len(rows) > 200
    for row in [
        ("train", "--output"), ("search", "--init-models"), ("eval", "--corruptions"), ("compare", "--recipe"),
        ("policy", "convert", "OUT"), ("policy", "convert", "--to"), ("policy", "preview", "--data-dir"),
        ("model", "list", "[PATTERN]"), ("model", "convert", "OLD.pth"), ("recipe", "show", "NAME"),
    ]:  # fmt: skip
        assert row in rows, row


def test_an_empty_text_is_refused_everywhere(faa, tmp_path):
    for path, command, parameter in taking_values():
        outcome = faa(*typed(path, command, parameter, *[""] * parameter.nargs))
        assert outcome.code == 2, (path, parameter.name)
        assert outcome.err.startswith(f"Error: {name_of(parameter)} must not be empty; give a value")
        assert len(outcome.err.splitlines()) == 1
    assert "--output must not be empty" in faa("train", "--output", " \t").err
    assert list(tmp_path.iterdir()) == []


def test_numbers_are_read_in_one_way(faa):
    """Those of settings and those of commands alike, wherever a page says N, X or LOW HIGH."""
    numeric = [row for row in taking_values() if row[2].metavar in ("N", "X", "LOW HIGH")]
    assert len(numeric) > 100
    for path, command, parameter in numeric:
        said = faa(*typed(path, command, parameter, *["1_0"] * parameter.nargs)).err
        assert said.startswith(f"Error: {name_of(parameter)}: a ")
        assert "in digits alone" in said or "in decimals" in said, (path, parameter.name)


@pytest.mark.parametrize("text", ["1.0", "1e3", "１２", "0x10", " 3"])
def test_a_whole_number_is_digits(faa, text):
    assert faa("train", "--epochs", text).err == (
        f"Error: --epochs: a whole number is written in digits alone, such as 30 (given '{text}').\n"
    )


def test_help_is_shown_whatever_else_is_given(faa):
    outcome = faa("train", "--output", "", "--help")
    assert outcome.code == 0
    assert outcome.out.startswith("Usage: faa train")


def test_both_ends_of_a_range_belong_to_it():
    """And what is beyond them does not."""
    read = number_of("--images", whole_number, least=1, most=30)
    assert [read(text) for text in ("1", "30")] == [1, 30]
    for text, words in (("0", "at least 1 (given 0)"), ("31", "at most 30 (given 31)")):
        with pytest.raises(FaaError, match=re.escape(f"--images: it must be {words}.")):
            read(text)
