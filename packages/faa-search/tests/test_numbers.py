"""How numbers are written in texts, alike for flags, budgets, lists and arguments of models."""

import math

import pytest

from faa_search.settings import Budget, as_pairs
from faa_search.settings.arguments import as_arguments
from faa_search.settings.numbers import real_number, whole_number

WHOLE = {"0": 0, "30": 30, "+7": 7, "-12": -12, "010": 10, "9" * 40: 10**40 - 1}
REAL = {
    "0.5": 0.5,
    ".5": 0.5,
    "5.": 5.0,
    "-1e-3": -0.001,
    "2E+4": 2e4,
    "1e-400": 0.0,
    **{k: float(WHOLE[k]) for k in WHOLE},
}
# What Python's own int() or float() reads, or nearly.
NEITHER = ("1_0", "1_0.5", "１２", "٣", "", " ", " 1", "1\n",
           "nan", "inf", "-Infinity", "0x10", "0b1", "1j", "--1", ".", "e5", "1e", "9" * 41)  # fmt: skip


def test_whole_numbers() -> None:
    assert {text: whole_number(text) for text in WHOLE} == WHOLE


def test_real_numbers() -> None:
    assert {text: real_number(text) for text in REAL} == REAL
    assert all(math.isfinite(number) for number in REAL.values())


@pytest.mark.parametrize("text", NEITHER)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="in digits alone, such as 30"):
        whole_number(text)
    with pytest.raises(ValueError, match=r"in decimals, such as 0\.5 or 1e-3"):
        real_number(text)


@pytest.mark.parametrize("text", ["1.0", "1e3", ".5", "5."])
def test_what_is_no_whole_number(text: str) -> None:
    with pytest.raises(ValueError, match="in digits alone"):
        whole_number(text)


@pytest.mark.parametrize("text", ["1e999", "-1e400", "9e308"])
def test_what_no_float_holds(text: str) -> None:
    with pytest.raises(ValueError, match="too large"):
        real_number(text)


@pytest.mark.parametrize("text", ["1_0m", "１m", "1e3m", "nanm", "infh", "-5m", "0s", "m", "5", "5 m", "1_0gpu-h"])
def test_budgets_of_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="a budget is a time such as 90s"):
        Budget.parse(text)


def test_arguments_of_models() -> None:
    given = "depth=010,rate=1e-3,flag=TRUE,word=a_1,text='1_0'"
    assert as_arguments(given) == {"depth": 10, "rate": 0.001, "flag": True, "word": "a_1", "text": "1_0"}
    assert as_arguments(as_pairs(as_arguments(given))) == as_arguments(given)


@pytest.mark.parametrize("text", ["1_0", "0x10", "1_0.5", "1e999", "2j", "-1_0"])
def test_arguments_that_are_numbers_to_python_alone(text: str) -> None:
    with pytest.raises(ValueError, match="finite numbers in decimals"):
        as_arguments(f"depth={text}")
