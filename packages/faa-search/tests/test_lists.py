"""How lists are written in texts: which commas separate."""

import pytest

from faa_search.settings import CompareConfig, SearchConfig
from faa_search.settings.lists import parts_of

RAND = "RandAugment(num_ops=2, magnitude=9)"
FILLED = "v2.AutoAugment(AutoAugmentPolicy.SVHN, fill=[1, (2), 3])"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("none,a,b.json", ["none", "a", "b.json"]),
        (" none , a,, b ,", ["none", "a", "b"]),
        (f"{RAND},none", [RAND, "none"]),
        (f"none, {FILLED} ,{RAND},x", ["none", FILLED, RAND, "x"]),
        ("f('a,b)', \"c]\"),none", ["f('a,b)', \"c]\")", "none"]),
        ("'a, b.json',\"c,d\",e", ["a, b.json", "c,d", "e"]),
        ("'a','b'", ["a", "b"]),
        ("'a','b", ["a", "'b"]),
        ("Bob's.json,Eve's.json", ["Bob's.json", "Eve's.json"]),  # apostrophes
        ("a(1,2,b", ["a(1", "2", "b"]),  # no end
        ("a),b(c],d),e", ["a)", "b(c],d)", "e"]),
        ("", []),
        (" , ,", []),
        ("(" * 50_000 + ",", ["(" * 50_000]),
    ],
)
def test_commas_inside_brackets_and_quotes_separate_nothing(text: str, parts: list[str]) -> None:
    assert list(parts_of(text)) == parts


def test_every_setting_that_is_a_list_of_names_reads_it_so() -> None:
    """From a flag; a list from a file is taken as it is."""
    assert CompareConfig(policies=f"{RAND},none").policies == (RAND, "none")  # type: ignore[arg-type]
    assert CompareConfig(policies=["'a,b'", "none"]).policies == ("'a,b'", "none")  # type: ignore[arg-type]
    assert SearchConfig(exclude_ops="Invert, Rotate").exclude_ops == ("Invert", "Rotate")  # type: ignore[arg-type]
    assert CompareConfig(log_with="wandb,tensorboard").log_with == ("wandb", "tensorboard")  # type: ignore[arg-type]
