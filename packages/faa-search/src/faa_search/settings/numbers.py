"""How numbers are written in texts: flags, budgets, lists and arguments of models all read them here.

Python reads more than people mean: ``1_0`` is ten to it, and so are digits of every script.
"""

import math
import re

WHOLE = re.compile(r"[-+]?[0-9]{1,40}")
REAL = re.compile(r"[-+]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][-+]?[0-9]{1,9})?")


def whole_number(text: str) -> int:
    """Return the whole number that a text holds.

    Raises:
        ValueError: If it is not written in digits alone.
    """
    if WHOLE.fullmatch(text) is None:
        raise ValueError("a whole number is written in digits alone, such as 30")
    return int(text)


def real_number(text: str) -> float:
    """Return the number that a text holds, as a float.

    Raises:
        ValueError: If it is not written in decimals, or too large for a float.
    """
    if REAL.fullmatch(text) is None:
        raise ValueError("a number is written in decimals, such as 0.5 or 1e-3")
    number = float(text)
    if math.isinf(number):
        raise ValueError("the number is too large")
    return number
