"""Texts for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faa_core.text import counted, duration, safe, sentence


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("cat", "cat"),
        ("ein Bär, 猫, कि\u200dष, می\u200cخواهم", "ein Bär, 猫, कि\u200dष, می\u200cخواهم"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("two\nlines\r\tand\x85more\u2028", "two\\nlines\\r\\tand\\x85more\\u2028"),
        ("gnp\u202e.exe\u2066", "gnp\\u202e.exe\\u2066"),
        ("caf\udce9", "caf\\udce9"),
        ("[red]not markup[/red]", "[red]not markup[/red]"),
        (ValueError("bad\x00"), "bad\\x00"),
    ],
)
def test_safe_shows_what_acts_on_a_terminal_as_escapes(given, shown):
    assert safe(given) == shown


@given(st.text())
def test_safe_text_is_one_line_that_any_utf8_file_takes(text):
    line = safe(text)
    assert len(line.splitlines()) <= 1
    assert "\x1b" not in line
    line.encode("utf-8")
    assert safe(line) == line


def test_counts_have_their_noun():
    assert [counted(n, "epoch") for n in (0, 1, 2, 2000)] == ["0 epochs", "1 epoch", "2 epochs", "2,000 epochs"]
    assert counted(1, "class", "classes") == "1 class"
    assert counted(3, "class", "classes") == "3 classes"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "under 1 s"), (0.94, "under 1 s"), (0.96, "1 s"), (59, "59 s"), (59.6, "1 min"), (61, "1 min"),
        (150, "2 min"), (3569, "59 min"), (3580, "1 h"), (9900, "2 h 45 min"), (86_400, "24 h"),
        (3 * 86_400, "3 days"), (3 * 86_400 + 4 * 3600, "3 days 4 h"),
    ],
)  # fmt: skip
def test_durations_are_as_people_say_them(seconds, shown):
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("it is so", "it is so."),
        ("it is so.", "it is so."),
        ("could be a DOS attack..", "could be a DOS attack."),
        ("it failed: an attack.. Try again", "it failed: an attack. Try again."),
        ("did you mean this?", "did you mean this?"),
        ("AssertionError: ", "AssertionError."),
        ("the file '..'", "the file '..'."),
        ("from ../a.. to a/..", "from ../a. to a/.."),
        ("and so on...", "and so on..."),
        ("a, b …", "a, b …"),
    ],
)
def test_sentences_end_in_one_full_stop(given, said):
    assert sentence(given) == said
    assert sentence(said) == said
